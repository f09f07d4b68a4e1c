//! References, and which of them are followed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cut, Declared, Edge, PlanError, Treatment};
use crate::rule::{Along, Link, Masker, Rows, Rules, TableRule};
use crate::schema::{ForeignKey, Kind, Table};

impl Edge {
    /// Whether the row pointed to has to be brought.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        !matches!(self.treatment, Treatment::Cut { .. })
    }

    /// Whether it is a link of the rules.
    #[must_use]
    pub fn is_link(&self) -> bool {
        matches!(self.declared, Declared::Link(_))
    }

    /// Whether it decides the order of tables. Nothing looks after a link, so that it may point to what is loaded later.
    pub(super) fn orders(&self) -> bool {
        self.treatment == Treatment::Followed && !self.is_link()
    }

    /// `table.column`.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.child, self.columns.join("+"))
    }
}

/// A reference, and what says that it is one.
type Reference = (ForeignKey, Declared);

/// Every reference of every table, with what the rules say of it, by table and columns; the schema's own come first.
pub(super) fn all(
    tables: &BTreeMap<&str, &Table>,
    rules: &Rules,
    errors: &mut Vec<PlanError>,
) -> Vec<Edge> {
    let mut edges = Vec::new();
    for table in tables.values() {
        let rule = rules.table(&table.name);
        let references = references(table, tables, &rule, errors);
        known_references(table, &rule, &references, errors);
        let along = along(table, &rule, &references, errors);
        for (reference, declared) in references {
            let treatment = treatment(table, &rule, (&reference, &declared));
            // Rows come along by what is followed alone: a cut reference would not say with whom.
            let way = (reference.columns.clone(), reference.parent.clone());
            let cap = along.get(&way).copied();
            edges.push(Edge {
                child: table.name.clone(),
                along: cap.filter(|_| !matches!(treatment, Treatment::Cut { .. })),
                columns: reference.columns,
                parent: reference.parent,
                referenced: reference.referenced,
                declared,
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

/// What the schema declares, and what the rules declare besides.
fn references(
    table: &Table,
    tables: &BTreeMap<&str, &Table>,
    rule: &TableRule,
    errors: &mut Vec<PlanError>,
) -> Vec<Reference> {
    let by_columns = |one: &ForeignKey, other: &ForeignKey| {
        (&one.columns, &one.parent).cmp(&(&other.columns, &other.parent))
    };
    let mut declared = table.foreign_keys.clone();
    declared.sort_by(by_columns);
    let mut links: Vec<&Link> = rule.links.iter().collect();
    links.sort();
    links.dedup();
    let mut found: Vec<Reference> = Vec::new();
    found.extend(declared.into_iter().map(|key| (key, Declared::Schema)));
    for link in links {
        match link_of(table, tables, link) {
            Ok(reference) => found.push((reference, Declared::Link(link.when.clone()))),
            Err(why) => errors.push(PlanError::Link {
                table: table.name.clone(),
                link: link.clone(),
                why,
            }),
        }
    }
    found
}

/// A link as a reference.
fn link_of(
    table: &Table,
    tables: &BTreeMap<&str, &Table>,
    link: &Link,
) -> Result<ForeignKey, &'static str> {
    let parent = tables.get(link.parent.as_str());
    let parent = parent.ok_or("there is no such table to point to")?;
    let referenced = match link.referenced.as_slice() {
        [] => &parent.primary_key,
        _ => &link.referenced,
    };
    if referenced.len() != link.columns.len() {
        return Err("as many columns must point as are pointed to; name those there with `by`");
    }
    if let Some(when) = &link.when
        && table.column(&when.column).is_none()
    {
        return Err("the column after `when` is not there");
    }
    for (own, there) in link.columns.iter().zip(referenced) {
        let own = table
            .column(own)
            .ok_or("a column that points is not there")?;
        let there = parent
            .column(there)
            .ok_or("a column that is pointed to is not there")?;
        if !can_point(&own.kind, &there.kind) {
            return Err("its columns hold something else than those that they point to");
        }
    }
    Ok(ForeignKey {
        columns: link.columns.clone(),
        parent: parent.name.clone(),
        referenced: referenced.clone(),
        deferrable: true,
    })
}

/// Whether values of one kind can be keys of another: keys of several tables are often kept as text.
fn can_point(own: &Kind, there: &Kind) -> bool {
    let same = std::mem::discriminant(own) == std::mem::discriminant(there);
    let is_text = matches!(own, Kind::Text { .. });
    same || (is_text && matches!(there, Kind::Integer(_) | Kind::Uuid))
}

fn treatment(
    table: &Table,
    rule: &TableRule,
    (reference, declared): (&ForeignKey, &Declared),
) -> Treatment {
    let own = reference.parent == table.name;
    let null = |name: &String| match rule.columns.get(name) {
        Some(rule) => rule.masker == Masker::Null,
        None => true,
    };
    // Below, nobody could say which rows it is for.
    let is_blind = match declared {
        Declared::Link(Some(when)) => null(&when.column),
        Declared::Link(None) | Declared::Schema => false,
    };
    let why = if rule.cut.contains(&reference.columns) {
        Cut::Declared
    } else if (is_blind || reference.columns.iter().any(null)) && table.is_nullable(reference) {
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

fn known_references(
    table: &Table,
    rule: &TableRule,
    references: &[Reference],
    errors: &mut Vec<PlanError>,
) {
    for (word, lists) in [("cut", &rule.cut), ("follow", &rule.follow)] {
        for columns in lists {
            let mut references = references.iter();
            let reference = references.find(|(reference, _)| reference.columns == *columns);
            match reference {
                None => errors.push(PlanError::UnknownReference {
                    table: table.name.clone(),
                    columns: columns.clone(),
                    rule: word,
                }),
                Some((reference, _)) if word == "cut" && !table.is_nullable(reference) => {
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

/// The references that bring rows of a table along, with their caps.
fn along(
    table: &Table,
    rule: &TableRule,
    references: &[Reference],
    errors: &mut Vec<PlanError>,
) -> BTreeMap<(Vec<String>, String), Option<u64>> {
    let mut found = BTreeMap::new();
    for along in &rule.along {
        let fits = |reference: &&Reference| {
            let (reference, _) = reference;
            reference.parent == along.parent
                && reference.parent != table.name
                && (along.columns.is_empty() || along.columns == reference.columns)
        };
        let references = meant(along, references.iter().filter(fits).collect());
        match references.as_slice() {
            [(reference, _)] => {
                let way = (reference.columns.clone(), reference.parent.clone());
                found.insert(way, along.cap);
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

/// Those of several references that are meant: who names no columns means the schema's own, so that a link that is added beside it
/// changes nothing.
fn meant<'a>(along: &Along, references: Vec<&'a Reference>) -> Vec<&'a Reference> {
    let is_own = |reference: &&&Reference| reference.1 == Declared::Schema;
    let own: Vec<&Reference> = references.iter().filter(is_own).copied().collect();
    match own.len() {
        1 if along.columns.is_empty() => own,
        _ => references,
    }
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
        // A link that must have a value points to nothing then, as it may.
        if columns.is_empty() && !edge.is_link() {
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
