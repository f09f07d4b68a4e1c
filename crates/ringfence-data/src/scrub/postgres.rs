//! A database: its rows by their places in their files.

use postgres::error::SqlState;
use postgres::types::ToSql;
use postgres::{Client, Error, Transaction};
use ringfence_mask::schema::Value;

use super::mask::Masked;
use super::{Counted, PATIENCE, Scrubbed, Wanted};
use crate::address::Target;
use crate::sample::SampleError;
use crate::sample::quiet::{lock, silence};
use crate::store::StoreError;
use crate::store::postgres::{self as pg, Postgres};

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where errors are mapped"
)]
fn lost(error: Error) -> SampleError {
    let other = error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED);
    match error.as_db_error().filter(|_| other) {
        // Somebody points to what would go.
        Some(said) => {
            StoreError::Refused(format!("{}: name that table, too", said.message())).into()
        }
        None => pg::refused(&error).into(),
    }
}

pub(super) fn scrub(
    target: &Target,
    wanted: &Wanted<'_>,
    masked: &mut [Masked],
    counted: &mut Counted<'_, '_>,
) -> Result<Scrubbed, SampleError> {
    let mut store = Postgres::open(target, PATIENCE)?;
    let mut transaction = store.client().transaction().map_err(lost)?;
    begin(&mut transaction)?;
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
    let mut changed: Vec<String> = Vec::new();
    for (table, quoted) in found {
        if !forget(&mut transaction, &quoted)? {
            scrubbed.remembered.push(table.clone());
        }
        changed.push(quoted);
    }
    for table in masked.iter_mut() {
        let rows = mask(&mut transaction, table, counted)?;
        scrubbed.masked.push((table.table.name.clone(), rows));
        changed.push(pg::quoted(&table.table.name));
    }
    let views = refresh(&mut transaction, &changed)?;
    transaction.commit().map_err(lost)?;
    for view in views {
        // Of one that is empty now the statistics stay.
        let analyze = format!("ANALYZE {view}");
        store.client().batch_execute(&analyze).map_err(lost)?;
        if is_remembered(store.client(), &view).map_err(lost)? {
            scrubbed.remembered.push(view);
        }
    }
    for table in masked {
        // The rows as they were lie in the table's file, and some of their values in its statistics, until both are written anew.
        let name = pg::quoted(&table.table.name);
        let anew = format!("VACUUM (FULL, ANALYZE) {name}");
        store.client().batch_execute(&anew).map_err(lost)?;
    }
    store
        .client()
        .execute(WRITTEN, &[&wanted.environment])
        .map_err(lost)?;
    Ok(scrubbed)
}

const WRITTEN: &str = "UPDATE ringfence.marker SET scrubbed = $1";

/// Finds out whether the marker can be written before anything is changed, and takes back what it says of an earlier time. Where a policy hides
/// rows, the server refuses, because they would stay as they are.
fn begin(transaction: &mut Transaction<'_>) -> Result<(), SampleError> {
    let settings = "SET LOCAL row_security = off; SET LOCAL statement_timeout = 0";
    transaction.batch_execute(settings).map_err(lost)?;
    transaction.execute(WRITTEN, &[&""]).map_err(lost)?;
    Ok(())
}

/// The materialized views that hold rows of these tables or of their partitions, those first that others are made of.
const VIEWS: &str = "\
WITH RECURSIVE changed AS (SELECT name::regclass::oid AS oid FROM pg_catalog.unnest($1::text[]) name
        UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN changed ON i.inhparent = changed.oid),
    made (oid, depth) AS (SELECT oid, 0 FROM changed
        UNION SELECT w.ev_class, depth + 1 FROM made JOIN pg_catalog.pg_depend d ON d.refobjid = made.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
            AND d.classid = 'pg_catalog.pg_rewrite'::regclass JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid WHERE w.ev_class <> made.oid AND depth < 64)
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM made JOIN pg_catalog.pg_class c USING (oid) JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND c.relispopulated GROUP BY 1 ORDER BY max(depth)";

/// Fills what was made of rows that are no more; gives the views.
fn refresh(
    transaction: &mut Transaction<'_>,
    changed: &[String],
) -> Result<Vec<String>, SampleError> {
    let rows = transaction.query(VIEWS, &[&changed]).map_err(lost)?;
    let views: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    for view in &views {
        let refresh = format!("REFRESH MATERIALIZED VIEW {view}");
        transaction.batch_execute(&refresh).map_err(lost)?;
    }
    Ok(views)
}

/// Whether the planner has statistics of an empty relation: they are of what was in it.
fn is_remembered(client: &mut Client, relation: &str) -> Result<bool, Error> {
    let query = format!(
        "SELECT NOT EXISTS (SELECT FROM {relation}) AND EXISTS (SELECT FROM pg_catalog.pg_stats s JOIN pg_catalog.pg_class c ON c.oid = $1::text::regclass
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE s.schemaname = n.nspname AND s.tablename = c.relname)"
    );
    Ok(client.query_one(&query, &[&relation])?.get(0))
}

/// Takes the planner's statistics of an emptied table away, which hold values of its rows and outlive them; says whether all are gone.
///
/// Nothing but a superuser may touch them, but a column whose type is set loses its own, even where it had that type before.
fn forget(transaction: &mut Transaction<'_>, table: &str) -> Result<bool, SampleError> {
    // Of a table in partitions, each of these has its own.
    let known = "\
WITH RECURSIVE own AS (SELECT $1::text::regclass::oid AS oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN own ON i.inhparent = own.oid)
SELECT DISTINCT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM own
    JOIN pg_catalog.pg_class c USING (oid) JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname
    JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::text::regclass AND a.attname = s.attname ORDER BY 1";
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
fn mask(
    transaction: &mut Transaction<'_>,
    masked: &mut Masked,
    counted: &mut Counted<'_, '_>,
) -> Result<u64, SampleError> {
    const AT_ONCE: i32 = 2000;
    let name = pg::quoted(&masked.table.name);
    let only = std::slice::from_ref(&name);
    lock(transaction, only).map_err(lost)?;
    let silenced = silence(transaction, only).map_err(lost)?;
    transaction
        .batch_execute("SET CONSTRAINTS ALL DEFERRED")
        .map_err(lost)?;
    let reads = masked.reads().iter();
    let reads = reads.map(|column| format!(", {}::text", pg::quoted_whole(column)));
    // Two partitions have rows at the same place.
    let rows = format!(
        "SELECT tableoid::text, ctid::text{} FROM {name}",
        reads.collect::<String>()
    );
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
        let tables: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        let places: Vec<&str> = rows.iter().map(|row| row.get(1)).collect();
        let mut columns: Vec<Vec<Option<String>>> = vec![Vec::new(); masked.writes().len()];
        for row in &rows {
            let values: Vec<Value<'_>> = (2..row.len())
                .map(|place| row.get::<_, Option<&str>>(place))
                .map(|text| text.map_or(Value::Null, Value::Text))
                .collect();
            for (column, cell) in columns.iter_mut().zip(masked.row(&values)?) {
                column.push(cell);
            }
            counted.add(&masked.table.name);
        }
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&tables, &places];
        parameters.extend(columns.iter().map(|column| column as &(dyn ToSql + Sync)));
        count += transaction.execute(&update, &parameters).map_err(lost)?;
    }
    // While it is open, the table cannot be altered.
    drop(portal);
    silenced.end(transaction).map_err(lost)?;
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
        .map(|place| format!(", pg_catalog.unnest(${}::text[])", place + 3));
    let names = places.map(|place| format!(", c{place}"));
    format!(
        "UPDATE {name} t SET {} FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]){}) AS k(of, place{})
        WHERE t.ctid = k.place::tid AND t.tableoid = k.of::oid",
        set.collect::<Vec<_>>().join(", "),
        arrays.collect::<String>(),
        names.collect::<String>(),
    )
}
