//! Links as Greenmask's virtual references, of which those that hold for some rows only are polymorphic ones.

use std::collections::BTreeSet;

use super::{named, quoted};
use crate::rule::{Link, Rules};
use crate::schema::Table;

/// The part `virtual_references`; empty where no table that travels has a link.
pub(super) fn part(
    tables: &[Table],
    rules: &Rules,
    travels: &BTreeSet<String>,
    notes: &mut Vec<String>,
) -> String {
    let mut text = String::new();
    for table in tables.iter().filter(|table| travels.contains(&table.name)) {
        let rule = rules.table(&table.name);
        let links = rule
            .links
            .iter()
            .filter(|link| travels.contains(&link.parent));
        let references: String = links
            .filter_map(|link| reference(&table.name, link, notes))
            .collect();
        if !references.is_empty() {
            let (schema, name) = split(&table.name);
            text.push_str(&format!(
                "    - schema: {}\n      name: {}\n      references:\n{references}",
                quoted(schema),
                quoted(name)
            ));
        }
    }
    if text.is_empty() {
        return text;
    }
    format!("  virtual_references:\n{text}")
}

fn split(name: &str) -> (&str, &str) {
    name.split_once('.').unwrap_or(("public", name))
}

fn reference(table: &str, link: &Link, notes: &mut Vec<String>) -> Option<String> {
    if !link.referenced.is_empty() {
        notes.push(format!(
            "`{table}`: the link `{link}` cannot be said: Greenmask's virtual references point to primary keys"
        ));
        return None;
    }
    let (schema, name) = split(&link.parent);
    let mut text = format!(
        "        - schema: {}\n          name: {}\n",
        quoted(schema),
        quoted(name)
    );
    if let Some(when) = &link.when {
        let (schema, name) = split(table);
        let column = format!("{}.{}.{}", named(schema), named(name), named(&when.column));
        let value = when.value.replace('\'', "''");
        let condition = format!("{column}::text = '{value}'");
        text.push_str(&format!(
            "          polymorphic_exprs:\n            - {}\n",
            quoted(&condition)
        ));
    }
    text.push_str("          columns:\n");
    for column in &link.columns {
        text.push_str(&format!("            - name: {}\n", quoted(column)));
    }
    Some(text)
}
