use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use proptest::prelude::*;
use proptest::sample::Index;

use super::search::Spelling;
use super::*;

/// What comes out for a text that comes in pieces of these lengths, over and over.
fn passed(mut stream: Stream, text: &[u8], lengths: &[usize]) -> Vec<u8> {
    let (mut rest, mut out) = (text, Vec::new());
    for length in lengths.iter().cycle() {
        let (chunk, later) = rest.split_at((*length).min(rest.len()));
        stream.pass(chunk, &mut out);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    stream.finish(&mut out);
    out
}

fn check(secrets: &[(&str, &str)], text: &str, expected: &str) {
    let patterns = Patterns::new(secrets.iter().copied());
    for lengths in [&[1][..], &[2], &[7, 1], &[usize::MAX]] {
        let out = passed(patterns.stream(), text.as_bytes(), lengths);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{lengths:?}");
    }
}

/// The same without any art: at each place all patterns are compared, and a place within a finding may begin another one.
fn slow(search: &Search, text: &[u8]) -> Vec<u8> {
    let (mut out, mut done, mut last) = (Vec::new(), 0, None);
    for at in 0..=text.len() {
        let here = search.patterns().filter(|p| text[at..].starts_with(p));
        if let Some(longest) = here.max_by_key(|pattern| pattern.len()) {
            let name = search.at(longest).longest.unwrap().1;
            if at >= done || (at + longest.len() > done && last != Some(name)) {
                out.extend_from_slice(search.label(name));
                last = Some(name);
            }
            done = done.max(at + longest.len());
        }
        if at >= done && at < text.len() {
            out.push(text[at]);
        }
    }
    out
}

#[test]
fn a_secret_is_replaced_by_its_name() {
    let secrets = [("KEY", "s3cr3t-Value"), ("OTHER", "an0ther/one+")];
    check(&secrets, "a=s3cr3t-Value.", "a=[redacted:KEY].");
    check(
        &secrets,
        "s3cr3t-Values3cr3t-Valuean0ther/one+",
        "[redacted:KEY][redacted:KEY][redacted:OTHER]",
    );
    check(&secrets, "s3cr3t-Valu", "s3cr3t-Valu");
    check(&[], "anything", "anything");
}

#[test]
fn the_longest_is_found_and_nothing_of_what_overlaps_is_left() {
    let secrets = [
        ("SHORT", "abcd1234"),
        ("LONG", "abcd1234efgh"),
        ("END", "1234efgh5678"),
    ];
    check(&secrets, "abcd1234.", "[redacted:SHORT].");
    check(&secrets, "abcd1234efgh.", "[redacted:LONG].");
    check(&secrets, "abcd1234efg.", "[redacted:SHORT]efg.");
    check(
        &secrets,
        "abcd1234efgh5678.",
        "[redacted:LONG][redacted:END].",
    );
    check(
        &[("A", "abc1abc1abc1")],
        "abc1abc1abc1abc1.",
        "[redacted:A].",
    );
}

#[test]
fn what_two_have_in_common_is_the_first_ones() {
    check(
        &[("B", "s3cr3t-Value"), ("A", "s3cr3t-Value")],
        "s3cr3t-Value",
        "[redacted:B]",
    );
    let url = "postgres://app:s3cr3t-Value@db/x";
    check(
        &[("URL", url), ("PASSWORD", "s3cr3t-Value")],
        &format!("{url} s3cr3t-Value"),
        "[redacted:URL] [redacted:PASSWORD]",
    );
}

#[test]
fn the_password_of_a_url_is_a_secret_by_itself() {
    for (url, password) in [
        ("postgres://user:p4ss-W0rd@host/db", "p4ss-W0rd"),
        ("redis://:p4ss%2FW0rd%21@host", "p4ss/W0rd!"),
        ("redis://:p4ss%2FW0rd%21@host", "p4ss%2FW0rd%21"),
        ("amqp://user:p4ss/W0rd@host/v", "p4ss/W0rd"),
        ("https://t0ken-0f-s0meone@host", "t0ken-0f-s0meone"),
        ("https://t0ken-0f-s0meone:@host", "t0ken-0f-s0meone"),
        ("redis://:first-0ne@a,redis://:sec0nd-0ne@b", "sec0nd-0ne"),
        ("https://host?u=http://a:p4ss-W0rd@b/", "p4ss-W0rd"),
    ] {
        let text = format!("login {password}.");
        check(&[("URL", url)], &text, "login [redacted:URL].");
    }
    let host = "postgres://user:pass@db.example.test/app";
    check(
        &[("URL", host)],
        "db.example.test pass",
        "db.example.test pass",
    );
}

#[test]
fn lines_of_a_key_are_secrets_by_themselves() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    for end in ["\n", "\r\n", "\\n"] {
        let key = format!(
            "-----BEGIN PRIVATE KEY-----{end}{line}{end}shOrt1{end}-----END PRIVATE KEY-----{end}"
        );
        let secrets = [("KEY", key.as_str())];
        check(&secrets, &format!("> {line} <"), "> [redacted:KEY] <");
        check(&secrets, &key, "[redacted:KEY]");
        let header = "-----BEGIN PRIVATE KEY-----\nshOrt1";
        check(&secrets, header, header);
    }
    check(
        &[("A", "s3cr3t-Value\n")],
        "(s3cr3t-Value)",
        "([redacted:A])",
    );
}

#[test]
fn short_lines_are_found_as_a_terminal_prints_them() {
    let secrets = [("GRID", "abcd1234\nefgh5678")];
    check(&secrets, "abcd1234\nefgh5678", "[redacted:GRID]");
    check(&secrets, "abcd1234\r\nefgh5678\r\n", "[redacted:GRID]\r\n");
}

#[test]
fn base64_is_found_in_lines() {
    let secret =
        "aLongSecret-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ-0987";
    for (end, width) in [("", 76), ("\n", 76), ("", 64), ("\n", 64)] {
        let encoded = BASE64_STANDARD.encode(format!("{secret}{end}"));
        let lines: Vec<&[u8]> = encoded.as_bytes().chunks(width).collect();
        let text = lines.join(&b'\n');
        let patterns = Patterns::new([("KEY", secret)]);
        let out = String::from_utf8(passed(patterns.stream(), &text, &[7])).unwrap();
        for line in out.lines() {
            let rest = line.strip_prefix("[redacted:KEY]");
            assert!(rest.is_some_and(|rest| rest.len() <= 4), "{width}: {out}");
        }
    }
}

#[test]
fn common_values_are_left_alone_and_named() {
    for value in [
        "true",
        "5432",
        "dev",
        "abc1234",
        "localhost",
        "production",
        "Production",
        "us-east-1",
        "1234567890",
        "2026-01-02 10:20",
        "10.0.0.12:5432",
        "aaaaaaaaaaaa",
        "--------",
        "ünïcödé",
        "https://a.b",
    ] {
        let patterns = Patterns::new([("A", value), ("EMPTY", "")]);
        assert_eq!(patterns.left_alone(), ["A"], "{value}");
        assert!(patterns.is_empty());
        assert_eq!(
            passed(patterns.stream(), value.as_bytes(), &[1]),
            value.as_bytes()
        );
    }
    for value in [
        "a8f3k29d",
        "hunter2abc",
        "correct-horse-battery",
        "abcdefghijkl",
        "pAssword",
        "1234567890123456",
        "ünïcödé!",
        "a8f3-k29d",
        "postgresQL",
    ] {
        let patterns = Patterns::new([("A", value)]);
        assert!(patterns.left_alone().is_empty(), "{value}");
        check(&[("A", value)], value, "[redacted:A]");
    }
}

#[test]
fn only_what_may_be_a_beginning_waits() {
    let patterns = Patterns::new([("A", "s3cr3t-Value"), ("B", "s3cr3t-Value-of-B")]);
    let (mut stream, mut out) = (patterns.stream(), Vec::new());
    for (chunk, so_far) in [
        ("no secret", "no secret"),
        (" here: s3", "no secret here: "),
        ("cr3t-Val", "no secret here: "),
        ("ue-of", "no secret here: "),
        (" s", "no secret here: [redacted:A]-of "),
    ] {
        stream.pass(chunk.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out.clone()).unwrap(), so_far);
    }
    stream.finish(&mut out);
    assert!(out.ends_with(b"-of s"));
}

/// Percent-encoding as its standards say it: every byte but letters, digits and these.
fn percent_encoded(text: &str, left: &str, space: &str) -> String {
    let one = |byte: u8| match byte {
        b' ' => space.to_owned(),
        byte if byte.is_ascii_alphanumeric() || left.as_bytes().contains(&byte) => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// The digits of `%XX` in lower case; there is no other `%`.
fn in_lower_hex(encoded: &str) -> String {
    let mut pieces = encoded.split('%');
    let mut text = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at(2);
        text.extend(["%", &digits.to_lowercase(), rest]);
    }
    text
}

fn ascii_json(text: &str, upper: bool) -> String {
    let json = serde_json::to_string(text).unwrap();
    let one = |unit: u16| match (u8::try_from(unit), upper) {
        (Ok(byte), _) if byte < 127 => char::from(byte).to_string(),
        (_, true) => format!("\\u{unit:04X}"),
        (_, false) => format!("\\u{unit:04x}"),
    };
    json.encode_utf16().map(one).collect()
}

/// A secret between other texts, in one of the ways to write it.
fn planted(before: &str, secret: &str, after: &str, way: usize) -> String {
    let whole = [before, secret, after].concat();
    let json = |text: &str| serde_json::to_string(text).unwrap();
    match way {
        0 => whole,
        1 => BASE64_STANDARD.encode(whole),
        2 => BASE64_URL_SAFE.encode(whole),
        3 => percent_encoded(&whole, "-._~", "%20"),
        4 => in_lower_hex(&percent_encoded(&whole, "-._~", "+")),
        5 => percent_encoded(&whole, "-._*", "+"),
        6 => percent_encoded(&whole, "-._~!*'()", "%20"),
        7 => percent_encoded(&whole, "-._~/", "%20"),
        8 => json(&whole),
        9 => json(&whole).replace('/', "\\/"),
        10 => ascii_json(&whole, false),
        11 => ascii_json(&whole, true),
        _ => json(&whole)
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026"),
    }
}

/// The characters that are there whatever stands around the secret.
fn of_the_secret(before: &str, secret: &str, way: usize) -> String {
    let text = planted("", secret, "", way);
    match way {
        1 | 2 => {
            let from = (before.len() * 8).div_ceil(6);
            let to = (before.len() + secret.len()) * 8 / 6;
            planted(before, secret, "", way)
                .get(from..to)
                .unwrap()
                .to_owned()
        }
        8.. => text.get(1..text.len() - 1).unwrap().to_owned(),
        _ => text,
    }
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..40, 1..8)
}

fn search_of(patterns: &[Vec<u8>]) -> Search {
    let spellings = patterns.iter().enumerate().map(|(at, bytes)| Spelling {
        bytes: Zeroizing::new(bytes.clone()),
        name: at % 3,
    });
    let labels = (0..3).map(|name| format!("[{name}]")).collect();
    Search::new(spellings.collect(), labels)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn chunks_change_nothing(
        patterns in prop::collection::vec("[ab]{8,14}", 0..8),
        pieces in prop::collection::vec(prop_oneof![
            2 => "[abc]{0,12}".prop_map(Ok),
            3 => any::<(Index, Index)>().prop_map(Err),
        ], 0..12),
        lengths in lengths(),
    ) {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Ok(other) => text.push_str(&other),
                Err((which, length)) if !patterns.is_empty() => {
                    let pattern = which.get(&patterns);
                    text.push_str(pattern.get(..=length.index(pattern.len())).unwrap());
                }
                Err(_) => {}
            }
        }
        let patterns: Vec<Vec<u8>> = patterns.into_iter().map(String::into_bytes).collect();
        let search = Arc::new(search_of(&patterns));
        let expected = slow(&search, text.as_bytes());
        let all = Patterns { search, left_alone: Vec::new() };
        prop_assert_eq!(&passed(all.stream(), text.as_bytes(), &lengths), &expected);
        prop_assert_eq!(&passed(all.stream(), text.as_bytes(), &[usize::MAX]), &expected);
    }

    #[test]
    fn what_waits_is_a_beginning(
        patterns in prop::collection::vec("[ab]{8,14}", 1..8),
        text in "[abc]{0,60}",
        lengths in lengths(),
    ) {
        let patterns: Vec<Vec<u8>> = patterns.into_iter().map(String::into_bytes).collect();
        let all = Patterns { search: Arc::new(search_of(&patterns)), left_alone: Vec::new() };
        let (mut stream, mut out, mut rest) = (all.stream(), Vec::new(), text.as_bytes());
        for length in lengths {
            let (chunk, later) = rest.split_at(length.min(rest.len()));
            stream.pass(chunk, &mut out);
            rest = later;
            let held = &stream.held[..];
            let grows = |pattern: &Vec<u8>| pattern.len() > held.len() && pattern.starts_with(held);
            prop_assert!(held.is_empty() || patterns.iter().any(grows));
        }
    }

    #[test]
    fn no_planted_secret_gets_through(
        secret in prop_oneof!["[ -~]{8,40}", "\\PC{8,20}", "[a-zA-Z0-9+/_=-]{8,64}", "[a-z\n\t\"/\\\\<>&é]{8,30}"],
        before in "[ -~]{0,9}",
        after in "[ -~]{0,9}",
        way in 0_usize..13,
        lengths in lengths(),
    ) {
        prop_assume!(worth::is_sought(&secret));
        let patterns = Patterns::new([("A", secret.as_str()), ("B", "an-0ther-0ne")]);
        let text = planted(&before, &secret, &after, way);
        let sought = of_the_secret(&before, &secret, way);
        prop_assert!(text.contains(&sought), "{text} {sought}");
        let out = String::from_utf8(passed(patterns.stream(), text.as_bytes(), &lengths)).unwrap();
        prop_assert!(!out.contains(&sought), "{out}");
        prop_assert!(out.contains("[redacted:A]"), "{out}");
    }
}

#[test]
fn a_whole_text_is_cleaned_as_a_stream_is() {
    let patterns = Patterns::new([("API_KEY", "sk-4fJ2/x9Qm")]);
    for (text, expected) in [
        ("nothing is in it", "nothing is in it"),
        ("a sk-4fJ2/x9Qm z", "a [redacted:API_KEY] z"),
        ("sk-4fJ2%2Fx9Qm", "[redacted:API_KEY]"),
        ("ends with sk-4fJ2/x9Q", "ends with sk-4fJ2/x9Q"),
        ("", ""),
    ] {
        let clean = patterns.redacted(text.as_bytes().to_vec());
        assert_eq!(String::from_utf8(clean).unwrap(), expected);
    }
}
