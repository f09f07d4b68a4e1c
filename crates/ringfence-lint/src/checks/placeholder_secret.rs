//! A secret that was to be filled in, and was not.

use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Findings, Severity};
use crate::layout::Format;
use crate::survey::Survey;
use crate::value::Strength;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "placeholder-secret",
    about: "a secret of staging or production is a placeholder such as changeme",
    page: include_str!("../../../../docs/book/src/checks/placeholder-secret.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    let real = survey.environments().filter(|(family, one)| {
        one.tier >= Tier::Staging && !one.is_template && family.format != Format::Workflow
    });
    for (_, environment) in real {
        for setting in survey
            .settings(environment)
            .filter(|setting| !setting.inherited)
        {
            let name = &setting.entry.name;
            if setting.entry.strength != Some(Strength::Placeholder) {
                continue;
            }
            let consequence = if setting.file.is_sealed() {
                "it is one of the words that are tried first, and sealing it does not make it a secret"
            } else {
                "the placeholder is in the repository, so everybody knows the secret"
            };
            findings.push(
                CHECK
                    .finding(
                        name,
                        format!(
                            "{} of `{}` was never filled in",
                            setting.entry.secret_in_words(),
                            environment.name
                        ),
                    )
                    .at(setting.place(), "a placeholder")
                    .because(consequence)
                    .help(format!(
                        "issue a secret for `{}` and put it here, or leave the value empty",
                        environment.name
                    )),
            );
        }
    }
}
