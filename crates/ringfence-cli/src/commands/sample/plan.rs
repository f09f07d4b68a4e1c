//! `ringfence sample plan`: what would travel, what each reference costs, and which columns have no rule.

mod links;

use ringfence_data::sample::create;
use ringfence_mask::closure::{Cut, Declared, Edge, Plan, Treatment};
use ringfence_mask::greenmask::configuration;
use ringfence_mask::rule::{Rows, Rules};
use ringfence_mask::schema::Table;
use ringfence_mask::suggest::{Suggestion, suggest};
use ringfence_syntax::manifest::edit::Edited;
use serde::Serialize;

use super::{Above, resources};
use crate::ambient::{self, Ambient};
use crate::args::data::{Greenmask, SamplePlan};
use crate::data::desk;
use crate::failure::{Failure, exit};
use crate::load::{Loaded, MANIFEST};
use crate::output::{Output, columns};

/// What `--json` prints of a resource.
#[derive(Serialize)]
struct Record {
    resource: String,
    tables: Vec<TableRecord>,
    references: Vec<ReferenceRecord>,
    /// Rules for columns that have none.
    suggestions: Vec<SuggestionRecord>,
    /// References that the schema does not declare, and the rules neither.
    links: Vec<links::LinkRecord>,
}

#[derive(Serialize)]
struct SuggestionRecord {
    table: String,
    column: String,
    rule: String,
    reason: String,
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
        let links = links::suggested(source.as_mut(), &tables, &above.rules);
        let links = links.map_err(|error| above.failed(error))?;
        let mut record = record(&above.resource.name, (&tables, &above.rules), &plan);
        record
            .suggestions
            .iter_mut()
            .for_each(|one| keep_link(one, &links));
        records.push(Record { links, ..record });
    }
    if arguments.write {
        write(&below.loaded, &records, output)?;
    }
    if arguments.json {
        return output.print_json(&records);
    }
    output.print(&records.iter().map(page).collect::<String>())?;
    Ok(exit::FINE)
}

/// Writes the suggestions into the manifest, each with its reason behind it.
fn write(loaded: &Loaded, records: &[Record], output: &mut Output) -> Result<(), Failure> {
    let path = loaded.root.join(MANIFEST);
    let failed = |error: &dyn std::fmt::Display| {
        Failure::error(exit::REFUSED, format!("`{MANIFEST}` cannot be changed")).caused_by(error)
    };
    let text = ambient::read_file(&path).map_err(|error| failed(&error))?;
    let text = String::from_utf8(text).map_err(|error| failed(&error))?;
    let mut edited = Edited::parse(&text).map_err(|error| failed(&error))?;
    let mut count = 0;
    for record in records {
        for suggestion in &record.suggestions {
            let column = (suggestion.table.as_str(), suggestion.column.as_str());
            let rule = (suggestion.rule.as_str(), suggestion.reason.as_str());
            let added = edited.mask(&record.resource, column, rule);
            count += usize::from(added.map_err(|error| failed(&error))?);
        }
        for record_of in &record.links {
            for link in &record_of.links {
                let added = edited.link(&record.resource, &record_of.table, link);
                count += usize::from(added.map_err(|error| failed(&error))?);
            }
        }
    }
    ambient::replace_file(&path, &edited.text()).map_err(|error| failed(&error))?;
    output.say(&format!(
        "ringfence: {count} rules were written into {MANIFEST}; read each before it is used"
    ));
    Ok(())
}

/// Prints a configuration of Greenmask; what it cannot say the same way goes to standard error.
pub(super) fn greenmask(
    arguments: &Greenmask,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let below = desk::named(&arguments.environment, ambient)?;
    let resources = resources(&below, &arguments.amount)?;
    let [resource] = resources.as_slice() else {
        return Err(
            Failure::error(exit::USAGE, "one configuration is for one resource")
                .hint("`--resource NAME`")
                .into(),
        );
    };
    let above = Above::open(&below, resource, &arguments.amount, ambient, output)?;
    let (mut source, _) = above.source()?;
    let tables = source.tables().map_err(|error| above.failed(error))?;
    let configuration = configuration(&tables, &above.rules);
    for note in &configuration.notes {
        output.say(&format!("ringfence: {note}"));
    }
    output.print(&configuration.yaml)
}

/// Rules for the columns of tables that may travel and have none yet.
fn suggestions(tables: &[Table], rules: &Rules) -> Vec<SuggestionRecord> {
    let may = |table: &&Table| rules.table(&table.name).rows != Rows::None;
    let all = tables.iter().filter(may).flat_map(suggest);
    let new = all.filter(|suggestion: &Suggestion| {
        let rule = rules.table(&suggestion.table);
        !rule.columns.contains_key(&suggestion.column) && !rule.remade.contains(&suggestion.column)
    });
    new.map(|suggestion| SuggestionRecord {
        rule: suggestion.rule.to_string(),
        reason: format!("{}: {}", suggestion.confidence.word(), suggestion.reason),
        table: suggestion.table,
        column: suggestion.column,
    })
    .collect()
}

/// What a suggested link needs is kept: the key, and the word that says which table is meant.
fn keep_link(suggestion: &mut SuggestionRecord, links: &[links::LinkRecord]) {
    let of = |link: &&links::LinkRecord| {
        link.table == suggestion.table && [&link.column, &link.kind].contains(&&suggestion.column)
    };
    let Some(link) = links.iter().find(of) else {
        return;
    };
    let reason = match link.column == suggestion.column {
        true => "likely: points to several tables",
        false => "likely: says which table a link points to",
    };
    "keep".clone_into(&mut suggestion.rule);
    reason.clone_into(&mut suggestion.reason);
}

fn record(resource: &str, (tables, rules): (&[Table], &Rules), plan: &Plan) -> Record {
    let planned = plan.tables.iter().map(|planned| {
        let rule = rules.table(&planned.name);
        let columns = tables.iter().find(|table| table.name == planned.name);
        let columns = columns.into_iter().flat_map(|table| &table.columns);
        let uncovered = columns
            .filter(|column| !column.generated && !rule.columns.contains_key(&column.name))
            .filter(|column| !rule.remade.contains(&column.name))
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
        suggestions: suggestions(tables, rules),
        links: Vec::new(),
    }
}

fn reference(edge: &Edge) -> ReferenceRecord {
    let when = match &edge.declared {
        Declared::Link(Some(when)) => format!(" where {} is {}", when.column, when.value),
        Declared::Link(None) | Declared::Schema => String::new(),
    };
    ReferenceRecord {
        from: format!("{}.{}{when}", edge.child, edge.columns.join("+")),
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
    let suggestions = record.suggestions.iter().map(|suggestion| {
        vec![
            format!("{}.{}", suggestion.table, suggestion.column),
            format!("could be {}", suggestion.rule),
            suggestion.reason.clone(),
        ]
    });
    let suggestions = columns(&suggestions.collect::<Vec<_>>());
    let tables = columns(&tables.collect::<Vec<_>>());
    let references = columns(&references.collect::<Vec<_>>());
    let line = |cells: &Vec<String>| format!("  {}\n", cells.join("  ").trim_end());
    let links = columns(
        &record
            .links
            .iter()
            .flat_map(links::lines)
            .collect::<Vec<_>>(),
    );
    format!(
        "{}\n{}{}{}{}",
        record.resource,
        tables.iter().map(line).collect::<String>(),
        references.iter().map(line).collect::<String>(),
        links.iter().map(line).collect::<String>(),
        suggestions.iter().map(line).collect::<String>()
    )
}
