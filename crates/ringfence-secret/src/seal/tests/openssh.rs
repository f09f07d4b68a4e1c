//! Both ways against OpenSSH: `ssh-keygen -Y verify` takes our seals, and we take what `ssh-keygen -Y sign` makes.
//!
//! Where `ssh-keygen` is not there, the tests say so and pass, unless `RINGFENCE_TEST_REQUIRES` names it.

#![expect(clippy::disallowed_methods, reason = "a test that starts programs")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::*;

/// Whether a program is here; where it is required, it must be.
pub(super) fn has(program: &str) -> bool {
    let is_there = Command::new(program).arg("-?").output().is_ok();
    if !is_there {
        let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
        let is_required = required.split(',').any(|name| name.trim() == program);
        assert!(!is_required, "{program} is required and not there");
        eprintln!("skipped: {program} is not there");
    }
    is_there
}

/// Runs `ssh-keygen` in a folder, with a file as its input.
pub(super) fn keygen(folder: &Path, words: &[&str], input: &str) -> Output {
    fs::write(folder.join("input"), input).unwrap();
    let input = fs::File::open(folder.join("input")).unwrap();
    Command::new("ssh-keygen")
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::from(input))
        .output()
        .unwrap()
}

/// What `ssh-keygen` says to a seal whose signer `ann` is known by this key.
pub(super) fn verify(seal: &Seal, key: &PublicKey) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let (statement, armor) = statement::split(seal.to_text()).unwrap();
    let signers = format!("ann {}\n", key.to_openssh().unwrap());
    fs::write(folder.path().join("signers"), signers).unwrap();
    fs::write(folder.path().join("signature"), armor).unwrap();
    let words = [
        "-Y",
        "verify",
        "-f",
        "signers",
        "-I",
        "ann",
        "-n",
        NAMESPACE,
        "-s",
        "signature",
    ];
    let output = keygen(folder.path(), &words, statement);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or(complaint)
}

/// A key that `ssh-keygen` makes: its private and its public file.
pub(super) fn made(folder: &Path, kind: &[&str]) -> (String, PublicKey) {
    let words = [
        &["-q", "-N", "", "-C", "ann@example.test", "-f", "key"],
        kind,
    ]
    .concat();
    let output = keygen(folder, &words, "");
    assert!(output.status.success(), "{output:?}");
    let text = |name| fs::read_to_string(folder.join(name)).unwrap();
    (
        text("key"),
        PublicKey::from_openssh(&text("key.pub")).unwrap(),
    )
}

const MADE: [&[&str]; 5] = [
    &["-t", "ed25519"],
    &["-t", "ecdsa", "-b", "256"],
    &["-t", "ecdsa", "-b", "384"],
    &["-t", "ecdsa", "-b", "521"],
    &["-t", "rsa", "-b", "2048"],
];

#[test]
fn openssh_takes_our_seals() {
    if !has("ssh-keygen") {
        return;
    }
    let other = key(Algorithm::Ed25519);
    for kind in KINDS {
        let key = key(kind.clone());
        let first = sign(statement(None), &key).unwrap();
        let seal = sign(statement(Some(&first)), &key).unwrap();
        assert_eq!(verify(&seal, key.public()), Ok(()), "{kind}");
        assert!(verify(&seal, other.public()).is_err());
    }
}

#[test]
fn we_take_seals_of_openssh() {
    if !has("ssh-keygen") {
        return;
    }
    for kind in MADE {
        let folder = tempfile::tempdir().unwrap();
        let (private, public) = made(folder.path(), kind);
        let message = statement(None).to_text();
        let signed = keygen(
            folder.path(),
            &["-Y", "sign", "-n", NAMESPACE, "-f", "key"],
            &message,
        );
        assert!(signed.status.success());
        let armor = String::from_utf8(signed.stdout).unwrap();
        // An ECDSA signature may come with the higher of its two numbers: then the text is another one, and as valid.
        let seal = Seal::from_signature(statement(None), &armor).unwrap();
        assert_eq!(Seal::parse(seal.to_text().as_bytes()).unwrap(), seal);
        assert_eq!(verify(&seal, &public), Ok(()), "{kind:?}");
        assert_eq!(seal.signer().key_data(), public.key_data());
        let fingerprint = keygen(folder.path(), &["-l", "-f", "key.pub"], "");
        let fingerprint = String::from_utf8(fingerprint.stdout).unwrap();
        assert!(fingerprint.contains(&seal.fingerprint()));
        match SigningKey::parse(&private, None) {
            Ok(key) => assert_eq!(sign(statement(None), &key).unwrap().signer(), seal.signer()),
            Err(KeyError::NeedsAgent { .. }) => assert_eq!(kind[1], "rsa"),
            // Every second key on the longest curve has a short number.
            Err(KeyError::UnreadablePrivate(_)) => assert_eq!(kind[1], "ecdsa"),
            Err(error) => panic!("{kind:?}: {error}"),
        }
        let elsewhere = keygen(
            folder.path(),
            &["-Y", "sign", "-n", "git", "-f", "key"],
            &message,
        );
        let elsewhere = String::from_utf8(elsewhere.stdout).unwrap();
        assert!(Seal::from_signature(statement(None), &elsewhere).is_err());
    }
}

#[test]
fn keys_under_a_passphrase_are_opened() {
    if !has("ssh-keygen") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, public) = made(folder.path(), &["-t", "ed25519"]);
    let changed = keygen(
        folder.path(),
        &["-q", "-p", "-P", "", "-N", "opens it", "-f", "key"],
        "",
    );
    assert!(changed.status.success());
    let private = fs::read_to_string(folder.path().join("key")).unwrap();
    let key = SigningKey::parse(&private, Some("opens it")).ok().unwrap();
    assert_eq!(key.public().key_data(), public.key_data());
    assert!(matches!(
        SigningKey::parse(&private, None),
        Err(KeyError::Encrypted)
    ));
    assert!(matches!(
        SigningKey::parse(&private, Some("not")),
        Err(KeyError::WrongPassphrase)
    ));
}

#[test]
fn old_formats_and_kinds_are_refused_with_what_to_do() {
    if !has("ssh-keygen") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let old = |format: &str| {
        let (private, _) = made(folder.path(), &["-t", "ecdsa", "-m", format]);
        fs::remove_file(folder.path().join("key")).unwrap();
        SigningKey::parse(&private, None).err().unwrap()
    };
    assert!(matches!(old("PEM"), KeyError::OldFormat));
    assert!(matches!(old("PKCS8"), KeyError::OldFormat));
    let (_, short) = made(folder.path(), &["-t", "rsa", "-b", "1024"]);
    let refusal = Editor::parse("ann", &short.to_openssh().unwrap()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "an RSA key of 1024 bits cannot seal: take ssh-ed25519, or 2048 to 4096 bits"
    );
}
