use proptest::prelude::*;

use super::*;

const NOW: &str = "2026-01-02T03:04:05Z";

fn sealed(values: &[(&str, &str)], format: Format) -> (Identity, Vec<u8>) {
    let (identity, _) = Identity::generate();
    let mut opened = Opened::new(format);
    opened
        .readers(std::slice::from_ref(identity.recipient()))
        .unwrap();
    for (name, value) in values {
        opened.set(name, value).unwrap();
    }
    let bytes = opened.seal(NOW).unwrap();
    (identity, bytes)
}

fn opened(identity: &Identity, bytes: &[u8], format: Format) -> Result<Opened, OpenError> {
    let file = File::parse(bytes, format).map_err(|_| OpenError::Mac)?;
    file.open(std::slice::from_ref(identity))
}

#[test]
fn a_file_has_no_endless_list_of_readers() {
    let readers = |number: usize| {
        let row = r#"{"recipient": "age1x", "enc": "x"}"#;
        let rows = vec![row; number].join(",");
        format!(r#"{{"sops": {{"age": [{rows}], "lastmodified": "x", "mac": "x"}}}}"#)
    };
    assert!(File::parse(readers(1_000).as_bytes(), Format::Json).is_ok());
    let refused = File::parse(readers(1_001).as_bytes(), Format::Json).err();
    assert_eq!(refused, Some(ParseError::Metadata("age")));
}

#[test]
fn a_value_may_hold_anything() {
    for format in [Format::Dotenv, Format::Json] {
        let values = [
            ("A", ""),
            ("B", "a\nb\n"),
            ("C", "back\\nslash"),
            ("D", "ü \u{1F511} \"'#=\t"),
        ];
        let (identity, bytes) = sealed(&values, format);
        let open = opened(&identity, &bytes, format).ok().unwrap();
        for (name, value) in values {
            assert_eq!(open.get(name), Some(value));
        }
    }
}

#[test]
fn values_of_two_names_cannot_be_exchanged() {
    let (identity, bytes) = sealed(&[("A", "one"), ("B", "two")], Format::Dotenv);
    let text = String::from_utf8(bytes).unwrap();
    let exchanged = text
        .replace("A=ENC", "X=ENC")
        .replace("B=ENC", "A=ENC")
        .replace("X=ENC", "B=ENC");
    let error = opened(&identity, exchanged.as_bytes(), Format::Dotenv).err();
    assert_eq!(error, Some(OpenError::Value("B".to_owned())));
}

#[test]
fn a_value_in_the_clear_is_named() {
    let (identity, bytes) = sealed(&[("A", "one"), ("B", "two")], Format::Dotenv);
    let text = String::from_utf8(bytes).unwrap();
    let line = text.lines().find(|line| line.starts_with("B=")).unwrap();
    let changed = text.replace(line, "B=plain");
    let file = File::parse(changed.as_bytes(), Format::Dotenv)
        .ok()
        .unwrap();
    assert_eq!(file.unencrypted(), ["B"]);
    let error = file.open(&[identity]).err();
    assert_eq!(error, Some(OpenError::NotEncrypted("B".to_owned())));
}

#[test]
fn what_follows_a_value_is_not_ignored() {
    let (identity, bytes) = sealed(&[("A", "one")], Format::Dotenv);
    let text = String::from_utf8(bytes).unwrap();
    let changed = text.replacen("type:str]", "type:str]x", 1);
    assert!(opened(&identity, changed.as_bytes(), Format::Dotenv).is_err());
}

#[test]
fn names_of_sops_itself_are_refused() {
    let mut open = Opened::new(Format::Dotenv);
    for name in ["", "sops_mac", "sops", "A=B", "#A", "A\nB"] {
        assert_eq!(
            open.set(name, "x").err(),
            Some(ChangeError::Name(name.to_owned()))
        );
    }
    assert!(open.replace("sops_mac=x\n").is_err());
    assert_eq!(open.seal(NOW).err(), Some(ChangeError::Nobody));
}

#[test]
fn readers_by_other_means_are_not_lost() {
    let (identity, bytes) = sealed(&[("A", "one")], Format::Dotenv);
    let text = format!(
        "{}sops_pgp__list_0__map_fp=AB\nsops_pgp__list_0__map_enc=x\n",
        String::from_utf8(bytes).unwrap()
    );
    let mut open = opened(&identity, text.as_bytes(), Format::Dotenv)
        .ok()
        .unwrap();
    assert_eq!(
        open.seal(NOW).err(),
        Some(ChangeError::OtherReaders("pgp".to_owned()))
    );
}

#[test]
fn a_file_is_recognised_by_what_sops_says_of_it() {
    for form in [Format::Dotenv, Format::Json] {
        let (_, bytes) = sealed(&[("A", "one")], form);
        assert_eq!(format(&bytes), Some(form));
    }
    assert_eq!(format(b"A=1\n"), None);
    assert_eq!(format(b"{\"a\": 1}"), None);
}

proptest! {
    #[test]
    fn reading_never_panics(text in "\\PC*") {
        let _ = File::parse(text.as_bytes(), Format::Dotenv);
        let _ = File::parse(text.as_bytes(), Format::Json);
    }

    #[test]
    fn reading_rows_of_sops_never_panics(rows in prop::collection::vec("(sops_)?(age__list_|mac|version|[a-z_0-9]{0,9})(__map_)?(enc|recipient)?=\\PC{0,30}", 0..8)) {
        let _ = File::parse(rows.join("\n").as_bytes(), Format::Dotenv);
    }
}
