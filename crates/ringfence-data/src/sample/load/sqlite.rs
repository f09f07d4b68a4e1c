//! Into SQLite: one transaction whose foreign keys are looked at when it ends.

use std::collections::BTreeMap;
use std::io::BufRead;

use ringfence_mask::schema::Kind;
use rusqlite::types::Value;
use rusqlite::{
    Connection, OptionalExtension, Statement, Transaction, TransactionBehavior, params_from_iter,
};

use super::super::artifact::{Fields, Part, Reader};
use super::super::quiet::silence_file;
use super::super::{Manifest, Progress, SampleError, Step, TableManifest, Work};
use super::{
    Present, Vectors, corpus, in_the_way, kept, known_by, no_vectors, only_tables, same_embeddings,
};
use crate::address::Target;
use crate::store::sqlite::vec0::{self, Form, Vec0};
use crate::store::sqlite::{Sqlite, quoted, refused, typed};
use crate::vectors::{self, Embedder, Remade};

pub(super) fn load(
    target: &Target,
    artifact: impl BufRead,
    (present, vectors): (Present, Vectors<'_>),
    progress: &mut Progress<'_>,
) -> Result<Manifest, SampleError> {
    let (mut reader, begun) = Reader::new(artifact)?;
    only_tables(&begun)?;
    same_embeddings(&vectors, &begun)?;
    let mut connection = Sqlite::open(target)?.writer()?;
    let into = Into {
        tables: vec0::tables(&connection)?,
        remade: vectors.columns,
    };
    let mut transaction = begin(&mut connection).map_err(lost)?;
    prepare(&transaction, &begun, present)?;
    let manifest = rows(&mut transaction, &mut reader, (&begun, &into), progress)?;
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
    if let Some(embedder) = vectors.embedder {
        for remade in vectors.columns {
            remake(&transaction, remade, (&begun, &into), embedder)?;
        }
    }
    if let Some(corpus) = corpus(&vectors, &manifest) {
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

/// What rows are put into: the target's tables of vectors, and the columns that are made once the rows are there.
struct Into<'a> {
    tables: BTreeMap<String, Vec0>,
    remade: &'a [Remade],
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
    (manifest, into): (&Manifest, &Into<'_>),
    progress: &mut Progress<'_>,
) -> Result<Manifest, SampleError> {
    let mut statement: Option<(Statement<'_>, Vec<Held>, &TableManifest)> = None;
    let mut is_typed = false;
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
                let (insert, kinds) = match into.tables.get(&table.name) {
                    Some(vectors) => into.vectors(table, vectors)?,
                    None => (
                        insert(table, &into.required(transaction, table)?),
                        kinds(transaction, table)?,
                    ),
                };
                is_typed = into.tables.contains_key(&table.name);
                let prepared = transaction.prepare(&insert).map_err(lost)?;
                statement = Some((prepared, kinds, table));
            }
            Part::Row(line) => {
                let (statement, kinds, table) = statement
                    .as_mut()
                    .ok_or(SampleError::Artifact("a row of it is of no table"))?;
                fields.read(line)?;
                let values = fields.texts().zip(&*kinds);
                let values = values.map(|(text, kind)| match value(text, kind) {
                    Value::Text(text) if is_typed => typed(text, &kind.0),
                    other => other,
                });
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

impl Into<'_> {
    /// The columns of an ordinary table that are made later, and must have a value until then.
    fn required(
        &self,
        transaction: &Transaction<'_>,
        table: &TableManifest,
    ) -> Result<Vec<&str>, SampleError> {
        let own = self.remade.iter().filter(|made| made.table == table.name);
        let mut required = Vec::new();
        for made in own.filter(|made| !table.columns.contains(&made.column)) {
            if declared(transaction, made)?.1 {
                required.push(made.column.as_str());
            }
        }
        Ok(required)
    }

    /// How a row gets into a table of vectors, and the kinds of its values. What is made later is all zeros until then: such a table
    /// holds no null.
    fn vectors(
        &self,
        table: &TableManifest,
        vectors: &Vec0,
    ) -> Result<(String, Vec<Held>), SampleError> {
        let missing = |column: &str| {
            SampleError::Target(format!(
                "`{}` of the target has no column `{column}`",
                table.name
            ))
        };
        let (mut names, mut places, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        for name in &table.columns {
            let held = vectors.held(name).ok_or_else(|| missing(name))?;
            names.push(quoted(name));
            places.push(held.form.place().to_owned());
            kinds.push((held.column.kind.clone(), false));
        }
        for held in &vectors.columns {
            let name = &held.column.name;
            if held.form == Form::Plain || table.columns.contains(name) {
                continue;
            }
            let is_made = |made: &Remade| made.table == table.name && made.column == *name;
            match held.form {
                Form::Floats(numbers) if self.remade.iter().any(is_made) => {
                    names.push(quoted(name));
                    places.push(format!("zeroblob({})", u64::from(numbers) * 4));
                }
                _ => {
                    return Err(SampleError::Target(format!(
                        "`{}.{name}` must have a vector: keep it, or say under `vectors` what it is made of",
                        table.name
                    )));
                }
            }
        }
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            quoted(&table.name),
            names.join(", "),
            places.join(", ")
        );
        Ok((insert, kinds))
    }
}

/// Text as a table of vectors takes it, which has no affinity.
fn typed(text: String, kind: &Kind) -> Value {
    match kind {
        Kind::Integer(_) | Kind::Boolean => text.parse().map(Value::Integer).ok(),
        Kind::Real => text.parse().map(Value::Real).ok(),
        _ => None,
    }
    .unwrap_or(Value::Text(text))
}

/// Makes a column of vectors again from another column's text, which has been masked.
fn remake(
    transaction: &Transaction<'_>,
    remade: &Remade,
    (manifest, into): (&Manifest, &Into<'_>),
    embedder: &Embedder,
) -> Result<(), SampleError> {
    let (name, column) = (quoted(&remade.table), quoted(&remade.column));
    let vectors = into.tables.get(&remade.table);
    let held = vectors.and_then(|vectors| vectors.held(&remade.column));
    let (kind, is_required) = match held {
        Some(_) => (String::new(), true),
        None => declared(transaction, remade)?,
    };
    let number = vectors.and_then(|vectors| vectors.columns.first());
    let number = number.map_or_else(|| "rowid".to_owned(), |key| quoted(&key.column.name));
    let text = transaction.prepare(&text_of(remade, &number, manifest)?);
    let mut text = text.map_err(lost)?;
    let set = format!("UPDATE {name} SET {column} = ?1 WHERE {number} = ?2");
    let mut set = transaction.prepare(&set).map_err(lost)?;
    // What is written must not be read at the same time, so the rows' numbers are read first.
    let rows = transaction.prepare(&format!("SELECT {number} FROM {name} ORDER BY 1"));
    let mut rows = rows.map_err(lost)?;
    let rows = rows.query_map([], |row| row.get(0)).map_err(lost)?;
    let rows: Vec<Value> = rows.collect::<rusqlite::Result<_>>().map_err(lost)?;
    for rows in rows.chunks(vectors::AT_ONCE) {
        let (mut places, mut texts) = (Vec::new(), Vec::new());
        for place in rows {
            let found = text.query_row([place], |row| row.get::<_, Option<String>>(0));
            match found.optional().map_err(lost)?.flatten() {
                Some(text) => {
                    places.push(place);
                    texts.push(text);
                }
                None if is_required => return Err(no_text(remade)),
                None => {}
            }
        }
        if texts.is_empty() {
            continue;
        }
        for (place, vector) in places.into_iter().zip(embedder.embed(&texts)?) {
            let value = match kind.to_ascii_uppercase().as_str() {
                "BLOB" | "" => Value::Blob(vectors::bytes(&vector)),
                other => Value::Text(
                    vectors::spelled(&vector, other).ok_or_else(|| no_vectors(remade, &kind))?,
                ),
            };
            set.execute((value, place)).map_err(lost)?;
        }
    }
    Ok(())
}

/// The type of a column of vectors, and whether it must have a value.
fn declared(transaction: &Transaction<'_>, remade: &Remade) -> Result<(String, bool), SampleError> {
    let query = "SELECT type, \"notnull\" FROM pragma_table_xinfo(?1) WHERE name = ?2";
    let row = transaction.query_row(query, [&remade.table, &remade.column], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    let missing = || {
        let message = format!(
            "`{}` of the target has no column `{}`",
            remade.table, remade.column
        );
        SampleError::Target(message)
    };
    row.optional().map_err(lost)?.ok_or_else(missing)
}

/// Asks for the text of one row's vector.
fn text_of(remade: &Remade, number: &str, manifest: &Manifest) -> Result<String, SampleError> {
    let (name, of) = (quoted(&remade.table), quoted(&remade.of));
    Ok(match &remade.elsewhere {
        None => format!("SELECT {of} FROM {name} WHERE {number} = ?1"),
        Some((table, by)) => format!(
            "SELECT {of} FROM {} WHERE {} = (SELECT {} FROM {name} WHERE {number} = ?1)",
            quoted(table),
            quoted(known_by(manifest, remade, table)?),
            quoted(by)
        ),
    })
}

fn no_text(remade: &Remade) -> SampleError {
    SampleError::Target(format!(
        "`{}.{}` must have a vector, and a row of it has no text in `{}`; leave such rows out with `where`",
        remade.table,
        remade.column,
        remade.source()
    ))
}

/// How a row gets into an ordinary table; what is made later is empty until then where it must have a value.
fn insert(table: &TableManifest, later: &[&str]) -> String {
    if table.columns.is_empty() && later.is_empty() {
        return format!("INSERT INTO {} DEFAULT VALUES", quoted(&table.name));
    }
    let names = table.columns.iter().map(String::as_str);
    let columns: Vec<String> = names.chain(later.iter().copied()).map(quoted).collect();
    let mut places = vec!["?"; table.columns.len()];
    places.resize(columns.len(), "x''");
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
