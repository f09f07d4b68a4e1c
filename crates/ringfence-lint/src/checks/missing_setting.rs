//! A setting that one environment has and another lacks.

use std::collections::{BTreeMap, HashSet};

use ringfence_diagnostic::Span;
use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Format;
use crate::survey::{Environment, Family, Setting, Survey};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "missing-setting",
    about: "one environment lacks a setting that the others have",
    page: include_str!("../../../../docs/book/src/checks/missing-setting.md"),
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for family in survey
        .families
        .iter()
        .filter(|family| family.format == Format::Dotenv)
    {
        let full: Vec<&Environment> = family
            .environments
            .iter()
            .filter(|one| one.own != family.shared && one.tier != Tier::Testing)
            .collect();
        for environment in full.iter().filter(|one| one.tier >= Tier::Staging) {
            findings.extend(lacks(survey, family, environment, &full));
        }
    }
}

/// The names that an environment sets itself.
fn own_names<'a>(
    survey: &'a Survey,
    environment: &'a Environment,
) -> BTreeMap<&'a str, Setting<'a>> {
    let own = survey
        .settings(environment)
        .filter(|setting| !setting.inherited);
    own.map(|setting| (setting.entry.name.as_str(), setting))
        .collect()
}

fn lacks(
    survey: &Survey,
    family: &Family,
    environment: &Environment,
    all: &[&Environment],
) -> Option<Finding> {
    const SHOWN: usize = 8;
    let others: Vec<BTreeMap<&str, Setting<'_>>> = all
        .iter()
        .filter(|other| other.name != environment.name)
        .map(|other| own_names(survey, other))
        .collect();
    let own = own_names(survey, environment);
    let first = others.first()?;
    let in_all: Vec<&Setting<'_>> = first
        .iter()
        .filter(|(name, _)| others.iter().all(|other| other.contains_key(*name)))
        .map(|(_, setting)| setting)
        .collect();
    let common = in_all
        .iter()
        .filter(|setting| own.contains_key(setting.entry.name.as_str()))
        .count();
    // A file that repeats little of the others only overrides them: nothing is missing from it.
    let is_whole = common >= 3 && common * 4 >= in_all.len() * 3;
    let seen: HashSet<&str> = survey
        .settings(environment)
        .map(|setting| setting.entry.name.as_str())
        .collect();
    let part = survey.parts.get(*environment.own.first()?)?;
    let file = survey.file_of(part)?;
    let text = survey.sources.text(file.source);
    let missing: Vec<&&Setting<'_>> = in_all
        .iter()
        .filter(|setting| {
            let name = setting.entry.name.as_str();
            !seen.contains(name) && !is_for_lower_tiers(setting) && !is_mentioned(text, name)
        })
        .collect();
    let example = missing.first().filter(|_| is_whole)?;
    let names: Vec<String> = missing
        .iter()
        .take(SHOWN)
        .map(|setting| format!("`{}`", setting.entry.name))
        .collect();
    let more = missing.len().saturating_sub(SHOWN);
    let names = if more > 0 {
        format!("{} and {more} more", names.join(", "))
    } else {
        names.join(", ")
    };
    let severity = if others.len() > 1 {
        CHECK.severity
    } else {
        Severity::Low
    };
    Some(
        CHECK
            .finding(
                format!("{} {}", family.name, environment.name),
                format!("`{}` lacks {names}", environment.name),
            )
            .at(file.place(Span::at(0)), "not set here")
            .at(example.place(), "set here")
            .because("the program falls back on its own default there, or stops when it first asks")
            .help(format!("set it in `{}`, empty if that is meant", file.path))
            .severity(severity),
    )
}

/// Whether a setting has no business above development.
fn is_for_lower_tiers(setting: &Setting<'_>) -> bool {
    const WORDS: &[&str] = &[
        "DEBUG",
        "DEV",
        "DEVELOPMENT",
        "LOCAL",
        "LOCALHOST",
        "TEST",
        "MAILHOG",
        "MAILPIT",
        "MAILCATCHER",
        "NGROK",
        "XDEBUG",
        "SEED",
        "MOCK",
        "FAKE",
        "HOT",
        "RELOAD",
        "WATCH",
        "STORYBOOK",
    ];
    let mut words = setting.entry.about.words.iter();
    words.any(|word| WORDS.contains(&word.as_str())) || setting.entry.value.is_empty()
}

/// Whether the name stands in a comment: somebody has thought of it.
fn is_mentioned(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text
            .get(at + name.len()..)
            .and_then(|text| text.chars().next());
        let is_part = |character: Option<char>| {
            character.is_some_and(|character| character.is_alphanumeric() || character == '_')
        };
        !is_part(before) && !is_part(after)
    })
}
