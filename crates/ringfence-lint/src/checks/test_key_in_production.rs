//! Production talks to a vendor's test world.

use crate::check::Check;
use crate::finding::{Confidence, Findings, Severity};
use crate::layout::Format;
use crate::survey::Survey;
use crate::value;
use crate::vendor::Class;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "test-key-in-production",
    about: "a vendor's test key, or sandbox mode, is set in production",
    page: include_str!("../../../../docs/book/src/checks/test-key-in-production.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    let programs = survey
        .productions()
        .filter(|(family, _)| family.format != Format::Workflow);
    for (_, environment) in programs {
        for setting in survey.settings(environment) {
            let (name, value) = (&setting.entry.name, setting.entry.value.trim());
            let is_test = matches!(setting.entry.vendor, Some((_, Class::Test)))
                && !value::is_placeholder(value);
            let Some((vendor, _)) = setting.entry.vendor.filter(|_| is_test) else {
                continue;
            };
            let severity = if environment.is_template {
                Severity::Medium
            } else {
                CHECK.severity
            };
            findings.push(
                CHECK
                    .finding(name, match setting.entry.about.mode_of {
                        Some(_) => format!("`{name}` of `{}` chooses the test world of {vendor}", environment.name),
                        None => format!("`{}` has a test key of {vendor} in `{name}`", environment.name),
                    })
                    .at(setting.place(), "test")
                    .because(format!("real orders go to the test world of {vendor}: nobody is charged, nothing is sent"))
                    .help(format!("put the live key of {vendor} here"))
                    .severity(severity),
            );
        }
    }
}
