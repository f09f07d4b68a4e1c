//! The same rules as a configuration of Greenmask 0.2, for dumps that go beyond samples.
//!
//! Sources: Greenmask's public documentation (`docs.greenmask.io`): sections `dump.transformation`, `dump.pg_dump_options`,
//! "Transformation engines", "Database subset", and the pages of the transformers that are used: `Replace`, `SetNull`, `RandomChoice`,
//! `RandomDate`, `RandomEmail`, `RandomFloat`, `RandomInt`, `RandomNumeric`, `RandomPerson`, `RandomString`, `RandomUuid`, `NoiseDate`,
//! `NoiseFloat`, `NoiseInt`, `NoiseNumeric`. Each is used with `engine: hash` where it has engines, so that joins survive; the hash is
//! keyed by the variable `GREENMASK_GLOBAL_SALT`.
//!
//! What always holds: the text is YAML, in the block style with quoted strings; a column that no rule covers is set to null, so that
//! Greenmask, which keeps what it is not told about, denies by default as well; what cannot be said the same way is a note. Neither
//! uniqueness nor the absence of the original is checked by Greenmask.

mod column;
#[cfg(test)]
mod tests;

use column::{Transformer, transformer};

use crate::rule::{Rows, Rules, TableRule};
use crate::schema::Table;

/// A configuration, and what it says otherwise than the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The text of the file, without `common` and `storage`.
    pub yaml: String,
    /// For people: what differs, a sentence each.
    pub notes: Vec<String>,
}

/// Translates rules for all tables of a database.
#[must_use]
pub fn configuration(tables: &[Table], rules: &Rules) -> Configuration {
    let mut notes = Vec::new();
    let mut empty = Vec::new();
    let mut parts = String::new();
    for table in tables {
        let rule = rules.table(&table.name);
        if rule.rows == Rows::None {
            empty.push(format!("      - {}\n", quoted(&table.name)));
            continue;
        }
        parts.push_str(&table_part(table, &rule, &mut notes));
    }
    let mut yaml = String::from("dump:\n");
    if !empty.is_empty() {
        yaml.push_str("  pg_dump_options:\n    exclude-table-data:\n");
        yaml.extend(empty);
    }
    match parts.as_str() {
        "" => yaml.push_str("  transformation: []\n"),
        _ => {
            yaml.push_str("  transformation:\n");
            yaml.push_str(&parts);
        }
    }
    notes.sort();
    notes.dedup();
    Configuration { yaml, notes }
}

fn table_part(table: &Table, rule: &TableRule, notes: &mut Vec<String>) -> String {
    let (schema, name) = table
        .name
        .split_once('.')
        .unwrap_or(("public", &table.name));
    let mut text = format!(
        "    - schema: {}\n      name: {}\n",
        quoted(schema),
        quoted(name)
    );
    let conditions = conditions(table, rule, (schema, name), notes);
    if !conditions.is_empty() {
        text.push_str("      subset_conds:\n");
        for condition in conditions {
            text.push_str(&format!("        - {}\n", quoted(&condition)));
        }
    }
    let mut found = Vec::new();
    for column in table.columns.iter().filter(|column| !column.generated) {
        match transformer(column, rule.columns.get(&column.name)) {
            Ok(None) => {}
            Ok(Some(transformer)) => found.push(transformer),
            Err(reason) => notes.push(format!("`{}.{}`: {reason}", table.name, column.name)),
        }
    }
    notes.extend(
        found
            .iter()
            .filter_map(|transformer| transformer.note.map(str::to_owned)),
    );
    if found.is_empty() {
        text.push_str("      transformers: []\n");
        return text;
    }
    text.push_str("      transformers:\n");
    text.extend(found.iter().map(Transformer::text));
    text
}

/// Which rows: the filter, and the fraction by an unkeyed hash of the key.
fn conditions(
    table: &Table,
    rule: &TableRule,
    (schema, name): (&str, &str),
    notes: &mut Vec<String>,
) -> Vec<String> {
    let mut found: Vec<String> = rule.filter.iter().cloned().collect();
    match rule.rows {
        Rows::Fraction(fraction) if !table.primary_key.is_empty() => {
            let columns = table.primary_key.iter();
            let key: Vec<String> = columns
                .map(|column| format!("{}.{}.{}::text", named(schema), named(name), named(column)))
                .collect();
            // The first 31 bits, so that they are a number that is not negative.
            let end = fraction.threshold() >> 33;
            found.push(format!(
                "('x' || substr(md5(concat_ws(',', {})), 1, 8))::bit(32)::bigint >> 1 < {end}",
                key.join(", ")
            ));
            notes.push("fractions are decided by an unkeyed md5 of the primary key: always the same rows, but not those of a sample".to_owned());
        }
        Rows::Count(_) => notes.push(format!(
            "`{}`: a number of rows cannot be said; all rows are dumped",
            table.name
        )),
        _ => {}
    }
    if !rule.along.is_empty() {
        notes.push("Greenmask follows every reference in both directions: rows that come along, caps and cuts cannot be said".to_owned());
    }
    found
}

/// An SQL identifier.
fn named(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A double-quoted scalar of YAML 1.2, of which JSON's strings are a part.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
