//! Empties the side-effect tables of a copy, and writes down beside its data mark for whom that was done: both, or neither.

use postgres::error::SqlState;

use crate::address::{Kind, Target};
use crate::store::StoreError;
use crate::store::postgres::{self as pg, Postgres};
use crate::store::sqlite::{self, Sqlite};

/// What was emptied.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Tables, and how many rows they had.
    pub emptied: Vec<(String, u64)>,
    /// Named, and not there.
    pub missing: Vec<String>,
}

/// Empties `tables`, all in one transaction, and writes that the copy was scrubbed for `environment`.
///
/// # Errors
///
/// Where the store is none that has tables, the role may not, or other tables point to rows that would go.
pub fn scrub(
    target: &Target,
    tables: &[String],
    environment: &str,
) -> Result<Scrubbed, StoreError> {
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
    match target.kind {
        Kind::Postgres => {
            let mut store = Postgres::open(target, PATIENCE)?;
            let scrubbed = in_postgres(store.client(), tables, environment);
            scrubbed.map_err(|error| match error.code() {
                Some(&SqlState::FEATURE_NOT_SUPPORTED) => StoreError::Refused(format!(
                    "{}: name that table, too",
                    error.as_db_error().map_or("", |error| error.message())
                )),
                _ => pg::refused(&error),
            })
        }
        Kind::Sqlite => {
            let store = Sqlite::open(target)?;
            let mut connection = store.writer()?;
            in_sqlite(&mut connection, tables, environment).map_err(|error| sqlite::refused(&error))
        }
        Kind::Redis | Kind::Qdrant | Kind::Http => Err(StoreError::NotWritable(
            "only tables can be scrubbed; empty it, and mark it again".to_owned(),
        )),
    }
}

fn in_postgres(
    client: &mut ::postgres::Client,
    tables: &[String],
    environment: &str,
) -> Result<Scrubbed, ::postgres::Error> {
    let mut scrubbed = Scrubbed::default();
    let mut transaction = client.transaction()?;
    let mut found = Vec::new();
    for table in tables {
        let quoted = pg::quoted(table);
        let row =
            transaction.query_one("SELECT pg_catalog.to_regclass($1) IS NOT NULL", &[&quoted])?;
        if row.get(0) {
            let count = format!("SELECT pg_catalog.count(*) FROM {quoted}");
            let rows: i64 = transaction.query_one(&count, &[])?.get(0);
            let rows = u64::try_from(rows).unwrap_or(0);
            scrubbed.emptied.push((table.clone(), rows));
            found.push(quoted);
        } else {
            scrubbed.missing.push(table.clone());
        }
    }
    if !found.is_empty() {
        // Without CASCADE: what would go besides is named by a person first.
        transaction.batch_execute(&format!("TRUNCATE {}", found.join(", ")))?;
    }
    transaction.execute("UPDATE ringfence.marker SET scrubbed = $1", &[&environment])?;
    transaction.commit()?;
    Ok(scrubbed)
}

fn in_sqlite(
    connection: &mut rusqlite::Connection,
    tables: &[String],
    environment: &str,
) -> rusqlite::Result<Scrubbed> {
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is overwritten, so that nothing of it stays in the file.
    connection.pragma_update(None, "secure_delete", true)?;
    let mut scrubbed = Scrubbed::default();
    let transaction = connection.transaction()?;
    transaction.pragma_update(None, "defer_foreign_keys", true)?;
    for table in tables {
        let known =
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
        let is_there: bool = transaction.query_row(known, [table], |row| row.get(0))?;
        if is_there {
            let quoted = sqlite::quoted(table);
            let rows = transaction.execute(&format!("DELETE FROM {quoted}"), [])?;
            scrubbed.emptied.push((table.clone(), rows as u64));
        } else {
            scrubbed.missing.push(table.clone());
        }
    }
    transaction.execute("UPDATE ringfence_marker SET scrubbed = ?1", [environment])?;
    transaction.commit()?;
    Ok(scrubbed)
}
