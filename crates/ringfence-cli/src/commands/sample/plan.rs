//! `ringfence sample plan`: what would travel, what each reference costs, and which columns have no rule.

use ringfence_data::sample::create;
use ringfence_mask::closure::{Cut, Edge, Plan, Treatment};
use ringfence_mask::rule::Rules;
use ringfence_mask::schema::Table;
use serde::Serialize;

use super::{Above, resources};
use crate::ambient::Ambient;
use crate::args::data::SamplePlan;
use crate::data::desk;
use crate::failure::{Failure, exit};
use crate::output::{Output, columns};

/// What `--json` prints of a resource.
#[derive(Serialize)]
struct Record {
    resource: String,
    tables: Vec<TableRecord>,
    references: Vec<ReferenceRecord>,
}

#[derive(Serialize)]
struct TableRecord {
    table: String,
    rows: Option<u64>,
    bytes: Option<u64>,
    /// Columns that no rule covers: they stay behind.
    uncovered: Vec<String>,
}

#[derive(Serialize)]
struct ReferenceRecord {
    from: String,
    to: String,
    treatment: &'static str,
    blow_up: Option<f64>,
}

pub(super) fn run(
    arguments: &SamplePlan,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let below = desk::named(&arguments.environment, ambient)?;
    let mut records = Vec::new();
    for resource in resources(&below, &arguments.amount)? {
        let above = Above::open(&below, &resource, &arguments.amount, ambient, output)?;
        let (mut source, _) = above.source()?;
        let tables = source.tables().map_err(|error| above.failed(error))?;
        let plan = create::plan(&tables, &above.rules).map_err(|error| above.failed(error))?;
        records.push(record(&above.resource.name, &tables, &plan, &above.rules));
    }
    if arguments.json {
        return output.print_json(&records);
    }
    output.print(&records.iter().map(page).collect::<String>())?;
    Ok(exit::FINE)
}

fn record(resource: &str, tables: &[Table], plan: &Plan, rules: &Rules) -> Record {
    let planned = plan.tables.iter().map(|planned| {
        let rule = rules.table(&planned.name);
        let columns = tables.iter().find(|table| table.name == planned.name);
        let columns = columns.into_iter().flat_map(|table| &table.columns);
        let uncovered = columns
            .filter(|column| !column.generated && !rule.columns.contains_key(&column.name))
            .map(|column| column.name.clone());
        TableRecord {
            table: planned.name.clone(),
            rows: planned.expected_rows,
            bytes: planned.expected_bytes,
            uncovered: uncovered.collect(),
        }
    });
    Record {
        resource: resource.to_owned(),
        tables: planned.collect(),
        references: plan.edges.iter().map(reference).collect(),
    }
}

fn reference(edge: &Edge) -> ReferenceRecord {
    ReferenceRecord {
        from: format!("{}.{}", edge.child, edge.columns.join("+")),
        to: edge.parent.clone(),
        treatment: match &edge.treatment {
            Treatment::Followed | Treatment::Itself => "followed",
            Treatment::Later => "followed, set when both are loaded",
            Treatment::Deferred => "followed, looked at when all is loaded",
            Treatment::Cut { why, .. } => match why {
                Cut::Declared => "cut: the rules say so",
                Cut::OwnTable => "cut: into its own table; `follow` follows it",
                Cut::NoParent => "cut: no row of the other table travels",
                Cut::Uncovered => "cut: no rule covers it",
            },
        },
        blow_up: edge.blow_up,
    }
}

fn page(record: &Record) -> String {
    let number = |number: Option<u64>, unit: &str| {
        number.map_or_else(|| "?".to_owned(), |number| format!("{number} {unit}"))
    };
    let tables = record.tables.iter().map(|table| {
        let stay = match table.uncovered.as_slice() {
            [] => String::new(),
            names => format!("stay behind: {}", names.join(", ")),
        };
        vec![
            table.table.clone(),
            number(table.rows, "rows"),
            number(table.bytes, "bytes"),
            stay,
        ]
    });
    let references = record.references.iter().map(|reference| {
        let factor = reference.blow_up;
        vec![
            format!("{} → {}", reference.from, reference.to),
            reference.treatment.to_owned(),
            factor.map_or_else(String::new, |factor| format!("× {factor:.2}")),
        ]
    });
    let tables = columns(&tables.collect::<Vec<_>>());
    let references = columns(&references.collect::<Vec<_>>());
    let line = |cells: &Vec<String>| format!("  {}\n", cells.join("  ").trim_end());
    format!(
        "{}\n{}{}",
        record.resource,
        tables.iter().map(line).collect::<String>(),
        references.iter().map(line).collect::<String>()
    )
}
