//! One table's maskers, and one row through them.

use std::sync::Arc;

use thiserror::Error;

use super::form::Form;
use super::guard::{Drawn, Guard};
use super::unique::{Memories, Memory, name};
use super::{MaskedRow, Slot, date, number, text};
use crate::key::{Function, Key, Permutation};
use crate::rule::{DateChange, Masker, Rule, TableRule};
use crate::schema::{Kind, Table, Value, canonical, key_bytes};

/// How often is drawn again where something of the original survives, or a result is taken.
const ATTEMPTS: u8 = 64;

/// A value that cannot be masked. It is not shown.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("cannot mask a value of `{table}.{column}`: {reason}")]
pub struct MaskError {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// Why not.
    pub reason: Reason,
}

/// Why a value cannot be masked.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Reason {
    /// The row has other columns than [`TableMasker::reads`].
    #[error("the row ends before it")]
    Width,
    /// It is not what the masker reads.
    #[error("expected {0}")]
    Malformed(&'static str),
    /// A number outside the range, in a unique column.
    #[error(
        "it is outside the rule's range, and the column is unique: widen the range or use `number`"
    )]
    OutOfRange,
    /// A unique column has more values than the masker has results.
    #[error(
        "the column is unique, and the masker has too few results left: use one with more, such as `phone:any`, `hash` or `email`"
    )]
    Crowded,
    /// So long that every result would share four characters with it.
    #[error(
        "each of {ATTEMPTS} results shares four characters with it: use `text`, `hash` or `null`"
    )]
    Survives,
}

/// What was made of a value.
pub(super) enum Made {
    /// It was written.
    Written,
    /// It says nothing of anybody (`infinity`, `NaN`) and stays.
    Same,
}

/// Masks the rows of one table.
#[derive(Clone)]
pub struct TableMasker {
    table: String,
    reads: Vec<String>,
    writes: Vec<String>,
    columns: Vec<ColumnMasker>,
    desk: Desk,
}

/// What one value needs while it is masked, kept for the next.
#[derive(Clone, Default)]
struct Desk {
    original: Vec<u8>,
    subject: Vec<u8>,
    guard: Guard,
    draft: String,
    drawn: Drawn,
}

#[derive(Clone)]
struct ColumnMasker {
    name: String,
    place: usize,
    kind: Kind,
    act: Act,
}

#[derive(Clone)]
enum Act {
    Keep,
    Null,
    Write(Box<Writer>),
}

#[derive(Clone)]
struct Writer {
    masker: Masker,
    form: Form,
    function: Function,
    permutation: Permutation,
    memory: Option<Arc<Memory>>,
    unique: bool,
    /// Where the subject's columns are in what is read.
    subject: Vec<(usize, Kind)>,
}

impl TableMasker {
    pub(super) fn new(table: &Table, rule: &TableRule, memories: &Memories, key: &Key) -> Self {
        let reads = reads(table, rule);
        let place = |name: &str| reads.iter().position(|read| read == name);
        let travelling = table.columns.iter().filter_map(|column| {
            let rule = rule.columns.get(&column.name)?;
            let act = match rule.masker {
                Masker::Keep => Act::Keep,
                Masker::Null => Act::Null,
                _ => {
                    let writer = Writer::new(table, (&column.name, rule), memories, key)?;
                    Act::Write(Box::new(writer.with_subject(table, &place)))
                }
            };
            Some(ColumnMasker {
                name: column.name.clone(),
                place: place(&column.name).unwrap_or(usize::MAX),
                kind: column.kind.clone(),
                act,
            })
        });
        let columns: Vec<ColumnMasker> = travelling.collect();
        Self {
            table: table.name.clone(),
            writes: columns.iter().map(|column| column.name.clone()).collect(),
            reads,
            columns,
            desk: Desk::default(),
        }
    }

    /// The columns to read, in this order: those that travel, the primary key's, and those that say how far dates move. What is not
    /// here need not be read, and should not be.
    #[must_use]
    pub fn reads(&self) -> &[String] {
        &self.reads
    }

    /// The columns to write, in this order. A column that is not here gets its declared default, or null.
    #[must_use]
    pub fn writes(&self) -> &[String] {
        &self.writes
    }

    /// Masks a row, given in the order of [`TableMasker::reads`]; the result is in the order of [`TableMasker::writes`].
    ///
    /// # Errors
    /// A value that is not what its column's rule reads, or a unique column whose masker has no result left. Nothing of the row is
    /// to be written then.
    pub fn mask(&mut self, row: &[Value<'_>], out: &mut MaskedRow) -> Result<(), MaskError> {
        out.clear();
        for column in &self.columns {
            let slot = column.mask(row, &mut self.desk, &mut out.text);
            let slot = slot.map_err(|reason| MaskError {
                table: self.table.clone(),
                column: column.name.clone(),
                reason,
            })?;
            out.slots.push(slot);
        }
        Ok(())
    }
}

/// In the table's order: what travels, the primary key, and subjects.
fn reads(table: &Table, rule: &TableRule) -> Vec<String> {
    let subject = |name: &str| {
        rule.columns.values().any(|rule| match &rule.masker {
            Masker::Date(DateChange::Shift {
                subject: Some(column),
                ..
            }) => column == name,
            _ => false,
        })
    };
    let wanted = |name: &String| {
        let travels = rule.columns.get(name);
        travels.is_some_and(|rule| rule.masker != Masker::Null)
            || table.primary_key.contains(name)
            || subject(name)
    };
    let names = table.columns.iter().map(|column| &column.name);
    names.filter(|name| wanted(name)).cloned().collect()
}

impl Writer {
    fn new(
        table: &Table,
        (column, rule): (&str, &Rule),
        memories: &Memories,
        key: &Key,
    ) -> Option<Self> {
        let form = Form::of(&rule.masker, &table.column(column)?.kind).ok()?;
        Some(Self {
            function: Function::new(key, &["mask", rule.group()]),
            permutation: Permutation::new(key, &["permute", rule.group()]),
            memory: memories.get(&name(rule, &form)).cloned(),
            unique: table.is_unique(column),
            masker: rule.masker.clone(),
            subject: Vec::new(),
            form,
        })
    }

    fn with_subject(mut self, table: &Table, place: &impl Fn(&str) -> Option<usize>) -> Self {
        let Masker::Date(DateChange::Shift { subject, .. }) = &self.masker else {
            return self;
        };
        let names = match subject {
            Some(column) => std::slice::from_ref(column),
            None => table.primary_key.as_slice(),
        };
        let columns = names.iter().filter_map(|name| {
            let kind = table.column(name)?.kind.clone();
            Some((place(name)?, kind))
        });
        self.subject = columns.collect();
        self
    }

    fn may_have(&self, desk: &Desk) -> bool {
        let Some(memory) = &self.memory else {
            return true;
        };
        let result = self.function.number(desk.draft.as_bytes());
        memory.take(result, self.function.number(&desk.original))
    }

    /// Whether what was drawn is compared with the original.
    fn is_guarded(&self) -> bool {
        let drawn_text = matches!(
            self.form,
            Form::Text(_) | Form::Json | Form::Digits | Form::Uuid | Form::Bytes
        );
        drawn_text && !matches!(self.masker, Masker::Choice(_) | Masker::Text { .. })
    }

    fn make(&self, row: &[Value<'_>], desk: &mut Desk, attempt: u8) -> Result<Made, Reason> {
        let original = std::str::from_utf8(&desk.original).unwrap_or_default();
        let draft = &mut desk.draft;
        match (&self.masker, &self.form) {
            (Masker::Date(change), form) => {
                desk.subject.clear();
                for (place, kind) in &self.subject {
                    let value = row.get(*place).copied().unwrap_or(Value::Null);
                    key_bytes(&[(value, kind)], &mut desk.subject);
                }
                let mut draws = self.function.draw(&desk.subject, attempt);
                date::write(change, form, original, &mut draws, draft)
            }
            (masker, Form::Number { largest, scale }) => {
                let limits = number::Limits {
                    largest: *largest,
                    scale: *scale,
                    unique: self.unique,
                };
                let draw = || self.function.draw(&desk.original, attempt);
                let change = match masker {
                    Masker::Number(change) => Some(*change),
                    _ => None,
                };
                number::write((change, limits), original, (&self.permutation, draw), draft)
            }
            (Masker::Number(change), Form::Real) => {
                let mut draws = self.function.draw(&desk.original, attempt);
                number::write_real(*change, original, &mut draws, draft)
            }
            _ => {
                let draws = self.function.draw(&desk.original, attempt);
                let mut pen = text::Pen::new(draws, draft, &mut desk.drawn);
                pen.write((&self.masker, &self.form), original, &desk.guard);
                Ok(Made::Written)
            }
        }
    }
}

impl ColumnMasker {
    fn mask(&self, row: &[Value<'_>], desk: &mut Desk, text: &mut String) -> Result<Slot, Reason> {
        let writer = match &self.act {
            Act::Null => return Ok(Slot::Null),
            Act::Keep => None,
            Act::Write(writer) => Some(writer),
        };
        let value = *row.get(self.place).ok_or(Reason::Width)?;
        match (value, writer) {
            (Value::Null, _) => Ok(Slot::Null),
            (Value::Text("") | Value::Bytes([]), _) | (_, None) => Ok(Slot::Original(self.place)),
            (_, Some(writer)) => self.write((value, row), writer, desk, text),
        }
    }

    fn write(
        &self,
        (value, row): (Value<'_>, &[Value<'_>]),
        writer: &Writer,
        desk: &mut Desk,
        text: &mut String,
    ) -> Result<Slot, Reason> {
        self.take_up(value, writer, desk);
        let guarded = writer.is_guarded();
        let mut last = Reason::Survives;
        for attempt in 0..ATTEMPTS {
            desk.draft.clear();
            desk.drawn.clear();
            match writer.make(row, desk, attempt)? {
                Made::Same => return Ok(Slot::Original(self.place)),
                Made::Written => {}
            }
            if guarded && desk.guard.survives(&desk.draft, &desk.drawn) {
                continue;
            }
            if !writer.may_have(desk) {
                last = Reason::Crowded;
                continue;
            }
            let from = text.len();
            text.push_str(&desk.draft);
            return Ok(Slot::Text(from, text.len()));
        }
        Err(last)
    }

    /// Reads the original: its canonical bytes, and what must not survive.
    fn take_up(&self, value: Value<'_>, writer: &Writer, desk: &mut Desk) {
        desk.original.clear();
        match (value, &writer.masker) {
            // The shape and the case of a text matter to what keeps them.
            (Value::Text(text), Masker::Number(_)) if matches!(writer.form, Form::Text(_)) => {
                desk.original.extend_from_slice(text.as_bytes());
            }
            // A zone that is left out would be read as the session's own.
            (Value::Text(text), Masker::Date(_)) => {
                desk.original.extend_from_slice(text.trim().as_bytes());
            }
            _ => canonical(value, &self.kind, &mut desk.original),
        }
        if matches!(
            writer.form,
            Form::Number { .. } | Form::Real | Form::Time | Form::Clock
        ) {
            return;
        }
        match value {
            Value::Text(text) => desk.guard.load(text),
            _ => desk
                .guard
                .load(std::str::from_utf8(&desk.original).unwrap_or_default()),
        }
    }
}
