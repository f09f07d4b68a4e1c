//! The home directory, the project's protected paths, and for root the system's.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::mounts::{Held, cover_home, real};
use super::{During, Failed, Orders};
use crate::sys;
use ringfence_reach::plan::Home;

/// Makes read-only what must not be changed, and the home directory what the plan says.
pub(super) fn arrange(orders: &Orders<'_>) -> Result<(), Failed> {
    let files = &orders.plan.files;
    let home = files.home.as_deref().and_then(real);
    let workplaces: Vec<PathBuf> = [real(&files.root), real(&files.directory)]
        .into_iter()
        .flatten()
        .collect();
    let mut writable: Vec<Held> = Vec::new();
    if orders.user == 0 {
        // Root owns the system's files inside too, and would own the machine through them.
        let mut kept: BTreeSet<PathBuf> = workplaces.iter().cloned().collect();
        kept.extend(home.clone());
        kept.extend(files.private.iter().filter_map(|path| real(path)));
        kept.extend(real(Path::new("/dev")));
        for path in outermost(kept) {
            writable.push(Held::take(&path).on("mounts", path.display())?);
        }
        let root = open_tree(CWD, "/", OpenTreeFlags::OPEN_TREE_CLOEXEC).on("mounts", "/")?;
        sys::set_mount_flags(root.as_fd(), libc::MOUNT_ATTR_RDONLY).on("mounts", "/")?;
    }
    put_back(writable)?;
    if let Some(home) = &home {
        match files.policy {
            Home::Guarded => {}
            Home::ReadOnly => lock_home(orders, home, &workplaces)?,
            Home::Private => replace_home(orders, home, &workplaces)?,
        }
    }
    pin(orders)?;
    let there = orders.present.read_only.iter().filter(|path| path.exists());
    for path in there {
        protect(path).on("read-only path", path.display())?;
    }
    Ok(())
}

/// Makes the folders above what is protected mount points, which cannot be moved: otherwise a folder could be moved away with
/// everything that is protected in it, and be made anew. The project's own folder is among them.
fn pin(orders: &Orders<'_>) -> Result<(), Failed> {
    let files = &orders.plan.files;
    let guarded = orders
        .present
        .read_only
        .iter()
        .chain(&orders.present.hidden);
    let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
    for path in guarded {
        folders.extend(path.ancestors().skip(1).map(Path::to_owned));
    }
    folders.extend(
        real(&files.root)
            .iter()
            .flat_map(|root| root.ancestors().map(Path::to_owned)),
    );
    // Outermost first: a later mount over an outer folder would cover the inner ones.
    for folder in folders {
        let is_movable = folder
            .parent()
            .is_some_and(|above| is_own(above, orders.user));
        if is_movable {
            let held = Held::take(&folder).and_then(Held::put_back);
            held.on("mounts", folder.display())?;
        }
    }
    Ok(())
}

/// Whether a folder's entries can be moved by this user: now, or after he has changed its mode.
fn is_own(folder: &Path, user: u32) -> bool {
    use std::os::unix::fs::MetadataExt;
    // For root the whole system is read-only here but for a few folders, and modes stop nobody in those.
    let is_owner = user != 0 && fs::metadata(folder).is_ok_and(|metadata| metadata.uid() == user);
    is_owner || rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

fn put_back(held: Vec<Held>) -> Result<(), Failed> {
    held.into_iter()
        .try_for_each(|held| held.put_back().during("mounts"))
}

/// Without those that lie inside another.
fn outermost(paths: BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let all = paths.clone();
    let is_inner = |path: &PathBuf| {
        all.iter()
            .any(|outer| outer != path && path.starts_with(outer))
    };
    paths.into_iter().filter(|path| !is_inner(path)).collect()
}

fn protect(path: &Path) -> io::Result<()> {
    Held::take(path)?.read_only()?.put_back()
}

/// What stays writable in a home directory that is not: caches, the project, an agent's own folders.
fn kept(orders: &Orders<'_>, home: &Path, workplaces: &[PathBuf]) -> Result<Vec<Held>, Failed> {
    let listed = orders
        .plan
        .files
        .writable
        .iter()
        .filter_map(|path| real(path));
    let own = workplaces.iter().cloned();
    let all: BTreeSet<PathBuf> = listed
        .chain(own)
        .filter(|path| path.starts_with(home) && path != home)
        .collect();
    let hold = |path: PathBuf| Held::take(&path).on("mounts", path.display());
    outermost(all).into_iter().map(hold).collect()
}

fn lock_home(orders: &Orders<'_>, home: &Path, workplaces: &[PathBuf]) -> Result<(), Failed> {
    if workplaces.iter().any(|path| path == home) {
        return Ok(());
    }
    let kept = kept(orders, home, workplaces)?;
    protect(home).on("home directory", home.display())?;
    put_back(kept)
}

fn replace_home(orders: &Orders<'_>, home: &Path, workplaces: &[PathBuf]) -> Result<(), Failed> {
    if workplaces.iter().any(|path| path == home) {
        return Ok(());
    }
    let mut kept = kept(orders, home, workplaces)?;
    let tools = orders
        .plan
        .files
        .shown_read_only
        .iter()
        .filter_map(|path| real(path));
    for tool in outermost(
        tools
            .filter(|path| path.starts_with(home) && path != home)
            .collect(),
    ) {
        let held = Held::take(&tool).and_then(Held::read_only);
        kept.push(held.on("mounts", tool.display())?);
    }
    cover_home(home).on("home directory", home.display())?;
    kept.into_iter()
        .try_for_each(|held| held.show_again().during("home directory"))?;
    fs::metadata(home)
        .map(|_| ())
        .on("home directory", home.display())
}
