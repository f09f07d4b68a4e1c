//! Reading rules from their short form.

use std::str::FromStr;

use thiserror::Error;

use super::{
    AddressPart, Along, DateChange, DatePart, Document, Language, Link, Masker, NamePart,
    NumberChange, PhoneRange, Rows, Rule, Template, When,
};
use crate::choose::Fraction;

/// What is no rule, and what would be one.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RuleError {
    /// It begins with no masker's word.
    #[error("unknown masker `{word}`: expected one of {}", list(&Masker::WORDS))]
    Masker {
        /// The word.
        word: String,
    },
    /// What follows the masker's word is not for it.
    #[error("masker `{masker}` does not take `{found}`: expected {expected}")]
    Parameter {
        /// The masker.
        masker: &'static str,
        /// What follows.
        found: String,
        /// What may follow.
        expected: &'static str,
    },
    /// A group without a name, or one with characters that names have not.
    #[error("`{found}` is no group: expected letters, digits, `_`, `-` and `.` after `@`")]
    Group {
        /// What stands there.
        found: String,
    },
    /// A choice of rows that nobody knows.
    #[error(
        "`{found}` does not say which rows: expected `all`, `none`, `needed`, a fraction such as `1%` or `0.01`, or `500 rows`"
    )]
    Rows {
        /// What stands there.
        found: String,
    },
    /// Not a reference that the schema does not declare.
    #[error(
        "`{found}` is no link: expected `author_id to users`, `chunk to chunks by number` or `subject_id to posts when subject_type is Post`"
    )]
    Link {
        /// What stands there.
        found: String,
    },
    /// Not a parent that rows come along with.
    #[error(
        "`{found}` does not say with which parent rows come along: expected `users`, `users cap 5` or `users by owner_id cap 5`"
    )]
    Along {
        /// What stands there.
        found: String,
    },
    /// What says of which document a row is.
    #[error(
        "`{found}` does not say of which document a row is: expected `document_id` or `documents by document_id`"
    )]
    Document {
        /// What stands there.
        found: String,
    },
}

fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (head, parameters) = match text.split_once(':') {
            Some((head, parameters)) => (head.trim(), Some(parameters)),
            None => (text.trim(), None),
        };
        let (word, group) = match head.split_once('@') {
            Some((word, group)) => (word.trim_end(), Some(group.trim())),
            None => (head, None),
        };
        let masker = masker(word, parameters)?;
        let group = group.map(group_name).transpose()?;
        Ok(Self {
            group: group.filter(|name| name != masker.word()),
            masker,
        })
    }
}

fn group_name(name: &str) -> Result<String, RuleError> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(fits) {
        return Err(RuleError::Group {
            found: name.to_owned(),
        });
    }
    Ok(name.to_owned())
}

fn masker(word: &str, parameters: Option<&str>) -> Result<Masker, RuleError> {
    let Some(known) = Masker::WORDS.iter().find(|known| **known == word) else {
        return Err(RuleError::Masker {
            word: word.to_owned(),
        });
    };
    // Blanks at the ends mean nothing but in texts that are written out.
    let text = match word {
        "template" | "choice" => parameters.unwrap_or_default(),
        _ => parameters.unwrap_or_default().trim(),
    };
    let (masker, expected) = match word {
        "keep" => (bare(text, Masker::Keep), "nothing"),
        "null" => (bare(text, Masker::Null), "nothing"),
        "email" => (bare(text, Masker::Email), "nothing"),
        "uuid" => (bare(text, Masker::Uuid), "nothing"),
        "hash" => (hash(text), "a length from 4 to 52"),
        "name" => (
            name(text),
            "`full`, `first` or `last`, then a language of `en de fr it ja nl pt tr zh ar`",
        ),
        "phone" => (phone(text), "one of `us uk de fr se any`"),
        "address" => (address(text), "one of `full street city postcode`"),
        "text" => (longest(text), "the most characters, from 1 to 100000"),
        "number" => (
            number(text),
            "a range such as `1..100`, `noise 10%` or `card`",
        ),
        "date" => (
            date(text),
            "`shift 30`, `shift 30 by user_id`, `year`, `month` or `day`",
        ),
        "choice" => (choice(text), "words with `|` between them"),
        _ => (
            template(text),
            "a text with `{n}`, `{n:4}`, `{hash}`, `{hash:8}`, `{first}` or `{last}`, and `{{` for a brace",
        ),
    };
    masker.ok_or_else(|| RuleError::Parameter {
        masker: known,
        found: parameters.unwrap_or_default().to_owned(),
        expected,
    })
}

fn bare(text: &str, masker: Masker) -> Option<Masker> {
    text.is_empty().then_some(masker)
}

fn hash(text: &str) -> Option<Masker> {
    let length = if text.is_empty() {
        26
    } else {
        text.parse().ok()?
    };
    (4..=52)
        .contains(&length)
        .then_some(Masker::Hash { length })
}

fn name(text: &str) -> Option<Masker> {
    let mut part = None;
    let mut language = None;
    for word in text.split_whitespace() {
        let read = NamePart::read(word);
        let spoken = Language::read(word);
        if (read.is_some() && part.is_some()) || (spoken.is_some() && language.is_some()) {
            return None;
        }
        if read.is_none() && spoken.is_none() {
            return None;
        }
        part = part.or(read);
        language = language.or(spoken);
    }
    Some(Masker::Name {
        part: part.unwrap_or(NamePart::Full),
        language: language.unwrap_or(Language::En),
    })
}

fn phone(text: &str) -> Option<Masker> {
    if text.is_empty() {
        return Some(Masker::Phone(PhoneRange::Us));
    }
    PhoneRange::read(text).map(Masker::Phone)
}

fn address(text: &str) -> Option<Masker> {
    if text.is_empty() {
        return Some(Masker::Address(AddressPart::Full));
    }
    AddressPart::read(text).map(Masker::Address)
}

fn longest(text: &str) -> Option<Masker> {
    let longest = if text.is_empty() {
        1000
    } else {
        text.parse().ok()?
    };
    (1..=100_000)
        .contains(&longest)
        .then_some(Masker::Text { longest })
}

fn number(text: &str) -> Option<Masker> {
    let change = match text {
        "" => NumberChange::Digits,
        "card" => NumberChange::Card,
        _ => match text.strip_prefix("noise") {
            Some(share) => NumberChange::Noise(thousandths(share.trim())?),
            None => {
                let (low, high) = text.split_once("..")?;
                let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
                (low < high).then_some(NumberChange::Range(low, high))?
            }
        },
    };
    Some(Masker::Number(change))
}

/// `10%` or `0.5%` in thousandths; up to the whole number.
fn thousandths(share: &str) -> Option<u16> {
    let digits = share.strip_suffix('%')?.trim();
    let (whole, tenth) = digits.split_once('.').unwrap_or((digits, "0"));
    let (whole, tenth): (u16, u16) = (whole.parse().ok()?, tenth.parse().ok()?);
    let share = whole.checked_mul(10)?.checked_add(tenth)?;
    (tenth < 10 && (1..=1000).contains(&share)).then_some(share)
}

fn date(text: &str) -> Option<Masker> {
    if let Some(part) = DatePart::read(text) {
        return Some(Masker::Date(DateChange::Cut(part)));
    }
    let mut words = text.split_whitespace();
    let mut shift = DateChange::Shift {
        days: 90,
        subject: None,
    };
    let DateChange::Shift { days, subject } = &mut shift else {
        return None;
    };
    match words.next() {
        None => return Some(Masker::Date(shift)),
        Some("shift") => *days = words.next()?.trim_end_matches('d').parse().ok()?,
        Some(_) => return None,
    }
    match (words.next(), words.next(), words.next()) {
        (None, ..) => {}
        (Some("by"), Some(column), None) => *subject = Some(column.to_owned()),
        _ => return None,
    }
    (1..=3650).contains(days).then_some(Masker::Date(shift))
}

fn choice(text: &str) -> Option<Masker> {
    let mut words = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, words.last_mut()) {
            ('|', _) => words.push(String::new()),
            ('\\', Some(word)) => word.push(characters.next()?),
            (_, Some(word)) => word.push(character),
            _ => return None,
        }
    }
    let full = words.iter().all(|word| !word.is_empty());
    full.then_some(Masker::Choice(words))
}

fn template(text: &str) -> Option<Masker> {
    if text.is_empty() {
        return None;
    }
    Template::read(text).map(Masker::Template)
}

impl FromStr for Rows {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let trimmed = text.trim();
        let counted = || {
            let digits = trimmed
                .strip_suffix("rows")
                .or_else(|| trimmed.strip_suffix("row"))?;
            digits.trim().parse().ok()
        };
        match trimmed {
            "all" => return Ok(Self::All),
            "none" => return Ok(Self::None),
            "needed" => return Ok(Self::Needed),
            _ => {}
        }
        if let Some(count) = counted() {
            return Ok(Self::Count(count));
        }
        Fraction::read(trimmed)
            .map(Self::Fraction)
            .map_err(|_| RuleError::Rows {
                found: text.to_owned(),
            })
    }
}

impl FromStr for Document {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (table, column) = match text.split_once(" by ") {
            Some((table, column)) => (Some(table.trim().to_owned()), column.trim()),
            None => (None, text.trim()),
        };
        let is_name = |name: &str| !name.is_empty() && !name.contains(char::is_whitespace);
        if !is_name(column) || !table.as_deref().is_none_or(is_name) {
            return Err(RuleError::Document {
                found: text.to_owned(),
            });
        }
        Ok(Self {
            column: column.to_owned(),
            table,
        })
    }
}

impl FromStr for Along {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        along(text).ok_or_else(|| RuleError::Along {
            found: text.to_owned(),
        })
    }
}

fn along(text: &str) -> Option<Along> {
    let mut words = text.split_whitespace();
    let mut along = Along {
        parent: words.next()?.to_owned(),
        columns: Vec::new(),
        cap: None,
    };
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word {
            "by" if along.columns.is_empty() && along.cap.is_none() => {
                along.columns = value.split('+').map(str::to_owned).collect();
            }
            "cap" if along.cap.is_none() => along.cap = Some(value.parse().ok()?),
            _ => return None,
        }
    }
    Some(along)
}

impl FromStr for Link {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        link(text).ok_or_else(|| RuleError::Link {
            found: text.to_owned(),
        })
    }
}

fn link(text: &str) -> Option<Link> {
    let columns = |names: &str| -> Option<Vec<String>> {
        let names: Vec<String> = names
            .split('+')
            .map(|name| name.trim().to_owned())
            .collect();
        names.iter().all(|name| !name.is_empty()).then_some(names)
    };
    let (own, rest) = text.split_once(" to ")?;
    let (there, when) = match rest.split_once(" when ") {
        Some((there, when)) => (there, Some(when)),
        None => (rest, None),
    };
    let (parent, referenced) = match there.split_once(" by ") {
        Some((parent, referenced)) => (parent, columns(referenced)?),
        None => (there, Vec::new()),
    };
    let when = match when.map(|when| when.split_once(" is ")) {
        Some(Some((column, value))) => Some(When {
            column: column.trim().to_owned(),
            value: value.trim().to_owned(),
        }),
        Some(None) => return None,
        None => None,
    };
    let is_said = |text: &String| !text.is_empty();
    let parent = parent.trim().to_owned();
    let has_words = when
        .as_ref()
        .is_none_or(|when| is_said(&when.column) && is_said(&when.value));
    (has_words && is_said(&parent)).then_some(Link {
        columns: columns(own)?,
        parent,
        referenced,
        when,
    })
}
