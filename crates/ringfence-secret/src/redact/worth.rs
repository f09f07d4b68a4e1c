//! What is worth looking for: which values, and what inside them.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

/// Shorter values are left alone.
pub const SHORTEST_CHARACTERS: usize = 8;

const FEWEST_DIFFERENT: usize = 4;
const SHORTEST_NUMBER: usize = 16;
const SHORTEST_WORDS: usize = 12;
/// A line of a longer text is shorter by chance more often.
const SHORTEST_LINE: usize = 16;

/// Whether a value is looked for; the rule is in the documentation of [`super::Patterns::left_alone`].
pub(super) fn is_sought(value: &str) -> bool {
    let characters = value.chars().count();
    let different: BTreeSet<char> = value.chars().take(1_000).collect();
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    characters >= SHORTEST_CHARACTERS
        && different.len() >= FEWEST_DIFFERENT
        && !(digits < SHORTEST_NUMBER && is_number(value))
        && !(characters < SHORTEST_WORDS && is_words(value))
}

fn is_number(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".-+:,_/ ".contains(&byte))
}

fn is_words(value: &str) -> bool {
    let mut words = value.split(['-', '_', '.', ':', '/', '@', ' ']);
    words.all(|word| {
        let all = |fits: fn(&u8) -> bool| word.bytes().all(|byte| fits(&byte));
        let after_first = word.bytes().skip(1);
        all(u8::is_ascii_digit)
            || all(u8::is_ascii_uppercase)
            || (all(u8::is_ascii_alphabetic)
                && after_first.clone().all(|byte| byte.is_ascii_lowercase()))
    })
}

/// What is a secret by itself inside a value: the value without white space around it, the passwords of URLs, and lines.
pub(super) fn parts(value: &str) -> Vec<Zeroizing<String>> {
    let mut parts = Vec::new();
    let mut add = |part: &str| {
        if part != value && is_sought(part) {
            parts.push(Zeroizing::new(part.to_owned()));
        }
    };
    add(value.trim());
    for (at, mark) in value.match_indices("://") {
        let rest = value.get(at + mark.len()..).unwrap_or_default();
        if let Some(password) = password(rest) {
            add(password);
            if let Some(decoded) = decoded(password) {
                add(&decoded);
            }
        }
    }
    // Files of settings often have the two characters `\n` for the end of a key's line.
    for line in value.split(['\n', '\r']).flat_map(|line| line.split("\\n")) {
        let line = line.trim();
        if !line.starts_with("-----") && line.chars().count() >= SHORTEST_LINE {
            add(line);
        }
    }
    parts
}

/// The password of a URL, from behind its `//` on; the user where there is no password, for then it is a token. Passwords with `/`,
/// `?` or `#` in them are no URLs, but work here and there.
fn password(rest: &str) -> Option<&str> {
    let rest = rest.split(char::is_whitespace).next()?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority
        .rsplit_once('@')
        .or_else(|| rest.rsplit_once('@'))?;
    match user.split_once(':') {
        Some((_, password)) if !password.is_empty() => Some(password),
        Some((user, _)) => Some(user),
        None => Some(user),
    }
}

/// The text with `%XX` replaced; nothing where there is none, or it is no text.
fn decoded(text: &str) -> Option<Zeroizing<String>> {
    let mut pieces = text.split('%');
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    bytes.extend_from_slice(pieces.next()?.as_bytes());
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        plain.then_some(())?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    let decoded = std::str::from_utf8(&bytes).ok()?;
    (decoded != text).then(|| Zeroizing::new(decoded.to_owned()))
}
