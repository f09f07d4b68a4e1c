//! What stands inside a value: text, escapes, and references to other settings.

use std::borrow::Cow;

use ringfence_diagnostic::{Diagnostic, Place, SourceId, Span};

use super::Quote;

/// One piece of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Text that stands for itself, escapes resolved.
    Text(Cow<'t, str>),
    /// `${NAME}` and its forms.
    Reference(Reference<'t>),
}

/// `${NAME}`, `${NAME:-default}` or `${NAME:?message}`.
#[derive(Debug, Clone, Eq)]
pub struct Reference<'t> {
    /// The setting it names.
    pub name: &'t str,
    /// From its `$` to its `}`.
    pub span: Span,
    /// What to do where the setting is absent or empty.
    pub otherwise: Otherwise<'t>,
}

/// Two references are equal that say the same, wherever they stand.
impl PartialEq for Reference<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.name, &self.otherwise) == (other.name, &other.otherwise)
    }
}

/// What a reference says for the case that its setting is absent or empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Otherwise<'t> {
    /// Nothing: absent is an error, empty stays empty.
    Nothing,
    /// `:-`: take this instead.
    Default(Vec<Piece<'t>>),
    /// `:?`: it is an error, and this is its message.
    Message(Cow<'t, str>),
}

/// How deep references may stand inside the defaults of references.
pub const MAX_DEPTH: usize = 8;

/// How many problems of one value are told.
const MAX_PROBLEMS: usize = 8;

/// A malformed reference.
#[derive(Debug, Clone, Copy)]
pub(super) struct Problem {
    span: Span,
    kind: ProblemKind,
}

#[derive(Debug, Clone, Copy)]
enum ProblemKind {
    Unclosed,
    Operator,
    Brace,
    TooDeep,
}

/// The pieces of `span`, a value written with `quote` somewhere in `text`.
pub(super) fn pieces(text: &str, span: Span, quote: Quote) -> Vec<Piece<'_>> {
    let value = span.of(text);
    let special = match quote {
        Quote::None => memchr::memchr(b'$', value.as_bytes()),
        Quote::Single => memchr::memchr(b'\r', value.as_bytes()),
        Quote::Double => memchr::memchr3(b'$', b'\\', b'\r', value.as_bytes()),
    };
    if special.is_none() {
        let only = (!value.is_empty()).then_some(Piece::Text(Cow::Borrowed(value)));
        return only.into_iter().collect();
    }
    Scanner::new(text, span, quote).pieces(0)
}

/// Only what is wrong; cheap for a value without `$`.
pub(super) fn problems(text: &str, span: Span, quote: Quote) -> Vec<Problem> {
    if memchr::memchr(b'$', span.of(text).as_bytes()).is_none() {
        return Vec::new();
    }
    let mut scanner = Scanner {
        collects: false,
        ..Scanner::new(text, span, quote)
    };
    scanner.pieces(0);
    scanner.problems
}

/// The pieces of a value that stands in another kind of file, where `${…}` means the same and backslashes nothing.
#[must_use]
pub fn unquoted(value: &str) -> Vec<Piece<'_>> {
    pieces(value, Span::new(0, value.len()), Quote::None)
}

/// The problems of such a value.
#[must_use]
pub fn unquoted_diagnostics(value: &str, place: Place, name: &str) -> Vec<Diagnostic> {
    let problems = problems(value, Span::new(0, value.len()), Quote::None).into_iter();
    problems
        .map(|problem| {
            Problem {
                span: place.span,
                ..problem
            }
            .diagnostic(place.source, name)
        })
        .collect()
}

/// The `$NAME` without braces in a text: kept as they are, which may not be what was meant.
pub fn bare_names(value: &str) -> impl Iterator<Item = &str> {
    memchr::memchr_iter(b'$', value.as_bytes()).filter_map(|offset| {
        let rest = value.get(offset + 1..)?;
        let length = rest
            .bytes()
            .take_while(|byte| is_name_byte(*byte) && *byte != b'.')
            .count();
        let name = rest.get(..length)?;
        name.bytes().next().is_some_and(begins_name).then_some(name)
    })
}

/// Whether a name can begin with this byte.
#[must_use]
pub const fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

/// Whether a name can have this byte in it.
#[must_use]
pub const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

/// Whether the whole text is a name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.bytes().next().is_some_and(begins_name) && text.bytes().all(is_name_byte)
}

struct Scanner<'t> {
    text: &'t str,
    end: usize,
    offset: usize,
    quote: Quote,
    problems: Vec<Problem>,
    /// Whether pieces are wanted, or only what is wrong with them.
    collects: bool,
}

impl<'t> Scanner<'t> {
    const fn new(text: &'t str, span: Span, quote: Quote) -> Self {
        Self {
            text,
            end: span.end,
            offset: span.start,
            quote,
            problems: Vec::new(),
            collects: true,
        }
    }

    /// Pieces up to the end, or inside a default (`depth` > 0) up to its `}`.
    fn pieces(&mut self, depth: usize) -> Vec<Piece<'t>> {
        let mut pieces = Vec::new();
        let mut literal = Literal::at(self.offset);
        while let Some(byte) = self.peek(0) {
            match byte {
                b'}' if depth > 0 => break,
                b'{' if depth > 0 => self.brace(),
                b'\\' if self.quote == Quote::Double => self.escape(&mut literal),
                b'\r' if self.quote != Quote::None && self.peek(1) == Some(b'\n') => {
                    self.replace(&mut literal, "\n");
                }
                b'$' if self.quote != Quote::Single && self.begins_reference() => {
                    let start = self.offset;
                    if let Some(reference) = self.reference(depth)
                        && self.collects
                    {
                        literal.flush(self.text, start, &mut pieces);
                        pieces.push(Piece::Reference(reference));
                        literal = Literal::at(self.offset);
                    }
                }
                _ => self.offset += 1,
            }
        }
        if self.collects {
            literal.flush(self.text, self.offset, &mut pieces);
        }
        pieces
    }

    /// Puts `with` in the place of the two bytes at the offset.
    fn replace(&mut self, literal: &mut Literal, with: &str) {
        if self.collects {
            literal.replace(self.text, self.offset, with, 2);
        }
        self.offset += 2;
    }

    fn escape(&mut self, literal: &mut Literal) {
        let character = match self.peek(1) {
            Some(b'n') => "\n",
            Some(b'r') => "\r",
            Some(b't') => "\t",
            Some(b'"') => "\"",
            Some(b'\\') => "\\",
            Some(b'$') => "$",
            _ => {
                self.offset += 1;
                return;
            }
        };
        self.replace(literal, character);
    }

    fn begins_reference(&self) -> bool {
        self.peek(1) == Some(b'{') && self.peek(2).is_some_and(begins_name)
    }

    /// A reference at the offset; where it is malformed, none, and the offset moves past its beginning.
    fn reference(&mut self, depth: usize) -> Option<Reference<'t>> {
        let start = self.offset;
        let name = self.reference_name();
        let otherwise = match (self.peek(0), self.peek(1)) {
            (Some(b'}'), _) => Otherwise::Nothing,
            (Some(b':'), Some(b'-')) if depth >= MAX_DEPTH => {
                return self.problem(start, ProblemKind::TooDeep);
            }
            (Some(b':'), Some(b'-')) => {
                self.offset += 2;
                Otherwise::Default(self.pieces(depth + 1))
            }
            (Some(b':'), Some(b'?')) => {
                self.offset += 2;
                Otherwise::Message(self.message())
            }
            (None, _) => return self.problem(start, ProblemKind::Unclosed),
            _ => return self.problem(start, ProblemKind::Operator),
        };
        if self.peek(0) != Some(b'}') {
            return self.problem(start, ProblemKind::Unclosed);
        }
        self.offset += 1;
        Some(Reference {
            name,
            span: Span::new(start, self.offset),
            otherwise,
        })
    }

    fn reference_name(&mut self) -> &'t str {
        let start = self.offset + 2;
        let bytes = self
            .text
            .as_bytes()
            .get(start..self.end)
            .unwrap_or_default();
        self.offset = start + bytes.iter().take_while(|byte| is_name_byte(**byte)).count();
        Span::new(start, self.offset).of(self.text)
    }

    fn message(&mut self) -> Cow<'t, str> {
        let start = self.offset;
        let bytes = self
            .text
            .as_bytes()
            .get(start..self.end)
            .unwrap_or_default();
        self.offset = memchr::memchr(b'}', bytes).map_or(self.end, |length| start + length);
        Cow::Borrowed(Span::new(start, self.offset).of(self.text))
    }

    fn brace(&mut self) {
        let start = self.offset;
        self.offset += 1;
        self.problem(start, ProblemKind::Brace);
    }

    /// Remembers a problem. A value with many is not read to its end: what is wrong with it has been said.
    fn problem(&mut self, start: usize, kind: ProblemKind) -> Option<Reference<'t>> {
        if self.problems.len() >= MAX_PROBLEMS {
            self.offset = self.end;
            return None;
        }
        self.problems.push(Problem {
            span: Span::new(start, self.offset),
            kind,
        });
        None
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        let offset = self.offset + ahead;
        if offset < self.end {
            self.text.as_bytes().get(offset).copied()
        } else {
            None
        }
    }
}

/// Literal text being collected: borrowed from the file until an escape forces a copy.
struct Literal {
    start: usize,
    copied: Option<String>,
}

impl Literal {
    const fn at(start: usize) -> Self {
        Self {
            start,
            copied: None,
        }
    }

    /// Puts `with` in the place of the `length` bytes at `offset`.
    fn replace(&mut self, text: &str, offset: usize, with: &str, length: usize) {
        let copied = self.copied.get_or_insert_default();
        copied.push_str(Span::new(self.start, offset).of(text));
        copied.push_str(with);
        self.start = offset + length;
    }

    fn flush<'t>(self, text: &'t str, end: usize, pieces: &mut Vec<Piece<'t>>) {
        let rest = Span::new(self.start, end).of(text);
        let whole = match self.copied {
            Some(copied) => Cow::Owned(copied + rest),
            None => Cow::Borrowed(rest),
        };
        if !whole.is_empty() {
            pieces.push(Piece::Text(whole));
        }
    }
}

impl Problem {
    /// The diagnostic for it, in the value of `name`.
    pub(super) fn diagnostic(self, source: SourceId, name: &str) -> Diagnostic {
        let (message, label) = match self.kind {
            ProblemKind::Unclosed => ("a reference that does not end", "no `}` closes it"),
            ProblemKind::Operator => (
                "a reference with an unknown operator",
                "only `:-` and `:?` may follow the name",
            ),
            ProblemKind::Brace => ("a brace inside a default", "this brace"),
            ProblemKind::TooDeep => ("references nested too deeply", "one level too many"),
        };
        Diagnostic::error("bad-reference", format!("the value of `{name}` has {message}"))
            .at(Place::new(source, self.span), label)
            .because("loaders read it in different ways, and some hand the text itself to the program")
            .help("write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`; put single quotes around a literal `${`")
    }
}
