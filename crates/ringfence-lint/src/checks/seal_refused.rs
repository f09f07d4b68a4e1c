//! A seal that does not hold.

use ringfence_diagnostic::Span;

use crate::check::Check;
use crate::finding::{Confidence, Findings, Severity};
use crate::sealed::Seal;
use crate::survey::Survey;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "seal-refused",
    about: "a sealed file's seal does not hold: the file changed, it is an older one, or no editor signed it",
    page: include_str!("../../../../docs/book/src/checks/seal-refused.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for (file, sealed) in survey.sealed_files() {
        let Seal::Refused(why) = &sealed.seal else {
            continue;
        };
        let path = &file.path;
        let environment = sealed.environment.as_deref().unwrap_or("ENV");
        findings.push(
            CHECK
                .finding(path, format!("the seal of `{path}` does not hold: {why}"))
                .at(file.place(Span::at(0)), "not what an editor sealed")
                .because("somebody other than an editor may have changed the secrets, and nothing is started with them")
                .help(format!("look at what changed (`git log -p {path}`); whoever may edit `{environment}` seals it again: `ringfence secret seal {environment}`")),
        );
    }
}
