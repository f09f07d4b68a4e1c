//! An environment that says nothing.

use ringfence_diagnostic::Span;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Format;
use crate::survey::{Environment, Family, File, Survey};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "empty-environment",
    about: "an environment's file has no setting in it",
    page: include_str!("../../../../docs/book/src/checks/empty-environment.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for family in &survey.families {
        let is_file_per_environment = matches!(
            family.format,
            Format::Dotenv | Format::Yaml | Format::Json | Format::Toml | Format::Properties
        );
        let empty: Vec<(&Environment, &File)> = family
            .environments
            .iter()
            .filter(|one| is_file_per_environment && !one.is_template)
            .filter_map(|one| Some((one, empty_file(survey, one)?)))
            .collect();
        if !empty.is_empty() {
            findings.push(finding(family, &empty));
        }
    }
}

/// The file of an environment whose parts are all empty.
fn empty_file<'a>(survey: &'a Survey, environment: &Environment) -> Option<&'a File> {
    let parts = || {
        environment
            .own
            .iter()
            .filter_map(|part| survey.parts.get(*part))
    };
    let is_empty = parts().all(|part| part.entries.is_empty());
    let file = survey.file_of(parts().next()?)?;
    // A file that cannot be read is told elsewhere; a section of a larger one is no file.
    let is_read = survey.is_file_read_whole(&file.path) && !file.is_sealed();
    (is_empty && is_read && parts().all(|part| part.name.is_none())).then_some(file)
}

fn finding(family: &Family, empty: &[(&Environment, &File)]) -> Finding {
    let names: Vec<String> = empty
        .iter()
        .map(|(one, _)| format!("`{}`", one.name))
        .collect();
    let names = names.join(", ");
    let finding = CHECK.finding(
        &family.name,
        format!("{names}: declared, but with nothing in it"),
    );
    let finding = empty.iter().fold(finding, |finding, (_, file)| {
        finding.at(file.place(Span::at(0)), "no settings")
    });
    finding
        .because("what is started there runs on defaults, or on what its shell happens to hold")
        .help("put the environment's settings in, or remove the file so that nothing starts by it")
}
