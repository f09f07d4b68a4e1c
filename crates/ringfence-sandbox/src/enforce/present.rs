//! Which of the many paths of a plan are there: each folder is read once, instead of asking for every path.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use ringfence_reach::plan::{Home, Plan};

/// The paths of a plan as they are when a run begins.
#[derive(Debug, Default)]
pub(crate) struct Present {
    /// What is to be read-only and is there, without links.
    pub(super) read_only: Vec<PathBuf>,
    /// What is to be hidden and is there, without links.
    pub(super) hidden: Vec<PathBuf>,
    /// What is to be read-only and is not there, in folders that can be written: it must not appear.
    pub(crate) absent: Vec<PathBuf>,
}

impl Present {
    /// Looks. Must be done before anything is started, or what is started could make what is then taken for there.
    pub(crate) fn of(plan: &Plan) -> Self {
        let files = &plan.files;
        let mut folders = Folders::default();
        let home = files
            .home
            .as_ref()
            .filter(|_| files.policy == Home::Guarded);
        let mut present = Self::default();
        for path in &files.read_only {
            let is_writable =
                path.starts_with(&files.root) || home.is_some_and(|home| path.starts_with(home));
            match folders.real(path) {
                Some(real) => present.read_only.push(real),
                None if is_writable => present.absent.push(without_links(path)),
                None => {}
            }
        }
        let listed = files.hidden.iter().map(|hidden| &hidden.path);
        present.hidden = listed
            .chain(&files.awaited)
            .filter_map(|path| folders.real(path))
            .collect();
        present
    }
}

/// The path of something that is not there, without links as far as there is something.
fn without_links(path: &Path) -> PathBuf {
    let nearest = path
        .ancestors()
        .find_map(|above| Some((fs::canonicalize(above).ok()?, above)));
    let below = nearest.and_then(|(real, above)| Some(real.join(path.strip_prefix(above).ok()?)));
    below.unwrap_or_else(|| path.to_owned())
}

/// The names in folders that were read, by folder; `None` for one that cannot be.
#[derive(Default)]
struct Folders(BTreeMap<PathBuf, Option<HashSet<OsString>>>);

impl Folders {
    /// The path without links; `None` where nothing is there, or a link leads nowhere.
    fn real(&mut self, path: &Path) -> Option<PathBuf> {
        self.has(path)
            .then(|| fs::canonicalize(path).ok())
            .flatten()
    }

    fn has(&mut self, path: &Path) -> bool {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return path.exists();
        };
        match self.names(folder) {
            Some(names) => names.contains(name),
            // A folder that cannot be listed may be entered all the same.
            None => fs::symlink_metadata(path).is_ok(),
        }
    }

    fn names(&mut self, folder: &Path) -> Option<&HashSet<OsString>> {
        if !self.0.contains_key(folder) {
            let above = folder
                .parent()
                .filter(|above| self.0.contains_key(*above))
                .map(Path::to_owned);
            let is_missing = above.is_some_and(|above| {
                let names = self.0.get(&above).and_then(Option::as_ref);
                names.is_some_and(|names| {
                    folder.file_name().is_some_and(|name| !names.contains(name))
                })
            });
            let names = if is_missing {
                Some(HashSet::new())
            } else {
                list(folder)
            };
            self.0.insert(folder.to_owned(), names);
        }
        self.0.get(folder).and_then(Option::as_ref)
    }
}

fn list(folder: &Path) -> Option<HashSet<OsString>> {
    match fs::read_dir(folder) {
        Ok(entries) => Some(entries.flatten().map(|entry| entry.file_name()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(HashSet::new()),
        Err(_) => None,
    }
}
