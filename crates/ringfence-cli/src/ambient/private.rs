//! What one user keeps on one machine, what they type unseen, and what their own commands print.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ringfence_model::variable;
use ringfence_secret::fingerprint::{self, Key};
use ringfence_secret::value::Secret;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::Ambient;

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
        let folder = self.state_folder().ok_or(io::ErrorKind::NotFound)?;
        let folder = folder.join("gateway");
        create_private_folder(&folder)?;
        let project = fingerprint::name_of(root.as_os_str().as_bytes());
        Ok(folder.join(format!("{project}-{environment}.json")))
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

    /// A new folder of this user's on a memory file system.
    pub(crate) fn memory_folder(&self) -> io::Result<PrivateFolder> {
        let named = self.host.get("XDG_RUNTIME_DIR").map(PathBuf::from);
        let places = named.into_iter().chain([PathBuf::from("/dev/shm")]);
        let usable = places.filter(|place| place.is_absolute() && in_memory(place));
        let mut refused = io::Error::from(io::ErrorKind::NotFound);
        for place in usable {
            let path = place.join(format!("ringfence-{}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(PrivateFolder(path)),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Runs a program at the terminal and waits for its end; Ctrl-C is the program's business meanwhile.
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
        let status = child.wait().map_err(CommandError::NotStarted)?;
        if !status.success() {
            return Err(CommandError::Failed(status));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| CommandError::NotText)?;
        Ok(Secret::new(text))
    }
}

/// A folder whose files are cleared and removed with it.
pub(crate) struct PrivateFolder(PathBuf);

impl PrivateFolder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // What cannot be removed has no other way to be told; it lies in memory, and only this user can read it.
        let _ = fs::remove_dir_all(&self.0);
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

/// Waits for Enter at the terminal; no where there is none.
pub(crate) fn ask_enter(prompt: &str) -> bool {
    let terminal = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty");
    let Ok(terminal) = terminal else { return false };
    let _ = write!(&terminal, "{prompt} ");
    let mut line = String::new();
    io::BufReader::new(&terminal)
        .read_line(&mut line)
        .is_ok_and(|length| length > 0)
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

/// Asks on the terminal for something that is not shown; nothing where there is no terminal.
pub(crate) fn ask_hidden(prompt: &str) -> Option<Secret> {
    const LONGEST: u64 = 1 << 20;
    let terminal = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .ok()?;
    let _ = write!(&terminal, "{prompt}");
    let before = tcgetattr(&terminal).ok()?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&terminal, OptionalActions::Flush, &silent).ok()?;
    let mut line = Zeroizing::new(String::with_capacity(4096));
    let read = io::BufReader::new((&terminal).take(LONGEST)).read_line(&mut line);
    // What the terminal was before is what it must be again, whatever came of the reading.
    let _ = tcsetattr(&terminal, OptionalActions::Flush, &before);
    let _ = writeln!(&terminal);
    read.ok().filter(|length| *length > 0)?;
    Some(Secret::new(line.trim_end_matches(['\n', '\r'])))
}

/// What the terminal or a pipe gives as a secret: without the line's end that `echo` puts behind it.
pub(crate) fn read_secret(prompt: &str) -> io::Result<Secret> {
    const MOST: u64 = 1 << 20;
    if io::stdin().is_terminal() {
        return ask_hidden(prompt).ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
    }
    let mut text = Zeroizing::new(String::with_capacity(4096));
    io::stdin()
        .lock()
        .take(MOST + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    let plain = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(plain.strip_suffix('\r').unwrap_or(plain)))
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
