//! Masking rows: the same original gives the same result, and nothing of it survives.
//!
//! ```
//! use ringfence_mask::{key::Key, mask::{Cell, MaskedRow, Masking}, rule::Rules};
//! use ringfence_mask::schema::{Column, Kind, Table, Value};
//!
//! let users = Table {
//!     name: "users".into(),
//!     columns: vec![
//!         Column::new("id", Kind::Integer(64)),
//!         Column::new("email", Kind::TEXT),
//!         Column::new("notes", Kind::TEXT).nullable(),
//!     ],
//!     primary_key: vec!["id".into()],
//!     ..Table::default()
//! };
//! let mut rules = Rules::default();
//! let wanted = rules.tables.entry("users".into()).or_default();
//! wanted.columns.insert("id".into(), "keep".parse().unwrap());
//! wanted.columns.insert("email".into(), "email".parse().unwrap());
//!
//! let masking = Masking::new(&[&users], &rules, &Key::read(&[7; 32]).unwrap()).unwrap();
//! let mut masker = masking.table("users").unwrap();
//! assert_eq!(masker.reads(), ["id", "email"]);      // `notes` is not even read
//! assert_eq!(masker.writes(), ["id", "email"]);
//! let mut out = MaskedRow::default();
//! masker.mask(&[Value::Integer(1), Value::Text("ada@example.com")], &mut out).unwrap();
//! assert!(matches!(out.cell(0), Some(Cell::Original(0))));
//! assert!(matches!(out.cell(1), Some(Cell::Text(address)) if address.ends_with(".invalid")));
//! ```
//!
//! What always holds:
//! - A result follows from the key, the rule's group and masker, the column's type and the original, and from nothing else, unless the
//!   column has to be unique and the masker has few results: then also from the values that came before (see [`unique`](Masking)).
//! - Null stays null; what is empty stays empty.
//! - Where `hash`, `email`, `name`, `phone`, `address`, `text`, `uuid`, `template` and `number` on text write what was drawn, no four
//!   characters in a row are those of the original, whatever their case. What the rule itself spells out (`choice`, a template's text,
//!   `@example.invalid`, a telephone range's first digits) comes from the rule and not from the row. `date`, `choice` and `number` on
//!   numbers draw from what fits the type, and may meet the original by chance; `date` and `number:noise` stay near it by design.
//! - No error shows a value.

mod cover;
mod date;
mod form;
mod guard;
mod lists;
mod number;
mod row;
#[cfg(test)]
mod tests;
mod text;
mod unique;

use std::collections::{BTreeMap, BTreeSet};

pub use cover::{CoverError, Problem, fits};
pub use lists::fingerprint;
pub use row::{MaskError, Reason, TableMasker};

use crate::closure::{Plan, Treatment};
use crate::key::Key;
use crate::rule::{Masker, Rule, Rules};
use crate::schema::Table;

/// The maskers of all tables of one sample.
///
/// Columns that have to be unique and whose masker could collide (`name`, `phone`, `hash` shorter than 16, …) share one memory per
/// group and form, of some 30 bytes for each value: an original whose result is taken draws again. So such results also follow from the
/// order of rows, and tables that share a group are to be masked one after the other. All other columns need no memory.
pub struct Masking {
    tables: BTreeMap<String, TableMasker>,
}

impl Masking {
    /// For the tables that travel: those of a plan.
    ///
    /// # Errors
    /// All that does not fit: rules for what is not there, columns that must have a value and get none, maskers that cannot write a
    /// column's type, and references whose two sides would no longer meet.
    pub fn new(tables: &[&Table], rules: &Rules, key: &Key) -> Result<Self, Vec<CoverError>> {
        let errors = cover::check(tables, rules);
        if !errors.is_empty() {
            return Err(errors);
        }
        let memory = unique::memories(tables, rules);
        let maskers = tables.iter().map(|table| {
            let rule = rules.table(&table.name);
            let masker = TableMasker::new(table, &rule, &memory, key);
            (table.name.clone(), masker)
        });
        Ok(Self {
            tables: maskers.collect(),
        })
    }

    /// For the tables of a plan; what the plan cuts becomes null.
    ///
    /// # Errors
    /// As [`Masking::new`].
    pub fn for_plan(
        plan: &Plan,
        tables: &[Table],
        rules: &Rules,
        key: &Key,
    ) -> Result<Self, Vec<CoverError>> {
        let mut rules = rules.clone();
        for edge in &plan.edges {
            let Treatment::Cut { columns, .. } = &edge.treatment else {
                continue;
            };
            let rule = rules.tables.entry(edge.child.clone()).or_default();
            for column in columns {
                // What no rule covers is null already, or has its default.
                if let Some(rule) = rule.columns.get_mut(column) {
                    *rule = Rule::new(Masker::Null);
                }
            }
        }
        let names: BTreeSet<&str> = plan
            .tables
            .iter()
            .map(|table| table.name.as_str())
            .collect();
        let travelling = tables
            .iter()
            .filter(|table| names.contains(table.name.as_str()));
        Self::new(&travelling.collect::<Vec<_>>(), &rules, key)
    }

    /// The masker of a table; it may be used on a thread of its own.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<TableMasker> {
        self.tables.get(name).cloned()
    }
}

/// What is to be written of a row, in the order of [`TableMasker::writes`]. It is meant to be used again for the next row.
#[derive(Default)]
pub struct MaskedRow {
    text: String,
    slots: Vec<Slot>,
}

#[derive(Clone, Copy)]
enum Slot {
    Null,
    Original(usize),
    Text(usize, usize),
}

/// What is to be written into one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Null.
    Null,
    /// The value that was read, by its place in [`TableMasker::reads`].
    Original(usize),
    /// This text, in the text form of the column's type; bytes are hexadecimal digits.
    Text(&'a str),
}

impl MaskedRow {
    /// What is to be written into the column at this place.
    #[must_use]
    pub fn cell(&self, place: usize) -> Option<Cell<'_>> {
        self.slots.get(place).map(|slot| self.show(*slot))
    }

    /// What is to be written, column by column.
    pub fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        self.slots.iter().map(|slot| self.show(*slot))
    }

    fn show(&self, slot: Slot) -> Cell<'_> {
        match slot {
            Slot::Null => Cell::Null,
            Slot::Original(place) => Cell::Original(place),
            Slot::Text(from, to) => Cell::Text(self.text.get(from..to).unwrap_or_default()),
        }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.slots.clear();
    }
}
