//! Reading a store in one snapshot: its tables, and their rows.

mod postgres;
mod qdrant;
mod sqlite;

use std::time::Duration;

use ringfence_mask::schema::{Table, Value};

use super::SampleError;
use crate::address::{Kind, Target};
use crate::store::StoreError;

pub(crate) use sqlite::value as sqlite_value;

/// What is called with each row, its values in the order that was asked for.
pub type Row<'a> = dyn FnMut(&[Value<'_>]) -> Result<(), SampleError> + 'a;

/// The key of a row, in text: one value for each of its columns.
pub type Key = Vec<Box<str>>;

/// A store that is read. Everything is read in one snapshot, and nothing is written.
pub trait Source {
    /// All tables with their columns and keys.
    ///
    /// # Errors
    ///
    /// Where the store cannot be asked.
    fn tables(&mut self) -> Result<Vec<Table>, SampleError>;

    /// The snapshot's name.
    fn snapshot(&self) -> &str;

    /// The different values of a column, at most so many, as text; of a very large table, those of a part.
    ///
    /// # Errors
    ///
    /// Where the store cannot be asked.
    fn distinct(
        &mut self,
        table: &Table,
        column: &str,
        most: u32,
    ) -> Result<Vec<String>, SampleError>;

    /// All rows of a table that a condition lets through, in no order, or in that of its primary key.
    ///
    /// # Errors
    ///
    /// Where the store cannot be asked, the condition is none, or `row` fails.
    fn scan(&mut self, scan: &Scan<'_>, row: &mut Row<'_>) -> Result<(), SampleError>;

    /// The rows with these keys, by the columns that they are of, in the order of the keys.
    ///
    /// # Errors
    ///
    /// As [`Source::scan`].
    fn fetch(
        &mut self,
        table: &Table,
        keys: (&[String], &[&Key]),
        columns: &[String],
        row: &mut Row<'_>,
    ) -> Result<(), SampleError>;
}

/// What is scanned.
#[derive(Clone, Copy)]
pub struct Scan<'a> {
    /// The table.
    pub table: &'a Table,
    /// The columns.
    pub columns: &'a [String],
    /// A condition in the store's language.
    pub filter: Option<&'a str>,
    /// Whether the primary key decides the order.
    pub is_ordered: bool,
}

/// Opens a store for reading, and its snapshot.
///
/// # Errors
///
/// Where it cannot be reached, or has no tables.
pub fn open(target: &Target, patience: Duration) -> Result<Box<dyn Source>, SampleError> {
    Ok(match target.kind {
        Kind::Postgres => Box::new(postgres::Postgres::open(target, patience)?),
        Kind::Sqlite => Box::new(sqlite::Sqlite::open(target)?),
        Kind::Qdrant => Box::new(qdrant::Qdrant::open(target)?),
        Kind::Redis | Kind::S3 | Kind::Http => {
            return Err(StoreError::NotWritable("only tables can be sampled".to_owned()).into());
        }
    })
}
