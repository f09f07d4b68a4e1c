//! From tables and rules to a plan: which tables travel, which references are followed, in which order rows are loaded, and about how
//! many there will be.
//!
//! How a plan is carried out:
//! 1. rows are chosen in the tables that say which ([`TablePlan::rows`]);
//! 2. along the references of [`Plan::along`], in that order, rows come along with the parents they point to;
//! 3. whatever is pointed to by a followed reference is added, until nothing is missing. Where [`Plan::cycles`] is empty, one pass over
//!    the tables in reverse order does it. What is only added here brings nothing along: that would be everything, sooner or later;
//! 4. tables are loaded in the order of [`Plan::tables`].
//!
//! What always holds: of the rows that a plan brings, no followed reference points to a row that it does not bring, and a reference
//! that is not followed is null. The same tables and rules give the same plan, in whatever order they are listed.

mod cycle;
mod edge;
mod estimate;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::rule::{Along, Link, Rows, Rules, When};
use crate::schema::Table;

/// What is brought, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The tables that travel, in the order in which they are loaded: parents first, as far as that is possible.
    pub tables: Vec<TablePlan>,
    /// All references of these tables, by the table that has them.
    pub edges: Vec<Edge>,
    /// References that bring rows along, as places in `edges`, in the order in which they are walked.
    pub along: Vec<usize>,
    /// Tables that point to each other in a circle.
    pub cycles: Vec<Cycle>,
}

/// One table of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct TablePlan {
    /// Its name.
    pub name: String,
    /// Which of its rows are chosen of themselves.
    pub rows: Rows,
    /// About how many rows will travel, where the store's statistics are known. Filters and nulls are not counted in: it is
    /// rather too many.
    pub expected_rows: Option<u64>,
    /// About how many bytes they take.
    pub expected_bytes: Option<u64>,
}

/// A reference of a table that travels.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The table that has it.
    pub child: String,
    /// Its columns there.
    pub columns: Vec<String>,
    /// The table it points to.
    pub parent: String,
    /// The columns there.
    pub referenced: Vec<String>,
    /// What says that it is one.
    pub declared: Declared,
    /// What becomes of it.
    pub treatment: Treatment,
    /// Whether rows come along with the parent, and at most how many for each.
    pub along: Option<Option<u64>>,
    /// By what factor the parent's rows grow because this reference is followed, or would if it were not cut. Not told
    /// where the store has no statistics, nothing else brings rows of the parent, or there are more than 500 references.
    pub blow_up: Option<f64>,
}

/// What says that there is a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declared {
    /// The schema, so that the store looks after it.
    Schema,
    /// A link of the rules, which may hold for some rows only. Nothing looks after it, so that a row may point to nothing.
    Link(Option<When>),
}

/// What becomes of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Followed: the parent is loaded before.
    Followed,
    /// Followed, and it points into its own table: all rows are to be written in one statement.
    Itself,
    /// Followed; it is null at first, and set once both tables are loaded.
    Later,
    /// Followed; it is checked at the end of the transaction.
    Deferred,
    /// Set to null, in those of its columns that may be.
    Cut {
        /// Why.
        why: Cut,
        /// The columns that become null.
        columns: Vec<String>,
    },
}

/// Why a reference is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The rules say so.
    Declared,
    /// It points into its own table and may be null. Following it would bring a large part of the table; `follow` does.
    OwnTable,
    /// No row of the parent travels.
    NoParent,
    /// No rule covers its columns, or they become null by their rule.
    Uncovered,
}

/// Tables that point to each other in a circle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// The tables, by name.
    pub tables: Vec<String>,
    /// The references that are set later or checked later because of it, as places in [`Plan::edges`].
    pub broken: Vec<usize>,
}

/// A plan that cannot be.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PlanError {
    /// A rule for no table.
    #[error("there is a rule for table `{table}`, which does not exist{}", spelt(.known.as_deref()))]
    UnknownTable {
        /// The table.
        table: String,
        /// A table of this name, without or with its schema, that does.
        known: Option<String>,
    },
    /// A row must point to a table of which none travels.
    #[error(
        "`{table}.{}` must point to `{parent}`, of which no row travels: let rows of `{parent}` travel, or none of `{table}`", .columns.join("+")
    )]
    NoParent {
        /// The table that points.
        table: String,
        /// Its columns.
        columns: Vec<String>,
        /// The table pointed to.
        parent: String,
    },
    /// A link of the rules that cannot be.
    #[error("`{table}` cannot have the link `{link}`: {why}")]
    Link {
        /// The table.
        table: String,
        /// The link.
        link: Link,
        /// What keeps it from being one.
        why: &'static str,
    },
    /// A reference that the rules name is none.
    #[error("`{table}` has no reference by `{}`, which its rule `{rule}` names", .columns.join("+"))]
    UnknownReference {
        /// The table.
        table: String,
        /// The columns named.
        columns: Vec<String>,
        /// `cut` or `follow`.
        rule: &'static str,
    },
    /// A reference that is to be cut must not be null.
    #[error("`{table}.{}` is to be cut, but must have a value: follow it, or let no row of `{table}` travel", .columns.join("+"))]
    CutRequired {
        /// The table.
        table: String,
        /// The reference's columns.
        columns: Vec<String>,
    },
    /// Rows come along with a table that they do not point to, or do so in several ways.
    #[error("rows of `{table}` come along with `{}`, to which there {}", .along.parent, how_many(*.references, .along))]
    Along {
        /// The table.
        table: String,
        /// What its rule says.
        along: Along,
        /// How many references would fit.
        references: usize,
    },
    /// Rows that come along in a circle.
    #[error("rows of {} come along with each other in a circle: leave one of these out", quoted(.tables))]
    AlongCycle {
        /// The tables.
        tables: Vec<String>,
    },
    /// Rows are ranked by a key that is not there.
    #[error(
        "`{table}` has no primary key to choose rows by: let `all`, `needed` or `none` of them travel, without a cap"
    )]
    NoPrimaryKey {
        /// The table.
        table: String,
    },
    /// A circle that cannot be loaded.
    #[error(
        "{} point to each other by {}, none of which may be null in a table with a primary key or can be checked later: declare one `DEFERRABLE`, or let no row of one of the tables travel",
        quoted(.tables), quoted(.references)
    )]
    Cycle {
        /// The tables.
        tables: Vec<String>,
        /// The references, as `table.column`.
        references: Vec<String>,
    },
}

fn spelt(known: Option<&str>) -> String {
    known.map_or_else(String::new, |known| format!("; `{known}` does"))
}

fn how_many(references: usize, along: &Along) -> String {
    match (references, along.columns.is_empty()) {
        (0, true) => "is no reference from there".to_owned(),
        (0, false) => format!("is no reference by `{}`", along.columns.join("+")),
        (count, _) => format!(
            "are {count} references: say which by `{} by COLUMN`",
            along.parent
        ),
    }
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Makes the plan of a sample.
///
/// # Errors
/// All that makes it impossible, with the tables and columns.
pub fn plan(tables: &[Table], rules: &Rules) -> Result<Plan, Vec<PlanError>> {
    let mut errors = unknown(tables, rules);
    let known: BTreeMap<&str, &Table> = tables
        .iter()
        .map(|table| (table.name.as_str(), table))
        .collect();
    let all = edge::all(&known, rules, &mut errors);
    let names = travelling(&known, rules, &all);
    let mut edges: Vec<Edge> = all
        .into_iter()
        .filter(|edge| names.contains(edge.child.as_str()))
        .collect();
    edge::cut(&mut edges, &known, &names, &mut errors);
    without_key(&names, &known, rules, &edges, &mut errors);
    let along = cycle::along(&edges, &mut errors);
    let cycles = cycle::break_all(&mut edges, &known, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    let order = cycle::order(&names, &edges);
    let expected = estimate::estimate(&order, &known, rules, &mut edges, &along);
    let plan =
        |(name, expected): (&str, Option<f64>)| table_plan(known.get(name)?, rules, expected);
    let tables = order.iter().copied().zip(expected).filter_map(plan);
    Ok(Plan {
        tables: tables.collect(),
        edges,
        along,
        cycles,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an estimate"
)]
fn table_plan(table: &Table, rules: &Rules, expected: Option<f64>) -> Option<TablePlan> {
    let each = match (table.bytes, table.rows) {
        (Some(bytes), Some(rows)) if rows > 0 => Some(bytes as f64 / rows as f64),
        _ => None,
    };
    Some(TablePlan {
        name: table.name.clone(),
        rows: rules.table(&table.name).rows,
        expected_rows: expected.map(|rows| rows.round() as u64),
        expected_bytes: expected
            .zip(each)
            .map(|(rows, each)| (rows * each).round() as u64),
    })
}

/// Whether two names are one but for the schema before it, or the case of letters.
fn same(one: &str, other: &str) -> bool {
    let bare = |name: &str| name.rsplit('.').next().unwrap_or(name).to_lowercase();
    bare(one) == bare(other)
}

fn unknown(tables: &[Table], rules: &Rules) -> Vec<PlanError> {
    let names: BTreeSet<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let missing = rules
        .tables
        .keys()
        .filter(|name| !names.contains(name.as_str()));
    missing
        .map(|name| PlanError::UnknownTable {
            table: name.clone(),
            known: names
                .iter()
                .find(|known| same(known, name))
                .map(|known| (*known).to_owned()),
        })
        .collect()
}

/// The tables of which rows travel: where rows are chosen, what comes along with them, and what they need.
fn travelling<'a>(
    tables: &BTreeMap<&'a str, &'a Table>,
    rules: &Rules,
    edges: &[Edge],
) -> BTreeSet<&'a str> {
    let rows = |name: &str| rules.table(name).rows;
    let mut names: BTreeSet<&str> = tables
        .keys()
        .copied()
        .filter(|name| !matches!(rows(name), Rows::Needed | Rows::None))
        .collect();
    loop {
        let reached = edges.iter().filter_map(|edge| {
            let down = edge.along.is_some() && names.contains(edge.parent.as_str());
            let up = edge.is_followed() && names.contains(edge.child.as_str());
            let name = match (down, up) {
                (true, _) if !names.contains(edge.child.as_str()) => &edge.child,
                (_, true) if !names.contains(edge.parent.as_str()) => &edge.parent,
                _ => return None,
            };
            tables.get_key_value(name.as_str()).map(|(name, _)| *name)
        });
        let new: Vec<&str> = reached.filter(|name| rows(name) != Rows::None).collect();
        if new.is_empty() {
            return names;
        }
        names.extend(new);
    }
}

/// Tables whose rows have to be ranked, and cannot be.
fn without_key(
    names: &BTreeSet<&str>,
    tables: &BTreeMap<&str, &Table>,
    rules: &Rules,
    edges: &[Edge],
    errors: &mut Vec<PlanError>,
) {
    for name in names {
        let ranked = matches!(rules.table(name).rows, Rows::Fraction(_) | Rows::Count(_))
            || edges
                .iter()
                .any(|edge| edge.child == *name && matches!(edge.along, Some(Some(_))));
        let keyless = tables
            .get(name)
            .is_some_and(|table| table.primary_key.is_empty());
        if ranked && keyless {
            errors.push(PlanError::NoPrimaryKey {
                table: (*name).to_owned(),
            });
        }
    }
}
