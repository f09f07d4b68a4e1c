//! Start-up files and the like that were not there when the run began: a mount cannot cover what does not exist, so what appears
//! under such a name is moved aside, while the run lasts and once more at its end.
//!
//! Init watches the folders and says when something appears: a watch takes the kernel milliseconds to give up, and nobody waits
//! for init.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, ResolveFlags};

use crate::broker::{Broker, reason};
use crate::refusal::Event;

/// What is added to the name of what is moved aside.
const ASIDE: &str = ".set-aside-by-ringfence";

/// Moves aside what has appeared.
pub(super) fn look(absent: &[PathBuf], broker: &Broker) {
    // Most of their folders are not there either, and one question answers for all in one.
    let folders: BTreeSet<&Path> = absent.iter().filter_map(|path| path.parent()).collect();
    let there: BTreeSet<&Path> = folders
        .into_iter()
        .filter(|folder| is_there(folder))
        .collect();
    let may_be = |path: &&PathBuf| path.parent().is_some_and(|folder| there.contains(folder));
    for path in absent.iter().filter(may_be).filter(|path| is_there(path)) {
        // A link on the way is new too: there was none when the run began.
        let path = link_on_the_way(path).unwrap_or(path);
        let event = match set_aside(path) {
            Ok(now) => Event::SetAside {
                path: path.display().to_string(),
                now: now.display().to_string(),
            },
            Err(error) => Event::NotSetAside {
                path: path.display().to_string(),
                reason: reason(&error),
            },
        };
        broker.tell(event);
    }
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The outermost folder above a path that is a link.
fn link_on_the_way(path: &Path) -> Option<&Path> {
    let is_link =
        |folder: &&Path| fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_symlink());
    path.ancestors().skip(1).filter(is_link).last()
}

/// Gives what is at a path another name, one that is free. No link is followed on the way: who runs inside could lay one to a folder
/// that he himself must not touch.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    const MOST: u32 = 10_000;
    let (Some(folder), Some(own)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::other("a path without a folder"));
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let held = rustix::fs::openat2(CWD, folder, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    for number in 0..MOST {
        let mut name: OsString = own.to_owned();
        name.push(ASIDE);
        if number > 0 {
            // Names can be taken on purpose, but not those that nobody knows beforehand.
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            name.push(format!("-{}", now.unwrap_or_default().as_nanos()));
        }
        match rustix::fs::renameat_with(&held, own, &held, &name, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(folder.join(name)),
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::other("no name is free"))
}
