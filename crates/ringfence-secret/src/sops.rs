//! SOPS files in their dotenv and JSON forms, with age recipients: read, opened, changed and sealed again.
//!
//! [`File::parse`] reads a file without any key; [`File::open`] opens it with one, and checks the MAC before any value can be
//! seen; [`Opened::seal`] writes it. A value that did not change keeps its ciphertext, to the byte.
//!
//! The format as SOPS 3.11 to 3.13 reads and writes it (<https://github.com/getsops/sops>). Files with key groups or with
//! values chosen by comments are refused, and a file that other means than age can open is read but never rewritten.

mod change;
mod cipher;
mod dotenv;
mod json;
mod merge;
mod metadata;
mod tree;

use std::io::Read;

use age::armor::ArmoredReader;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use crate::identity::Identity;
pub use change::ChangeError;
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

    /// SHA-256 of each sealed copy of the data key, white space left out: where two files have one in common, their data key is the
    /// same, which needs no key to be seen.
    #[must_use]
    pub fn stanza_digests(&self) -> Vec<[u8; 32]> {
        let digest = |copy: &str| {
            let mut hash = Sha256::new();
            copy.split_whitespace().for_each(|line| hash.update(line));
            hash.finalize().into()
        };
        self.key_copies().map(digest).collect()
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
    pub fn open(&self, identities: &[Identity]) -> Result<Opened, OpenError> {
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
            contents: self.contents.clone(),
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

    /// A name for the data key: SHA-256 over it, behind words that no other digest begins with. It may be shown and kept: the key is 32
    /// random bytes, which nobody finds by trying, and files are encrypted with the key itself, never with anything made of this.
    #[must_use]
    pub fn data_key_digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"ringfence data key digest 1\0");
        hash.update(self.key.bytes());
        hash.finalize().into()
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

#[cfg(test)]
mod tests;
