//! The files below a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What was found below a folder; paths are from there, with `/` between their parts, sorted.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Regular files that were wanted.
    pub(crate) files: Vec<String>,
    /// Wanted names that are links: they are there, and what they lead to is read where it is.
    pub(crate) links: Vec<String>,
    /// Folders that this user may not look into.
    pub(crate) locked: Vec<String>,
    /// What was left out, and why.
    pub(crate) left_out: Vec<(String, String)>,
}

/// Folders with what others wrote, or a tool: nobody's configuration.
const PASSED_OVER: &[&str] = &[
    "__pycache__",
    "bower_components",
    "dist",
    "node_modules",
    "out",
    "site-packages",
    "target",
    "vendor",
    "venv",
];
/// Folders that begin with a dot and hold a project's own configuration; all others are a tool's.
const DOTTED: &[&str] = &[
    ".circleci",
    ".devcontainer",
    ".do",
    ".docker",
    ".envs",
    ".github",
    ".ringfence",
    ".secrets",
];

/// How far a walk goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Folders below one another.
    pub(crate) depth: usize,
    /// Files and folders in all.
    pub(crate) entries: usize,
}

/// The whole of any repository.
pub(crate) const WHOLE: Bounds = Bounds {
    depth: 24,
    entries: 500_000,
};

/// What can be looked through in the time that a command takes to start.
pub(crate) const NEAR: Bounds = Bounds {
    depth: 4,
    entries: 4_000,
};

/// Walks through a folder without following links. `wanted` chooses files by their path; `progress` hears how many were
/// seen.
pub(crate) fn walk(
    root: &Path,
    bounds: Bounds,
    wanted: impl Fn(&str) -> bool,
    mut progress: impl FnMut(usize),
) -> io::Result<Walk> {
    let mut walk = Walk::default();
    let mut seen = 0;
    // The root itself must be readable; a folder below that is not is told, and the others are still looked at.
    let mut open = vec![(String::new(), 0)];
    while let Some((folder, depth)) = open.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Ok(entries) => entries,
            Err(error) if folder.is_empty() => return Err(error),
            Err(error) => {
                if error.kind() == io::ErrorKind::PermissionDenied {
                    walk.locked.push(folder.clone());
                }
                walk.left_out.push((folder, error.to_string()));
                continue;
            }
        };
        for entry in entries.filter_map(Result::ok) {
            seen += 1;
            progress(seen);
            if seen > bounds.entries {
                let why = format!(
                    "more than {} files: only the first were looked at",
                    bounds.entries
                );
                walk.left_out.push((folder, why));
                return Ok(sorted(walk));
            }
            let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
                continue;
            };
            let path = if folder.is_empty() {
                name.clone()
            } else {
                format!("{folder}/{name}")
            };
            if kind.is_dir() && is_entered(&folder, &name) {
                if depth < bounds.depth {
                    open.push((path, depth + 1));
                } else {
                    let why = format!("more than {} folders deep", bounds.depth);
                    walk.left_out.push((path, why));
                }
            } else if kind.is_file() && wanted(&path) {
                walk.files.push(path);
            } else if kind.is_symlink() && wanted(&path) {
                walk.links.push(path);
            }
        }
    }
    Ok(sorted(walk))
}

/// The folders below one in which git keeps a configuration or the way to another: submodules and worktrees.
pub(crate) fn git_folders_below(folder: &Path) -> Vec<PathBuf> {
    const DEPTH: usize = 4;
    const MOST: usize = 500;
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        for path in inner.map(|entry| entry.path()) {
            if found.len() >= MOST {
                return found;
            }
            if path.join("HEAD").exists() {
                found.push(path);
            } else if depth < DEPTH {
                open.push((path, depth + 1));
            }
        }
    }
    found
}

fn is_entered(folder: &str, name: &str) -> bool {
    if name.starts_with('.') {
        // `.envs/.production/.django`
        DOTTED.contains(&name) || folder.rsplit('/').next() == Some(".envs")
    } else {
        PASSED_OVER.binary_search(&name).is_err()
    }
}

fn sorted(mut walk: Walk) -> Walk {
    walk.files.sort_unstable();
    walk.links.sort_unstable();
    walk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_for_searching() {
        assert!(PASSED_OVER.is_sorted());
    }
}
