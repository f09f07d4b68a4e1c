//! Keys that may seal, and those that need not ask an ssh-agent to.

use ssh_key::public::{KeyData, RsaPublicKey};
use ssh_key::{Algorithm, Error as SshError, HashAlg, PrivateKey, PublicKey};
use thiserror::Error;

use super::{NAMESPACE, SealError};

/// The lengths of RSA keys that are taken, in bits: below is broken too easily, above is no use and slow to check.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Why a key is not taken.
#[derive(Debug, Error)]
pub enum KeyError {
    /// A passphrase is needed.
    #[error("the private key is encrypted and needs its passphrase")]
    Encrypted,
    /// The passphrase is not the key's.
    #[error("the passphrase does not open the private key")]
    WrongPassphrase,
    /// A PEM file of OpenSSL's, as `ssh-keygen` wrote them until 2018.
    #[error(
        "the private key is not in OpenSSH's format: `ssh-keygen -p -f <file>` rewrites it, and an ssh-agent takes it as it is"
    )]
    OldFormat,
    /// A key of a kind that only an ssh-agent signs with: RSA (the library's signing is broken and leaks by its timing), or one that
    /// a device keeps.
    #[error("a private key of kind `{kind}` seals through an ssh-agent only: `ssh-add` it")]
    NeedsAgent {
        /// The key's kind.
        kind: String,
    },
    /// Neither a key nor, sometimes, a readable one: an ECDSA key with a short number is not read here.
    #[error("the private key cannot be read, though an ssh-agent may: {0}")]
    UnreadablePrivate(#[source] SshError),
    /// Not a line like `ssh-ed25519 AAAA… comment`.
    #[error("the public key cannot be read: {0}")]
    UnreadablePublic(#[source] SshError),
    /// DSA, a certificate, or unknown.
    #[error("a key of kind `{kind}` cannot seal: take ssh-ed25519")]
    Kind {
        /// The key's kind.
        kind: String,
    },
    /// An RSA key that is too short or too long.
    #[error("an RSA key of {bits} bits cannot seal: take ssh-ed25519, or {} to {} bits", RSA_BITS.start(), RSA_BITS.end())]
    RsaBits {
        /// Its length.
        bits: usize,
    },
}

/// Somebody who may change an environment's secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editor {
    /// The name in the manifest.
    pub name: String,
    /// The key that seals.
    pub key: PublicKey,
}

impl Editor {
    /// Reads an editor's public key, a line like `ssh-ed25519 AAAA… comment`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] where it is no key, or none that may seal.
    pub fn parse(name: impl Into<String>, key: &str) -> Result<Self, KeyError> {
        let key = PublicKey::from_openssh(key.trim()).map_err(KeyError::UnreadablePublic)?;
        algorithm(&key)?;
        let name = name.into();
        Ok(Self { name, key })
    }
}

/// A private key, opened. It has no `Debug`, `Display` or `Serialize`, and is cleared when it is dropped.
pub struct SigningKey(PrivateKey);

impl SigningKey {
    /// Reads a private key's file, and opens it where it is encrypted.
    ///
    /// # Errors
    ///
    /// [`KeyError::Encrypted`] where a passphrase is needed and none given, and whatever else keeps the key from sealing.
    pub fn parse(openssh: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let key =
            PrivateKey::from_openssh(openssh.trim_start()).map_err(|cause| match is_old_format(
                openssh,
            ) {
                true => KeyError::OldFormat,
                false => KeyError::UnreadablePrivate(cause),
            })?;
        check_private_kind(key.public_key())?;
        if !key.is_encrypted() {
            return Ok(Self(key));
        }
        let opened = key.decrypt(passphrase.ok_or(KeyError::Encrypted)?);
        opened.map(Self).map_err(|cause| match cause {
            SshError::Crypto => KeyError::WrongPassphrase,
            cause => KeyError::UnreadablePrivate(cause),
        })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        self.0.public_key()
    }

    /// The signature over a message, in the ssh family's notation.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SealError> {
        let envelope = self.0.sign(NAMESPACE, HashAlg::Sha512, message);
        let signature = envelope.map(|envelope| envelope.signature().clone());
        signature
            .and_then(Vec::try_from)
            .map_err(|_| SealError::WrongSignature)
    }
}

/// How a key signs, where it may seal.
pub(super) fn algorithm(key: &PublicKey) -> Result<Algorithm, KeyError> {
    match key.key_data() {
        KeyData::Rsa(rsa) => match bits(rsa) {
            bits if RSA_BITS.contains(&bits) => Ok(Algorithm::Rsa {
                hash: Some(HashAlg::Sha512),
            }),
            bits => Err(KeyError::RsaBits { bits }),
        },
        KeyData::Ed25519(_)
        | KeyData::Ecdsa(_)
        | KeyData::SkEd25519(_)
        | KeyData::SkEcdsaSha2NistP256(_) => Ok(key.algorithm()),
        _ => Err(KeyError::Kind { kind: kind(key) }),
    }
}

/// The key's fingerprint: `SHA256:…`.
pub(super) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn check_private_kind(key: &PublicKey) -> Result<(), KeyError> {
    algorithm(key)?;
    match key.key_data() {
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) => Ok(()),
        _ => Err(KeyError::NeedsAgent { kind: kind(key) }),
    }
}

fn kind(key: &PublicKey) -> String {
    key.algorithm().as_str().escape_debug().to_string()
}

fn bits(key: &RsaPublicKey) -> usize {
    let number = key.n.as_positive_bytes().unwrap_or_default();
    let zeros = number.first().map_or(0, |byte| byte.leading_zeros());
    let bits = number.len().saturating_mul(8);
    bits.saturating_sub(usize::try_from(zeros).unwrap_or_default())
}

fn is_old_format(text: &str) -> bool {
    let labels = ["RSA", "EC", "DSA", "ENCRYPTED"];
    let begins = |label| text.contains(&format!("-----BEGIN {label} PRIVATE KEY-----"));
    text.contains("-----BEGIN PRIVATE KEY-----") || labels.into_iter().any(begins)
}
