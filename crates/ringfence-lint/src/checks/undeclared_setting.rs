//! A setting that the manifest does not know.

use std::collections::HashSet;

use crate::check::Check;
use crate::finding::{Confidence, Findings, Severity};
use crate::layout::{Format, Role};
use crate::survey::Survey;
use ringfence_diagnostic::spelling;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "undeclared-setting",
    about: "an env file sets what the manifest's [settings] do not declare",
    page: include_str!("../../../../docs/book/src/checks/undeclared-setting.md"),
    severity: Severity::Low,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    let Some(declared) = &survey.settings else {
        return;
    };
    let known: HashSet<&str> = declared.iter().map(|one| one.name.as_str()).collect();
    let mut told: HashSet<&str> = HashSet::new();
    let files = survey.of_format(Format::Dotenv).filter(|file| {
        file.folder().is_empty()
            && !matches!(&file.role, Role::Other(word) if survey.tier(word).is_none())
    });
    for file in files {
        for entry in survey.parts_of(file).flat_map(|part| &part.entries) {
            let name = entry.name.as_str();
            if known.contains(name) || entry.about.selector.is_some() || !told.insert(name) {
                continue;
            }
            let near = (told.len() <= Findings::MOST)
                .then(|| spelling::closest(name, declared.iter().map(|one| one.name.as_str())))
                .flatten();
            let finding = CHECK
                .finding(name, format!("`{name}` is set, but not declared"))
                .at(file.place(entry.name_span), "not in `[settings]`")
                .because("it reaches the program unchecked: no type, no rule, in some environments and not in others");
            findings.push(match near {
                Some(near) => finding
                    .help(format!("did you mean `{near}`?"))
                    .severity(Severity::Medium),
                None => finding.help(format!(
                    "add `{name} = {{}}` under `[settings]` in ringfence.toml"
                )),
            });
        }
    }
}
