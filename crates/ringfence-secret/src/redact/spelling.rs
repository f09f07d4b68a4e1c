//! The ways in which programs write a text: as it is, in base64, percent-encoded, and escaped in JSON.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::search::Spelling;

/// Adds every way of writing a text, each once.
pub(super) fn add(text: &str, name: usize, spellings: &mut Vec<Spelling>) {
    let first = spellings.len();
    let mut add = |bytes: Zeroizing<Vec<u8>>| {
        let mut known = spellings.iter().skip(first);
        if !known.any(|known| known.bytes == bytes) {
            spellings.push(Spelling { bytes, name });
        }
    };
    add(Zeroizing::new(text.as_bytes().to_vec()));
    // A terminal puts a carriage return before every line's end (`termios(3)`, ONLCR).
    add(Zeroizing::new(text.replace('\n', "\r\n").into_bytes()));
    base64(text, &mut add);
    percent(text, &mut add);
    json(text, &mut add);
    let lines = base64_lines(text).into_iter();
    spellings.extend(lines.map(|bytes| Spelling { bytes, name }));
}

/// Base64 of the text with nought, one or two bytes before it, which are some and not known: the characters that it alone determines.
fn base64(text: &str, add: &mut impl FnMut(Zeroizing<Vec<u8>>)) {
    const ENGINES: [GeneralPurpose; 2] = [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD];
    for before in 0..3 {
        let mut bytes = Zeroizing::new(Vec::with_capacity(before + text.len()));
        bytes.resize(before, 0);
        bytes.extend_from_slice(text.as_bytes());
        let determined = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        for engine in &ENGINES {
            let mut encoded = Zeroizing::new(String::with_capacity(bytes.len() * 4 / 3 + 4));
            engine.encode_string(&*bytes, &mut encoded);
            let characters = encoded.as_bytes().get(determined.clone());
            add(Zeroizing::new(characters.unwrap_or_default().to_vec()));
        }
    }
}

/// The lines of a text's base64, where its beginning is the text's. They have 76 characters (`base64`; RFC 2045, section 6.8) or 64
/// (`openssl base64`; RFC 7468, section 2). Of a last line that is short there are many by chance.
fn base64_lines(text: &str) -> Vec<Zeroizing<Vec<u8>>> {
    const BYTES: [usize; 2] = [76 * 6 / 8, 64 * 6 / 8];
    const SHORTEST: usize = 12;
    let widths = BYTES.into_iter().filter(|bytes| text.len() > *bytes);
    let pieces = widths.flat_map(|bytes| text.as_bytes().chunks(bytes));
    let encoded = pieces.filter(|piece| piece.len() >= SHORTEST).map(|piece| {
        let mut encoded = Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(piece).into_bytes());
        encoded.truncate(piece.len() * 8 / 6);
        encoded
    });
    encoded.collect()
}

/// What is left as it is besides letters and digits, by those who percent-encode. Space never is.
const LEFT: [&str; 14] = [
    // What RFC 3986 calls unreserved: most libraries, among them Rust's `urlencoding`, Go's `QueryEscape`, Ruby's, PHP's `rawurlencode`.
    "-._~",
    // JavaScript's `encodeURIComponent`.
    "-._~!*'()",
    // Python's `quote`.
    "-._~/",
    // Forms: the URL standard, Java.
    "-._*",
    // PHP's `urlencode`, Python's `quote_plus` before 3.7; Rust's `percent-encoding` leaves nothing where it is told so.
    "-._",
    "",
    // JavaScript's `encodeURI`.
    "-._~;,/?:@&=+$#!*'()",
    // Go's `PathEscape`, and its user and password in URLs.
    "-._~$&+=:@",
    "-._~$&+,;=",
    // All that RFC 3986 allows in a password, and in a path.
    "-._~!$&'()*+,;=",
    "-._~!$&'()*+,;=:@/",
    // The URL standard in passwords, and in queries.
    "-._~!$%&'()*+,",
    "-._~!$%&()*+,/:;=?@[\\]^`{|}",
    // Only what RFC 3986 reserves is encoded, and `%`.
    "-._~\"<>\\^`{|}",
];

fn percent(text: &str, add: &mut impl FnMut(Zeroizing<Vec<u8>>)) {
    const UPPER: &[u8; 16] = b"0123456789ABCDEF";
    const LOWER: &[u8; 16] = b"0123456789abcdef";
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return;
    }
    let spaces: &[&str] = match text.contains(' ') {
        true => &["%20", "+"],
        false => &["%20"],
    };
    // Many of them leave the same of what is in this text.
    let left = |left: &str| -> Vec<u8> {
        let occurring = left.bytes().filter(|byte| text.as_bytes().contains(byte));
        let sorted: BTreeSet<u8> = occurring.collect();
        sorted.into_iter().collect()
    };
    let different: BTreeSet<Vec<u8>> = LEFT.into_iter().map(left).collect();
    for left in &different {
        for digits in [UPPER, LOWER] {
            for space in spaces {
                add(percent_encoded(text, left, (digits, space)));
            }
        }
    }
}

fn percent_encoded(
    text: &str,
    left: &[u8],
    (digits, space): (&[u8; 16], &str),
) -> Zeroizing<Vec<u8>> {
    let digit = |value: u8| digits.get(usize::from(value)).copied();
    let mut encoded = Zeroizing::new(Vec::with_capacity(3 * text.len()));
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.extend_from_slice(space.as_bytes()),
            _ if byte.is_ascii_alphanumeric() || left.contains(&byte) => {
                encoded.push(byte);
            }
            _ => {
                encoded.push(b'%');
                encoded.extend(digit(byte >> 4));
                encoded.extend(digit(byte & 15));
            }
        }
    }
    encoded
}

/// A way to write texts in JSON.
#[derive(Clone, Copy)]
struct Style {
    /// Written `\uXXXX`, though JSON has no need of it.
    escaped: &'static str,
    /// Everything but printable ASCII is written `\uXXXX`.
    ascii: bool,
    /// `/` is written `\/`.
    slash: bool,
    /// The digits of `\uXXXX` are upper-case.
    upper: bool,
}

/// What is escaped without need: nothing; what could end a script (Go); what could stand in a page (PHP, .NET, Ruby); controls that
/// have a short form; DEL.
const ESCAPED: [&str; 6] = [
    "",
    "<>&\u{2028}\u{2029}",
    "<>&'\"",
    "<>&'\"+`",
    SHORT,
    "\u{7f}",
];

/// Controls that have a short form.
const SHORT: &str = "\u{8}\u{c}\n\r\t";

fn json(text: &str, add: &mut impl FnMut(Zeroizing<Vec<u8>>)) {
    const ASCII: u8 = 1;
    const SLASH: u8 = 2;
    const UPPER: u8 = 4;
    let mut matters = 0;
    let has_short_form = |character| SHORT.contains(character);
    if text.contains(|character| !(' '..='~').contains(&character) && !has_short_form(character)) {
        matters |= ASCII | UPPER;
    }
    if text.contains('/') {
        matters |= SLASH;
    }
    for escaped in ESCAPED {
        let occurs = text.contains(|character| escaped.contains(character));
        if !escaped.is_empty() && !occurs {
            continue;
        }
        let matters = matters | if occurs { UPPER } else { 0 };
        for bits in (0..8).filter(|bits| bits & !matters == 0) {
            let style = Style {
                escaped,
                ascii: bits & ASCII != 0,
                slash: bits & SLASH != 0,
                upper: bits & UPPER != 0,
            };
            add(in_json(text, style));
        }
    }
}

fn in_json(text: &str, style: Style) -> Zeroizing<Vec<u8>> {
    let mut written = Zeroizing::new(Vec::with_capacity(6 * text.len()));
    for character in text.chars() {
        let short = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '/' if style.slash => "\\/",
            _ => "",
        };
        let printable = (' '..='~').contains(&character);
        let numbered = style.escaped.contains(character)
            || (short.is_empty() && (character < ' ' || (style.ascii && !printable)));
        if numbered {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let digits = match style.upper {
                    true => format!("\\u{unit:04X}"),
                    false => format!("\\u{unit:04x}"),
                };
                written.extend_from_slice(digits.as_bytes());
            }
        } else if short.is_empty() {
            written.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            written.extend_from_slice(short.as_bytes());
        }
    }
    written
}
