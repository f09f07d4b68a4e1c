//! Drops a store and makes it again, empty: for environments whose data may be destroyed.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use postgres::Client;
use postgres::error::SqlState;

use crate::address::{self, Kind, Target};
use crate::store::postgres::{self as pg, Postgres};
use crate::store::qdrant::Qdrant;
use crate::store::sqlite::{self, Sqlite};
use crate::store::{self, StoreError};

const PATIENCE: Duration = Duration::from_secs(10);

/// Drops what is there, connections and all, and makes it again.
///
/// # Errors
///
/// Where the role may not, or the kind of store is only used by others.
pub fn make(target: &Target) -> Result<(), StoreError> {
    match target.kind {
        Kind::Postgres => database(target),
        Kind::Sqlite => file(target),
        Kind::Redis => store::redis::Redis::open(target, PATIENCE)?.empty(),
        Kind::Qdrant => collections(target),
        Kind::S3 | Kind::Http => Err(StoreError::NotWritable(
            "it cannot be made anew from here".to_owned(),
        )),
    }
}

/// Whether nothing has been made in it: no table, no view, nothing. A store without tables is never known to be empty.
///
/// # Errors
///
/// Where it cannot be asked.
pub fn is_empty(target: &Target) -> Result<bool, StoreError> {
    const POSTGRES: &str = "SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')";
    match target.kind {
        Kind::Postgres => {
            let mut store = Postgres::open(target, PATIENCE)?;
            let row = store.client().query_one(POSTGRES, &[]);
            Ok(row.map_err(|error| pg::refused(&error))?.get(0))
        }
        Kind::Sqlite => {
            let store = Sqlite::open(target)?;
            if !fs::exists(store.path()).unwrap_or(true) {
                return Ok(true);
            }
            let nothing = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)";
            let found = store.reader()?.query_row(nothing, [], |row| row.get(0));
            found.map_err(|error| sqlite::refused(&error))
        }
        Kind::Redis | Kind::Qdrant | Kind::S3 | Kind::Http => Ok(false),
    }
}

/// Made by the same owner with the same encoding and locale; the settings of the old one go with it. A server goes on making one for a
/// client that was killed, so what is in the way for a moment is tried again.
fn database(target: &Target) -> Result<(), StoreError> {
    const PAUSE: Duration = Duration::from_millis(100);
    let name = address::postgres(&target.value, PATIENCE)?
        .config
        .get_dbname()
        .map(str::to_owned)
        .ok_or(address::AddressError::Unreadable)?;
    let mut store = Postgres::beside(target, PATIENCE)?;
    let begun = Instant::now();
    loop {
        match drop_and_make(store.client(), &name) {
            Err(error) if is_in_the_way(&error) && begun.elapsed() < PATIENCE => {
                std::thread::sleep(PAUSE);
            }
            made => return made.map_err(|error| pg::refused(&error)),
        }
    }
}

fn drop_and_make(client: &mut Client, name: &str) -> Result<(), postgres::Error> {
    let create = "SELECT pg_catalog.format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L',
        datname, pg_catalog.pg_get_userbyid(datdba), pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype)
        FROM pg_catalog.pg_database WHERE datname = $1";
    let statement: Option<String> = client.query_opt(create, &[&name])?.map(|row| row.get(0));
    let quoted = pg::quoted_whole(name);
    let statement = statement.unwrap_or_else(|| format!("CREATE DATABASE {quoted}"));
    client.batch_execute(&format!("DROP DATABASE IF EXISTS {quoted} WITH (FORCE)"))?;
    client.batch_execute(&statement)
}

/// Whether somebody else was making or dropping the same database.
fn is_in_the_way(error: &postgres::Error) -> bool {
    let codes = [
        &SqlState::UNIQUE_VIOLATION,
        &SqlState::DUPLICATE_DATABASE,
        &SqlState::OBJECT_IN_USE,
    ];
    error.code().is_some_and(|code| codes.contains(&code))
}

/// Aliases go with the collections that they stand for.
fn collections(target: &Target) -> Result<(), StoreError> {
    let store = Qdrant::open(target, PATIENCE)?;
    for name in store.names()?.collections {
        store.delete(&name)?;
    }
    Ok(())
}

fn file(target: &Target) -> Result<(), StoreError> {
    let store = Sqlite::open(target)?;
    for ending in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(store.beside(ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::Refused(error.to_string()));
            }
            _ => {}
        }
    }
    Ok(())
}
