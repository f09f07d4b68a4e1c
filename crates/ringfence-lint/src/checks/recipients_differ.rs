//! Who can open a sealed file is not who should.

use ringfence_diagnostic::Span;
use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::sealed::{Reader, Sealed};
use crate::survey::{File, Survey};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "recipients-differ",
    about: "a sealed file can be opened by others than the manifest names, or not by all of them",
    page: include_str!("../../../../docs/book/src/checks/recipients-differ.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

/// How many people, and how many places of their keys, a finding shows.
const SHOWN: usize = 6;

fn run(survey: &Survey, findings: &mut Findings) {
    for (file, sealed) in survey.sealed_files() {
        findings.extend(finding(survey, file, sealed));
    }
}

fn finding(survey: &Survey, file: &File, sealed: &Sealed) -> Option<Finding> {
    let environment = sealed.environment.as_ref()?;
    let (extra, missing) = (listed(&sealed.extra), listed(&sealed.missing));
    let others = (!sealed.others.is_empty()).then(|| sealed.others.join(", "));
    let parts = [
        extra
            .as_ref()
            .map(|who| format!("{who} can open it and may not")),
        missing.as_ref().map(|who| format!("{who} may and cannot")),
        others
            .as_ref()
            .map(|means| format!("it can be opened by other means than people's keys: {means}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return None;
    }
    let severity = match (extra.is_some(), survey.tier(environment)) {
        (true, Some(Tier::Production)) => Severity::Critical,
        (true, _) => Severity::High,
        (false, _) => Severity::Medium,
    };
    let consequence = match (&extra, &missing) {
        (Some(_), _) => {
            "whoever left, or slipped in, reads every secret that is written from now on"
        }
        (None, Some(_)) => "they find out when they first need it",
        (None, None) => {
            "who holds those means is not said in the manifest, and rewriting the file would take it from them"
        }
    };
    let found = CHECK
        .finding(
            &file.path,
            format!(
                "`{}` of `{environment}` is not sealed for those whom the manifest names: {}",
                file.path,
                parts.join("; ")
            ),
        )
        .at(file.place(Span::at(0)), "this file")
        .because(consequence)
        .severity(severity);
    let found = labelled(found, &sealed.extra, "may not read it");
    let found = labelled(found, &sealed.missing, "cannot open it");
    Some(if extra.is_some() || missing.is_some() {
        found.help(format!("`ringfence secret rotate {environment}` seals it for those in the manifest; or correct `[access]`"))
    } else {
        found.help(format!("name these readers' keys under `[people]` and take the rest out with `sops`, or leave `{environment}.read-secret` unsaid"))
    })
}

fn listed(readers: &[Reader]) -> Option<String> {
    let names: Vec<String> = readers
        .iter()
        .take(SHOWN)
        .map(|reader| format!("`{}`", reader.who))
        .collect();
    let more = match readers.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!names.is_empty()).then(|| names.join(", ") + &more)
}

/// Shows whose key it is, where the manifest has it.
fn labelled(finding: Finding, readers: &[Reader], text: &str) -> Finding {
    let places = readers.iter().filter_map(|reader| reader.place);
    places
        .take(SHOWN)
        .fold(finding, |finding, place| finding.at(place, text))
}
