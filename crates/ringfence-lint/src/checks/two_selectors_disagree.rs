//! Two variables of one environment name different environments.

use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::name::Selector;
use crate::survey::{Setting, Survey};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "two-selectors-disagree",
    about: "one environment is told by two variables that it is two different ones",
    page: include_str!("../../../../docs/book/src/checks/two-selectors-disagree.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for (_, environment) in survey.environments() {
        let selectors: Vec<(Setting<'_>, Selector, Tier)> = survey
            .settings(environment)
            .filter_map(|setting| {
                let selector = setting.entry.about.selector?;
                Some((setting, selector, survey.tier(&setting.entry.value)?))
            })
            .collect();
        let Some(first) = selectors
            .iter()
            .find(|(_, selector, _)| *selector == Selector::Environment)
        else {
            continue;
        };
        // What an environment says itself overrules what all share, and does not disagree with it.
        let same_layer = selectors
            .iter()
            .filter(|other| other.0.inherited == first.0.inherited);
        let other = same_layer
            .into_iter()
            .find(|(_, selector, tier)| match selector {
                Selector::Environment => *tier != first.2,
                Selector::BuildMode => first.2 >= Tier::Staging && *tier < Tier::Staging,
            });
        if let Some(other) = other {
            findings.push(finding(&environment.name, &first.0, &other.0));
        }
    }
}

fn finding(environment: &str, one: &Setting<'_>, other: &Setting<'_>) -> Finding {
    let (name, word) = (&one.entry.name, &one.entry.value);
    let (other_name, other_word) = (&other.entry.name, &other.entry.value);
    CHECK
        .finding(
            format!("{name} {other_name}"),
            format!("`{environment}` is `{word}` by `{name}` and `{other_word}` by `{other_name}`"),
        )
        .at(one.place(), format!("says `{word}`"))
        .at(other.place(), format!("says `{other_word}`"))
        .because(
            "parts of the program that ask different variables behave as in different environments",
        )
        .help("let both say the same, or keep one of them")
}
