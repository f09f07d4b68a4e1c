//! A value that is not what its setting holds elsewhere.

use ringfence_model::value::kind::Kind;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Format;
use crate::survey::{Environment, Family, Setting, Survey};
use crate::value::is_reference;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "type-mismatch",
    about: "a value does not fit the declared type, or is a word where every other environment has a number or a truth value",
    page: include_str!("../../../../docs/book/src/checks/type-mismatch.md"),
    severity: Severity::Medium,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for family in survey
        .families
        .iter()
        .filter(|family| family.format == Format::Dotenv)
    {
        match &survey.settings {
            Some(_) => declared(survey, family, findings),
            None => inferred(survey, family, findings),
        }
    }
}

fn is_weighed(setting: &Setting<'_>) -> bool {
    !setting.entry.value.trim().is_empty() && !is_reference(&setting.entry.value)
}

fn declared(survey: &Survey, family: &Family, findings: &mut Findings) {
    for environment in family.environments.iter().filter(|one| !one.is_template) {
        for setting in survey.settings(environment).filter(is_weighed) {
            let mut known = survey
                .settings
                .iter()
                .flatten()
                .filter(|one| one.name == setting.entry.name);
            let Some(declared) = known
                .next()
                .filter(|one| !one.kind.accepts(&setting.entry.value))
            else {
                continue;
            };
            findings.push(
                finding(&setting, &environment.name, declared.kind.name())
                    .at(declared.place, "declared here"),
            );
        }
    }
}

fn inferred(survey: &Survey, family: &Family, findings: &mut Findings) {
    let real: Vec<&Environment> = family
        .environments
        .iter()
        .filter(|one| !one.is_template)
        .collect();
    // Two against one say what the setting is; one against one says nothing.
    if real.len() < 3 {
        return;
    }
    for environment in &real {
        let others: Vec<&Environment> = real
            .iter()
            .copied()
            .filter(|other| other.name != environment.name)
            .collect();
        for setting in survey.settings(environment) {
            if !setting.inherited && is_weighed(&setting) {
                findings.extend(odd_one_out(survey, environment, &setting, &others));
            }
        }
    }
}

/// A finding where at least two others have the setting, all of one kind, and this one is of another.
fn odd_one_out(
    survey: &Survey,
    environment: &Environment,
    setting: &Setting<'_>,
    others: &[&Environment],
) -> Option<Finding> {
    let mut kinds = [Kind::Bool, Kind::Int].to_vec();
    kinds.retain(|kind| !kind.accepts(&setting.entry.value));
    let mut first = None;
    let mut count = 0;
    for other in others {
        let found = survey.setting(other, &setting.entry.name);
        let Some(found) = found.filter(is_weighed) else {
            continue;
        };
        kinds.retain(|kind| kind.accepts(&found.entry.value));
        if kinds.is_empty() {
            return None;
        }
        first.get_or_insert(found);
        count += 1;
    }
    let (kind, first) = (kinds.first()?, first.filter(|_| count > 1)?);
    let label = format!("{} here", article(kind.name()));
    Some(finding(setting, &environment.name, kind.name()).at(first.place(), label))
}

fn article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}

fn finding(setting: &Setting<'_>, environment: &str, kind: &str) -> Finding {
    let name = &setting.entry.name;
    CHECK
        .finding(
            name,
            format!("`{name}` of `{environment}` is not {}", article(kind)),
        )
        .at(setting.place(), format!("not {}", article(kind)))
        .because("the program stops when it reads the value, or takes it for something else")
        .help(format!(
            "`ringfence explain {name}` shows every source of it"
        ))
}
