//! Keeping results apart where a column has to be unique and its masker has few results.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use super::form::{Distinct, Form};
use crate::rule::{Rule, Rules};
use crate::schema::Table;

/// Which original took which result, both as 64 bits that were drawn for them.
#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<u64, u64>>);

impl Memory {
    /// Whether this original may have this result: it is free, or it was this original's before.
    pub(super) fn take(&self, result: u64, original: u64) -> bool {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *taken.entry(result).or_insert(original) == original
    }
}

/// One memory for each rule and form that a unique column has.
pub(super) type Memories = BTreeMap<String, Arc<Memory>>;

/// The name of the memory that a column's values share.
pub(super) fn name(rule: &Rule, form: &Form) -> String {
    format!("{}@{} {form:?}", rule, rule.group())
}

/// Memories for all columns that need one.
pub(super) fn memories(tables: &[&Table], rules: &Rules) -> Memories {
    let mut memories = Memories::new();
    for table in tables {
        for (name_of_column, rule) in &rules.table(&table.name).columns {
            let column = table.column(name_of_column);
            let form = column.and_then(|column| Form::of(&rule.masker, &column.kind).ok());
            let Some(form) = form.filter(|_| table.is_unique(name_of_column)) else {
                continue;
            };
            if form.distinct(&rule.masker) == Distinct::Remembered {
                memories.entry(name(rule, &form)).or_default();
            }
        }
    }
    memories
}
