//! A file: its rows by their numbers, or by their keys where they have none.

use ringfence_mask::schema::Value;
use rusqlite::types::Value as SqliteValue;
use rusqlite::{Transaction, params_from_iter};

use super::mask::Masked;
use super::{Counted, Scrubbed, Wanted};
use crate::address::Target;
use crate::sample::quiet::silence_file;
use crate::sample::{SampleError, source};
use crate::store::StoreError;
use crate::store::sqlite::{self, Sqlite, vec0};

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where errors are mapped"
)]
fn lost(error: rusqlite::Error) -> SampleError {
    sqlite::refused(&error).into()
}

pub(super) fn scrub(
    target: &Target,
    wanted: &Wanted<'_>,
    masked: &mut [Masked],
    counted: &mut Counted<'_, '_>,
) -> Result<Scrubbed, SampleError> {
    let mut connection = Sqlite::open(target)?.writer()?;
    // A table of vectors can only be emptied by the code that it is made of.
    vec0::tables(&connection)?;
    silence_file(&connection).map_err(lost)?;
    connection
        .pragma_update(None, "foreign_keys", true)
        .map_err(lost)?;
    let mut scrubbed = Scrubbed::default();
    let transaction = connection.transaction().map_err(lost)?;
    // Whether the marker can be written is known before anything is changed.
    transaction.execute(WRITTEN, [""]).map_err(lost)?;
    let deferred = transaction.pragma_update(None, "defer_foreign_keys", true);
    deferred.map_err(lost)?;
    nothing_else_goes(&transaction, wanted.drop)?;
    if wanted.mask.is_some() {
        no_index_is_left(&transaction, wanted.drop)?;
    }
    for table in wanted.drop {
        let known =
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
        let is_there = transaction.query_row(known, [table], |row| row.get::<_, bool>(0));
        if is_there.map_err(lost)? {
            let delete = format!("DELETE FROM {}", sqlite::quoted(table));
            let rows = transaction.execute(&delete, []).map_err(lost)?;
            forget_words(&transaction, table)?;
            scrubbed.emptied.push((table.clone(), rows as u64));
        } else {
            scrubbed.missing.push(table.clone());
        }
    }
    for table in masked {
        let rows = mask(&transaction, table, counted)?;
        scrubbed.masked.push((table.table.name.clone(), rows));
    }
    transaction.commit().map_err(lost)?;
    // Cells that were moved from page to page leave their bytes behind, so every page is written anew; the file stays the same.
    connection.execute_batch("VACUUM").map_err(lost)?;
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    let is_busy = connection.query_row(checkpoint, [], |row| row.get(0));
    if is_busy.map_err(lost)? {
        let why = "somebody reads what was there before; end that, and scrub it again".to_owned();
        return Err(StoreError::Unreachable(why).into());
    }
    connection
        .execute(WRITTEN, [wanted.environment])
        .map_err(lost)?;
    Ok(scrubbed)
}

const WRITTEN: &str = "UPDATE ringfence_marker SET scrubbed = ?1";

/// Refuses where rows of other tables would go with those that are emptied, or lose what they point to: a person names them first.
fn nothing_else_goes(transaction: &Transaction<'_>, drop: &[String]) -> Result<(), SampleError> {
    let query = "SELECT m.name, f.\"table\", f.\"from\" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
        WHERE m.type = 'table' AND f.on_delete NOT IN ('NO ACTION', 'RESTRICT')";
    let mut query = transaction.prepare(query).map_err(lost)?;
    let found = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let found: rusqlite::Result<Vec<(String, String, String)>> = found.map_err(lost)?.collect();
    let is_named = |name: &str| drop.iter().any(|own| own.eq_ignore_ascii_case(name));
    for (table, parent, column) in found.map_err(lost)? {
        if !is_named(&parent) || is_named(&table) {
            continue;
        }
        let (name, column) = (sqlite::quoted(&table), sqlite::quoted(&column));
        let any = format!("SELECT EXISTS (SELECT 1 FROM {name} WHERE {column} IS NOT NULL)");
        if transaction
            .query_row(&any, [], |row| row.get(0))
            .map_err(lost)?
        {
            let why = format!(
                "rows of `{table}` would change with those of `{parent}`: name that table, too"
            );
            return Err(StoreError::Refused(why).into());
        }
    }
    Ok(())
}

/// Refuses where a virtual table stays: an index of words, or of vectors, holds what it was made of, and nobody can mask it.
fn no_index_is_left(transaction: &Transaction<'_>, drop: &[String]) -> Result<(), SampleError> {
    let query = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'virtual'";
    let mut query = transaction.prepare(query).map_err(lost)?;
    let names = query.query_map([], |row| row.get(0)).map_err(lost)?;
    let names: rusqlite::Result<Vec<String>> = names.collect();
    let is_named = |name: &String| drop.iter().any(|own| own.eq_ignore_ascii_case(name));
    match names
        .map_err(lost)?
        .into_iter()
        .find(|name| !is_named(name))
    {
        None => Ok(()),
        Some(name) => {
            let why = format!(
                "`{name}` is an index that holds what it was made of: name it under `drop`, and let the program make it anew"
            );
            Err(StoreError::Refused(why).into())
        }
    }
}

/// An index of words keeps those of rows that are gone, until it is made again.
fn forget_words(transaction: &Transaction<'_>, table: &str) -> Result<(), SampleError> {
    let is_one = "SELECT count(*) FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND sql LIKE 'create virtual table%using%fts%'";
    let is_one = transaction.query_row(is_one, [table], |row| row.get::<_, bool>(0));
    if is_one.map_err(lost)? {
        let name = sqlite::quoted(table);
        let again = format!("INSERT INTO {name} ({name}) VALUES ('rebuild')");
        transaction.execute(&again, []).map_err(lost)?;
    }
    Ok(())
}

/// Writes each row's masked columns over the old ones. Their keys are put aside first: a key that is masked itself moves its row.
fn mask(
    transaction: &Transaction<'_>,
    masked: &mut Masked,
    counted: &mut Counted<'_, '_>,
) -> Result<u64, SampleError> {
    let name = sqlite::quoted(&masked.table.name);
    let keys = Keys::put_aside(transaction, masked, &name)?;
    let list = |names: &mut dyn Iterator<Item = String>, between: &str| {
        names.collect::<Vec<_>>().join(between)
    };
    let reads = list(
        &mut masked.reads().iter().map(|column| sqlite::quoted(column)),
        ", ",
    );
    let reads = if reads.is_empty() { "1" } else { &reads };
    let row = format!("SELECT {reads} FROM {name} WHERE {}", keys.matching);
    let mut row_of = transaction.prepare(&row).map_err(lost)?;
    let mut set = masked
        .writes()
        .into_iter()
        .map(|column| format!("{} = ?", sqlite::quoted(column)));
    let set = list(&mut set, ", ");
    let set = format!("UPDATE {name} SET {set} WHERE {}", keys.matching);
    let mut set = transaction.prepare(&set).map_err(lost)?;
    let mut aside = transaction
        .prepare("SELECT * FROM temp.ringfence_keys ORDER BY rowid")
        .map_err(lost)?;
    let (width, mut count) = (masked.reads().len(), 0);
    let mut rows = aside.query([]).map_err(lost)?;
    while let Some(aside) = rows.next().map_err(lost)? {
        let key: rusqlite::Result<Vec<SqliteValue>> =
            (0..keys.width).map(|place| aside.get(place)).collect();
        let key = key.map_err(lost)?;
        let mut found = row_of.query(params_from_iter(&key)).map_err(lost)?;
        let Some(row) = found.next().map_err(lost)? else {
            return Err(StoreError::Refused("a row of it cannot be found again".to_owned()).into());
        };
        let values: rusqlite::Result<Vec<Value<'_>>> = (0..width)
            .map(|place| row.get_ref(place).map(source::sqlite_value))
            .collect();
        let cells = masked.row(&values.map_err(lost)?)?;
        drop(found);
        let cells = cells.into_iter().map(SqliteValue::from);
        set.execute(params_from_iter(cells.chain(key)))
            .map_err(lost)?;
        counted.add(&masked.table.name);
        count += 1;
    }
    drop(rows);
    drop(aside);
    transaction
        .execute_batch("DROP TABLE temp.ringfence_keys")
        .map_err(lost)?;
    Ok(count)
}

/// How rows are found again.
struct Keys {
    matching: String,
    width: usize,
}

impl Keys {
    fn put_aside(
        transaction: &Transaction<'_>,
        masked: &Masked,
        name: &str,
    ) -> Result<Self, SampleError> {
        let columns = match Self::without_rowid(transaction, masked)? {
            true => masked
                .table
                .primary_key
                .iter()
                .map(|key| sqlite::quoted(key))
                .collect(),
            false => vec![Self::rowid(masked)?],
        };
        let names: Vec<String> = (0..columns.len())
            .map(|place| format!("k{place}"))
            .collect();
        let kept: Vec<String> = columns
            .iter()
            .zip(&names)
            .map(|(column, name)| format!("{column} AS {name}"))
            .collect();
        let aside = format!(
            "CREATE TEMPORARY TABLE ringfence_keys AS SELECT {} FROM {name}",
            kept.join(", ")
        );
        transaction.execute_batch(&aside).map_err(lost)?;
        let matching: Vec<String> = columns
            .iter()
            .map(|column| format!("{column} IS ?"))
            .collect();
        Ok(Self {
            matching: matching.join(" AND "),
            width: columns.len(),
        })
    }

    fn without_rowid(transaction: &Transaction<'_>, masked: &Masked) -> Result<bool, SampleError> {
        let wr = "SELECT wr FROM pragma_table_list(?1) WHERE schema = 'main'";
        let name = &masked.table.name;
        transaction
            .query_row(wr, [name], |row| row.get(0))
            .map_err(lost)
    }

    /// The name of a row's number that no column of the table has taken.
    fn rowid(masked: &Masked) -> Result<String, SampleError> {
        let taken = |name: &str| {
            let mut columns = masked.table.columns.iter();
            columns.any(|column| column.name.eq_ignore_ascii_case(name))
        };
        let free = ["rowid", "_rowid_", "oid"]
            .into_iter()
            .find(|name| !taken(name));
        free.map(str::to_owned).ok_or_else(|| {
            let why = format!(
                "columns of `{}` hide the numbers of its rows",
                masked.table.name
            );
            StoreError::Refused(why).into()
        })
    }
}
