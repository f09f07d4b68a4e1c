//! A folder of one user's on a memory file system, which is gone when whoever made it is, however they went.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ringfence_secret::fingerprint::Key;

use crate::ambient::Ambient;

impl Ambient {
    /// A new folder of this user's on a memory file system. What earlier runs had to leave there goes.
    pub(crate) fn memory_folder(&self) -> io::Result<PrivateFolder> {
        let named = self.host.get("XDG_RUNTIME_DIR").map(PathBuf::from);
        let places = named.into_iter().chain([PathBuf::from("/dev/shm")]);
        let usable = places.filter(|place| place.is_absolute() && in_memory(place));
        let mut refused = io::Error::from(io::ErrorKind::NotFound);
        for place in usable {
            sweep(&place);
            match PrivateFolder::create(&place) {
                Ok(folder) => return Ok(folder),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}

/// What the names of folders in memory begin with.
const FOLDER_PREFIX: &str = "ringfence-edit-";

/// A folder that is removed with everything in it when this is dropped, and when this process is killed before it can.
pub(crate) struct PrivateFolder {
    path: PathBuf,
    /// Held as long as somebody works in the folder, by which a later run knows that it must not be swept.
    _lock: fs::File,
    keeper: Option<Child>,
}

impl PrivateFolder {
    fn create(place: &Path) -> io::Result<Self> {
        // Anybody can write where it is made, so a name that can be known beforehand could be taken by somebody else.
        let by_chance = Key::generate().fingerprint(FOLDER_PREFIX);
        let path = place.join(format!("{FOLDER_PREFIX}{}", by_chance.trim_matches('~')));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        let lock = fs::File::open(&path).and_then(|folder| {
            folder.lock()?;
            Ok(folder)
        });
        let keeper = lock.and_then(|lock| Ok((lock, keeper(&path)?)));
        match keeper {
            Ok((lock, keeper)) => Ok(Self {
                path,
                _lock: lock,
                keeper: Some(keeper),
            }),
            Err(error) => {
                let _ = fs::remove_dir_all(&path);
                Err(error)
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // What cannot be removed has no other way to be told; it lies in memory, and only this user can read it.
        let _ = fs::remove_dir_all(&self.path);
        if let Some(mut keeper) = self.keeper.take() {
            // It ends when its input does.
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

/// Removes a folder when this process is gone, however it went: the kernel closes the pipe, and the keeper reads its end. It is no
/// member of the terminal's process group, so that Ctrl-C does not end both.
fn keeper(folder: &Path) -> io::Result<Child> {
    const SCRIPT: &str = "trap '' HUP INT QUIT TERM; read -r _; exec rm -rf -- \"$0\"";
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the room that starts processes"
    )]
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SCRIPT]).arg(folder);
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command
        .process_group(0)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// Removes what runs left that were killed together with their keepers. A folder that is locked is in use.
fn sweep(place: &Path) {
    let user = rustix::process::getuid().as_raw();
    let Ok(entries) = fs::read_dir(place) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let is_ours = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(FOLDER_PREFIX))
            && entry
                .metadata()
                .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user);
        if is_ours && fs::File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a folder lies on a memory file system.
fn in_memory(folder: &Path) -> bool {
    const TMPFS_MAGIC: i64 = 0x0102_1994;
    const RAMFS_MAGIC: i64 = 0x8584_58f6;
    let Ok(system) = rustix::fs::statfs(folder) else {
        return false;
    };
    #[expect(
        clippy::useless_conversion,
        reason = "the field's type differs between machines"
    )]
    let kind = i64::from(system.f_type);
    [TMPFS_MAGIC, RAMFS_MAGIC].contains(&kind)
}
