//! One environment names another's host.

use std::collections::{HashMap, HashSet};

use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Format;
use crate::name::Resource;
use crate::survey::{Environment, Setting, Survey};
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "foreign-endpoint",
    about: "a lower environment names a host of production, or production names a lower one's",
    page: include_str!("../../../../docs/book/src/checks/foreign-endpoint.md"),
    severity: Severity::High,
    confidence: Confidence::Medium,
    run,
};

/// Words in a host or a bucket that say production, and those that say anything but.
const PRODUCTION: &[&str] = &["prod", "production", "prd"];
const LOWER: &[&str] = &[
    "dev",
    "development",
    "test",
    "testing",
    "staging",
    "stage",
    "stg",
    "sandbox",
    "qa",
    "uat",
    "preprod",
];
/// Hosts whose words mean something else.
const NOT_MEANT: &[&str] = &[
    "dev.azure.com",
    "dev.to",
    "ssl.gstatic.com",
    "test.pypi.org",
];

fn run(survey: &Survey, findings: &mut Findings) {
    let origins = production_origins(survey);
    for (family, environment) in survey.environments() {
        if family.format == Format::Workflow {
            continue;
        }
        let mut seen: HashSet<&str> = HashSet::new();
        for setting in survey
            .settings(environment)
            .filter(|setting| !setting.inherited)
        {
            if setting.entry.about.is_origin_list {
                if seen.insert(&setting.entry.name) {
                    findings.extend(of_origins(survey, environment, &setting, &origins));
                }
                continue;
            }
            findings.extend(of_words(environment, &setting));
        }
    }
}

/// The word of another environment in a host's or a bucket's name.
fn of_words(environment: &Environment, setting: &Setting<'_>) -> Option<Finding> {
    let (name, value) = (&setting.entry.name, setting.entry.value.trim());
    let foreign = if environment.tier == Tier::Production {
        LOWER
    } else {
        PRODUCTION
    };
    let hosts = setting.entry.hosts();
    let host = hosts
        .iter()
        .find_map(|host| foreign_word(host_words(host)?, foreign));
    let by_host = host.map(|word| ("a host", word));
    let (what, word) = by_host.or_else(|| {
        let is_named = matches!(
            setting.entry.about.resource,
            Some(Resource::Bucket | Resource::Index | Resource::Queue)
        );
        let is_plain = value.len() < 100
            && value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
        let word = foreign_word(value, foreign).filter(|_| is_named && is_plain)?;
        Some(("a name", word))
    })?;
    let other = if environment.tier == Tier::Production {
        "a lower environment"
    } else {
        "production"
    };
    let severity = if environment.is_template {
        Severity::Medium
    } else {
        CHECK.severity
    };
    Some(
        CHECK
            .finding(
                name,
                format!(
                    "`{name}` of `{}` has {what} that says `{word}`",
                    environment.name
                ),
            )
            .at(setting.place(), format!("looks like {other}'s"))
            .because(format!(
                "what `{}` reads and writes here belongs to {other}",
                environment.name
            ))
            .help(format!("name a host of `{}`", environment.name))
            .severity(severity),
    )
}

/// The part of a host's name that people choose: without its last label, which may be `.dev`.
fn host_words(host: &str) -> Option<&str> {
    let known = NOT_MEANT.contains(&host) || value::is_local(host);
    host.rsplit_once('.')
        .map(|(labels, _)| labels)
        .filter(|_| !known)
}

fn foreign_word(text: &str, words: &'static [&'static str]) -> Option<&'static str> {
    let mut parts = text.split(|character: char| !character.is_ascii_alphanumeric());
    parts.find_map(|part| {
        words
            .iter()
            .copied()
            .find(|word| part.eq_ignore_ascii_case(word))
    })
}

/// The hosts that production lets in, by setting.
fn production_origins(survey: &Survey) -> HashMap<String, HashSet<String>> {
    let mut origins: HashMap<String, HashSet<String>> = HashMap::new();
    for (_, production) in survey
        .environments()
        .filter(|(_, one)| one.tier == Tier::Production)
    {
        for setting in survey
            .settings(production)
            .filter(|setting| setting.entry.about.is_origin_list)
        {
            let hosts = value::hosts(&setting.entry.value, false).into_iter();
            let public = hosts
                .filter(|host| !value::is_internal(host))
                .map(str::to_owned);
            origins
                .entry(setting.entry.about.canonical.clone())
                .or_default()
                .extend(public);
        }
    }
    origins
}

fn of_origins(
    survey: &Survey,
    environment: &Environment,
    setting: &Setting<'_>,
    origins: &HashMap<String, HashSet<String>>,
) -> Option<Finding> {
    let name = &setting.entry.name;
    let items = survey.items(environment, name);
    let hosts: Vec<&str> = items
        .flat_map(|item| value::hosts(&item.entry.value, false))
        .collect();
    let finding = |message: String, label: &str| {
        CHECK
            .finding(name, message)
            .at(setting.place(), label)
            .severity(Severity::Medium)
    };
    if environment.tier == Tier::Production {
        hosts.iter().find(|host| value::is_local(host))?;
        return Some(
            finding(
                format!("`{name}` of `{}` lets local pages in", environment.name),
                "local origins among production's",
            )
            .because("any program on a user's own machine may call production in the user's name")
            .help(format!("list production's own origins only in `{name}`")),
        );
    }
    let known = origins.get(&setting.entry.about.canonical)?;
    hosts.iter().find(|host| known.contains(**host))?;
    Some(
        finding(
            format!(
                "`{name}` of `{}` lets production's pages in",
                environment.name
            ),
            "production's origins",
        )
        .because(format!(
            "a page of production may call `{}`, and mistakes in addresses go unnoticed",
            environment.name
        ))
        .help(format!("list the origins of `{}` only", environment.name)),
    )
}
