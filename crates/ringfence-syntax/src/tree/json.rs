//! JSON, with the comments that some frameworks allow in it (`appsettings.json`, `tsconfig.json`).
//!
//! JSON is YAML in flow style, so the same parser reads it once the comments are blanked out.

use ringfence_diagnostic::SourceId;

use super::{Parsed, yaml};

/// Reads a file.
#[must_use]
pub fn parse(source: SourceId, text: &str) -> Parsed {
    yaml::parse(source, &without_comments(text))
}

/// The text with `//` and `/* */` comments replaced by as many spaces, so that every span stays where it is.
fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '/']) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let (length, is_comment) = if from.starts_with('"') {
            (string_length(from), false)
        } else if from.starts_with("//") {
            (from.find('\n').unwrap_or(from.len()), true)
        } else if from.starts_with("/*") {
            (from.find("*/").map_or(from.len(), |end| end + 2), true)
        } else {
            (1, false)
        };
        let (piece, after) = from.split_at(length);
        if is_comment {
            plain.extend(
                piece
                    .bytes()
                    .map(|byte| if byte == b'\n' { '\n' } else { ' ' }),
            );
        } else {
            plain.push_str(piece);
        }
        rest = after;
    }
    plain.push_str(rest);
    plain
}

/// The length of the string that the text begins with, its quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}
