//! The same rules as a configuration of Greenmask 0.2, for dumps that go beyond samples.
//!
//! Sources: Greenmask's public documentation (`docs.greenmask.io`): sections `dump.transformation`, `dump.pg_dump_options`,
//! "Transformation engines", "Database subset" with its virtual and polymorphic references, and the pages of the transformers that are used: `Replace`, `SetNull`, `RandomChoice`,
//! `RandomDate`, `RandomEmail`, `RandomFloat`, `RandomInt`, `RandomNumeric`, `RandomPerson`, `RandomString`, `RandomUuid`, `NoiseDate`,
//! `NoiseFloat`, `NoiseInt`, `NoiseNumeric`. Each is used with `engine: hash` where it has engines, so that joins survive; the hash is
//! keyed by the variable `GREENMASK_GLOBAL_SALT`.
//!
//! What always holds: the text is YAML, in the block style with quoted strings; a column that no rule covers is set to null, and a table of which nothing travels, or
//! one of whose columns cannot be masked, is left empty, so that Greenmask, which keeps what it is not told about, denies by default as well; what cannot be said the same way is a note. Neither
//! uniqueness nor the absence of the original is checked by Greenmask.

mod column;
mod links;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use column::{Transformer, transformer};

use crate::closure::plan;
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
    let travels = travelling(tables, rules);
    for table in tables {
        let rule = rules.table(&table.name);
        let part = match travels.contains(&table.name) {
            true => table_part(table, &rule, &mut notes),
            false => None,
        };
        match part {
            Some(part) => parts.push_str(&part),
            None => empty.push(format!("      - {}\n", quoted(&table.name))),
        }
    }
    let mut yaml = String::from("dump:\n");
    if !empty.is_empty() {
        yaml.push_str("  pg_dump_options:\n    exclude-table-data:\n");
        yaml.extend(empty);
    }
    yaml.push_str(&links::part(tables, rules, &travels, &mut notes));
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

/// The tables of a plan; where there can be none, those that a rule asks for. Greenmask dumps every table it is not told to leave out.
fn travelling(tables: &[Table], rules: &Rules) -> BTreeSet<String> {
    let asked = |table: &&Table| {
        let rule = rules.table(&table.name);
        rule != TableRule::default() && rule.rows != Rows::None
    };
    match plan(tables, rules) {
        Ok(plan) => plan.tables.into_iter().map(|table| table.name).collect(),
        Err(_) => {
            let names = tables.iter().filter(asked);
            names.map(|table| table.name.clone()).collect()
        }
    }
}

/// A table's part; none where a column cannot be said, since its original would be dumped.
fn table_part(table: &Table, rule: &TableRule, notes: &mut Vec<String>) -> Option<String> {
    let columns = table.columns.iter().filter(|column| !column.generated);
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    for column in columns {
        match transformer(column, rule.columns.get(&column.name)) {
            Ok(transformer) => found.extend(transformer),
            Err(reason) => refused.push(format!(
                "`{}.{}`: {reason}; no row of `{}` is dumped",
                table.name, column.name, table.name
            )),
        }
    }
    if !refused.is_empty() {
        notes.extend(refused);
        return None;
    }
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
        let lines = conditions
            .iter()
            .map(|condition| format!("        - {}\n", quoted(condition)));
        text.extend(lines);
    }
    notes.extend(
        found
            .iter()
            .filter_map(|transformer| transformer.note.map(str::to_owned)),
    );
    text.push_str(match found.as_slice() {
        [] => "      transformers: []\n",
        _ => "      transformers:\n",
    });
    text.extend(found.iter().map(Transformer::text));
    Some(text)
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
        Rows::Needed => notes.push(format!(
            "`{}`: all rows are dumped that references in either direction reach, not only those that are needed",
            table.name
        )),
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
