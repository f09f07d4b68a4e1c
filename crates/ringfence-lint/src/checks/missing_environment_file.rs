//! A file that an environment is started with does not exist.

use std::collections::HashSet;

use ringfence_model::tier::Tier;
use ringfence_syntax::compose::interpolation::{Otherwise, references};

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::{self, Format, Role};
use crate::survey::{ComposeService, File, Survey};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "missing-environment-file",
    about: "a file that an environment is started with does not exist, and nothing says how to make it",
    page: include_str!("../../../../docs/book/src/checks/missing-environment-file.md"),
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    let mut told = HashSet::new();
    for service in &survey.wiring.compose {
        let missing = of_service(survey, service).into_iter();
        findings.extend(missing.filter(|finding| told.insert(finding.subject.clone())));
    }
    findings.extend(
        survey
            .of_format(Format::Phpunit)
            .filter_map(|file| of_phpunit(survey, file)),
    );
}

fn of_service(survey: &Survey, compose: &ComposeService) -> Vec<Finding> {
    let Some(file) = survey.files.get(compose.file) else {
        return Vec::new();
    };
    let required = compose
        .service
        .env_files
        .iter()
        .filter(|env_file| env_file.required);
    required
        .filter(|env_file| env_file.span.of(survey.sources.text(file.source)).contains(&env_file.path))
        .filter_map(|env_file| {
            let is_known = |other| matches!(other, Otherwise::Default(_));
            if !references(&env_file.path).iter().all(|one| is_known(one.otherwise)) {
                return None;
            }
            let path = compose.env_file_path(survey, &env_file.path)?;
            is_nowhere(survey, &path).then(|| {
                let service = &compose.service.name;
                CHECK
                    .finding(&path, format!("service `{service}` loads `{path}`, which does not exist"))
                    .at(file.place(env_file.span), "loaded here")
                    .because("the service does not start on a fresh clone, or starts with somebody's leftover file")
                    .help(format!("add `{path}`, or a template `{path}.example` that says what belongs in it"))
            })
        })
        .collect()
}

/// Whether neither the file is there nor a template or an ignore rule that explains why it is not.
fn is_nowhere(survey: &Survey, path: &str) -> bool {
    let Some(layout) = layout::of(path).filter(|layout| layout.format == Format::Dotenv) else {
        return false;
    };
    if survey.is_there(path) || survey.is_git_ignored(path) {
        return false;
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let siblings = || {
        survey
            .in_folder(folder)
            .filter(|file| file.format == Format::Dotenv)
    };
    // What is sealed says how the plain one is made.
    let templates = siblings().any(|file| file.is_template() || file.is_sealed());
    let others = siblings().any(|file| matches!(file.role, Role::Environment(_)));
    !templates
        && (siblings().next().is_none() || (others && matches!(layout.role, Role::Environment(_))))
}

/// Laravel's tests fall back to `.env`, and with it to the database of development, where `.env.testing` is missing.
fn of_phpunit(survey: &Survey, file: &File) -> Option<Finding> {
    let is_database = |name: &str| name.starts_with("DB_") || name == "DATABASE_URL";
    let entries = || survey.parts_of(file).flat_map(|part| &part.entries);
    let selector = entries().find(|entry| {
        entry.name == "APP_ENV" && survey.tier(&entry.value) == Some(Tier::Testing)
    })?;
    let overrides = entries().any(|entry| is_database(&entry.name));
    let siblings: Vec<&File> = survey
        .in_folder(file.folder())
        .filter(|other| other.format == Format::Dotenv)
        .collect();
    let has_own = siblings
        .iter()
        .any(|other| matches!(&other.role, Role::Environment(word) | Role::Template(Some(word)) if survey.tier(word) == Some(Tier::Testing)));
    let fallback = siblings.iter().find(|other| {
        let names = survey.parts_of(other).flat_map(|part| &part.entries);
        matches!(other.role, Role::Shared | Role::Template(None))
            && names.into_iter().any(|entry| is_database(&entry.name))
    })?;
    if overrides || has_own {
        return None;
    }
    Some(
        CHECK
            .finding(".env.testing", "the tests name no database of their own, and `.env.testing` does not exist")
            .at(file.place(selector.name_span), "the tests' environment")
            .at(file_start(fallback), "what they fall back to")
            .because("the test run migrates and empties the database that `.env` names")
            .help("add `.env.testing` with a database of its own, or set `DB_DATABASE` in phpunit.xml")
        .severity(Severity::High),
    )
}

fn file_start(file: &File) -> ringfence_diagnostic::Place {
    file.place(ringfence_diagnostic::Span::at(0))
}
