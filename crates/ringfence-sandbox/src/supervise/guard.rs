//! Start-up files and the like that were not there when the run began: a mount cannot cover what does not exist, so what appears
//! under such a name is moved aside, while the run lasts and once more at its end.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;

use crate::broker::Broker;
use crate::refusal::Event;
use crate::sys;
use ringfence_reach::plan::{Home, Plan};

/// What is added to the name of what is moved aside.
const ASIDE: &str = ".set-aside-by-ringfence";

/// Paths that were not there, and must not be when the run has ended.
pub(super) struct Guard {
    absent: Vec<PathBuf>,
    watch: Option<OwnedFd>,
}

impl Guard {
    /// Watches for what was found absent.
    pub(super) fn new(absent: Vec<PathBuf>) -> Self {
        let watch =
            inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).ok();
        let guard = Self { absent, watch };
        guard.follow();
        guard
    }

    /// What is not there, as it must be looked at before anything is started. Where the home directory is read-only or private
    /// nothing can appear in it.
    pub(super) fn absent(plan: &Plan) -> Vec<PathBuf> {
        let files = &plan.files;
        let home = files
            .home
            .as_ref()
            .filter(|_| files.policy == Home::Guarded);
        let is_writable = |path: &&PathBuf| {
            path.starts_with(&files.root) || home.is_some_and(|home| path.starts_with(home))
        };
        let absent = files
            .read_only
            .iter()
            .filter(is_writable)
            .filter(|path| !is_there(path));
        absent.cloned().collect()
    }

    /// Watches the nearest folders that are there.
    fn follow(&self) {
        let Some(watch) = &self.watch else {
            return;
        };
        let nearest = |path: &PathBuf| {
            path.ancestors()
                .skip(1)
                .find(|folder| folder.is_dir())
                .map(Path::to_owned)
        };
        let folders: BTreeSet<PathBuf> = self.absent.iter().filter_map(nearest).collect();
        let flags = inotify::WatchFlags::CREATE
            | inotify::WatchFlags::MOVED_TO
            | inotify::WatchFlags::ONLYDIR;
        for folder in folders {
            // Without a watch the look at the end finds it.
            let _ = inotify::add_watch(watch, folder, flags);
        }
    }

    /// Moves aside what has appeared.
    fn look(&self, broker: &Broker) {
        for path in self.absent.iter().filter(|path| is_there(path)) {
            if let Ok(now) = set_aside(path) {
                broker.tell(Event::SetAside {
                    path: path.display().to_string(),
                    now: now.display().to_string(),
                });
            }
        }
    }

    /// The look at the end.
    pub(super) fn finish(&self, broker: &Broker) {
        self.look(broker);
    }

    /// Looks whenever something appears.
    pub(super) async fn keep(&self, broker: &Broker) -> io::Result<()> {
        let Some(watch) = &self.watch else {
            return std::future::pending().await;
        };
        let watch: AsyncFd<OwnedFd> = sys::asynchronous(watch.try_clone()?)?;
        loop {
            let mut ready = watch.readable().await?;
            let mut space = [MaybeUninit::uninit(); 4096];
            let mut reader = inotify::Reader::new(watch.get_ref(), &mut space);
            while reader.next().is_ok() {}
            ready.clear_ready();
            self.look(broker);
            self.follow();
            // What was made between the look and the new watch.
            self.look(broker);
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
