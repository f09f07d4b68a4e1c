//! One value: AES-256-GCM with a nonce of 32 bytes, as `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.
//!
//! The reader is stricter than SOPS: the whole text must be such a value, and its base64 canonical.

use aes_gcm::aead::consts::{U16, U32};
use aes_gcm::aead::rand_core::RngCore;
use aes_gcm::aead::{AeadInPlace, OsRng};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, KeyInit, Nonce, Tag};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

type Cipher = AesGcm<Aes256, U32>;

const NONCE: usize = 32;
const TAG: usize = 16;

/// The data key of a file.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn cipher(&self) -> DataCipher {
        DataCipher(Cipher::new((&*self.0).into()))
    }
}

/// What kind of value a plaintext stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Float,
    Flag,
    Bytes,
    Time,
    Comment,
}

impl Kind {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Text, "str"),
        (Self::Integer, "int"),
        (Self::Float, "float"),
        (Self::Flag, "bool"),
        (Self::Bytes, "bytes"),
        (Self::Time, "time"),
        (Self::Comment, "comment"),
    ];

    fn of_word(word: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|(_, own)| *own == word).map(|(kind, _)| *kind)
    }

    fn word(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(kind, _)| *kind == self)
            .map_or("str", |(_, word)| word)
    }
}

/// The parts of an encrypted value.
struct Parts {
    data: Zeroizing<Vec<u8>>,
    nonce: [u8; NONCE],
    tag: [u8; TAG],
    kind: Kind,
}

/// Whether a text has the form of an encrypted value.
pub(super) fn is_encrypted(text: &str) -> bool {
    parts(text).is_some()
}

fn parts(text: &str) -> Option<Parts> {
    let inner = text
        .strip_prefix("ENC[AES256_GCM,data:")?
        .strip_suffix(']')?;
    let (data, rest) = inner.split_once(",iv:")?;
    let (nonce, rest) = rest.split_once(",tag:")?;
    let (tag, kind) = rest.split_once(",type:")?;
    let decoded = |text: &str| BASE64_STANDARD.decode(text).ok();
    Some(Parts {
        data: Zeroizing::new(decoded(data)?),
        nonce: decoded(nonce)?.try_into().ok()?,
        tag: decoded(tag)?.try_into().ok()?,
        kind: Kind::of_word(kind)?,
    })
}

/// A data key with its key schedule.
pub(super) struct DataCipher(Cipher);

impl DataCipher {
    /// The plaintext and its kind; `None` where the text is no encrypted value of this key in this place.
    pub(super) fn open(&self, text: &str, place: &str) -> Option<(Zeroizing<String>, Kind)> {
        let Parts {
            mut data,
            nonce,
            tag,
            kind,
        } = parts(text)?;
        let (nonce, tag) = (
            Nonce::<U32>::from_slice(&nonce),
            Tag::<U16>::from_slice(&tag),
        );
        self.0
            .decrypt_in_place_detached(nonce, place.as_bytes(), &mut data, tag)
            .ok()?;
        let plain = Zeroizing::new(std::str::from_utf8(&data).ok()?.to_owned());
        Some((plain, kind))
    }

    /// The encrypted form of a plaintext, for one place.
    pub(super) fn seal(&self, plain: &str, place: &str, kind: Kind) -> String {
        let mut nonce = [0; NONCE];
        OsRng.fill_bytes(&mut nonce);
        let mut data = Zeroizing::new(plain.as_bytes().to_vec());
        let sealed = self.0.encrypt_in_place_detached(
            Nonce::<U32>::from_slice(&nonce),
            place.as_bytes(),
            &mut data,
        );
        #[expect(
            clippy::expect_used,
            reason = "the cipher refuses more than 64 GiB only"
        )]
        let tag = sealed.expect("a value is smaller than 64 GiB");
        format!(
            "ENC[AES256_GCM,data:{},iv:{},tag:{},type:{}]",
            BASE64_STANDARD.encode(&*data),
            BASE64_STANDARD.encode(nonce),
            BASE64_STANDARD.encode(tag),
            kind.word()
        )
    }
}
