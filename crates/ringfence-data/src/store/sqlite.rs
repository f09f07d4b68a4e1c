//! SQLite: a row of `ringfence_marker`, which travels with every copy; and what does not: the file's own identity, and the number in its
//! header that names the application, where the application has left it free.

pub(crate) mod typed;
pub(crate) mod vec0;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{Store, StoreError};
use crate::address::{self, Target};
use crate::marker::{COLUMNS, Found, Marker, Place};

/// A file that is a database, or is to be one.
pub struct Sqlite {
    path: PathBuf,
}

/// The upper half of the header's application number; the lower half begins the mark.
const OWN: u32 = 0x5246;

const TABLE: &str = "\
CREATE TABLE IF NOT EXISTS ringfence_marker (
    only_row INTEGER PRIMARY KEY DEFAULT 1 CHECK (only_row = 1),
    project TEXT NOT NULL, environment TEXT NOT NULL, tier TEXT NOT NULL, resource TEXT NOT NULL, mark TEXT NOT NULL,
    cluster TEXT NOT NULL, database TEXT NOT NULL, address TEXT NOT NULL, stamped TEXT NOT NULL,
    scrubbed TEXT NOT NULL DEFAULT '', sample TEXT NOT NULL DEFAULT '', vectors TEXT NOT NULL DEFAULT '');
DELETE FROM ringfence_marker;";

impl Sqlite {
    /// The file at the address, which need not be there yet.
    ///
    /// # Errors
    ///
    /// Where the address names no file.
    pub fn open(target: &Target) -> Result<Self, StoreError> {
        let path = address::sqlite(&target.value, &target.root)?;
        Ok(Self { path })
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file beside it, by its ending.
    pub(crate) fn beside(&self, ending: &str) -> PathBuf {
        beside(&self.path, ending)
    }

    /// A connection that can only read. Where no journal is at hand nothing is created beside the file, and no lock is taken: for a
    /// moment's look.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or is no database.
    pub fn reader(&self) -> Result<Connection, StoreError> {
        let beside = |ending| fs::exists(self.beside(ending)).unwrap_or(true);
        let has_journal = beside("-wal") || beside("-journal");
        self.open_as(if has_journal {
            "mode=ro"
        } else {
            "immutable=1"
        })
    }

    /// A connection that can only read, and sees one state of the file however long it takes: writers are kept waiting where the file
    /// is in no WAL mode.
    ///
    /// # Errors
    ///
    /// As [`Self::reader`].
    pub(crate) fn snapshot(&self) -> Result<Connection, StoreError> {
        let begun = |connection: Connection| {
            // The first question takes the snapshot.
            let begin = connection.execute_batch("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1");
            begin
                .map(|()| connection)
                .map_err(|error| self.why_not(&error))
        };
        begun(self.open_as("mode=ro")?)
    }

    fn open_as(&self, mode: &str) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let uri = format!("file:{}?{mode}", escaped(&self.path));
        Connection::open_with_flags(uri, flags).map_err(|error| refused(&error))
    }

    /// What keeps a file from being read: a journal that waits to be taken back is told as what it is.
    fn why_not(&self, error: &rusqlite::Error) -> StoreError {
        const READONLY_ROLLBACK: i32 = 776;
        let code = error.sqlite_error().map(|error| error.extended_code);
        let has_journal = fs::exists(self.beside("-journal")).unwrap_or(false);
        if code == Some(READONLY_ROLLBACK) || (code == Some(14) && has_journal) {
            return StoreError::Unreachable(
                "a writer of it was cut off, and it has to be opened for writing once; `ringfence mark` does that".to_owned(),
            );
        }
        refused(error)
    }

    /// Takes back what a writer that was cut off had begun, as any program does that opens the file to write.
    pub(crate) fn settle(&self) -> Result<(), StoreError> {
        if !fs::exists(self.beside("-journal")).unwrap_or(false) {
            return Ok(());
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let settle = || -> rusqlite::Result<()> {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        };
        settle().map_err(|error| refused(&error))
    }

    /// A connection that can write; the file is made where there is none.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written.
    pub fn writer(&self) -> Result<Connection, StoreError> {
        Connection::open(&self.path).map_err(|error| refused(&error))
    }

    /// Which file it is: another one after any copy, the same after being renamed.
    fn identity(&self) -> String {
        let Ok(metadata) = fs::metadata(&self.path) else {
            return String::new();
        };
        let born = metadata.created().ok();
        let born = born
            .and_then(|born| born.duration_since(UNIX_EPOCH).ok())
            .map_or(0, |born| born.as_nanos());
        format!("{}:{born}", metadata.ino())
    }

    fn here(&self, place: Place, application: u32) -> Found {
        Found {
            marker: None,
            place,
            cluster: self.identity(),
            database: format!("{application:08x}"),
            address: self.path.display().to_string(),
        }
    }
}

impl Store for Sqlite {
    fn read(&mut self) -> Result<Found, StoreError> {
        if !fs::exists(&self.path).unwrap_or(true) {
            return Ok(self.here(Place::Absent, 0));
        }
        let connection = self.reader()?;
        let read = || -> rusqlite::Result<Found> {
            let application =
                connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
            let mut found = self.here(place(application), application);
            let data = format!("SELECT {} FROM ringfence_marker", COLUMNS.join(", "));
            let has_table =
                "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'ringfence_marker'";
            if connection
                .query_row(has_table, [], |_| Ok(()))
                .optional()?
                .is_some()
            {
                found.marker = connection.query_row(&data, [], marker).optional()?;
            }
            Ok(found)
        };
        read().map_err(|error| self.why_not(&error))
    }

    fn mark(&mut self, marker: &Marker) -> Result<(), StoreError> {
        let mut connection = self.writer()?;
        let mut write = || -> rusqlite::Result<()> {
            let transaction = connection.transaction()?;
            // Writing the header makes the file exist, so that it has an identity.
            transaction.execute_batch(TABLE)?;
            let application: u32 =
                transaction.query_row("PRAGMA application_id", [], |row| row.get(0))?;
            let is_free = application == 0 || application >> 16 == OWN;
            let application = if is_free {
                number(&marker.mark)
            } else {
                application
            };
            transaction.pragma_update(None, "application_id", application)?;
            let here = self.here(Place::NotKept, application);
            let insert = format!(
                "INSERT INTO ringfence_marker ({}) VALUES ({})",
                COLUMNS.join(", "),
                ["?"; COLUMNS.len()].join(", ")
            );
            transaction.execute(&insert, marker.row(&here))?;
            transaction.commit()
        };
        write().map_err(|error| refused(&error))
    }
}

/// What the header says: nothing of ours where the application uses the number itself.
fn place(application: u32) -> Place {
    match application {
        0 => Place::Absent,
        own if own >> 16 == OWN => Place::Says {
            mark: format!("{:04x}", own & 0xffff),
            environment: String::new(),
        },
        _ => Place::NotKept,
    }
}

/// The header's number for a mark.
fn number(mark: &str) -> u32 {
    let begin = mark.get(..4).unwrap_or_default();
    OWN << 16 | u32::from_str_radix(begin, 16).unwrap_or(0)
}

fn marker(row: &rusqlite::Row<'_>) -> rusqlite::Result<Marker> {
    Marker::of_row(|column| row.get(column))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A path in a URI of SQLite, where `?`, `#` and `%` mean something.
fn escaped(path: &Path) -> String {
    let text = path.display().to_string();
    text.replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}

/// A name between quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn refused(error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked};
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(CannotOpen | DatabaseBusy | DatabaseLocked) => StoreError::Unreachable(text),
        _ => StoreError::Refused(text),
    }
}
