//! What a value is worth and where it points, as far as its text tells.

use ringfence_model::value::endpoint::Url;
use ringfence_model::value::secrecy;

/// What a secret's text is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// Nothing is there.
    Empty,
    /// It comes from elsewhere: `${NAME}`, `{{ … }}`, a file, a vault.
    Reference,
    /// Left to be filled in.
    Placeholder,
    /// Everybody could guess it.
    Weak,
    /// Nobody could.
    Strong,
}

/// What a secret's text is worth.
#[must_use]
pub fn strength(value: &str) -> Strength {
    let value = value.trim();
    if value.is_empty() {
        Strength::Empty
    } else if is_reference(value) || is_path(value) {
        Strength::Reference
    } else if is_placeholder(value) {
        Strength::Placeholder
    } else if is_weak(value) {
        Strength::Weak
    } else {
        Strength::Strong
    }
}

/// Whether the value is the path of a file, where a secret may be kept.
fn is_path(value: &str) -> bool {
    let begins = value.starts_with(['/', '~']) || value.starts_with("./");
    // Encoded bytes begin with a slash too, now and then.
    begins
        && value.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._/-~".contains(&byte)
        })
}

/// Whether the value, or part of it, is filled in by something else.
#[must_use]
pub fn is_reference(value: &str) -> bool {
    const BEGINNINGS: &[&str] = &[
        "arn:",
        "base64:$",
        "encrypted:",
        "ENC[",
        "file://",
        "gcp-sm://",
        "op://",
        "ssm:",
        "vault:",
        "@Microsoft.KeyVault",
        "secretsmanager:",
        "doppler:",
        "keyvault:",
        "sm://",
    ];
    if !value.bytes().any(|byte| b"$:[{<%#".contains(&byte)) {
        return false;
    }
    let begins = BEGINNINGS.iter().any(|start| value.starts_with(start));
    let holds = ["${", "$(", "{{", "<%", "%(", "#{"]
        .iter()
        .any(|mark| value.contains(mark));
    let is_name = value.strip_prefix('$').is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    });
    begins || holds || is_name
}

/// Whether the value is the ciphertext of SOPS.
#[must_use]
pub fn is_encrypted(value: &str) -> bool {
    value.starts_with("ENC[AES256_GCM,")
}

/// Whether the value is one that people are meant to replace.
#[must_use]
pub fn is_placeholder(value: &str) -> bool {
    const MARKS: &[&str] = &[
        "change-me",
        "change_me",
        "changeit",
        "changeme",
        "changethis",
        "change-this",
        "change_this",
        "placeholder",
        "replace-me",
        "replace_me",
        "replaceme",
        "replace-with",
        "replace_with",
        "replacewith",
        "your-",
        "your_",
        "yourdomain",
        "insert-",
        "insert_",
        "put-your",
        "dummy",
        "example-key",
        "fill-me",
        "fillme",
        "fill_me",
        "-here",
        "_here",
        "to-be-",
        "<your",
        "shouldbechanged",
        "should-be-changed",
        "should_be_changed",
        "not-a-real",
        "not_a_real",
        "redacted",
        "generate-",
        "generate_",
        "a-random-",
        "some-random",
        "secret-goes",
    ];
    let lowered = value.trim().to_ascii_lowercase();
    let shouted = lowered.starts_with("!!!");
    let dotted = lowered.ends_with("...") || lowered.ends_with('…');
    let repeated = longest_run(&lowered, &['x', '*', '.', '_', '-']) >= 4;
    let bracketed = (lowered.starts_with('<') && lowered.ends_with('>'))
        || (lowered.starts_with('[') && lowered.ends_with(']'));
    secrecy::is_placeholder(value)
        || shouted
        || dotted
        || repeated
        || bracketed
        || MARKS.iter().any(|mark| lowered.contains(mark))
}

/// The longest run of one of `characters`.
fn longest_run(text: &str, characters: &[char]) -> usize {
    let (mut longest, mut run, mut previous) = (0, 0, '\0');
    for character in text.chars() {
        let goes_on = character == previous && characters.contains(&character);
        run = if goes_on { run + 1 } else { 1 };
        longest = longest.max(if characters.contains(&character) {
            run
        } else {
            0
        });
        previous = character;
    }
    longest
}

/// Whether the value is short, made of plain words, or of few different characters.
fn is_weak(value: &str) -> bool {
    const LEAST_LENGTH: usize = 10;
    const LEAST_CHARACTERS: usize = 6;
    let lowered = value.to_ascii_lowercase();
    let mut different: Vec<char> = lowered.chars().collect();
    different.sort_unstable();
    different.dedup();
    let is_phrase = lowered
        .split(|character: char| !character.is_ascii_alphanumeric())
        .all(|word| {
            word.bytes().all(|byte| byte.is_ascii_lowercase())
                && word.len() <= 20
                && is_pronounceable(word)
        });
    let says_so = [
        "password", "secret", "passwd", "qwerty", "letmein", "123456", "admin", "mysecret",
    ]
    .iter()
    .any(|word| lowered.contains(word) && lowered.len() <= word.len() + 12);
    value.len() < LEAST_LENGTH || different.len() < LEAST_CHARACTERS || is_phrase || says_so
}

/// Whether a word has vowels about as often as language has.
fn is_pronounceable(word: &str) -> bool {
    if word.len() < 4 {
        return true;
    }
    let vowels = word.bytes().filter(|byte| b"aeiouy".contains(byte)).count();
    let longest_without = word
        .split(['a', 'e', 'i', 'o', 'u', 'y'])
        .map(str::len)
        .max()
        .unwrap_or(0);
    vowels * 6 >= word.len() && longest_without <= 4
}

/// What stands in for a value that the surroundings may set: `${NAME:-default}` as shells and Compose write it,
/// `${NAME:default}` as Spring does.
#[must_use]
pub fn fallback(value: &str) -> Option<(&str, &str)> {
    let inner = value.trim().strip_prefix("${")?.strip_suffix('}')?;
    let (names, after) = inner.split_once(':')?;
    let name = names.split(',').next().unwrap_or(names).trim();
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    let default = after.strip_prefix('-').unwrap_or(after);
    let other = after.starts_with(['?', '+']) || default.contains("${");
    (is_name && !other).then_some((name, default))
}

/// The password inside a URL or DSN.
#[must_use]
pub fn password_in(value: &str) -> Option<&str> {
    if let Some(userinfo) = Url::parse(value).and_then(|url| url.userinfo) {
        return userinfo.split_once(':').map(|(_, password)| password);
    }
    let mut pairs = value
        .split(['?', '&', ';', ' '])
        .filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(name, _)| {
            ["password", "pwd"]
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known))
        })
        .map(|(_, password)| password)
}

/// The hosts that a value names: of a URL, of a list of URLs or origins, or the value itself where `is_host` says that
/// the setting holds a host.
#[must_use]
pub fn hosts(value: &str, is_host: bool) -> Vec<&str> {
    let mut hosts = Vec::new();
    if !is_host && !value.contains("://") {
        return hosts;
    }
    let pieces = value
        .split([',', ' ', '[', ']', '"', '\'', '\n', '\t'])
        .filter(|piece| !piece.is_empty());
    for piece in pieces {
        match Url::parse(piece) {
            Some(url) => hosts.extend(url.hosts.split(',').map(without_port)),
            None if is_host => hosts.push(without_port(piece)),
            None => {}
        }
    }
    hosts.retain(|host| is_host_name(host));
    hosts
}

fn is_host_name(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(plain)
        && host.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

fn without_port(host: &str) -> &str {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.split(']').next().unwrap_or(inner);
    }
    match host.rsplit_once(':') {
        Some((before, port))
            if !before.contains(':') && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            before
        }
        _ => host,
    }
}

/// Whether the host is this machine, whichever that is.
#[must_use]
pub fn is_local(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.starts_with("127.")
        || host == "::1"
        || host == "host.docker.internal"
}

/// Whether the host has a meaning only inside one network: a service's name, a private address, an internal domain.
#[must_use]
pub fn is_internal(host: &str) -> bool {
    const DOMAINS: &[&str] = &[
        ".internal",
        ".local",
        ".lan",
        ".svc",
        ".cluster",
        ".intranet",
        ".corp",
        ".home",
        ".private",
        ".consul",
        ".docker",
        ".flycast",
    ];
    let numbers: Vec<&str> = host.split('.').collect();
    let private = match numbers.as_slice() {
        ["10", _, _, _] | ["192", "168", _, _] | ["169", "254", _, _] | ["0", "0", "0", "0"] => {
            true
        }
        ["172", second, _, _] => second
            .parse::<u8>()
            .is_ok_and(|second| (16..32).contains(&second)),
        _ => false,
    };
    let lowered = host.to_ascii_lowercase();
    is_local(host)
        || private
        || !host.contains('.')
        || host.contains(':')
        || DOMAINS.iter().any(|end| lowered.ends_with(end))
        || lowered.contains(".svc.")
}

/// What a truth value says; `None` where it is none.
#[must_use]
pub fn truth(value: &str) -> Option<bool> {
    let word = value.trim().to_ascii_lowercase();
    match word.as_str() {
        word if ON.contains(&word) => Some(true),
        word if OFF.contains(&word) => Some(false),
        _ => None,
    }
}

/// The words for true.
pub(crate) const ON: &[&str] = &["true", "1", "yes", "on", "enabled"];
/// The words for false.
pub(crate) const OFF: &[&str] = &["false", "0", "no", "off", "disabled"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_weighed() {
        for (value, expected) in [
            ("", Strength::Empty),
            ("${SECRET}", Strength::Reference),
            ("op://vault/item", Strength::Reference),
            ("changethis", Strength::Placeholder),
            ("your-llm-api-key", Strength::Placeholder),
            ("sk-XXXXXXXXXXXXXXXX", Strength::Placeholder),
            ("postgres", Strength::Weak),
            ("0000000000000000000000000000000000000000", Strength::Weak),
            (
                "super-long-and-secret-random-key-needed-to-verify",
                Strength::Weak,
            ),
            ("mybasicauthsecret", Strength::Weak),
            ("9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c", Strength::Strong),
            ("kR9vXw2mQpL8tZs4", Strength::Strong),
        ] {
            assert_eq!(strength(value), expected, "{value}");
        }
    }

    #[test]
    fn fallbacks_are_told_apart_from_refusals() {
        assert_eq!(fallback("${APP_ENV:prod}"), Some(("APP_ENV", "prod")));
        assert_eq!(fallback("${A:-b}"), Some(("A", "b")));
        assert_eq!(fallback("${A,B:-1}"), Some(("A", "1")));
        assert_eq!(fallback("${A:?no}"), None);
        assert_eq!(fallback("${A}"), None);
        assert_eq!(fallback("x ${A:b}"), None);
    }

    #[test]
    fn hosts_are_taken_from_urls_and_lists() {
        assert_eq!(
            hosts("postgres://u:p@db.example.com:5432/x", false),
            ["db.example.com"]
        );
        assert_eq!(
            hosts("[\"http://localhost\", \"https://a.example\"]", false),
            ["localhost", "a.example"]
        );
        assert_eq!(hosts("redis.example.com:6379", true), ["redis.example.com"]);
        assert!(hosts("hello", false).is_empty());
    }
}
