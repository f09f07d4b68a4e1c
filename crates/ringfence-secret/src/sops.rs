//! SOPS files in their dotenv and JSON forms, with age recipients: read, opened, changed and sealed again.
//!
//! [`File::parse`] reads a file without any key; [`File::open`] opens it with one, and checks the MAC before any value can be
//! seen; [`Opened::seal`] writes it. A value that did not change keeps its ciphertext, to the byte.
//!
//! The format as SOPS 3.11 to 3.13 reads and writes it (<https://github.com/getsops/sops>). Files with key groups or with
//! values chosen by comments are refused, and a file that other means than age can open is read but never rewritten.

mod cipher;
mod dotenv;
mod json;
mod merge;
mod metadata;
mod tree;

use std::io::{Read, Write};

use age::armor::{ArmoredReader, ArmoredWriter, Format as Armor};
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use crate::identity::{Identity, Recipient};
use crate::value::Secret;
use cipher::{DataKey, Kind};
pub use merge::MergeError;
use metadata::{Metadata, Reader};
use tree::{Entry, Leaf, Node, Path, Plain, Written, visit};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines of `NAME=value`.
    Dotenv,
    /// One object.
    Json,
}

/// Larger files are refused before they are read.
pub const LARGEST: usize = 16 * 1024 * 1024;

/// Why a text is no sealed file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It has nothing of SOPS in it.
    #[error("it is not sealed: nothing in it is of SOPS")]
    NotSealed,
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    NotText,
    /// Over [`LARGEST`].
    #[error("it is larger than 16 MiB")]
    TooLarge,
    /// A line without `=`.
    #[error("line {0} has no `=`")]
    Line(usize),
    /// Not JSON, or a name twice.
    #[error("line {line}, column {column}: no JSON, or a name that is there twice")]
    Json {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A name twice.
    #[error("`{0}` is there twice")]
    Twice(String),
    /// Something of SOPS' own is missing or malformed.
    #[error("what SOPS says of the file is damaged: `{0}`")]
    Metadata(&'static str),
    /// Comments that choose what is encrypted.
    #[error("comments choose what is encrypted here, which is not supported")]
    CommentRegex,
}

/// Why a file is not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is sealed for others.
    #[error("none of the keys at hand opens it")]
    NoKey,
    /// Several keys are needed at once.
    #[error("it needs several keys at once (key groups), which is not supported")]
    KeyGroups,
    /// A reader's copy of the data key is damaged.
    #[error("the data key that it holds for `{0}` is damaged")]
    DataKey(String),
    /// A value that should be encrypted and is not.
    #[error("the value of `{0}` stands in it unencrypted")]
    NotEncrypted(String),
    /// A value that was changed, moved or renamed.
    #[error("the value of `{0}` was changed, moved or renamed after it was sealed")]
    Value(String),
    /// The MAC does not fit.
    #[error("its values are not those that were sealed (the MAC differs)")]
    Mac,
}

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

/// What stands in a file.
#[derive(Clone)]
struct Contents {
    entries: Vec<Entry>,
    metadata: Metadata,
}

/// A sealed file, closed.
#[derive(Clone)]
pub struct File {
    format: Format,
    contents: Contents,
}

/// A sealed file, open: its values are known, and it can be changed.
#[derive(Clone)]
pub struct Opened {
    format: Format,
    contents: Contents,
    key: DataKey,
}

/// The form of a text that is sealed by SOPS; nothing for any other.
#[must_use]
pub fn format(text: &[u8]) -> Option<Format> {
    let text = std::str::from_utf8(text).ok()?;
    if text.trim_start().starts_with('{') {
        let sealed = text.contains("\"sops\"") && text.contains("\"mac\"");
        return sealed.then_some(Format::Json);
    }
    let mut lines = text.lines();
    lines
        .any(|line| line.starts_with("sops_mac=") || line.starts_with("sops_version="))
        .then_some(Format::Dotenv)
}

impl File {
    /// Reads a file; needs no key.
    ///
    /// # Errors
    /// Where it is damaged, or not sealed at all.
    pub fn parse(bytes: &[u8], format: Format) -> Result<Self, ParseError> {
        if bytes.len() > LARGEST {
            return Err(ParseError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ParseError::NotText)?;
        let contents = match format {
            Format::Dotenv => dotenv::parse(text)?,
            Format::Json => json::parse(text)?,
        };
        let mut names = std::collections::HashSet::new();
        for name in contents
            .entries
            .iter()
            .filter_map(|entry| entry.name.as_ref())
        {
            if !names.insert(name) {
                return Err(ParseError::Twice(name.clone()));
            }
        }
        Ok(Self { format, contents })
    }

    /// The names at the top, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        names(&self.contents.entries)
    }

    /// The public keys that it is sealed for.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        let readers = self.contents.metadata.readers.iter();
        readers.map(|reader| reader.recipient.as_str())
    }

    /// Other means than age by which it can be opened.
    #[must_use]
    pub fn other_readers(&self) -> &[String] {
        &self.contents.metadata.others
    }

    /// The sealed copies of the data key, one for each recipient: two files that share one were copied.
    pub fn key_copies(&self) -> impl Iterator<Item = &str> {
        let readers = self.contents.metadata.readers.iter();
        readers.map(|reader| reader.enc.as_str())
    }

    /// Names whose value should be encrypted and stands in the clear. Empty values are always in the clear.
    #[must_use]
    pub fn unencrypted(&self) -> Vec<String> {
        let mut found = Vec::new();
        let selection = &self.contents.metadata.selection;
        let mut entries = self.contents.entries.clone();
        let look = |path: &Path, is_comment: bool, leaf: &mut Leaf| -> Result<(), ()> {
            let clear = match &leaf.written {
                Some(Written::Text(text)) => !text.is_empty() && !cipher::is_encrypted(text),
                Some(Written::Null) | None => false,
                Some(_) => true,
            };
            if clear && !is_comment && selection.encrypts(path.names()) {
                found.push(path.names().join("."));
            }
            Ok(())
        };
        let _: Result<(), ()> = visit(&mut entries, &mut Path::root(), &mut { look });
        found
    }

    /// Opens it with the first of the keys that fits. No value can be seen before the MAC was found right.
    ///
    /// # Errors
    /// Where no key fits, or anything was changed since it was sealed.
    pub fn open(self, identities: &[Identity]) -> Result<Opened, OpenError> {
        let metadata = &self.contents.metadata;
        let groups = ["key_groups", "shamir_threshold"];
        if metadata
            .others
            .iter()
            .any(|other| groups.contains(&other.as_str()))
        {
            return Err(OpenError::KeyGroups);
        }
        let key = data_key(&metadata.readers, identities)?;
        let mut opened = Opened {
            format: self.format,
            contents: self.contents,
            key,
        };
        opened.decrypt()?;
        Ok(opened)
    }
}

fn names(entries: &[Entry]) -> impl Iterator<Item = &str> {
    entries.iter().filter_map(|entry| entry.name.as_deref())
}

/// Finds the data key: those whose public key is one of ours first, because each try costs a multiplication on a curve.
fn data_key(readers: &[Reader], identities: &[Identity]) -> Result<DataKey, OpenError> {
    for identity in identities {
        let own = |reader: &&Reader| reader.recipient == identity.recipient().text();
        if let Some(reader) = readers.iter().find(own) {
            return unwrap(reader, identity)
                .ok_or_else(|| OpenError::DataKey(reader.recipient.clone()));
        }
    }
    // An ssh key may be written with a comment, so what is named otherwise is tried, too.
    let pairs = readers
        .iter()
        .flat_map(|reader| identities.iter().map(move |identity| (reader, identity)));
    let mut opened = pairs.filter_map(|(reader, identity)| unwrap(reader, identity));
    opened.next().ok_or(OpenError::NoKey)
}

fn unwrap(reader: &Reader, identity: &Identity) -> Option<DataKey> {
    let armored = ArmoredReader::new(reader.enc.as_bytes());
    let decryptor = age::Decryptor::new_buffered(armored).ok()?;
    let opened = decryptor.decrypt(std::iter::once(identity.key())).ok()?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(64));
    opened.take(64).read_to_end(&mut bytes).ok()?;
    Some(DataKey::new(bytes.as_slice().try_into().ok()?))
}

impl Opened {
    /// A new file that nobody can read yet.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            contents: Contents {
                entries: Vec::new(),
                metadata: Metadata::new(),
            },
            key: DataKey::generate(),
        }
    }

    fn decrypt(&mut self) -> Result<(), OpenError> {
        let cipher = self.key.cipher();
        let metadata = self.contents.metadata.clone();
        let open = |path: &Path, is_comment: bool, leaf: &mut Leaf| {
            let Some(written) = &leaf.written else {
                return Ok(());
            };
            leaf.plain = match written {
                Written::Text(text) if text.is_empty() && !is_comment => Some(Plain::text("")),
                Written::Text(text) if is_comment => Some(match cipher.open(text, &path.place()) {
                    Some((text, _)) => Plain::comment(&text),
                    // A comment that was never sealed stays what it is; no comment is covered by the MAC.
                    None => Plain::comment(text),
                }),
                _ if !metadata.selection.encrypts(path.names()) => written.as_plain(),
                Written::Text(text) if cipher::is_encrypted(text) => {
                    let (text, kind) = cipher
                        .open(text, &path.place())
                        .ok_or_else(|| OpenError::Value(path.names().join(".")))?;
                    Some(Plain { text, kind })
                }
                Written::Null => None,
                _ => return Err(OpenError::NotEncrypted(path.names().join("."))),
            };
            Ok(())
        };
        visit(&mut self.contents.entries, &mut Path::root(), &mut { open })?;
        let (written, _) = cipher
            .open(&metadata.mac, &metadata.last_modified)
            .ok_or(OpenError::Mac)?;
        let fits = [Numbers::Digits, Numbers::Floats]
            .into_iter()
            .any(|numbers| self.mac(numbers) == *written);
        fits.then_some(()).ok_or(OpenError::Mac)
    }

    /// Upper-case hexadecimal SHA-512 over the plaintexts in their order.
    fn mac(&mut self, numbers: Numbers) -> String {
        let metadata = &self.contents.metadata;
        let mut hash = Sha512::new();
        if metadata.mac_only_encrypted {
            hash.update(ONLY_ENCRYPTED);
        }
        let feed = |path: &Path, is_comment: bool, leaf: &mut Leaf| -> Result<(), ()> {
            let counts = !metadata.mac_only_encrypted || metadata.selection.encrypts(path.names());
            if let (false, true, Some(plain)) = (is_comment, counts, &leaf.plain) {
                hash.update(numbers.of(plain).as_bytes());
            }
            Ok(())
        };
        let _: Result<(), ()> = visit(&mut self.contents.entries, &mut Path::root(), &mut { feed });
        let digest = hash.finalize();
        digest.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    /// The names at the top, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        names(&self.contents.entries)
    }

    /// The public keys that it is sealed for.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        let readers = self.contents.metadata.readers.iter();
        readers.map(|reader| reader.recipient.as_str())
    }

    /// The value of a name at the top; nothing where it is no single value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        single(self.node(name)?)
    }

    fn node(&self, name: &str) -> Option<&Node> {
        let mut entries = self.contents.entries.iter();
        let entry = entries.find(|entry| entry.name.as_deref() == Some(name))?;
        Some(&entry.node)
    }

    /// Whether the value of a name at the top is encrypted in the file.
    #[must_use]
    pub fn encrypts(&self, name: &str) -> bool {
        self.contents
            .metadata
            .selection
            .encrypts(&[name.to_owned()])
    }

    /// The values at the top, in their order; the name of what is no single value instead of it.
    pub fn values(&self) -> impl Iterator<Item = Result<(&str, &str), &str>> {
        let named = self.contents.entries.iter();
        let named = named.filter_map(|entry| Some((entry.name.as_deref()?, &entry.node)));
        named.map(|(name, node)| match single(node) {
            Some(value) => Ok((name, value)),
            None => Err(name),
        })
    }

    /// Sets a value. One that is the same already keeps its ciphertext.
    ///
    /// # Errors
    /// Where the file cannot hold such a name, or the name stands for several values.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ChangeError> {
        let forbidden = ['=', '\n', '\0'];
        let own = name.starts_with("sops_") || name == "sops";
        if name.is_empty() || own || name.starts_with('#') || name.contains(forbidden) {
            return Err(ChangeError::Name(name.to_owned()));
        }
        let mut entries = self.contents.entries.iter_mut();
        let leaf = Leaf::plain(Plain::text(value));
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
        let forget = |_: &Path, _: bool, leaf: &mut Leaf| -> Result<(), ()> {
            if leaf.plain.is_some() {
                leaf.written = None;
            }
            Ok(())
        };
        let _: Result<(), ()> = visit(&mut self.contents.entries, &mut Path::root(), &mut {
            forget
        });
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

/// What the hash is fed first where it covers encrypted values only, so that the two kinds of MAC never agree.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b,
    0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// Up to 3.13.1 SOPS read whole numbers of JSON as floats, which shows in the MAC beyond 2^53.
#[derive(Clone, Copy)]
enum Numbers {
    Digits,
    Floats,
}

impl Numbers {
    fn of(self, plain: &Plain) -> Zeroizing<String> {
        match (self, plain.kind, plain.text.parse::<f64>()) {
            (Self::Floats, Kind::Integer, Ok(float)) => Zeroizing::new(float.to_string()),
            _ => plain.text.clone(),
        }
    }
}

fn single(node: &Node) -> Option<&str> {
    match node {
        Node::Leaf(Leaf {
            plain: Some(plain), ..
        }) => Some(plain.value()),
        _ => None,
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

#[cfg(test)]
mod tests;
