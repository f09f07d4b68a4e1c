//! Which values are never shown: those declared secret, and those that are not plainly harmless.

/// What stands in the place of a secret value.
pub const MASK: &str = "••••••";

/// Words in a name that make its value a secret, unless the value is a truth value.
const SECRET_WORDS: &[&str] = &[
    "APIKEY",
    "AUTH",
    "CERT",
    "COOKIE",
    "CRED",
    "CREDENTIAL",
    "CREDENTIALS",
    "CREDS",
    "DSN",
    "HMAC",
    "KEY",
    "KEYS",
    "OTP",
    "PASS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PASSWORDS",
    "PEM",
    "PEPPER",
    "PIN",
    "PRIVATE",
    "PSK",
    "PW",
    "PWD",
    "SALT",
    "SECRET",
    "SECRETS",
    "SEED",
    "SESSION",
    "SIGNATURE",
    "SIGNING",
    "TOKEN",
    "WEBHOOK",
];

/// Whether a setting's value is a secret.
///
/// `declared` is what the manifest says. A URL with credentials in it is a secret whatever is declared. Without a
/// declaration, the name decides where it has a word such as `KEY` or `TOKEN` in it, and otherwise the value: only what
/// is plainly harmless (numbers, truth values, words, addresses without credentials, paths of words) may be shown.
#[must_use]
pub fn is_secret(name: &str, declared: Option<bool>, value: &str) -> bool {
    match declared {
        Some(secret) => secret || has_credentials(value),
        None => {
            has_credentials(value)
                || (name_is_secret(name) && !is_truth_value(value))
                || !is_harmless(value)
        }
    }
}

/// Whether a user or password stands before the host of an address, or a named secret among parameters.
///
/// It does not matter whether the address is well formed: a password with a space in it is a password too.
#[must_use]
pub fn has_credentials(value: &str) -> bool {
    if !value.bytes().any(|byte| byte == b'@' || byte == b'=') {
        return false;
    }
    let after_scheme = value.split_once("://").map(|(_, after)| after);
    let in_url = after_scheme.is_some_and(|after| after.contains('@') && !after.starts_with('@'));
    let before_host = value
        .split_once('@')
        .is_some_and(|(before, _)| before.contains(':'));
    let parameters = value
        .split(['?', '&', ';', ',', ' '])
        .filter_map(|part| part.split_once('='));
    let mut named = parameters.filter(|(name, value)| !value.is_empty() && name_is_secret(name));
    in_url || before_host || named.next().is_some()
}

/// Whether the name alone says so: `STRIPE_API_KEY`, `jwtSecret`, `db.password`.
#[must_use]
pub fn name_is_secret(name: &str) -> bool {
    const ENDS: &[&str] = &["PASSWORD", "SECRET", "TOKEN", "APIKEY"];
    const PUBLIC: &[&str] = &["PUBLIC", "PUBLISHABLE"];
    let is_one_of =
        |word: &str, known: &[&str]| known.iter().any(|one| one.eq_ignore_ascii_case(word));
    let ends = |word: &str| {
        ENDS.iter().any(|end| {
            let tail = word
                .len()
                .checked_sub(end.len())
                .and_then(|start| word.get(start..));
            tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        })
    };
    let is_secret = words_of(name).any(|word| is_one_of(word, SECRET_WORDS) || ends(word));
    is_secret && !words_of(name).any(|word| is_one_of(word, PUBLIC))
}

/// The words of a name, at `_`, `.`, `-` and where a capital follows a small letter.
fn words_of(name: &str) -> impl Iterator<Item = &str> {
    let parts = name.split(|character: char| !character.is_ascii_alphanumeric());
    parts.flat_map(|part| {
        let bytes = part.as_bytes();
        let humps = bytes
            .windows(2)
            .enumerate()
            .filter_map(|(index, pair)| match pair {
                [small, capital] if small.is_ascii_lowercase() && capital.is_ascii_uppercase() => {
                    Some(index + 1)
                }
                _ => None,
            });
        let mut start = 0;
        humps.chain([part.len()]).filter_map(move |end| {
            let word = part.get(start..end);
            start = end;
            word
        })
    })
}

fn is_truth_value(value: &str) -> bool {
    value.is_empty()
        || ["true", "false", "yes", "no", "on", "off"]
            .iter()
            .any(|word| word.eq_ignore_ascii_case(value))
}

/// Whether nothing in the text could be a secret: it is one line, and every part between separators is a word or
/// a short mixture.
fn is_harmless(value: &str) -> bool {
    const LONGEST: usize = 200;
    let one_line = !value.contains(char::is_control);
    let parts = || value.split(|character: char| !character.is_alphanumeric());
    value.len() <= LONGEST && one_line && parts().all(is_harmless_word)
}

/// A word of letters, a number of up to nine digits, or a mixture of up to five such as `4o`, `v2` or `east1`.
fn is_harmless_word(word: &str) -> bool {
    const LONGEST_WORD: usize = 20;
    const LONGEST_NUMBER: usize = 9;
    const LONGEST_MIXTURE: usize = 5;
    let (mut letters, mut digits, mut humps) = (0, 0, 0);
    let mut previous_is_small = false;
    for character in word.chars() {
        if character.is_alphabetic() {
            letters += 1;
            // Capitals inside small letters are rare in words and common in keys.
            humps += usize::from(previous_is_small && character.is_uppercase());
        } else {
            digits += 1;
        }
        previous_is_small = character.is_lowercase();
    }
    match (letters, digits) {
        (length, 0) => length <= LONGEST_WORD && humps <= 3,
        (0, length) => length <= LONGEST_NUMBER,
        (letters, digits) => letters + digits <= LONGEST_MIXTURE,
    }
}

/// Whether the value is one that people leave to be filled in.
#[must_use]
pub fn is_placeholder(value: &str) -> bool {
    const WORDS: &[&str] = &[
        "change_me",
        "changeit",
        "changeme",
        "changethis",
        "fixme",
        "placeholder",
        "replace_me",
        "replaceme",
        "tbd",
        "todo",
        "xxx",
    ];
    let lowered = value.trim().to_ascii_lowercase().replace('-', "_");
    let bracketed = lowered.len() > 2 && lowered.starts_with('<') && lowered.ends_with('>');
    let crossed = lowered.len() >= 3 && lowered.bytes().all(|byte| byte == b'x' || byte == b'*');
    let begun = [
        "your_",
        "your ",
        "my_secret",
        "insert_",
        "enter_",
        "put_your",
        "example_",
    ];
    WORDS.contains(&lowered.as_str())
        || bracketed
        || crossed
        || begun.iter().any(|start| lowered.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_so() {
        for name in [
            "STRIPE_API_KEY",
            "jwtSecret",
            "db.password",
            "GITHUB_TOKEN",
            "SENTRY_DSN",
            "DBPASSWORD",
        ] {
            assert!(name_is_secret(name), "{name}");
        }
        for name in [
            "MAX_TOKENS",
            "KEYBOARD",
            "STRIPE_PUBLISHABLE_KEY",
            "LOG_LEVEL",
            "MONKEY",
        ] {
            assert!(!name_is_secret(name), "{name}");
        }
    }

    #[test]
    fn only_what_is_plainly_harmless_is_shown() {
        for value in [
            "debug",
            "true",
            "4096",
            "30s",
            "gpt-4o-mini",
            "http://localhost:8000/api/v1",
            "data/dev.db",
            "Web Assistant",
            "us-east-1",
            "a@example.com",
            "",
            "1000 per day,200 per hour",
        ] {
            assert!(!is_secret("PLAIN", None, value), "{value}");
        }
        for value in [
            "hunter2",
            "postgres://u:p@h/d",
            "redis://token@h",
            "sk_live_51H8xYz",
            "https://hooks.example.com/T00000000/B11111111/abcdEFGHijkl",
            "postgres://app:my pass@h/d",
            "jdbc:postgresql://h/d?user=a&password=secret",
            "jdbc:mysql://root:secret@h/d",
            "Server=db;Password=secret;",
            "user:secret@mail.example",
            "-----BEGIN KEY-----\nMIIE",
            "AKIAIOSFODNN7EXAMPLE",
            "0000000000000000",
            "aGVsbG8gd29ybGQ",
        ] {
            assert!(is_secret("PLAIN", None, value), "{value}");
        }
        assert!(is_secret("API_KEY", None, "test"));
        assert!(!is_secret("SMTP_AUTH", None, "true"));
    }

    #[test]
    fn a_declaration_wins_but_not_over_credentials() {
        assert!(is_secret("NAME", Some(true), "x"));
        assert!(!is_secret("API_KEY", Some(false), "sk_test_1234567"));
        assert!(is_secret("DB_URL", Some(false), "postgres://u:p@h/d"));
    }

    #[test]
    fn placeholders() {
        for value in [
            "changeme",
            "CHANGE-ME",
            "<your key>",
            "your-api-key",
            "xxx",
            "xxxxxxxx",
            "TODO",
        ] {
            assert!(is_placeholder(value), "{value}");
        }
        for value in ["", "x", "secret", "yours"] {
            assert!(!is_placeholder(value), "{value}");
        }
    }
}
