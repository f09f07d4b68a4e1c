//! Real resources: reading their marks, and writing them where a person has said so.

pub mod postgres;
pub(crate) mod qdrant;
pub(crate) mod redis;
pub(crate) mod s3;
pub mod sqlite;
pub(crate) mod web;

use std::time::Duration;

use crate::address::{AddressError, Kind, Target};
use crate::marker::{Found, Marker};

/// A resource that can be asked for its marks.
pub trait Store {
    /// Reads both marks. It writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// Where the resource does not answer, or does not let its marks be read.
    fn read(&mut self) -> Result<Found, StoreError>;

    /// Writes both marks over those that are there. What only the resource knows (`cluster`, `database`) is filled in here.
    ///
    /// # Errors
    ///
    /// Where the role may not, or the kind of resource has no way to be written.
    fn mark(&mut self, marker: &Marker) -> Result<(), StoreError>;
}

/// Why a resource could not be asked or marked. No variant holds an address or a password.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The setting's value is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Nothing answers there, or not in time.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It answers, and refuses.
    #[error("it refuses: {0}")]
    Refused(String),
    /// Nothing says who asks a bucket.
    #[error(
        "its requests cannot be signed: there is no setting `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY`, and no `key` that reads `ID:SECRET`"
    )]
    Unsigned,
    /// Its marks are there, and make no sense.
    #[error("its marker cannot be read: {0}")]
    Unreadable(String),
    /// It can only be marked by whoever runs it.
    #[error("it cannot be marked from here: {0}")]
    NotWritable(String),
}

/// Connects to a resource; `patience` bounds each step.
///
/// # Errors
///
/// Where its address makes no sense, or nothing answers there.
pub fn open(target: &Target, patience: Duration) -> Result<Box<dyn Store>, StoreError> {
    Ok(match target.kind {
        Kind::Postgres => Box::new(postgres::Postgres::open(target, patience)?),
        Kind::Sqlite => Box::new(sqlite::Sqlite::open(target)?),
        Kind::Redis => Box::new(redis::Redis::open(target, patience)?),
        Kind::Qdrant => Box::new(qdrant::Qdrant::open(target, patience)?),
        Kind::S3 => Box::new(s3::S3::open(target, patience)?),
        Kind::Http => Box::new(web::Http::open(target, patience)?),
    })
}

/// Lets a file end what a killed writer had begun, before it is looked at in order to be changed. Servers do that themselves.
///
/// # Errors
///
/// Where its address makes no sense, or it cannot be written.
pub fn settle(target: &Target) -> Result<(), StoreError> {
    match target.kind {
        Kind::Sqlite => sqlite::Sqlite::open(target)?.settle(),
        Kind::Postgres | Kind::Redis | Kind::Qdrant | Kind::S3 | Kind::Http => Ok(()),
    }
}

/// A new value of [`Marker::mark`]; `None` where the system gives no random bytes.
#[must_use]
pub fn new_mark() -> Option<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
