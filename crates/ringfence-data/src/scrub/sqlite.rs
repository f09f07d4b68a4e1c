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
use crate::store::sqlite::{self, Sqlite};

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
    for table in wanted.drop {
        let known =
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
        let is_there = transaction.query_row(known, [table], |row| row.get::<_, bool>(0));
        if is_there.map_err(lost)? {
            let delete = format!("DELETE FROM {}", sqlite::quoted(table));
            let rows = transaction.execute(&delete, []).map_err(lost)?;
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
    let anew = "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)";
    connection.execute_batch(anew).map_err(lost)?;
    connection
        .execute(WRITTEN, [wanted.environment])
        .map_err(lost)?;
    Ok(scrubbed)
}

const WRITTEN: &str = "UPDATE ringfence_marker SET scrubbed = ?1";

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
