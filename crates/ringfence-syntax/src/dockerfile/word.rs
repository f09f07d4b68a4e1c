//! The words of an instruction: divided at white space, with or without regard to quotes, or a JSON array.

use ringfence_diagnostic::Span;

use super::characters::Characters;

/// A word: its characters without what joins lines, and where it stands.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
    /// Where its first `=` stands.
    pub(super) equals: Option<usize>,
}

impl Word {
    fn at(offset: usize) -> Self {
        Self {
            text: String::new(),
            span: Span::at(offset),
            equals: None,
        }
    }

    fn push(&mut self, offset: usize, character: char) {
        if character == '=' {
            self.equals.get_or_insert(offset);
        }
        self.text.push(character);
        self.span.end = offset + character.len_utf8();
    }
}

/// The words between white space.
pub(super) fn plain<'t>(characters: &Characters<'t>) -> impl Iterator<Item = Word> + use<'t> {
    let mut characters = characters.clone();
    std::iter::from_fn(move || {
        let (offset, first) = characters.find(|(_, character)| !character.is_whitespace())?;
        let mut word = Word::at(offset);
        word.push(offset, first);
        for (offset, character) in characters.by_ref() {
            if character.is_whitespace() {
                break;
            }
            word.push(offset, character);
        }
        Some(word)
    })
}

/// The words between white space that is neither quoted nor escaped; quotes and escapes are kept.
pub(super) fn quoted<'t>(characters: &Characters<'t>) -> impl Iterator<Item = Word> + use<'t> {
    let mut characters = characters.clone();
    let escape = characters.escape;
    std::iter::from_fn(move || {
        let first = characters.find(|(_, character)| !character.is_whitespace())?;
        let mut word = Word::at(first.0);
        let mut quote = None;
        let mut next = Some(first);
        while let Some((offset, character)) = next {
            if quote.is_none() && character.is_whitespace() {
                break;
            }
            word.push(offset, character);
            if character == escape && quote != Some('\'') {
                if let Some((offset, escaped)) = characters.next() {
                    word.push(offset, escaped);
                }
            } else if quote == Some(character) {
                quote = None;
            } else if quote.is_none() && matches!(character, '"' | '\'') {
                quote = Some(character);
            }
            next = characters.next();
        }
        Some(word)
    })
}

/// All that is left, without white space at the end.
pub(super) fn whole(characters: &Characters) -> Option<Word> {
    let mut word: Option<Word> = None;
    let mut blank = String::new();
    for (offset, character) in characters.clone() {
        if character.is_whitespace() {
            blank.push(character);
            continue;
        }
        let word = word.get_or_insert_with(|| Word::at(offset));
        word.text.push_str(&blank);
        blank.clear();
        word.push(offset, character);
    }
    word
}

/// The strings of a JSON array, if that is what is left; spans are inside the quotes.
pub(super) fn json(characters: &Characters) -> Option<Vec<Word>> {
    let mut characters = characters.clone();
    let mut strings = Vec::new();
    if next_sign(&mut characters)?.1 != '[' {
        return None;
    }
    let mut sign = next_sign(&mut characters)?;
    while sign.1 == '"' {
        strings.push(json_string(&mut characters, sign.0 + 1)?);
        sign = next_sign(&mut characters)?;
        if sign.1 == ',' {
            sign = next_sign(&mut characters).filter(|(_, character)| *character == '"')?;
        }
    }
    (sign.1 == ']' && next_sign(&mut characters).is_none()).then_some(strings)
}

fn next_sign(characters: &mut Characters) -> Option<(usize, char)> {
    characters.find(|(_, character)| !character.is_whitespace())
}

/// The rest of a string whose opening quote ends at `start`.
fn json_string(characters: &mut Characters, start: usize) -> Option<Word> {
    let mut word = Word::at(start);
    loop {
        match characters.next()? {
            (offset, '"') => {
                word.span.end = offset;
                return Some(word);
            }
            (offset, '\\') => {
                let (_, escaped) = characters.next()?;
                word.push(offset, json_escape(escaped, characters)?);
            }
            (offset, character) => word.push(offset, character),
        }
    }
}

fn json_escape(escaped: char, characters: &mut Characters) -> Option<char> {
    Some(match escaped {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let mut code = 0;
            for _ in 0..4 {
                code = code * 16 + characters.next()?.1.to_digit(16)?;
            }
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        '"' | '\\' | '/' => escaped,
        _ => return None,
    })
}

/// A word's text as Docker resolves it, references left as they are.
///
/// Inside double quotes an escape character counts only before a quote, a `$` or itself.
pub(super) fn decoded(text: &str, escape: char) -> String {
    let mut value = String::with_capacity(text.len());
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == escape && quote != Some('\'') {
            let escaped = characters.next();
            let counts =
                quote.is_none() || escaped.is_some_and(|c| c == escape || matches!(c, '"' | '$'));
            if !counts {
                value.push(character);
            }
            value.extend(escaped);
        } else if quote == Some(character) {
            quote = None;
        } else if quote.is_none() && matches!(character, '"' | '\'') {
            quote = Some(character);
        } else {
            value.push(character);
        }
    }
    value
}
