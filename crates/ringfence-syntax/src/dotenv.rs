//! `.env` files: one grammar, written down, and a tree that keeps every byte.
//!
//! ```text
//! file       = [ UTF-8 byte order mark ] { line }
//! line       = blank | comment | assignment , ( LF | CRLF | end of file )
//! comment    = spaces , "#" , any text
//! assignment = spaces , [ "export" , space , spaces ] , name , spaces , "=" , spaces , value , spaces , [ comment ]
//! name       = ( letter | "_" ) , { letter | digit | "_" | "." }          ASCII only
//! value      = unquoted | "'" , text without "'" , "'" | '"' , { character | escape | reference } , '"'
//! escape     = "\n" | "\r" | "\t" | "\"" | "\\" | "\$"                    any other backslash stands for itself
//! reference  = "${" , name , [ ":-" , text | ":?" , text ] , "}"
//! ```
//!
//! Spaces are U+0020 and U+0009. An unquoted value ends at the end of its line or before white space followed by `#`;
//! it knows references but no escapes. Quoted values may span lines; a CRLF inside them counts as LF. A `$` that does
//! not begin `${` and a name is an ordinary character. Everything else is a diagnostic: a line that is no assignment, a
//! name that comes twice with different values, a quote that does not end, text after a closing quote, a back quote at
//! the beginning of a value, a carriage return alone, NUL, UTF-16, invalid UTF-8. The choices, and what twenty-two
//! loaders make of the same inputs, are in the book's page on `.env` files.
//!
//! Reading takes time and memory linear in the input's length.
//!
//! ```
//! use ringfence_diagnostic::Sources;
//! use ringfence_syntax::dotenv;
//!
//! let text = "export GREETING=\"hello\"  # said to everyone\n";
//! let source = Sources::new().add(".env.dev", text);
//! let parsed = dotenv::parse(source, text.as_bytes());
//! let assignment = parsed.tree.assignments().next().expect("there is one");
//! assert_eq!(assignment.name.of(text), "GREETING");
//! assert_eq!(assignment.value.literal(text).as_deref(), Some("hello"));
//! ```

mod encoding;
mod reader;
mod repeated;
pub mod template;

use std::borrow::Cow;

use ringfence_diagnostic::{Diagnostic, SourceId, Span};

use template::Piece;

/// A file as it was read: the tree of what could be read, diagnostics for what could not.
#[derive(Debug)]
pub struct Parsed {
    /// The lines, all bytes included.
    pub tree: Tree,
    /// What is wrong, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// The lines of a file; their spans tile the input from its first byte to its last.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tree {
    lines: Vec<Line>,
}

/// One logical line: a quoted value may span several physical ones.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The whole line, its end included.
    pub span: Span,
    /// What it is.
    pub kind: LineKind,
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub enum LineKind {
    /// The byte order mark at the beginning of a file.
    Mark,
    /// Nothing but white space.
    Blank,
    /// `# …`
    Comment,
    /// `NAME=value`
    Assignment(Assignment),
    /// Text that is none of these; a diagnostic says why.
    Invalid,
}

/// `NAME=value`, with or without `export` before and a comment after.
#[derive(Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The name.
    pub name: Span,
    /// From the beginning of the line to the end of the `=`: what may be shown of it.
    pub head: Span,
    /// The value.
    pub value: Value,
    /// The comment after the value, from its `#`.
    pub comment: Option<Span>,
}

/// The right side of an assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// The value as written, quotes included.
    pub span: Span,
    /// The value without its quotes.
    pub inner: Span,
    /// How it is quoted.
    pub quote: Quote,
}

/// How a value is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quote {
    /// `value`: references are resolved, backslashes are ordinary.
    None,
    /// `'value'`: literal.
    Single,
    /// `"value"`: escapes and references are resolved.
    Double,
}

impl Tree {
    /// The lines, in order.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The assignments, in order.
    pub fn assignments(&self) -> impl Iterator<Item = &Assignment> {
        self.lines.iter().filter_map(|line| match &line.kind {
            LineKind::Assignment(assignment) => Some(assignment),
            _ => None,
        })
    }

    /// The parts that an excerpt may show: the names, never a value, a comment or a line that could not be read.
    #[must_use]
    pub fn shown(&self) -> Vec<Span> {
        self.assignments()
            .map(|assignment| assignment.head)
            .collect()
    }

    /// The text of all lines, one after the other: the input, byte for byte.
    #[must_use]
    pub fn print(&self, input: &[u8]) -> Vec<u8> {
        let parts = self
            .lines
            .iter()
            .filter_map(|line| input.get(line.span.start..line.span.end));
        parts.flatten().copied().collect()
    }
}

impl Value {
    /// The pieces of the value: literal text and references, escapes resolved.
    ///
    /// `text` is the whole file. A malformed reference, which [`parse`] has reported, comes as literal text.
    #[must_use]
    pub fn pieces(self, text: &str) -> Vec<Piece<'_>> {
        template::pieces(text, self.inner, self.quote)
    }

    /// The value, where it has no reference in it.
    #[must_use]
    pub fn literal(self, text: &str) -> Option<Cow<'_, str>> {
        let mut pieces = self.pieces(text).into_iter();
        match (pieces.next(), pieces.next()) {
            (None, _) => Some(Cow::Borrowed("")),
            (Some(Piece::Text(only)), None) => Some(only),
            _ => None,
        }
    }
}

/// Reads a file.
///
/// `source` is the id that diagnostics point into; its text must be that of `bytes`, invalid UTF-8 replaced.
#[must_use]
pub fn parse(source: SourceId, bytes: &[u8]) -> Parsed {
    match encoding::decode(source, bytes) {
        Ok((text, mark)) => reader::read(source, text, mark),
        Err(diagnostic) => {
            let line = Line {
                span: Span::new(0, bytes.len()),
                kind: LineKind::Invalid,
            };
            Parsed {
                tree: Tree { lines: vec![line] },
                diagnostics: vec![*diagnostic],
            }
        }
    }
}

#[cfg(test)]
mod tests;
