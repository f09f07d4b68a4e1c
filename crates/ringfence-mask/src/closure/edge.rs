//! References, and which of them are followed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cut, Edge, PlanError, Treatment};
use crate::rule::{Masker, Rows, Rules, TableRule};
use crate::schema::{ForeignKey, Table};

impl Edge {
    /// Whether the row pointed to has to be brought.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        !matches!(self.treatment, Treatment::Cut { .. })
    }

    /// Whether it decides the order of tables.
    pub(super) fn orders(&self) -> bool {
        self.treatment == Treatment::Followed
    }

    /// `table.column`.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.child, self.columns.join("+"))
    }
}

/// Every reference of every table, with what the rules say of it, by table and columns.
pub(super) fn all(
    tables: &BTreeMap<&str, &Table>,
    rules: &Rules,
    errors: &mut Vec<PlanError>,
) -> Vec<Edge> {
    let mut edges = Vec::new();
    for table in tables.values() {
        let rule = rules.table(&table.name);
        known_references(table, &rule, errors);
        let mut references: Vec<&ForeignKey> = table.foreign_keys.iter().collect();
        references.sort_by_key(|reference| (&reference.columns, &reference.parent));
        let along = along(table, &rule, errors);
        for reference in references {
            let treatment = treatment(table, &rule, reference);
            // Rows come along by what is followed alone: a cut reference would not say with whom.
            let cap = along.get(&reference.columns).copied();
            edges.push(Edge {
                child: table.name.clone(),
                columns: reference.columns.clone(),
                parent: reference.parent.clone(),
                referenced: reference.referenced.clone(),
                along: cap.filter(|_| !matches!(treatment, Treatment::Cut { .. })),
                treatment,
                blow_up: None,
            });
        }
    }
    let none = |name: &str| rules.table(name).rows == Rows::None;
    for edge in &mut edges {
        edge.along = edge.along.filter(|_| !none(&edge.parent));
    }
    edges
}

fn treatment(table: &Table, rule: &TableRule, reference: &ForeignKey) -> Treatment {
    let own = reference.parent == table.name;
    let null = |name: &String| match rule.columns.get(name) {
        Some(rule) => rule.masker == Masker::Null,
        None => true,
    };
    let why = if rule.cut.contains(&reference.columns) {
        Cut::Declared
    } else if reference.columns.iter().any(null) && table.is_nullable(reference) {
        Cut::Uncovered
    } else if own && table.is_nullable(reference) && !rule.follow.contains(&reference.columns) {
        Cut::OwnTable
    } else {
        return match (own, reference.deferrable) {
            (true, true) => Treatment::Deferred,
            (true, false) => Treatment::Itself,
            (false, _) => Treatment::Followed,
        };
    };
    Treatment::Cut {
        why,
        columns: nullable(table, &reference.columns),
    }
}

fn nullable(table: &Table, columns: &[String]) -> Vec<String> {
    let may = |name: &&String| table.column(name).is_some_and(|column| column.nullable);
    columns.iter().filter(may).cloned().collect()
}

fn known_references(table: &Table, rule: &TableRule, errors: &mut Vec<PlanError>) {
    for (word, lists) in [("cut", &rule.cut), ("follow", &rule.follow)] {
        for columns in lists {
            let mut references = table.foreign_keys.iter();
            let reference = references.find(|reference| reference.columns == *columns);
            match reference {
                None => errors.push(PlanError::UnknownReference {
                    table: table.name.clone(),
                    columns: columns.clone(),
                    rule: word,
                }),
                Some(reference) if word == "cut" && !table.is_nullable(reference) => {
                    errors.push(PlanError::CutRequired {
                        table: table.name.clone(),
                        columns: columns.clone(),
                    });
                }
                Some(_) => {}
            }
        }
    }
}

/// The references that bring rows of a table along, by their columns, with their caps.
fn along(
    table: &Table,
    rule: &TableRule,
    errors: &mut Vec<PlanError>,
) -> BTreeMap<Vec<String>, Option<u64>> {
    let mut found = BTreeMap::new();
    for along in &rule.along {
        let fits = |reference: &&ForeignKey| {
            reference.parent == along.parent
                && reference.parent != table.name
                && (along.columns.is_empty() || along.columns == reference.columns)
        };
        let references: Vec<&ForeignKey> = table.foreign_keys.iter().filter(fits).collect();
        match references.as_slice() {
            [reference] => {
                found.insert(reference.columns.clone(), along.cap);
            }
            many => errors.push(PlanError::Along {
                table: table.name.clone(),
                along: along.clone(),
                references: many.len(),
            }),
        }
    }
    found
}

/// Cuts what points to tables of which nothing travels.
pub(super) fn cut(
    edges: &mut [Edge],
    tables: &BTreeMap<&str, &Table>,
    names: &BTreeSet<&str>,
    errors: &mut Vec<PlanError>,
) {
    for edge in edges {
        if !edge.is_followed() || names.contains(edge.parent.as_str()) {
            continue;
        }
        let columns = tables
            .get(edge.child.as_str())
            .map(|table| nullable(table, &edge.columns))
            .unwrap_or_default();
        if columns.is_empty() {
            errors.push(PlanError::NoParent {
                table: edge.child.clone(),
                columns: edge.columns.clone(),
                parent: edge.parent.clone(),
            });
        }
        edge.along = None;
        edge.treatment = Treatment::Cut {
            why: Cut::NoParent,
            columns,
        };
    }
}
