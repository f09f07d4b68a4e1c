//! A secret that git remembers.

use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::{Format, Role};
use crate::name;
use crate::survey::{Entry, File, Part, Survey};
use crate::value::{Strength, is_placeholder};
use crate::vendor::{self, Class};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "committed-secret",
    about: "git tracks a file with a real secret in it",
    page: include_str!("../../../../docs/book/src/checks/committed-secret.md"),
    severity: Severity::Critical,
    confidence: Confidence::Medium,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for file in survey
        .files
        .iter()
        .filter(|file| survey.is_tracked(&file.path) == Some(true) && !file.is_sealed())
    {
        let secrets: Vec<(&Entry, Severity)> = survey
            .parts_of(file)
            .flat_map(|part| {
                part.entries
                    .iter()
                    .filter_map(|entry| Some((entry, severity(survey, file, part, entry)?)))
            })
            .collect();
        findings.extend(finding(file, &secrets));
    }
}

/// How bad it is that this value is in the repository; `None` where it is not.
fn severity(survey: &Survey, file: &File, part: &Part, entry: &Entry) -> Option<Severity> {
    let value = entry.value.trim();
    let class = entry.vendor.map(|(_, class)| class);
    if is_placeholder(value)
        || class == Some(Class::Test)
        || name::is_public(&entry.about.canonical)
    {
        return None;
    }
    if class == Some(Class::Live) && entry.about.credential.is_some()
        || vendor::is_issued_key(value)
    {
        return Some(Severity::Critical);
    }
    let is_real = entry.strength == Some(Strength::Strong);
    let tier = match &part.role {
        Role::Environment(word) => survey.tier(word),
        Role::Shared if file.format == Format::Dotenv => Some(Tier::Staging),
        _ => None,
    };
    (is_real && tier >= Some(Tier::Staging)).then_some(Severity::Critical)
}

fn finding(file: &File, secrets: &[(&Entry, Severity)]) -> Option<Finding> {
    const SHOWN: usize = 5;
    let (first, severity) = secrets.iter().max_by_key(|(_, severity)| *severity)?;
    let count = secrets.len();
    let message = match count {
        1 => format!(
            "git tracks `{}`, which has a secret in `{}`",
            file.path, first.name
        ),
        _ => format!(
            "git tracks `{}`, which has {count} secrets in it",
            file.path
        ),
    };
    let finding = CHECK.finding(&file.path, message).severity(*severity);
    let finding = secrets
        .iter()
        .take(SHOWN)
        .fold(finding, |finding, (entry, _)| {
            finding.at(file.place(entry.name_span), "a secret")
        });
    Some(
        finding
            .because("everyone who ever clones the repository has it, and removing the line does not take it back")
            .help("issue new secrets first; then `git rm --cached` the file and add it to .gitignore"),
    )
}
