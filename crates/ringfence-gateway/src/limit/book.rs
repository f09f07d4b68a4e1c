//! Budgets on disk: one small file that is replaced whole, so that a crash leaves the old one or the new one.
//!
//! A database would be more than this needs: a gateway alone writes it, twice a second at most, and reads it once. What a crash loses is
//! what was spent since the last write.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::memory::Written;

/// The file, kept for this process alone.
pub struct Book {
    path: PathBuf,
    environment: String,
    /// Its lock goes with it.
    _lock: File,
}

/// Why budgets cannot be kept in a file.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// It can neither be read nor written.
    #[error("it can neither be read nor written: {0}")]
    System(#[from] io::Error),
    /// Another gateway has it.
    #[error("another gateway keeps its budgets there")]
    Taken,
    /// It is not what a gateway writes.
    #[error("it is no file of budgets")]
    Unreadable,
    /// It belongs to another environment.
    #[error("it holds the budgets of `{0}`")]
    OtherEnvironment(String),
}

#[derive(Serialize, Deserialize)]
struct Page<'a> {
    environment: std::borrow::Cow<'a, str>,
    windows: std::borrow::Cow<'a, [Written]>,
}

impl Book {
    /// Opens the file for this process alone, and reads what stands in it; nothing where there is none yet.
    ///
    /// # Errors
    /// Where it is another gateway's, another environment's, or no file of budgets.
    pub fn open(path: &Path, environment: &str) -> Result<(Self, Vec<Written>), BookError> {
        let lock = private(&path.with_extension("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BookError::Taken),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let windows = read(path, environment)?;
        let book = Self {
            path: path.to_owned(),
            environment: environment.to_owned(),
            _lock: lock,
        };
        Ok((book, windows))
    }

    /// Writes all windows down.
    ///
    /// # Errors
    /// Where the system refuses; the old file is still there then.
    pub fn write(&self, windows: &[Written]) -> io::Result<()> {
        let page = Page {
            environment: self.environment.as_str().into(),
            windows: windows.into(),
        };
        let new = self.path.with_extension("new");
        let mut file = private(&new)?;
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec(&page)?)?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)
    }
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path)
}

fn read(path: &Path, environment: &str) -> Result<Vec<Written>, BookError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let page: Page<'_> = serde_json::from_slice(&text).map_err(|_| BookError::Unreadable)?;
    if page.environment != environment {
        return Err(BookError::OtherEnvironment(page.environment.into_owned()));
    }
    Ok(page.windows.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dev.json");
        let window = Written {
            key: "rf:dev:llm:usd/day:*:*".to_owned(),
            start: 86_400,
            used: 5,
        };
        let (book, empty) = Book::open(&path, "dev").unwrap();
        assert_eq!(empty, []);
        book.write(std::slice::from_ref(&window)).unwrap();
        assert!(matches!(Book::open(&path, "dev"), Err(BookError::Taken)));
        drop(book);
        let (book, windows) = Book::open(&path, "dev").unwrap();
        assert_eq!(windows, [window]);
        drop(book);
        assert!(
            matches!(Book::open(&path, "prod"), Err(BookError::OtherEnvironment(name)) if name == "dev")
        );
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(
            Book::open(&path, "dev"),
            Err(BookError::Unreadable)
        ));
    }
}
