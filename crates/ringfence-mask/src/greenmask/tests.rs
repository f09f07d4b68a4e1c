use ringfence_syntax::tree::Node;

use super::*;
use crate::schema::{Column, Kind};

fn tables() -> Vec<Table> {
    let column = |name: &str, kind: &str| Column::new(name, Kind::read(kind)).nullable();
    let users = Table {
        name: "users".to_owned(),
        columns: vec![
            Column::new("id", Kind::Integer(64)),
            column("email", "text"),
            column("full: \"name\"", "text"),
            column("phone", "text"),
            column("born", "date"),
            column("secret", "text"),
        ],
        primary_key: vec!["id".to_owned()],
        ..Table::default()
    };
    let empty = Table {
        name: "audit.sessions".to_owned(),
        columns: vec![column("id", "int8")],
        ..Table::default()
    };
    let mut unasked = empty.clone();
    unasked.name = "tokens".to_owned();
    vec![users, empty, unasked]
}

fn rules() -> Rules {
    let mut rules = Rules::default();
    let users = rules.tables.entry("users".to_owned()).or_default();
    users.rows = "25%".parse().unwrap();
    users.filter = Some("public.users.id > 5".to_owned());
    for (name, rule) in [
        ("id", "keep"),
        ("email", "email"),
        ("full: \"name\"", "name"),
        ("phone", "phone:uk"),
        ("born", "date:shift 30"),
    ] {
        users.columns.insert(name.to_owned(), rule.parse().unwrap());
    }
    let sessions = rules.tables.entry("audit.sessions".to_owned()).or_default();
    sessions.rows = Rows::None;
    rules
}

/// Reads YAML with the workspace's own parser.
fn parsed(yaml: &str) -> Node {
    let source = ringfence_diagnostic::Sources::new().add("greenmask.yml", "");
    let parsed = ringfence_syntax::tree::yaml::parse(source, yaml);
    assert!(parsed.diagnostics.is_empty(), "{yaml}");
    parsed.documents.into_iter().next().unwrap()
}

#[test]
fn the_configuration_is_yaml_and_denies_by_default() {
    let made = configuration(&tables(), &rules());
    let root = parsed(&made.yaml);
    let dump = root.get("dump").unwrap();
    let excluded = dump
        .get("pg_dump_options")
        .unwrap()
        .get("exclude-table-data")
        .unwrap();
    assert_eq!(excluded.items()[0].as_str(), Some("audit.sessions"));
    assert_eq!(excluded.items()[1].as_str(), Some("tokens"));
    let tables = dump.get("transformation").unwrap().items();
    assert_eq!(tables.len(), 1);
    assert_eq!(tables[0].text("schema"), Some("public"));
    assert_eq!(tables[0].text("name"), Some("users"));
    let conditions = tables[0].get("subset_conds").unwrap().items();
    assert_eq!(conditions[0].as_str(), Some("public.users.id > 5"));
    let fraction = conditions[1].as_str().unwrap();
    assert!(
        fraction.contains("\"public\".\"users\".\"id\"::text"),
        "{fraction}"
    );
    assert!(
        fraction.ends_with("< 536870912"),
        "a quarter of 2^31: {fraction}"
    );
    let transformers = tables[0].get("transformers").unwrap().items();
    let names: Vec<&str> = transformers
        .iter()
        .map(|t| t.text("name").unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "RandomEmail",
            "RandomPerson",
            "RandomChoice",
            "NoiseDate",
            "SetNull"
        ]
    );
    check_parameters(transformers);
    transformers.iter().for_each(known);
    assert!(made.notes.iter().any(|note| note.contains("unkeyed md5")));
}

fn check_parameters(transformers: &[Node]) {
    let email = transformers[0].get("params").unwrap();
    assert_eq!(email.text("column"), Some("email"));
    assert_eq!(email.text("engine"), Some("hash"));
    assert_eq!(
        email.get("domains").unwrap().items()[0].as_str(),
        Some("example.invalid")
    );
    let person = transformers[1]
        .get("params")
        .unwrap()
        .get("columns")
        .unwrap();
    assert_eq!(person.items()[0].text("name"), Some("full: \"name\""));
    let phones = transformers[2]
        .get("params")
        .unwrap()
        .get("values")
        .unwrap()
        .items();
    assert_eq!(
        (phones.len(), phones[7].as_str()),
        (100, Some("+447700900007"))
    );
    assert_eq!(
        transformers[4].get("params").unwrap().text("column"),
        Some("secret")
    );
}

#[test]
fn every_masker_is_said_or_noted() {
    let cases = [
        ("text", "hash:12", "RandomString"),
        ("int4", "hash", "RandomInt"),
        ("uuid", "hash", "RandomUuid"),
        ("uuid", "uuid", "RandomUuid"),
        ("text", "text", "Replace"),
        ("jsonb", "text", "Replace"),
        ("int4", "number", "RandomInt"),
        ("int4", "number:1..5", "RandomInt"),
        ("int4", "number:noise 5%", "NoiseInt"),
        ("numeric(8,2)", "number", "NoiseNumeric"),
        ("numeric(8,2)", "number:1..5", "RandomNumeric"),
        ("float8", "number", "NoiseFloat"),
        ("float8", "number:1..5", "RandomFloat"),
        ("text", "number", "RandomString"),
        ("text", "number:card", "RandomString"),
        ("date", "date:month", "NoiseDate"),
        ("text", "choice:a|b", "RandomChoice"),
        ("text", "template:x", "Replace"),
        ("text", "template:x{n}", "RandomString"),
        ("text", "address", "RandomPerson"),
        ("text", "address:postcode", "RandomChoice"),
        ("text", "null", "SetNull"),
    ];
    for (kind, rule, name) in cases {
        let table = Table {
            name: "t".to_owned(),
            columns: vec![Column::new("c", Kind::read(kind))],
            ..Table::default()
        };
        let mut rules = Rules::default();
        let wanted = rules.tables.entry("t".to_owned()).or_default();
        wanted.rows = Rows::All;
        wanted.columns.insert("c".to_owned(), rule.parse().unwrap());
        let made = configuration(&[table], &rules);
        let root = parsed(&made.yaml);
        let tables = root
            .get("dump")
            .unwrap()
            .get("transformation")
            .unwrap()
            .items();
        let transformers = tables[0].get("transformers").unwrap().items();
        assert_eq!(transformers[0].text("name"), Some(name), "{rule} on {kind}");
        known(&transformers[0]);
    }
    let table = Table {
        name: "t".to_owned(),
        columns: vec![Column::new("c", Kind::Bytes)],
        ..Table::default()
    };
    let mut rules = Rules::default();
    let wanted = rules.tables.entry("t".to_owned()).or_default();
    wanted.rows = Rows::All;
    wanted
        .columns
        .insert("c".to_owned(), "hash".parse().unwrap());
    let made = configuration(&[table], &rules);
    assert_eq!(
        made.notes,
        [
            "`t.c`: `hash` of this type cannot be said: use `null` or `keep`; no row of `t` is dumped"
        ]
    );
    let root = parsed(&made.yaml);
    let options = root.get("dump").unwrap().get("pg_dump_options").unwrap();
    let empty = options.get("exclude-table-data").unwrap().items();
    assert_eq!(empty[0].as_str(), Some("t"));
    parsed(&configuration(&[], &Rules::default()).yaml);
}

/// The transformers that are used, with the parameters that each page of Greenmask 0.2's documentation lists ("Standard transformers",
/// `docs.greenmask.io`) and its source defines under the same name; those with `!` have to be there.
const PARAMETERS: [(&str, &[&str]); 14] = [
    (
        "NoiseDate",
        &[
            "!column",
            "min_ratio",
            "!max_ratio",
            "min",
            "max",
            "truncate",
            "engine",
        ],
    ),
    (
        "NoiseFloat",
        &["!column", "min_ratio", "!max_ratio", "min", "max", "engine"],
    ),
    (
        "NoiseInt",
        &["!column", "min_ratio", "!max_ratio", "min", "max", "engine"],
    ),
    (
        "NoiseNumeric",
        &["!column", "min_ratio", "!max_ratio", "min", "max", "engine"],
    ),
    (
        "RandomChoice",
        &["!column", "!values", "validate", "keep_null", "engine"],
    ),
    (
        "RandomDate",
        &["!column", "!min", "!max", "truncate", "keep_null", "engine"],
    ),
    (
        "RandomEmail",
        &[
            "!column",
            "keep_original_domain",
            "local_part_template",
            "domain_part_template",
            "domains",
            "validate",
            "max_random_length",
            "keep_null",
            "engine",
        ],
    ),
    (
        "RandomFloat",
        &["!column", "!min", "!max", "keep_null", "engine"],
    ),
    (
        "RandomInt",
        &["!column", "!min", "!max", "keep_null", "engine"],
    ),
    (
        "RandomNumeric",
        &["!column", "!min", "!max", "decimal", "keep_null", "engine"],
    ),
    (
        "RandomPerson",
        &[
            "!columns",
            "gender",
            "gender_mapping",
            "fallback_gender",
            "engine",
        ],
    ),
    (
        "RandomString",
        &[
            "!column",
            "!min_length",
            "!max_length",
            "symbols",
            "keep_null",
            "engine",
        ],
    ),
    ("RandomUuid", &["!column", "keep_null", "engine"]),
    ("Replace", &["!column", "!value", "validate", "keep_null"]),
];

/// Greenmask refuses a transformer or a parameter that it does not know, and one that is missing.
#[track_caller]
fn known(transformer: &Node) {
    let name = transformer.text("name").unwrap();
    let parameters = transformer.get("params").unwrap().entries();
    let written: Vec<&str> = parameters.iter().map(|entry| entry.key.as_str()).collect();
    if name == "SetNull" {
        assert_eq!(written, ["column"]);
        return;
    }
    let (_, known) = PARAMETERS.iter().find(|(own, _)| *own == name).unwrap();
    for parameter in &written {
        let is_known = known
            .iter()
            .any(|own| own.trim_start_matches('!') == *parameter);
        assert!(is_known, "{name} has no parameter {parameter}");
    }
    for required in known.iter().filter_map(|own| own.strip_prefix('!')) {
        assert!(written.contains(&required), "{name} wants {required}");
    }
}

#[test]
fn links_are_virtual_references() {
    let mut comments = tables().remove(0);
    comments.name = "blog.comments".to_owned();
    let column = |name: &str| Column::new(name, Kind::Integer(64)).nullable();
    comments
        .columns
        .extend(["subject_id", "hall", "number"].map(column));
    comments
        .columns
        .push(Column::new("o'kind", Kind::TEXT).nullable());
    let mut halls = tables().remove(0);
    halls.name = "halls".to_owned();
    halls.primary_key = vec!["id".to_owned(), "id".to_owned()];
    let tables = [comments, halls, tables().remove(0)];
    let mut rules = rules();
    rules.tables.remove("audit.sessions");
    let rule = rules.tables.entry("blog.comments".to_owned()).or_default();
    rule.rows = Rows::All;
    rule.links = [
        "subject_id to users when o'kind is O'User",
        "hall+number to halls",
        "number to users by phone",
    ]
    .map(|link| link.parse().unwrap())
    .to_vec();
    for name in ["id", "subject_id", "hall", "number", "o'kind"] {
        rule.columns
            .insert(name.to_owned(), "keep".parse().unwrap());
    }
    rules.tables.entry("halls".to_owned()).or_default().rows = Rows::All;
    let made = configuration(&tables, &rules);
    let root = parsed(&made.yaml);
    let virtual_references = root.get("dump").unwrap().get("virtual_references").unwrap();
    let comments = &virtual_references.items()[0];
    assert_eq!(comments.text("schema"), Some("blog"));
    assert_eq!(comments.text("name"), Some("comments"));
    let references = comments.get("references").unwrap().items();
    assert_eq!(references.len(), 2);
    assert_eq!(references[0].text("name"), Some("users"));
    let condition = references[0].get("polymorphic_exprs").unwrap().items();
    assert_eq!(
        condition[0].as_str(),
        Some("\"blog\".\"comments\".\"o'kind\"::text = 'O''User'")
    );
    assert_eq!(references[1].text("name"), Some("halls"));
    let columns = references[1].get("columns").unwrap().items();
    assert_eq!(columns[1].text("name"), Some("number"));
    assert!(
        made.notes
            .iter()
            .any(|note| note.contains("`number to users by phone` cannot be said"))
    );
}
