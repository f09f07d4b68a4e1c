//! Printing rules in their short form, each in one way.

use std::fmt;

use super::{
    AddressPart, Along, DateChange, DatePart, Language, Link, Masker, NamePart, NumberChange,
    PhoneRange, Piece, Rows, Rule, Template,
};

/// The words of a list of variants, in both directions.
macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word for it in a rule.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            pub(super) fn read(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

words!(NamePart {
    Full = "full",
    First = "first",
    Last = "last",
});
words!(Language {
    Ar = "ar",
    De = "de",
    En = "en",
    Fr = "fr",
    It = "it",
    Ja = "ja",
    Nl = "nl",
    Pt = "pt",
    Tr = "tr",
    Zh = "zh",
});
words!(PhoneRange {
    Us = "us",
    Uk = "uk",
    De = "de",
    Fr = "fr",
    Se = "se",
    Any = "any",
});
words!(AddressPart {
    Full = "full",
    Street = "street",
    City = "city",
    Postcode = "postcode",
});
words!(DatePart {
    Year = "year",
    Month = "month",
    Day = "day",
});

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.masker.word())?;
        if let Some(group) = &self.group {
            write!(f, "@{group}")?;
        }
        match parameters(&self.masker) {
            text if text.is_empty() => Ok(()),
            text => write!(f, ":{text}"),
        }
    }
}

fn parameters(masker: &Masker) -> String {
    match masker {
        Masker::Keep | Masker::Null | Masker::Email | Masker::Uuid => String::new(),
        Masker::Hash { length: 26 } | Masker::Text { longest: 1000 } => String::new(),
        Masker::Hash { length } => length.to_string(),
        Masker::Text { longest } => longest.to_string(),
        Masker::Name { part, language } => name(*part, *language),
        Masker::Phone(PhoneRange::Us) | Masker::Address(AddressPart::Full) => String::new(),
        Masker::Phone(range) => range.word().to_owned(),
        Masker::Address(part) => part.word().to_owned(),
        Masker::Number(change) => number(*change),
        Masker::Date(change) => date(change),
        Masker::Choice(words) => choice(words),
        Masker::Template(template) => template.to_string(),
    }
}

fn name(part: NamePart, language: Language) -> String {
    match (part, language) {
        (NamePart::Full, Language::En) => String::new(),
        (NamePart::Full, language) => language.word().to_owned(),
        (part, Language::En) => part.word().to_owned(),
        (part, language) => format!("{} {}", part.word(), language.word()),
    }
}

fn number(change: NumberChange) -> String {
    match change {
        NumberChange::Digits => String::new(),
        NumberChange::Range(low, high) => format!("{low}..{high}"),
        NumberChange::Noise(share) if share % 10 == 0 => format!("noise {}%", share / 10),
        NumberChange::Noise(share) => format!("noise {}.{}%", share / 10, share % 10),
        NumberChange::Card => "card".to_owned(),
    }
}

fn date(change: &DateChange) -> String {
    match change {
        DateChange::Shift {
            days: 90,
            subject: None,
        } => String::new(),
        DateChange::Shift {
            days,
            subject: None,
        } => format!("shift {days}"),
        DateChange::Shift {
            days,
            subject: Some(column),
        } => format!("shift {days} by {column}"),
        DateChange::Cut(part) => part.word().to_owned(),
    }
}

fn choice(words: &[String]) -> String {
    let escaped = words
        .iter()
        .map(|word| word.replace('\\', "\\\\").replace('|', "\\|"));
    escaped.collect::<Vec<_>>().join("|")
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Literal(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Piece::Number(None) => f.write_str("{n}"),
            Piece::Number(Some(digits)) => write!(f, "{{n:{digits}}}"),
            Piece::Hash(16) => f.write_str("{hash}"),
            Piece::Hash(length) => write!(f, "{{hash:{length}}}"),
            Piece::First => f.write_str("{first}"),
            Piece::Last => f.write_str("{last}"),
        })
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Needed => f.write_str("needed"),
            Self::None => f.write_str("none"),
            Self::All => f.write_str("all"),
            Self::Fraction(fraction) => write!(f, "{}", fraction.as_number()),
            Self::Count(count) => write!(f, "{count} rows"),
        }
    }
}

impl fmt::Display for Along {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parent)?;
        if !self.columns.is_empty() {
            write!(f, " by {}", self.columns.join("+"))?;
        }
        match self.cap {
            Some(cap) => write!(f, " cap {cap}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.columns.join("+"), self.parent)?;
        if !self.referenced.is_empty() {
            write!(f, " by {}", self.referenced.join("+"))?;
        }
        match &self.when {
            Some(when) => write!(f, " when {} is {}", when.column, when.value),
            None => Ok(()),
        }
    }
}
