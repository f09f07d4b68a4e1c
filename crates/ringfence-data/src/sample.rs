//! Data on its way down the chain: chosen where the upper environment can be read, carried in a file, loaded where the lower one can be written.
//!
//! [`source`] reads a store in one snapshot; [`choice`] follows a plan to the rows that travel; `cut` finds which of their references lead to
//! nothing; [`artifact`] is the file; [`create`] masks and writes it; [`load`] puts it into a store in one transaction, in which `quiet` keeps the
//! store's own triggers from hearing of it.
//!
//! What always holds: the same rows, rules and key give the same file content and digest; no followed reference points to a row that does
//! not travel; an artifact without its last line is none; a load is whole or it is nothing. Memory holds keys of chosen rows, never rows.

pub mod artifact;
pub mod choice;
pub mod create;
mod cut;
pub mod load;
pub(crate) mod quiet;
pub mod source;

use ringfence_mask::closure::PlanError;
use ringfence_mask::mask::{CoverError, MaskError};
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// What a sample is, beside its rows: the first line of its artifact, and what is kept beside the target's marker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// The version of this format: 1.
    pub version: u32,
    /// The project's name.
    pub project: String,
    /// The environment that the rows come from.
    pub from: String,
    /// The environment that they are for.
    pub to: String,
    /// The resource's name.
    pub resource: String,
    /// The mark of the source, where it had one.
    pub source: String,
    /// The source's snapshot, as the store names it.
    pub snapshot: String,
    /// The digest of the rules.
    pub rules: String,
    /// The name of the key.
    pub key: String,
    /// Of which embeddings the vectors above are, as JSON; empty where that is not known.
    pub index: String,
    /// The tables, in the order in which they are loaded.
    pub tables: Vec<TableManifest>,
    /// SHA-256 over all rows, in hexadecimal; empty in an artifact's first line.
    pub digest: String,
}

/// One table of a sample.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableManifest {
    /// Its name.
    pub name: String,
    /// The columns that travel, in the order of each row's values.
    pub columns: Vec<String>,
    /// What each of them holds, for stores that do not declare it: a word for its type.
    pub kinds: Vec<String>,
    /// Columns that are null at first and set when every table is loaded.
    pub later: Vec<String>,
    /// The primary key.
    pub key: Vec<String>,
    /// How many rows; 0 in an artifact's first line.
    pub rows: u64,
    /// In how many of them a reference was cut, because what it points to does not travel; 0 in an artifact's first line.
    pub cut: u64,
}

/// How far the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// What is done.
    pub work: Work,
    /// In which table.
    pub table: &'a str,
    /// How many rows it was done with so far, in all tables.
    pub rows: u64,
    /// How many rows there are in all, where that is known.
    pub of: Option<u64>,
}

/// What is done with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Which of them travel is found out.
    Choosing,
    /// They are masked and written into an artifact.
    Writing,
    /// They are put into a store.
    Loading,
    /// They are masked where they are.
    Masking,
}

/// What is told of every step.
pub type Progress<'a> = dyn FnMut(Step<'_>) + 'a;

/// Why a sample cannot be made or loaded. No variant holds a value of a row.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rules make no plan.
    #[error("{}", listed(.0))]
    Plan(Vec<PlanError>),
    /// The rules do not cover what travels.
    #[error("{}", listed(.0))]
    Cover(Vec<CoverError>),
    /// A value that its masker cannot write.
    #[error(transparent)]
    Mask(#[from] MaskError),
    /// The artifact cannot be read or written.
    #[error("the artifact cannot be read or written: {0}")]
    File(#[from] std::io::Error),
    /// The artifact is none, or was changed or cut off.
    #[error("it is no whole artifact: {0}")]
    Artifact(&'static str),
    /// Rows that cannot be told apart.
    #[error(
        "`{0}` has rows without a key, by which they would be found again: let `all` of them travel, without `where`, or `none`"
    )]
    NoKey(String),
    /// A row that is too large to be carried.
    #[error("a row of `{0}` takes more than {most} MiB; leave its large column without a rule", most = artifact::LONGEST >> 20)]
    Large(String),
    /// The target lacks what travels.
    #[error("{0}")]
    Target(String),
}

/// The key that ranks rows and masks values, from whatever text keys a project's samples. The same text gives the same key.
#[must_use]
pub fn key(text: &[u8], purpose: &[&str]) -> Option<ringfence_mask::key::Key> {
    use sha2::Digest;
    let bytes: zeroize::Zeroizing<[u8; 32]> =
        zeroize::Zeroizing::new(sha2::Sha256::digest(text).into());
    Some(ringfence_mask::key::Key::read(bytes.as_ref())?.derive(purpose))
}

fn listed<T: std::fmt::Display>(errors: &[T]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("; ")
}
