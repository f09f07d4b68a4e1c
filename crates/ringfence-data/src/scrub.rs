//! Makes a copy harmless: empties its side-effect tables, masks what has a rule where that is asked for, and writes down beside the data
//! mark for whom that was done.
//!
//! What always holds: rows are emptied and masked in one transaction; where they lay is written anew; only then does the marker say so. What was
//! cut off before that is still the copy that nothing is started with, and is scrubbed again.

mod mask;
mod postgres;
mod sqlite;

use std::time::Duration;

use ringfence_mask::key::Key;
use ringfence_mask::rule::Rules;
use ringfence_mask::schema::Table;

use crate::address::{Kind, Target};
use crate::sample::{Progress, SampleError, Step, Work, source};
use crate::store::StoreError;

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Tables, and how many rows they had.
    pub emptied: Vec<(String, u64)>,
    /// Tables, and how many of their rows were masked.
    pub masked: Vec<(String, u64)>,
    /// Named, and not there.
    pub missing: Vec<String>,
    /// Emptied, and the planner's statistics still hold some of their values.
    pub remembered: Vec<String>,
}

/// What is to be done.
pub struct Wanted<'a> {
    /// The tables that are emptied.
    pub drop: &'a [String],
    /// The rules by which columns are masked in place, and the key for it.
    pub mask: Option<(&'a Rules, &'a Key)>,
    /// For which environment.
    pub environment: &'a str,
}

const PATIENCE: Duration = Duration::from_secs(10);

/// Does it; every row that is masked is told.
///
/// # Errors
///
/// Where the store is none that has tables, the role may not, other tables point to rows that would go, or a rule does not fit.
pub fn scrub(
    target: &Target,
    wanted: &Wanted<'_>,
    progress: &mut Progress<'_>,
) -> Result<Scrubbed, SampleError> {
    let mut masked = Vec::new();
    if let Some((rules, key)) = wanted.mask {
        let tables: Vec<Table> = source::open(target, PATIENCE)?.tables()?;
        masked = mask::masked(&tables, rules, key)?;
    }
    let rows = masked.iter().map(|masked| masked.table.rows);
    let mut counted = Counted {
        rows: 0,
        of: rows.sum(),
        progress,
    };
    match target.kind {
        Kind::Postgres => postgres::scrub(target, wanted, &mut masked, &mut counted),
        Kind::Sqlite => sqlite::scrub(target, wanted, &mut masked, &mut counted),
        Kind::Redis | Kind::Qdrant | Kind::S3 | Kind::Http => Err(StoreError::NotWritable(
            "only tables can be scrubbed; empty it, and mark it again".to_owned(),
        )
        .into()),
    }
}

/// Rows that were masked so far, and who is told.
struct Counted<'a, 'b> {
    rows: u64,
    of: Option<u64>,
    progress: &'a mut Progress<'b>,
}

impl Counted<'_, '_> {
    fn add(&mut self, table: &str) {
        self.rows += 1;
        (self.progress)(Step {
            work: Work::Masking,
            table,
            rows: self.rows,
            of: self.of,
        });
    }
}
