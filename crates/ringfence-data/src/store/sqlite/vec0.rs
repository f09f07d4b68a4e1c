//! The virtual tables of `sqlite-vec` (`USING vec0`): how they are declared, and the module that reads and writes them.
//!
//! The form of a declaration is that of the extension's own documentation (<https://alexgarcia.xyz/sqlite-vec/api-reference.html>): columns
//! of vectors, a key, partition keys, metadata, and auxiliary columns after `+`. Its tables behind (`…_chunks`, `…_rowids` and others) are its own
//! affair: they are neither listed nor written.
//!
//! This is the one place of the crate with `unsafe`. SQLite takes a module only through a pointer to its first function, and
//! `rusqlite` has no safe call for that. Nothing is loaded from a file: the extension is compiled in, its one function is called once
//! for each connection that has such tables, and connections that look at markers never have it.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int};

use ringfence_mask::schema::{Column, Kind};
use rusqlite::{Connection, ffi};

use super::refused;
use crate::store::StoreError;

/// The first function of an extension, as SQLite calls it (<https://sqlite.org/loadext.html>).
type Entry = unsafe extern "C" fn(
    *mut ffi::sqlite3,
    *mut *mut c_char,
    *const ffi::sqlite3_api_routines,
) -> c_int;

/// A table of vectors, by its declaration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Vec0 {
    /// Its columns, the key first.
    pub(crate) columns: Vec<Held>,
}

/// A column, and how it keeps what is in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    pub(crate) column: Column,
    pub(crate) form: Form,
}

/// How a column keeps a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As any column does.
    Plain,
    /// So many numbers of four bytes.
    Floats(u32),
    /// Whole numbers of one byte.
    Int8,
    /// Bits.
    Bits,
}

/// The tables of vectors that a file has; where it has any, the connection can read and write them from here on.
pub(crate) fn tables(connection: &Connection) -> Result<BTreeMap<String, Vec0>, StoreError> {
    let declared = || -> rusqlite::Result<Vec<(String, String)>> {
        let query = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE %'";
        let mut statement = connection.prepare(query)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    let declared = declared().map_err(|error| refused(&error))?;
    let found = declared
        .into_iter()
        .filter_map(|(name, sql)| Some((name, read(&sql)?)));
    let found: BTreeMap<String, Vec0> = found.collect();
    if !found.is_empty() {
        lend(connection)?;
    }
    Ok(found)
}

/// Gives a connection the module.
#[expect(
    unsafe_code,
    reason = "SQLite takes a module by a pointer to its first function alone"
)]
fn lend(connection: &Connection) -> Result<(), StoreError> {
    // SAFETY: the function is `sqlite3_vec_init` of sqlite-vec.h, which has this signature; its crate declares it without parameters
    // because it is only ever passed on. Compiled into one program with SQLite it uses none of the third's routines. The handle is that of an
    // open connection, and is used for this call alone.
    let code = unsafe {
        let entry: Entry =
            std::mem::transmute::<unsafe extern "C" fn(), Entry>(sqlite_vec::sqlite3_vec_init);
        entry(connection.handle(), std::ptr::null_mut(), std::ptr::null())
    };
    if code == ffi::SQLITE_OK {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "its tables of vectors cannot be read (SQLite says {code})"
    )))
}

/// What the names of the tables behind a table of vectors go on with, before a number or nothing.
const BEHIND: &[&str] = &[
    "_auxiliary",
    "_chunks",
    "_info",
    "_metadatachunks",
    "_metadatatext",
    "_rowids",
    "_vector_chunks",
];

/// Whether a table is one of those behind a table of vectors. SQLite does not know all of them as such.
pub(crate) fn is_behind(tables: &BTreeMap<String, Vec0>, name: &str) -> bool {
    tables.keys().any(|table| {
        let rest = name.strip_prefix(table.as_str());
        let rest = rest.map(|rest| rest.trim_end_matches(|digit: char| digit.is_ascii_digit()));
        rest.is_some_and(|rest| BEHIND.contains(&rest))
    })
}

/// Reads a declaration; `None` where it is of another module.
fn read(sql: &str) -> Option<Vec0> {
    let (head, rest) = sql.split_once('(')?;
    let module = head.split_whitespace().next_back()?;
    if !module.eq_ignore_ascii_case("vec0") {
        return None;
    }
    let (inside, _) = rest.rsplit_once(')')?;
    let mut columns: Vec<Held> = inside.split(',').filter_map(held).collect();
    let key = columns.iter().position(|held| held.column.default);
    match key {
        Some(place) => columns.swap(0, place),
        None => columns.insert(0, plain("rowid", Kind::Integer(64))),
    }
    if let Some(key) = columns.first_mut() {
        key.column.default = true;
    }
    Some(Vec0 { columns })
}

/// A part of a declaration as a column; the key is the one with a default. Options (`chunk_size=8`) are none.
fn held(part: &str) -> Option<Held> {
    let part = part.trim();
    let (name, rest) = part.split_once(char::is_whitespace)?;
    let rest = rest.trim_start().to_ascii_lowercase();
    if name.contains('=') || rest.starts_with('=') {
        return None;
    }
    let word: String = rest
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    let length = || {
        let (_, rest) = rest.split_once('[')?;
        rest.split(']').next()?.trim().parse().ok()
    };
    let vector = |form| Held {
        column: Column::new(name, Kind::Vector),
        form,
    };
    let mut held = match word.as_str() {
        "float" | "f32" if rest.contains('[') => vector(Form::Floats(length()?)),
        "int8" | "i8" if rest.contains('[') => vector(Form::Int8),
        "bit" if rest.contains('[') => Held {
            column: Column::new(name, Kind::Bytes),
            form: Form::Bits,
        },
        "int" | "integer" => plain(name, Kind::Integer(64)),
        other => plain(name, Kind::read(other)),
    };
    if let Some(name) = name.strip_prefix('+') {
        held.column.name = name.trim().to_owned();
        held.column.nullable = true;
    }
    held.column.default = rest.contains("primary key");
    Some(held)
}

fn plain(name: &str, kind: Kind) -> Held {
    Held {
        column: Column::new(name, kind),
        form: Form::Plain,
    }
}

impl Vec0 {
    /// The column of that name.
    pub(crate) fn held(&self, name: &str) -> Option<&Held> {
        self.columns.iter().find(|held| held.column.name == name)
    }
}

impl Form {
    /// The text form of a vector: `[1,-0.5]`, each number to its last digit; `None` where it is kept as bytes or is no vector.
    pub(crate) fn text(self, bytes: &[u8]) -> Option<String> {
        let numbers: Vec<String> = match self {
            Self::Floats(_) => {
                let (numbers, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return None;
                }
                let numbers = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
                numbers.map(|number| number.to_string()).collect()
            }
            Self::Int8 => {
                let numbers = bytes.iter().map(|byte| byte.cast_signed());
                numbers.map(|number| number.to_string()).collect()
            }
            Self::Plain | Self::Bits => return None,
        };
        Some(format!("[{}]", numbers.join(",")))
    }

    /// The place of a value in a statement that writes it: SQLite takes bytes for numbers of four bytes unless it is told.
    pub(crate) const fn place(self) -> &'static str {
        match self {
            Self::Plain | Self::Floats(_) => "?",
            Self::Int8 => "vec_int8(?)",
            Self::Bits => "vec_bit(?)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read() {
        let sql = "CREATE VIRTUAL TABLE t USING vec0(\n  doc integer partition key, id text primary key,\n embedding float[3] distance_metric=cosine, lang text, score float, +body text, b bit[8], i int8[3], chunk_size=8)";
        let read = read(sql).unwrap();
        let names: Vec<(&str, Form, bool)> = read
            .columns
            .iter()
            .map(|held| (held.column.name.as_str(), held.form, held.column.nullable))
            .collect();
        assert_eq!(
            names,
            [
                ("id", Form::Plain, false),
                ("doc", Form::Plain, false),
                ("embedding", Form::Floats(3), false),
                ("lang", Form::Plain, false),
                ("score", Form::Plain, false),
                ("body", Form::Plain, true),
                ("b", Form::Bits, false),
                ("i", Form::Int8, false),
            ]
        );
        assert_eq!(read.held("score").unwrap().column.kind, Kind::Real);
        let bare = super::read("CREATE VIRTUAL TABLE \"a b\" USING VEC0 (e float[2])").unwrap();
        assert_eq!(bare.columns[0].column.name, "rowid");
        assert!(super::read("CREATE VIRTUAL TABLE t USING fts5(body)").is_none());
    }

    #[test]
    fn vectors_have_a_text_that_reads_back() {
        let numbers = [0.1_f32, -1.5e-20, f32::MAX, 3.0];
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let text = Form::Floats(4).text(&bytes).unwrap();
        let back: Vec<f32> = serde_json::from_str(&text).unwrap();
        assert_eq!(back, numbers);
        assert_eq!(Form::Int8.text(&[1, 255]).as_deref(), Some("[1,-1]"));
    }

    #[test]
    fn the_module_is_lent_where_a_file_has_such_tables() {
        let connection = Connection::open_in_memory().unwrap();
        assert!(tables(&connection).unwrap().is_empty());
        assert!(connection.execute_batch("SELECT vec_version()").is_err());
        lend(&connection).unwrap();
        connection
            .execute_batch("CREATE VIRTUAL TABLE t USING vec0(e float[2]); INSERT INTO t (rowid, e) VALUES (4, '[1,2]')")
            .unwrap();
        assert_eq!(tables(&connection).unwrap().len(), 1);
        let names: Vec<String> = connection
            .prepare("SELECT name FROM pragma_table_list WHERE type = 'table' AND name LIKE 't\\_%' ESCAPE '\\'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        let tables = tables(&connection).unwrap();
        assert!(
            names.iter().all(|name| is_behind(&tables, name)),
            "{names:?}"
        );
    }
}
