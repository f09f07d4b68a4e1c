//! Names that a file gives twice.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ringfence_diagnostic::{Diagnostic, Place, SourceId};

use super::{Assignment, Tree};

/// One diagnostic for each name that comes again with another value.
pub(super) fn names(source: SourceId, text: &str, tree: &Tree) -> Vec<Diagnostic> {
    let mut first: HashMap<&str, &Assignment> = HashMap::with_capacity(tree.lines.len());
    let mut diagnostics = Vec::new();
    for assignment in tree.assignments() {
        let name = assignment.name.of(text);
        match first.entry(name) {
            Entry::Vacant(free) => {
                free.insert(assignment);
            }
            Entry::Occupied(taken)
                if taken.get().value.pieces(text) == assignment.value.pieces(text) => {}
            Entry::Occupied(taken) => {
                diagnostics.push(repeated(source, name, taken.get(), assignment))
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
