//! Two files claim to be the same environment's.

use std::collections::HashMap;

use ringfence_diagnostic::Span;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Format;
use crate::survey::{Entry, Environment, File, Survey};
use crate::value::{is_encrypted, is_reference};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "ambiguous-environment-file",
    about: "two files claim to be the same environment's, such as .env.prod and .env.production",
    page: include_str!("../../../../docs/book/src/checks/ambiguous-environment-file.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for (family, environment) in survey.environments() {
        let is_file_per_environment = matches!(
            family.format,
            Format::Dotenv
                | Format::Yaml
                | Format::Json
                | Format::Toml
                | Format::Properties
                | Format::Compose
        );
        let files = files(survey, environment);
        if !is_file_per_environment || environment.is_template {
            continue;
        }
        let (sealed, plain): (Vec<&File>, Vec<&File>) =
            files.into_iter().partition(|file| file.is_sealed());
        for alike in [&plain, &sealed] {
            if let [first, second, ..] = alike.as_slice() {
                findings.push(finding(environment, first, second));
            }
        }
        if let ([plain, ..], [sealed, ..]) = (plain.as_slice(), sealed.as_slice()) {
            findings.extend(left_behind(survey, environment, (plain, sealed)));
        }
    }
}

/// The files of an environment whose names say it, each once.
fn files<'a>(survey: &'a Survey, environment: &Environment) -> Vec<&'a File> {
    let parts = environment
        .own
        .iter()
        .filter_map(|part| survey.parts.get(*part));
    let named = parts
        .filter_map(|part| survey.file_of(part))
        .filter(|file| file.role != crate::layout::Role::Shared);
    let mut files: Vec<&File> = named.collect();
    files.retain(|file| !matches!(file.role, crate::layout::Role::Other(_)));
    files.dedup_by_key(|file| file.source);
    files
}

fn finding(environment: &Environment, first: &File, second: &File) -> Finding {
    let (first_name, second_name) = if first.folder() == second.folder() {
        (first.name(), second.name())
    } else {
        (first.path.as_str(), second.path.as_str())
    };
    CHECK
        .finding(
            &environment.name,
            format!(
                "`{first_name}` and `{second_name}` are both the file of `{}`",
                environment.name
            ),
        )
        .at(first.place(Span::at(0)), "one")
        .at(second.place(Span::at(0)), "the other")
        .because(
            "which of them is read depends on the loader, and an edit to the other changes nothing",
        )
        .help(format!(
            "move what is needed into `{first_name}` and remove `{second_name}`"
        ))
}

/// A plain file that still says what was sealed. What stands in one of the two alone is meant: settings here, secrets there.
fn left_behind(
    survey: &Survey,
    environment: &Environment,
    (plain, sealed): (&File, &File),
) -> Option<Finding> {
    const SHOWN: usize = 5;
    let entries = |file| survey.parts_of(file).flat_map(|part| &part.entries);
    let kept: HashMap<&str, &Entry> = entries(sealed)
        .filter(|entry| is_encrypted(&entry.value))
        .map(|entry| (entry.name.as_str(), entry))
        .collect();
    let says = |entry: &&Entry| !entry.value.is_empty() && !is_reference(&entry.value);
    let both: Vec<(&Entry, &Entry)> = entries(plain)
        .filter(says)
        .filter_map(|entry| Some((entry, *kept.get(entry.name.as_str())?)))
        .collect();
    let (first, again) = both.first()?;
    let names = both
        .iter()
        .take(SHOWN)
        .map(|(entry, _)| format!("`{}`", entry.name));
    let more = match both.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "`{}` still has in the clear what `{}` seals: {}{more}",
        plain.name(),
        sealed.name(),
        names.collect::<Vec<_>>().join(", ")
    );
    Some(
        CHECK
            .finding(&environment.name, message)
            .at(plain.place(first.name_span), "in the clear")
            .at(sealed.place(again.name_span), "sealed")
            .because("sealing protects nothing that still lies beside it, and an edit to the plain one changes nothing")
            .help(format!(
                "remove these lines from `{}`; re-issue what git ever saw",
                plain.name()
            )),
    )
}
