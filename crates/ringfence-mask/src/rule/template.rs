//! Texts with places that are filled in: `user{n}@example.invalid`.

/// A text with places that are filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// In the text's order.
    pub pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// This text.
    Literal(String),
    /// A number: of exactly so many digits, or of up to 15.
    Number(Option<u8>),
    /// So many letters and digits.
    Hash(u8),
    /// A given name.
    First,
    /// A family name.
    Last,
}

impl Template {
    /// Reads a template; `None` where a place is unknown or a brace stands alone.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = brace.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = brace.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else {
                let (place, after) = brace.strip_prefix('{')?.split_once('}')?;
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::read(place)?);
                rest = after;
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Some(Self { pieces })
    }
}

impl Piece {
    fn read(place: &str) -> Option<Self> {
        let (word, size) = match place.split_once(':') {
            Some((word, size)) => (word, Some(size.parse::<u8>().ok()?)),
            None => (place, None),
        };
        let sized = |largest: u8| size.is_none_or(|size| (1..=largest).contains(&size));
        match word {
            "n" if sized(15) => Some(Self::Number(size)),
            "hash" if sized(52) => Some(Self::Hash(size.unwrap_or(16))),
            "first" if size.is_none() => Some(Self::First),
            "last" if size.is_none() => Some(Self::Last),
            _ => None,
        }
    }
}
