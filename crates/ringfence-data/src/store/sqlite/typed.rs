//! What a value was before it became text, where its column does not say.
//!
//! A column of SQLite without a type, of `BLOB`, or of `ANY` keeps each value as it comes (<https://www.sqlite.org/datatype3.html>,
//! "Determination Of Column Affinity"), and in it the number 1 is not the text `1`. What reads as bytes or as a number in its one
//! spelling is taken for that.

use rusqlite::types::Value;

/// Whether a column of this declared type keeps every value as it comes.
pub(crate) fn is_loose(declared: &str) -> bool {
    let declared = declared.to_ascii_uppercase();
    let named = |word: &&str| declared.contains(*word);
    let has_affinity = ["INT", "CHAR", "CLOB", "TEXT"].iter().any(named);
    declared.is_empty() || declared == "ANY" || (declared.contains("BLOB") && !has_affinity)
}

/// The value that a text was.
pub(crate) fn value(text: &str) -> Value {
    if let Some(bytes) = bytes(text) {
        return Value::Blob(bytes);
    }
    if let Some(whole) = text.parse::<i64>().ok().filter(|n| n.to_string() == text) {
        return Value::Integer(whole);
    }
    let real = text.parse::<f64>().ok();
    let real = real.filter(|n| n.is_finite() && n.to_string() == text);
    real.map_or_else(|| Value::Text(text.to_owned()), Value::Real)
}

/// Bytes, as `\x` and two digits for each.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    };
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_was_is_known_by_its_spelling() {
        assert_eq!(value("17"), Value::Integer(17));
        assert_eq!(value("017"), Value::Text("017".into()));
        assert_eq!(value("-0.5"), Value::Real(-0.5));
        assert_eq!(value("1e3"), Value::Text("1e3".into()));
        assert_eq!(value("\\x00fF"), Value::Blob(vec![0, 255]));
        for text in ["\\x0", "\\xzz", "\\x+1", "", "NaN", "inf"] {
            assert_eq!(value(text), Value::Text(text.into()), "{text}");
        }
        assert_eq!(value("\\x"), Value::Blob(Vec::new()));
    }

    #[test]
    fn columns_without_an_affinity_are_loose() {
        for declared in ["", "blob", "ANY", "LONGBLOB"] {
            assert!(is_loose(declared), "{declared}");
        }
        for declared in ["INTEGER", "text", "NUMERIC", "POINT", "varchar(3)"] {
            assert!(!is_loose(declared), "{declared}");
        }
    }
}
