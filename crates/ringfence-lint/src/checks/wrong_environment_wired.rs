//! What starts one environment loads another's file.

use ringfence_diagnostic::Span;
use ringfence_model::tier::{Tier, same_word};
use ringfence_syntax::{dockerfile, script};

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::{self, Format, Role};
use crate::name::{self, Selector};
use crate::survey::{ComposeService, Content, File, SecretGroups, Survey};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "wrong-environment-wired",
    about: "what starts one environment loads another's file, selector or secrets",
    page: include_str!("../../../../docs/book/src/checks/wrong-environment-wired.md"),
    severity: Severity::Critical,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for compose in &survey.wiring.compose {
        findings.extend(of_service(survey, compose));
    }
    for groups in &survey.wiring.groups {
        findings.extend(of_groups(survey, groups));
    }
    for file in &survey.files {
        let Some((word, tier)) = environment_in_name(survey, file) else {
            continue;
        };
        let loads: Vec<(String, Span)> = match &file.content {
            Content::Script(actions) => actions.iter().filter_map(loaded_by_script).collect(),
            Content::Dockerfile(instructions) => instructions.iter().flat_map(copied).collect(),
            _ => Vec::new(),
        };
        for (path, span) in loads {
            findings.extend(loaded(survey, file, (&word, tier), &path, span));
        }
    }
}

/// The environment that a script's or a Dockerfile's own name says: `deploy-prod.sh`, `Dockerfile.production`.
fn environment_in_name(survey: &Survey, file: &File) -> Option<(String, Tier)> {
    if !matches!(file.format, Format::Script | Format::Dockerfile) {
        return None;
    }
    let mut found = file
        .name()
        .split(['.', '-', '_'])
        .filter_map(|word| Some((word.to_owned(), survey.tier(word)?)));
    let first = found.next()?;
    // `test-prod.sh` may be about either.
    found
        .next()
        .is_none()
        .then_some(first)
        .filter(|(_, tier)| *tier >= Tier::Staging)
}

fn loaded_by_script(action: &script::Action) -> Option<(String, Span)> {
    match &action.kind {
        script::Kind::SourceEnvFile { file } => Some((file.text.clone(), file.span)),
        _ => None,
    }
}

fn copied(instruction: &dockerfile::Instruction) -> Vec<(String, Span)> {
    match &instruction.kind {
        dockerfile::Kind::Copy { sources, .. } => sources.clone(),
        _ => Vec::new(),
    }
}

/// The environment that a path's file is for.
fn environment_of(survey: &Survey, path: &str) -> Option<(String, Tier)> {
    match layout::of(path)?.role {
        Role::Environment(word) => {
            let tier = survey.tier(&word)?;
            Some((word, tier))
        }
        _ => None,
    }
}

fn loaded(
    survey: &Survey,
    file: &File,
    own: (&str, Tier),
    path: &str,
    span: Span,
) -> Option<Finding> {
    if path.contains('$') {
        return None;
    }
    let (word, tier) = environment_of(survey, path)?;
    (tier != own.1 && !same_word(&word, own.0)).then(|| {
        CHECK
            .finding(
                path,
                format!("`{}` is for `{}`, but loads `{path}`", file.path, own.0),
            )
            .at(file.place(span), format!("the file of `{word}`"))
            .because(format!(
                "`{}` starts with the values of `{word}`: its database, its keys",
                own.0
            ))
            .help(format!("load the file of `{}` here", own.0))
    })
}

fn of_service(survey: &Survey, compose: &ComposeService) -> Vec<Finding> {
    let (Some(file), Some(tier)) = (survey.files.get(compose.file), compose.tier) else {
        return Vec::new();
    };
    let own = match &file.role {
        Role::Environment(word) => word.as_str(),
        _ => return Vec::new(),
    };
    let text = survey.sources.text(file.source);
    let env_files = compose
        .service
        .env_files
        .iter()
        .filter(|env_file| env_file.span.of(text).contains(&env_file.path));
    let mut findings: Vec<Finding> = env_files
        .filter_map(|env_file| loaded(survey, file, (own, tier), &env_file.path, env_file.span))
        .collect();
    for variable in &compose.service.environment {
        let value = variable.value.as_deref().unwrap_or("");
        let is_here = variable.name_span.of(text) == variable.name;
        let selected = survey
            .tier(value)
            .filter(|_| is_here && name::selector(&variable.name) == Some(Selector::Environment));
        // A test of the production build selects production, and means it.
        if let Some(other) = selected.filter(|other| *other < tier) {
            let name = &variable.name;
            findings.push(
                CHECK
                    .finding(
                        name,
                        format!(
                            "`{}` is for `{own}`, but starts `{}` with `{name}={value}`",
                            file.path, compose.service.name
                        ),
                    )
                    .at(file.place(variable.name_span), format!("selects {other}"))
                    .because(format!("what runs as `{own}` behaves as in {other}"))
                    .help(format!("set `{name}={own}` here")),
            );
        }
    }
    findings
}

/// One service that gets the groups of two environments.
fn of_groups(survey: &Survey, groups: &SecretGroups) -> Option<Finding> {
    let file = survey.files.get(groups.file)?;
    let tiers: Vec<(&str, Span, Tier)> = groups
        .groups
        .iter()
        .filter_map(|(name, span)| {
            let tier = name
                .split(['-', '_', '.'])
                .find_map(|word| survey.tier(word))?;
            Some((name.as_str(), *span, tier))
        })
        .collect();
    let (first, span, tier) = tiers.first()?;
    let (second, other_span, other) = tiers.iter().find(|(_, _, other)| other != tier)?;
    Some(
        CHECK
            .finding(
                &groups.service,
                format!(
                    "service `{}` gets the variables of two environments",
                    groups.service
                ),
            )
            .at(file.place(*span), format!("`{first}`: {tier}"))
            .at(file.place(*other_span), format!("`{second}`: {other}"))
            .because(format!(
                "{other} runs with the secrets of {tier} beside its own, and the other way round"
            ))
            .help("give each environment a service of its own, with its own group only")
            .severity(Severity::High),
    )
}
