//! What SOPS says of a file: who can open it, which values are encrypted, and the MAC over all of them.

use std::collections::BTreeMap;

use regex::Regex;

use super::ParseError;
use super::tree::{Entry, Leaf, Node, Written};

/// The version that this writer follows.
const VERSION: &str = "3.11.0";

/// One reader of a file: the data key, encrypted for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reader {
    /// The public key.
    pub(super) recipient: String,
    /// An armoured age file that holds the data key.
    pub(super) enc: String,
}

/// Which values are encrypted.
#[derive(Debug, Clone)]
pub(super) enum Selection {
    UnencryptedSuffix(String),
    EncryptedSuffix(String),
    UnencryptedRegex(String, Regex),
    EncryptedRegex(String, Regex),
}

/// Everything under `sops`.
#[derive(Debug, Clone)]
pub(super) struct Metadata {
    pub(super) readers: Vec<Reader>,
    pub(super) last_modified: String,
    pub(super) mac: String,
    pub(super) selection: Selection,
    pub(super) mac_only_encrypted: bool,
    pub(super) version: String,
    /// Readers by other means than age (`kms`, `pgp` …): their keys would be lost by a rewrite.
    pub(super) others: Vec<String>,
}

impl Selection {
    /// Whether the value at these names is to be encrypted.
    pub(super) fn encrypts(&self, names: &[String]) -> bool {
        match self {
            Self::UnencryptedSuffix(suffix) => !names.iter().any(|name| name.ends_with(suffix)),
            Self::EncryptedSuffix(suffix) => names.iter().any(|name| name.ends_with(suffix)),
            Self::UnencryptedRegex(_, regex) => !names.iter().any(|name| regex.is_match(name)),
            Self::EncryptedRegex(_, regex) => names.iter().any(|name| regex.is_match(name)),
        }
    }

    fn row(&self) -> (&'static str, &str) {
        match self {
            Self::UnencryptedSuffix(suffix) => ("unencrypted_suffix", suffix),
            Self::EncryptedSuffix(suffix) => ("encrypted_suffix", suffix),
            Self::UnencryptedRegex(text, _) => ("unencrypted_regex", text),
            Self::EncryptedRegex(text, _) => ("encrypted_regex", text),
        }
    }
}

impl Metadata {
    /// Of a new file.
    pub(super) fn new() -> Self {
        Self {
            readers: Vec::new(),
            last_modified: String::new(),
            mac: String::new(),
            selection: Selection::UnencryptedSuffix("_unencrypted".to_owned()),
            mac_only_encrypted: false,
            version: VERSION.to_owned(),
            others: Vec::new(),
        }
    }
}

/// The flat form: names with `__map_` and `__list_N` where a tree would branch.
pub(super) fn rows(metadata: &Metadata) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for (index, reader) in metadata.readers.iter().enumerate() {
        rows.push((format!("age__list_{index}__map_enc"), reader.enc.clone()));
        rows.push((
            format!("age__list_{index}__map_recipient"),
            reader.recipient.clone(),
        ));
    }
    rows.extend(scalars(metadata).map(|(name, value)| (name.to_owned(), value.to_owned())));
    if metadata.mac_only_encrypted {
        rows.push(("mac_only_encrypted".to_owned(), "true".to_owned()));
    }
    rows.sort();
    rows
}

fn scalars(metadata: &Metadata) -> impl Iterator<Item = (&'static str, &str)> {
    [
        ("lastmodified", metadata.last_modified.as_str()),
        ("mac", &metadata.mac),
        metadata.selection.row(),
        ("version", &metadata.version),
    ]
    .into_iter()
}

/// The tree form.
pub(super) fn node(metadata: &Metadata) -> Node {
    let readers = metadata.readers.iter().map(|reader| {
        Node::Map(vec![
            text("recipient", &reader.recipient),
            text("enc", &reader.enc),
        ])
    });
    let mut entries = vec![Entry {
        name: Some("age".to_owned()),
        node: Node::List(readers.collect()),
    }];
    entries.extend(scalars(metadata).map(|(name, value)| text(name, value)));
    if metadata.mac_only_encrypted {
        let before_version = entries.len().saturating_sub(1);
        let entry = Entry {
            name: Some("mac_only_encrypted".to_owned()),
            node: Node::Leaf(Leaf::written(Written::Flag(true))),
        };
        entries.insert(before_version, entry);
    }
    Node::Map(entries)
}

fn text(name: &str, value: &str) -> Entry {
    Entry {
        name: Some(name.to_owned()),
        node: Node::Leaf(Leaf::written(Written::text(value))),
    }
}

/// Reads the flat form; the names come without `sops_`.
pub(super) fn of_rows(rows: &[(String, String)]) -> Result<Metadata, ParseError> {
    let mut read = Read::default();
    for (name, value) in rows {
        if read.scalars.contains_key(name.as_str()) {
            return Err(ParseError::Twice(format!("sops_{name}")));
        }
        if !read.reader_row(name, value)? {
            read.scalars.insert(name, value);
        }
    }
    read.finish()
}

/// Reads the tree form.
pub(super) fn of_node(node: &Node) -> Result<Metadata, ParseError> {
    let Node::Map(entries) = node else {
        return Err(ParseError::Metadata("sops"));
    };
    let mut read = Read::default();
    for entry in entries {
        let name = entry.name.as_deref().unwrap_or_default();
        match &entry.node {
            Node::List(readers) if name == "age" => {
                for (index, reader) in readers.iter().enumerate() {
                    let of = |key| text_of(reader, key).ok_or(ParseError::Metadata("age"));
                    read.readers
                        .insert(index, (Some(of("recipient")?), Some(of("enc")?)));
                }
            }
            Node::List(nodes) if !nodes.is_empty() => read.others.push(name.to_owned()),
            Node::Map(_) => read.others.push(name.to_owned()),
            Node::List(_) => {}
            Node::Leaf(leaf) => match &leaf.written {
                Some(Written::Text(value)) => {
                    read.scalars.insert(name, value);
                }
                Some(Written::Flag(true)) => {
                    read.scalars.insert(name, "true");
                }
                Some(Written::Number(_)) => read.others.push(name.to_owned()),
                _ => {}
            },
        }
    }
    read.finish()
}

fn text_of(node: &Node, key: &str) -> Option<String> {
    let Node::Map(entries) = node else {
        return None;
    };
    let entry = entries
        .iter()
        .find(|entry| entry.name.as_deref() == Some(key))?;
    match &entry.node {
        Node::Leaf(Leaf {
            written: Some(Written::Text(value)),
            ..
        }) => Some(value.as_str().to_owned()),
        _ => None,
    }
}

/// More readers than any file has.
const MOST_READERS: usize = 1_000;

/// The lists that hold readers by other means, and what makes several of them needed at once.
const OTHERS: &[&str] = &[
    "kms",
    "gcp_kms",
    "azure_kv",
    "hc_vault",
    "pgp",
    "hckms",
    "key_groups",
    "shamir_threshold",
];

#[derive(Default)]
struct Read<'a> {
    readers: BTreeMap<usize, (Option<String>, Option<String>)>,
    scalars: BTreeMap<&'a str, &'a str>,
    others: Vec<String>,
}

impl<'a> Read<'a> {
    /// Takes a row of a list in; says whether it was one.
    fn reader_row(&mut self, name: &'a str, value: &str) -> Result<bool, ParseError> {
        let other = OTHERS.iter().find(|other| {
            name.strip_prefix(*other)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("__"))
        });
        if let Some(other) = other {
            let is_zero = *other == "shamir_threshold" && value == "0";
            if !is_zero && !self.others.iter().any(|known| known == other) {
                self.others.push((*other).to_owned());
            }
            return Ok(true);
        }
        let Some(rest) = name.strip_prefix("age__list_") else {
            return Ok(false);
        };
        let malformed = ParseError::Metadata("sops_age");
        let (index, key) = rest.split_once("__map_").ok_or(malformed)?;
        let number: usize = index.parse().unwrap_or(usize::MAX);
        if number >= MOST_READERS || number.to_string() != index {
            return Err(ParseError::Metadata("sops_age"));
        }
        let reader = self.readers.entry(number).or_default();
        let slot = match key {
            "recipient" => &mut reader.0,
            "enc" => &mut reader.1,
            _ => return Ok(false),
        };
        if slot.replace(value.to_owned()).is_some() {
            return Err(ParseError::Twice(format!("sops_{name}")));
        }
        Ok(true)
    }

    fn finish(self) -> Result<Metadata, ParseError> {
        if self.readers.len() > MOST_READERS {
            return Err(ParseError::Metadata("age"));
        }
        let readers = self.readers.into_values().map(|pair| match pair {
            (Some(recipient), Some(enc)) => Ok(Reader { recipient, enc }),
            _ => Err(ParseError::Metadata("age")),
        });
        let readers: Vec<Reader> = readers.collect::<Result<_, _>>()?;
        let needed = |name: &'static str| {
            self.scalars
                .get(name)
                .filter(|value| !value.is_empty())
                .map(|value| (*value).to_owned())
                .ok_or(ParseError::Metadata(name))
        };
        Ok(Metadata {
            readers,
            last_modified: needed("lastmodified")?,
            mac: needed("mac")?,
            selection: selection(&self.scalars)?,
            mac_only_encrypted: self.scalars.get("mac_only_encrypted") == Some(&"true"),
            version: self
                .scalars
                .get("version")
                .map_or(VERSION, |version| version)
                .to_owned(),
            others: self.others,
        })
    }
}

/// At most one way to say which values are encrypted; without any, the suffix that SOPS takes.
fn selection(scalars: &BTreeMap<&str, &str>) -> Result<Selection, ParseError> {
    const WAYS: [&str; 6] = [
        "unencrypted_suffix",
        "encrypted_suffix",
        "unencrypted_regex",
        "encrypted_regex",
        "unencrypted_comment_regex",
        "encrypted_comment_regex",
    ];
    let mut said = WAYS.iter().filter_map(|way| {
        let value = scalars.get(way).filter(|value| !value.is_empty())?;
        Some((*way, (*value).to_owned()))
    });
    let first = said.next();
    if said.next().is_some() {
        return Err(ParseError::Metadata(
            "more than one rule for what is encrypted",
        ));
    }
    let regex = |text: &str| {
        Regex::new(text).map_err(|_| ParseError::Metadata("the pattern for what is encrypted"))
    };
    match first {
        None => Ok(Selection::UnencryptedSuffix("_unencrypted".to_owned())),
        Some(("unencrypted_suffix", suffix)) => Ok(Selection::UnencryptedSuffix(suffix)),
        Some(("encrypted_suffix", suffix)) => Ok(Selection::EncryptedSuffix(suffix)),
        Some(("unencrypted_regex", text)) => {
            let regex = regex(&text)?;
            Ok(Selection::UnencryptedRegex(text, regex))
        }
        Some(("encrypted_regex", text)) => {
            let regex = regex(&text)?;
            Ok(Selection::EncryptedRegex(text, regex))
        }
        Some(_) => Err(ParseError::CommentRegex),
    }
}
