//! The JSON form of SOPS: names in their order, no name twice, printed as Go prints.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::metadata::{self, Metadata};
use super::tree::{Entry, Leaf, Node, Written};
use super::{Contents, ParseError};

/// The name that belongs to SOPS itself.
const OWN: &str = "sops";

pub(super) fn parse(text: &str) -> Result<Contents, ParseError> {
    let Node::Map(mut entries) = read(text)? else {
        return Err(ParseError::NotSealed);
    };
    let is_own = |entry: &Entry| entry.name.as_deref() == Some(OWN);
    let index = entries.iter().position(is_own);
    let own = index.map(|index| entries.remove(index).node);
    let own = own.ok_or(ParseError::NotSealed)?;
    Ok(Contents {
        entries,
        metadata: metadata::of_node(&own)?,
    })
}

/// Any JSON text, as a tree.
pub(super) fn read(text: &str) -> Result<Node, ParseError> {
    serde_json::from_str(text).map_err(|error| ParseError::Json {
        line: error.line(),
        column: error.column(),
    })
}

/// A text of one object, with what is SOPS' own at its end.
pub(super) fn print(entries: &[Entry], metadata: Option<&Metadata>) -> String {
    let mut entries = entries.to_vec();
    entries.extend(metadata.map(|metadata| Entry {
        name: Some(OWN.to_owned()),
        node: metadata::node(metadata),
    }));
    let mut text = String::new();
    node(&Node::Map(entries), 0, &mut text);
    text.push('\n');
    text
}

fn node(value: &Node, depth: usize, text: &mut String) {
    match value {
        Node::Leaf(leaf) => scalar(leaf, text),
        Node::Map(entries) => {
            let rows = entries
                .iter()
                .map(|entry| (entry.name.as_deref(), &entry.node));
            block(rows, ('{', '}'), depth, text);
        }
        Node::List(nodes) => block(
            nodes.iter().map(|node| (None, node)),
            ('[', ']'),
            depth,
            text,
        ),
    }
}

fn block<'a>(
    rows: impl ExactSizeIterator<Item = (Option<&'a str>, &'a Node)>,
    (open, close): (char, char),
    depth: usize,
    text: &mut String,
) {
    text.push(open);
    let is_empty = rows.len() == 0;
    for (index, (name, value)) in rows.enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        text.push_str(&"\t".repeat(depth + 1));
        if let Some(name) = name {
            string(name, text);
            text.push_str(": ");
        }
        node(value, depth + 1, text);
    }
    if !is_empty {
        text.push('\n');
        text.push_str(&"\t".repeat(depth));
    }
    text.push(close);
}

fn scalar(leaf: &Leaf, text: &mut String) {
    match &leaf.written {
        Some(Written::Text(value)) => string(value, text),
        Some(Written::Number(value)) => text.push_str(&number(value)),
        Some(Written::Flag(value)) => text.push_str(if *value { "true" } else { "false" }),
        Some(Written::Null) | None => text.push_str("null"),
    }
}

/// Go writes floats below 1e-6 and from 1e21 on with an exponent that has a sign.
fn number(number: &Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let float = number.as_f64().unwrap_or_default();
    let size = float.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{float:e}");
        return match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => {
                format!("{digits}e+{exponent}")
            }
            _ => text,
        };
    }
    float.to_string()
}

/// Go escapes what could end a script in a page, too.
fn string(value: &str, text: &mut String) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            character => text.push(character),
        }
    }
    text.push('"');
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl Reader {
    fn leaf<E>(written: Written) -> Result<Node, E> {
        Ok(Node::Leaf(Leaf::written(written)))
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        Self::leaf(Written::text(value))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Self::leaf(Written::Flag(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Self::leaf(Written::Number(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Self::leaf(Written::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("no finite number"))?;
        Self::leaf(Written::Number(number))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Self::leaf(Written::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut rows: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some((name, node)) = rows.next_entry::<String, Node>()? {
            if !names.insert(name.clone()) {
                return Err(de::Error::custom("a name that is there twice"));
            }
            entries.push(Entry {
                name: Some(name),
                node,
            });
        }
        Ok(Node::Map(entries))
    }
}
