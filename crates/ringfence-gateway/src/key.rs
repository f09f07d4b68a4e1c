//! Keys of upstreams: put into requests, and taken out of whatever comes back.

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use memchr::memmem;
use zeroize::Zeroizing;

/// The key of an upstream, and the header that carries it.
pub struct InjectedKey {
    header: HeaderName,
    value: HeaderValue,
}

/// Why a key cannot be put into a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has characters that no header may have")]
pub struct KeyError;

impl InjectedKey {
    /// The key in `header` as it is, or in `Authorization` as a bearer token.
    ///
    /// # Errors
    /// Where the text cannot stand in a header.
    pub fn new(header: Option<HeaderName>, key: &str) -> Result<Self, KeyError> {
        let (header, text) = match header {
            Some(header) if header != AUTHORIZATION => (header, Zeroizing::new(key.to_owned())),
            _ => (AUTHORIZATION, Zeroizing::new(format!("Bearer {key}"))),
        };
        // The bytes keep their owner, which clears them when the last request that uses them has ended.
        let bytes = Bytes::from_owner(Owned(text));
        let mut value = HeaderValue::from_maybe_shared(bytes).map_err(|_| KeyError)?;
        value.set_sensitive(true);
        Ok(Self { header, value })
    }

    /// The header that carries it.
    pub(crate) const fn header(&self) -> &HeaderName {
        &self.header
    }

    pub(crate) fn put_into(&self, headers: &mut HeaderMap) {
        headers.insert(self.header.clone(), self.value.clone());
    }
}

struct Owned(Zeroizing<String>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Takes keys out of bytes. Each is replaced by asterisks of its length, so that lengths that were announced stay true.
///
/// `ringfence_secret::redact`, which the records go through, names what it takes out and so changes lengths.
pub struct Scrubber {
    /// Longest first.
    forms: Vec<Zeroizing<Vec<u8>>>,
}

/// Secrets shorter than this are not looked for: they would be found everywhere.
const SHORTEST: usize = 6;

impl Scrubber {
    /// Looks for these secrets, as they are, as JSON writes them, and as URLs do.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: Vec<Zeroizing<Vec<u8>>> = secrets
            .into_iter()
            .filter(|secret| secret.len() >= SHORTEST)
            .flat_map(forms)
            .collect();
        forms.sort_unstable_by(|one, other| (other.len(), other.as_slice()).cmp(&(one.len(), one)));
        forms.dedup();
        Self { forms }
    }

    /// Whether any is in there.
    pub(crate) fn finds(&self, bytes: &[u8]) -> bool {
        // Most headers are shorter than any key, and preparing a search takes longer than such a header's.
        let mut forms = self.forms.iter().filter(|form| form.len() <= bytes.len());
        forms.any(|form| memmem::find(bytes, form).is_some())
    }

    /// The bytes without the secrets.
    pub(crate) fn scrub(&self, bytes: Bytes) -> Bytes {
        if !self.finds(&bytes) {
            return bytes;
        }
        let mut clean = bytes.to_vec();
        self.mask(&mut clean);
        clean.into()
    }

    fn mask(&self, bytes: &mut [u8]) {
        for form in &self.forms {
            let found: Vec<usize> = memmem::find_iter(bytes, form.as_slice()).collect();
            for start in found {
                if let Some(secret) = bytes.get_mut(start..start + form.len()) {
                    secret.fill(b'*');
                }
            }
        }
    }

    /// How many bytes at the end could be the beginning of a secret.
    fn open_end(&self, bytes: &[u8]) -> usize {
        let open = |form: &Zeroizing<Vec<u8>>| {
            let most = form.len().saturating_sub(1).min(bytes.len());
            (1..=most)
                .rev()
                .find(|length| bytes.ends_with(form.get(..*length).unwrap_or_default()))
        };
        self.forms.iter().filter_map(open).max().unwrap_or(0)
    }
}

/// A secret as it is, as JSON strings write it, and as URLs do.
fn forms(secret: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let json = serde_json::to_string(secret).unwrap_or_default();
    let inner = json
        .strip_prefix('"')
        .and_then(|json| json.strip_suffix('"'));
    let json = inner.unwrap_or_default().to_owned();
    let slashed = json.replace('/', "\\/");
    let percent = secret.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    let all = [secret.to_owned(), json, slashed, percent.collect()];
    all.map(|form| Zeroizing::new(form.into_bytes())).into()
}

/// Takes keys out of a stream, also where they are cut by its pieces.
#[derive(Default)]
pub struct StreamScrub {
    held: Vec<u8>,
}

impl StreamScrub {
    /// What can be passed on after a piece has come.
    pub fn push(&mut self, scrubber: &Scrubber, piece: Bytes) -> Bytes {
        if self.held.is_empty() && scrubber.open_end(&piece) == 0 {
            return scrubber.scrub(piece);
        }
        self.held.extend_from_slice(&piece);
        scrubber.mask(&mut self.held);
        let ready = self.held.len() - scrubber.open_end(&self.held);
        self.held.drain(..ready).collect::<Vec<u8>>().into()
    }

    /// What is left at the end.
    pub fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &Bytes) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    const KEY: &str = "sk_live_a/b+c\"d";

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let scrubber = Scrubber::new([KEY, "short"]);
        for echo in [
            "a sk_live_a/b+c\"d z",
            r#"{"k":"sk_live_a/b+c\"d"}"#,
            r#"{"k":"sk_live_a\/b+c\"d"}"#,
            "?k=sk_live_a%2Fb%2Bc%22d&",
        ] {
            let clean = text(&scrubber.scrub(Bytes::from(echo)));
            assert!(!clean.contains("sk_live"), "{clean}");
            assert_eq!(clean.len(), echo.len());
        }
        assert_eq!(scrubber.scrub(Bytes::from("short")), "short");
    }

    #[test]
    fn pieces_of_any_size_hide_nothing() {
        let text = format!("{KEY} and {KEY}{KEY} sk_live_a/ sk_live_a/b+c");
        let expected = Scrubber::new([KEY]).scrub(Bytes::from(text.clone()));
        for size in 1..text.len() {
            let scrubber = Scrubber::new([KEY]);
            let mut stream = StreamScrub::default();
            let mut passed = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                passed.extend(stream.push(&scrubber, Bytes::copy_from_slice(piece)));
            }
            passed.extend(stream.finish());
            assert_eq!(passed, expected, "{size}");
        }
    }

    #[test]
    fn a_key_with_a_line_end_is_no_header() {
        assert!(InjectedKey::new(None, "a\nb").is_err());
        let mut headers = HeaderMap::new();
        InjectedKey::new(None, "abc")
            .unwrap()
            .put_into(&mut headers);
        assert_eq!(headers["authorization"], "Bearer abc");
        assert!(headers["authorization"].is_sensitive());
        let named = HeaderName::from_static("x-api-key");
        InjectedKey::new(Some(named), "abc")
            .unwrap()
            .put_into(&mut headers);
        assert_eq!(headers["x-api-key"], "abc");
    }
}
