//! In which form a masker writes into a column, and whether it can at all.

use crate::rule::{DateChange, Masker, NumberChange, PhoneRange, Piece};
use crate::schema::Kind;

/// Letters and digits of `hash`: 5 bits each (RFC 4648's base 32, in lower case).
pub(super) const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What stands after an address's local part: `.invalid` is nobody's, for ever (RFC 2606).
pub(super) const ADDRESS_END: &str = "@example.invalid";

/// How many letters and digits an address's local part has where there is room.
const LOCAL: usize = 16;

/// The fewest that it may have.
const LOCAL_LEAST: usize = 8;

/// So many bits are not met twice: among 14 million values with a probability of 10⁻¹⁰.
const SAFE_BITS: usize = 80;

/// The form that is written. Two columns whose rules and forms are equal write equal results for equal originals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it was read.
    Same,
    /// Text of at most so many characters.
    Text(usize),
    /// A JSON text.
    Json,
    /// An exact number: its largest whole value once the point is moved, and how many digits stand after the point.
    Number {
        /// The largest.
        largest: i128,
        /// Digits after the point; as many as the original has where it is `None`.
        scale: Option<u16>,
    },
    /// Digits only.
    Digits,
    /// A floating-point number.
    Real,
    /// A UUID in the usual form.
    Uuid,
    /// Hexadecimal digits of bytes.
    Bytes,
    /// A date, with a time or without.
    Time,
    /// Seconds or milliseconds since 1970.
    Clock,
}

/// How a masker keeps different originals apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distinct {
    /// By itself.
    Always,
    /// By remembering what was written.
    Remembered,
    /// It cannot.
    Never,
}

/// Why a masker cannot write into a column.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It writes no such type; these maskers do.
    Kind(&'static str),
    /// The column is too short for it.
    Short(usize),
    /// A word of a choice is none of the type's.
    Word(String),
}

impl Form {
    pub(super) fn of(masker: &Masker, kind: &Kind) -> Result<Self, Unfit> {
        match (masker, kind) {
            (Masker::Keep | Masker::Null, _) => Ok(Self::Same),
            (Masker::Choice(words), _) => choice(words, kind),
            (_, Kind::Text { limit, .. }) => text(masker, *limit),
            (_, Kind::Integer(_) | Kind::Decimal { .. }) => number(masker, kind),
            (Masker::Number(change), Kind::Real) if *change != NumberChange::Card => Ok(Self::Real),
            (Masker::Uuid | Masker::Hash { .. }, Kind::Uuid) => Ok(Self::Uuid),
            (Masker::Hash { .. }, Kind::Bytes) => Ok(Self::Bytes),
            (Masker::Date(_), Kind::Date | Kind::Timestamp) => Ok(Self::Time),
            (Masker::Text { .. } | Masker::Hash { .. }, Kind::Json) => Ok(Self::Json),
            _ => Err(Unfit::Kind(for_kind(kind))),
        }
    }

    /// How different originals are kept apart in this form.
    pub(super) fn distinct(&self, masker: &Masker) -> Distinct {
        match (masker, self) {
            (Masker::Keep | Masker::Null | Masker::Uuid, _) | (_, Self::Uuid) => Distinct::Always,
            (Masker::Choice(_) | Masker::Date(_), _) | (_, Self::Real) => Distinct::Never,
            (Masker::Number(NumberChange::Noise(_)), _) => Distinct::Never,
            (Masker::Text { .. }, Self::Json) => Distinct::Never,
            (Masker::Hash { .. }, Self::Bytes) => Distinct::Remembered,
            (Masker::Hash { .. }, Self::Number { scale, .. }) if scale.is_some() => {
                Distinct::Always
            }
            (
                Masker::Number(NumberChange::Digits | NumberChange::Range(..)),
                Self::Number { scale, .. },
            ) if scale.is_some() => Distinct::Always,
            (_, Self::Number { .. }) => Distinct::Never,
            (Masker::Hash { length }, _)
                if usize::from(*length) * 5 >= SAFE_BITS && self.holds(16) =>
            {
                Distinct::Always
            }
            (Masker::Email, Self::Text(limit)) if *limit >= LOCAL + ADDRESS_END.len() => {
                Distinct::Always
            }
            (Masker::Template(template), _) if template.pieces.iter().all(is_literal) => {
                Distinct::Never
            }
            _ => Distinct::Remembered,
        }
    }

    fn holds(&self, characters: usize) -> bool {
        match self {
            Self::Text(limit) => *limit >= characters,
            _ => true,
        }
    }
}

fn is_literal(piece: &Piece) -> bool {
    matches!(piece, Piece::Literal(_))
}

/// Forms in text: the limit is no larger than what the masker can use, so that two long columns have one form.
fn text(masker: &Masker, limit: Option<u32>) -> Result<Form, Unfit> {
    let room = limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    let (least, most) = match masker {
        Masker::Hash { length } => (usize::from(*length).min(4), usize::from(*length)),
        Masker::Email => (LOCAL_LEAST + ADDRESS_END.len(), LOCAL + ADDRESS_END.len()),
        Masker::Name { .. } | Masker::Address(_) => (8, 100),
        Masker::Phone(range) => (phone_length(*range), phone_length(*range)),
        Masker::Text { longest } => (1, usize::try_from(*longest).unwrap_or(usize::MAX)),
        Masker::Number(NumberChange::Card) => (16, 16),
        Masker::Number(_) => (1, usize::MAX),
        Masker::Uuid => (36, 36),
        Masker::Template(template) => {
            let longest = template.pieces.iter().map(longest).sum();
            (longest, longest)
        }
        Masker::Date(_) => return Ok(Form::Time),
        _ => (0, usize::MAX),
    };
    if room < least {
        return Err(Unfit::Short(least));
    }
    Ok(Form::Text(room.min(most)))
}

fn longest(piece: &Piece) -> usize {
    match piece {
        Piece::Literal(text) => text.chars().count(),
        Piece::Number(digits) => usize::from(digits.unwrap_or(15)),
        Piece::Hash(length) => usize::from(*length),
        Piece::First | Piece::Last => 16,
    }
}

/// With the plus.
fn phone_length(range: PhoneRange) -> usize {
    match range {
        PhoneRange::Us | PhoneRange::Fr | PhoneRange::Se => 12,
        PhoneRange::Uk | PhoneRange::De => 13,
        PhoneRange::Any => 16,
    }
}

fn number(masker: &Masker, kind: &Kind) -> Result<Form, Unfit> {
    let largest = kind.largest();
    let scale = match kind {
        Kind::Decimal { scale, .. } => *scale,
        _ => Some(0),
    };
    let whole = scale.is_none_or(|scale| scale == 0);
    let digits = |count: u32| match whole && largest >= 10_i128.pow(count) - 1 {
        true => Ok(Form::Digits),
        false => Err(Unfit::Kind(for_kind(kind))),
    };
    match masker {
        Masker::Hash { .. } => Ok(Form::Number { largest, scale }),
        Masker::Number(NumberChange::Card) => digits(16),
        Masker::Phone(range) => digits(u32::try_from(phone_length(*range)).unwrap_or(36) - 1),
        Masker::Number(NumberChange::Range(low, high)) => {
            let unit = 10_i128.pow(u32::from(scale.unwrap_or(0).min(18)));
            let fits = |end: i64| i128::from(end).abs().saturating_mul(unit) <= largest;
            match fits(*low) && fits(*high) {
                true => Ok(Form::Number { largest, scale }),
                false => Err(Unfit::Kind("a range that fits the column's type")),
            }
        }
        Masker::Number(_) => Ok(Form::Number { largest, scale }),
        Masker::Date(DateChange::Shift { .. } | DateChange::Cut(_))
            if matches!(kind, Kind::Integer(32..)) =>
        {
            Ok(Form::Clock)
        }
        _ => Err(Unfit::Kind(for_kind(kind))),
    }
}

fn choice(words: &[String], kind: &Kind) -> Result<Form, Unfit> {
    let fits = |word: &str| match kind {
        Kind::Boolean => matches!(word, "true" | "false" | "t" | "f" | "0" | "1"),
        Kind::Integer(_) => word
            .parse::<i128>()
            .is_ok_and(|number| number.abs() <= kind.largest()),
        Kind::Decimal { .. } | Kind::Real => word.parse::<f64>().is_ok_and(f64::is_finite),
        Kind::Date | Kind::Timestamp => super::date::reads(word),
        Kind::Json => serde_json::from_str::<serde_json::Value>(word).is_ok(),
        Kind::Text { limit, .. } => {
            limit.is_none_or(|limit| u32::try_from(word.chars().count()).is_ok_and(|n| n <= limit))
        }
        Kind::Bytes | Kind::Vector | Kind::Uuid => false,
        Kind::Enumeration | Kind::Other => true,
    };
    match words.iter().find(|word| !fits(word)) {
        Some(word) => Err(Unfit::Word(word.clone())),
        None => Ok(Form::Text(usize::MAX)),
    }
}

/// Which maskers write a type.
fn for_kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Boolean | Kind::Enumeration | Kind::Other => "`keep`, `null` or `choice`",
        Kind::Integer(_) | Kind::Decimal { .. } => {
            "`keep`, `null`, `number`, `hash`, `choice`, and `phone`, `number:card` or `date` where the type is large enough"
        }
        Kind::Real => "`keep`, `null`, `number` or `choice`",
        Kind::Text { .. } => "any masker",
        Kind::Bytes => "`keep`, `null` or `hash`",
        Kind::Uuid => "`keep`, `null`, `uuid` or `hash`",
        Kind::Date | Kind::Timestamp => "`keep`, `null`, `date` or `choice`",
        Kind::Json => "`keep`, `null`, `text`, `hash` or `choice`",
        Kind::Vector => "`keep` or `null`",
    }
}
