//! What the process sees of the file system: private folders, hidden paths, read-only ones.
//!
//! The order matters: what is to be shown again is held by a descriptor before anything covers it; read-only binds come before
//! masks, because a bind made later would show what a mask hides.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_bind,
    mount_change, move_mount, open_tree,
};

use super::{During, Failed, Orders, Private, home, terminal};
use crate::level::Level;
use crate::sys;
use ringfence_reach::plan::MADE;

/// Where the masks lie inside.
const MASKS: &str = "/run/.ringfence";
/// The mask over files.
pub(super) const FILE_MASK: &str = "/run/.ringfence/file";
/// The mask over folders.
const FOLDER_MASK: &str = "/run/.ringfence/folder";

/// A part of the file system that is held, to be put somewhere later.
pub(super) struct Held {
    tree: OwnedFd,
    path: PathBuf,
    is_folder: bool,
}

impl Held {
    /// Holds what is at a path, with everything mounted below it.
    pub(super) fn take(path: &Path) -> io::Result<Self> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE;
        let is_folder = fs::metadata(path)?.is_dir();
        Ok(Self {
            tree: open_tree(CWD, path, flags)?,
            path: path.to_owned(),
            is_folder,
        })
    }

    /// Makes it read-only, all of it.
    pub(super) fn read_only(self) -> io::Result<Self> {
        sys::set_mount_flags(self.tree.as_fd(), libc::MOUNT_ATTR_RDONLY)?;
        Ok(self)
    }

    /// Puts it where it was.
    pub(super) fn put_back(self) -> io::Result<()> {
        let to = self.path.clone();
        self.put(&to)
    }

    /// Puts it somewhere.
    pub(super) fn put(self, to: &Path) -> io::Result<()> {
        Ok(move_mount(
            self.tree,
            c"",
            CWD,
            to,
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
        )?)
    }

    /// Puts it at a new name of the same kind.
    pub(super) fn put_at(self, path: &Path) -> io::Result<()> {
        if self.is_folder {
            fs::create_dir_all(path)?;
        } else {
            fs::write(path, "")?;
        }
        self.put(path)
    }

    /// Puts it where it was, under something that covers the place: the folders up to it are made.
    pub(super) fn show_again(self) -> io::Result<()> {
        if let Some(parent) = self.path.parent() {
            fs::create_dir_all(parent)?;
        }
        if self.is_folder {
            fs::create_dir_all(&self.path)?;
        } else if !self.path.exists() {
            fs::write(&self.path, "")?;
        }
        self.put_back()
    }
}

/// Arranges the file system.
pub(super) fn arrange(orders: &Orders<'_>, private: &Private) -> Result<(), Failed> {
    let files = &orders.plan.files;
    // Private, not slave: what the host mounts later must not appear inside.
    mount_change(
        "/",
        MountPropagationFlags::REC | MountPropagationFlags::PRIVATE,
    )
    .on("mounts", "/")?;
    let places = Places::of(orders);
    home::arrange(orders)?;
    // With what has been made read-only in it.
    let held = places.hold(orders)?;
    let devices = terminal::hold_devices();
    for folder in &places.private {
        cover(folder).on("mounts", folder.display())?;
    }
    terminal::arrange(devices).on("mounts", "/dev")?;
    for shown in held {
        let path = shown.path.clone();
        shown.show_again().on("mounts", path.display())?;
    }
    make_masks(private, &files.made).on("mounts", "masks")?;
    for hidden in places.hidden(orders) {
        hide(&hidden, &places).on("hidden path", hidden.display())?;
    }
    names(orders, private)?;
    if orders.level == Level::Full {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("proc", "/proc", "proc", flags, None).on("mounts", "/proc")?;
    }
    guard_kernel(orders)?;
    // By path: a handle from before would look below what covers it now.
    rustix::process::chdir(&files.directory).on("mounts", files.directory.display())
}

/// The paths of a plan as they really are here.
pub(super) struct Places {
    /// Folders that are private, outermost first, none inside another.
    private: Vec<PathBuf>,
    /// Shown in what is private or hidden, writable.
    shown: Vec<PathBuf>,
    /// The same, read-only.
    shown_read_only: Vec<PathBuf>,
}

impl Places {
    fn of(orders: &Orders<'_>) -> Self {
        let files = &orders.plan.files;
        let mut private: Vec<PathBuf> =
            files.private.iter().filter_map(|path| real(path)).collect();
        private.sort();
        private.dedup();
        private.retain(|folder| folder.is_dir());
        let outermost = private.clone();
        private.retain(|folder| {
            !outermost
                .iter()
                .any(|outer| outer != folder && folder.starts_with(outer))
        });
        Self {
            private,
            shown: files.shown.iter().filter_map(|path| real(path)).collect(),
            shown_read_only: files
                .shown_read_only
                .iter()
                .filter_map(|path| real(path))
                .collect(),
        }
    }

    /// Holds what lies strictly inside something private and is to be seen all the same.
    fn hold(&self, orders: &Orders<'_>) -> Result<Vec<Held>, Failed> {
        let mut held = Vec::new();
        // Where the broker makes a socket anew, the place must be empty.
        let sockets: Vec<PathBuf> = orders
            .present
            .sockets
            .iter()
            .filter_map(|path| real(path))
            .collect();
        let is_made_anew = |path: &PathBuf| sockets.iter().any(|socket| socket.starts_with(path));
        let writable: BTreeSet<&PathBuf> = self
            .shown
            .iter()
            .filter(|path| self.is_covered(path) && !is_made_anew(path))
            .collect();
        let read_only: BTreeSet<&PathBuf> = self
            .shown_read_only
            .iter()
            .filter(|path| {
                self.is_covered(path) && !writable.iter().any(|shown| path.starts_with(shown))
            })
            .filter(|path| is_quiet(path) && !is_made_anew(path))
            .collect();
        for path in writable {
            if Some(path) == orders.plan.files.home.as_ref() && !path.is_dir() {
                continue;
            }
            held.push(Held::take(path).on("mounts", path.display())?);
        }
        for path in read_only {
            let taken = Held::take(path).and_then(Held::read_only);
            held.push(taken.on("mounts", path.display())?);
        }
        Ok(held)
    }

    fn is_covered(&self, path: &Path) -> bool {
        self.private
            .iter()
            .any(|folder| path.starts_with(folder) && path != folder)
    }

    /// Everything of its own that lies below a folder.
    fn own_below(&self, folder: &Path) -> Vec<&PathBuf> {
        let own = self.shown_read_only.iter();
        own.filter(|path| path.starts_with(folder) && *path != folder)
            .collect()
    }

    /// The paths to hide that are there, each once, but for those that the environment names itself.
    fn hidden(&self, orders: &Orders<'_>) -> Vec<PathBuf> {
        let plan = &orders.plan.files;
        // A home directory that is empty now has nothing to hide.
        let listed = orders.present.hidden.iter().filter(|path| path.exists());
        let all: BTreeSet<PathBuf> = listed.cloned().collect();
        let root = real(&plan.root);
        let wanted: Vec<PathBuf> = all
            .into_iter()
            .filter(|path| !self.shown_read_only.contains(path))
            .filter(|path| !root.as_ref().is_some_and(|root| root.starts_with(path)))
            .collect();
        // What lies in something hidden is hidden with it.
        let is_inner = |path: &PathBuf| {
            wanted
                .iter()
                .any(|outer| outer != path && path.starts_with(outer))
        };
        wanted
            .iter()
            .filter(|path| !is_inner(path))
            .cloned()
            .collect()
    }
}

/// A file or folder, not a socket: a socket is a door, and has to be named as one.
fn is_quiet(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.file_type().is_socket())
}

/// The path without links; `None` where nothing is there.
pub(super) fn real(path: &Path) -> Option<PathBuf> {
    // Most of what a plan lists is not there, and one question is cheaper than one for each folder on the way.
    rustix::fs::access(path, rustix::fs::Access::EXISTS).ok()?;
    fs::canonicalize(path).ok()
}

/// Puts an empty folder over one, with the same rights.
fn cover(folder: &Path) -> io::Result<()> {
    let mode = fs::metadata(folder)?.permissions().mode() & 0o7777;
    let options = std::ffi::CString::new(format!("mode={mode:o}"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", folder, "tmpfs", flags, Some(options.as_c_str()))?;
    if folder == Path::new("/run") {
        // What many programs take for granted.
        for (name, mode) in [("lock", 0o1777), ("user", 0o755)] {
            let path = folder.join(name);
            fs::create_dir(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

/// Puts an empty folder at a place, for this user alone.
pub(super) fn cover_home(home: &Path) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount("tmpfs", home, "tmpfs", flags, Some(c"mode=0700"))?)
}

/// Makes the files that cover others, and those that answer for names; none of them can be changed.
fn make_masks(private: &Private, made: &[(String, String)]) -> io::Result<()> {
    let folder = Path::new(MASKS);
    fs::create_dir_all(folder)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tmpfs", folder, "tmpfs", flags, Some(c"mode=0755"))?;
    fs::write(FILE_MASK, "")?;
    fs::create_dir(FOLDER_MASK)?;
    for mask in [FILE_MASK, FOLDER_MASK] {
        fs::set_permissions(mask, fs::Permissions::from_mode(0o0))?;
    }
    for (name, text) in [
        ("hosts", &private.hosts),
        ("resolv.conf", &private.resolver),
    ] {
        let path = folder.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444))?;
    }
    if !made.is_empty() {
        fs::create_dir(MADE)?;
    }
    for (name, text) in made {
        fs::write(Path::new(MADE).join(name), text)?;
    }
    let tree = open_tree(CWD, folder, OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    sys::set_mount_flags(tree.as_fd(), libc::MOUNT_ATTR_RDONLY)
}

/// Puts a mask over a path. A folder that holds something of the environment's own is emptied of all but that.
fn hide(path: &Path, places: &Places) -> io::Result<()> {
    let is_folder = fs::metadata(path)?.is_dir();
    if !is_folder {
        return Ok(mount_bind(FILE_MASK, path)?);
    }
    let own: Vec<Held> = places
        .own_below(path)
        .into_iter()
        .map(|path| Held::take(path).and_then(Held::read_only))
        .collect::<io::Result<_>>()?;
    if own.is_empty() {
        return Ok(mount_bind(FOLDER_MASK, path)?);
    }
    let others: Vec<(PathBuf, bool)> = fs::read_dir(path)?
        .flatten()
        .map(|entry| {
            (
                entry.path(),
                entry.file_type().is_ok_and(|kind| kind.is_dir()),
            )
        })
        .collect();
    cover_home(path)?;
    own.into_iter().try_for_each(Held::show_again)?;
    // The rest keeps its names and cannot be opened: a missing file would say something else than a refusal.
    for (other, is_folder) in others.iter().filter(|(other, _)| !other.exists()) {
        if *is_folder {
            fs::create_dir(other)?;
        } else {
            fs::write(other, "")?;
        }
        fs::set_permissions(other, fs::Permissions::from_mode(0o0))?;
    }
    let tree = open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    sys::set_mount_flags(tree.as_fd(), libc::MOUNT_ATTR_RDONLY)
}

/// Hides a file again whose mask went with the file that it lay on.
pub(super) fn hide_again(path: &Path) -> io::Result<()> {
    let is_folder = fs::symlink_metadata(path)?.is_dir();
    Ok(mount_bind(
        if is_folder { FOLDER_MASK } else { FILE_MASK },
        path,
    )?)
}

/// Puts the files that answer for names in place, and makes the sockets' folders.
fn names(orders: &Orders<'_>, private: &Private) -> Result<(), Failed> {
    for name in ["hosts", "resolv.conf"] {
        let target = Path::new("/etc").join(name);
        let source = Path::new(MASKS).join(name);
        let there = match fs::canonicalize(&target) {
            Ok(real) => real,
            // A link into `/run`, which is empty now.
            Err(_) => match fs::read_link(&target) {
                Ok(link) => {
                    make_file(&Path::new("/etc").join(link)).on("mounts", target.display())?
                }
                Err(_) => continue,
            },
        };
        mount_bind(&source, &there).on("mounts", target.display())?;
    }
    for socket in &private.sockets {
        if let Some(folder) = socket.parent() {
            fs::create_dir_all(folder).on("socket", socket.display())?;
        }
    }
    if let Some(runtime) = orders
        .plan
        .files
        .private
        .iter()
        .find(|path| path.starts_with("/run/user"))
    {
        fs::create_dir_all(runtime).on("mounts", runtime.display())?;
        fs::set_permissions(runtime, fs::Permissions::from_mode(0o700))
            .on("mounts", runtime.display())?;
    }
    Ok(())
}

fn make_file(path: &Path) -> io::Result<PathBuf> {
    let path = normal(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&path, "")?;
    Ok(path)
}

/// The path without `..`, as it is written.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        if part.as_os_str() == OsStr::new("..") {
            normal.pop();
        } else {
            normal.push(part);
        }
    }
    normal
}

/// Keeps the kernel's own files from being written: where the caller is root, their owner is the same user inside.
fn guard_kernel(orders: &Orders<'_>) -> Result<(), Failed> {
    for path in [
        "/sys",
        "/proc/sys",
        "/proc/sysrq-trigger",
        "/proc/irq",
        "/proc/bus",
        "/proc/fs",
        "/proc/mtrr",
        "/proc/pressure",
    ] {
        let path = Path::new(path);
        if (orders.user == 0 || path == Path::new("/sys")) && path.exists() {
            let held = Held::take(path).and_then(Held::read_only);
            held.and_then(Held::put_back).on("mounts", path.display())?;
        }
    }
    Ok(())
}
