use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Rule {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_masker_has_its_short_form() {
    let same = [
        "keep",
        "null",
        "hash",
        "hash:12",
        "hash@customer:12",
        "email",
        "email@partners",
        "name",
        "name:first",
        "name:last de",
        "name:ja",
        "phone",
        "phone:any",
        "address",
        "address:postcode",
        "text",
        "text:200",
        "number",
        "number:1..100",
        "number:-5..5",
        "number:noise 10%",
        "number:noise 0.5%",
        "number:card",
        "date",
        "date:shift 30",
        "date:shift 30 by user_id",
        "date:month",
        "uuid",
        "choice:a|b",
        "choice: a|b:c",
        "choice:a\\|b|c\\\\",
        "template:user{n}",
        "template@x:{{{n:4}}} {hash:8}:{first}.{last} {hash}",
    ];
    for text in same {
        assert_eq!(read(text).to_string(), text);
    }
    for (text, plain) in [
        (" hash : 26 ", "hash"),
        ("hash@hash", "hash"),
        ("name: de full", "name:de"),
        ("phone:us", "phone"),
        ("number: 1 .. 100", "number:1..100"),
        ("number:noise 5.0 %", "number:noise 5%"),
        ("date:shift 30d", "date:shift 30"),
    ] {
        assert_eq!(read(text).to_string(), plain);
    }
    assert_eq!(Masker::WORDS.len(), 13);
}

#[test]
fn errors_say_what_is_expected() {
    let cases = [
        (
            "emial",
            "unknown masker `emial`: expected one of `keep`, `null`, `hash`",
        ),
        ("", "unknown masker ``: expected one of"),
        (
            "hash:3",
            "masker `hash` does not take `3`: expected a length from 4 to 52",
        ),
        ("hash:long", "expected a length from 4 to 52"),
        (
            "email:x",
            "masker `email` does not take `x`: expected nothing",
        ),
        (
            "name:middle",
            "expected `full`, `first` or `last`, then a language",
        ),
        ("name:first last", "expected `full`, `first` or `last`"),
        ("phone:xx", "expected one of `us uk de fr se any`"),
        (
            "address:planet",
            "expected one of `full street city postcode`",
        ),
        ("text:0", "the most characters, from 1 to 100000"),
        ("number:5..1", "expected a range such as `1..100`"),
        ("number:noise 0%", "expected a range"),
        ("number:noise 101%", "expected a range"),
        ("date:shift", "expected `shift 30`"),
        ("date:shift 0", "expected `shift 30`"),
        ("date:shift 3 by", "expected `shift 30`"),
        ("date:week", "expected `shift 30`"),
        ("choice", "expected words with `|` between them"),
        ("choice:a||b", "expected words with `|` between them"),
        ("template", "expected a text with `{n}`"),
        ("template:{x}", "expected a text with `{n}`"),
        ("template:a{", "expected a text with `{n}`"),
        ("template:{n:16}", "expected a text with `{n}`"),
        ("hash@", "`` is no group"),
        ("hash@a b", "`a b` is no group"),
    ];
    for (text, expected) in cases {
        let error = text.parse::<Rule>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn rows_and_companions_have_a_short_form() {
    for text in ["all", "none", "needed", "0.01", "500 rows"] {
        assert_eq!(text.parse::<Rows>().unwrap().to_string(), text);
    }
    assert_eq!("1%".parse::<Rows>().unwrap().to_string(), "0.01");
    for text in ["users", "users cap 5", "users by a+b cap 5"] {
        assert_eq!(text.parse::<Along>().unwrap().to_string(), text);
    }
    for text in ["", "some", "2", "-1 rows"] {
        assert!(matches!(text.parse::<Rows>(), Err(RuleError::Rows { .. })));
    }
    for text in [
        "",
        "users cap",
        "users cap x",
        "users cap 1 by a",
        "users with b",
    ] {
        assert!(matches!(
            text.parse::<Along>(),
            Err(RuleError::Along { .. })
        ));
    }
}

#[test]
fn links_are_read_and_printed_in_one_way() {
    for text in [
        "author_id to users",
        "subject_id to posts when subject_type is Post",
        "org+number to users by org_id+number when a kind is Some Word",
        "a to Audit log.Entries",
    ] {
        assert_eq!(text.parse::<Link>().unwrap().to_string(), text);
    }
    let spaced = "  a + b to  users  by c+ d when e is f "
        .parse::<Link>()
        .unwrap();
    assert_eq!(spaced.to_string(), "a+b to users by c+d when e is f");
    for text in [
        "",
        "a",
        "a to",
        "a to ",
        " to b",
        "a+ to b",
        "a to b by ",
        "a to b when c",
        "a to b when c is ",
        "a to b when  is d",
    ] {
        let found = text.parse::<Link>();
        assert!(
            matches!(found, Err(RuleError::Link { .. })),
            "{text}: {found:?}"
        );
    }
}

fn rules(rows: &str, columns: &[(&str, &str)]) -> Rules {
    let mut rules = Rules::default();
    let table = TableRule {
        rows: rows.parse().unwrap(),
        columns: columns
            .iter()
            .map(|(name, rule)| ((*name).to_owned(), read(rule)))
            .collect(),
        ..TableRule::default()
    };
    rules.tables.insert("users".to_owned(), table);
    rules
}

#[test]
fn a_digest_changes_with_the_outcome() {
    let base = rules("1%", &[("email", "email"), ("name", "name")]);
    let same = [
        rules(
            "0.01",
            &[("name", "name:full en"), ("email", "email@email")],
        ),
        {
            let mut more = base.clone();
            more.tables
                .insert("orders".to_owned(), TableRule::default());
            more
        },
    ];
    for other in same {
        assert_eq!(digest(&other), digest(&base));
    }
    let changed = |change: &dyn Fn(&mut TableRule)| {
        let mut other = base.clone();
        change(other.tables.get_mut("users").unwrap());
        digest(&other)
    };
    let mut all = vec![
        digest(&base),
        digest(&rules("2%", &[("email", "email"), ("name", "name")])),
        digest(&rules("1%", &[("email", "email"), ("name", "name:first")])),
        digest(&rules("1%", &[("email", "email@x"), ("name", "name")])),
        digest(&rules("1%", &[("email", "email")])),
        digest(&rules(
            "1%",
            &[("email", "email"), ("name", "name"), ("age", "null")],
        )),
        changed(&|table| table.filter = Some("id > 5".to_owned())),
        changed(&|table| table.along = vec!["orgs".parse().unwrap()]),
        changed(&|table| table.document = Some("org_id".parse().unwrap())),
        changed(&|table| table.document = Some("orgs by org_id".parse().unwrap())),
        changed(&|table| table.links = vec!["a to b by e".parse().unwrap()]),
        changed(&|table| table.along = vec!["orgs cap 5".parse().unwrap()]),
        changed(&|table| table.links = vec!["a to b".parse().unwrap()]),
        changed(&|table| table.links = vec!["a to b when c is d".parse().unwrap()]),
        changed(&|table| table.cut = vec![vec!["manager_id".to_owned()]]),
        changed(&|table| table.follow = vec![vec!["manager_id".to_owned()]]),
    ];
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
    assert_eq!(
        digest(&rules("100%", &[])),
        digest(&rules("all", &[])),
        "every row is every row"
    );
}

proptest! {
    #[test]
    fn reading_never_fails_otherwise(text in ".{0,40}") {
        let _ = text.parse::<Rule>();
        let _ = text.parse::<Rows>();
        let _ = text.parse::<Along>();
        if let Ok(link) = text.parse::<Link>() {
            prop_assert_eq!(&link.to_string().parse::<Link>().unwrap(), &link);
        }
    }

    #[test]
    fn what_is_read_is_printed_in_one_way(text in "(hash|name|number|date|choice|template|text|phone)(@[a-z]{1,3})?:[a-z0-9{}|. %\\\\]{0,12}") {
        if let Ok(rule) = text.parse::<Rule>() {
            let printed = rule.to_string();
            prop_assert_eq!(&printed.parse::<Rule>().unwrap(), &rule);
            prop_assert_eq!(printed.parse::<Rule>().unwrap().to_string(), printed);
        }
    }
}

#[test]
fn documents_and_references_are_read() {
    let document: Document = "audit.files by file_id".parse().unwrap();
    assert_eq!(document.table.as_deref(), Some("audit.files"));
    assert_eq!("file_id".parse::<Document>().unwrap().table, None);
    for text in ["", "a b", " by id", "files by "] {
        assert!(
            matches!(text.parse::<Document>(), Err(RuleError::Document { .. })),
            "{text}"
        );
    }
}
