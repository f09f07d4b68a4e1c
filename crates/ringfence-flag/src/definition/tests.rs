use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use super::*;
use crate::evaluate::Subject;

fn prod() -> Environment {
    Environment {
        name: "prod".to_owned(),
        tier: "production".to_owned(),
    }
}

fn row(name: &str, default: Option<Written>, within: &[(&str, Written)]) -> Row {
    Row {
        name: name.to_owned(),
        place: Place {
            file: "ringfence.toml".to_owned(),
            line: 7,
            column: 1,
            pointer: String::new(),
        },
        default,
        within: within
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    }
}

/// The value and variant of a row in production, or what is wrong.
fn value(row: &Row) -> Result<Option<(String, String)>, String> {
    let flag = manifest::flag(row, &prod()).map_err(|error| error.to_string())?;
    Ok(flag
        .default
        .map(|name| (flag.variants[&name].clone(), name)))
}

fn number(text: &str) -> Option<Written> {
    Some(Written::Number(text.to_owned()))
}

#[test]
fn a_row_has_a_value_for_each_environment() {
    let check = |row: Row, expected: Option<(&str, &str)>| {
        let found = value(&row).unwrap();
        let found = found
            .as_ref()
            .map(|(value, name)| (value.as_str(), name.as_str()));
        assert_eq!(found, expected, "{row:?}");
    };
    let truth = Written::Boolean;
    check(
        row("a", Some(truth(false)), &[("prod", truth(true))]),
        Some(("true", "prod")),
    );
    check(
        row("a", Some(truth(false)), &[("production", truth(true))]),
        Some(("true", "production")),
    );
    check(
        row(
            "a",
            None,
            &[("production", truth(false)), ("prod", truth(true))],
        ),
        Some(("true", "prod")),
    );
    check(
        row("a", Some(truth(false)), &[("staging", truth(true))]),
        Some(("false", "default")),
    );
    check(row("a", None, &[("staging", truth(true))]), None);
    let text = Written::Text("a \"b\"\n".to_owned());
    check(
        row("a", Some(text), &[]),
        Some((r#""a \"b\"\n""#, "default")),
    );
    let list = Written::List(vec![
        Written::Number("1.0".to_owned()),
        Written::Number("1_0".to_owned()),
    ]);
    let object = Written::Object(vec![("a \"b".to_owned(), list)]);
    check(
        row("a", Some(object), &[]),
        Some((r#"{"a \"b":[1.0,10]}"#, "default")),
    );
}

#[test]
fn a_number_keeps_its_spelling() {
    let check = |written: &str, expected: &str| {
        let found = value(&row("a", number(written), &[])).unwrap().unwrap();
        assert_eq!(found.0, expected);
    };
    check("1.0", "1.0");
    check("1e3", "1e3");
    check("-0.50", "-0.50");
    check("1_000", "1000");
    check("+5", "5");
    check("0xff", "255");
    check(
        "123456789012345678901234567890",
        "123456789012345678901234567890",
    );
    for wrong in ["inf", "nan", "-inf", "0xzz", "", "true", "1 2"] {
        let error = value(&row("a", number(wrong), &[])).unwrap_err();
        assert!(error.contains("no number that JSON has"), "{error}");
    }
}

#[test]
fn a_row_is_of_one_kind() {
    let mixed = row(
        "limit",
        number("60"),
        &[("dev", Written::Text("none".to_owned()))],
    );
    assert_eq!(
        value(&mixed).unwrap_err(),
        "ringfence.toml:7:1: flag `limit`: its value is a number in `default` and a text in `dev`"
    );
}

/// All that is wrong in a file of which only some flags are.
fn errors(text: &str) -> Vec<String> {
    let file = FlagFile::read("flags.json", text).unwrap();
    let sources = Sources {
        files: &[file],
        ..Sources::default()
    };
    let (_, errors) = build(&sources, &prod());
    errors.iter().map(ToString::to_string).collect()
}

fn flag(members: &str) -> String {
    format!(
        "{{\n  \"flags\": {{\n    \"a/b\": {{\"state\": \"ENABLED\", \"variants\": {{\"on\": true, \"off\": false}}{members}}}\n  }},\n  \"$evaluators\": {{\"staff\": {{\"!\": 1}}}}\n}}"
    )
}

#[test]
fn what_is_wrong_with_a_flag_is_said_with_its_place() {
    let check = |members: &str, expected: &str| {
        assert_eq!(errors(&flag(members)), [expected]);
    };
    check(
        r#", "defaultVariant": "onn""#,
        "flags.json:3:91 (/flags/a~1b/defaultVariant): flag `a/b`: its `defaultVariant` names `onn`, which `variants` does not have: did you mean `on`?",
    );
    check(
        r#", "defaultVariant": 1"#,
        "flags.json:3:91 (/flags/a~1b/defaultVariant): flag `a/b`: its `defaultVariant` is a number",
    );
    check(
        r#", "targeting": {"if": [{"starts_wiht": ["a", "b"]}, "on"]}"#,
        "flags.json:3:86 (/flags/a~1b/targeting/if/0/starts_wiht): flag `a/b`: unknown operator `starts_wiht`: did you mean `starts_with`?",
    );
    check(
        r#", "targeting": {"if": [{"$ref": "staf"}, "on"]}"#,
        "flags.json:3:86 (/flags/a~1b/targeting/if/0/$ref): flag `a/b`: `$ref` names the evaluator `staf`, which `$evaluators` does not have: did you mean `staff`?",
    );
    check(
        r#", "targeting": "on""#,
        "flags.json:3:86 (/flags/a~1b/targeting): flag `a/b`: its `targeting` is a text",
    );
    check(
        r#", "metadata": {"owner": ["ops"]}"#,
        "flags.json:3:95 (/flags/a~1b/metadata/owner): flag `a/b`: `owner` is a list",
    );
    check(
        r#", "state": "ENABLED""#,
        "flags.json:3:82 (/flags/a~1b/state): flag `a/b`: `state` is there twice, and readers differ in which they take",
    );
    check(
        r#", "defaultVarient": "on""#,
        "flags.json:3:91 (/flags/a~1b/defaultVarient): flag `a/b`: nothing reads `defaultVarient`: did you mean `defaultVariant`?",
    );
}

#[test]
fn a_flag_needs_a_state_and_variants_of_one_kind() {
    let check = |flag: &str, expected: &str| {
        let text = format!("{{\"flags\": {{\"a\": {flag}}}}}");
        let errors = errors(&text);
        assert!(
            errors.len() == 1 && errors[0].contains(expected),
            "{errors:?}"
        );
    };
    check("1", "here stands a number in place of an object");
    check(
        r#"{"variants": {"on": true}}"#,
        "neither `ENABLED` nor `DISABLED`",
    );
    check(
        r#"{"state": "enabled", "variants": {"on": true}}"#,
        "neither `ENABLED` nor `DISABLED`",
    );
    check(r#"{"state": "ENABLED"}"#, "it has no `variants`");
    check(
        r#"{"state": "ENABLED", "variants": []}"#,
        "here stands a list in place of an object",
    );
    check(
        r#"{"state": "ENABLED", "variants": {"a": 1, "b": "1"}}"#,
        "its variant `a` is a number and `b` is a text",
    );
    check(
        r#"{"state": "ENABLED", "variants": {"a": null}}"#,
        "its variant `a` has no value",
    );
}

#[test]
fn a_file_that_cannot_be_served_is_refused_whole() {
    let check = |text: &str, expected: &str| {
        assert_eq!(
            FlagFile::read("f.json", text).unwrap_err().to_string(),
            expected
        );
    };
    check(
        "{\n  \"flags\": {,}}",
        "f.json:2:13: it is no JSON, so none of its flags is served: key must be a string",
    );
    check(
        "",
        "f.json:1:1: it is no JSON, so none of its flags is served: EOF while parsing a value",
    );
    check("[]", "f.json:1:1: here stands a list in place of an object");
    check("{\"flag\": {}}", "f.json:1:1: the file has no `flags`");
    check(
        "{\"flags\": {\"a\": {}, \"a\": {}}}",
        "f.json:1:26 (/flags/a): `a` is there twice, and readers differ in which they take",
    );
    check(
        "{\"flags\": []}",
        "f.json:1:11 (/flags): here stands a list in place of an object",
    );
}

#[test]
fn no_two_sources_define_one_flag_and_no_retired_name_comes_back() {
    let file = FlagFile::read("flags.json", &flag(r#", "defaultVariant": "on""#)).unwrap();
    let rows = [
        row("a/b", Some(Written::Boolean(true)), &[]),
        row("old", Some(Written::Boolean(true)), &[]),
    ];
    let sources = Sources {
        rows: &rows,
        files: &[file],
        retired: &["old".to_owned()],
    };
    let (set, errors) = build(&sources, &prod());
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "ringfence.toml:7:1: flag `old`: its name is retired: a program that still asks for the old flag would get this one's value",
            "flags.json:3:12 (/flags/a~1b): flag `a/b`: it is also defined at ringfence.toml:7:1, and neither definition is served",
        ]
    );
    assert_eq!(set.keys().collect::<Vec<_>>(), ["a/b", "old"]);
    assert!(set.keys().all(|key| set.flag(key).unwrap().1.is_err()));
}

#[test]
fn metadata_of_the_set_is_under_the_flags_own() {
    let text = r#"{"metadata": {"version": 1.0, "owner": "ops"}, "flags": {
        "a": {"state": "ENABLED", "variants": {"on": 1}, "metadata": {"owner": "web", "n": 1e3}}}}"#;
    let file = FlagFile::read("flags.json", text).unwrap();
    let (set, errors) = build(
        &Sources {
            files: &[file],
            ..Sources::default()
        },
        &prod(),
    );
    assert_eq!(errors, []);
    assert_eq!(set.metadata(), r#"{"version":1.0,"owner":"ops"}"#);
    let flag = set.flag("a").unwrap().1.unwrap();
    assert_eq!(flag.metadata, r#"{"version":1.0,"owner":"web","n":1e3}"#);
}

#[test]
fn the_digest_knows_environments_and_definitions() {
    let digest = |default: bool, name: &str| {
        let rows = [row("a", Some(Written::Boolean(default)), &[])];
        let environment = Environment {
            name: name.to_owned(),
            ..prod()
        };
        let sources = Sources {
            rows: &rows,
            ..Sources::default()
        };
        build(&sources, &environment).0.digest().to_owned()
    };
    assert_eq!(digest(true, "prod"), digest(true, "prod"));
    assert_ne!(digest(true, "prod"), digest(false, "prod"));
    assert_ne!(digest(true, "prod"), digest(true, "live"));
}

#[test]
fn large_files_are_bounded() {
    let deep = format!(
        "{{\"flags\": {{\"a\": {{\"state\": \"ENABLED\", \"variants\": {{\"a\": {}1{}}}}}}}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(errors(&deep)[0].contains("recursion limit"));
    let spaces = " ".repeat(MAX_BYTES + 1);
    assert!(
        FlagFile::read("f", &spaces)
            .unwrap_err()
            .problem
            .contains("larger")
    );
    // One evaluator, referred to by very many flags.
    let rule: Vec<String> = (0..15_000).map(|number| number.to_string()).collect();
    let flags: Vec<String> = (0..1000)
        .map(|key| format!("\"f{key}\": {{\"state\": \"ENABLED\", \"variants\": {{\"a\": 1}}, \"targeting\": {{\"if\": {{\"$ref\": \"e\"}}}}}}"))
        .collect();
    let text = format!(
        "{{\"flags\": {{{}}}, \"$evaluators\": {{\"e\": {{\"max\": [{}]}}}}}}",
        flags.join(","),
        rule.join(",")
    );
    assert!(
        FlagFile::read("f", &text)
            .unwrap_err()
            .problem
            .contains("operators and values")
    );
}

#[test]
fn a_set_is_shared_among_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<FlagSet>();
}

/// A file with something of everything.
const WHOLE: &str = r#"{"$schema": "x", "metadata": {"v": 1}, "$evaluators": {"e": {"==": [1, {"var": "x"}]}}, "flags": {
    "a": {"state": "ENABLED", "variants": {"on": {"x": [1.0]}, "off": {}}, "defaultVariant": "on", "metadata": {"m": true},
          "targeting": {"if": [{"$ref": "e"}, {"fractional": [["on", 1], ["off", 2]]}, null]}}}}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// However a file is damaged, it is read or refused, and what is read is answered.
    #[test]
    fn damaged_files_are_read_or_refused(at in 0..WHOLE.len(), length in 0_usize..20, other in "\\PC{0,4}|[{}\\[\\],:\"0-9]{0,4}") {
        let mut text = WHOLE.to_owned();
        let end = (at + length).min(text.len());
        text.replace_range(at..end, &other);
        if let Ok(file) = FlagFile::read("flags.json", &text) {
            let sources = Sources { files: &[file], ..Sources::default() };
            let (set, _) = build(&sources, &prod());
            let subject = Subject::new(Map::new(), &set, 0);
            for key in set.keys() {
                if let Ok(found) = set.evaluate(key, &subject) {
                    let value = found.value.map(serde_json::from_str::<Json>);
                    prop_assert!(value.is_none_or(|value| value.is_ok()));
                    prop_assert!(serde_json::from_str::<Json>(found.metadata).is_ok());
                }
            }
        }
    }

    /// A number is JSON's, or it is refused.
    #[test]
    fn any_number_is_jsons_or_refused(text in "[-+]?[0-9_]{0,5}([.][0-9]{0,3})?([eE][-+]?[0-9]{0,2})?|0[xob][0-9a-f_]{0,4}") {
        if let Ok(Some((value, _))) = value(&row("a", number(&text), &[])) {
            prop_assert!(serde_json::from_str::<Json>(&value).is_ok_and(|value| value.is_number()), "{}", text);
        }
    }
}
