//! The next `git add` takes a secret along.

use ringfence_diagnostic::Span;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::{Format, Role};
use crate::survey::{File, Survey};
use crate::value::Strength;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "gitignore-gap",
    about: "an env file with secrets is neither tracked nor ignored by git",
    page: include_str!("../../../../docs/book/src/checks/gitignore-gap.md"),
    severity: Severity::Medium,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for file in survey
        .of_format(Format::Dotenv)
        .filter(|file| !matches!(file.role, Role::Template(_)) && !file.is_sealed())
    {
        let is_gap =
            survey.is_tracked(&file.path) == Some(false) && !survey.is_git_ignored(&file.path);
        if is_gap && has_secret(survey, file) {
            findings.push(finding(survey, file));
        }
    }
}

fn has_secret(survey: &Survey, file: &File) -> bool {
    survey
        .parts_of(file)
        .flat_map(|part| &part.entries)
        .any(|entry| matches!(entry.strength, Some(Strength::Weak | Strength::Strong)))
}

fn finding(survey: &Survey, file: &File) -> Finding {
    let path = &file.path;
    let finding = CHECK
        .finding(
            path,
            format!("`{path}` has secrets, and nothing keeps git from adding it"),
        )
        .at(file.place(Span::at(0)), "neither tracked nor ignored")
        .because("the next `git add .` puts the secrets into the repository")
        .help(format!("add `/{path}` to .gitignore"));
    let Some(gitignore) = survey.file(".gitignore") else {
        return finding;
    };
    let text = survey.sources.text(gitignore.source);
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    finding.edit(
        gitignore.place(Span::at(text.len())),
        format!("{end}/{path}\n"),
    )
}
