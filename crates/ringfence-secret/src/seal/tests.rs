//! Laws and refusals; what OpenSSH says to it is in [`openssh`], and what an attacker may try in [`tampering`].

mod agents;
mod openssh;
mod security_keys;
mod tampering;

use std::collections::BTreeSet;

use proptest::prelude::*;
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, EcdsaCurve, LineEnding, PrivateKey};

use super::*;

pub(super) const FILE: &[u8] =
    b"API_KEY=ENC[AES256_GCM,data:x]\nDATABASE_URL=ENC[AES256_GCM,data:y]\n";
pub(super) const NAMES: [&str; 2] = ["API_KEY", "DATABASE_URL"];
pub(super) const P256: Algorithm = Algorithm::Ecdsa {
    curve: EcdsaCurve::NistP256,
};
pub(super) const KINDS: [Algorithm; 4] = [
    Algorithm::Ed25519,
    P256,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
];

pub(super) fn private_key(kind: Algorithm) -> PrivateKey {
    PrivateKey::random(&mut OsRng, kind).unwrap()
}

pub(super) fn opened(key: &PrivateKey) -> SigningKey {
    let text = key.to_openssh(LineEnding::LF).unwrap();
    SigningKey::parse(&text, None)
        .map_err(|error| error.to_string())
        .unwrap()
}

pub(super) fn key(kind: Algorithm) -> SigningKey {
    opened(&private_key(kind))
}

pub(super) fn editor(name: &str, key: &PublicKey) -> Editor {
    Editor::parse(name, &key.to_openssh().unwrap()).unwrap()
}

pub(super) fn statement(previous: Option<&Seal>) -> Statement {
    Statement::about("prod", FILE, NAMES, previous).unwrap()
}

pub(super) fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What a good seal says of what was found, or why it is refused.
fn check(environment: &str, file: &[u8], found_names: &[&str], lowest_revision: u64) -> String {
    let key = key(Algorithm::Ed25519);
    let first = sign(statement(None), &key).unwrap();
    let seal = sign(statement(Some(&first)), &key).unwrap();
    let seal = Seal::parse(seal.to_text().as_bytes()).unwrap();
    let names = names(found_names);
    let found = Found {
        environment,
        file,
        names: &names,
        lowest_revision,
    };
    match seal.verify(&found, &[editor("ann", key.public())]) {
        Ok(name) => name.to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn says_who_sealed_what_was_found() {
    assert_eq!(check("prod", FILE, &NAMES, 1), "ann");
    assert_eq!(check("prod", FILE, &NAMES, 2), "ann");
}

#[test]
fn names_what_is_other_than_sealed() {
    assert_eq!(
        check("dev", FILE, &NAMES, 1),
        "the seal is for environment `prod`, not for `dev`"
    );
    assert_eq!(
        check("prod", FILE, &NAMES, 3),
        "the seal has revision 2, but revision 3 was seen before: an older file was put back"
    );
    assert_eq!(
        check("prod", b"API_KEY=\n", &NAMES, 1),
        "the file changed since it was sealed: it has other bytes"
    );
    assert_eq!(
        check("prod", FILE, &["API_KEY", "DATABASE_URL", "NEW", "X"], 1),
        "the file changed since it was sealed: added `NEW`, `X`"
    );
    assert_eq!(
        check("prod", FILE, &["API_KEY"], 1),
        "the file changed since it was sealed: removed `DATABASE_URL`"
    );
    assert_eq!(
        check("prod", FILE, &["API_KEY", "DATABASE_URI"], 1),
        "the file changed since it was sealed: added `DATABASE_URI`; removed `DATABASE_URL`"
    );
}

#[test]
fn names_a_signer_who_is_no_editor() {
    let (key, other) = (key(Algorithm::Ed25519), key(Algorithm::Ed25519));
    let seal = sign(statement(None), &key).unwrap();
    let names = names(&NAMES);
    let found = Found {
        environment: "prod",
        file: FILE,
        names: &names,
        lowest_revision: 1,
    };
    let others = [editor("bob", other.public())];
    let refusal = seal.verify(&found, &others);
    let expected = format!(
        "the seal is signed by {}, which is the key of no editor of environment `prod`",
        key.public().fingerprint(ssh_key::HashAlg::Sha256)
    );
    assert_eq!(refusal.unwrap_err().to_string(), expected);
    assert!(matches!(
        seal.verify(&found, &[]),
        Err(SealError::Signer { .. })
    ));
    let editors = [editor("bob", other.public()), editor("ann", key.public())];
    assert_eq!(seal.verify(&found, &editors).unwrap(), "ann");
}

#[test]
fn every_kind_of_key_seals_and_the_text_is_read_back() {
    for kind in KINDS {
        let key = key(kind.clone());
        for _ in 0..4 {
            let seal = sign(statement(None), &key).unwrap();
            assert_eq!(
                Seal::parse(seal.to_text().as_bytes()).unwrap(),
                seal,
                "{kind}"
            );
            assert_eq!(seal.signer().key_data(), key.public().key_data());
        }
    }
}

#[test]
fn the_text_is_what_the_format_says() {
    let key = key(Algorithm::Ed25519);
    let first = sign(statement(None), &key).unwrap();
    let second = sign(statement(Some(&first)), &key).unwrap();
    let hex = |digest: [u8; 32]| digest.map(|byte| format!("{byte:02x}")).concat();
    let expected = format!(
        "ringfence-seal 1\nenvironment prod\nrevision 2\nfile sha256:{}\nprevious sha256:{}\nname API_KEY\nname DATABASE_URL\n",
        hex(Sha256::digest(FILE).into()),
        hex(Sha256::digest(first.to_text()).into()),
    );
    assert_eq!(second.statement().to_text(), expected);
    assert!(first.to_text().contains("revision 1\n"));
    assert!(first.to_text().contains("\nprevious none\n"));
    assert!(second.to_text().starts_with(&(expected + SIGNATURE_BEGIN)));
}

#[test]
fn seals_follow_each_other() {
    let key = key(Algorithm::Ed25519);
    let first = sign(statement(None), &key).unwrap();
    let second = sign(statement(Some(&first)), &key).unwrap();
    let third = sign(statement(Some(&second)), &key).unwrap();
    second.check_follows(&first).unwrap();
    third.check_follows(&second).unwrap();
    for (seal, previous) in [(&third, &first), (&first, &second), (&first, &first)] {
        let refusal = seal.check_follows(previous);
        assert!(matches!(refusal, Err(SealError::NotTheNext { .. })));
    }
    // Another seal of the same revision.
    let other = Statement::about("prod", b"other", NAMES, None).unwrap();
    let other = sign(other, &key).unwrap();
    assert!(matches!(
        second.check_follows(&other),
        Err(SealError::NotTheNext { .. })
    ));
    let dev = Statement::about("dev", FILE, NAMES, Some(&first));
    assert!(matches!(dev, Err(SealError::Environment { .. })));
}

#[test]
fn names_are_sorted_and_stand_once() {
    let statement = Statement::about("prod", FILE, ["B", "A", "B", "a b"], None).unwrap();
    assert!(
        statement
            .to_text()
            .ends_with("\nname A\nname B\nname a b\n")
    );
    let seal = sign(statement, &key(Algorithm::Ed25519)).unwrap();
    Seal::parse(seal.to_text().as_bytes()).unwrap();
}

#[test]
fn what_would_break_the_lines_is_refused() {
    for name in ["", "A\nname B", "A\r", "A\0", "A\u{85}"] {
        let refusal = Statement::about("prod", FILE, [name], None).unwrap_err();
        let expected = format!(
            "`{}` cannot be in a seal: it is empty or holds a control character",
            name.escape_debug()
        );
        assert_eq!(refusal.to_string(), expected);
        assert!(Statement::about(name, FILE, NAMES, None).is_err());
    }
}

#[test]
fn a_name_like_the_signature_does_not_confuse() {
    let names = ["-----BEGIN SSH SIGNATURE-----", "name X", "none"];
    let statement = Statement::about("environment x", FILE, names, None).unwrap();
    let seal = sign(statement, &key(Algorithm::Ed25519)).unwrap();
    assert_eq!(Seal::parse(seal.to_text().as_bytes()).unwrap(), seal);
}

#[test]
fn no_seal_is_longer_than_what_is_read() {
    let key = key(Algorithm::Ed25519);
    let about = |count: usize| {
        let names = (0..count).map(|at| format!("NAME_{at:0>90}"));
        Statement::about("prod", FILE, names, None).unwrap()
    };
    let seal = sign(about(10_000), &key).unwrap();
    Seal::parse(seal.to_text().as_bytes()).unwrap();
    assert!(matches!(sign(about(10_480), &key), Err(SealError::TooLong)));
    let refusal = Seal::parse(&vec![b'a'; LONGEST_BYTES + 1]);
    assert!(matches!(refusal, Err(SealError::TooLong)));
}

/// Why another text above the signature is refused.
fn refused(from: &str, to: &str) -> String {
    let seal = sign(statement(None), &key(Algorithm::Ed25519)).unwrap();
    let text = seal.to_text().replacen(from, to, 1);
    Seal::parse(text.as_bytes()).unwrap_err().to_string()
}

/// What is changed into what, and why that is refused.
const MALFORMED: [(&str, &str, &str); 14] = [
    (
        "seal 1",
        "seal 2",
        "line 1 of the seal is not `ringfence-seal 1`",
    ),
    (
        "environment prod",
        "environment ",
        "line 2 of the seal is not `environment <name>`",
    ),
    (
        "revision 1",
        "revision one",
        "line 3 of the seal is not `revision <number>`",
    ),
    (
        "file sha256:",
        "file sha256:0",
        "line 4 of the seal is not `file sha256:<digest>`",
    ),
    (
        "previous none",
        "previous ",
        "line 5 of the seal is not `previous sha256:<digest>, or none`",
    ),
    (
        "name DATABASE_URL",
        "extra x",
        "line 7 of the seal is not `name <name>`",
    ),
    (
        "revision 1",
        "revision 2",
        "revision 2 and the previous seal do not fit: exactly revision 1 has none",
    ),
    (
        "name API",
        "name OPI",
        "the seal was changed: it is not written in the one way that seals are",
    ),
    (
        "name API",
        "name AAA",
        "the seal's signature is not valid: the seal was changed after it was signed",
    ),
    (
        "prod",
        "dev",
        "the seal's signature is not valid: the seal was changed after it was signed",
    ),
    (
        "-----BEGIN",
        "----BEGIN",
        "the seal's signature is malformed: there is none",
    ),
    (
        "-----END",
        "----END",
        "the seal's signature is malformed: it does not begin and end as it must",
    ),
    (
        "U1NIU0lH",
        "U1NIU0l=",
        "the seal's signature is malformed: it is not base64",
    ),
    (
        "U1NIU0lH",
        "U1NIU0lI",
        "the seal's signature is malformed: it is not of version 1 of its format",
    ),
];

#[test]
fn says_what_is_malformed() {
    for (from, to, expected) in MALFORMED {
        assert_eq!(refused(from, to), expected, "{from} → {to}");
    }
}

#[test]
fn other_ways_to_write_a_seal_are_refused() {
    for (from, to) in [
        ("revision 1", "revision 01"),
        ("revision 1", "revision +1"),
        ("name API_KEY\n", "name API_KEY\r\n"),
        ("name API_KEY\n", "name API_KEY\nname API_KEY\n"),
        (
            "name API_KEY\nname DATABASE_URL\n",
            "name DATABASE_URL\nname API_KEY\n",
        ),
        ("SIGNATURE-----\n", "SIGNATURE-----\n\n"),
        (
            "-----END SSH SIGNATURE-----\n",
            "-----END SSH SIGNATURE-----\n\n",
        ),
        (
            "-----END SSH SIGNATURE-----\n",
            "-----END SSH SIGNATURE-----",
        ),
        ("ringfence-seal", "\u{feff}ringfence-seal"),
    ] {
        refused(from, to);
    }
    let seal = sign(statement(None), &key(Algorithm::Ed25519)).unwrap();
    let (lines, digest) = seal.to_text().split_once("sha256:").unwrap();
    let (digest, rest) = digest.split_at(64);
    let upper = format!("{lines}sha256:{}{rest}", digest.to_uppercase());
    assert!(Seal::parse(upper.as_bytes()).is_err());
    let unwrapped = seal.to_text().replacen("U1NIU0lH", "U1NIU0lH\n", 1);
    assert!(matches!(
        Seal::parse(unwrapped.as_bytes()),
        Err(SealError::NotCanonical)
    ));
}

#[test]
fn a_seal_for_something_else_is_none() {
    let key = private_key(Algorithm::Ed25519);
    let signed = |namespace, hash| {
        let text = statement(None).to_text();
        let signature = key.sign(namespace, hash, text.as_bytes()).unwrap();
        let armor = signature.to_pem(LineEnding::LF).unwrap();
        Seal::from_signature(statement(None), &armor).map_err(|error| error.to_string())
    };
    signed(NAMESPACE, ssh_key::HashAlg::Sha512).unwrap();
    let refusal = |what| Err(format!("the seal's signature is malformed: {what}"));
    assert_eq!(
        signed("git", ssh_key::HashAlg::Sha512),
        refusal("it was made for something else than a seal")
    );
    assert_eq!(
        signed(NAMESPACE, ssh_key::HashAlg::Sha256),
        refusal("its hash is not sha512")
    );
}

#[test]
fn keys_are_opened_or_the_reason_is_told() {
    let reason = |text: &str, passphrase| {
        SigningKey::parse(text, passphrase)
            .err()
            .unwrap()
            .to_string()
    };
    let key = private_key(Algorithm::Ed25519);
    let plain = key.to_openssh(LineEnding::CRLF).unwrap();
    assert!(SigningKey::parse(&plain, Some("not needed")).is_ok());
    let encrypted = key.encrypt(&mut OsRng, "opens").unwrap();
    let encrypted = encrypted.to_openssh(LineEnding::LF).unwrap();
    let opened = SigningKey::parse(&encrypted, Some("opens")).ok().unwrap();
    assert_eq!(opened.public().key_data(), key.public_key().key_data());
    sign(statement(None), &opened).unwrap();
    assert_eq!(
        reason(&encrypted, None),
        "the private key is encrypted and needs its passphrase"
    );
    assert_eq!(
        reason(&encrypted, Some("other")),
        "the passphrase does not open the private key"
    );
    assert!(reason("-----BEGIN RSA PRIVATE KEY-----\n", None).contains("ssh-keygen -p -f"));
    assert!(reason("ssh-ed25519 AAAA", None).starts_with("the private key cannot be read"));
}

#[test]
fn editors_have_keys_that_may_seal() {
    let reason = |line: &str| Editor::parse("ann", line).unwrap_err().to_string();
    assert!(reason("").starts_with("the public key cannot be read"));
    assert!(reason("ssh-ed25519 AAAA ann").starts_with("the public key cannot be read"));
    let key = private_key(Algorithm::Ed25519);
    let line = format!(
        "{} ann@example.test\n",
        key.public_key().to_openssh().unwrap()
    );
    assert_eq!(Editor::parse("ann", &line).unwrap().name, "ann");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(Seal::parse(&bytes).is_err());
        let text = String::from_utf8_lossy(&bytes);
        prop_assert!(Editor::parse("ann", &text).is_err());
        prop_assert!(SigningKey::parse(&text, Some("x")).is_err());
    }

    #[test]
    fn any_signature_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), start in 0_usize..4) {
        use base64::Engine;
        // Ever more of a real beginning, so that what is behind is read too.
        let mut blob = b"SSHSIG\0\0\0\x01\0\0\0\x33\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
        blob.truncate([0, 10, 14, 33][start]);
        blob.extend(bytes);
        let body = base64::engine::general_purpose::STANDARD.encode(blob);
        let armor = format!("{SIGNATURE_BEGIN}{body}\n-----END SSH SIGNATURE-----\n");
        prop_assert!(Seal::from_signature(statement(None), &armor).is_err());
    }

    #[test]
    fn any_statement_is_read_back(
        environment in "\\PC{1,20}",
        names in prop::collection::btree_set("\\PC{1,20}", 0..20),
        file in prop::collection::vec(any::<u8>(), 0..100),
        revision in 1_usize..4,
    ) {
        let key = key(Algorithm::Ed25519);
        let mut previous: Option<Seal> = None;
        for _ in 0..revision {
            let statement = Statement::about(&environment, &file, names.clone(), previous.as_ref()).unwrap();
            let seal = sign(statement, &key).unwrap();
            prop_assert_eq!(&Seal::parse(seal.to_text().as_bytes()).unwrap(), &seal);
            previous = Some(seal);
        }
    }
}
