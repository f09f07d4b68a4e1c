//! For code scanning: SARIF 2.1.0 (OASIS, *Static Analysis Results Interchange Format*, 2020).

use serde_json::{Value, json};

use super::without_controls;
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::source::Sources;

/// What a code stands for.
#[derive(Debug, Clone)]
pub struct Rule<'a> {
    /// The code.
    pub id: &'a str,
    /// In one line.
    pub about: &'a str,
    /// The page that explains it, in Markdown.
    pub page: &'a str,
    /// How much it usually weighs.
    pub severity: Severity,
    /// The same as a number from 0.1 to 10, as GitHub ranks alerts.
    pub score: &'a str,
    /// How sure it usually is: `low`, `medium`, `high`, `very-high`.
    pub precision: &'a str,
}

/// A diagnostic with what tells it from others across changes of the files.
#[derive(Debug, Clone)]
pub struct Ranked<'a> {
    /// The diagnostic; its code is a rule's id.
    pub diagnostic: &'a Diagnostic,
    /// A text that stays the same while the lines move.
    pub fingerprint: String,
    /// Whether it was there before; `None` where nothing is compared.
    pub known: Option<bool>,
}

/// A log with one run. `version` is the program's.
#[must_use]
pub fn sarif(
    version: &str,
    rules: &[Rule<'_>],
    results: &[Ranked<'_>],
    sources: &Sources,
) -> Value {
    let results: Vec<Value> = results
        .iter()
        .map(|ranked| result(ranked, rules, sources))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "ringfence",
                "semanticVersion": version,
                "rules": rules.iter().map(rule).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": { "ROOT": { "description": { "text": "the folder that was checked" } } },
            "results": results,
        }],
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn rule(rule: &Rule<'_>) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.about },
        "help": { "text": rule.page, "markdown": rule.page },
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": { "precision": rule.precision, "security-severity": rule.score, "tags": ["security", "configuration"] },
    })
}

fn result(ranked: &Ranked<'_>, rules: &[Rule<'_>], sources: &Sources) -> Value {
    let diagnostic = ranked.diagnostic;
    let mut labels = diagnostic.labels.iter();
    let first: Vec<Value> = labels
        .next()
        .and_then(|label| location(label, sources))
        .into_iter()
        .collect();
    let mut result = json!({
        "ruleId": diagnostic.code,
        "level": level(diagnostic.severity),
        "message": { "text": text(diagnostic) },
        "locations": first,
        "partialFingerprints": { "finding/v1": ranked.fingerprint },
    });
    let related: Vec<Value> = labels
        .enumerate()
        .filter_map(|(index, label)| {
            let mut location = location(label, sources)?;
            location
                .as_object_mut()?
                .insert("id".to_owned(), json!(index + 1));
            Some(location)
        })
        .collect();
    if let Some(fields) = result.as_object_mut() {
        if !related.is_empty() {
            fields.insert("relatedLocations".to_owned(), Value::Array(related));
        }
        if let Some(known) = ranked.known {
            let state = if known { "unchanged" } else { "new" };
            fields.insert("baselineState".to_owned(), json!(state));
        }
        if let Some(index) = rules.iter().position(|rule| rule.id == diagnostic.code) {
            fields.insert("ruleIndex".to_owned(), json!(index));
        }
    }
    result
}

/// The message with the consequence and the help: code scanning shows nothing else.
fn text(diagnostic: &Diagnostic) -> String {
    let mut parts = vec![diagnostic.message.clone()];
    parts.extend(diagnostic.consequence.clone());
    parts.extend(diagnostic.help.iter().map(|help| format!("Help: {help}")));
    without_controls(&parts.join("\n")).into_owned()
}

fn location(label: &Label, sources: &Sources) -> Option<Value> {
    let source = sources.get(label.place.source)?;
    let start = source.position(label.place.span.start);
    let end = source.position(label.place.span.end);
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(source.name()), "uriBaseId": "ROOT" },
            "region": {
                "startLine": start.line, "startColumn": start.column,
                "endLine": end.line, "endColumn": end.column,
            },
        },
    });
    if !label.text.is_empty() {
        let message = json!({ "text": without_controls(&label.text) });
        location
            .as_object_mut()?
            .insert("message".to_owned(), message);
    }
    Some(location)
}

/// A relative path as RFC 3986 writes it.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
