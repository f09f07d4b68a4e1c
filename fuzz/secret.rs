//! What must hold for sealed files, seals and output of any kind; run by libFuzzer (`fuzz/run`) and, for a short time, by `cargo test`.

use std::sync::OnceLock;

use ringfence_secret::identity::Identity;
use ringfence_secret::redact::Patterns;
use ringfence_secret::seal::Seal;
use ringfence_secret::sops::{File, Format, Opened};

/// A throw-away key, which the seeds are sealed for.
pub(crate) const KEY: &str =
    "AGE-SECRET-KEY-18R3H4WYWN2WYKTM08D6ASNVSZEK4NE3ZUUSA966M2V5ZAW02XWQQC99GWH";

const NOW: &str = "2026-01-02T03:04:05Z";

/// A file in either form. As a sealed one: what the key opens can be sealed and opened again. As one in the clear: the same.
pub(crate) fn sops(bytes: &[u8]) {
    static IDENTITIES: OnceLock<Vec<Identity>> = OnceLock::new();
    let identities = IDENTITIES.get_or_init(|| Identity::parse(KEY, None).expect("a key"));
    for format in [Format::Dotenv, Format::Json] {
        if let Ok(file) = File::parse(bytes, format) {
            assert_eq!(file.recipients().count(), file.stanza_digests().len());
            let in_the_clear = file.unencrypted();
            if let Ok(opened) = file.open(identities) {
                assert!(in_the_clear.is_empty(), "{in_the_clear:?} is not used");
                check_round_trip(opened, format, identities);
            }
        }
        let mut opened = Opened::new(format);
        let text = String::from_utf8_lossy(bytes);
        if opened.replace(&text).is_ok() {
            let own = identities
                .iter()
                .map(|identity| identity.recipient().clone());
            let own: Vec<_> = own.collect();
            opened
                .readers(&own)
                .expect("a new file has no other readers");
            check_round_trip(opened, format, identities);
        }
    }
}

fn check_round_trip(mut opened: Opened, format: Format, identities: &[Identity]) {
    let before = opened.plain_text();
    // Who else can open it would lose it.
    let Ok(sealed) = opened.seal(NOW) else {
        return;
    };
    let file = File::parse(&sealed, format).expect("what was sealed is read");
    let again = file.open(identities).expect("what was sealed is opened");
    assert!(again.plain_text() == before, "it is the same");
}

/// A seal: what is taken is written in one way alone.
pub(crate) fn seal(bytes: &[u8]) {
    if let Ok(seal) = Seal::parse(bytes) {
        assert_eq!(seal.to_text().as_bytes(), bytes, "there is one spelling");
    }
}

/// Lines of secrets, a form feed, and output: chunks change nothing, and no secret gets through.
pub(crate) fn redact(bytes: &[u8]) {
    const LABEL: &str = "[redacted:A]";
    let mut parts = bytes.splitn(2, |byte| *byte == b'\x0c');
    let secrets = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let output = parts.next().unwrap_or_default();
    let secrets: Vec<&str> = secrets.lines().take(16).collect();
    let patterns = Patterns::new(secrets.iter().map(|secret| ("A", *secret)));
    let passed = |length: usize| {
        let (mut stream, mut out) = (patterns.stream(), Vec::new());
        let pieces = output.chunks(length);
        pieces.for_each(|chunk| stream.pass(chunk, &mut out));
        stream.finish(&mut out);
        out
    };
    let whole = passed(8192);
    for length in [1, 2, 7, 64] {
        assert_eq!(passed(length), whole, "chunks of {length}");
    }
    for pattern in patterns.spellings() {
        // What is written in its place may hold it, or complete it.
        let in_label = |byte: &u8| LABEL.as_bytes().contains(byte);
        let is_apart =
            !pattern.contains(&b'[') && !pattern.contains(&b']') && !pattern.iter().all(in_label);
        let mut windows = whole.windows(pattern.len());
        assert!(!is_apart || !windows.any(|window| window == pattern));
    }
}
