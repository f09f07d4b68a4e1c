//! Two sources, and the one that people edit loses.

use ringfence_syntax::compose::Variable;
use ringfence_syntax::compose::interpolation::{Otherwise, sole_reference};

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::{Format, Role};
use crate::name;
use crate::survey::{ComposeService, File, Survey};
use crate::value::is_reference;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "shadowed-value",
    about: "a value in an env file never counts, because another source beats it",
    page: include_str!("../../../../docs/book/src/checks/shadowed-value.md"),
    severity: Severity::Medium,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for compose in &survey.wiring.compose {
        let own = survey
            .files
            .get(compose.file)
            .map(|file| (file, survey.sources.text(file.source)));
        let Some((file, text)) = own.filter(|_| !compose.service.env_files.is_empty()) else {
            continue;
        };
        for variable in &compose.service.environment {
            let is_here = variable.name_span.of(text) == variable.name
                && name::selector(&variable.name).is_none();
            findings.extend(
                is_here
                    .then(|| shadows(survey, compose, file, variable))
                    .flatten(),
            );
        }
    }
    findings.extend(
        survey
            .of_format(Format::Phpunit)
            .flat_map(|file| of_phpunit(survey, file)),
    );
}

fn shadows(
    survey: &Survey,
    compose: &ComposeService,
    file: &File,
    variable: &Variable,
) -> Option<Finding> {
    let value = variable.value.as_deref()?;
    let reference = sole_reference(value);
    let default = reference
        .as_ref()
        .and_then(|reference| match reference.otherwise {
            Otherwise::Default(default) if reference.name == variable.name => Some(default),
            _ => None,
        });
    match default {
        Some(default) => of_default(survey, compose, file, (variable, default)),
        None if !is_reference(value) => of_literal(survey, compose, file, (variable, value)),
        None => None,
    }
}

/// `NAME: ${NAME:-default}` beside an env file: Compose looks for the name in the shell and in `.env`, never in the
/// service's env file, so the default beats what is written there.
fn of_default(
    survey: &Survey,
    compose: &ComposeService,
    file: &File,
    (variable, default): (&Variable, &str),
) -> Option<Finding> {
    let name = &variable.name;
    let is_secret = name::credential(name).is_some();
    let env_file = compose.service.env_files.last()?;
    let path = compose.env_file_path(survey, &env_file.path)?;
    // `.env` beside the Compose file is where Compose looks for the name itself: then nothing is shadowed.
    let only_dotenv = compose
        .service
        .env_files
        .iter()
        .all(|env_file| ["./.env", ".env"].contains(&env_file.path.as_str()));
    let in_file = survey.file(&path).and_then(|other| {
        let entry = survey
            .parts_of(other)
            .flat_map(|part| &part.entries)
            .find(|entry| entry.name == *name)?;
        Some((other.place(entry.name_span), entry.value == default))
    });
    if in_file.is_some_and(|(_, says_the_same)| says_the_same) {
        return None;
    }
    // Without the env file at hand, only a secret's default is worth a word: it is what nobody means to run on.
    if only_dotenv || (in_file.is_none() && (!is_secret || default.is_empty())) {
        return None;
    }
    let severity = match (is_secret, default.is_empty()) {
        (true, false) => Severity::Critical,
        _ => Severity::Medium,
    };
    let finding = CHECK
        .finding(
            name,
            format!(
                "the default of `{name}` in `environment` beats `{}`",
                env_file.path
            ),
        )
        .at(
            file.place(variable.name_span),
            "wins, with the default that is written here",
        )
        .at(
            file.place(env_file.span),
            "loses: `environment` stands above `env_file`",
        );
    let finding = match in_file {
        Some((place, _)) => finding.at(place, "never counts"),
        None => finding,
    };
    let consequence = if is_secret {
        "every environment runs on the secret in this file unless the shell that starts Compose exports another"
    } else {
        "an edit to the env file changes nothing"
    };
    Some(
        finding
            .because(consequence)
            .help(format!(
                "remove `{name}` from `environment`, so that the env file counts"
            ))
            .help(format!(
                "or write `${{{name}:?}}`, which refuses to start without a value"
            ))
            .severity(severity),
    )
}

/// `NAME: value` beside an env file that says something else.
fn of_literal(
    survey: &Survey,
    compose: &ComposeService,
    file: &File,
    (variable, value): (&Variable, &str),
) -> Option<Finding> {
    let name = &variable.name;
    // An override file is there to overrule.
    if compose.base.is_some() {
        return None;
    }
    let (other, entry) = compose
        .service
        .env_files
        .iter()
        .rev()
        .find_map(|env_file| {
            let other = survey.file(&compose.env_file_path(survey, &env_file.path)?)?;
            let entry = survey
                .parts_of(other)
                .flat_map(|part| &part.entries)
                .find(|entry| entry.name == *name)?;
            Some((other, entry))
        })?;
    // An address of the containers' network in the place of the host's is why people write it so.
    let is_address = crate::value::hosts(value, name::is_host(name))
        .iter()
        .any(|host| crate::value::is_internal(host));
    if entry.value == value || is_address || matches!(other.role, Role::Template(_)) {
        return None;
    }
    Some(
        CHECK
            .finding(
                name,
                format!(
                    "`{name}` of `{}` never counts in service `{}`",
                    other.path, compose.service.name
                ),
            )
            .at(other.place(entry.name_span), "never counts")
            .at(
                file.place(variable.name_span),
                "wins: `environment` stands above `env_file`",
            )
            .because("an edit to the env file changes nothing")
            .help("keep the setting in one of the two places"),
    )
}

/// `phpunit.xml` beats `.env.testing`.
fn of_phpunit(survey: &Survey, file: &File) -> Vec<Finding> {
    let testing = survey.of_format(Format::Dotenv).find(|other| {
        other.folder() == file.folder()
            && matches!(&other.role, Role::Environment(word) if word == "testing" || word == "test")
    });
    let Some(testing) = testing else {
        return Vec::new();
    };
    let winners: Vec<_> = survey
        .parts_of(file)
        .flat_map(|part| &part.entries)
        .collect();
    let losers = survey.parts_of(testing).flat_map(|part| &part.entries);
    losers
        .filter_map(|loser| {
            let winner = winners
                .iter()
                .find(|winner| winner.name == loser.name && winner.value != loser.value)?;
            let name = &loser.name;
            Some(
                CHECK
                    .finding(name, format!("`{name}` of `{}` never counts", testing.path))
                    .at(testing.place(loser.name_span), "never counts")
                    .at(
                        file.place(winner.name_span),
                        "wins: set before the file is read",
                    )
                    .because("an edit to the env file changes nothing in the tests")
                    .help("keep the setting in one of the two places"),
            )
        })
        .collect()
}
