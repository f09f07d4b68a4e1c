//! Start-up files and the like that were not there when the run began: a mount cannot cover what does not exist, so what appears
//! under such a name is moved aside, while the run lasts and once more at its end.
//!
//! Init watches the folders and says when something appears: a watch takes the kernel milliseconds to give up, and nobody waits
//! for init.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::broker::Broker;
use crate::refusal::Event;

/// What is added to the name of what is moved aside.
const ASIDE: &str = ".set-aside-by-ringfence";

/// Moves aside what has appeared.
pub(super) fn look(absent: &[PathBuf], broker: &Broker) {
    for path in absent.iter().filter(|path| is_there(path)) {
        if let Ok(now) = set_aside(path) {
            broker.tell(Event::SetAside {
                path: path.display().to_string(),
                now: now.display().to_string(),
            });
        }
    }
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Gives what is at a path another name, one that is free.
fn set_aside(path: &Path) -> io::Result<PathBuf> {
    const MOST: u32 = 100;
    for number in 0..MOST {
        let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
        name.push(ASIDE);
        if number > 0 {
            name.push(format!("-{number}"));
        }
        let to = path.with_file_name(name);
        let flags = rustix::fs::RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(rustix::fs::CWD, path, rustix::fs::CWD, &to, flags) {
            Ok(()) => return Ok(to),
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::other("no name is free"))
}
