//! Masks the rows of a copy where they are: the columns that have a rule for samples, in the tables that have one.

use ringfence_mask::key::Key;
use ringfence_mask::mask::{Cell, MaskedRow, Masking, TableMasker};
use ringfence_mask::rule::{Masker, Rule, Rules};
use ringfence_mask::schema::{Kind, Table, Value};

use crate::sample::SampleError;
use crate::sample::choice::text;

/// One table whose columns are masked in place.
pub(super) struct Masked {
    pub(super) table: Table,
    masker: TableMasker,
    /// The columns that are written, and their places among what the masker writes.
    columns: Vec<(String, usize, Kind)>,
}

/// What is to be masked: of the tables with a rule, the columns whose rule is not `keep`.
pub(super) fn masked(
    tables: &[Table],
    rules: &Rules,
    key: &Key,
) -> Result<Vec<Masked>, SampleError> {
    let wanted = tables.iter().filter(|table| {
        let rule = rules.table(&table.name);
        rule.columns
            .values()
            .any(|rule| rule.masker != Masker::Keep)
    });
    let wanted: Vec<&Table> = wanted.collect();
    let whole = in_place(&wanted, rules);
    let masking = Masking::new(&wanted, &whole, key).map_err(SampleError::Cover)?;
    let one = |table: &&Table| {
        let masker = masking.table(&table.name)?;
        let rule = whole.table(&table.name);
        let columns = masker.writes().iter().enumerate();
        let columns = columns.filter_map(|(place, name)| {
            let changes = rule.columns.get(name)?.masker != Masker::Keep;
            let kind = table.column(name)?.kind.clone();
            changes.then(|| (name.clone(), place, kind))
        });
        Some(Masked {
            columns: columns.collect(),
            table: (*table).clone(),
            masker,
        })
    };
    Ok(wanted.iter().filter_map(one).collect())
}

/// The same rules with every other column kept: here nothing travels, so nothing is left behind. But a vector that nobody keeps tells what
/// its text no longer does, and nothing makes it again here: it becomes null, or is refused where it has to be there.
fn in_place(tables: &[&Table], rules: &Rules) -> Rules {
    let mut whole = Rules::default();
    for table in tables {
        let mut rule = rules.table(&table.name);
        for column in table.columns.iter().filter(|column| !column.generated) {
            let masker = match column.kind {
                Kind::Vector if column.nullable => Masker::Null,
                Kind::Vector => continue,
                _ => Masker::Keep,
            };
            let other = || Rule::new(masker);
            rule.columns
                .entry(column.name.clone())
                .or_insert_with(other);
        }
        rule.remade.clear();
        whole.tables.insert(table.name.clone(), rule);
    }
    whole
}

impl Masked {
    /// The columns to read.
    pub(super) fn reads(&self) -> &[String] {
        self.masker.reads()
    }

    /// The columns to write.
    pub(super) fn writes(&self) -> Vec<&str> {
        self.columns
            .iter()
            .map(|(name, ..)| name.as_str())
            .collect()
    }

    /// What is to be written of a row, column by column; nothing is null.
    pub(super) fn row(&mut self, values: &[Value<'_>]) -> Result<Vec<Option<String>>, SampleError> {
        let mut row = MaskedRow::default();
        self.masker.mask(values, &mut row)?;
        let cells = self.columns.iter().map(|(_, place, kind)| {
            Some(match row.cell(*place)? {
                Cell::Null => return None,
                Cell::Original(place) => text(values.get(place).copied()?)?.into(),
                Cell::Text(digits) if *kind == Kind::Bytes => format!("\\x{digits}"),
                Cell::Text(text) => text.to_owned(),
            })
        });
        Ok(cells.collect())
    }
}
