//! One secret opens two environments.

use std::collections::BTreeMap;

use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Format;
use crate::sealed::is_issued;
use crate::survey::{Environment, Setting, Survey};
use crate::value::Strength;
use crate::vendor::Class;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "shared-secret",
    about: "one password, key or token is used in two environments",
    page: include_str!("../../../../docs/book/src/checks/shared-secret.md"),
    severity: Severity::Critical,
    confidence: Confidence::High,
    run,
};

/// Where a secret is used.
struct Use<'a> {
    environment: &'a Environment,
    family: usize,
    setting: Setting<'a>,
    name: String,
}

fn run(survey: &Survey, findings: &mut Findings) {
    let mut uses: BTreeMap<&str, Vec<Use<'_>>> = BTreeMap::new();
    for (index, family) in survey.families.iter().enumerate() {
        if family.format == Format::Workflow || family.format == Format::Phpunit {
            continue;
        }
        for environment in &family.environments {
            for setting in survey
                .settings(environment)
                .filter(|setting| !setting.inherited)
            {
                if let Some(secret) = secret(&setting) {
                    let name = setting.entry.about.canonical.clone();
                    uses.entry(secret).or_default().push(Use {
                        environment,
                        family: index,
                        setting,
                        name,
                    });
                }
            }
        }
    }
    for uses in uses.into_values() {
        findings.extend(shared(uses));
    }
}

/// The text that lets somebody in, where somebody issued it; its mark where sealed ones are compared.
fn secret<'a>(setting: &Setting<'a>) -> Option<&'a str> {
    let entry = setting.entry;
    // A key of a vendor's test world may be everywhere below production; there, another check speaks of it.
    let is_test_key = entry.vendor.is_some_and(|(_, class)| class == Class::Test);
    if is_issued(entry.strength) && !is_test_key {
        entry.mark.as_deref().or_else(|| entry.secret())
    } else {
        None
    }
}

/// One finding for a secret that several tiers use, at its highest one.
fn shared(mut uses: Vec<Use<'_>>) -> Vec<Finding> {
    uses.sort_by(|one, other| {
        (
            other.environment.tier,
            &one.setting.file.path,
            one.setting.entry.name_span,
        )
            .cmp(&(
                one.environment.tier,
                &other.setting.file.path,
                other.setting.entry.name_span,
            ))
    });
    let is_strong = |one: &Use<'_>| one.setting.entry.strength == Some(Strength::Strong);
    if uses.iter().any(is_strong) {
        return finding(&uses, false).into_iter().collect();
    }
    // What everybody could guess is the same in two places by accident, unless it is the same setting of one program.
    let mut by_setting: BTreeMap<(usize, String), Vec<Use<'_>>> = BTreeMap::new();
    for one in uses {
        by_setting
            .entry((one.family, one.name.clone()))
            .or_default()
            .push(one);
    }
    let mut groups: Vec<Vec<Use<'_>>> = by_setting.into_values().collect();
    groups.sort_by(|one, other| {
        one.first()
            .map(|use_| &use_.name)
            .cmp(&other.first().map(|use_| &use_.name))
    });
    groups
        .iter()
        .filter_map(|group| finding(group, true))
        .collect()
}

fn finding(uses: &[Use<'_>], is_weak: bool) -> Option<Finding> {
    const SHOWN: usize = 6;
    let highest = uses.first()?;
    let lowest = uses
        .iter()
        .rev()
        .find(|other| other.environment.tier < highest.environment.tier)?;
    let below = if is_weak {
        Tier::Production
    } else {
        Tier::Staging
    };
    if highest.environment.tier < below {
        return None;
    }
    let name = &highest.setting.entry.name;
    let (upper, lower) = (&highest.environment.name, &lowest.environment.name);
    let is_template = highest.environment.is_template || lowest.environment.is_template;
    let severity = match (highest.environment.tier, is_weak || is_template) {
        (Tier::Production, false) => Severity::Critical,
        _ => Severity::High,
    };
    let finding = CHECK
        .finding(
            name,
            format!(
                "{} is the same in `{upper}` and `{lower}`",
                highest.setting.entry.secret_in_words()
            ),
        )
        .because(format!(
            "who can read `{lower}`, every developer and every tool there, can use it in `{upper}`"
        ))
        .help(format!(
            "issue a new one for `{upper}`, then one for each other environment"
        ))
        .severity(severity);
    let finding = if is_template {
        finding.help(
            "in templates, leave the value empty: an empty secret fails loudly, a known one works",
        )
    } else {
        finding
    };
    let labelled = uses.iter().take(SHOWN).fold(finding, |finding, one| {
        finding.at(
            one.setting.place(),
            format!("in `{}`", one.environment.name),
        )
    });
    Some(labelled)
}
