//! Into PostgreSQL: COPY as the artifact has it. The target's own triggers stay silent, its constraints do not.

mod sequences;

use std::io::{BufRead, Write};
use std::time::Duration;

use postgres::{CopyInWriter, Transaction};

use super::super::artifact::{Part, Reader};
use super::super::quiet::{lock, silence};
use super::super::{Manifest, Progress, SampleError, Step, TableManifest, Work};
use super::{
    Present, Vectors, corpus, in_the_way, kept, known_by, no_vectors, only_tables, same_embeddings,
};
use crate::address::Target;
use crate::store::StoreError;
use crate::store::postgres::{Postgres, quoted, quoted_whole, refused};
use crate::vectors::{self, Embedder, Remade};

pub(super) fn load(
    target: &Target,
    artifact: impl BufRead,
    (present, vectors): (Present, Vectors<'_>),
    patience: Duration,
    progress: &mut Progress<'_>,
) -> Result<Manifest, SampleError> {
    let (mut reader, begun) = Reader::new(artifact)?;
    only_tables(&begun)?;
    same_embeddings(&vectors, &begun)?;
    let mut store = Postgres::open(target, patience)?;
    let mut transaction = store.client().transaction().map_err(lost)?;
    prepare(&mut transaction, &begun, present)?;
    let tables: Vec<String> = begun.tables.iter().map(|t| quoted(&t.name)).collect();
    let silenced = silence(&mut transaction, &tables).map_err(lost)?;
    let waiting = waiting(&mut transaction, vectors.columns)?;
    let manifest = rows(&mut transaction, &mut reader, &begun, progress)?;
    for (place, table) in begun.tables.iter().enumerate() {
        set_later(&mut transaction, place, table)?;
    }
    sequences::go_on(&mut transaction, &tables).map_err(lost)?;
    silenced.end(&mut transaction).map_err(lost)?;
    if let Some(embedder) = vectors.embedder {
        for remade in vectors.columns {
            remake(&mut transaction, remade, &begun, embedder)?;
        }
    }
    for column in &waiting {
        let statement = format!("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE {column} SET NOT NULL");
        transaction.batch_execute(&statement).map_err(lost)?;
    }
    if let Some(corpus) = corpus(&vectors, &manifest) {
        transaction
            .execute("UPDATE ringfence.marker SET vectors = $1", &[&corpus])
            .map_err(lost)?;
    }
    let marked = transaction
        .execute(
            "UPDATE ringfence.marker SET sample = $1",
            &[&kept(&manifest)?],
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
fn lost(error: postgres::Error) -> SampleError {
    let detail = error.as_db_error().and_then(|said| {
        // The detail of a broken constraint quotes the row, so only its name is told.
        Some(format!("{}: `{}`", said.message(), said.constraint()?))
    });
    match detail {
        Some(told) => StoreError::Refused(told).into(),
        None => refused(&error).into(),
    }
}

/// Makes room, and lets constraints wait where they can.
fn prepare(
    transaction: &mut Transaction<'_>,
    manifest: &Manifest,
    present: Present,
) -> Result<(), SampleError> {
    // Where a policy hides rows, a table that looks empty need not be: the server refuses instead.
    transaction
        .batch_execute(
            "SET LOCAL row_security = off; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0",
        )
        .map_err(lost)?;
    let names: Vec<String> = manifest
        .tables
        .iter()
        .map(|table| quoted(&table.name))
        .collect();
    for (table, name) in manifest.tables.iter().zip(&names) {
        let row = transaction
            .query_one("SELECT pg_catalog.to_regclass($1) IS NOT NULL", &[name])
            .map_err(lost)?;
        if !row.get::<_, bool>(0) {
            let message = format!("the target has no table `{}`", table.name);
            return Err(SampleError::Target(message));
        }
    }
    lock(transaction, &names).map_err(lost)?;
    for (table, name) in manifest.tables.iter().zip(&names) {
        let any = format!("SELECT EXISTS (SELECT FROM {name})");
        let row = transaction.query_one(&any, &[]).map_err(lost)?;
        if present == Present::Refuses && row.get(0) {
            return Err(in_the_way(&table.name));
        }
    }
    let mut statements = String::from("SET LOCAL lc_monetary = 'C'; SET CONSTRAINTS ALL DEFERRED;");
    if present == Present::GivesWay && !names.is_empty() {
        let mut gone = names.clone();
        gone.extend(dependents(transaction, &names)?);
        statements.push_str(&format!("TRUNCATE {};", gone.join(", ")));
    }
    transaction.batch_execute(&statements).map_err(lost)
}

/// Columns of vectors that must have a value, and get it once their texts are there: as a statement names them.
fn waiting(
    transaction: &mut Transaction<'_>,
    columns: &[Remade],
) -> Result<Vec<String>, SampleError> {
    let query = "SELECT FROM pg_catalog.pg_attribute WHERE attrelid = $1::text::regclass AND attname = $2 AND attnotnull AND NOT attisdropped";
    let mut waiting = Vec::new();
    for remade in columns {
        let name = quoted(&remade.table);
        let found = transaction.query_opt(query, &[&name, &remade.column]);
        if found.map_err(lost)?.is_some() {
            let column = format!("{name} ALTER COLUMN {}", quoted_whole(&remade.column));
            let statement = format!("ALTER TABLE {column} DROP NOT NULL");
            transaction.batch_execute(&statement).map_err(lost)?;
            waiting.push(column);
        }
    }
    Ok(waiting)
}

/// The tables that do not travel and point to those that do. They have to be empty: their rows would point to nothing.
fn dependents(
    transaction: &mut Transaction<'_>,
    names: &[String],
) -> Result<Vec<String>, SampleError> {
    let query = "\
WITH RECURSIVE given AS (SELECT name::regclass::oid AS oid FROM pg_catalog.unnest($1::text[]) name
        UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN given ON i.inhparent = given.oid),
    found AS (SELECT oid FROM given UNION SELECT f.conrelid FROM pg_catalog.pg_constraint f JOIN found ON f.confrelid = found.oid WHERE f.contype = 'f')
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM found JOIN pg_catalog.pg_class c USING (oid)
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE found.oid NOT IN (SELECT given.oid FROM given)";
    let rows = transaction.query(query, &[&names]).map_err(lost)?;
    let tables: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    for table in &tables {
        let any = format!("SELECT EXISTS (SELECT FROM {table})");
        if transaction.query_one(&any, &[]).map_err(lost)?.get(0) {
            let message =
                format!("`{table}` has rows that point to rows that would go; empty it first");
            return Err(SampleError::Target(message));
        }
    }
    Ok(tables)
}

/// Where the rows of a table go first: aside, where some of its columns have to wait for other tables.
fn destination(place: usize, table: &TableManifest) -> String {
    if table.later.is_empty() {
        quoted(&table.name)
    } else {
        format!("pg_temp.ringfence_{place}")
    }
}

fn columns(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quoted_whole(name)).collect();
    quoted.join(", ")
}

fn rows(
    transaction: &mut Transaction<'_>,
    reader: &mut Reader<impl BufRead>,
    manifest: &Manifest,
    progress: &mut Progress<'_>,
) -> Result<Manifest, SampleError> {
    let mut next = match reader.part()? {
        Part::Table(place) => Some(place),
        Part::Row(_) => return Err(SampleError::Artifact("a row of it is of no table")),
        Part::End(whole) => return Ok(*whole),
    };
    let mut count = 0;
    let mut whole = None;
    while let Some(place) = next.take() {
        let table = manifest
            .tables
            .get(place)
            .ok_or(SampleError::Artifact("a table of it is damaged"))?;
        let mut sink = Sink::open(transaction, place, table)?;
        loop {
            match reader.part()? {
                Part::Row(line) => {
                    sink.row(line)?;
                    count += 1;
                    progress(Step {
                        work: Work::Loading,
                        table: &table.name,
                        rows: count,
                        of: None,
                    });
                }
                Part::Table(place) => {
                    next = Some(place);
                    break;
                }
                Part::End(manifest) => {
                    whole = Some(*manifest);
                    break;
                }
            }
        }
        sink.end()?;
        if !table.later.is_empty() {
            insert(transaction, place, table)?;
        }
    }
    whole.ok_or(SampleError::Artifact("it was cut off"))
}

/// Where the rows of one table go.
enum Sink<'a, 't> {
    /// As they are.
    Copy(CopyInWriter<'a>),
    /// Rows of which no column travels: COPY has no word for them.
    Defaults(&'a mut Transaction<'t>, String),
}

impl<'a, 't> Sink<'a, 't> {
    fn open(
        transaction: &'a mut Transaction<'t>,
        place: usize,
        table: &TableManifest,
    ) -> Result<Self, SampleError> {
        let name = quoted(&table.name);
        if table.columns.is_empty() {
            let insert = format!("INSERT INTO {name} DEFAULT VALUES");
            return Ok(Self::Defaults(transaction, insert));
        }
        let columns = columns(&table.columns);
        let destination = destination(place, table);
        if !table.later.is_empty() {
            let aside = format!(
                "CREATE TEMPORARY TABLE ringfence_{place} ON COMMIT DROP AS SELECT {columns} FROM {name} WITH NO DATA"
            );
            transaction.batch_execute(&aside).map_err(lost)?;
        }
        let copy = format!("COPY {destination} ({columns}) FROM STDIN");
        Ok(Self::Copy(transaction.copy_in(&copy).map_err(lost)?))
    }

    fn row(&mut self, line: &[u8]) -> Result<(), SampleError> {
        match self {
            Self::Copy(writer) => writer.write_all(line).map_err(copy_error),
            Self::Defaults(transaction, insert) => transaction.batch_execute(insert).map_err(lost),
        }
    }

    fn end(self) -> Result<(), SampleError> {
        match self {
            Self::Copy(writer) => writer.finish().map(|_| ()).map_err(lost),
            Self::Defaults(..) => Ok(()),
        }
    }
}

fn copy_error(error: std::io::Error) -> SampleError {
    match error.downcast::<postgres::Error>() {
        Ok(error) => lost(error),
        Err(error) => StoreError::Unreachable(error.to_string()).into(),
    }
}

/// Brings the rows over, without what has to wait.
fn insert(
    transaction: &mut Transaction<'_>,
    place: usize,
    table: &TableManifest,
) -> Result<(), SampleError> {
    let now = table
        .columns
        .iter()
        .filter(|name| !table.later.contains(name));
    let now = columns(&now.cloned().collect::<Vec<_>>());
    let statement = format!(
        "INSERT INTO {} ({now}) OVERRIDING SYSTEM VALUE SELECT {now} FROM {}",
        quoted(&table.name),
        destination(place, table)
    );
    transaction.batch_execute(&statement).map_err(lost)
}

/// Makes a column of vectors again from another column's text, which has been masked.
fn remake(
    transaction: &mut Transaction<'_>,
    remade: &Remade,
    manifest: &Manifest,
    embedder: &Embedder,
) -> Result<(), SampleError> {
    let name = quoted(&remade.table);
    let kind = "SELECT pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute WHERE attrelid = $1::text::regclass AND attname = $2 AND NOT attisdropped";
    let row = transaction
        .query_opt(kind, &[&name, &remade.column])
        .map_err(lost)?;
    let missing = || {
        let message = format!(
            "`{}` of the target has no column `{}`",
            remade.table, remade.column
        );
        SampleError::Target(message)
    };
    let kind: String = row.ok_or_else(missing)?.get(0);
    let (column, of) = (quoted_whole(&remade.column), quoted_whole(&remade.of));
    let from = match &remade.elsewhere {
        None => format!("{name} t, LATERAL (SELECT t.{of}) s"),
        Some((table, by)) => format!(
            "{name} t JOIN {} s ON s.{} = t.{}",
            quoted(table),
            quoted_whole(known_by(manifest, remade, table)?),
            quoted_whole(by)
        ),
    };
    let texts = format!(
        "SELECT t.ctid::text, s.{of}::text FROM {from} WHERE s.{of} IS NOT NULL ORDER BY t.ctid"
    );
    let texts = transaction.prepare(&texts).map_err(lost)?;
    let set = format!("UPDATE {name} SET {column} = $1::text::{kind} WHERE ctid = $2::text::tid");
    let set = transaction.prepare(&set).map_err(lost)?;
    let portal = transaction.bind(&texts, &[]).map_err(lost)?;
    let most = i32::try_from(vectors::AT_ONCE).unwrap_or(i32::MAX);
    loop {
        let rows = transaction.query_portal(&portal, most).map_err(lost)?;
        if rows.is_empty() {
            return Ok(());
        }
        let texts: Vec<String> = rows.iter().map(|row| row.get(1)).collect();
        for (row, vector) in rows.iter().zip(embedder.embed(&texts)?) {
            let place: String = row.get(0);
            let vector =
                vectors::spelled(&vector, &kind).ok_or_else(|| no_vectors(remade, &kind))?;
            transaction
                .execute(&set, &[&vector, &place])
                .map_err(lost)?;
        }
    }
}

/// Sets what had to wait.
fn set_later(
    transaction: &mut Transaction<'_>,
    place: usize,
    table: &TableManifest,
) -> Result<(), SampleError> {
    if table.later.is_empty() {
        return Ok(());
    }
    let set = table.later.iter().map(|column| {
        let column = quoted_whole(column);
        format!("{column} = s.{column}")
    });
    let same = table.key.iter().map(|column| {
        let column = quoted_whole(column);
        format!("t.{column} = s.{column}")
    });
    let statement = format!(
        "UPDATE {} t SET {} FROM {} s WHERE {}",
        quoted(&table.name),
        set.collect::<Vec<_>>().join(", "),
        destination(place, table),
        same.collect::<Vec<_>>().join(" AND ")
    );
    transaction.batch_execute(&statement).map_err(lost)
}
