//! Values that dotenvx encrypted: `NAME="encrypted:BASE64"` in a `.env` file.
//!
//! ECIES on secp256k1 as the npm package `eciesjs` does it (<https://github.com/ecies/js>): an uncompressed ephemeral public key of
//! 65 bytes, a nonce of 16, a tag of 16, and the ciphertext of AES-256-GCM, whose key is HKDF-SHA-256 over the ephemeral key and the
//! shared point, both uncompressed, without salt or info.

use aes_gcm::aead::AeadInPlace;
use aes_gcm::aead::consts::U16;
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, KeyInit, Nonce, Tag};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hkdf::Hkdf;
use k256::elliptic_curve::sec1::ToEncodedPoint;
use k256::{PublicKey, SecretKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::value::Secret;

/// What such a value begins with.
pub const PREFIX: &str = "encrypted:";

const PRIVATE_KEY: &str = "DOTENV_PRIVATE_KEY";

const POINT: usize = 65;
const NONCE: usize = 16;
const TAG: usize = 16;

/// Why a value is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DotenvxError {
    /// Not 32 bytes in hexadecimal, or no number of the curve.
    #[error("the private key is no key: 64 hexadecimal digits are expected")]
    Key,
    /// Not of the form that dotenvx writes.
    #[error("the encrypted value is damaged")]
    Malformed,
    /// No key fits, or it was changed.
    #[error("no private key at hand opens it, or it was changed")]
    NotOpened,
}

/// A private key, cleared when it is dropped.
pub struct PrivateKey(SecretKey);

impl PrivateKey {
    /// Reads the hexadecimal digits that `.env.keys` has.
    ///
    /// # Errors
    /// Where they are no key.
    pub fn parse(hexadecimal: &str) -> Result<Self, DotenvxError> {
        let digits = hexadecimal.as_bytes();
        let mut bytes = Zeroizing::new([0_u8; 32]);
        if digits.len() != 2 * bytes.len() {
            return Err(DotenvxError::Key);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| DotenvxError::Key)?;
            let plain = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            let value = u8::from_str_radix(pair, 16).ok().filter(|_| plain);
            *byte = value.ok_or(DotenvxError::Key)?;
        }
        let key = SecretKey::from_slice(bytes.as_ref());
        key.map(Self).map_err(|_| DotenvxError::Key)
    }
}

/// Whether dotenvx encrypted a value.
#[must_use]
pub fn is_encrypted(value: &str) -> bool {
    value.starts_with(PREFIX)
}

/// The variable that holds the private key of a file, as dotenvx 2.38 names it (`lib/conventions/keynames.js`): `.env.production` has
/// `DOTENV_PRIVATE_KEY_PRODUCTION`. Of a longer name the first two words count, and signs in them stay, so that not every such name
/// can be set in a shell. A file that says `DOTENV_PUBLIC_KEY_X` itself has the key of that name instead: see [`key_variable_in`].
#[must_use]
pub fn key_variable(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let name = match name.strip_suffix(".txt") {
        Some(stem) if stem.starts_with(".env") => stem,
        _ => &name,
    };
    if name == ".env" {
        return PRIVATE_KEY.to_owned();
    }
    let words: Vec<&str> = name.split('.').skip(2).take(2).collect();
    let environment = match words.as_slice() {
        [] => name.replacen(".env", "development", 1),
        words => words.join("_"),
    };
    format!("{PRIVATE_KEY}_{}", environment.to_uppercase())
}

/// The variable that a file itself says its private key is in: the first of its names that begins with `DOTENV_PUBLIC_KEY`.
#[must_use]
pub fn key_variable_in<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut names = names.into_iter();
    names.find_map(|name| {
        let rest = name.strip_prefix("DOTENV_PUBLIC_KEY")?;
        Some(format!("{PRIVATE_KEY}{rest}"))
    })
}

/// The text that a value stands for.
///
/// # Errors
/// Where none of the keys opens it, or it is damaged.
pub fn open(value: &str, keys: &[PrivateKey]) -> Result<Secret, DotenvxError> {
    let encoded = value.strip_prefix(PREFIX).ok_or(DotenvxError::Malformed)?;
    let bytes = BASE64_STANDARD
        .decode(encoded)
        .map_err(|_| DotenvxError::Malformed)?;
    let parts = || {
        let (point, rest) = bytes.split_first_chunk::<POINT>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>()?;
        let (tag, text) = rest.split_first_chunk::<TAG>()?;
        Some((point, nonce, tag, text))
    };
    let (point, nonce, tag, text) = parts().ok_or(DotenvxError::Malformed)?;
    let ephemeral = PublicKey::from_sec1_bytes(point).map_err(|_| DotenvxError::Malformed)?;
    let mut opened = keys.iter().filter_map(|key| {
        let cipher = AesGcm::<Aes256, U16>::new((&*shared_key(key, &ephemeral)?).into());
        let mut text = Zeroizing::new(text.to_vec());
        let (nonce, tag) = (Nonce::<U16>::from_slice(nonce), Tag::<U16>::from_slice(tag));
        cipher
            .decrypt_in_place_detached(nonce, b"", &mut text, tag)
            .ok()?;
        std::str::from_utf8(&text).ok().map(Secret::new)
    });
    opened.next().ok_or(DotenvxError::NotOpened)
}

fn shared_key(key: &PrivateKey, ephemeral: &PublicKey) -> Option<Zeroizing<[u8; 32]>> {
    let product = ephemeral.to_projective() * *key.0.to_nonzero_scalar();
    let shared = PublicKey::from_affine(product.to_affine()).ok()?;
    let mut material = Zeroizing::new(ephemeral.to_encoded_point(false).as_bytes().to_vec());
    material.extend_from_slice(shared.to_encoded_point(false).as_bytes());
    let mut derived = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, &material)
        .expand(&[], derived.as_mut())
        .ok()?;
    Some(derived)
}

#[cfg(test)]
mod tests;
