//! Saying that two secrets are the same without showing either, or anything that could be tried against a list of guesses.

use aes_gcm::aead::OsRng;
use aes_gcm::aead::rand_core::RngCore;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The key of fingerprints: one user's on one machine. Fingerprints under two keys cannot be compared.
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// A new key.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// Reads a key's 32 bytes.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// To be kept where this user alone can read it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// 64 bits of HMAC-SHA-256 over the value, in hexadecimal: `~5f1c09aa21d0b3e7`.
    #[must_use]
    pub fn fingerprint(&self, value: &str) -> String {
        const SHOWN: usize = 8;
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mut hmac = Hmac::<Sha256>::new_from_slice(self.bytes()).expect("a key of 32 bytes");
        hmac.update(value.as_bytes());
        let tag = hmac.finalize().into_bytes();
        let digits: String = tag
            .iter()
            .take(SHOWN)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("~{digits}")
    }
}

/// SHA-256 in hexadecimal: a name for what is no secret, such as a project's folder.
#[must_use]
pub fn name_of(public: &[u8]) -> String {
    let digest = Sha256::digest(public);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_has_the_same_fingerprint_under_one_key_only() {
        let (one, other) = (Key::generate(), Key::generate());
        assert_eq!(one.fingerprint("a"), one.fingerprint("a"));
        assert_ne!(one.fingerprint("a"), one.fingerprint("b"));
        assert_ne!(one.fingerprint("a"), other.fingerprint("a"));
        let again = Key::read(one.bytes()).unwrap();
        assert_eq!(one.fingerprint("a"), again.fingerprint("a"));
        assert!(Key::read(b"short").is_none());
        assert_eq!(one.fingerprint("a").len(), 17);
    }
}
