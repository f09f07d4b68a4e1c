//! From what the manifest says of a resource's tables to the rules of a sample, with everything that is wrong in them.

use std::str::FromStr;

use ringfence_diagnostic::{Diagnostic, Place};
use ringfence_mask::choose::Fraction;
use ringfence_mask::rule::{Rows, Rules, TableRule};
use ringfence_model::resource::Resource;
use ringfence_syntax::manifest::{Spanned, TableEntry};

/// The word for as many rows as the sample is asked for.
const SAMPLE: &str = "sample";

/// How many rows a table has that says `sample`.
pub(crate) fn amount(
    resource: &Resource,
    written: Option<&Spanned<String>>,
    fraction: Option<&str>,
    rows: Option<u64>,
) -> Result<Rows, Box<Diagnostic>> {
    if let Some(rows) = rows {
        return Ok(Rows::Count(rows));
    }
    let text = fraction.or(written.map(|written| written.value.as_str()));
    let Some(text) = text else {
        return Ok(Rows::Needed);
    };
    Fraction::read(text).map(Rows::Fraction).map_err(|error| {
        let diagnostic = wrong(&error.to_string());
        let place = written.filter(|_| fraction.is_none());
        Box::new(match place {
            Some(written) => at(resource, diagnostic, written),
            None => diagnostic,
        })
    })
}

/// The rules of a resource; every table of `drop` stays behind whole.
pub(crate) fn rules(resource: &Resource, sample: Rows) -> Result<Rules, Vec<Diagnostic>> {
    let mut reading = Reading {
        resource,
        sample,
        diagnostics: Vec::new(),
    };
    let mut rules = Rules::default();
    for entry in &resource.tables {
        let rule = reading.table(entry);
        rules.tables.insert(entry.name.value.clone(), rule);
    }
    for table in &resource.drop {
        let dropped = TableRule {
            rows: Rows::None,
            ..TableRule::default()
        };
        rules.tables.insert(table.clone(), dropped);
    }
    if reading.diagnostics.is_empty() {
        Ok(rules)
    } else {
        Err(reading.diagnostics)
    }
}

struct Reading<'a> {
    resource: &'a Resource,
    sample: Rows,
    diagnostics: Vec<Diagnostic>,
}

impl Reading<'_> {
    fn table(&mut self, entry: &TableEntry) -> TableRule {
        let rows = match &entry.rows {
            None => Rows::Needed,
            Some(written) if written.value == SAMPLE => self.sample,
            Some(written) => self.read(written).unwrap_or_default(),
        };
        let references = |lists: &[Spanned<String>]| {
            let columns = |list: &Spanned<String>| {
                let names = list.value.split(',').map(|name| name.trim().to_owned());
                names.collect()
            };
            lists.iter().map(columns).collect()
        };
        let along = entry.along.iter().filter_map(|along| self.read(along));
        let along = along.collect();
        let links = entry.links.iter().filter_map(|link| self.read(link));
        let links = links.collect();
        let document = entry.document.as_ref();
        let document = document.and_then(|document| self.read(document));
        let mut columns = std::collections::BTreeMap::new();
        for (name, rule) in &entry.columns {
            if let Some(rule) = self.read(rule) {
                columns.insert(name.value.clone(), rule);
            }
        }
        TableRule {
            rows,
            filter: entry.filter.as_ref().map(|filter| filter.value.clone()),
            along,
            links,
            document,
            cut: references(&entry.cut),
            follow: references(&entry.follow),
            columns,
            remade: entry
                .vectors
                .iter()
                .map(|(column, _)| column.value.clone())
                .collect(),
        }
    }

    fn read<T: FromStr<Err: std::fmt::Display>>(&mut self, written: &Spanned<String>) -> Option<T> {
        match written.value.parse() {
            Ok(read) => Some(read),
            Err(error) => {
                let diagnostic = wrong(&error.to_string());
                self.diagnostics
                    .push(at(self.resource, diagnostic, written));
                None
            }
        }
    }
}

fn wrong(message: &str) -> Diagnostic {
    Diagnostic::error("sample-rule", message)
        .because("nothing was read: what a rule does not say does not travel")
        .help("the rules are listed in the book's page on data")
}

fn at(resource: &Resource, diagnostic: Diagnostic, written: &Spanned<String>) -> Diagnostic {
    diagnostic.at(Place::new(resource.place.source, written.span), "this rule")
}
