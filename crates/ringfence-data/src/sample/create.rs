//! Makes a sample: plans, chooses, masks, and writes the artifact.

use std::collections::HashMap;
use std::io::Write;

use ringfence_mask::closure::{self, Plan, Treatment};
use ringfence_mask::key::Key as Secret;
use ringfence_mask::mask::{Cell, MaskedRow, Masking, TableMasker};
use ringfence_mask::rule::{Rules, digest};
use ringfence_mask::schema::{Kind, Table, Value};

use super::artifact::Writer;
use super::choice::{self, Chosen, identity};
use super::cut::{Cut, Cuts};
use super::source::{Key, Scan, Source};
use super::{Manifest, Progress, SampleError, Step, TableManifest, Work};
use crate::store::StoreError;

/// A plan of a store's tables.
///
/// # Errors
///
/// Where the store cannot be asked, or the rules make no plan or do not cover it.
pub fn plan(tables: &[Table], rules: &Rules) -> Result<Plan, SampleError> {
    closure::plan(tables, rules).map_err(SampleError::Plan)
}

/// Writes a sample of `source`. `manifest` says whose it is; what is found on the way is filled in.
///
/// # Errors
///
/// Where the store cannot be asked, the rules do not fit, a value cannot be masked, or the artifact cannot be written.
pub fn create<W: Write>(
    source: &mut dyn Source,
    rules: &Rules,
    secret: &Secret,
    mut manifest: Manifest,
    (output, progress): (W, &mut Progress<'_>),
) -> Result<(Manifest, W), SampleError> {
    let tables = source.tables()?;
    let plan = plan(&tables, rules)?;
    let travelling: Vec<&Table> = plan
        .tables
        .iter()
        .filter_map(|planned| tables.iter().find(|table| table.name == planned.name))
        .collect();
    let masking = Masking::new(&travelling, rules, secret).map_err(SampleError::Cover)?;
    let maskers: Vec<TableMasker> = travelling
        .iter()
        .filter_map(|table| masking.table(&table.name))
        .collect();
    manifest.rules = digest(rules);
    manifest.key = secret.name();
    source.snapshot().clone_into(&mut manifest.snapshot);
    let listed = travelling.iter().zip(&maskers);
    manifest.tables = listed
        .map(|(table, masker)| table_manifest(table, masker, &plan))
        .collect();
    let found = choice::choose(source, &tables, (&plan, rules), (secret, &mut *progress))?;
    let mut writing = Writing {
        writer: Writer::new(output, manifest)?,
        rows: 0,
        of: in_all(&travelling, &found.rows),
        progress,
    };
    for (place, (table, masker)) in travelling.iter().zip(maskers).enumerate() {
        let Some(chosen) = found.rows.get(table.name.as_str()) else {
            continue;
        };
        writing.writer.table(place)?;
        let cuts = Cuts::new((&plan, &tables), (table, &masker), &found)?;
        writing.table(source, table, (chosen, masker, cuts))?;
    }
    writing.writer.finish()
}

/// Refuses where rows that were chosen are not there any more: of a store that keeps no snapshot.
fn found_again(table: &Table, chosen: &Chosen, rows: u64) -> Result<(), SampleError> {
    if usize::try_from(rows).is_ok_and(|rows| rows >= chosen.keys.len()) {
        return Ok(());
    }
    let message = format!(
        "rows of `{}` went away while they were read; say it again",
        table.name
    );
    Err(StoreError::Refused(message).into())
}

/// How many rows will be written; a table that travels whole has as many as the store's statistics say.
fn in_all(tables: &[&Table], chosen: &HashMap<&str, Chosen>) -> Option<u64> {
    let rows = tables.iter().map(|table| {
        let chosen = chosen.get(table.name.as_str())?;
        match chosen.is_whole {
            true => table.rows,
            false => u64::try_from(chosen.keys.len()).ok(),
        }
    });
    rows.sum()
}

fn table_manifest(table: &Table, masker: &TableMasker, plan: &Plan) -> TableManifest {
    let later = plan
        .edges
        .iter()
        .filter(|edge| edge.child == table.name && edge.treatment == Treatment::Later);
    TableManifest {
        name: table.name.clone(),
        columns: masker.writes().to_vec(),
        kinds: masker
            .writes()
            .iter()
            .filter_map(|name| Some(table.column(name)?.kind.word().to_owned()))
            .collect(),
        later: later.flat_map(|edge| edge.columns.clone()).collect(),
        key: identity(table).to_vec(),
        rows: 0,
        cut: 0,
    }
}

struct Writing<'a, 'b, W: Write> {
    writer: Writer<W>,
    rows: u64,
    of: Option<u64>,
    progress: &'a mut Progress<'b>,
}

impl<W: Write> Writing<'_, '_, W> {
    fn table(
        &mut self,
        source: &mut dyn Source,
        table: &Table,
        (chosen, mut masker, mut cuts): (&Chosen, TableMasker, Cuts<'_>),
    ) -> Result<(), SampleError> {
        let reads = masker.reads().to_vec();
        let kinds: Vec<Option<Kind>> = masker
            .writes()
            .iter()
            .map(|name| table.column(name).map(|column| column.kind.clone()))
            .collect();
        let mut masked = MaskedRow::default();
        let before = self.rows;
        let mut row = |values: &[Value<'_>]| {
            masker.mask(values, &mut masked)?;
            let cut = cuts.of_row(values);
            self.row(values, &masked, (cut, &kinds))?;
            self.rows += 1;
            (self.progress)(Step {
                work: Work::Writing,
                table: &table.name,
                rows: self.rows,
                of: self.of,
            });
            Ok(())
        };
        if chosen.is_whole {
            let scan = Scan {
                table,
                columns: &reads,
                filter: None,
                is_ordered: true,
            };
            return source.scan(&scan, &mut row);
        }
        let keys: Vec<&Key> = chosen.keys.values().collect();
        source.fetch(table, (identity(table), &keys), &reads, &mut row)?;
        found_again(table, chosen, self.rows - before)
    }

    fn row(
        &mut self,
        values: &[Value<'_>],
        masked: &MaskedRow,
        (cut, kinds): (Cut<'_>, &[Option<Kind>]),
    ) -> Result<(), SampleError> {
        let cells = masked.cells().zip(cut.columns).zip(kinds);
        let texts: Vec<Option<Box<str>>> = cells
            .map(|((cell, is_cut), kind)| match cell {
                _ if *is_cut => None,
                Cell::Null => None,
                Cell::Original(place) => {
                    choice::text(values.get(place).copied().unwrap_or(Value::Null))
                }
                Cell::Text(digits) if *kind == Some(Kind::Bytes) => {
                    Some(format!("\\x{digits}").into())
                }
                Cell::Text(text) => Some(text.into()),
            })
            .collect();
        self.writer
            .row(texts.iter().map(Option::as_deref), cut.is_lost)
    }
}
