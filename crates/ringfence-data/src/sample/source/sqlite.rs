//! SQLite: one transaction that reads; the file is opened without the right to write.

use std::collections::BTreeMap;

use ringfence_mask::schema::{Column, ForeignKey, Kind, Table, Value};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};

use super::super::SampleError;
use super::{Key, Row, Scan, Source};
use crate::address::Target;
use crate::store::sqlite::vec0::{self, Form, Vec0};
use crate::store::sqlite::{self, quoted, refused};

/// A file with its snapshot.
pub(super) struct Sqlite {
    connection: Connection,
    vectors: BTreeMap<String, Vec0>,
}

const TABLES: &str = "\
SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'ringfence_marker'
ORDER BY name";

impl Sqlite {
    pub(super) fn open(target: &Target) -> Result<Self, SampleError> {
        let connection = sqlite::Sqlite::open(target)?.snapshot()?;
        let vectors = vec0::tables(&connection)?;
        Ok(Self {
            connection,
            vectors,
        })
    }

    fn read_tables(&self) -> rusqlite::Result<Vec<Table>> {
        let mut statement = self.connection.prepare(TABLES)?;
        let names: rusqlite::Result<Vec<String>> =
            statement.query_map([], |row| row.get(0))?.collect();
        let names = names?.into_iter();
        let names = names.filter(|name| !vec0::is_behind(&self.vectors, name));
        let mut tables: Vec<Table> = names
            .map(|name| self.table(name))
            .collect::<rusqlite::Result<_>>()?;
        for (name, vectors) in &self.vectors {
            tables.push(self.of_vectors(name, vectors)?);
        }
        spell(&mut tables);
        Ok(tables)
    }

    fn of_vectors(&self, name: &str, vectors: &Vec0) -> rusqlite::Result<Table> {
        let columns = vectors.columns.iter().map(|held| held.column.clone());
        let columns: Vec<Column> = columns
            // What makes a vector anew, or refuses, is the load.
            .map(|column| Column {
                default: column.default || column.kind == Kind::Vector,
                ..column
            })
            .collect();
        let key = columns.first().map(|column| column.name.clone());
        Ok(Table {
            rows: self.count(name)?,
            primary_key: key.into_iter().collect(),
            columns,
            name: name.to_owned(),
            ..Table::default()
        })
    }

    fn count(&self, name: &str) -> rusqlite::Result<Option<u64>> {
        let count = format!("SELECT count(*) FROM {}", quoted(name));
        let rows: i64 = self.connection.query_row(&count, [], |row| row.get(0))?;
        Ok(u64::try_from(rows).ok())
    }

    fn table(&self, name: String) -> rusqlite::Result<Table> {
        let (columns, primary_key) = self.columns(&name)?;
        Ok(Table {
            unique: self.unique(&name)?,
            foreign_keys: self.references(&name)?,
            rows: self.count(&name)?,
            bytes: None,
            columns,
            primary_key,
            name,
        })
    }

    fn columns(&self, table: &str) -> rusqlite::Result<(Vec<Column>, Vec<String>)> {
        let query = "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid";
        let mut statement = self.connection.prepare(query)?;
        let mut key: Vec<(i64, String)> = Vec::new();
        let rows = statement.query_map([table], |row| {
            let place: i64 = row.get(4)?;
            let hidden: i64 = row.get(5)?;
            let name: String = row.get(0)?;
            let declared: String = row.get(1)?;
            Ok((
                place,
                Column {
                    kind: Kind::read(&declared),
                    nullable: !row.get::<_, bool>(2)? && place == 0,
                    default: row.get(3)?,
                    generated: hidden > 1,
                    name,
                },
            ))
        })?;
        let mut columns = Vec::new();
        for row in rows {
            let (place, column) = row?;
            if place > 0 {
                key.push((place, column.name.clone()));
            }
            columns.push(column);
        }
        key.sort_unstable();
        // `INTEGER PRIMARY KEY` is the row's own number: it has one without being given any.
        if let [(_, only)] = key.as_slice()
            && let Some(column) = columns.iter_mut().find(|column| column.name == *only)
        {
            column.default |= matches!(column.kind, Kind::Integer(_));
        }
        Ok((columns, key.into_iter().map(|(_, name)| name).collect()))
    }

    fn is_loose(&self, table: &str, column: &str) -> rusqlite::Result<bool> {
        let query = "SELECT type FROM pragma_table_xinfo(?1) WHERE name = ?2";
        let declared: String = self
            .connection
            .query_row(query, [table, column], |row| row.get(0))?;
        Ok(sqlite::typed::is_loose(&declared))
    }

    fn unique(&self, table: &str) -> rusqlite::Result<Vec<Vec<String>>> {
        let query =
            "SELECT l.name, i.name FROM pragma_index_list(?1) l, pragma_index_info(l.name) i
            WHERE l.\"unique\" AND NOT l.partial AND l.origin <> 'pk' ORDER BY l.seq, i.seqno";
        let mut statement = self.connection.prepare(query)?;
        let mut sets: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
        let mut rows = statement.query([table])?;
        while let Some(row) = rows.next()? {
            sets.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        // A part that is an expression has no name.
        let named = sets
            .into_values()
            .filter_map(|set| set.into_iter().collect());
        Ok(named.collect())
    }

    fn references(&self, table: &str) -> rusqlite::Result<Vec<ForeignKey>> {
        let query = "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1) ORDER BY id, seq";
        let mut statement = self.connection.prepare(query)?;
        let mut rows = statement.query([table])?;
        let mut references: BTreeMap<i64, ForeignKey> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let reference = references.entry(row.get(0)?).or_default();
            reference.parent = row.get(1)?;
            reference.deferrable = true;
            reference.columns.push(row.get(2)?);
            reference
                .referenced
                .extend(row.get::<_, Option<String>>(3)?);
        }
        let mut references: Vec<ForeignKey> = references.into_values().collect();
        for reference in &mut references {
            // A reference without columns means the primary key.
            if reference.referenced.is_empty() {
                reference.referenced = self.columns(&reference.parent)?.1;
            }
        }
        Ok(references)
    }
}

/// SQLite takes names for the same whatever their case; a reference is given the spelling of what it points to.
fn spell(tables: &mut [Table]) {
    let known: Vec<(String, Vec<String>)> = tables
        .iter()
        .map(|table| {
            let columns = table.columns.iter().map(|column| column.name.clone());
            (table.name.clone(), columns.collect())
        })
        .collect();
    let as_in = |names: &[String], name: &mut String| {
        let own = names.iter().find(|own| own.eq_ignore_ascii_case(name));
        if let Some(own) = own {
            name.clone_from(own);
        }
    };
    let columns_of = |name: &str| {
        let table = known.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        table.map_or(&[][..], |(_, columns)| columns)
    };
    let names: Vec<String> = known.iter().map(|(name, _)| name.clone()).collect();
    for table in tables {
        for reference in &mut table.foreign_keys {
            as_in(&names, &mut reference.parent);
            for column in &mut reference.columns {
                as_in(columns_of(&table.name), column);
            }
            for column in &mut reference.referenced {
                as_in(columns_of(&reference.parent), column);
            }
        }
    }
}

/// A value as it is kept; text that is no UTF-8 is passed as bytes.
pub(crate) fn value(value: ValueRef<'_>) -> Value<'_> {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => {
            std::str::from_utf8(bytes).map_or(Value::Bytes(bytes), Value::Text)
        }
        ValueRef::Blob(bytes) => Value::Bytes(bytes),
    }
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    quoted.join(", ")
}

/// Hands over each row, its columns kept in these forms.
fn each(
    rows: &mut rusqlite::Rows<'_>,
    forms: &[Form],
    row: &mut Row<'_>,
) -> Result<(), SampleError> {
    let is_plain = forms.iter().all(|form| *form == Form::Plain);
    while let Some(found) = rows.next().map_err(|error| refused(&error))? {
        let values: rusqlite::Result<Vec<Value<'_>>> = (0..forms.len())
            .map(|place| found.get_ref(place).map(value))
            .collect();
        let mut values = values.map_err(|error| refused(&error))?;
        if is_plain {
            row(&values)?;
            continue;
        }
        let texts = values.iter().zip(forms).map(|(value, form)| match value {
            Value::Bytes(bytes) => form.text(bytes),
            _ => None,
        });
        let texts: Vec<Option<String>> = texts.collect();
        for (value, text) in values.iter_mut().zip(&texts) {
            if let Some(text) = text {
                *value = Value::Text(text);
            }
        }
        row(&values)?;
    }
    Ok(())
}

impl Sqlite {
    fn forms(&self, table: &Table, columns: &[String]) -> Vec<Form> {
        let vectors = self.vectors.get(&table.name);
        let form = |name: &String| {
            let held = vectors.and_then(|vectors| vectors.held(name));
            held.map_or(Form::Plain, |held| held.form)
        };
        columns.iter().map(form).collect()
    }
}

/// A part of a key: a virtual table has no affinity that would make a number of a number's text.
fn part(text: &str, is_typed: bool) -> rusqlite::types::Value {
    match text.parse() {
        Ok(number) if is_typed => rusqlite::types::Value::Integer(number),
        _ => rusqlite::types::Value::Text(text.to_owned()),
    }
}

impl Source for Sqlite {
    fn tables(&mut self) -> Result<Vec<Table>, SampleError> {
        self.read_tables().map_err(|error| refused(&error).into())
    }

    fn snapshot(&self) -> &str {
        ""
    }

    fn distinct(
        &mut self,
        table: &Table,
        column: &str,
        most: u32,
    ) -> Result<Vec<String>, SampleError> {
        let column = quoted(column);
        let query = format!(
            "SELECT DISTINCT CAST({column} AS TEXT) FROM {} WHERE {column} IS NOT NULL ORDER BY 1 LIMIT {most}",
            quoted(&table.name)
        );
        let values = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare(&query)?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        values().map_err(|error| refused(&error).into())
    }

    fn scan(&mut self, scan: &Scan<'_>, row: &mut Row<'_>) -> Result<(), SampleError> {
        let filter = scan
            .filter
            .map_or_else(String::new, |filter| format!(" WHERE ({filter}\n)"));
        let order = if scan.is_ordered && !scan.table.primary_key.is_empty() {
            format!(" ORDER BY {}", list(&scan.table.primary_key))
        } else {
            String::new()
        };
        let table = quoted(&scan.table.name);
        // A table of which no column is read still has rows.
        let columns = if scan.columns.is_empty() {
            "1".to_owned()
        } else {
            list(scan.columns)
        };
        let query = format!("SELECT {columns} FROM {table}{filter}{order}");
        let mut statement = self
            .connection
            .prepare(&query)
            .map_err(|error| refused(&error))?;
        let mut rows = statement.query([]).map_err(|error| refused(&error))?;
        each(&mut rows, &self.forms(scan.table, scan.columns), row)
    }

    fn fetch(
        &mut self,
        table: &Table,
        (by, keys): (&[String], &[&Key]),
        columns: &[String],
        row: &mut Row<'_>,
    ) -> Result<(), SampleError> {
        let loose = by.iter().map(|name| self.is_loose(&table.name, name));
        let loose: rusqlite::Result<Vec<bool>> = loose.collect();
        let loose = loose.map_err(|error| refused(&error))?;
        let matching: Vec<String> = by
            .iter()
            .map(|name| format!("{} IN (?, ?)", quoted(name)))
            .collect();
        let query = format!(
            "SELECT {} FROM {} WHERE {}",
            list(columns),
            quoted(&table.name),
            matching.join(" AND ")
        );
        let mut statement = self
            .connection
            .prepare(&query)
            .map_err(|error| refused(&error))?;
        let forms = self.forms(table, columns);
        let vectors = self.vectors.get(&table.name);
        let is_number = |name: &String| {
            let held = vectors.and_then(|vectors| vectors.held(name));
            held.is_some_and(|held| matches!(held.column.kind, Kind::Integer(_)))
        };
        let is_typed: Vec<bool> = by.iter().map(is_number).collect();
        for key in keys {
            // A column's affinity turns the text of a number into the number; where it has none, both are looked for.
            let parts = key.iter().zip(is_typed.iter().zip(&loose));
            let parts = parts.flat_map(|(text, (is_typed, is_loose))| {
                let other = match is_loose {
                    true => sqlite::typed::value(text),
                    false => rusqlite::types::Value::Null,
                };
                [part(text, *is_typed), other]
            });
            let mut rows = statement
                .query(params_from_iter(parts))
                .map_err(|error| refused(&error))?;
            each(&mut rows, &forms, row)?;
        }
        Ok(())
    }
}
