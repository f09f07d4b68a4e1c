//! A higher environment is less careful than a lower one.

use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Format;
use crate::posture::Guard;
use crate::survey::{Environment, Setting, Survey};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "posture-inversion",
    about: "a higher environment is less careful than a lower one: debug, logs, origins, login, TLS, rate limits",
    page: include_str!("../../../../docs/book/src/checks/posture-inversion.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for family in survey
        .families
        .iter()
        .filter(|family| family.format != Format::Workflow)
    {
        for upper in family
            .environments
            .iter()
            .filter(|one| one.tier > Tier::Development)
        {
            for setting in survey.settings(upper) {
                let careless = setting.entry.posture();
                let Some((guard, true)) = careless else {
                    continue;
                };
                // What is wrong in production whatever the others do has a check of its own.
                let has_own_check =
                    upper.tier == Tier::Production && matches!(guard, Guard::Debug | Guard::Logs);
                // Tests are allowed to be noisy and to skip login: nobody else is there.
                if has_own_check || upper.tier == Tier::Testing {
                    continue;
                }
                let lower = family
                    .environments
                    .iter()
                    .filter(|one| one.tier < upper.tier)
                    .rev();
                let careful = lower.into_iter().find_map(|lower| {
                    let other = survey.setting(lower, &setting.entry.name)?;
                    let is_careful = other.entry.posture() == Some((guard, false));
                    is_careful.then_some((lower, other))
                });
                if let Some((lower, other)) = careful {
                    findings.push(finding(guard, (upper, &setting), (lower, &other)));
                }
            }
        }
    }
}

fn finding(
    guard: Guard,
    upper: (&Environment, &Setting<'_>),
    lower: (&Environment, &Setting<'_>),
) -> Finding {
    let name = &upper.1.entry.name;
    CHECK
        .finding(
            name,
            format!(
                "`{}` is less careful than `{}`: {}",
                upper.0.name,
                lower.0.name,
                guard.careless()
            ),
        )
        .at(
            upper.1.place(),
            format!("in `{}`: {}", upper.0.name, guard.careless()),
        )
        .at(lower.1.place(), format!("in `{}`: not so", lower.0.name))
        .because(format!(
            "what was tried in `{}` is not what runs in `{}`, where more is at stake",
            lower.0.name, upper.0.name
        ))
        .help(format!(
            "give `{name}` in `{}` the value of `{}`, or swap the two",
            upper.0.name, lower.0.name
        ))
}
