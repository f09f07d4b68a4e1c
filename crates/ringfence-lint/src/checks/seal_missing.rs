//! Nobody says that a sealed file is theirs.

use ringfence_diagnostic::Span;

use crate::check::Check;
use crate::finding::{Confidence, Findings, Severity};
use crate::sealed::Seal;
use crate::survey::Survey;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "seal-missing",
    about: "a sealed file of staging or production has no seal that says who made it",
    page: include_str!("../../../../docs/book/src/checks/seal-missing.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for (file, sealed) in survey.sealed_files() {
        let (Seal::Missing, Some(environment)) = (&sealed.seal, &sealed.environment) else {
            continue;
        };
        let path = &file.path;
        findings.push(
            CHECK
                .finding(path, format!("`{path}` of `{environment}` has no seal"))
                .at(file.place(Span::at(0)), "sealed by nobody")
                .because("whoever can write to the repository can put values of their own in, and nothing is started with it")
                .help(format!("whoever may edit `{environment}` looks at it and says `ringfence secret seal {environment}`"))
                .help(format!("or say `{environment} = {{ seal = \"optional\" }}` under `[secrets]` in ringfence.toml")),
        );
    }
}
