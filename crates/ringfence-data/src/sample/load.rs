//! Puts a sample into a store: in one transaction, so that the store is as it was or has all of it.

mod postgres;
mod sqlite;

use std::io::BufRead;
use std::time::Duration;

use super::create::Progress;
use super::{Manifest, SampleError};
use crate::address::{Kind, Target};
use crate::store::StoreError;

/// What becomes of rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Present {
    /// A table that has any refuses the load.
    Refuses,
    /// They make room.
    GivesWay,
}

/// Loads an artifact, and writes its manifest beside the store's marker.
///
/// # Errors
///
/// Where the artifact is none, a table or column of it is missing, rows are in the way, or a constraint does not hold. Nothing is
/// changed then.
pub fn load(
    target: &Target,
    artifact: impl BufRead,
    present: Present,
    progress: &mut Progress<'_>,
) -> Result<Manifest, SampleError> {
    const PATIENCE: Duration = Duration::from_secs(10);
    match target.kind {
        Kind::Postgres => postgres::load(target, artifact, (present, PATIENCE), progress),
        Kind::Sqlite => sqlite::load(target, artifact, present, progress),
        Kind::Redis | Kind::Qdrant | Kind::Http => {
            Err(StoreError::NotWritable("only tables can be loaded".to_owned()).into())
        }
    }
}

fn in_the_way(table: &str) -> SampleError {
    SampleError::Target(format!("`{table}` has rows already; nothing was changed"))
}

fn kept(manifest: &Manifest) -> Result<String, SampleError> {
    Ok(serde_json::to_string(manifest).map_err(std::io::Error::from)?)
}
