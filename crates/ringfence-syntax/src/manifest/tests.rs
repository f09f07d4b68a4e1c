use super::*;
use ringfence_diagnostic::Sources;
use serde_json::{Value, json};

/// A manifest that uses every key of the format once.
const EVERYTHING: &str = include_str!("../../tests/data/everything.toml");

fn read(text: &str) -> Parsed {
    parse(Sources::new().add("ringfence.toml", text), text)
}

/// The diagnostics, one a line: code, marked text, message.
fn check(text: &str, expected: &[&str]) {
    let found: Vec<String> = read(text)
        .diagnostics
        .iter()
        .map(|d| {
            format!(
                "{} `{}` {}",
                d.code,
                d.labels[0].place.span.of(text),
                d.message
            )
        })
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn every_key_is_accepted() {
    check(EVERYTHING, &[]);
    let manifest = read(EVERYTHING).manifest;
    assert_eq!(manifest.selector.unwrap().value, "APP_ENV");
    let names: Vec<_> = manifest
        .environments
        .iter()
        .map(|e| e.name.value.as_str())
        .collect();
    assert_eq!(names, ["dev", "test", "staging", "prod"]);
    let settings = manifest.settings.unwrap();
    let debug = settings.iter().find(|s| s.name.value == "DEBUG").unwrap();
    assert_eq!(debug.value.default.as_ref().unwrap().value, "true");
    let within: Vec<_> = debug
        .value
        .within
        .iter()
        .map(|(name, v)| (name.value.as_str(), v.value.as_str()))
        .collect();
    assert_eq!(within, [("staging", "false"), ("prod", "false")]);
    let key = settings
        .iter()
        .find(|s| s.name.value == "STRIPE_API_KEY")
        .unwrap();
    assert_eq!(
        (key.required.default, key.required.within[0].1, key.distinct),
        (Some(false), true, true)
    );
}

#[test]
fn spans_hold_what_was_written() {
    let text =
        "version = 1\n[settings]\nA = { default = \"x\", in.prod = 3 }\nB = [\"u\", \"v\"]\n";
    let settings = read(text).manifest.settings.unwrap();
    let a = &settings[0];
    assert_eq!(a.name.span.of(text), "A");
    assert_eq!(a.value.default.as_ref().unwrap().span.of(text), "\"x\"");
    assert_eq!(a.value.within[0].1.span.of(text), "3");
    assert_eq!(settings[1].value.default.as_ref().unwrap().value, "u,v");
}

#[test]
fn unknown_keys_are_named_with_a_suggestion() {
    check(
        "version = 1\nselektor = \"X\"\n[settings]\nA = { defualt = 1 }\n",
        &[
            "unknown-key `selektor` unknown key `selektor` in the manifest",
            "unknown-key `defualt` unknown key `defualt` in `[settings.A]`",
        ],
    );
    let parsed = read("version = 1\n[environments.dev]\nteir = \"development\"\n");
    assert_eq!(parsed.diagnostics[0].help, ["did you mean `tier`?"]);
}

#[test]
fn wrong_types_are_named() {
    check(
        "version = 2\npass = \"DISPLAY\"\n[environments]\ndev = { tier = \"develop\" }\n[settings]\nA = { secret = \"yes\" }\nB = { required = { in.prod = 1 } }\n",
        &[
            "wrong-type `2` `version` in the manifest must be 1",
            "wrong-type `\"DISPLAY\"` `pass` in the manifest must be a list",
            "wrong-type `\"develop\"` `tier` in `[environments.dev]` must be one of development, testing, staging, production",
            "wrong-type `\"yes\"` `secret` in `[settings.A]` must be true or false",
            "wrong-type `1` `required` in `[settings.B]` must be true or false",
        ],
    );
    check(
        "project = \"x\"\n",
        &["missing-key `` the manifest has no `version`"],
    );
}

#[test]
fn text_that_is_no_toml_is_one_diagnostic_and_shows_no_value() {
    let text = "[settings]\nA = { default = \"sk_live_1 }\n";
    let parsed = read(text);
    assert_eq!(parsed.diagnostics.len(), 1);
    assert_eq!(parsed.diagnostics[0].code, "manifest-syntax");
    let shown: String = parsed.shown.iter().map(|span| span.of(text)).collect();
    assert_eq!(shown, "[settings]\nA =");
}

#[test]
fn values_of_settings_are_not_shown() {
    let text = "version = 1\n[settings]\nA = { type = \"int\", default = 1, in.prod = \"sk_live\", typo = \"sk_live\" }\nB = \"sk_live\"\n";
    let shown: String = read(text).shown.iter().map(|span| span.of(text)).collect();
    assert!(
        !shown.contains("sk_live") && shown.contains("type = \"int\""),
        "{shown}"
    );
}

/// A TOML text as JSON, for the schema.
fn as_json(item: &toml_edit::Item) -> Value {
    fn plain(value: &toml_edit::Value) -> Value {
        match value {
            toml_edit::Value::String(text) => json!(text.value()),
            toml_edit::Value::Integer(number) => json!(number.value()),
            toml_edit::Value::Float(number) => json!(number.value()),
            toml_edit::Value::Boolean(flag) => json!(flag.value()),
            toml_edit::Value::Datetime(time) => json!(time.value().to_string()),
            toml_edit::Value::Array(array) => array.iter().map(plain).collect(),
            toml_edit::Value::InlineTable(table) => table
                .iter()
                .map(|(name, inner)| (name.to_owned(), plain(inner)))
                .collect(),
        }
    }
    match item.as_table_like() {
        Some(table) => table
            .iter()
            .map(|(name, item)| (name.to_owned(), as_json(item)))
            .collect(),
        None => item.as_value().map_or(Value::Null, plain),
    }
}

#[test]
fn reader_and_schema_agree() {
    let validator = jsonschema::validator_for(&json_schema()).unwrap();
    let good = [EVERYTHING.to_owned(), "version = 1\n".to_owned()];
    let bad = [
        "",
        "version = 2\n",
        "version = 1\nx = 1\n",
        "version = 1\npass = \"A\"\n",
        "version = 1\npass = [\"A B\"]\n",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(
        [
            "defualt = 1",
            "secret = 1",
            "type = \"text\"",
            "required = 1",
            "required = { on = true }",
            "default = { a = 1 }",
            "from = \"shell\"",
        ]
        .map(|attribute| format!("version = 1\n[settings]\nA = {{ {attribute} }}\n")),
    )
    .chain(
        [
            "tier = \"prod\"",
            "aliases = \"x\"",
            "files = [1]",
            "barrier = \"on\"",
            "disposable = 1",
            "unknown = 1",
        ]
        .map(|attribute| format!("version = 1\n[environments]\na = {{ {attribute} }}\n")),
    )
    .chain(
        [
            "[egress]\ndev = \"closed\"",
            "[people]\nana = 1",
            "[promotion]\nprod = \"x\"",
            "[access]\ndeny = 1",
            "ports = [0]",
        ]
        .map(|rest| format!("version = 1\n{rest}\n")),
    );
    for (text, expected) in good
        .into_iter()
        .map(|text| (text, true))
        .chain(bad.map(|text| (text, false)))
    {
        let document = toml_edit::Document::parse(text.clone()).unwrap();
        assert_eq!(
            validator.is_valid(&as_json(document.as_item())),
            expected,
            "schema on {text}"
        );
        assert_eq!(
            read(&text).diagnostics.is_empty(),
            expected,
            "reader on {text}"
        );
    }
}

#[test]
fn the_published_schema_is_the_generated_one() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/ringfence.schema.json"
    );
    let generated = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    let published = std::fs::read_to_string(path).unwrap_or_default();
    if published != generated {
        std::fs::write(path, generated).unwrap();
        panic!("docs/ringfence.schema.json was out of date and has been written anew: commit it");
    }
}

#[test]
fn flags_keep_the_spelling_of_numbers() {
    let text = "version = 1\n[flags]\nfast = true\nwait = { default = 30.0, in.prod = 1_000 }\n[flags.names]\nin.dev = [\"a\", 0x1f, 1e3]\n";
    let parsed = parse(Sources::new().add("ringfence.toml", text), text);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let number = |text: &str| FlagValue::Number(text.to_owned());
    let flags = &parsed.manifest.flags;
    let names: Vec<&str> = flags.iter().map(|flag| flag.name.value.as_str()).collect();
    assert_eq!(names, ["fast", "wait", "names"]);
    assert_eq!(flags[0].value.default, Some(FlagValue::Boolean(true)));
    assert_eq!(flags[1].value.default, Some(number("30.0")));
    assert_eq!(flags[1].value.within[0].1, number("1_000"));
    let list = FlagValue::List(vec![
        FlagValue::Text("a".to_owned()),
        number("0x1f"),
        number("1e3"),
    ]);
    assert_eq!(flags[2].value.within[0].1, list);
}
