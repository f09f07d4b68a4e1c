//! Tables as plain data: columns and their kinds, keys, references, and the values of a row, whichever store they were read from.
//!
//! What always holds: equal keys have equal canonical bytes, be they read from PostgreSQL as text or from SQLite as integers. What
//! is not equal may have equal bytes only where a store would take it for the same key (`5` and `05`, a UUID in capitals).

mod canonical;
mod kind;
#[cfg(test)]
mod tests;

pub use canonical::{canonical, key_bytes};
pub use kind::Kind;

/// A table of the upper environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// As rules write it: `users`, or `audit.events` outside the store's default schema.
    pub name: String,
    /// In the table's order.
    pub columns: Vec<Column>,
    /// The names of the primary key's columns; empty where there is none.
    pub primary_key: Vec<String>,
    /// Other sets of columns that are unique.
    pub unique: Vec<Vec<String>>,
    /// What the table points to.
    pub foreign_keys: Vec<ForeignKey>,
    /// How many rows there are, as far as the store's statistics know.
    pub rows: Option<u64>,
    /// How many bytes they take.
    pub bytes: Option<u64>,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name, as the store spells it.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether the schema declares a default: a column that does not travel then has that value.
    pub default: bool,
    /// Whether the store computes it from others: it is never written.
    pub generated: bool,
}

/// A reference from one table's columns to another's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForeignKey {
    /// The columns of the table that has it.
    pub columns: Vec<String>,
    /// The table that is pointed to.
    pub parent: String,
    /// The columns there, in the same order.
    pub referenced: Vec<String>,
    /// Whether it can be checked at the end of a transaction in the target: a `DEFERRABLE` constraint, or any in SQLite.
    pub deferrable: bool,
}

/// A value of a row as a store gives it.
#[derive(Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// SQLite's integers.
    Integer(i64),
    /// SQLite's floating-point numbers.
    Real(f64),
    /// Text, or any type in PostgreSQL's text form.
    Text(&'a str),
    /// Bytes; in PostgreSQL's text form (`\x…`) they are [`Value::Text`].
    Bytes(&'a [u8]),
}

impl Table {
    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether a column belongs to the primary key or to another unique set.
    #[must_use]
    pub fn is_unique(&self, column: &str) -> bool {
        let sets = std::iter::once(&self.primary_key).chain(&self.unique);
        sets.flatten().any(|name| name == column)
    }

    /// Whether the reference may be null, and so can be cut.
    #[must_use]
    pub fn is_nullable(&self, reference: &ForeignKey) -> bool {
        let mut columns = reference.columns.iter();
        columns.any(|name| self.column(name).is_some_and(|column| column.nullable))
    }
}

impl Column {
    /// A column without a default that may not be null.
    #[must_use]
    pub fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            nullable: false,
            default: false,
            generated: false,
        }
    }

    /// The same, but it may be null.
    #[must_use]
    pub fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }
}
