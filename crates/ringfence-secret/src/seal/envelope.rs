//! The signature of a seal: OpenSSH's `SSHSIG` (`PROTOCOL.sshsig`), of which this takes one spelling only.
//!
//! `ssh-key` verifies, but does not read and write it here: its reader passes over fields that the signature does not cover, and its
//! writer breaks those of `sk-ecdsa` keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, PublicKey, Signature, SshSig};

use super::wire::{put_string, take, take_string, take_u32};
use super::{NAMESPACE, SIGNATURE_BEGIN, SealError, ecdsa, key};

const SIGNATURE_END: &str = "-----END SSH SIGNATURE-----\n";
const MAGIC: &[u8; 6] = b"SSHSIG";
const VERSION: u32 = 1;
const HASH: &str = "sha512";
const LINE_CHARACTERS: usize = 70;

/// Flags and a counter, which a security key signs too and which stand behind its signature (OpenSSH, `PROTOCOL.u2f`).
const TRAILER_BYTES: usize = 5;

/// A signature and who is said to have made it.
pub(super) struct Envelope {
    signer: PublicKey,
    signature: Vec<u8>,
    parsed: Signature,
}

impl Envelope {
    /// Takes a signature in the ssh family's notation.
    pub(super) fn new(signer: &PublicKey, signature: &[u8]) -> Result<Self, SealError> {
        let algorithm = key::algorithm(signer)?;
        let malformed = SealError::MalformedSignature("it is not of its key's kind");
        let (data, trailer) = parts(&algorithm, signature).ok_or(malformed)?;
        let mut written = Vec::with_capacity(signature.len());
        put_string(&mut written, algorithm.as_str().as_bytes());
        put_string(&mut written, &data);
        written.extend_from_slice(trailer);
        let parsed = Signature::new(algorithm, [&data, trailer].concat())
            .map_err(|_| SealError::MalformedSignature("its numbers are out of range"))?;
        Ok(Self {
            signer: PublicKey::from(signer.key_data().clone()),
            signature: written,
            parsed,
        })
    }

    /// Reads what `ssh-keygen -Y sign` writes. What it takes may be written otherwise than by [`Self::armor`].
    pub(super) fn parse(armor: &str) -> Result<Self, SealError> {
        let malformed = SealError::MalformedSignature;
        let body = armor
            .strip_prefix(SIGNATURE_BEGIN)
            .and_then(|armor| armor.strip_suffix(SIGNATURE_END))
            .ok_or(malformed("it does not begin and end as it must"))?;
        let bytes = STANDARD
            .decode(body.replace('\n', ""))
            .map_err(|_| malformed("it is not base64"))?;
        let (signer, signature) = fields(&bytes)?;
        let signer = PublicKey::from_bytes(signer).map_err(|_| malformed("its key is none"))?;
        Self::new(&signer, signature)
    }

    /// The text of the signature.
    pub(super) fn armor(&self) -> Result<String, SealError> {
        let signer = self.signer.to_bytes();
        let signer = signer.map_err(|_| SealError::MalformedSignature("its key is none"))?;
        let mut bytes = [MAGIC.as_slice(), &VERSION.to_be_bytes()].concat();
        let fields = [&signer, NAMESPACE.as_bytes(), b"", HASH.as_bytes()];
        for field in fields.into_iter().chain([self.signature.as_slice()]) {
            put_string(&mut bytes, field);
        }
        let mut text = SIGNATURE_BEGIN.to_owned();
        for (at, character) in STANDARD.encode(bytes).chars().enumerate() {
            if at > 0 && at % LINE_CHARACTERS == 0 {
                text.push('\n');
            }
            text.push(character);
        }
        text.extend(["\n", SIGNATURE_END]);
        Ok(text)
    }

    /// Whether it is the signer's signature over a message.
    pub(super) fn check(&self, message: &[u8]) -> Result<(), SealError> {
        let (signer, signature) = (self.signer.key_data().clone(), self.parsed.clone());
        SshSig::new(signer, NAMESPACE, HashAlg::Sha512, signature)
            .and_then(|envelope| self.signer.verify(NAMESPACE, message, &envelope))
            .map_err(|_| SealError::WrongSignature)
    }

    pub(super) fn signer(&self) -> &PublicKey {
        &self.signer
    }
}

/// The signer's key and the signature; all other fields have one value.
fn fields(mut bytes: &[u8]) -> Result<(&[u8], &[u8]), SealError> {
    let malformed = SealError::MalformedSignature;
    let short = || malformed("it ends too early");
    if take(&mut bytes).as_ref() != Some(MAGIC) || take_u32(&mut bytes) != Some(VERSION) {
        return Err(malformed("it is not of version 1 of its format"));
    }
    let signer = take_string(&mut bytes).ok_or_else(short)?;
    if take_string(&mut bytes) != Some(NAMESPACE.as_bytes()) {
        return Err(malformed("it was made for something else than a seal"));
    }
    if take_string(&mut bytes) != Some(b"") || take_string(&mut bytes) != Some(HASH.as_bytes()) {
        return Err(malformed("its hash is not sha512"));
    }
    let signature = take_string(&mut bytes).ok_or_else(short)?;
    match bytes {
        [] => Ok((signer, signature)),
        _ => Err(malformed("something follows it")),
    }
}

/// A signature's own data, in its one spelling, and what a security key adds behind it.
fn parts<'a>(algorithm: &Algorithm, mut signature: &'a [u8]) -> Option<(Vec<u8>, &'a [u8])> {
    if take_string(&mut signature)? != algorithm.as_str().as_bytes() {
        return None;
    }
    let data = take_string(&mut signature)?;
    let (data, trailer_bytes) = match algorithm {
        Algorithm::Ecdsa { curve } => (ecdsa::with_low_s(*curve, data)?, 0),
        Algorithm::SkEcdsaSha2NistP256 => (
            ecdsa::with_low_s(EcdsaCurve::NistP256, data)?,
            TRAILER_BYTES,
        ),
        Algorithm::SkEd25519 => (data.to_vec(), TRAILER_BYTES),
        _ => (data.to_vec(), 0),
    };
    (signature.len() == trailer_bytes).then_some((data, signature))
}
