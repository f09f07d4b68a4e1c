//! Who sealed an environment's file of secrets: a text file beside it, signed with an ssh key in the format that `ssh-keygen -Y
//! verify` reads (OpenSSH, `PROTOCOL.sshsig`; hash SHA-512).
//!
//! ```text
//! ringfence-seal 1
//! environment prod
//! revision 7
//! file sha256:<64 hexadecimal digits>
//! previous sha256:<64 hexadecimal digits>
//! name API_KEY
//! name DATABASE_URL
//! -----BEGIN SSH SIGNATURE-----
//! …
//! -----END SSH SIGNATURE-----
//! ```
//!
//! All that stands above the signature is signed. `previous` is the digest of the seal that this one replaces, or `none` at
//! revision 1. Revisions grow, as a rule by one.
//!
//! ```
//! # use ringfence_secret::seal::{Editor, Found, Seal, SealError};
//! fn opened_by(seal: &[u8], file: &[u8], editors: &[Editor]) -> Result<String, SealError> {
//!     let names = ["API_KEY".to_owned()].into();
//!     let found = Found { environment: "prod", file, names: &names, lowest_revision: 1 };
//!     Ok(Seal::parse(seal)?.verify(&found, editors)?.to_owned())
//! }
//! ```
//!
//! What always holds: the signature of a [`Seal`] is valid, and its text is the only one that is read as this seal. There is one
//! spelling of everything: ECDSA signatures, of which anybody can make a second one without the key (`n - s` for `s`), are written
//! and read with the lower `s` only.
//!
//! A seal says who, not whether they may: without [`Seal::verify`] it is worth nothing.

pub mod agent;
mod ecdsa;
mod envelope;
mod key;
mod statement;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
pub use ssh_key::PublicKey;
use thiserror::Error;

use envelope::Envelope;
pub use key::{Editor, KeyError, SigningKey};
pub use statement::Statement;

/// What the signatures are for: one made for anything else is none here, and the other way round.
pub const NAMESPACE: &str = "ringfence-seal@1";

/// The longest seal that is read or written: some ten thousand names.
pub const LONGEST_BYTES: usize = 1024 * 1024;

/// The line with which the signature begins.
const SIGNATURE_BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";

/// Why a seal is refused, or was not made.
#[derive(Debug, Error)]
pub enum SealError {
    /// Longer than [`LONGEST_BYTES`].
    #[error("the seal has more than {LONGEST_BYTES} bytes")]
    TooLong,
    /// A line of the statement is another one than it must be.
    #[error("line {line} of the seal is not `{expected}`")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// The line's form.
        expected: &'static str,
    },
    /// The signature is none that seals have.
    #[error("the seal's signature is malformed: {0}")]
    MalformedSignature(&'static str),
    /// It can be read, but is not written as seals are: something that is not signed was changed.
    #[error("the seal was changed: it is not written in the one way that seals are")]
    NotCanonical,
    /// The first revision names a previous seal, or a later one names none.
    #[error("revision {revision} and the previous seal do not fit: exactly revision 1 has none")]
    Beginning {
        /// The revision.
        revision: u64,
    },
    /// The signature is not the signer's over this statement.
    #[error("the seal's signature is not valid: the seal was changed after it was signed")]
    WrongSignature,
    /// The signer's key is of no kind that may seal.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A name that cannot stand in a seal.
    #[error("`{}` cannot be in a seal: it is empty or holds a control character", .text.escape_debug())]
    Unsayable {
        /// The name of a secret or an environment.
        text: String,
    },
    /// The seal is another environment's.
    #[error("the seal is for environment `{sealed}`, not for `{requested}`")]
    Environment {
        /// Which the seal names.
        sealed: String,
        /// Which was asked for.
        requested: String,
    },
    /// The signer is nobody who may change this environment.
    #[error(
        "the seal is signed by {fingerprint}, which is the key of no editor of environment `{environment}`"
    )]
    Signer {
        /// The signer's key: `SHA256:…`.
        fingerprint: String,
        /// The environment.
        environment: String,
    },
    /// An older seal was put back.
    #[error(
        "the seal has revision {sealed}, but revision {lowest} was seen before: an older file was put back"
    )]
    Revision {
        /// The seal's revision.
        sealed: u64,
        /// The lowest one that is still taken.
        lowest: u64,
    },
    /// The seal does not come right after the one that it should follow.
    #[error("revision {revision} of the seal does not follow the given revision {previous}")]
    NotTheNext {
        /// The seal's revision.
        revision: u64,
        /// The other one's.
        previous: u64,
    },
    /// There are other names in the file than were sealed.
    #[error("the file changed since it was sealed: {}", changes(.added, .removed))]
    Names {
        /// Those in the file that were not sealed.
        added: Vec<String>,
        /// Those that were sealed and are not in the file.
        removed: Vec<String>,
    },
    /// The file has the sealed names but other bytes.
    #[error("the file changed since it was sealed: it has other bytes")]
    File,
}

/// What was found beside a seal, and what is known already.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The environment that was asked for.
    pub environment: &'a str,
    /// The sealed file's bytes.
    pub file: &'a [u8],
    /// The names in it.
    pub names: &'a BTreeSet<String>,
    /// The highest revision that was seen before; 1 takes every one.
    pub lowest_revision: u64,
}

/// A seal whose signature is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    statement: Statement,
    signer: PublicKey,
    text: String,
}

impl Seal {
    /// Reads a seal's file.
    ///
    /// # Errors
    ///
    /// [`SealError`], the first eight of its variants: what is not a seal, byte for byte, or not validly signed.
    pub fn parse(bytes: &[u8]) -> Result<Self, SealError> {
        if bytes.len() > LONGEST_BYTES {
            return Err(SealError::TooLong);
        }
        let text = str::from_utf8(bytes).map_err(|_| SealError::NotCanonical)?;
        let missing = SealError::MalformedSignature("there is none");
        let (lines, armor) = statement::split(text).ok_or(missing)?;
        let (statement, envelope) = (Statement::parse(lines)?, Envelope::parse(armor)?);
        if write(&statement, &envelope)?.as_bytes() != bytes {
            return Err(SealError::NotCanonical);
        }
        Self::new(statement, &envelope)
    }

    /// A seal of a signature that was made elsewhere, as by `ssh-keygen -Y sign -n ringfence-seal@1` over [`Statement::to_text`].
    ///
    /// # Errors
    ///
    /// [`SealError`] where the signature is malformed or not one over this statement.
    pub fn from_signature(statement: Statement, armor: &str) -> Result<Self, SealError> {
        Self::new(statement, &Envelope::parse(armor)?)
    }

    fn new(statement: Statement, envelope: &Envelope) -> Result<Self, SealError> {
        let text = write(&statement, envelope)?;
        if text.len() > LONGEST_BYTES {
            return Err(SealError::TooLong);
        }
        envelope.check(statement.to_text().as_bytes())?;
        let signer = envelope.signer().clone();
        Ok(Self {
            statement,
            signer,
            text,
        })
    }

    /// What is sealed.
    #[must_use]
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The key that signed, without a comment.
    #[must_use]
    pub fn signer(&self) -> &PublicKey {
        &self.signer
    }

    /// The signing key's fingerprint, as `ssh-keygen -l` shows it: `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        key::fingerprint(&self.signer)
    }

    /// The seal's file.
    #[must_use]
    pub fn to_text(&self) -> &str {
        &self.text
    }

    /// The SHA-256 of the seal's file: what the next seal calls `previous`.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.text).into()
    }

    /// The name of the editor who sealed what was found.
    ///
    /// # Errors
    ///
    /// [`SealError::Environment`], [`SealError::Signer`], [`SealError::Revision`], [`SealError::Names`] or [`SealError::File`], the
    /// first of them that is so.
    pub fn verify<'e>(
        &self,
        found: &Found<'_>,
        editors: &'e [Editor],
    ) -> Result<&'e str, SealError> {
        self.statement.check_environment(found.environment)?;
        let is_signer = |editor: &&Editor| editor.key.key_data() == self.signer.key_data();
        let editor = editors.iter().find(is_signer);
        let editor = editor.ok_or_else(|| SealError::Signer {
            fingerprint: self.fingerprint(),
            environment: found.environment.to_owned(),
        })?;
        if self.statement.revision() < found.lowest_revision {
            return Err(SealError::Revision {
                sealed: self.statement.revision(),
                lowest: found.lowest_revision,
            });
        }
        self.statement.check_file(found.file, found.names)?;
        Ok(&editor.name)
    }

    /// Whether this seal was made to replace another.
    ///
    /// # Errors
    ///
    /// [`SealError::Environment`] or [`SealError::NotTheNext`].
    pub fn check_follows(&self, previous: &Self) -> Result<(), SealError> {
        let before = previous.statement();
        self.statement.check_environment(before.environment())?;
        let is_next = self.statement.previous() == Some(&previous.digest())
            && before.revision() < self.statement.revision();
        is_next.then_some(()).ok_or(SealError::NotTheNext {
            revision: self.statement.revision(),
            previous: before.revision(),
        })
    }
}

/// Seals with a private key at hand; with one that an ssh-agent keeps, see [`agent`].
///
/// # Errors
///
/// [`SealError::WrongSignature`] where the key's halves do not belong together; [`SealError::TooLong`].
pub fn sign(statement: Statement, key: &SigningKey) -> Result<Seal, SealError> {
    let signature = key.sign(statement.to_text().as_bytes())?;
    Seal::new(statement, &Envelope::new(key.public(), &signature)?)
}

/// The one text of a seal.
fn write(statement: &Statement, envelope: &Envelope) -> Result<String, SealError> {
    Ok(statement.to_text() + &envelope.armor()?)
}

/// Says which names came and went.
fn changes(added: &[String], removed: &[String]) -> String {
    let list = |label: &str, names: &[String]| {
        let names: Vec<_> = names
            .iter()
            .map(|name| format!("`{}`", name.escape_debug()))
            .collect();
        (!names.is_empty()).then(|| format!("{label} {}", names.join(", ")))
    };
    let parts = [list("added", added), list("removed", removed)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
