//! Suggested links: which tables the rows of a column point to, as the words beside it say. A word that is no
//! table's name is counted and never shown.

use std::collections::HashMap;

use ringfence_data::sample::SampleError;
use ringfence_data::sample::source::{Scan, Source};
use ringfence_mask::rule::{Rows, Rules};
use ringfence_mask::schema::{Table, Value};
use ringfence_mask::suggest::links::{self, Candidate};
use serde::Serialize;

/// What `--json` prints of a column that points to several tables.
#[derive(Serialize)]
pub(super) struct LinkRecord {
    pub(super) table: String,
    pub(super) column: String,
    /// The column that says which table is meant.
    pub(super) kind: String,
    /// As `links` has them.
    pub(super) links: Vec<String>,
    /// How many words beside it lead to no table that travels.
    others: usize,
}

pub(super) fn suggested(
    source: &mut dyn Source,
    tables: &[Table],
    rules: &Rules,
) -> Result<Vec<LinkRecord>, SampleError> {
    let mut records = Vec::new();
    let may = |table: &&Table| rules.table(&table.name).rows != Rows::None;
    let tables: Vec<Table> = tables.iter().filter(may).cloned().collect();
    for table in &tables {
        let rule = rules.table(&table.name);
        let is_known = |candidate: &Candidate| {
            let mut links = rule.links.iter();
            links.any(|link| link.columns.contains(&candidate.column))
        };
        for candidate in links::candidates(table) {
            if !is_known(&candidate) {
                records.extend(one(source, (table, &tables), &candidate)?);
            }
        }
    }
    Ok(records)
}

fn one(
    source: &mut dyn Source,
    (table, tables): (&Table, &[Table]),
    candidate: &Candidate,
) -> Result<Option<LinkRecord>, SampleError> {
    const MOST: u32 = 200;
    let values = source.distinct(table, &candidate.kind, MOST)?;
    let words = match &candidate.kinds {
        Some(kinds) => Some(content_types(source, kinds, tables)?),
        None => None,
    };
    let link = |value: &String| {
        let word = match &words {
            Some(words) => words.get(value)?,
            None => value,
        };
        links::link(candidate, value, word, tables).map(|link| link.to_string())
    };
    let found: Vec<String> = values.iter().filter_map(link).collect();
    Ok((!found.is_empty()).then(|| LinkRecord {
        table: candidate.table.clone(),
        column: candidate.column.clone(),
        kind: candidate.kind.clone(),
        others: values.len() - found.len(),
        links: found,
    }))
}

/// The names of Django's models by the numbers of their rows: `blog.post` for the model `post` of `blog`.
fn content_types(
    source: &mut dyn Source,
    name: &str,
    tables: &[Table],
) -> Result<HashMap<String, String>, SampleError> {
    let columns = ["id", "app_label", "model"].map(str::to_owned);
    let mut words = HashMap::new();
    let table = tables.iter().find(|table| table.name == name);
    let has_all = |table: &&Table| columns.iter().all(|name| table.column(name).is_some());
    let Some(table) = table.filter(has_all) else {
        return Ok(words);
    };
    let scan = Scan {
        table,
        columns: &columns,
        filter: None,
        is_ordered: false,
    };
    let text = |value: Option<&Value<'_>>| match value {
        Some(Value::Text(text)) => (*text).to_owned(),
        Some(Value::Integer(number)) => number.to_string(),
        _ => String::new(),
    };
    source.scan(&scan, &mut |values| {
        let [id, label, model] = [0, 1, 2].map(|place| text(values.get(place)));
        words.insert(id, format!("{label}.{model}"));
        Ok(())
    })?;
    Ok(words)
}

/// What is told of one, a row of cells each.
pub(super) fn lines(record: &LinkRecord) -> Vec<Vec<String>> {
    let LinkRecord { table, column, .. } = record;
    let link = |link: &String| {
        vec![
            format!("{table}.{column}"),
            format!("could be the link `{link}`"),
        ]
    };
    let mut lines: Vec<Vec<String>> = record.links.iter().map(link).collect();
    if record.others > 0 {
        lines.push(vec![
            format!("{table}.{column}"),
            format!(
                "{} other words beside it lead to no table that travels",
                record.others
            ),
        ]);
    }
    lines
}
