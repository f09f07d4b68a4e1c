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
    /// Brings what `theirs` changed since `base` into this file: settings, and who was taken out. What both changed alike is no
    /// conflict; comments at the top and the order of settings stay this file's own. A table or list is one setting.
    ///
    /// Nobody is let in: a reader can be written into a branch by whoever can commit, and the copy of the data key that is made for
    /// them here would be their first. For the same reason the data key of a branch is kept only where it is the base's. Returns the
    /// public keys that a branch let in and that the joined file is not sealed for.
    ///
    /// # Errors
    /// Where both changed the same setting, which are all named, or the joined file cannot be written. Nothing is changed then.
    pub fn merge(&mut self, base: &Self, theirs: &Self) -> Result<Vec<String>, MergeError> {
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
        let [before, own, others] = [base, self, theirs].map(readers);
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
        // A data key that one side gave up may be known to somebody, and one that a side brings may be its writer's own.
        let is_one_key = self.key == base.key && theirs.key == base.key;
        let is_gone = own
            .iter()
            .any(|key| before.contains(key) && !others.contains(key));
        if !is_one_key || is_gone {
            let stay = before
                .iter()
                .filter(|key| own.contains(*key) && others.contains(*key));
            let stay: Vec<Recipient> = stay
                .map(|key| Recipient::parse(key))
                .collect::<Result<_, _>>()?;
            merged.rotate(&stay)?;
        }
        let inside = readers(&merged);
        *self = merged;
        let all = own.union(&others);
        let left_out = all.filter(|key| !before.contains(*key) && !inside.contains(*key));
        Ok(left_out.cloned().collect())
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

/// The public keys that a file is sealed for, each in its one spelling: SOPS keeps the comments of ssh keys.
fn readers(file: &Opened) -> BTreeSet<String> {
    let spelled = |key: &str| {
        let known = Recipient::parse(key).map(|key| key.text().to_owned());
        known.unwrap_or_else(|_| key.to_owned())
    };
    file.recipients().map(spelled).collect()
}
