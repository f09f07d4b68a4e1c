//! Two files claim to be the same environment's.

use ringfence_diagnostic::Span;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Format;
use crate::survey::{Environment, File, Survey};

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
        let is_read = is_file_per_environment && !environment.is_template;
        if let ([first, second, ..], true) = (files.as_slice(), is_read) {
            findings.push(finding(environment, first, second));
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
    let (first_name, second_name) = (first.name(), second.name());
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
