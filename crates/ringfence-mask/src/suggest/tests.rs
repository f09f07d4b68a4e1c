use proptest::prelude::*;

use super::*;
use crate::key::Key;
use crate::mask::Masking;
use crate::rule::Rules;
use crate::schema::ForeignKey;

fn rule(table: &str, name: &str, kind: &str) -> String {
    let table = Table {
        name: table.to_owned(),
        columns: vec![Column::new(name, Kind::read(kind)).nullable()],
        ..Table::default()
    };
    suggest(&table)[0].rule.to_string()
}

#[test]
fn names_are_understood_in_several_languages() {
    for (name, expected) in [
        ("email", "email"),
        ("user_email", "email"),
        ("EmailAddress", "email"),
        ("correo", "email"),
        ("e_mail", "email"),
        ("courriel", "email"),
        ("phone", "phone"),
        ("telefono", "phone"),
        ("Telefonnummer", "phone"),
        ("téléphone", "phone"),
        ("password_hash", "null"),
        ("contraseña", "null"),
        ("mot_de_passe", "null"),
        ("api_key", "null"),
        ("first_name", "name:first"),
        ("Vorname", "name:first"),
        ("prénom", "name:first"),
        ("lastName", "name:last"),
        ("apellidos", "name:last"),
        ("nachname", "name:last"),
        ("full_name", "name"),
        ("username", "template:user{hash:10}"),
        ("street_address", "address:street"),
        ("Straße", "text"),
        ("plz", "address:postcode"),
        ("ville", "address:city"),
        ("address", "address"),
        ("ip_address", "template:192.0.2.1"),
        ("iban", "number"),
        ("ssn", "number"),
        ("card_number", "number:card"),
        ("stripe_customer_id", "text"),
        ("stripe_customer", "hash"),
        ("notes", "text"),
        ("mystery", "text"),
    ] {
        assert_eq!(rule("t", name, "text"), expected, "{name}");
    }
    assert_eq!(rule("t", "date_of_birth", "date"), "date:year");
    assert_eq!(rule("t", "geburtsdatum", "date"), "date:year");
    assert_eq!(rule("users", "name", "text"), "name");
    assert_eq!(rule("products", "name", "text"), "text");
    assert_eq!(rule("t", "email_verified", "boolean"), "keep");
    assert_eq!(rule("t", "quantity", "int4"), "keep");
    assert_eq!(rule("t", "completion_tokens", "bigint"), "keep");
    assert_eq!(rule("t", "password_expired", "boolean"), "keep");
    assert_eq!(rule("t", "amount", "numeric(8,2)"), "number");
    assert_eq!(rule("t", "created_at", "timestamptz"), "keep");
    assert_eq!(rule("t", "embedding", "vector(3)"), "null");
    assert_eq!(rule("t", "phone", "bigint"), "phone");
    assert_eq!(rule("t", "email", "varchar(10)"), "hash");
}

#[test]
fn keys_and_lists_stay() {
    let mut table = Table {
        name: "orders".to_owned(),
        columns: vec![
            Column::new("id", Kind::Integer(64)),
            Column::new("user_id", Kind::Integer(64)),
            Column::new("state", Kind::TEXT),
            Column::new("kind", Kind::Enumeration),
        ],
        primary_key: vec!["id".to_owned()],
        ..Table::default()
    };
    table.foreign_keys.push(ForeignKey {
        columns: vec!["user_id".to_owned()],
        parent: "users".to_owned(),
        ..ForeignKey::default()
    });
    let statistics = |name: &str| Statistics {
        distinct: (name == "state").then_some(5),
        rows: Some(10_000),
        mean_bytes: Some(8),
    };
    let lines = manifest_lines(&suggest_with(&table, statistics));
    assert_eq!(
        lines,
        "\"orders.id\" = \"keep\"  # sure: the primary key\n\
         \"orders.user_id\" = \"keep\"  # sure: points to `users`\n\
         \"orders.state\" = \"keep\"  # likely: few different values in many rows\n\
         \"orders.kind\" = \"keep\"  # sure: a word of a closed list\n"
    );
}

proptest! {
    #[test]
    fn what_is_suggested_can_be_carried_out(
        columns in prop::collection::btree_map("[a-z_]{1,12}|email|phone|password|note", ("(text|varchar\\([0-9]{1,2}\\)|int4|int8|numeric\\(5,2\\)|real|date|timestamp|uuid|jsonb|bytea|boolean|inet|vector\\(3\\))", any::<bool>(), any::<bool>()), 1..8)
    ) {
        let table = Table {
            name: "t".to_owned(),
            columns: columns.iter().map(|(name, (kind, nullable, _))| {
                let column = Column::new(name, Kind::read(kind));
                if *nullable { column.nullable() } else { column }
            }).collect(),
            unique: columns.iter().filter(|(_, (_, _, unique))| *unique).map(|(name, _)| vec![name.clone()]).collect(),
            primary_key: columns.keys().take(1).cloned().collect(),
            ..Table::default()
        };
        let suggestions = suggest(&table);
        let mut rules = Rules::default();
        let rule = rules.tables.entry("t".to_owned()).or_default();
        for column in &table.columns {
            if !suggestions.iter().any(|suggestion| suggestion.column == column.name) {
                // What makes a vector again is no rule for its column.
                prop_assert!(column.kind == Kind::Vector);
                rule.remade.insert(column.name.clone());
            }
        }
        for suggestion in &suggestions {
            rule.columns.insert(suggestion.column.clone(), suggestion.rule.clone());
        }
        prop_assert!(Masking::new(&[&table], &rules, &Key::read(&[1; 32]).unwrap()).is_ok());
    }
}
