//! Production shows its insides.

use crate::check::Check;
use crate::finding::{Confidence, Findings, Severity};
use crate::layout::Format;
use crate::posture::Guard;
use crate::survey::Survey;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "debug-in-production",
    about: "debug mode or verbose logs are on in production",
    page: include_str!("../../../../docs/book/src/checks/debug-in-production.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    let programs = survey
        .productions()
        .filter(|(family, _)| family.format != Format::Workflow);
    for (family, environment) in programs {
        for setting in survey.settings(environment) {
            let careless = setting.entry.posture();
            let Some((guard @ (Guard::Debug | Guard::Logs), true)) = careless else {
                continue;
            };
            let name = &setting.entry.name;
            let from = if setting.inherited {
                ", inherited from what all environments share"
            } else {
                ""
            };
            let consequence = match guard {
                Guard::Debug => {
                    "error pages show source, settings and queries to whoever causes an error"
                }
                _ => "requests, tokens and personal data end up in logs, and disks fill",
            };
            let severity = if guard == Guard::Debug && !environment.is_template {
                Severity::High
            } else {
                Severity::Medium
            };
            findings.push(
                CHECK
                    .finding(
                        format!("{} {name}", family.name),
                        format!("{} in `{}`{from}", guard.careless(), environment.name),
                    )
                    .at(setting.place(), guard.careless())
                    .because(consequence)
                    .help(format!(
                        "set `{name}` to a careful value in `{}`",
                        environment.name
                    ))
                    .severity(severity),
            );
        }
    }
}
