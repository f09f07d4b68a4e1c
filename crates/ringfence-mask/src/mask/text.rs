//! Writing names, addresses, numbers of telephones and cards, words and codes.

use super::form::{ADDRESS_END, ALPHABET, Form};
use super::guard::{Drawn, Guard};
use super::lists::{CITY_SUFFIXES, STREET_SUFFIXES, WORDS, names};
use crate::key::Draws;
use crate::rule::{
    AddressPart, Language, Masker, NamePart, NumberChange, PhoneRange, Piece, Template,
};

/// The places in Germany, with what stands before their last three digits.
const GERMAN: [&str; 5] = ["3023125", "6990009", "4066969", "2214710", "8999998"];

/// How often another word is drawn for one that would let something survive, first from the list and then from letters.
const WORD_ATTEMPTS: usize = 8;

/// Writes one result, and notes which of it was drawn.
pub(super) struct Pen<'a> {
    draws: Draws,
    text: &'a mut String,
    drawn: &'a mut Drawn,
}

impl<'a> Pen<'a> {
    pub(super) fn new(draws: Draws, text: &'a mut String, drawn: &'a mut Drawn) -> Self {
        Self { draws, text, drawn }
    }

    /// Writes what a masker makes of an original in a form.
    pub(super) fn write(
        &mut self,
        (masker, form): (&Masker, &Form),
        original: &str,
        guard: &Guard,
    ) {
        match (masker, form) {
            (Masker::Text { .. }, Form::Json) => self.text.push_str("{}"),
            (Masker::Uuid | Masker::Hash { .. }, Form::Uuid) | (Masker::Uuid, _) => self.uuid(),
            (Masker::Hash { .. }, Form::Bytes) => self.bytes(original),
            (Masker::Hash { length }, Form::Json) => {
                self.text.push('"');
                self.hash(usize::from(*length));
                self.text.push('"');
            }
            (Masker::Hash { length }, form) => self.hash(usize::from(*length).min(limit(form))),
            (Masker::Email, form) => self.email(limit(form)),
            (Masker::Name { part, language }, _) => self.name(*part, *language),
            (Masker::Phone(range), form) => self.phone(*range, *form == Form::Digits),
            (Masker::Address(part), _) => self.address(*part),
            (Masker::Text { .. }, form) => self.words(original, limit(form), guard),
            (Masker::Number(NumberChange::Card), _) => self.card(),
            (Masker::Number(_), _) => self.shape(original),
            (Masker::Template(template), _) => self.template(template),
            (Masker::Choice(words), _) => self.choice(words),
            (Masker::Keep | Masker::Null | Masker::Date(_), _) => {}
        }
        self.shorten(limit(form));
    }

    fn drawn(&mut self, write: impl FnOnce(&mut Draws, &mut String)) {
        let from = self.text.len();
        write(&mut self.draws, self.text);
        self.drawn.push((from, self.text.len()));
    }

    fn hash(&mut self, length: usize) {
        self.drawn(|draws, text| letters(draws, length, text));
    }

    fn email(&mut self, limit: usize) {
        self.hash(limit.saturating_sub(ADDRESS_END.len()).min(16));
        self.text.push_str(ADDRESS_END);
    }

    /// Version 4, variant 1 by its form (RFC 9562).
    fn uuid(&mut self) {
        self.drawn(|draws, text| {
            let high = (draws.next() & !0xf000) | 0x4000;
            let low = (draws.next() & (u64::MAX >> 2)) | (1 << 63);
            let both = u128::from(high) << 64 | u128::from(low);
            for place in 0..32_u32 {
                if matches!(place, 8 | 12 | 16 | 20) {
                    text.push('-');
                }
                let digit = u32::try_from((both >> (124 - 4 * place)) & 15).unwrap_or(0);
                text.extend(char::from_digit(digit, 16));
            }
        });
    }

    /// As many bytes as there were, at least 4 and at most 32, as hexadecimal digits.
    fn bytes(&mut self, original: &str) {
        let count = (original.len() / 2).clamp(4, 32);
        self.drawn(|draws, text| {
            for _ in 0..count {
                text.push_str(&format!("{:02x}", draws.below(256)));
            }
        });
    }

    fn name(&mut self, part: NamePart, language: Language) {
        let names = names(language);
        self.drawn(|draws, text| {
            let first = draws.pick(names.first).unwrap_or_default();
            let last = draws.pick(names.last).unwrap_or_default();
            let parts = match (part, names.family_first) {
                (NamePart::First, _) => [first, "", ""],
                (NamePart::Last, _) => [last, "", ""],
                (NamePart::Full, None) => [first, " ", last],
                (NamePart::Full, Some(between)) => [last, between, first],
            };
            text.extend(parts);
        });
    }

    fn phone(&mut self, range: PhoneRange, plain: bool) {
        if !plain {
            self.text.push('+');
        }
        match range {
            PhoneRange::Us => {
                self.text.push('1');
                self.drawn(area_code);
                self.text.push_str("55501");
                self.drawn(|draws, text| digits(draws, 2, text));
            }
            PhoneRange::Uk => self.number_after("447700900", 3),
            PhoneRange::De => {
                self.text.push_str("49");
                self.drawn(|draws, text| text.push_str(draws.pick(&GERMAN).unwrap_or_default()));
                self.drawn(|draws, text| digits(draws, 3, text));
            }
            PhoneRange::Fr => self.number_after("3363998", 4),
            PhoneRange::Se => {
                self.text.push_str("46701740");
                self.drawn(|draws, text| text.push_str(&(605 + draws.below(95)).to_string()));
            }
            PhoneRange::Any => self.number_after("999", 12),
        }
    }

    fn number_after(&mut self, prefix: &str, count: usize) {
        self.text.push_str(prefix);
        self.drawn(|draws, text| digits(draws, count, text));
    }

    fn card(&mut self) {
        let from = self.text.len();
        self.number_after("9999", 11);
        let check = self.text.get(from..).map(check_digit);
        self.drawn(|_, text| text.extend(check));
    }

    fn address(&mut self, part: AddressPart) {
        match part {
            AddressPart::Street => self.drawn(street),
            AddressPart::City => self.drawn(city),
            AddressPart::Postcode => self.drawn(postcode),
            AddressPart::Full => {
                self.drawn(street);
                self.text.push_str(", ");
                self.drawn(postcode);
                self.text.push(' ');
                self.drawn(city);
            }
        }
    }

    fn template(&mut self, template: &Template) {
        let names = names(Language::En);
        for piece in &template.pieces {
            match piece {
                Piece::Literal(literal) => self.text.push_str(literal),
                Piece::Number(Some(count)) => {
                    self.drawn(|draws, text| digits(draws, usize::from(*count), text));
                }
                Piece::Number(None) => self.drawn(|draws, text| {
                    text.push_str(&draws.below(1_000_000_000_000_000).to_string());
                }),
                Piece::Hash(length) => self.hash(usize::from(*length)),
                Piece::First => self.drawn(|draws, text| {
                    text.extend(draws.pick(names.first));
                }),
                Piece::Last => self.drawn(|draws, text| {
                    text.extend(draws.pick(names.last));
                }),
            }
        }
    }

    fn choice(&mut self, words: &[String]) {
        let count = u64::try_from(words.len()).unwrap_or(1);
        let place = usize::try_from(self.draws.below(count)).unwrap_or(0);
        self.text.extend(words.get(place).map(String::as_str));
    }

    /// A letter for a letter and a digit for a digit; of other characters in a row, the first stays.
    fn shape(&mut self, original: &str) {
        let mut symbol = false;
        for character in original.chars() {
            let (first, count) = match character {
                '0'..='9' => (b'0', 10),
                'A'..='Z' => (b'A', 26),
                _ if character.is_alphanumeric() => (b'a', 26),
                _ => {
                    if !symbol {
                        self.text.push(character);
                    }
                    symbol = true;
                    continue;
                }
            };
            symbol = false;
            self.drawn(|draws, text| {
                let step = u8::try_from(draws.below(count)).unwrap_or(0);
                text.push(char::from(first + step));
            });
        }
        if self.drawn.is_empty() {
            self.drawn(|draws, text| digits(draws, 1, text));
        }
    }

    /// Words up to about the original's length, none of which lets four of its characters survive.
    fn words(&mut self, original: &str, limit: usize, guard: &Guard) {
        let mut room = original.chars().count().min(limit);
        while room > 0 {
            match self.word(guard, room) {
                Some(count) => room -= count,
                None => break,
            }
        }
        if self.text.is_empty() {
            self.text.push('x');
        }
    }

    /// Writes the next word with the blank before it, no longer than there is room for, and gives its length in characters.
    fn word(&mut self, guard: &Guard, room: usize) -> Option<usize> {
        // All that is written here is ASCII.
        let begin = self.text.len();
        let before = begin.saturating_sub(3);
        let count = (0..2 * WORD_ATTEMPTS).find_map(|attempt| {
            self.text.truncate(begin);
            if begin > 0 {
                self.text.push(' ');
            }
            match attempt < WORD_ATTEMPTS {
                true => self
                    .text
                    .push_str(self.draws.pick(WORDS).unwrap_or_default()),
                false => letters(&mut self.draws, 6, self.text),
            }
            self.text.truncate(begin + room);
            let tail = self.text.get(before..).unwrap_or_default();
            let full = !self.text.ends_with(' ');
            (full && !guard.meets(tail)).then(|| self.text.len() - begin)
        });
        self.text.truncate(begin + count.unwrap_or(0));
        count
    }

    fn shorten(&mut self, limit: usize) {
        if let Some((end, _)) = self.text.char_indices().nth(limit) {
            self.text.truncate(end);
        }
        let kept = self.text.trim_end().len();
        self.text.truncate(kept);
    }
}

fn limit(form: &Form) -> usize {
    match form {
        Form::Text(limit) => *limit,
        _ => usize::MAX,
    }
}

fn letters(draws: &mut Draws, length: usize, text: &mut String) {
    let mut bits = 0;
    for place in 0..length {
        // Twelve letters to a draw of 64 bits.
        if place % 12 == 0 {
            bits = draws.next();
        }
        let letter = ALPHABET.get(usize::try_from(bits % 32).unwrap_or(0));
        text.extend(letter.map(|byte| char::from(*byte)));
        bits /= 32;
    }
}

fn digits(draws: &mut Draws, count: usize, text: &mut String) {
    for _ in 0..count {
        let digit = u8::try_from(draws.below(10)).unwrap_or(0);
        text.push(char::from(b'0' + digit));
    }
}

/// Three digits of which the last two differ: those where they are equal are for services (`800`, `900`, `911`).
fn area_code(draws: &mut Draws, text: &mut String) {
    let (first, second) = (2 + draws.below(8), draws.below(9));
    let third = (second + 1 + draws.below(9)) % 10;
    text.push_str(&format!("{first}{second}{third}"));
}

fn street(draws: &mut Draws, text: &mut String) {
    let number = 1 + draws.below(250);
    let name = draws.pick(names(Language::En).last).unwrap_or_default();
    let suffix = draws.pick(STREET_SUFFIXES).unwrap_or_default();
    text.push_str(&format!("{number} {name} {suffix}"));
}

fn city(draws: &mut Draws, text: &mut String) {
    text.extend(draws.pick(names(Language::En).last));
    text.extend(draws.pick(CITY_SUFFIXES));
}

fn postcode(draws: &mut Draws, text: &mut String) {
    text.push_str(&format!("{:05}", draws.below(500)));
}

/// ISO/IEC 7812-1, annex B.
fn check_digit(payload: &str) -> char {
    let sum: u32 = payload
        .chars()
        .rev()
        .filter_map(|character| character.to_digit(10))
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => digit * 2 / 10 + digit * 2 % 10,
            _ => digit,
        })
        .sum();
    char::from_digit((10 - sum % 10) % 10, 10).unwrap_or('0')
}
