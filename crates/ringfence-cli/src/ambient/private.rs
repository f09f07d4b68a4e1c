//! What one user keeps on one machine, what they type unseen, and what their own commands print.

mod folder;
mod prompt;
mod runs;

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ringfence_model::variable;
use ringfence_secret::fingerprint::{self, Key};
use ringfence_secret::value::Secret;
use zeroize::Zeroizing;

use super::Ambient;
pub(crate) use folder::PrivateFolder;
pub(crate) use prompt::{ask_enter, ask_hidden, ask_shown, read_secret};
pub(crate) use runs::RunGateway;

impl Ambient {
    /// The user's folder for settings of programs.
    pub(crate) fn configuration_folder(&self) -> Option<PathBuf> {
        self.own_folder("XDG_CONFIG_HOME", ".config")
    }

    /// The user's folder for what Ringfence remembers.
    fn state_folder(&self) -> Option<PathBuf> {
        let folder = self.own_folder("XDG_STATE_HOME", ".local/state")?;
        Some(folder.join("ringfence"))
    }

    fn own_folder(&self, variable: &str, usual: &str) -> Option<PathBuf> {
        let named = self.host.get(variable).map(PathBuf::from);
        named
            .filter(|path| path.is_absolute())
            .or_else(|| Some(self.home()?.join(usual)))
    }

    /// The file in which the gateway of a project's environment keeps its budgets; the folder is made.
    pub(crate) fn budgets_file(&self, root: &Path, environment: &str) -> io::Result<PathBuf> {
        self.gateway_file(root, environment, "json")
    }

    /// The file in which `run` keeps what passed the gateway of a project's environment. One that has become large makes room for
    /// the next, and the one before that goes.
    pub(crate) fn records_file(&self, root: &Path, environment: &str) -> io::Result<PathBuf> {
        const LARGE: u64 = 64 << 20;
        let path = self.gateway_file(root, environment, "jsonl")?;
        if fs::metadata(&path).is_ok_and(|file| file.len() > LARGE) {
            fs::rename(&path, path.with_extension("old.jsonl"))?;
        }
        Ok(path)
    }

    fn gateway_file(&self, root: &Path, environment: &str, kind: &str) -> io::Result<PathBuf> {
        let folder = self.state_folder().ok_or(io::ErrorKind::NotFound)?;
        let folder = folder.join("gateway");
        create_private_folder(&folder)?;
        let project = fingerprint::name_of(root.as_os_str().as_bytes());
        Ok(folder.join(format!("{project}-{environment}.{kind}")))
    }

    /// The highest revision of a sealed file that was seen here.
    pub(crate) fn revision(&self, name: &str) -> Option<u64> {
        let path = self.state_folder()?.join("revisions").join(name);
        fs::read_to_string(path).ok()?.trim().parse().ok()
    }

    /// Remembers the highest revision of a sealed file.
    pub(crate) fn remember_revision(&self, name: &str, revision: u64) -> io::Result<()> {
        let folder = self.state_folder().ok_or(io::ErrorKind::NotFound)?;
        let folder = folder.join("revisions");
        create_private_folder(&folder)?;
        super::replace_file(&folder.join(name), &format!("{revision}\n"))
    }

    /// The user's ssh-agent. It may ask its user first, or wait for a touch, so it has a minute.
    pub(crate) fn ssh_agent(&self) -> Option<UnixStream> {
        const PATIENCE: Duration = Duration::from_secs(60);
        let path = self.host.get("SSH_AUTH_SOCK")?;
        let stream = UnixStream::connect(path).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        Some(stream)
    }

    /// The key of fingerprints, made where there is none yet.
    pub(crate) fn fingerprint_key(&self) -> Option<Key> {
        let folder = self.state_folder()?;
        let path = folder.join("fingerprint.key");
        let read = || Key::read(&Zeroizing::new(fs::read(&path).ok()?));
        read().or_else(|| {
            let key = Key::generate();
            create_private_folder(&folder).ok()?;
            match create_private_file(&path, key.bytes()) {
                Ok(()) => Some(key),
                // Somebody else made one in between.
                Err(_) => read(),
            }
        })
    }

    /// Runs a program at the terminal and waits for its end.
    pub(crate) fn wait_for(
        &self,
        program: &str,
        arguments: &[String],
        folder: &Path,
    ) -> io::Result<ExitStatus> {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the room that starts processes"
        )]
        let mut command = Command::new(program);
        command.args(arguments);
        // Where an editor keeps its temporary files, they stay in memory, too.
        command.env("TMPDIR", folder);
        for (name, _) in self.host.iter() {
            if name.to_str().is_some_and(variable::opens_secrets) {
                command.env_remove(name);
            }
        }
        command.status()
    }

    /// What a command prints, with the caller's own variables, without a shell, within 30 seconds and 64 KiB.
    pub(crate) fn output_of(
        &self,
        program: &str,
        arguments: &[String],
        folder: &Path,
    ) -> Result<Secret, CommandError> {
        const PATIENCE: Duration = Duration::from_secs(30);
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the room that starts processes"
        )]
        let mut command = Command::new(program);
        let spawned = command
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = spawned.map_err(CommandError::NotStarted)?;
        let began = Instant::now();
        let (sender, receiver) = mpsc::channel();
        let output = child.stdout.take();
        // The thread ends with the command's output, before anything is cloned from this process.
        let reader = std::thread::spawn(move || {
            let _ = sender.send(output.map(read_bounded));
        });
        let Ok(read) = receiver.recv_timeout(PATIENCE) else {
            // It is our own child, so it can be ended.
            let _ = child.kill();
            let _ = child.wait();
            return Err(CommandError::TooLong);
        };
        let _ = reader.join();
        let bytes = match read {
            Some(Ok(bytes)) => bytes,
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(CommandError::TooLarge);
            }
        };
        // A command that closes its output and stays is waited for no longer than one that does not.
        let Some(status) = ended(&mut child, began + PATIENCE)? else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(CommandError::TooLong);
        };
        if !status.success() {
            return Err(CommandError::Failed(status));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| CommandError::NotText)?;
        Ok(Secret::new(text))
    }
}

/// How a command ended; nothing where it runs beyond the deadline.
fn ended(child: &mut Child, deadline: Instant) -> Result<Option<ExitStatus>, CommandError> {
    const STEP: Duration = Duration::from_millis(2);
    loop {
        let status = child.try_wait().map_err(CommandError::NotStarted)?;
        if status.is_some() || Instant::now() >= deadline {
            return Ok(status);
        }
        std::thread::sleep(STEP);
    }
}

/// Why a command gave no value.
pub(crate) enum CommandError {
    /// The system refused it.
    NotStarted(io::Error),
    /// It ended otherwise than with 0.
    Failed(ExitStatus),
    /// It did not end in time.
    TooLong,
    /// It printed too much.
    TooLarge,
    /// It printed no text.
    NotText,
}

fn read_bounded(mut output: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    const MOST: usize = 64 << 10;
    // Reserved at once, so that no copy is left behind when it grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST + 2));
    output
        .by_ref()
        .take(MOST as u64 + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() > MOST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Creates a folder that only this user can look into, and those above it.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Writes a new file that only this user can read: whole or not at all, and never over another.
pub(crate) fn create_private_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = super::beside(path);
    let write = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::hard_link(&temporary, path)
    };
    let written = write();
    // Where it was never made there is nothing to remove.
    let _ = fs::remove_file(&temporary);
    written
}

/// Whether only this user, or the system's administrator, can change what is at a path.
pub(crate) fn only_ours(path: &Path) -> bool {
    const GROUP: u32 = 0o020;
    const ALL: u32 = 0o002;
    let Ok(metadata) = fs::metadata(path) else {
        return false;
    };
    let user = rustix::process::getuid().as_raw();
    let own_group = metadata.gid() == rustix::process::getgid().as_raw();
    let owner = metadata.uid() == user || metadata.uid() == 0;
    owner && metadata.mode() & ALL == 0 && (own_group || metadata.mode() & GROUP == 0)
}

/// Whether others than the owner can read or write a file of this user's. As with ssh, a file that the system gave to somebody
/// else (a mounted secret of root's) is the system's business.
pub(crate) fn others_can_read(path: &Path) -> bool {
    const OTHERS: u32 = 0o077;
    let user = rustix::process::getuid().as_raw();
    fs::metadata(path).is_ok_and(|metadata| metadata.uid() == user && metadata.mode() & OTHERS != 0)
}

/// Where a link leads, so that what is written there does not replace the link; the path itself where it is none.
pub(crate) fn followed(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Keeps other commands of Ringfence from writing in a folder until it is dropped. Where the file system knows no locks, there is none.
pub(crate) fn lock_folder(folder: &Path) -> Option<fs::File> {
    let folder = fs::File::open(folder).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

/// The time in UTC to the second, as RFC 3339 writes it.
pub(crate) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    written_time(since.unwrap_or_default().as_secs())
}

/// Days are counted from March, so that the leap day is a year's last (Hinnant, "chrono-compatible low-level date algorithms").
fn written_time(seconds: u64) -> String {
    const DAY: u64 = 86_400;
    let days = seconds / DAY + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds % DAY / 3600, seconds % 3600 / 60, seconds % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_says() {
        assert_eq!(written_time(0), "1970-01-01T00:00:00Z");
        assert_eq!(written_time(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(written_time(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(written_time(1_735_689_599), "2024-12-31T23:59:59Z");
        assert_eq!(written_time(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
