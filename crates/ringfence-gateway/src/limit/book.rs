//! Budgets on disk: a small file that is replaced whole, twice. One is written at once and survives the end of the process, however it
//! comes; the other one is waited for until the disk has it, in a thread of its own, and survives the end of the machine. A disk can take
//! seconds for that when others are busy, and a kill within them would forget what was spent.
//!
//! A database would be more than this needs: a gateway alone writes it, four times a second at most, and reads it once. What a crash loses is
//! what was spent since the last write.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use super::memory::Written;

/// The file, kept for this process alone.
pub struct Book {
    path: PathBuf,
    environment: String,
    /// Held while a page is made and written, so that an older one never comes after a newer one.
    writer: Mutex<Writer>,
    /// Whether the disk did not take one.
    has_failed: Arc<AtomicBool>,
    /// Its lock goes with it.
    _lock: File,
}

struct Writer {
    /// Which page was written last.
    turn: u64,
    /// The thread that waits for the disk, and pages for it; it ends with them. It begins with the first page: whoever opens a book may
    /// fork before that, and no thread would come along.
    keeper: Option<(Sender<Vec<u8>>, JoinHandle<()>)>,
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

#[derive(Default, Serialize, Deserialize)]
struct Page<'a> {
    environment: std::borrow::Cow<'a, str>,
    /// A later one has a larger number.
    #[serde(default)]
    turn: u64,
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
        let page = read(path, environment)?;
        let book = Self {
            path: path.to_owned(),
            environment: environment.to_owned(),
            writer: Mutex::new(Writer {
                turn: page.turn,
                keeper: None,
            }),
            has_failed: Arc::default(),
            _lock: lock,
        };
        Ok((book, page.windows.into_owned()))
    }

    /// Writes all windows down, where there is something new to write.
    ///
    /// # Errors
    /// Where the system refuses, or the disk did not take the windows before; the old files are still there then.
    pub fn write(&self, windows: impl FnOnce() -> Option<Vec<Written>>) -> io::Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(windows) = windows() else {
            return Ok(());
        };
        writer.turn += 1;
        let page = Page {
            environment: self.environment.as_str().into(),
            turn: writer.turn,
            windows: windows.into(),
        };
        let page = serde_json::to_vec(&page)?;
        replace(&recent(&self.path), &page, |_| Ok(()))?;
        if writer.keeper.is_none() {
            writer.keeper = Some(self.keeper()?);
        }
        if let Some((pages, _)) = &writer.keeper {
            // A thread that has ended has failed before.
            let _ = pages.send(page);
        }
        if self.has_failed.swap(false, Ordering::Relaxed) {
            return Err(io::Error::other("the disk did not take it"));
        }
        Ok(())
    }
}

impl Book {
    fn keeper(&self) -> io::Result<(Sender<Vec<u8>>, JoinHandle<()>)> {
        let (pages, waiting) = channel();
        let (path, has_failed) = (self.path.clone(), Arc::clone(&self.has_failed));
        let thread = std::thread::Builder::new().name("budgets".to_owned());
        let thread = thread.spawn(move || keep(&path, &waiting, &has_failed))?;
        Ok((pages, thread))
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        let writer = self.writer.get_mut();
        let writer = writer.unwrap_or_else(PoisonError::into_inner);
        if let Some((pages, thread)) = writer.keeper.take() {
            drop(pages);
            // One that panicked keeps nothing more.
            let _ = thread.join();
        }
    }
}

/// Waits for the disk, page by page; of those that have come meanwhile the last one counts.
fn keep(path: &Path, waiting: &Receiver<Vec<u8>>, has_failed: &AtomicBool) {
    while let Ok(page) = waiting.recv() {
        let page = waiting.try_iter().last().unwrap_or(page);
        if replace(path, &page, File::sync_all).is_err() {
            has_failed.store(true, Ordering::Relaxed);
        }
    }
}

/// Where the page is that the disk may not have yet.
fn recent(path: &Path) -> PathBuf {
    path.with_extension("recent")
}

fn replace(
    path: &Path,
    page: &[u8],
    before_it_is_named: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut file = private(&new)?;
    file.set_len(0)?;
    file.write_all(page)?;
    before_it_is_named(&file)?;
    std::fs::rename(&new, path)
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path)
}

/// The later of the two pages. After the machine has failed, the recent one may be empty, and is not missed then.
fn read(path: &Path, environment: &str) -> Result<Page<'static>, BookError> {
    let kept = page(path, environment)?.unwrap_or_default();
    match page(&recent(path), environment) {
        Ok(Some(recent)) if recent.turn > kept.turn => Ok(recent),
        Ok(_) | Err(BookError::Unreadable) => Ok(kept),
        Err(error) => Err(error),
    }
}

fn page(path: &Path, environment: &str) -> Result<Option<Page<'static>>, BookError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let page: Page<'static> = serde_json::from_slice(&text).map_err(|_| BookError::Unreadable)?;
    if page.environment != environment {
        return Err(BookError::OtherEnvironment(page.environment.into_owned()));
    }
    Ok(Some(page))
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
        book.write(|| Some(vec![window.clone()])).unwrap();
        book.write(|| None).unwrap();
        assert!(matches!(Book::open(&path, "dev"), Err(BookError::Taken)));
        drop(book);
        let (book, windows) = Book::open(&path, "dev").unwrap();
        assert_eq!(windows, std::slice::from_ref(&window));
        // As after a kill: the disk has been asked for nothing yet.
        let before = std::fs::read(&path).unwrap();
        let later = Written {
            used: 9,
            ..window.clone()
        };
        book.write(|| Some(vec![later.clone()])).unwrap();
        drop(book);
        std::fs::write(&path, &before).unwrap();
        let (book, windows) = Book::open(&path, "dev").unwrap();
        assert_eq!(windows, [later]);
        drop(book);
        // As after a failure of the machine: what was not waited for is not there.
        std::fs::write(recent(&path), "").unwrap();
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
