//! A key that moves real money, where nothing should.

use std::collections::HashSet;

use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Findings, Severity};
use crate::survey::Survey;
use crate::value;
use crate::vendor::Class;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "live-key-outside-production",
    about: "a vendor's live key, or live mode, is set in an environment that is not production",
    page: include_str!("../../../../docs/book/src/checks/live-key-outside-production.md"),
    severity: Severity::Critical,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    let mut told = HashSet::new();
    for (_, environment) in survey
        .environments()
        .filter(|(_, environment)| environment.tier < Tier::Production)
    {
        // What all environments share reaches this one too, and is told once.
        for setting in survey.settings(environment) {
            let (name, value) = (&setting.entry.name, setting.entry.value.trim());
            let Some((vendor, Class::Live)) = setting.entry.vendor else {
                continue;
            };
            if value::is_placeholder(value) || !told.insert(setting.place()) {
                continue;
            }
            findings.push(
                CHECK
                    .finding(name, match setting.entry.about.mode_of {
                        Some(_) => format!("`{name}` of `{}` chooses the live world of {vendor}", environment.name),
                        None => format!("`{}` has a live {vendor} key in `{name}`", environment.name),
                    })
                    .at(setting.place(), "live")
                    .because(format!("what is tried out in `{}` charges, texts or mails real people", environment.name))
                    .help(format!("put a test key of {vendor} here, and issue a new live key if others could read this file")),
            );
        }
    }
}
