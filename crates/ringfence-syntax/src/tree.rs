//! Nested configuration (YAML, JSON, TOML) as one kind of tree, with the span of every key and value.
//!
//! A [`Node`] is what the text says, not what it means: scalars keep their text, and whether `yes` is a truth value is
//! decided above. YAML's anchors are followed and its merge keys (`<<`) are merged, the nearer key winning, so that a
//! value that came from an anchor has the span where it was written. Readers are bounded: more than [`MAX_NODES`]
//! values, anchors' copies included, or more than [`MAX_DEPTH`] levels are refused with a diagnostic.
//!
//! ```
//! use ringfence_diagnostic::Sources;
//! use ringfence_syntax::tree::yaml;
//!
//! let text = "server:\n  port: 8080\n";
//! let source = Sources::new().add("config/dev.yml", text);
//! let parsed = yaml::parse(source, text);
//! let leaf = parsed.documents[0].leaves().pop().expect("there is one");
//! assert_eq!((leaf.path.as_str(), leaf.text), ("server.port", "8080"));
//! assert_eq!(leaf.span.of(text), "8080");
//! ```

pub mod json;
pub mod toml;
pub mod yaml;

use ringfence_diagnostic::{Diagnostic, Place, SourceId, Span};

/// How many values one file may hold.
pub const MAX_NODES: usize = 200_000;
/// How many levels may be inside each other.
pub const MAX_DEPTH: usize = 100;

/// A file as it was read.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Its documents: one, but for YAML with `---`.
    pub documents: Vec<Node>,
    /// Why it, or the rest of it, could not be read, and what is there twice.
    pub diagnostics: Vec<Diagnostic>,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The value as written; of a list or map, at least its first byte.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, `null`, `~`.
    Null,
    /// A text, number or truth value, in its own spelling; whether it was quoted.
    Scalar(String, Quoted),
    /// Values in order.
    List(Vec<Node>),
    /// Keys and values in order.
    Map(Vec<Entry>),
}

/// Whether a scalar stood in quotes, which makes `"yes"` a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoted {
    /// As it is.
    No,
    /// In quotes, or as a block of text.
    Yes,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// A scalar with the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf<'a> {
    /// The keys from the top, joined with `.`; items of a list by `[]`, because their order says nothing.
    pub path: String,
    /// The last key; of a list's item, the list's.
    pub key_span: Span,
    /// The scalar's text; `""` for nothing.
    pub text: &'a str,
    /// The scalar as written.
    pub span: Span,
    /// Whether it is an item of a list.
    pub is_item: bool,
}

impl Node {
    /// The text of a scalar.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// The entries of a map; none of anything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The entry of a map; of a key that is there twice, the last.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().rev().find(|entry| entry.key == key)
    }

    /// The value of a map's key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The scalar of a map's key.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// All scalars below, in the order of the file.
    #[must_use]
    pub fn leaves(&self) -> Vec<Leaf<'_>> {
        let mut leaves = Vec::new();
        self.collect(&Way::default(), &mut leaves);
        leaves
    }

    fn collect<'a>(&'a self, way: &Way, leaves: &mut Vec<Leaf<'a>>) {
        let leaf = |text| Leaf {
            path: way.path.clone(),
            key_span: way.key_span.unwrap_or(self.span),
            text,
            span: self.span,
            is_item: way.is_item,
        };
        match &self.kind {
            Kind::Null => leaves.push(leaf("")),
            Kind::Scalar(text, _) => leaves.push(leaf(text)),
            Kind::List(items) => {
                let way = way.item();
                items.iter().for_each(|item| item.collect(&way, leaves));
            }
            Kind::Map(entries) => {
                for entry in entries {
                    entry.value.collect(&way.key(entry), leaves);
                }
            }
        }
    }
}

/// The way to a node.
#[derive(Default)]
struct Way {
    path: String,
    key_span: Option<Span>,
    is_item: bool,
}

impl Way {
    fn item(&self) -> Self {
        Self {
            path: format!("{}[]", self.path),
            key_span: self.key_span,
            is_item: true,
        }
    }

    fn key(&self, entry: &Entry) -> Self {
        let separator = if self.path.is_empty() { "" } else { "." };
        Self {
            path: format!("{}{separator}{}", self.path, entry.key),
            key_span: Some(entry.key_span),
            is_item: false,
        }
    }
}

/// The parts of a tree that an excerpt may show: its keys, never a value.
///
/// A key is shown only where its sign stands after it. YAML also takes `hunter2` in `token: {hunter2}` for a key, and what
/// is between the brackets of `{hunter2: a}: b`.
#[must_use]
pub fn shown(documents: &[Node], text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut open: Vec<&Node> = documents.iter().collect();
    while let Some(node) = open.pop() {
        open.extend(node.items());
        for entry in node.entries() {
            let is_scalar = !entry.key.is_empty();
            spans.extend(with_sign(entry.key_span, text).filter(|_| is_scalar));
            open.push(&entry.value);
        }
    }
    spans.sort_unstable();
    spans.dedup_by(|next, previous| next.start < previous.end);
    spans
}

/// Whether what makes a key of a text stands after it: `:`, `=`, or the `.` and `]` of a TOML table's name.
#[must_use]
pub fn has_sign(key: Span, text: &str) -> bool {
    with_sign(key, text).is_some()
}

/// A key together with the sign after it, and the white space around that, on the same line.
fn with_sign(key: Span, text: &str) -> Option<Span> {
    let rest = text.get(key.end..)?;
    let after = rest.trim_start_matches([' ', '\t']);
    if let Some(value) = after.strip_prefix([':', '=']) {
        let end = key.end + rest.len() - value.len();
        let space = usize::from(value.starts_with(' '));
        return Some(Span::new(key.start, end + space));
    }
    let is_part = after.starts_with('.') || after.starts_with(']') && is_in_header(key, text);
    is_part.then_some(key)
}

/// Whether nothing but a TOML table's brackets and the names before this one stands before it on its line.
fn is_in_header(key: Span, text: &str) -> bool {
    let before = text.get(..key.start).unwrap_or("");
    let line = before.rsplit('\n').next().unwrap_or("").trim_start();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"[._-\"' \t".contains(&byte);
    line.starts_with('[') && line.bytes().all(is_part)
}

/// A file that could not be read to its end.
pub(crate) fn unreadable(source: SourceId, span: Span, why: &str) -> Diagnostic {
    Diagnostic::warning("unreadable-file", "the file cannot be read to its end")
        .at(Place::new(source, span), why)
        .because("what stands after this place is not looked at")
        .help("mend the place")
}

#[cfg(test)]
mod tests;
