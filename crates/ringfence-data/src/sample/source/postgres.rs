//! PostgreSQL: one transaction that only reads and sees one snapshot; large scans by COPY, keys by arrays.

use std::collections::BTreeSet;
use std::io::{BufRead, Read};
use std::time::Duration;

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::ToSql;
use ringfence_mask::schema::{Column, ForeignKey, Kind, Table, Value};

use super::super::SampleError;
use super::super::artifact::{self, Fields};
use super::{Key, Row, Scan, Source};
use crate::address::Target;
use crate::store::postgres::{self as pg, quoted, quoted_whole, refused};

/// A connection with its snapshot.
pub(super) struct Postgres {
    connection: pg::Postgres,
    snapshot: String,
    /// The tables whose rows lie in partitions. Of all others no table that inherits from them is read along.
    partitioned: BTreeSet<String>,
}

/// The settings decide how values are written as text; where a policy would hide rows, the server refuses instead.
const BEGIN: &str = "\
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL TimeZone = 'UTC'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1; SET LOCAL client_encoding = 'UTF8'; SET LOCAL lc_monetary = 'C'; SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL row_security = off";

/// As rules write a table's name: without the schema where it is the default one, and where the name has no dot itself.
const NAME: &str = "CASE WHEN n.nspname = pg_catalog.current_schema() AND c.relname !~ '\\.' THEN c.relname::text ELSE n.nspname || '.' || c.relname END";

const TABLES: &str = "\
SELECT c.oid, $NAME AS name,
    CASE WHEN c.relkind = 'p' THEN (SELECT pg_catalog.sum(p.reltuples)::bigint FROM pg_catalog.pg_partition_tree(c.oid) t
            JOIN pg_catalog.pg_class p ON p.oid = t.relid WHERE t.isleaf AND p.reltuples >= 0)
        WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END AS rows,
    CASE WHEN c.relkind = 'p' THEN (SELECT pg_catalog.sum(pg_catalog.pg_table_size(t.relid))::bigint FROM pg_catalog.pg_partition_tree(c.oid) t)
        ELSE pg_catalog.pg_table_size(c.oid) END AS bytes,
    c.relkind = 'p' AS is_partitioned
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'ringfence')
ORDER BY 2";

const COLUMNS: &str = "\
SELECT a.attname::text, CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END,
    t.typtype = 'e', NOT a.attnotnull AND NOT t.typnotnull, a.atthasdef OR a.attidentity <> '', a.attgenerated <> ''
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const UNIQUE: &str = "\
SELECT i.indisprimary, ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k(n, o)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n WHERE k.o <= i.indnkeyatts ORDER BY k.o)
FROM pg_catalog.pg_index i WHERE i.indrelid = $1 AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY i.indexrelid";

const FOREIGN: &str = "\
SELECT ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY AS k(n, o)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.n ORDER BY k.o),
    $NAME,
    ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(f.confkey) WITH ORDINALITY AS k(n, o)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.n ORDER BY k.o),
    f.condeferrable
FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_class c ON c.oid = f.confrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE f.conrelid = $1 AND f.contype = 'f' AND f.conparentid = 0 ORDER BY f.conname";

impl Postgres {
    pub(super) fn open(target: &Target, patience: Duration) -> Result<Self, SampleError> {
        let mut connection = pg::Postgres::open(target, patience)?;
        let client = connection.client();
        let mut begin = || {
            client.batch_execute(BEGIN)?;
            let row = client.query_one("SELECT pg_catalog.pg_current_snapshot()::text", &[])?;
            Ok(row.get(0))
        };
        let snapshot = begin().map_err(|error: postgres::Error| refused(&error))?;
        Ok(Self {
            connection,
            snapshot,
            partitioned: BTreeSet::new(),
        })
    }

    fn read_tables(&mut self) -> Result<Vec<Table>, postgres::Error> {
        let client = self.connection.client();
        let foreign = client.prepare(&FOREIGN.replace("$NAME", NAME))?;
        let unique = client.prepare(UNIQUE)?;
        let columns = client.prepare(COLUMNS)?;
        let mut tables = Vec::new();
        for row in client.query(&TABLES.replace("$NAME", NAME), &[])? {
            let oid: u32 = row.get(0);
            let number = |column: usize| {
                let number: Option<i64> = row.get(column);
                number.and_then(|number| u64::try_from(number).ok())
            };
            let mut table = Table {
                name: row.get(1),
                rows: number(2),
                bytes: number(3),
                ..Table::default()
            };
            if row.get("is_partitioned") {
                self.partitioned.insert(table.name.clone());
            }
            table.columns = client
                .query(&columns, &[&oid])?
                .iter()
                .map(column)
                .collect();
            for row in client.query(&unique, &[&oid])? {
                if row.get(0) {
                    table.primary_key = row.get(1);
                } else {
                    table.unique.push(row.get(1));
                }
            }
            let references = client.query(&foreign, &[&oid])?;
            table.foreign_keys = references.iter().map(reference).collect();
            tables.push(table);
        }
        Ok(tables)
    }
}

fn column(row: &postgres::Row) -> Column {
    let kind = if row.get(2) {
        Kind::Enumeration
    } else {
        Kind::read(row.get(1))
    };
    Column {
        name: row.get(0),
        kind,
        nullable: row.get(3),
        default: row.get(4),
        generated: row.get(5),
    }
}

fn reference(row: &postgres::Row) -> ForeignKey {
    ForeignKey {
        columns: row.get(0),
        parent: row.get(1),
        referenced: row.get(2),
        deferrable: row.get(3),
    }
}

/// Names between quotes, separated by commas, each after a prefix.
fn list(names: &[String], prefix: &str) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("{prefix}{}", quoted_whole(name)))
        .collect();
    quoted.join(", ")
}

impl Postgres {
    /// A table as it stands after `FROM`.
    fn from(&self, table: &Table) -> String {
        let only = match self.partitioned.contains(&table.name) {
            true => "",
            false => "ONLY ",
        };
        format!("{only}{}", quoted(&table.name))
    }
}

impl Source for Postgres {
    fn tables(&mut self) -> Result<Vec<Table>, SampleError> {
        self.read_tables().map_err(|error| refused(&error).into())
    }

    fn snapshot(&self) -> &str {
        &self.snapshot
    }

    fn distinct(
        &mut self,
        table: &Table,
        column: &str,
        most: u32,
    ) -> Result<Vec<String>, SampleError> {
        const LOOKED_AT: u64 = 1_000_000;
        let column = quoted_whole(column);
        // Of a large table some pages are looked at.
        let part = match table.rows {
            Some(rows) if rows > LOOKED_AT => {
                let parts = (LOOKED_AT * 1_000_000 / rows).max(1);
                format!(" TABLESAMPLE SYSTEM ({parts} / 10000.0) REPEATABLE (1)")
            }
            _ => String::new(),
        };
        let query = format!(
            "SELECT DISTINCT {column}::text FROM {}{part} WHERE {column} IS NOT NULL ORDER BY 1 LIMIT {most}",
            self.from(table)
        );
        let rows = self.connection.client().query(&query, &[]);
        let rows = rows.map_err(|error| refused(&error))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    fn scan(&mut self, scan: &Scan<'_>, row: &mut Row<'_>) -> Result<(), SampleError> {
        let filter = scan
            .filter
            .map_or_else(String::new, |filter| format!(" WHERE ({filter}\n)"));
        let order = if scan.is_ordered && !scan.table.primary_key.is_empty() {
            format!(" ORDER BY {}", list(&scan.table.primary_key, "t."))
        } else {
            String::new()
        };
        let columns = list(scan.columns, "t.");
        let query = format!(
            "COPY (SELECT {columns} FROM {} t{filter}{order}) TO STDOUT",
            self.from(scan.table)
        );
        let client = self.connection.client();
        let mut reader = client.copy_out(&query).map_err(|error| refused(&error))?;
        let mut line = Vec::new();
        let mut fields = Fields::default();
        loop {
            line.clear();
            let most = u64::try_from(2 * artifact::LONGEST + 2).unwrap_or(u64::MAX);
            let mut row_of = (&mut reader).take(most);
            let length = row_of.read_until(b'\n', &mut line).map_err(copy_error)?;
            if length == 0 {
                return Ok(());
            }
            if !line.ends_with(b"\n") {
                return Err(SampleError::Large(scan.table.name.clone()));
            }
            fields.read(&line)?;
            row(&fields.values())?;
        }
    }

    fn fetch(
        &mut self,
        table: &Table,
        (by, keys): (&[String], &[&Key]),
        columns: &[String],
        row: &mut Row<'_>,
    ) -> Result<(), SampleError> {
        const AT_ONCE: usize = 5000;
        let types = pg::types(self.connection.client(), &table.name, by)?;
        let arrays: Vec<String> = (1..=by.len())
            .map(|n| format!("pg_catalog.unnest(${n}::text[])"))
            .collect();
        let aliases: Vec<String> = (1..=by.len()).map(|n| format!("k{n}")).collect();
        let matching = by
            .iter()
            .zip(&types)
            .zip(&aliases)
            .map(|((name, kind), alias)| format!("t.{} = k.{alias}::{kind}", quoted_whole(name)));
        let texts = columns
            .iter()
            .map(|name| format!("t.{}::text", quoted_whole(name)));
        let query = format!(
            "SELECT {} FROM ROWS FROM ({}) WITH ORDINALITY AS k({}, o) JOIN {} t ON {} ORDER BY k.o",
            texts.collect::<Vec<_>>().join(", "),
            arrays.join(", "),
            aliases.join(", "),
            self.from(table),
            matching.collect::<Vec<_>>().join(" AND "),
        );
        let client = self.connection.client();
        let statement = client.prepare(&query).map_err(|error| refused(&error))?;
        for chunk in keys.chunks(AT_ONCE) {
            let column = |place: usize| -> Vec<&str> {
                let parts = chunk.iter().filter_map(|key| key.get(place));
                parts.map(|part| &**part).collect()
            };
            let parameters: Vec<Vec<&str>> = (0..by.len()).map(column).collect();
            let parameters = parameters.iter().map(|parameter| parameter as &dyn ToSql);
            let mut rows = client
                .query_raw(&statement, parameters)
                .map_err(|error| refused(&error))?;
            while let Some(found) = rows.next().map_err(|error| refused(&error))? {
                let values: Vec<Value<'_>> = (0..columns.len())
                    .map(|place| found.get::<_, Option<&str>>(place))
                    .map(|text| text.map_or(Value::Null, Value::Text))
                    .collect();
                row(&values)?;
            }
        }
        Ok(())
    }
}

/// What a broken stream of COPY says: the server's own message, where it is one.
fn copy_error(error: std::io::Error) -> SampleError {
    match error.downcast::<postgres::Error>() {
        Ok(error) => refused(&error).into(),
        Err(error) => artifact::lost(&error),
    }
}
