//! `$NAME`, `${NAME}`, `${NAME:-default}` and their kin, as Compose reads them in its files.
//!
//! ```text
//! reference = "$" , name | "${" , name , [ operator , text ] , "}"
//! operator  = ":-" | "-" | ":?" | "?" | ":+" | "+"        with ":" an empty value counts as none
//! ```
//! `$$` stands for a dollar sign. The default may hold references again, up to [`MAX_DEPTH`] deep.

use std::borrow::Cow;

/// How deep references may stand inside defaults.
pub const MAX_DEPTH: usize = 8;
/// How many bytes a reference may span: what opens and never closes costs no more than this to look at.
const LONGEST: usize = 4096;

/// A reference of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'a> {
    /// The name that is looked up.
    pub name: &'a str,
    /// What stands there where the name has no value.
    pub otherwise: Otherwise<'a>,
}

/// What a reference is where its name has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise<'a> {
    /// Empty.
    Nothing,
    /// This text: `:-` or `-`.
    Default(&'a str),
    /// A refusal: `:?` or `?`.
    Error,
    /// Empty, and this text where it has a value: `:+` or `+`.
    Alternative(&'a str),
}

enum Piece<'a> {
    Text(&'a str),
    Reference(Reference<'a>),
}

/// The references of a text, outermost ones only.
#[must_use]
pub fn references(text: &str) -> Vec<Reference<'_>> {
    let only = |piece| match piece {
        Piece::Reference(reference) => Some(reference),
        Piece::Text(_) => None,
    };
    pieces(text).into_iter().filter_map(only).collect()
}

/// The one reference that is the whole text: `${NAME:-default}` and nothing around it.
#[must_use]
pub fn sole_reference(text: &str) -> Option<Reference<'_>> {
    match pieces(text).as_slice() {
        [Piece::Reference(reference)] => Some(reference.clone()),
        _ => None,
    }
}

/// The text with its references replaced; `None` where one of them refuses.
#[must_use]
pub fn interpolate<'a>(
    text: &'a str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Option<Cow<'a, str>> {
    if !text.contains('$') {
        return Some(Cow::Borrowed(text));
    }
    replaced(text, lookup, MAX_DEPTH).map(Cow::Owned)
}

fn replaced(text: &str, lookup: &dyn Fn(&str) -> Option<String>, depth: usize) -> Option<String> {
    let mut result = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => result.push_str(text),
            Piece::Reference(reference) => {
                result.push_str(&value_of(&reference, lookup, depth)?);
            }
        }
    }
    Some(result)
}

fn value_of(
    reference: &Reference<'_>,
    lookup: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Option<String> {
    let inner = |text: &str| match depth.checked_sub(1) {
        Some(depth) => replaced(text, lookup, depth),
        None => Some(text.to_owned()),
    };
    let found = lookup(reference.name);
    match (found, reference.otherwise) {
        (Some(_), Otherwise::Alternative(text)) => inner(text),
        (Some(value), _) => Some(value),
        (None, Otherwise::Default(text)) => inner(text),
        (None, Otherwise::Error) => None,
        (None, Otherwise::Nothing | Otherwise::Alternative(_)) => Some(String::new()),
    }
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        let (piece, length) = if from.starts_with("$$") {
            (Piece::Text(from.get(..1).unwrap_or("")), 2)
        } else if let Some((reference, length)) = reference(from) {
            (Piece::Reference(reference), length)
        } else {
            (Piece::Text(from.get(..1).unwrap_or("")), 1)
        };
        pieces.push(piece);
        rest = from.get(length..).unwrap_or("");
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// The reference that the text begins with, and its length.
fn reference(text: &str) -> Option<(Reference<'_>, usize)> {
    let Some(inner) = text.strip_prefix("${") else {
        let name = name(text.get(1..)?)?;
        let reference = Reference {
            name,
            otherwise: Otherwise::Nothing,
        };
        return Some((reference, 1 + name.len()));
    };
    let name = name(inner)?;
    let rest = inner.get(name.len()..)?;
    let close = closing(rest)?;
    let tail = rest.get(..close)?;
    let otherwise = match tail.trim_start_matches(':') {
        _ if tail.is_empty() => Otherwise::Nothing,
        after if after.starts_with('-') => Otherwise::Default(after.get(1..)?),
        after if after.starts_with('?') => Otherwise::Error,
        after if after.starts_with('+') => Otherwise::Alternative(after.get(1..)?),
        _ => return None,
    };
    Some((Reference { name, otherwise }, 2 + name.len() + close + 1))
}

/// Where the brace stands that closes the reference whose inside begins here.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    let mut previous = b' ';
    for (at, byte) in text.bytes().enumerate().take(LONGEST) {
        match byte {
            b'{' if previous == b'$' => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            b'\n' => return None,
            _ => {}
        }
        previous = byte;
    }
    None
}

fn name(text: &str) -> Option<&str> {
    let end = text
        .find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .unwrap_or(text.len());
    let name = text.get(..end)?;
    let first = name.bytes().next()?;
    (!first.is_ascii_digit()).then_some(name)
}
