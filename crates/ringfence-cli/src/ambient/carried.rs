//! Files that carry a sample from one environment to another: for this user alone, and under their name only once they are whole.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file that is being written.
pub(crate) struct Carried {
    path: PathBuf,
    temporary: PathBuf,
}

impl Carried {
    /// Begins a file beside its later name.
    pub(crate) fn begin(path: &Path) -> io::Result<(Self, BufWriter<File>)> {
        let temporary = super::beside(path);
        let file = private(&temporary)?;
        let carried = Self {
            path: path.to_owned(),
            temporary,
        };
        Ok((carried, BufWriter::new(file)))
    }

    /// Gives it its name.
    pub(crate) fn finish(self, written: BufWriter<File>) -> io::Result<()> {
        let file = written
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&self.temporary, &self.path)
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        // Once it has its name, there is nothing under the temporary one.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// A file that carries a sample.
pub(crate) fn carried(path: &Path) -> io::Result<BufReader<File>> {
    File::open(path).map(BufReader::new)
}

/// A file without a name, for what need not be kept.
pub(crate) fn passing_file(folder: &Path) -> io::Result<BufWriter<File>> {
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
