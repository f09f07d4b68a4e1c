//! The dotenv form of SOPS, which is no dotenv: no quotes, no `export`, no comments after a value, and `\n` is a line's end.

use super::metadata::{self, Metadata};
use super::tree::{Entry, Leaf, Node, Written};
use super::{Contents, ParseError};

/// The names that belong to SOPS itself begin so.
const OWN: &str = "sops_";

pub(super) fn parse(text: &str) -> Result<Contents, ParseError> {
    let (own, entries): (Vec<Entry>, Vec<Entry>) = read(text)?.into_iter().partition(is_own);
    if own.is_empty() {
        return Err(ParseError::NotSealed);
    }
    let own: Vec<(String, String)> = own.into_iter().filter_map(own_row).collect();
    Ok(Contents {
        entries,
        metadata: metadata::of_rows(&own)?,
    })
}

fn is_own(entry: &Entry) -> bool {
    entry
        .name
        .as_ref()
        .is_some_and(|name| name.starts_with(OWN))
}

fn own_row(entry: Entry) -> Option<(String, String)> {
    match entry.node {
        Node::Leaf(Leaf {
            written: Some(Written::Text(value)),
            ..
        }) => Some((entry.name?.strip_prefix(OWN)?.to_owned(), value.to_string())),
        _ => None,
    }
}

/// All lines; empty ones are left out, as SOPS does.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, ParseError> {
    let lines = text.split('\n').enumerate();
    let rows = lines.filter(|(_, line)| !line.is_empty());
    let rows = rows.map(|(index, line)| match line.strip_prefix('#') {
        Some(comment) => Ok(row(None, comment)),
        None => {
            let (name, value) = line.split_once('=').ok_or(ParseError::Line(index + 1))?;
            Ok(row(Some(name), &value.replace("\\n", "\n")))
        }
    });
    rows.collect()
}

fn row(name: Option<&str>, value: &str) -> Entry {
    Entry {
        name: name.map(str::to_owned),
        node: Node::Leaf(Leaf::written(Written::text(value))),
    }
}

/// The rows without what is SOPS' own; what cannot be said in this form is left out by nobody before.
pub(super) fn print(
    rows: impl Iterator<Item = (Option<String>, String)>,
    metadata: Option<&Metadata>,
) -> String {
    let mut text = String::new();
    for (name, value) in rows {
        let value = value.replace('\n', "\\n");
        match name {
            Some(name) => text.push_str(&format!("{name}={value}\n")),
            None => text.push_str(&format!("#{value}\n")),
        }
    }
    for (name, value) in metadata.into_iter().flat_map(metadata::rows) {
        text.push_str(&format!("{OWN}{name}={}\n", value.replace('\n', "\\n")));
    }
    text
}
