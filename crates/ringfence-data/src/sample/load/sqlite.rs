//! Into SQLite: one transaction whose foreign keys are looked at when it ends.

use std::io::BufRead;

use ringfence_mask::schema::Kind;
use rusqlite::types::Value;
use rusqlite::{Connection, Statement, Transaction, TransactionBehavior, params_from_iter};

use super::super::artifact::{Fields, Part, Reader};
use super::super::quiet::silence_file;
use super::super::{Manifest, Progress, SampleError, Step, TableManifest, Work};
use super::{Present, Vectors, corpus, in_the_way, kept, no_vectors, only_tables};
use crate::address::Target;
use crate::store::sqlite::{Sqlite, quoted, refused, typed};
use crate::vectors::{self, Embedder, Remade};

pub(super) fn load(
    target: &Target,
    artifact: impl BufRead,
    (present, vectors): (Present, Option<Vectors<'_>>),
    progress: &mut Progress<'_>,
) -> Result<Manifest, SampleError> {
    let (mut reader, begun) = Reader::new(artifact)?;
    only_tables(&begun)?;
    let mut connection = Sqlite::open(target)?.writer()?;
    let mut transaction = begin(&mut connection).map_err(lost)?;
    prepare(&transaction, &begun, present)?;
    let manifest = rows(&mut transaction, &mut reader, &begun, progress)?;
    let broken =
        transaction.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
            row.get::<_, i64>(0)
        });
    match broken.map_err(lost)? {
        0 => {}
        count => {
            let message = format!("{count} rows point to rows that are not there");
            return Err(SampleError::Target(message));
        }
    }
    if let Some(vectors) = &vectors {
        for remade in vectors.columns {
            remake(&transaction, remade, vectors.embedder)?;
        }
        let corpus = corpus(vectors, &manifest);
        transaction
            .execute("UPDATE ringfence_marker SET vectors = ?1", [corpus])
            .map_err(lost)?;
    }
    let marked = transaction
        .execute(
            "UPDATE ringfence_marker SET sample = ?1",
            [kept(&manifest)?],
        )
        .map_err(lost)?;
    if marked != 1 {
        return Err(SampleError::Target("the target has no marker".to_owned()));
    }
    transaction.commit().map_err(lost)?;
    Ok(manifest)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it stands where errors are mapped"
)]
fn lost(error: rusqlite::Error) -> SampleError {
    refused(&error).into()
}

fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    silence_file(connection)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.pragma_update(None, "defer_foreign_keys", true)?;
    Ok(transaction)
}

fn prepare(
    transaction: &Transaction<'_>,
    manifest: &Manifest,
    present: Present,
) -> Result<(), SampleError> {
    if present == Present::GivesWay {
        dependents(transaction, manifest)?;
    }
    // Children first, as far as that is possible; what is left waits for the end.
    for table in manifest.tables.iter().rev() {
        let name = quoted(&table.name);
        let known =
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
        let is_there: bool = transaction
            .query_row(known, [&table.name], |row| row.get(0))
            .map_err(lost)?;
        if !is_there {
            let message = format!("the target has no table `{}`", table.name);
            return Err(SampleError::Target(message));
        }
        let any: bool = transaction
            .query_row(
                &format!("SELECT EXISTS (SELECT 1 FROM {name})"),
                [],
                |row| row.get(0),
            )
            .map_err(lost)?;
        if any && present == Present::Refuses {
            return Err(in_the_way(&table.name));
        }
        transaction
            .execute(&format!("DELETE FROM {name}"), [])
            .map_err(lost)?;
    }
    Ok(())
}

/// Refuses where a table that does not travel has rows and points to one that does: they would go with it, or point to nothing.
fn dependents(transaction: &Transaction<'_>, manifest: &Manifest) -> Result<(), SampleError> {
    let query = "SELECT DISTINCT m.name FROM sqlite_schema m, pragma_foreign_key_list(m.name) f
        WHERE m.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE";
    let mut query = transaction.prepare(query).map_err(lost)?;
    let names = manifest.tables.iter().map(|table| table.name.clone());
    let mut known: Vec<String> = names.collect();
    let mut place = 0;
    while let Some(name) = known.get(place).cloned() {
        let pointing = query.query_map([name], |row| row.get(0)).map_err(lost)?;
        let pointing: rusqlite::Result<Vec<String>> = pointing.collect();
        for table in pointing.map_err(lost)? {
            if known.iter().any(|name| name.eq_ignore_ascii_case(&table)) {
                continue;
            }
            let any = format!("SELECT EXISTS (SELECT 1 FROM {})", quoted(&table));
            if transaction
                .query_row(&any, [], |row| row.get(0))
                .map_err(lost)?
            {
                let message =
                    format!("`{table}` has rows that point to rows that would go; empty it first");
                return Err(SampleError::Target(message));
            }
            known.push(table);
        }
        place += 1;
    }
    Ok(())
}

fn rows(
    transaction: &mut Transaction<'_>,
    reader: &mut Reader<impl BufRead>,
    manifest: &Manifest,
    progress: &mut Progress<'_>,
) -> Result<Manifest, SampleError> {
    let mut statement: Option<(Statement<'_>, Vec<Held>, &TableManifest)> = None;
    let mut fields = Fields::default();
    let mut count = 0;
    loop {
        match reader.part()? {
            Part::End(whole) => return Ok(*whole),
            Part::Table(place) => {
                let table = manifest
                    .tables
                    .get(place)
                    .ok_or(SampleError::Artifact("a table of it is damaged"))?;
                let insert = insert(table);
                let prepared = transaction.prepare(&insert).map_err(lost)?;
                statement = Some((prepared, kinds(transaction, table)?, table));
            }
            Part::Row(line) => {
                let (statement, kinds, table) = statement
                    .as_mut()
                    .ok_or(SampleError::Artifact("a row of it is of no table"))?;
                fields.read(line)?;
                let values = fields.texts().zip(&*kinds);
                let values = values.map(|(text, kind)| value(text, kind));
                statement.execute(params_from_iter(values)).map_err(lost)?;
                count += 1;
                progress(Step {
                    work: Work::Loading,
                    table: &table.name,
                    rows: count,
                    of: None,
                });
            }
        }
    }
}

/// Makes a column of vectors again from another column's text, which has been masked.
fn remake(
    transaction: &Transaction<'_>,
    remade: &Remade,
    embedder: &Embedder,
) -> Result<(), SampleError> {
    let (name, column, of) = (
        quoted(&remade.table),
        quoted(&remade.column),
        quoted(&remade.of),
    );
    let declared = "SELECT type FROM pragma_table_xinfo(?1) WHERE name = ?2";
    let kind: String = transaction
        .query_row(declared, [&remade.table, &remade.column], |row| row.get(0))
        .map_err(lost)?;
    let next = format!(
        "SELECT rowid, {of} FROM {name} WHERE rowid > ?1 AND {of} IS NOT NULL ORDER BY rowid LIMIT ?2"
    );
    let mut next = transaction.prepare(&next).map_err(lost)?;
    let set = format!("UPDATE {name} SET {column} = ?1 WHERE rowid = ?2");
    let mut set = transaction.prepare(&set).map_err(lost)?;
    let mut last = i64::MIN;
    loop {
        let rows = next.query_map((last, vectors::AT_ONCE), |row| {
            Ok((row.get(0)?, row.get(1)?))
        });
        let rows: rusqlite::Result<Vec<(i64, String)>> = rows.map_err(lost)?.collect();
        let (places, texts): (Vec<i64>, Vec<String>) = rows.map_err(lost)?.into_iter().unzip();
        let Some(place) = places.last() else {
            return Ok(());
        };
        last = *place;
        for (place, vector) in places.iter().zip(embedder.embed(&texts)?) {
            let value = match kind.to_ascii_uppercase().as_str() {
                "BLOB" | "" => Value::Blob(vectors::bytes(&vector)),
                other => Value::Text(
                    vectors::spelled(&vector, other).ok_or_else(|| no_vectors(remade, &kind))?,
                ),
            };
            set.execute((value, place)).map_err(lost)?;
        }
    }
}

fn insert(table: &TableManifest) -> String {
    if table.columns.is_empty() {
        return format!("INSERT INTO {} DEFAULT VALUES", quoted(&table.name));
    }
    let columns: Vec<String> = table.columns.iter().map(|name| quoted(name)).collect();
    let places = vec!["?"; columns.len()];
    format!(
        "INSERT INTO {} ({}) VALUES ({})",
        quoted(&table.name),
        columns.join(", "),
        places.join(", ")
    )
}

/// What a column holds, and whether it takes a value as it comes instead of making it its own.
type Held = (Kind, bool);

/// What the target's columns hold.
fn kinds(transaction: &Transaction<'_>, table: &TableManifest) -> Result<Vec<Held>, SampleError> {
    let query = "SELECT type FROM pragma_table_xinfo(?1) WHERE name = ?2 COLLATE NOCASE";
    let kind = |column: &String| {
        let declared =
            transaction.query_row(query, [&table.name, column], |row| row.get::<_, String>(0));
        match declared {
            Ok(declared) => Ok((Kind::read(&declared), typed::is_loose(&declared))),
            Err(rusqlite::Error::QueryReturnedNoRows) => Err(SampleError::Target(format!(
                "`{}` of the target has no column `{column}`",
                table.name
            ))),
            Err(error) => Err(lost(error)),
        }
    };
    table.columns.iter().map(kind).collect()
}

/// A value as the column keeps it: bytes as bytes, truth as a number; what is a number by its column becomes one there.
fn value(text: Option<&str>, (kind, is_loose): &Held) -> Value {
    let Some(text) = text else { return Value::Null };
    match (kind, text) {
        (Kind::Boolean, "t" | "true") => Value::Integer(1),
        (Kind::Boolean, "f" | "false") => Value::Integer(0),
        // An affinity makes no number of these.
        (Kind::Real, "Infinity" | "inf") => Value::Real(f64::INFINITY),
        (Kind::Real, "-Infinity" | "-inf") => Value::Real(f64::NEG_INFINITY),
        _ if *is_loose => typed::value(text),
        _ => typed::bytes(text)
            .filter(|_| *kind == Kind::Bytes)
            .map_or_else(|| Value::Text(text.to_owned()), Value::Blob),
    }
}
