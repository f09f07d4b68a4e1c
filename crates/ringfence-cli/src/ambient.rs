//! The world around the process: arguments, environment block, folders, files, terminal, and the end of the process.
//!
//! Nothing else in the program touches any of these; everything else takes what this room gives as plain data.

mod carried;
mod own;
mod private;
mod walk;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ringfence_model::block::Block;
use ringfence_model::host::Host;

use crate::args::Color;
use crate::failure::{Failure, exit};

pub(crate) use carried::{Carried, again, carried, length, passing_file};
pub(crate) use own::{ask_own_process, question, run_own_process};
pub(crate) use private::{
    CommandError, PrivateFolder, RunGateway, ask_enter, ask_hidden, ask_shown, create_private_file,
    create_private_folder, followed, lock_folder, now, only_ours, others_can_read, read_secret,
};
pub(crate) use walk::{NEAR, WHOLE, Walk, git_folders_below, walk};

/// Keeps what is in this process's memory out of core files and crash messages.
///
/// The mark against core files ends with `execve`, so the command that is started has none. A panic is told by its place
/// alone, because its message may quote a text, and ends with the exit code for a fault of our own.
pub(crate) fn guard() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // Where the kernel refuses, core files are as they always were.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let said = "error: a fault of Ringfence's own, at";
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(
            io::stderr(),
            "{said} {place}\nhint: please report it with the command that you ran"
        );
        #[expect(
            clippy::disallowed_methods,
            clippy::exit,
            reason = "a panic has nowhere to return to"
        )]
        std::process::exit(i32::from(exit::FAULT))
    }));
}

/// What the process was started with.
#[derive(Clone)]
pub(crate) struct Ambient {
    /// The environment block.
    pub(crate) host: Host,
    /// The working directory.
    pub(crate) directory: PathBuf,
    /// Whether standard error is a terminal.
    pub(crate) stderr_is_terminal: bool,
    /// Whether standard output is a terminal.
    pub(crate) stdout_is_terminal: bool,
    /// Whether standard error is to be coloured.
    pub(crate) stderr_colour: bool,
    /// Whether standard output is to be coloured.
    pub(crate) stdout_colour: bool,
    /// Columns of the terminal.
    pub(crate) width: usize,
}

/// The words of the command line.
pub(crate) fn arguments() -> impl Iterator<Item = OsString> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the room that reads arguments"
    )]
    std::env::args_os()
}

impl Ambient {
    /// Goes to `directory`, where one is named, and reads the rest.
    pub(crate) fn read(directory: Option<&Path>, color: Color) -> Result<Self, Failure> {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the room that reads the environment block"
        )]
        let mut variables: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        if let Some(directory) = directory {
            go_to(directory)?;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the room that reads the working directory"
        )]
        let current = std::env::current_dir().map_err(|error| {
            Failure::error(exit::FAULT, "the working directory cannot be read").caused_by(error)
        })?;
        if directory.is_some() {
            variables.retain(|(name, _)| name != "PWD");
            variables.push(("PWD".into(), current.clone().into()));
        }
        let host: Host = variables.into_iter().collect();
        let colour = |is_terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let set = |name: &str| host.get(name).is_some_and(|value| !value.is_empty());
                let dumb = host.get("TERM").is_some_and(|term| term == "dumb");
                !set("NO_COLOR") && (set("CLICOLOR_FORCE") || (is_terminal && !dumb))
            }
        };
        let stderr_is_terminal = io::stderr().is_terminal();
        let stdout_is_terminal = io::stdout().is_terminal();
        Ok(Self {
            stderr_colour: colour(stderr_is_terminal),
            stdout_is_terminal,
            stdout_colour: colour(stdout_is_terminal),
            width: width(&host),
            host,
            directory: current,
            stderr_is_terminal,
        })
    }

    /// The caller's home directory: what the variable says, else what the system's list of users does.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        let named = self.host.get("HOME").map(PathBuf::from);
        let usable = |path: &PathBuf| path.is_absolute() && path.parent().is_some();
        named
            .filter(usable)
            .or_else(|| listed_home().filter(usable))
    }

    /// The user's shell, `/bin/sh` where none is named.
    pub(crate) fn shell(&self) -> OsString {
        let named = self.host.get("SHELL").filter(|shell| !shell.is_empty());
        named.unwrap_or(OsStr::new("/bin/sh")).to_owned()
    }

    /// The folder for files that vanish.
    pub(crate) fn temporary_folder(&self) -> PathBuf {
        self.host
            .get("TMPDIR")
            .filter(|folder| !folder.is_empty())
            .map_or_else(|| "/tmp".into(), PathBuf::from)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the room that changes the working directory"
)]
fn go_to(directory: &Path) -> Result<(), Failure> {
    std::env::set_current_dir(directory).map_err(|error| {
        let message = format!("cannot go to the folder `{}`", directory.display());
        Failure::error(exit::USAGE, message)
            .caused_by(error)
            .hint("`-C` takes the path of a folder")
            .into()
    })
}

fn width(host: &Host) -> usize {
    const USUAL: usize = 120;
    let columns = host
        .get("COLUMNS")
        .and_then(OsStr::to_str)
        .and_then(|columns| columns.parse().ok());
    columns
        .or_else(|| {
            rustix::termios::tcgetwinsize(io::stderr())
                .ok()
                .map(|size| usize::from(size.ws_col))
        })
        .filter(|columns| *columns >= 40)
        .unwrap_or(USUAL)
}

/// Columns and rows of the terminal that standard output is; where it says nothing, those of old.
pub(crate) fn terminal_size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
}

/// Largest file that is read: far over what any kernel takes as an environment block.
const MAX_FILE_BYTES: u64 = 32 << 20;

/// The bytes of a regular file of bounded size.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    read_at_most(path, MAX_FILE_BYTES)
}

/// The bytes of a regular file of at most `most` bytes.
pub(crate) fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let too_large = || io::Error::other(format!("it is larger than {} MiB", most >> 20));
    if metadata.len() > most {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    // It may grow meanwhile, and files of `/proc` say that they are empty.
    fs::File::open(path)?
        .take(most + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large());
    }
    Ok(bytes)
}

/// What tells whether a file or folder has changed: which one it is, when it was written, how large it is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Stamp(u64, i64, i64, u64);

/// The stamp of what a path leads to; `None` where there is nothing.
pub(crate) fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    Some(Stamp(metadata.ino(), seconds, nanoseconds, metadata.len()))
}

/// A file for this user alone that is written at its end.
pub(crate) fn append_private(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

/// The names of the files in a folder that `wanted` accepts, sorted. Names that are no UTF-8 are passed over.
pub(crate) fn file_names(folder: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if wanted(&name) && !entry.path().is_dir() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The user who owns a folder.
pub(crate) fn owner(folder: &Path) -> Option<u32> {
    fs::metadata(folder).ok().map(|metadata| metadata.uid())
}

/// The home directory in the system's list of users (`passwd(5)`).
fn listed_home() -> Option<PathBuf> {
    let user = rustix::process::getuid().as_raw().to_string();
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&user))?;
    line.split(':').nth(5).map(PathBuf::from)
}

/// The folder at a path, links followed.
pub(crate) fn real_folder(path: &Path) -> io::Result<PathBuf> {
    let folder = fs::canonicalize(path)?;
    fs::read_dir(&folder)?;
    Ok(folder)
}

/// Shows a line on the terminal in the place of the one shown before; an empty one takes it away.
pub(crate) fn status(line: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = write!(io::stderr().lock(), "\r\x1b[2K{line}");
}

/// Whether something is there.
pub(crate) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Creates a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Writes a file that must not exist yet: whole, synced and then linked to its name, or not at all.
pub(crate) fn create_file(path: &Path, content: &str) -> io::Result<()> {
    let temporary = beside(path);
    let written = write_synced(&temporary, content);
    // A link, unlike a rename, fails where the name is taken.
    let linked = written.and_then(|()| fs::hard_link(&temporary, path));
    let removed = fs::remove_file(&temporary);
    linked.and(removed)
}

/// Writes a file in one step: whole and synced under another name, then renamed.
pub(crate) fn replace_file(path: &Path, content: &str) -> io::Result<()> {
    let temporary = beside(path);
    let written = write_synced(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What is left of a failed attempt is worth nothing; the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A name beside `path` that only this process uses.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    PathBuf::from(name)
}

fn write_synced(path: &Path, content: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

/// A file without a name that the next program inherits, and the path under which that program can read it.
pub(crate) fn inherited_file(folder: &Path, content: &str) -> io::Result<(OwnedFd, String)> {
    let path = folder.join(format!(".ringfence-{}", std::process::id()));
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    fs::remove_file(&path)?;
    let mut file = file;
    file.write_all(content.as_bytes())?;
    io::Seek::rewind(&mut file)?;
    let inherited = rustix::io::dup(&file)?;
    let name = format!("/dev/fd/{}", inherited.as_raw_fd());
    Ok((inherited, name))
}

/// A file in memory that the next program inherits and nobody can change, and the path under which that program can read it.
#[cfg(target_os = "linux")]
pub(crate) fn sealed_file(_: &Path, content: &str) -> io::Result<(OwnedFd, String)> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    let file = memfd_create("ringfence", MemfdFlags::ALLOW_SEALING)?;
    let mut file = fs::File::from(file);
    file.write_all(content.as_bytes())?;
    io::Seek::rewind(&mut file)?;
    let all = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&file, all)?;
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok((file.into(), name))
}

/// Where there are no such files: one in a folder, without a name.
#[cfg(not(target_os = "linux"))]
pub(crate) use inherited_file as sealed_file;

/// A new folder for this user alone with one file in it; whoever reads the file removes both.
pub(crate) fn passing_folder(folder: &Path, file: &str, content: &str) -> io::Result<PathBuf> {
    let path = folder.join(format!(".ringfence-{}", std::process::id()));
    fs::DirBuilder::new().mode(0o700).create(&path)?;
    fs::write(path.join(file), content)?;
    Ok(path)
}

/// Why a program could not be started in this process's place.
pub(crate) enum ExecuteError {
    /// There is none of that name on the child's `PATH`.
    NotFound,
    /// It is there, and its interpreter is not.
    NoInterpreter,
    /// The kernel takes no block or argument list of this size.
    TooLarge,
    /// The system refused.
    Refused(io::Error),
}

/// Replaces this process by `program`. It keeps the process id, the descriptors, the terminal, the process group and
/// the working directory; its environment block is `block`, handed to the kernel as it is.
pub(crate) fn execute(program: &OsStr, arguments: &[OsString], block: &Block) -> ExecuteError {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the room that starts processes"
    )]
    let error = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&block.variables)
        .exec();
    not_executed(error, program, block)
}

/// Why a program could not be executed.
pub(crate) fn not_executed(error: io::Error, program: &OsStr, block: &Block) -> ExecuteError {
    match error.kind() {
        io::ErrorKind::NotFound if find(program, block).is_some() => ExecuteError::NoInterpreter,
        io::ErrorKind::NotFound => ExecuteError::NotFound,
        io::ErrorKind::ArgumentListTooLong => ExecuteError::TooLarge,
        _ => ExecuteError::Refused(error),
    }
}

/// Where a program is, as the system looks for it.
fn find(program: &OsStr, block: &Block) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.components().count() > 1 {
        return exists(path).then(|| path.to_owned());
    }
    let folders = block.variables.get(OsStr::new("PATH"))?;
    std::env::split_paths(folders)
        .map(|folder| folder.join(path))
        .find(|candidate| exists(candidate))
}

/// How much the kernel takes of arguments and environment together, and of a single string (`execve(2)`).
pub(crate) struct BlockLimit {
    /// Bytes of all strings with their NUL, and a pointer for each.
    pub(crate) total: usize,
    /// Bytes of one string with its NUL.
    pub(crate) single: usize,
}

/// The kernel's limits; `None` where this system's are not known, and only the attempt can tell.
pub(crate) fn block_limit() -> Option<BlockLimit> {
    // Linux, fs/exec.c: a quarter of the stack, at most three quarters of 8 MiB, at least 128 KiB; 32 pages a string.
    const MOST: u64 = 6 << 20;
    const LEAST: u64 = 128 << 10;
    if !cfg!(target_os = "linux") {
        return None;
    }
    let stack = rustix::process::getrlimit(rustix::process::Resource::Stack).current;
    let total = stack.map_or(MOST, |bytes| bytes / 4).clamp(LEAST, MOST);
    Some(BlockLimit {
        total: usize::try_from(total).ok()?,
        single: 32 * rustix::param::page_size(),
    })
}

/// The system's name, release and machine.
pub(crate) fn system() -> String {
    let uname = rustix::system::uname();
    let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    format!(
        "{} {} {}",
        text(uname.sysname()),
        text(uname.release()),
        text(uname.machine())
    )
}
