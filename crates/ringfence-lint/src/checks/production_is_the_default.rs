//! Where nothing is chosen, production is.

use ringfence_model::tier::Tier;
use ringfence_syntax::script::Kind;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::{Format, Role};
use crate::name;
use crate::posture::Guard;
use crate::survey::{Content, Entry, File, Survey};
use crate::value::fallback;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "production-is-the-default",
    about: "where no environment is chosen, production is",
    page: include_str!("../../../../docs/book/src/checks/production-is-the-default.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for file in survey
        .files
        .iter()
        .filter(|file| matches!(file.role, Role::Shared))
    {
        let nested = matches!(
            file.format,
            Format::Yaml | Format::Json | Format::Toml | Format::Properties
        );
        if nested {
            findings.extend(
                survey
                    .parts_of(file)
                    .flat_map(|part| &part.entries)
                    .filter_map(|entry| of_entry(survey, file, entry)),
            );
        }
    }
    findings.extend(
        survey
            .of_format(Format::Script)
            .flat_map(|file| of_script(survey, file)),
    );
    findings.extend(of_manifest(survey));
    for compose in survey
        .wiring
        .compose
        .iter()
        .filter(|compose| compose.tier.is_none())
    {
        let mounts_source = compose.service.build.is_some()
            && compose
                .service
                .mounts
                .iter()
                .any(|mount| mount.starts_with('.'));
        let Some(file) = survey.files.get(compose.file).filter(|_| mounts_source) else {
            continue;
        };
        for variable in &compose.service.environment {
            let selects = variable
                .value
                .as_deref()
                .is_some_and(|value| selects_production(survey, &variable.name, value));
            if selects {
                let finding = finding(&variable.name).at(
                    file.place(variable.name_span),
                    "production unless the shell says otherwise",
                );
                findings.push(finding.confidence(Confidence::Medium));
            }
        }
    }
}

fn selects_production(survey: &Survey, name: &str, value: &str) -> bool {
    let word = fallback(value).map(|(_, default)| default);
    let is_selector = name::selector(name) == Some(name::Selector::Environment);
    is_selector && word.is_some_and(|word| survey.tier(word) == Some(Tier::Production))
}

fn of_entry(survey: &Survey, file: &File, entry: &Entry) -> Option<Finding> {
    if !selects_production(survey, &entry.name, &entry.value) {
        return None;
    }
    let mut finding = finding(&entry.name).at(
        file.place(entry.name_span),
        "production where nothing is said",
    );
    for careless in survey.parts_of(file).flat_map(|part| &part.entries) {
        if let Some((guard @ (Guard::Login | Guard::Origins | Guard::Debug | Guard::Tls), true)) =
            careless.posture()
        {
            finding = finding.at(
                file.place(careless.name_span),
                format!("and {}", guard.careless()),
            );
        }
    }
    Some(finding)
}

fn of_script(survey: &Survey, file: &File) -> Vec<Finding> {
    let Content::Script(actions) = &file.content else {
        return Vec::new();
    };
    actions
        .iter()
        .filter_map(|action| match &action.kind {
            Kind::Assign {
                name,
                name_span,
                value,
                ..
            } if selects_production(survey, name, &value.text) => {
                Some(finding(name).at(file.place(*name_span), "production where nothing is said"))
            }
            _ => None,
        })
        .collect()
}

fn of_manifest(survey: &Survey) -> Option<Finding> {
    let (word, place) = survey.default.as_ref()?;
    (survey.tier(word) == Some(Tier::Production))
        .then(|| finding("default").at(*place, "the manifest's default"))
}

fn finding(name: &str) -> Finding {
    CHECK
        .finding(
            name,
            format!("`{name}` is production where nothing is chosen"),
        )
        .because("a test, a script or a new colleague who forgets to choose works on production")
        .help("make development the default, or refuse to start without a choice")
}
