//! Makes a copy harmless: empties its side-effect tables, masks what has a rule where that is asked for, and writes down beside the data
//! mark for whom that was done. All of it, or nothing.

mod mask;

use std::time::Duration;

use postgres::error::SqlState;
use ringfence_mask::key::Key;
use ringfence_mask::rule::Rules;
use ringfence_mask::schema::{Table, Value};

use crate::address::{Kind, Target};
use crate::sample::{SampleError, source};
use crate::store::StoreError;
use crate::store::postgres::{self as pg, Postgres};
use crate::store::sqlite::{self, Sqlite, vec0};
use mask::Masked;

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

/// Does it in one transaction.
///
/// # Errors
///
/// Where the store is none that has tables, the role may not, other tables point to rows that would go, or a rule does not fit.
pub fn scrub(target: &Target, wanted: &Wanted<'_>) -> Result<Scrubbed, SampleError> {
    let mut masked = Vec::new();
    if let Some((rules, key)) = wanted.mask {
        let tables: Vec<Table> = source::open(target, PATIENCE)?.tables()?;
        masked = mask::masked(&tables, rules, key)?;
    }
    match target.kind {
        Kind::Postgres => in_postgres(target, wanted, &mut masked),
        Kind::Sqlite => in_sqlite(target, wanted, &mut masked),
        Kind::Redis | Kind::Qdrant | Kind::S3 | Kind::Http => Err(StoreError::NotWritable(
            "only tables can be scrubbed; empty it, and mark it again".to_owned(),
        )
        .into()),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where errors are mapped"
)]
fn lost(error: ::postgres::Error) -> SampleError {
    let other = error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED);
    match error.as_db_error().filter(|_| other) {
        // Somebody points to what would go.
        Some(said) => {
            StoreError::Refused(format!("{}: name that table, too", said.message())).into()
        }
        None => pg::refused(&error).into(),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where errors are mapped"
)]
fn lost_file(error: rusqlite::Error) -> SampleError {
    sqlite::refused(&error).into()
}

fn in_postgres(
    target: &Target,
    wanted: &Wanted<'_>,
    masked: &mut [Masked],
) -> Result<Scrubbed, SampleError> {
    let mut store = Postgres::open(target, PATIENCE)?;
    let mut transaction = store.client().transaction().map_err(lost)?;
    let mut scrubbed = Scrubbed::default();
    let mut found = Vec::new();
    for table in wanted.drop {
        let quoted = pg::quoted(table);
        let known = "SELECT pg_catalog.to_regclass($1) IS NOT NULL";
        if transaction
            .query_one(known, &[&quoted])
            .map_err(lost)?
            .get(0)
        {
            let count = format!("SELECT pg_catalog.count(*) FROM {quoted}");
            let rows: i64 = transaction.query_one(&count, &[]).map_err(lost)?.get(0);
            let rows = u64::try_from(rows).unwrap_or(0);
            scrubbed.emptied.push((table.clone(), rows));
            found.push((table, quoted));
        } else {
            scrubbed.missing.push(table.clone());
        }
    }
    if !found.is_empty() {
        // Without CASCADE: what would go besides is named by a person first.
        let names: Vec<&str> = found.iter().map(|(_, quoted)| quoted.as_str()).collect();
        let truncate = format!("TRUNCATE {}", names.join(", "));
        transaction.batch_execute(&truncate).map_err(lost)?;
    }
    for (table, quoted) in found {
        if !forget(&mut transaction, &quoted)? {
            scrubbed.remembered.push(table.clone());
        }
    }
    for table in masked.iter_mut() {
        let rows = mask_in_postgres(&mut transaction, table)?;
        scrubbed.masked.push((table.table.name.clone(), rows));
    }
    let written = "UPDATE ringfence.marker SET scrubbed = $1";
    transaction
        .execute(written, &[&wanted.environment])
        .map_err(lost)?;
    transaction.commit().map_err(lost)?;
    for table in masked {
        // The rows as they were lie in the table's file, and some of their values in its statistics, until both are written anew.
        let name = pg::quoted(&table.table.name);
        let anew = format!("VACUUM (FULL, ANALYZE) {name}");
        store.client().batch_execute(&anew).map_err(lost)?;
    }
    Ok(scrubbed)
}

/// Takes the planner's statistics of an emptied table away, which hold values of its rows and outlive them; says whether all are gone.
///
/// Nothing but a superuser may touch them, but a column whose type is set loses its own, even where it had that type before.
fn forget(transaction: &mut ::postgres::Transaction<'_>, table: &str) -> Result<bool, SampleError> {
    let known = "\
SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_stats s
    JOIN pg_catalog.pg_class c ON c.oid = $1::text::regclass JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
WHERE s.schemaname = n.nspname AND s.tablename = c.relname";
    let mut is_forgotten = true;
    for row in transaction.query(known, &[&table]).map_err(lost)? {
        let (column, kind): (String, String) = (row.get(0), row.get(1));
        let column = pg::quoted_whole(&column);
        let mut inner = transaction.savepoint("statistics").map_err(lost)?;
        let set = format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}");
        // A view or a policy that uses the column keeps its type from being set.
        match inner.batch_execute(&set) {
            Ok(()) => inner.commit().map_err(lost)?,
            Err(_) => {
                is_forgotten = false;
                inner.rollback().map_err(lost)?;
            }
        }
    }
    Ok(is_forgotten)
}

/// Writes each row's masked columns over the old ones, in the order in which they lie.
fn mask_in_postgres(
    transaction: &mut ::postgres::Transaction<'_>,
    masked: &mut Masked,
) -> Result<u64, SampleError> {
    const AT_ONCE: i32 = 2000;
    let name = pg::quoted(&masked.table.name);
    let silent = format!("SET CONSTRAINTS ALL DEFERRED; ALTER TABLE {name} DISABLE TRIGGER USER");
    transaction.batch_execute(&silent).map_err(lost)?;
    let reads = masked.reads().iter();
    let reads = reads.map(|column| format!(", {}::text", pg::quoted_whole(column)));
    let rows = format!("SELECT ctid::text{} FROM {name}", reads.collect::<String>());
    let rows = transaction.prepare(&rows).map_err(lost)?;
    let columns: Vec<String> = masked.writes().into_iter().map(str::to_owned).collect();
    let types = pg::types(transaction, &masked.table.name, &columns)?;
    let update = update(masked, &name, &types);
    let update = transaction.prepare(&update).map_err(lost)?;
    let portal = transaction.bind(&rows, &[]).map_err(lost)?;
    let mut count = 0;
    loop {
        let rows = transaction.query_portal(&portal, AT_ONCE).map_err(lost)?;
        if rows.is_empty() {
            break;
        }
        let places: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        let mut columns: Vec<Vec<Option<String>>> = vec![Vec::new(); masked.writes().len()];
        for row in &rows {
            let values: Vec<Value<'_>> = (1..row.len())
                .map(|place| row.get::<_, Option<&str>>(place))
                .map(|text| text.map_or(Value::Null, Value::Text))
                .collect();
            for (column, cell) in columns.iter_mut().zip(masked.row(&values)?) {
                column.push(cell);
            }
        }
        let mut parameters: Vec<&(dyn ::postgres::types::ToSql + Sync)> = vec![&places];
        parameters.extend(
            columns
                .iter()
                .map(|column| column as &(dyn ::postgres::types::ToSql + Sync)),
        );
        count += transaction.execute(&update, &parameters).map_err(lost)?;
    }
    // While it is open, the table cannot be altered.
    drop(portal);
    let heard = format!("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE {name} ENABLE TRIGGER USER");
    transaction.batch_execute(&heard).map_err(lost)?;
    Ok(count)
}

/// `UPDATE` with a row's place and an array for each column.
fn update(masked: &Masked, name: &str, types: &[String]) -> String {
    let columns = masked.writes();
    let set = columns.iter().zip(types).enumerate();
    let set = set.map(|(place, (column, kind))| {
        format!("{} = k.c{place}::{kind}", pg::quoted_whole(column))
    });
    let places = 0..columns.len();
    let arrays = places
        .clone()
        .map(|place| format!(", pg_catalog.unnest(${}::text[])", place + 2));
    let names = places.map(|place| format!(", c{place}"));
    format!(
        "UPDATE {name} t SET {} FROM ROWS FROM (pg_catalog.unnest($1::text[]){}) AS k(place{}) WHERE t.ctid = k.place::tid",
        set.collect::<Vec<_>>().join(", "),
        arrays.collect::<String>(),
        names.collect::<String>(),
    )
}

fn in_sqlite(
    target: &Target,
    wanted: &Wanted<'_>,
    masked: &mut [Masked],
) -> Result<Scrubbed, SampleError> {
    let mut connection = Sqlite::open(target)?.writer()?;
    let vectors = vec0::tables(&connection)?;
    if let Some(Masked { table, .. }) = masked
        .iter()
        .find(|masked| vectors.contains_key(&masked.table.name))
    {
        let message = format!(
            "`{}` is a table of vectors, which is not masked in place: name it under `drop`",
            table.name
        );
        return Err(StoreError::Refused(message).into());
    }
    connection
        .pragma_update(None, "foreign_keys", true)
        .map_err(lost_file)?;
    let mut scrubbed = Scrubbed::default();
    let transaction = connection.transaction().map_err(lost_file)?;
    let deferred = transaction.pragma_update(None, "defer_foreign_keys", true);
    deferred.map_err(lost_file)?;
    for table in wanted.drop {
        let known =
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
        let is_there = transaction.query_row(known, [table], |row| row.get::<_, bool>(0));
        if is_there.map_err(lost_file)? {
            let delete = format!("DELETE FROM {}", sqlite::quoted(table));
            let rows = transaction.execute(&delete, []).map_err(lost_file)?;
            scrubbed.emptied.push((table.clone(), rows as u64));
        } else {
            scrubbed.missing.push(table.clone());
        }
    }
    for table in masked {
        let rows = mask_in_sqlite(&transaction, table)?;
        scrubbed.masked.push((table.table.name.clone(), rows));
    }
    let written = "UPDATE ringfence_marker SET scrubbed = ?1";
    transaction
        .execute(written, [wanted.environment])
        .map_err(lost_file)?;
    transaction.commit().map_err(lost_file)?;
    // Cells that were moved from page to page leave their bytes behind, so every page is written anew; the file stays the same.
    let anew = "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)";
    connection.execute_batch(anew).map_err(lost_file)?;
    Ok(scrubbed)
}

fn mask_in_sqlite(
    transaction: &rusqlite::Transaction<'_>,
    masked: &mut Masked,
) -> Result<u64, SampleError> {
    const AT_ONCE: i64 = 2000;
    let name = sqlite::quoted(&masked.table.name);
    let width = masked.reads().len();
    let reads = masked.reads().iter();
    let reads: String = reads
        .map(|column| format!(", {}", sqlite::quoted(column)))
        .collect();
    let next = format!("SELECT rowid{reads} FROM {name} WHERE rowid > ?1 ORDER BY rowid LIMIT ?2");
    let mut next = transaction.prepare(&next).map_err(lost_file)?;
    let set = masked.writes().into_iter();
    let set: Vec<String> = set
        .map(|column| format!("{} = ?", sqlite::quoted(column)))
        .collect();
    let set = format!("UPDATE {name} SET {} WHERE rowid = ?", set.join(", "));
    let mut set = transaction.prepare(&set).map_err(lost_file)?;
    let (mut last, mut count) = (i64::MIN, 0);
    loop {
        let mut changed: Vec<(i64, Vec<Option<String>>)> = Vec::new();
        let mut rows = next.query((last, AT_ONCE)).map_err(lost_file)?;
        while let Some(row) = rows.next().map_err(lost_file)? {
            let values: rusqlite::Result<Vec<Value<'_>>> = (1..=width)
                .map(|place| row.get_ref(place).map(source::sqlite_value))
                .collect();
            let values = values.map_err(lost_file)?;
            changed.push((row.get(0).map_err(lost_file)?, masked.row(&values)?));
        }
        drop(rows);
        let Some((place, _)) = changed.last() else {
            return Ok(count);
        };
        last = *place;
        for (place, cells) in changed {
            let mut parameters: Vec<&dyn rusqlite::ToSql> = Vec::new();
            parameters.extend(cells.iter().map(|cell| cell as &dyn rusqlite::ToSql));
            parameters.push(&place);
            set.execute(parameters.as_slice()).map_err(lost_file)?;
            count += 1;
        }
    }
}
