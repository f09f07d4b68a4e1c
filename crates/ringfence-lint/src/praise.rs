//! What a project does right, in a few sentences: people who are told only what is wrong stop listening.

use ringfence_model::tier::Tier;
use ringfence_model::value::endpoint::Url;

use crate::finding::Finding;
use crate::layout::{Format, Role};
use crate::name::Resource;
use crate::survey::{Entry, Environment, File, Survey};
use crate::value::Strength;

/// Findings of none of these checks, where the project has what they look at and all of it was read, deserve a sentence.
/// One without checks says what is there, whatever else is.
struct Praise {
    checks: &'static [&'static str],
    applies: fn(&Survey) -> bool,
    sentence: &'static str,
}

const PRAISES: &[Praise] = &[
    Praise {
        checks: &["shared-resource", "partial-isolation"],
        applies: |survey| {
            have_several(survey, |entry| {
                Url::parse(&entry.value)
                    .is_some_and(|url| Resource::of_scheme(url.scheme).is_some())
            })
        },
        sentence: "no two environments share a database, cache, queue, bucket or index",
    },
    Praise {
        checks: &["shared-secret"],
        applies: |survey| have_several(survey, |entry| entry.strength == Some(Strength::Strong)),
        sentence: "no two environments share a secret",
    },
    Praise {
        checks: &["live-key-outside-production"],
        applies: |survey| {
            survey
                .environments()
                .any(|(_, one)| one.tier < Tier::Production)
        },
        sentence: "no live key outside production",
    },
    Praise {
        checks: &["debug-in-production", "posture-inversion"],
        applies: has_production,
        sentence: "production is as careful as every environment below it",
    },
    Praise {
        checks: &[
            "local-address-in-production",
            "foreign-endpoint",
            "production-inherits-default",
        ],
        applies: has_production,
        sentence: "production names its own hosts",
    },
    Praise {
        checks: &["gitignore-gap", "committed-secret"],
        applies: ignores_env_files,
        sentence: "git ignores every env file",
    },
    Praise {
        checks: &[],
        applies: |survey| {
            survey
                .of_format(Format::Dotenv)
                .any(|file| file.is_template())
        },
        sentence: "a template says what a new colleague has to fill in",
    },
];

/// The sentences; `found` is what all checks find.
#[must_use]
pub fn of(survey: &Survey, found: &[Finding]) -> Vec<&'static str> {
    let is_whole = survey.is_read_whole();
    let is_clean = |checks: &[&str]| {
        let nothing_found = !found.iter().any(|finding| checks.contains(&finding.check));
        checks.is_empty() || is_whole && nothing_found && is_known_of_sealed(survey, checks)
    };
    let deserved = PRAISES
        .iter()
        .filter(|praise| (praise.applies)(survey) && is_clean(praise.checks));
    deserved.map(|praise| praise.sentence).collect()
}

/// Whether checks look at all that sealed files hold, so that what was not found is not there.
fn is_known_of_sealed(survey: &Survey, checks: &[&str]) -> bool {
    /// Those that need no value.
    const CLOSED: &[&str] = &["gitignore-gap", "committed-secret"];
    /// Those to which an opened value says enough of itself.
    const OPENED: &[&str] = &["shared-secret", "live-key-outside-production"];
    let are_all = |known: &[&str]| checks.iter().all(|check| known.contains(check));
    let has_sealed = survey.files.iter().any(File::is_sealed);
    !has_sealed || are_all(CLOSED) || are_all(OPENED) && survey.closed_files().next().is_none()
}

/// Whether two environments of one program both have settings of a kind, so that there was something to compare.
fn have_several(survey: &Survey, is_of_kind: impl Fn(&Entry) -> bool) -> bool {
    let has = |environment: &Environment| {
        let mut own = survey
            .settings(environment)
            .filter(|setting| !setting.inherited);
        own.any(|setting| is_of_kind(setting.entry))
    };
    survey
        .families
        .iter()
        .any(|family| family.environments.iter().filter(|one| has(one)).count() > 1)
}

fn has_production(survey: &Survey) -> bool {
    survey.productions().next().is_some()
}

fn ignores_env_files(survey: &Survey) -> bool {
    let is_filled_in = |role: &Role| !matches!(role, Role::Template(_));
    let mut files = survey
        .of_format(Format::Dotenv)
        .filter(|file| is_filled_in(&file.role) && !file.is_sealed())
        .peekable();
    files.peek().is_some() && files.all(|file| survey.is_git_ignored(&file.path))
}

#[cfg(test)]
mod tests {
    use ringfence_diagnostic::Sources;

    use super::*;
    use crate::checks;
    use crate::survey::{Input, RawFile};

    const TEMPLATE: &str = "a template says what a new colleague has to fill in";

    /// What is said of a project that is right in everything, with one more file.
    fn check(path: &str, text: Result<&str, &str>, expected: &[&str]) {
        let mut files = vec![
            (".gitignore", Ok(".env.*\n!.env.example\n")),
            (".env.example", Ok("DATABASE_URL=\nAPI_TOKEN=\n")),
            (
                ".env.dev",
                Ok("DATABASE_URL=postgres://localhost/app\nAPI_TOKEN=kR9vXw2mQpL8tZs4YdBf6NhJ\n"),
            ),
            (
                ".env.prod",
                Ok("DATABASE_URL=postgres://db.shop.net/app\nAPI_TOKEN=Wq3Tn7GcVb5XzLm9RjKp2HsD\n"),
            ),
        ];
        files.push((path, text));
        let files = files.into_iter().map(|(path, text)| RawFile {
            path: path.to_owned(),
            text: text.map(str::to_owned).map_err(str::to_owned),
        });
        let input = Input {
            files: files.collect(),
            ..Input::default()
        };
        let survey = Survey::of(input, Sources::new());
        let sentences = of(&survey, &checks::run(&survey));
        assert_eq!(sentences, expected, "{path} {text:?}");
    }

    #[test]
    fn what_was_not_read_is_not_said_to_be_free_of_anything() {
        let all: Vec<&str> = PRAISES.iter().map(|praise| praise.sentence).collect();
        check("config/app.yml", Ok("a: '{{ b }}'\n"), &all);
        check(".env.staging", Err("it is larger than 5 MiB"), &[TEMPLATE]);
        check("config/app.yml", Ok("a: \"b\n"), &[TEMPLATE]);
        for open in ["<% if a %>", "{{ a", "{% if a %}"] {
            check(
                "config/app.yml",
                Ok(&format!("a: \"b\n{open}\n")),
                &[TEMPLATE],
            );
        }
    }
}
