//! TOML, by `toml_edit`.

use ringfence_diagnostic::{SourceId, Span};
use toml_edit::{Document, Item, TableLike, Value};

use super::{Entry, Kind, Node, Parsed, Quoted, unreadable};

/// Reads a file.
#[must_use]
pub fn parse(source: SourceId, text: &str) -> Parsed {
    match Document::parse(text) {
        Ok(document) => Parsed {
            documents: vec![table(document.as_table(), Span::at(0), text)],
            diagnostics: Vec::new(),
        },
        Err(error) => {
            let span = error.span().map_or(Span::at(0), Span::from);
            let why = error.message().lines().next().unwrap_or("no valid TOML");
            Parsed {
                documents: Vec::new(),
                diagnostics: vec![unreadable(source, span, why)],
            }
        }
    }
}

fn table(table: &dyn TableLike, span: Span, text: &str) -> Node {
    let entries = table.iter().map(|(key, item)| {
        let key_span = table
            .key(key)
            .and_then(toml_edit::Key::span)
            .map_or(span, Span::from);
        Entry {
            key: key.to_owned(),
            key_span,
            value: node(item, key_span, text),
        }
    });
    Node {
        span,
        kind: Kind::Map(entries.collect()),
    }
}

fn node(item: &Item, key: Span, text: &str) -> Node {
    let span = item.span().map_or(key, Span::from);
    match item {
        Item::None => Node {
            span,
            kind: Kind::Null,
        },
        Item::Value(inner) => value(inner, span, text),
        Item::Table(inner) => table(inner, span, text),
        Item::ArrayOfTables(tables) => {
            let items = tables.iter().map(|inner| table(inner, span, text));
            Node {
                span,
                kind: Kind::List(items.collect()),
            }
        }
    }
}

fn value(inner: &Value, fallback: Span, text: &str) -> Node {
    let span = inner.span().map_or(fallback, Span::from);
    let kind = match inner {
        Value::String(string) => Kind::Scalar(string.value().clone(), Quoted::Yes),
        Value::Array(items) => {
            Kind::List(items.iter().map(|item| value(item, span, text)).collect())
        }
        Value::InlineTable(inner) => return table(inner, span, text),
        _ => Kind::Scalar(span.of(text).trim().to_owned(), Quoted::No),
    };
    Node { span, kind }
}
