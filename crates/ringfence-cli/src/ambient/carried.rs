//! Files that carry a sample from one environment to another: for this user alone, and under their name only once they are whole.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file that is being written. Where the file system lets it, it has no name until it is whole, so that nothing is left of it
/// when this process is killed.
pub(crate) struct Carried {
    path: PathBuf,
    /// The name it has meanwhile.
    temporary: Option<PathBuf>,
}

impl Carried {
    /// Begins a file that will have this name.
    pub(crate) fn begin(path: &Path) -> io::Result<(Self, BufWriter<File>)> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let (file, temporary) = match nameless(folder.unwrap_or(Path::new("."))) {
            Ok(file) => (file, None),
            Err(_) => {
                let temporary = super::beside(path);
                (private(&temporary)?, Some(temporary))
            }
        };
        let carried = Self {
            path: path.to_owned(),
            temporary,
        };
        Ok((carried, BufWriter::new(file)))
    }

    /// Gives it its name.
    pub(crate) fn finish(mut self, written: BufWriter<File>) -> io::Result<()> {
        let file = written
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        if self.temporary.is_none() {
            match link(&file, &self.path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // Only a rename takes the place of what is there.
                    let temporary = super::beside(&self.path);
                    link(&file, &temporary)?;
                    self.temporary = Some(temporary);
                }
                linked => return linked,
            }
        }
        match &self.temporary {
            Some(temporary) => fs::rename(temporary, &self.path),
            None => Ok(()),
        }
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        // Once it has its name, there is nothing under the temporary one.
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// A file without a name in a folder, for this user alone.
#[cfg(target_os = "linux")]
fn nameless(folder: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    // Without it, the file could not be given a name.
    fs::metadata("/proc/self/fd")?;
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(open(folder, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Gives such a file a name, which must be free.
#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    use rustix::fs::{AtFlags, CWD, linkat};
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

/// Where there are no such files.
#[cfg(not(target_os = "linux"))]
fn nameless(_: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn link(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A file that carries a sample.
pub(crate) fn carried(path: &Path) -> io::Result<BufReader<File>> {
    File::open(path).map(BufReader::new)
}

/// How many bytes a file has; 0 where that cannot be known.
pub(crate) fn length(file: &BufReader<File>) -> u64 {
    file.get_ref()
        .metadata()
        .map_or(0, |metadata| metadata.len())
}

/// A file without a name, for what need not be kept.
pub(crate) fn passing_file(folder: &Path) -> io::Result<BufWriter<File>> {
    if let Ok(file) = nameless(folder) {
        return Ok(BufWriter::new(file));
    }
    let path = super::beside(&folder.join(".ringfence-sample"));
    let file = private(&path)?;
    fs::remove_file(&path)?;
    Ok(BufWriter::new(file))
}

/// What was written, from its beginning.
pub(crate) fn again(written: BufWriter<File>) -> io::Result<BufReader<File>> {
    let mut file = written
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(BufReader::new(file))
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    options.open(path)
}
