//! The text of values: kept, never worked out anew.

use std::fmt;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Object,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Null => "`null`",
            Self::Boolean => "a truth value",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Object => "an object",
        })
    }
}

/// The kind of a JSON text, which its first character says.
pub(super) fn kind(text: &str) -> Kind {
    match text.as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::List,
        Some(b'"') => Kind::Text,
        Some(b't' | b'f') => Kind::Boolean,
        Some(b'n') | None => Kind::Null,
        Some(_) => Kind::Number,
    }
}

/// JSON without the space between its parts.
pub(super) fn compact(json: &str) -> String {
    let mut compact = String::with_capacity(json.len());
    let (mut in_text, mut escaped) = (false, false);
    for letter in json.chars() {
        if !in_text && letter.is_ascii_whitespace() {
            continue;
        }
        compact.push(letter);
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_text = !in_text,
            _ => {}
        }
    }
    compact
}

/// A number of TOML as JSON spells it: `1_000` as `1000`, `+5` as `5`, `0xff` as `255`, anything else as it is.
pub(super) fn of_toml(number: &str) -> Option<String> {
    let plain = number.replace('_', "");
    let plain = plain.strip_prefix('+').unwrap_or(&plain);
    let radixes = [("0x", 16), ("0o", 8), ("0b", 2)];
    for (prefix, radix) in radixes {
        if let Some(digits) = plain.strip_prefix(prefix) {
            return Some(u64::from_str_radix(digits, radix).ok()?.to_string());
        }
    }
    let is_number = kind(plain) == Kind::Number;
    let parsed = serde_json::from_str::<serde_json::Number>(plain);
    (is_number && parsed.is_ok()).then(|| plain.to_owned())
}
