//! What a seal says, and its lines.

use std::collections::BTreeSet;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{SIGNATURE_BEGIN, Seal, SealError};

/// What is sealed: which file, of which environment, with which names, and after which seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    environment: String,
    revision: u64,
    file: [u8; 32],
    previous: Option<[u8; 32]>,
    names: BTreeSet<String>,
}

impl Statement {
    /// The statement that an environment's file has these bytes and holds secrets of these names, after the environment's previous
    /// seal, if there is one.
    ///
    /// # Errors
    ///
    /// [`SealError::Unsayable`] for a name; [`SealError::Environment`] where the previous seal is another environment's;
    /// [`SealError::Beginning`] after the last of all revisions.
    pub fn about(
        environment: &str,
        file: &[u8],
        names: impl IntoIterator<Item = impl Into<String>>,
        previous: Option<&Seal>,
    ) -> Result<Self, SealError> {
        let names: BTreeSet<String> = names.into_iter().map(Into::into).collect();
        for text in names.iter().map(String::as_str).chain([environment]) {
            let unsayable = || SealError::Unsayable { text: text.into() };
            sayable(text).ok_or_else(unsayable)?;
        }
        Ok(Self {
            environment: environment.to_owned(),
            revision: revision_after(environment, previous)?,
            file: Sha256::digest(file).into(),
            previous: previous.map(Seal::digest),
            names,
        })
    }

    /// The same with a revision that is higher than one that was seen: an older file that is meant to come back is newer than what it
    /// replaces.
    ///
    /// # Errors
    ///
    /// [`SealError::Beginning`] where there is no previous seal, because then it would have to be revision 1, or after the last of all
    /// revisions.
    pub fn after(mut self, seen: u64) -> Result<Self, SealError> {
        let revision = seen.checked_add(1).map(|next| next.max(self.revision));
        match (revision, self.previous) {
            (Some(revision), Some(_)) => self.revision = revision,
            (Some(1), None) => {}
            _ => return Err(SealError::Beginning { revision: seen }),
        }
        Ok(self)
    }

    /// The environment's name.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// Counted from 1, and one more with every seal.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The SHA-256 of the sealed file.
    #[must_use]
    pub fn file(&self) -> &[u8; 32] {
        &self.file
    }

    /// The SHA-256 of the seal before; none at revision 1.
    #[must_use]
    pub fn previous(&self) -> Option<&[u8; 32]> {
        self.previous.as_ref()
    }

    /// The names of the secrets.
    #[must_use]
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// The message that is signed: the seal's lines above the signature.
    #[must_use]
    pub fn to_text(&self) -> String {
        let file = spelled(&self.file);
        let previous = self
            .previous
            .map_or_else(|| "none".into(), |it| spelled(&it));
        let mut text = format!(
            "ringfence-seal 1\nenvironment {}\nrevision {}\nfile {file}\nprevious {previous}\n",
            self.environment, self.revision,
        );
        for name in &self.names {
            text.extend(["name ", name, "\n"]);
        }
        text
    }

    /// Reads the lines above the signature. What it takes may be written otherwise than by [`Self::to_text`].
    pub(super) fn parse(text: &str) -> Result<Self, SealError> {
        let mut lines = Lines::of(text);
        lines.take("ringfence-seal 1", |version| (version == "1").then_some(()))?;
        let environment = lines.take("environment <name>", sayable)?;
        let revision = lines.take("revision <number>", |number| number.parse().ok())?;
        let file = lines.take("file sha256:<digest>", digest)?;
        let previous = lines.take("previous sha256:<digest>, or none", |value| match value {
            "none" => Some(None),
            value => digest(value).map(Some),
        })?;
        if revision == 0 || (revision == 1) != previous.is_none() {
            return Err(SealError::Beginning { revision });
        }
        let mut names = BTreeSet::new();
        while lines.are_left() {
            names.insert(lines.take("name <name>", sayable)?);
        }
        Ok(Self {
            environment,
            revision,
            file,
            previous,
            names,
        })
    }

    pub(super) fn check_environment(&self, requested: &str) -> Result<(), SealError> {
        if self.environment == requested {
            return Ok(());
        }
        Err(SealError::Environment {
            sealed: self.environment.clone(),
            requested: requested.to_owned(),
        })
    }

    /// Whether a file is the sealed one. The names are compared first: they say more about what happened.
    pub(super) fn check_file(
        &self,
        file: &[u8],
        names: &BTreeSet<String>,
    ) -> Result<(), SealError> {
        if self.names != *names {
            return Err(SealError::Names {
                added: names.difference(&self.names).cloned().collect(),
                removed: self.names.difference(names).cloned().collect(),
            });
        }
        let is_same = Sha256::digest(file).as_slice() == self.file;
        is_same.then_some(()).ok_or(SealError::File)
    }
}

/// A seal's lines, and its signature.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let at = text.find(&format!("\n{SIGNATURE_BEGIN}"))?;
    text.split_at_checked(at + 1)
}

/// The lines that are not read yet.
struct Lines<'a> {
    rest: std::iter::Peekable<std::str::Lines<'a>>,
    number: usize,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let rest = text.lines().peekable();
        Self { rest, number: 0 }
    }

    fn are_left(&mut self) -> bool {
        self.rest.peek().is_some()
    }

    /// The value of the next line, whose label is the first word of what is expected.
    fn take<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, SealError> {
        self.number += 1;
        let label = expected.split(' ').next();
        let value = self.rest.next().and_then(|line| {
            let (found, value) = line.split_once(' ')?;
            (Some(found) == label).then_some(value)
        });
        value.and_then(read).ok_or(SealError::Malformed {
            line: self.number,
            expected,
        })
    }
}

fn revision_after(environment: &str, previous: Option<&Seal>) -> Result<u64, SealError> {
    let Some(previous) = previous.map(Seal::statement) else {
        return Ok(1);
    };
    previous.check_environment(environment)?;
    let revision = previous.revision;
    revision
        .checked_add(1)
        .ok_or(SealError::Beginning { revision })
}

/// A name that fits into a line.
fn sayable(name: &str) -> Option<String> {
    let fits = !name.is_empty() && !name.contains(char::is_control);
    fits.then(|| name.to_owned())
}

fn spelled(digest: &[u8; 32]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in digest {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let (pairs, odd) = text.strip_prefix("sha256:")?.as_bytes().as_chunks();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok();
    let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
    odd.is_empty().then_some(bytes)?.try_into().ok()
}
