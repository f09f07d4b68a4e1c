//! Which of the many paths of a plan are there: each folder is read once, instead of asking for every path.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use ringfence_reach::plan::{Home, Plan};

/// The paths of a plan as they are when a run begins.
#[derive(Debug, Default)]
pub(crate) struct Present {
    /// What is to be read-only and is there, without links.
    pub(super) read_only: Vec<PathBuf>,
    /// What is to be hidden and is there, without links.
    pub(super) hidden: Vec<PathBuf>,
    /// Sockets of the host that stay reachable and are there.
    pub(super) sockets: Vec<PathBuf>,
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
            let in_home = home.is_some_and(|home| path.starts_with(home));
            let is_writable = in_home
                || path.starts_with(&files.root)
                || files.writable.iter().any(|folder| path.starts_with(folder));
            match folders.find(path) {
                // The system's own folders need no mount to be read-only.
                Found::There(real) if !is_writable && is_anothers(&real) => {}
                Found::There(real) => present.read_only.push(real),
                Found::Locked(folder) => present.hidden.push(folder),
                Found::Absent if is_writable => present.absent.push(folders.without_links(path)),
                Found::Absent => {}
            }
        }
        present.sockets = plan
            .sockets
            .iter()
            .flat_map(|path| sockets_at(path))
            .collect();
        let bounds = Bounds::of(plan);
        let listed = files.hidden.iter().map(|hidden| &hidden.path);
        for path in listed.chain(&files.awaited) {
            match folders.find(path) {
                Found::There(real) if bounds.allows(&real) => present.hidden.push(real),
                Found::Locked(folder) => present.hidden.push(folder),
                Found::There(_) | Found::Absent => {}
            }
        }
        // Credentials that are not there could be made to say what tools run.
        if let Some(home) = home {
            let own = files
                .hidden
                .iter()
                .filter(|hidden| hidden.environment.is_none());
            let own = own
                .map(|hidden| &hidden.path)
                .filter(|path| path.starts_with(home));
            for path in own {
                if matches!(folders.find(path), Found::Absent) {
                    present.absent.push(folders.without_links(path));
                }
            }
        }
        present
    }
}

/// Whether a path can neither be written nor made so by this user. All but the home directory is read-only for root anyway.
fn is_anothers(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::geteuid().as_raw();
    let is_owner = fs::metadata(path).is_ok_and(|metadata| metadata.uid() == user);
    user == 0 || !(is_owner || rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok())
}

/// The socket at a path; or in a folder, those that PostgreSQL makes there, because its clients name the folder.
fn sockets_at(path: &Path) -> Vec<PathBuf> {
    let is_socket =
        |path: &Path| fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if is_socket(path) {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let named = entries.filter(|entry| {
        entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(b".s.PGSQL.")
    });
    named
        .map(|entry| entry.path())
        .filter(|path| is_socket(path))
        .collect()
}

/// The names in folders that were read, by folder; `None` for one that cannot be.
#[derive(Default)]
struct Folders {
    names: BTreeMap<PathBuf, Option<HashSet<OsString>>>,
    /// Folders without links, by folder.
    real: BTreeMap<PathBuf, PathBuf>,
}

/// What became of looking for a path.
enum Found {
    /// It is there; without links.
    There(PathBuf),
    /// Nothing is there.
    Absent,
    /// It cannot be told, because this folder cannot be entered. Whoever owns it can open it again, so it is taken whole.
    Locked(PathBuf),
}

impl Folders {
    fn find(&mut self, path: &Path) -> Found {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Found::Absent;
        };
        if self
            .names(folder)
            .is_some_and(|names| !names.contains(name))
        {
            return Found::Absent;
        }
        match fs::canonicalize(path) {
            Ok(real) => Found::There(real),
            Err(error) if is_missing(&error) => Found::Absent,
            Err(_) => locked(path),
        }
    }

    /// The path of something that is not there, without links as far as there is something.
    fn without_links(&mut self, path: &Path) -> PathBuf {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return path.to_owned();
        };
        if !self.real.contains_key(folder) {
            let real = match self.is_known_absent(folder) {
                true => self.without_links(folder),
                false => fs::canonicalize(folder).unwrap_or_else(|_| self.without_links(folder)),
            };
            self.real.insert(folder.to_owned(), real);
        }
        self.real
            .get(folder)
            .map_or_else(|| path.to_owned(), |folder| folder.join(name))
    }

    /// Whether the folder above was read, and this is not in it.
    fn is_known_absent(&self, folder: &Path) -> bool {
        let above = folder.parent().and_then(|above| self.names.get(above));
        let names = above.and_then(Option::as_ref);
        names.is_some_and(|names| folder.file_name().is_some_and(|name| !names.contains(name)))
    }

    fn names(&mut self, folder: &Path) -> Option<&HashSet<OsString>> {
        if !self.names.contains_key(folder) {
            let names = match self.is_known_absent(folder) {
                true => Some(HashSet::new()),
                false => list(folder),
            };
            self.names.insert(folder.to_owned(), names);
        }
        self.names.get(folder).and_then(Option::as_ref)
    }
}

/// The innermost folder above a path that can be seen, because the next one cannot be entered.
fn locked(path: &Path) -> Found {
    let seen = path
        .ancestors()
        .skip(1)
        .find_map(|folder| fs::canonicalize(folder).ok());
    match seen {
        Some(folder) if folder.parent().is_some() => Found::Locked(folder),
        _ => Found::Absent,
    }
}

fn is_missing(error: &io::Error) -> bool {
    // A link to itself leads nowhere either.
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::ENAMETOOLONG)
    )
}

/// Where links in the project may lead to with what is hidden: a mask over the system's own folders would only keep programs from
/// starting.
struct Bounds {
    inside: Vec<PathBuf>,
}

impl Bounds {
    fn of(plan: &Plan) -> Self {
        let files = &plan.files;
        let inside = [Some(&files.root), files.home.as_ref()];
        Self {
            inside: inside
                .into_iter()
                .flatten()
                .filter_map(|path| fs::canonicalize(path).ok())
                .collect(),
        }
    }

    fn allows(&self, real: &Path) -> bool {
        const SYSTEM: &[&str] = &[
            "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys",
            "/usr",
        ];
        if self.inside.iter().any(|folder| folder.starts_with(real)) {
            return false;
        }
        let is_inside = self.inside.iter().any(|folder| real.starts_with(folder));
        is_inside || (real.is_file() && !SYSTEM.iter().any(|folder| real.starts_with(folder)))
    }
}

fn list(folder: &Path) -> Option<HashSet<OsString>> {
    match fs::read_dir(folder) {
        Ok(entries) => Some(entries.flatten().map(|entry| entry.file_name()).collect()),
        Err(error) if is_missing(&error) => Some(HashSet::new()),
        Err(_) => None,
    }
}
