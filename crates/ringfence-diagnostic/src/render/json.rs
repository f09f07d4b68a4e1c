//! For machines: one record per diagnostic, places resolved to lines and columns.

use serde::Serialize;

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Source, Sources};
use crate::span::Position;

/// A diagnostic as `--json` prints it.
#[derive(Debug, Serialize)]
pub struct DiagnosticRecord<'a> {
    /// See [`Diagnostic::code`].
    pub code: &'static str,
    /// See [`Diagnostic::severity`].
    pub severity: Severity,
    /// See [`Diagnostic::message`].
    pub message: &'a str,
    /// See [`Diagnostic::labels`].
    pub places: Vec<PlaceRecord<'a>>,
    /// See [`Diagnostic::consequence`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consequence: Option<&'a str>,
    /// See [`Diagnostic::help`].
    pub help: &'a [String],
}

/// A place as `--json` prints it.
#[derive(Debug, Serialize)]
pub struct PlaceRecord<'a> {
    /// The file, relative to the project's root.
    pub file: &'a str,
    /// First character.
    #[serde(flatten)]
    pub start: Position,
    /// First character after the place.
    pub end: Position,
    /// A few words about it; may be empty.
    pub label: &'a str,
}

/// The records of `diagnostics`, in their order.
#[must_use]
pub fn records<'a>(
    diagnostics: &'a [Diagnostic],
    sources: &'a Sources,
) -> Vec<DiagnosticRecord<'a>> {
    diagnostics
        .iter()
        .map(|diagnostic| record(diagnostic, sources))
        .collect()
}

fn record<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> DiagnosticRecord<'a> {
    let places = diagnostic.labels.iter().filter_map(|label| {
        let source: &Source = sources.get(label.place.source)?;
        Some(PlaceRecord {
            file: source.name(),
            start: source.position(label.place.span.start),
            end: source.position(label.place.span.end),
            label: &label.text,
        })
    });
    DiagnosticRecord {
        code: diagnostic.code,
        severity: diagnostic.severity,
        message: &diagnostic.message,
        places: places.collect(),
        consequence: diagnostic.consequence.as_deref(),
        help: &diagnostic.help,
    }
}
