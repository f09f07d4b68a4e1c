//! A request's path as the most lenient server reads it, so that no other spelling gets past what its plain one is held to.

use std::borrow::Cow;

/// Whether a segment is `.` or `..`: also percent-encoded, between encoded slashes, or with parameters behind it (RFC 3986, section 3.3).
pub(super) fn has_dots(path: &str) -> bool {
    let is_dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    path.contains('\\') || decoded(path).split(['/', '\\']).any(is_dots)
}

/// The path in its plain spelling: decoded, in small letters, without empty segments, parameters, and the version in front.
pub(super) fn plain(path: &str) -> String {
    let small = decoded(path).to_ascii_lowercase();
    let segments = small
        .split('/')
        .filter_map(|segment| segment.split(';').next());
    let segments = segments
        .map(str::trim)
        .filter(|segment| !segment.is_empty());
    let segments = segments.skip_while(|segment| *segment == "v1");
    segments.flat_map(|segment| ["/", segment]).collect()
}

fn decoded(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return path.into();
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let byte = if *first == b'%' { encoded(after) } else { None };
        let (byte, after) = byte.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// The byte of two digits, and what follows them.
fn encoded(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = text.split_at_checked(2)?;
    let digits = std::str::from_utf8(digits).ok()?;
    // `from_str_radix` would take a sign.
    let is_number = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let byte = u8::from_str_radix(digits, 16).ok().filter(|_| is_number)?;
    Some((byte, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_seen_in_every_spelling() {
        for path in [
            "/a/../b",
            "/a/.",
            "/a/%2e%2E/b",
            "/a/.%2e",
            "/a/..%2fb",
            "/a%2f..%2Fb",
            "/a/..%5cb",
            "/a/..;x=1/b",
            "/a\\..\\b",
        ] {
            assert!(has_dots(path), "{path}");
        }
        for path in [
            "/a/...",
            "/a/..b",
            "/a/%252e%252e/b",
            "/a%2fb",
            "/a/%",
            "/a/%2",
            "/a/%+2",
            "/a/%ff",
            "/a.b",
        ] {
            assert!(!has_dots(path), "{path}");
        }
    }

    #[test]
    fn a_plain_path_has_one_spelling() {
        for path in [
            "/a/b",
            "/a/b/",
            "//a//b",
            "/A/%62",
            "/a%2fb",
            "/v1/a/b",
            "/V1/v1/a/b",
            "/a;x/b;y",
            "/a/b%20",
        ] {
            assert_eq!(plain(path), "/a/b", "{path}");
        }
        assert_eq!(plain("/a/v1/b"), "/a/v1/b");
    }
}
