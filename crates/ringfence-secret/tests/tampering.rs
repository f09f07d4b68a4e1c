//! Every byte of a sealed file of 2 kB and of its seal, changed in many ways: refused by the whole chain, and no panic. And the same
//! without a seal: what SOPS alone would take, as facts.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};

use ringfence_secret::identity::Identity;
use ringfence_secret::seal::{self, Editor, Found, Seal, SigningKey, Statement};
use ringfence_secret::sops::{File, Format, Opened};
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey};

const OWN: &str = "RINGFENCE_ENVIRONMENT";

/// A sealed file, its seal, and who may open and seal it.
struct Sealed {
    format: Format,
    file: Vec<u8>,
    seal: Vec<u8>,
    identity: Identity,
    editors: Vec<Editor>,
}

impl Sealed {
    fn new(format: Format) -> Self {
        let identity = Identity::generate().0;
        let mut opened = Opened::new(format);
        opened
            .readers(std::slice::from_ref(identity.recipient()))
            .unwrap();
        if format == Format::Dotenv {
            opened.replace("# a comment that is encrypted\n").unwrap();
        }
        for (name, value) in [
            (OWN, "prod"),
            ("DATABASE_URL", "postgres://app:s3cr3t@db.internal:5432/app"),
            ("EMPTY", ""),
            ("HOST_unencrypted", "a=b"),
            ("PATH_unencrypted", "/v1"),
            ("API_KEY", "sk-5c2d9a"),
            ("SESSION_SECRET", "correct horse battery staple"),
            ("SMTP_PASSWORD", "hunter2"),
            (
                "SIGNING_KEY",
                "-----BEGIN KEY-----\nc2VjcmV0\n-----END KEY-----\n",
            ),
        ] {
            opened.set(name, value).unwrap();
        }
        let file = opened.seal("2026-01-02T03:04:05Z").unwrap();
        let private = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).unwrap();
        let key = SigningKey::parse(&private.to_openssh(LineEnding::LF).unwrap(), None)
            .ok()
            .unwrap();
        let names = File::parse(&file, format).unwrap();
        let statement = Statement::about("prod", &file, names.names(), None).unwrap();
        let public = private.public_key().to_openssh().unwrap();
        Self {
            seal: seal::sign(statement, &key).unwrap().to_text().into(),
            editors: vec![Editor::parse("ana", &public).unwrap()],
            format,
            file,
            identity,
        }
    }

    /// The chain in its order: the file is read, the seal is read and holds, a key opens the file, and it is the environment's own.
    fn chain(&self, file: &[u8], seal: &[u8]) -> Result<Opened, String> {
        let read = File::parse(file, self.format).map_err(|error| error.to_string())?;
        let names: BTreeSet<String> = read.names().map(str::to_owned).collect();
        let found = Found {
            environment: "prod",
            file,
            names: &names,
            lowest_revision: 1,
        };
        let seal = Seal::parse(seal).map_err(|error| error.to_string())?;
        seal.verify(&found, &self.editors)
            .map_err(|error| error.to_string())?;
        self.open(&read)
    }

    fn open(&self, file: &File) -> Result<Opened, String> {
        let opened = file.open(std::slice::from_ref(&self.identity));
        let opened = opened.map_err(|error| error.to_string())?;
        match opened.get(OWN) {
            Some("prod") => Ok(opened),
            _ => Err("it is another environment's".to_owned()),
        }
    }
}

/// Every flipped bit, and bytes that mean something.
fn others(byte: u8) -> impl Iterator<Item = u8> {
    let flipped = (0..8).map(move |bit| byte ^ 1 << bit);
    let meant = *b"\n=#A0,\"\\ \0";
    let meant = meant
        .into_iter()
        .filter(move |other| (other ^ byte).count_ones() > 1);
    flipped.chain(meant)
}

/// All texts that differ in one byte, with its place.
fn changed(text: &[u8], mut act: impl FnMut(usize, &[u8])) {
    let mut text = text.to_vec();
    for at in 0..text.len() {
        let before = text[at];
        for other in others(before) {
            text[at] = other;
            act(at, &text);
        }
        text[at] = before;
    }
}

#[test]
fn every_changed_byte_of_a_file_or_its_seal_is_refused() {
    for format in [Format::Dotenv, Format::Json] {
        let sealed = Sealed::new(format);
        assert!(sealed.file.len() > 2_000, "{}", sealed.file.len());
        assert!(sealed.chain(&sealed.file, &sealed.seal).is_ok());
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        changed(&sealed.file, |at, file| {
            let reason = sealed.chain(file, &sealed.seal).err();
            let reason = reason.unwrap_or_else(|| panic!("byte {at} is {:?}", file[at]));
            *reasons.entry(reason).or_default() += 1;
        });
        let by_bytes = reasons.get("the file changed since it was sealed: it has other bytes");
        assert!(by_bytes.is_some_and(|count| *count > 10_000));
        changed(&sealed.seal, |at, seal| {
            let accepted = sealed.chain(&sealed.file, seal).is_ok();
            assert!(!accepted, "byte {at} of the seal is {:?}", seal[at]);
        });
    }
}

#[test]
fn a_cut_file_is_refused() {
    for format in [Format::Dotenv, Format::Json] {
        let sealed = Sealed::new(format);
        for length in 0..sealed.file.len() {
            assert!(sealed.chain(&sealed.file[..length], &sealed.seal).is_err());
            let without = [&sealed.file[..length], &sealed.file[length + 1..]].concat();
            assert!(sealed.chain(&without, &sealed.seal).is_err());
        }
    }
}

/// The part of a line that a change is in: the name before `=`, the sign itself, what follows it, or the line's end.
fn part(file: &[u8], at: usize) -> String {
    let start = file[..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let end = at + file[at..].iter().position(|byte| *byte == b'\n').unwrap();
    let line = std::str::from_utf8(&file[start..end]).unwrap();
    if line.starts_with('#') {
        return "a comment".to_owned();
    }
    let (name, _) = line.split_once('=').unwrap();
    match at - start {
        column if column < name.len() => format!("the name {name}"),
        column if column == name.len() => format!("the sign after {name}"),
        _ if at == end => format!("the line's end after {name}"),
        _ => format!("the value of {name}"),
    }
}

/// Without a seal, SOPS' own MAC and places protect every value, and the names of encrypted ones. What they do not protect, found by
/// trying all single bytes:
///
/// - comments: one that does not open counts as one that was never encrypted;
/// - the name of an empty value: another setting is set to nothing, or none is (the line becomes a comment);
/// - the names of values in the clear, as long as the rule for what is encrypted leaves them in the clear;
/// - the recipient's name, which keeps nobody from trying a key;
/// - the version, and the names of the version and of the rule, which then count as not said.
#[test]
fn without_a_seal_these_single_bytes_can_be_changed() {
    let sealed = Sealed::new(Format::Dotenv);
    let mut taken = BTreeSet::new();
    changed(&sealed.file, |at, file| {
        let Ok(read) = File::parse(file, Format::Dotenv) else {
            return;
        };
        if sealed.open(&read).is_ok() {
            taken.insert(part(&sealed.file, at));
        }
    });
    let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
    let expected = [
        "a comment",
        "the line's end after sops_version",
        "the name EMPTY",
        "the name HOST_unencrypted",
        "the name PATH_unencrypted",
        "the name sops_unencrypted_suffix",
        "the name sops_version",
        "the value of sops_age__list_0__map_recipient",
        "the value of sops_version",
    ];
    assert_eq!(taken, expected);
}
