//! Changes to an opened file, and writing it sealed.

use std::io::Write;

use age::armor::{ArmoredWriter, Format as Armor};

use super::cipher::{DataKey, Kind};
use super::metadata::Reader;
use super::tree::{Entry, Leaf, Node, Path, Plain, Written, visit};
use super::{Format, Numbers, Opened, ParseError, dotenv, json, names};
use crate::identity::Recipient;
use crate::value::Secret;

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Other readers would lose the file.
    #[error("the file can also be opened by {0}, and rewriting it would take that away")]
    OtherReaders(String),
    /// The name cannot be a setting's.
    #[error("`{0}` cannot be the name of a setting")]
    Name(String),
    /// The name stands for a table or list.
    #[error("`{0}` is no single value")]
    NotSingle(String),
    /// There is nobody to seal it for.
    #[error("there is nobody to seal it for")]
    Nobody,
    /// The text that was edited is malformed.
    #[error(transparent)]
    Text(#[from] ParseError),
}

impl Opened {
    /// Sets a value. One that is the same already keeps its ciphertext. Where the dotenv form has a value in the clear, the two
    /// characters `\n` in it become a line's end, because nothing else is read back.
    ///
    /// # Errors
    /// Where the file cannot hold such a name, or the name stands for several values.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ChangeError> {
        let forbidden = ['=', '\n', '\0'];
        let own = name.starts_with("sops_") || name == "sops";
        if name.is_empty() || own || name.starts_with('#') || name.contains(forbidden) {
            return Err(ChangeError::Name(name.to_owned()));
        }
        let value = match self.format {
            Format::Dotenv if !self.encrypts(name) => Secret::new(value.replace("\\n", "\n")),
            _ => Secret::new(value),
        };
        let value = value.expose();
        let leaf = Leaf::plain(Plain::text(value));
        let mut entries = self.contents.entries.iter_mut();
        match entries.find(|entry| entry.name.as_deref() == Some(name)) {
            None => self.contents.entries.push(Entry {
                name: Some(name.to_owned()),
                node: Node::Leaf(leaf),
            }),
            Some(entry) => match &mut entry.node {
                Node::Leaf(Leaf {
                    plain: Some(plain), ..
                }) if plain.value() == value => {}
                Node::Leaf(own) => *own = leaf,
                _ => return Err(ChangeError::NotSingle(name.to_owned())),
            },
        }
        Ok(())
    }

    /// Gives a name at the top what it stands for in another file; it is encrypted anew.
    pub(super) fn take(&mut self, name: &str, node: &Node) {
        let mut entry = Entry {
            name: Some(name.to_owned()),
            node: node.clone(),
        };
        forget(std::slice::from_mut(&mut entry));
        let entries = &mut self.contents.entries;
        match entries.iter_mut().find(|own| own.name == entry.name) {
            Some(own) => *own = entry,
            None => entries.push(entry),
        }
    }

    /// Takes a name out; says whether it was there.
    pub fn unset(&mut self, name: &str) -> bool {
        let before = self.contents.entries.len();
        let entries = &mut self.contents.entries;
        entries.retain(|entry| entry.name.as_deref() != Some(name));
        entries.len() != before
    }

    /// The whole file in the clear, as SOPS decrypts it: what people edit.
    #[must_use]
    pub fn plain_text(&self) -> Secret {
        let entries = revealed(&self.contents.entries);
        Secret::new(match self.format {
            Format::Json => json::print(&entries, None),
            Format::Dotenv => dotenv::print(rows(&entries), None),
        })
    }

    /// Takes in the file in the clear after it was edited. A value that is the same keeps its ciphertext.
    ///
    /// # Errors
    /// Where the text is malformed; nothing is changed then.
    pub fn replace(&mut self, text: &str) -> Result<(), ChangeError> {
        let read = match self.format {
            Format::Json => match json::read(text)? {
                Node::Map(entries) => entries,
                _ => return Err(ParseError::Json { line: 1, column: 1 }.into()),
            },
            Format::Dotenv => dotenv::read(text)?,
        };
        let own = |name: &str| name.starts_with("sops_") || name == "sops";
        let mut seen = std::collections::HashSet::new();
        for name in names(&read) {
            if own(name) {
                return Err(ChangeError::Name(name.to_owned()));
            }
            if !seen.insert(name) {
                return Err(ParseError::Twice(name.to_owned()).into());
            }
        }
        let mut read = closed(read);
        keep(self.format, &mut read, &self.contents.entries);
        self.contents.entries = read;
        Ok(())
    }

    /// Lets these public keys, and no others, open the file from now on. Who is taken out gets nothing that is written later:
    /// then there is a new data key, and every value is encrypted anew.
    ///
    /// # Errors
    /// Where other means than age can open the file, or there is nobody to seal it for.
    pub fn readers(&mut self, recipients: &[Recipient]) -> Result<(), ChangeError> {
        let stays = |reader: &Reader| recipients.iter().any(|own| own.text() == reader.recipient);
        let readers = &self.contents.metadata.readers;
        if readers.iter().all(stays) {
            let new = recipients
                .iter()
                .filter(|own| !readers.iter().any(|reader| reader.recipient == own.text()));
            let new: Vec<Reader> = new.map(|own| wrap(&self.key, own)).collect();
            self.rewritable()?;
            self.contents.metadata.readers.extend(new);
            if self.contents.metadata.readers.is_empty() {
                return Err(ChangeError::Nobody);
            }
            return Ok(());
        }
        self.rotate(recipients)
    }

    /// A new data key for these public keys; every value is encrypted anew.
    ///
    /// # Errors
    /// Where other means than age can open the file, or there is nobody to seal it for.
    pub fn rotate(&mut self, recipients: &[Recipient]) -> Result<(), ChangeError> {
        self.rewritable()?;
        if recipients.is_empty() {
            return Err(ChangeError::Nobody);
        }
        self.key = DataKey::generate();
        self.contents.metadata.readers =
            recipients.iter().map(|own| wrap(&self.key, own)).collect();
        forget(&mut self.contents.entries);
        Ok(())
    }

    fn rewritable(&self) -> Result<(), ChangeError> {
        let others = &self.contents.metadata.others;
        if others.is_empty() {
            return Ok(());
        }
        Err(ChangeError::OtherReaders(others.join(", ")))
    }

    /// The sealed file. `now` is a time of RFC 3339 in UTC with seconds.
    ///
    /// # Errors
    /// Where nobody could open it, or rewriting would take it from others.
    pub fn seal(&mut self, now: &str) -> Result<Vec<u8>, ChangeError> {
        self.rewritable()?;
        if self.contents.metadata.readers.is_empty() {
            return Err(ChangeError::Nobody);
        }
        let cipher = self.key.cipher();
        let mac = self.mac(Numbers::Digits);
        let metadata = &mut self.contents.metadata;
        now.clone_into(&mut metadata.last_modified);
        metadata.mac = cipher.seal(&mac, now, Kind::Text);
        let selection = metadata.selection.clone();
        let write = |path: &Path, _: bool, leaf: &mut Leaf| -> Result<(), ()> {
            if let (None, Some(plain)) = (&leaf.written, &leaf.plain) {
                let encrypted = !plain.text.is_empty() && selection.encrypts(path.names());
                leaf.written = Some(match encrypted {
                    true => Written::text(&cipher.seal(&plain.text, &path.place(), plain.kind)),
                    false => in_the_clear(plain),
                });
            }
            Ok(())
        };
        let _: Result<(), ()> = visit(&mut self.contents.entries, &mut Path::root(), &mut {
            write
        });
        let (entries, metadata) = (&self.contents.entries, Some(&self.contents.metadata));
        let text = match self.format {
            Format::Json => json::print(entries, metadata),
            Format::Dotenv => dotenv::print(rows(entries), metadata),
        };
        Ok(text.into_bytes())
    }
}

fn wrap(key: &DataKey, recipient: &Recipient) -> Reader {
    let sealed = || -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let encryptor = age::Encryptor::with_recipients(std::iter::once(recipient.key()))?;
        let armored = ArmoredWriter::wrap_output(Vec::new(), Armor::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armored)?;
        writer.write_all(key.bytes())?;
        Ok(writer.finish()?.finish()?)
    };
    #[expect(
        clippy::expect_used,
        reason = "writing to memory, for a key that was read"
    )]
    let bytes = sealed().expect("sealing 32 bytes in memory cannot fail");
    Reader {
        recipient: recipient.text().to_owned(),
        enc: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

fn in_the_clear(plain: &Plain) -> Written {
    let number = || match plain.kind {
        Kind::Integer | Kind::Float => serde_json::from_str(&plain.text).ok(),
        _ => None,
    };
    match plain.kind {
        Kind::Flag => Written::Flag(plain.text.as_str() == "True"),
        _ => number().map_or_else(|| Written::Text(plain.text.clone()), Written::Number),
    }
}

/// Leaves of all values what they stand for alone, so that they are encrypted anew.
fn forget(entries: &mut [Entry]) {
    let forget = |_: &Path, _: bool, leaf: &mut Leaf| -> Result<(), ()> {
        if leaf.plain.is_some() {
            leaf.written = None;
        }
        Ok(())
    };
    let _: Result<(), ()> = visit(entries, &mut Path::root(), &mut { forget });
}

/// The tree with every value in the clear.
fn revealed(entries: &[Entry]) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    let reveal = |_: &Path, _: bool, leaf: &mut Leaf| -> Result<(), ()> {
        if let Some(plain) = &leaf.plain {
            leaf.written = Some(in_the_clear(plain));
        }
        Ok(())
    };
    let _: Result<(), ()> = visit(&mut entries, &mut Path::root(), &mut { reveal });
    entries
}

/// The tree with every value known and none written.
fn closed(mut entries: Vec<Entry>) -> Vec<Entry> {
    let hide = |_: &Path, is_comment: bool, leaf: &mut Leaf| -> Result<(), ()> {
        leaf.plain = leaf.written.as_ref().and_then(Written::as_plain);
        if let (true, Some(plain)) = (is_comment, &mut leaf.plain) {
            plain.kind = Kind::Comment;
        }
        if leaf.plain.is_some() {
            leaf.written = None;
        }
        Ok(())
    };
    let _: Result<(), ()> = visit(&mut entries, &mut Path::root(), &mut { hide });
    entries
}

/// Gives values that did not change the ciphertext that they had.
fn keep(format: Format, new: &mut [Entry], old: &[Entry]) {
    let by_name: std::collections::HashMap<&str, &Node> = old
        .iter()
        .filter_map(|entry| Some((entry.name.as_deref()?, &entry.node)))
        .collect();
    let mut comments = old.iter().filter(|entry| entry.name.is_none());
    for entry in new {
        let before = match &entry.name {
            Some(name) => by_name.get(name.as_str()).copied(),
            None => comments.next().map(|entry| &entry.node),
        };
        if let Some(before) = before {
            keep_node(format, &mut entry.node, before);
        }
    }
}

fn keep_node(format: Format, new: &mut Node, old: &Node) {
    match (new, old) {
        (Node::Leaf(new), Node::Leaf(old)) => {
            let same = match (&new.plain, &old.plain) {
                (Some(new), Some(old)) => same_value(format, new, old),
                _ => false,
            };
            if same {
                *new = old.clone();
            }
        }
        (Node::Map(new), Node::Map(old)) => keep(format, new, old),
        (Node::List(new), Node::List(old)) => {
            for (new, old) in new.iter_mut().zip(old) {
                keep_node(format, new, old);
            }
        }
        _ => {}
    }
}

/// Whole numbers may be typed either way; a text is never a number. In the dotenv form a text with the two characters `\n` in it
/// looks like one with a line's end: what was not touched stays what it was.
fn same_value(format: Format, new: &Plain, old: &Plain) -> bool {
    let number = |kind| matches!(kind, Kind::Integer | Kind::Float);
    let text = |kind| matches!(kind, Kind::Text | Kind::Bytes | Kind::Time);
    let looks_alike = || format == Format::Dotenv && *new.text == old.text.replace("\\n", "\n");
    (new.text == old.text || looks_alike())
        && (new.kind == old.kind
            || (number(new.kind) && number(old.kind))
            || (text(new.kind) && text(old.kind)))
}

fn rows(entries: &[Entry]) -> impl Iterator<Item = (Option<String>, String)> {
    entries.iter().filter_map(|entry| match &entry.node {
        Node::Leaf(Leaf {
            written: Some(Written::Text(text)),
            ..
        }) => Some((entry.name.clone(), text.as_str().to_owned())),
        _ => None,
    })
}
