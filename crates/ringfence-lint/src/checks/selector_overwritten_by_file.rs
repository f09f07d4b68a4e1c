//! The file that an environment loads says that it is another environment.

use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Findings, Severity};
use crate::layout::{Format, Role};
use crate::name::Selector;
use crate::survey::{Content, Entry, Family, File, Survey};
use ringfence_syntax::script::Kind;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "selector-overwritten-by-file",
    about: "a file that is loaded for one environment sets APP_ENV, or its kin, to another",
    page: include_str!("../../../../docs/book/src/checks/selector-overwritten-by-file.md"),
    severity: Severity::Critical,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for family in &survey.families {
        own_files(survey, family, findings);
        if family.format == Format::Dotenv {
            shared_file(survey, family, findings);
            template(survey, family, findings);
        }
    }
}

/// The tier that an entry selects, where it is a selector with a known word.
fn selected(survey: &Survey, entry: &Entry) -> Option<(Selector, Tier)> {
    let selector = entry.about.selector?;
    Some((selector, survey.tier(&entry.value)?))
}

fn agrees(selector: Selector, selected: Tier, own: Tier) -> bool {
    match selector {
        Selector::Environment => selected == own,
        // Building for production is right in every environment that is deployed; building for development is not.
        Selector::BuildMode => selected >= Tier::Staging || own < Tier::Staging,
    }
}

fn own_files(survey: &Survey, family: &Family, findings: &mut Findings) {
    // A family with one file for all takes its tier from the selector: there is nothing to contradict.
    let environments = family
        .environments
        .iter()
        .filter(|one| one.own != family.shared);
    for environment in environments
        .filter(|_| family.format != Format::Workflow && family.format != Format::Compose)
    {
        for setting in survey
            .settings(environment)
            .filter(|setting| !setting.inherited)
        {
            let Some((selector, tier)) = selected(survey, setting.entry) else {
                continue;
            };
            if agrees(selector, tier, environment.tier) || matches!(setting.part.role, Role::Shared)
            {
                continue;
            }
            let (name, file) = (&setting.entry.name, &setting.file.path);
            let word = &setting.entry.value;
            let severity = if environment.is_template {
                Severity::High
            } else {
                CHECK.severity
            };
            findings.push(
                CHECK
                    .finding(
                        name,
                        format!(
                            "`{file}` is the file of `{}`, but sets `{name}` to `{word}`",
                            environment.name
                        ),
                    )
                    .at(setting.place(), format!("selects `{word}`"))
                    .because(format!(
                        "what is started as `{}` runs as `{word}`, with the values of both",
                        environment.name
                    ))
                    .help(format!(
                        "set `{name}={}` in this file, or remove the line",
                        environment.name
                    ))
                    .severity(severity),
            );
        }
    }
}

/// A `.env` in the repository reaches every environment that the repository is deployed to.
fn shared_file(survey: &Survey, family: &Family, findings: &mut Findings) {
    let parts = family
        .shared
        .iter()
        .filter_map(|part| survey.parts.get(*part));
    for (part, file) in parts.filter_map(|part| Some((part, survey.file_of(part)?))) {
        let is_deployed = survey.is_shared_by_git(&file.path)
            && file.role == Role::Shared
            && file.name() == ".env"
            // Symfony commits its defaults in `.env`, and what the server sets stands above them.
            && !survey.sources.text(file.source).contains("###> symfony/");
        let selectors = part.entries.iter().filter(|entry| {
            matches!(
                selected(survey, entry),
                Some((Selector::Environment, Tier::Development | Tier::Testing))
            )
        });
        for entry in selectors.filter(|_| is_deployed) {
            let (name, word) = (&entry.name, &entry.value);
            findings.push(
                CHECK
                    .finding(name, format!("`{}` is in the repository and sets `{name}` to `{word}` for everyone", file.path))
                    .at(file.place(entry.name_span), format!("selects `{word}` wherever the repository is"))
                    .because(format!("a server that is deployed from the repository runs as `{word}` unless something else overrules it"))
                    .help(format!("move the line to `.env.{word}`, which only that environment loads"))
                    .help(format!("or keep `{}` out of the repository and leave a `.env.example`", file.path))
                    .severity(Severity::High)
                    .confidence(Confidence::Medium),
            );
        }
    }
}

/// A template that selects an environment and is copied for every one of them.
fn template(survey: &Survey, family: &Family, findings: &mut Findings) {
    let parts = family
        .templates
        .iter()
        .filter_map(|part| survey.parts.get(*part));
    for (part, file) in parts.filter_map(|part| Some((part, survey.file_of(part)?))) {
        let Some(entry) = part
            .entries
            .iter()
            .find(|entry| matches!(selected(survey, entry), Some((Selector::Environment, _))))
        else {
            continue;
        };
        let copy = copying_script(survey, file);
        let wired = wired_by_name(survey, file);
        if copy.is_none() && wired.is_none() {
            continue;
        }
        let (name, word) = (&entry.name, &entry.value);
        let mut finding = CHECK
            .finding(
                name,
                format!(
                    "`{}` is copied for every environment, and sets `{name}` to `{word}`",
                    file.path
                ),
            )
            .at(
                file.place(entry.name_span),
                format!("selects `{word}` in every copy"),
            );
        if let Some((script, span)) = copy {
            finding = finding.at(
                script.place(span),
                "copied here when the environment's own file is missing",
            );
        }
        if let Some(place) = wired {
            finding = finding.at(place, "each environment has a file of its own here");
        }
        let severity = if copy.is_some() {
            Severity::Critical
        } else {
            Severity::High
        };
        findings.push(
            finding
                .because(format!(
                    "a copy that nobody edits runs as `{word}`, in production too"
                ))
                .help(format!(
                    "remove `{name}` from the template: what starts the program should set it"
                ))
                .severity(severity)
                .confidence(Confidence::Medium),
        );
    }
}

/// A script that copies the template to a file whose name depends on the environment.
fn copying_script<'a>(
    survey: &'a Survey,
    template: &File,
) -> Option<(&'a File, ringfence_diagnostic::Span)> {
    survey.of_format(Format::Script).find_map(|script| {
        let Content::Script(actions) = &script.content else {
            return None;
        };
        let copy = actions.iter().find(|action| match &action.kind {
            Kind::CopyEnvFile { from, to } => {
                from.text.ends_with(template.name()) && to.text.contains('$')
            }
            _ => false,
        })?;
        Some((script, copy.span))
    })
}

/// Where Compose loads a file of each environment's own name from the template's folder, with no template of its own.
fn wired_by_name(survey: &Survey, template: &File) -> Option<ringfence_diagnostic::Place> {
    survey.wiring.compose.iter().find_map(|compose| {
        let file = survey.files.get(compose.file)?;
        let env_file = compose
            .service
            .env_files
            .iter()
            .find(|env_file| env_file.path.contains(".env.$"))?;
        (file.folder() == template.folder()).then(|| file.place(env_file.span))
    })
}
