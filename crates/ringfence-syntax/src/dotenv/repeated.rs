//! Names that a file gives twice.

use std::hash::BuildHasher;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use ringfence_diagnostic::{Diagnostic, Place, SourceId};

use super::{Assignment, Tree};

/// One diagnostic for each name that comes again with another value.
///
/// The table holds indices only, so that it stays small beside the tree it points into.
pub(super) fn names(source: SourceId, text: &str, tree: &Tree) -> Vec<Diagnostic> {
    let hasher = DefaultHashBuilder::default();
    let assignments: Vec<&Assignment> = tree.assignments().collect();
    let name_at = |index: usize| {
        assignments
            .get(index)
            .map_or("", |assignment| assignment.name.of(text))
    };
    let mut first: HashTable<usize> = HashTable::with_capacity(assignments.len());
    let mut diagnostics = Vec::new();
    for (index, assignment) in assignments.iter().enumerate() {
        let name = assignment.name.of(text);
        let same_name = |other: &usize| name_at(*other) == name;
        match first.entry(hasher.hash_one(name), same_name, |other| {
            hasher.hash_one(name_at(*other))
        }) {
            Entry::Vacant(free) => {
                free.insert(index);
            }
            Entry::Occupied(taken) => {
                let Some(earlier) = assignments.get(*taken.get()) else {
                    continue;
                };
                if earlier.value.pieces(text) != assignment.value.pieces(text) {
                    diagnostics.push(repeated(source, name, earlier, assignment));
                }
            }
        }
    }
    diagnostics
}

fn repeated(source: SourceId, name: &str, earlier: &Assignment, again: &Assignment) -> Diagnostic {
    Diagnostic::error("duplicate-setting", format!("`{name}` is set twice, to different values"))
        .at(Place::new(source, again.name), "set again here")
        .at(Place::new(source, earlier.name), "first set here")
        .because("most loaders take the last value and some the first, so what runs depends on who reads the file")
        .help(format!("keep one of the two lines that set `{name}`"))
}
