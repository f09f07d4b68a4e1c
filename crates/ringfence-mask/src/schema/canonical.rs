//! One form of bytes for each value, so that two stores agree on what is equal.

use std::fmt::Write as _;

use super::{Kind, Value};

/// The length that stands for null, which no value has.
const NULL: u32 = u32::MAX;

/// Appends the canonical bytes of one value: nothing for null.
///
/// Whole numbers are decimal digits without leading zeros; exact numbers have no trailing ones; booleans are `0` and `1`; UUIDs are 32
/// hexadecimal digits in lower case; times are `YYYY-MM-DD HH:MM:SS.ffffff` without trailing zeros; bytes are hexadecimal; text is
/// itself, in lower case where case makes no difference; a UUID in a text column is a UUID. The blanks that PostgreSQL's `character(n)`
/// pads with belong to the value: whoever compares it with another store takes them away.
pub fn canonical(value: Value<'_>, kind: &Kind, bytes: &mut Vec<u8>) {
    let mut text = String::new();
    match value {
        Value::Null => return,
        Value::Integer(number) if *kind == Kind::Boolean => {
            text.push(if number == 0 { '0' } else { '1' });
        }
        Value::Integer(number) => write_to(&mut text, format_args!("{number}")),
        Value::Real(number) => real(number, &mut text),
        Value::Bytes(raw) => hexadecimal(raw, &mut text),
        Value::Text(original) => return canonical_text(original, kind, bytes),
    }
    bytes.extend_from_slice(text.as_bytes());
}

/// The canonical bytes of a key of one or more columns: each with its length before it, so that no two keys run into each other.
pub fn key_bytes(key: &[(Value<'_>, &Kind)], bytes: &mut Vec<u8>) {
    for (value, kind) in key {
        let begin = bytes.len();
        bytes.extend_from_slice(&NULL.to_be_bytes());
        canonical(*value, kind, bytes);
        if *value != Value::Null {
            let length = u32::try_from(bytes.len() - begin - 4).unwrap_or(NULL - 1);
            let head = bytes.iter_mut().skip(begin);
            head.zip(length.to_be_bytes())
                .for_each(|(place, byte)| *place = byte);
        }
    }
}

fn canonical_text(original: &str, kind: &Kind, bytes: &mut Vec<u8>) {
    let trimmed = original.trim();
    match kind {
        Kind::Text { folded: true, .. } => {
            bytes.extend_from_slice(original.to_lowercase().as_bytes());
        }
        Kind::Text { .. } if is_uuid(original) => uuid(original, bytes),
        Kind::Boolean => bytes.push(match trimmed.to_ascii_lowercase().as_str() {
            "t" | "true" | "1" | "yes" | "on" => b'1',
            _ => b'0',
        }),
        Kind::Integer(_) | Kind::Decimal { .. } | Kind::Real => number(trimmed, bytes),
        Kind::Uuid => uuid(trimmed, bytes),
        Kind::Date | Kind::Timestamp => time(trimmed, bytes),
        Kind::Bytes => {
            let digits = original.strip_prefix("\\x").unwrap_or(original);
            bytes.extend_from_slice(digits.to_ascii_lowercase().as_bytes());
        }
        _ => bytes.extend_from_slice(original.as_bytes()),
    }
}

/// SQLite keeps UUIDs as text; the same key in PostgreSQL is a UUID.
fn is_uuid(text: &str) -> bool {
    let dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match byte {
            b'-' => dash(at),
            _ => byte.is_ascii_hexdigit() && !dash(at),
        })
}

fn uuid(text: &str, bytes: &mut Vec<u8>) {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit);
    bytes.extend(digits.map(|digit| digit.to_ascii_lowercase()));
}

/// Decimal digits: no plus, no leading zeros, no trailing zeros after a point, no negative zero.
fn number(text: &str, bytes: &mut Vec<u8>) {
    let unsigned = text.trim_start_matches(['+', '-']);
    let plain = !unsigned.is_empty()
        && unsigned
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !plain {
        bytes.extend_from_slice(text.as_bytes());
        return;
    }
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let (whole, fraction) = (
        whole.trim_start_matches('0'),
        fraction.trim_end_matches('0'),
    );
    if text.starts_with('-') && !(whole.is_empty() && fraction.is_empty()) {
        bytes.push(b'-');
    }
    bytes.extend_from_slice(if whole.is_empty() {
        b"0"
    } else {
        whole.as_bytes()
    });
    if !fraction.is_empty() {
        bytes.push(b'.');
        bytes.extend_from_slice(fraction.as_bytes());
    }
}

fn real(value: f64, text: &mut String) {
    let mut bytes = Vec::new();
    number(&format!("{value}"), &mut bytes);
    text.push_str(&String::from_utf8_lossy(&bytes));
}

/// A blank between day and time, no zeros at the end of a second's fraction, and no word for the zone of UTC.
fn time(text: &str, bytes: &mut Vec<u8>) {
    let text = text
        .strip_suffix("+00:00")
        .or_else(|| text.strip_suffix("+00"))
        .or_else(|| text.strip_suffix(['Z', 'z']))
        .unwrap_or(text);
    let blank = text.replacen(['T', 't'], " ", 1);
    let plain = match blank.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => {
            match fraction.trim_end_matches('0') {
                "" => whole.to_owned(),
                fraction => format!("{whole}.{fraction}"),
            }
        }
        _ => blank,
    };
    bytes.extend_from_slice(plain.as_bytes());
}

fn hexadecimal(raw: &[u8], text: &mut String) {
    for byte in raw {
        write_to(text, format_args!("{byte:02x}"));
    }
}

fn write_to(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    #[expect(clippy::expect_used, reason = "writing to a string does not fail")]
    text.write_fmt(arguments)
        .expect("a string takes everything");
}
