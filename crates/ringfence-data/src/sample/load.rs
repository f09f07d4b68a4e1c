//! Puts a sample into a store: in one transaction, so that the store is as it was or has all of it.

mod postgres;
mod sqlite;

use std::io::BufRead;
use std::time::Duration;

use super::{Manifest, Progress, SampleError, TableManifest};
use crate::address::{Kind, Target};
use crate::store::StoreError;
use crate::vectors::{Embedder, Index, Remade};

/// What becomes of rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Present {
    /// A table that has any refuses the load.
    Refuses,
    /// They make room.
    GivesWay,
}

/// Columns of vectors that are made again from masked text, and by what.
pub struct Vectors<'a> {
    /// The columns.
    pub columns: &'a [Remade],
    /// What makes them.
    pub embedder: &'a Embedder,
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
    (present, vectors): (Present, Option<Vectors<'_>>),
    progress: &mut Progress<'_>,
) -> Result<Manifest, SampleError> {
    const PATIENCE: Duration = Duration::from_secs(10);
    match target.kind {
        Kind::Postgres => postgres::load(target, artifact, (present, vectors), PATIENCE, progress),
        Kind::Sqlite => sqlite::load(target, artifact, (present, vectors), progress),
        Kind::Redis | Kind::Qdrant | Kind::Http => {
            Err(StoreError::NotWritable("only tables can be loaded".to_owned()).into())
        }
    }
}

/// Refuses an artifact that would write where no sample comes from: into the marker, or what the store keeps for itself.
fn only_tables(manifest: &Manifest) -> Result<(), SampleError> {
    let is_kept = |table: &TableManifest| {
        let name = table.name.to_ascii_lowercase();
        let schemas = [
            "ringfence.",
            "pg_catalog.",
            "information_schema.",
            "pg_toast.",
        ];
        schemas.iter().any(|schema| name.starts_with(schema))
            || name == "ringfence_marker"
            || name.starts_with("sqlite_")
    };
    match manifest.tables.iter().any(is_kept) {
        false => Ok(()),
        true => Err(SampleError::Artifact("it names a table that no sample has")),
    }
}

fn in_the_way(table: &str) -> SampleError {
    SampleError::Target(format!("`{table}` has rows already; nothing was changed"))
}

/// Of which embeddings the vectors are that were made again.
fn corpus(vectors: &Vectors<'_>, manifest: &Manifest) -> String {
    let index = Index {
        corpus: manifest.digest.clone(),
        ..vectors.embedder.index().clone()
    };
    index.written()
}

fn no_vectors(remade: &Remade, kind: &str) -> SampleError {
    SampleError::Target(format!(
        "`{}.{}` is of the type `{kind}`, which holds no vectors",
        remade.table, remade.column
    ))
}

fn kept(manifest: &Manifest) -> Result<String, SampleError> {
    Ok(serde_json::to_string(manifest).map_err(std::io::Error::from)?)
}
