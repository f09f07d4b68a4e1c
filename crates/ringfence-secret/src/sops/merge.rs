//! Two branches of one file, joined by name.

use std::collections::BTreeSet;

use super::{ChangeError, Opened};
use crate::identity::{IdentityError, Recipient};

/// Why two branches are not joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Both changed the same settings, differently.
    #[error("both branches changed {}", listed(.0))]
    Conflicts(Vec<String>),
    /// A public key of the other branch cannot be used.
    #[error(transparent)]
    Recipient(#[from] IdentityError),
    /// The joined file cannot be written.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

fn listed(names: &[String]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", name.escape_debug()))
        .collect();
    names.join(", ")
}

impl Opened {
    /// Brings what `theirs` changed since `base` into this file: settings, readers, and that the data key is another one. What both
    /// changed alike is no conflict; comments at the top and the order of settings stay this file's own. A table or list is one
    /// setting.
    ///
    /// # Errors
    /// Where both changed the same setting, which are all named, or the joined file cannot be written. Nothing is changed then.
    pub fn merge(&mut self, base: &Self, theirs: &Self) -> Result<(), MergeError> {
        let names = base.names().chain(theirs.names());
        let names: BTreeSet<&str> = names.collect();
        let changed = names.into_iter().filter(|name| !same(base, theirs, name));
        let changed: Vec<&str> = changed.collect();
        let conflicts = changed.iter().filter(|name| {
            let untouched = same(base, self, name);
            !untouched && !same(theirs, self, name)
        });
        let conflicts: Vec<String> = conflicts.map(|name| (*name).to_owned()).collect();
        if !conflicts.is_empty() {
            return Err(MergeError::Conflicts(conflicts));
        }
        let readers = joined(base, self, theirs)?;
        let mut merged = self.clone();
        for name in changed {
            match theirs.node(name) {
                Some(node) if self.format == theirs.format => merged.take(name, node),
                Some(_) => {
                    let several = || ChangeError::NotSingle(name.to_owned());
                    merged.set(name, theirs.get(name).ok_or_else(several)?)?;
                }
                None => {
                    merged.unset(name);
                }
            }
        }
        // A data key that they gave up may be known to somebody.
        let is_given_up = theirs.key != base.key && self.key == base.key;
        match is_given_up {
            true => merged.rotate(&readers)?,
            false => merged.readers(&readers)?,
        }
        *self = merged;
        Ok(())
    }
}

/// Whether a name stands for the same in two files; not being there is the same as not being there.
fn same(one: &Opened, other: &Opened, name: &str) -> bool {
    match (one.node(name), other.node(name)) {
        (None, None) => true,
        (Some(one), Some(other)) => one.means_the_same(other),
        _ => false,
    }
}

/// Whoever one side let in is in, and whoever one side took out is out.
fn joined(base: &Opened, ours: &Opened, theirs: &Opened) -> Result<Vec<Recipient>, IdentityError> {
    let of = |file: &Opened| -> BTreeSet<String> { file.recipients().map(str::to_owned).collect() };
    let (base, ours, theirs) = (of(base), of(ours), of(theirs));
    let all = ours.union(&theirs);
    let stays = |reader: &&String| {
        let in_both = ours.contains(*reader) && theirs.contains(*reader);
        in_both || !base.contains(*reader)
    };
    all.filter(stays)
        .map(|reader| Recipient::parse(reader))
        .collect()
}
