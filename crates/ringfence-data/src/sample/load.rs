//! Puts a sample into a store: in one transaction, so that the store is as it was or has all of it.

mod postgres;
mod qdrant;
mod sqlite;

use std::io::BufRead;
use std::time::Duration;

use ringfence_mask::schema::Kind;

use super::{Manifest, Progress, SampleError, TableManifest};
use crate::address::{self, Target};
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

/// What holds for vectors in the target.
#[derive(Clone, Copy)]
pub struct Vectors<'a> {
    /// The columns that are made again from masked text.
    pub columns: &'a [Remade],
    /// What makes them; needed where there are any.
    pub embedder: Option<&'a Embedder>,
    /// Of which embeddings the vectors are to be.
    pub index: &'a Index,
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
    (present, vectors): (Present, Vectors<'_>),
    progress: &mut Progress<'_>,
) -> Result<Manifest, SampleError> {
    const PATIENCE: Duration = Duration::from_secs(10);
    match target.kind {
        address::Kind::Postgres => {
            postgres::load(target, artifact, (present, vectors), PATIENCE, progress)
        }
        address::Kind::Sqlite => sqlite::load(target, artifact, (present, vectors), progress),
        address::Kind::Qdrant => qdrant::load(target, artifact, (present, vectors), progress),
        address::Kind::Redis | address::Kind::S3 | address::Kind::Http => {
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

/// Of which embeddings the vectors are that came along or were made again; `None` where none did.
fn corpus(vectors: &Vectors<'_>, manifest: &Manifest) -> Option<String> {
    if vectors.columns.is_empty() && !brings_vectors(manifest) {
        return None;
    }
    let index = Index {
        corpus: manifest.digest.clone(),
        ..vectors.index.clone()
    };
    Some(index.written())
}

/// Whether a sample has columns that are known to hold vectors.
fn brings_vectors(manifest: &Manifest) -> bool {
    let mut kinds = manifest.tables.iter().flat_map(|table| &table.kinds);
    kinds.any(|kind| kind == Kind::Vector.word())
}

/// Refuses vectors of other embeddings than the target's environment uses.
fn same_embeddings(vectors: &Vectors<'_>, manifest: &Manifest) -> Result<(), SampleError> {
    let above = Index::read(&manifest.index).unwrap_or_default();
    match above.difference(vectors.index) {
        Some((what, theirs, own)) if brings_vectors(manifest) => Err(SampleError::Target(format!(
            "the vectors that come along are of another {what}: `{theirs}`, and `{own}` is used here; say under `vectors` what they are made of"
        ))),
        _ => Ok(()),
    }
}

/// The one column that a table's rows are known by, for texts that are in another table than their vectors.
fn known_by<'a>(
    manifest: &'a Manifest,
    remade: &Remade,
    table: &str,
) -> Result<&'a str, SampleError> {
    let known = manifest.tables.iter().find(|known| known.name == table);
    match known.map(|known| known.key.as_slice()) {
        Some([key]) => Ok(key),
        _ => Err(SampleError::Target(format!(
            "`{}.{}` is made of `{table}`, which does not come along, or whose rows have no key of one column",
            remade.table, remade.column
        ))),
    }
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
