//! Production runs on a value that was meant for development.

use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Format;
use crate::name;
use crate::survey::{Environment, Setting, Survey};
use crate::value::{self, Strength, strength};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "production-inherits-default",
    about: "a secret, address or test value of the base file reaches production, which does not replace it",
    page: include_str!("../../../../docs/book/src/checks/production-inherits-default.md"),
    severity: Severity::High,
    confidence: Confidence::Medium,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for family in survey
        .families
        .iter()
        .filter(|family| family.format != Format::Workflow)
    {
        for production in family
            .of_tier(Tier::Production)
            .filter(|one| !one.is_template)
        {
            let inherited = survey
                .settings(production)
                .filter(|setting| setting.inherited && is_deployed(survey, setting));
            for setting in inherited {
                findings.extend(finding(survey, production, &setting));
            }
        }
    }
}

/// A nested base file is part of the program; a `.env` is there only where the repository brings it.
fn is_deployed(survey: &Survey, setting: &Setting<'_>) -> bool {
    setting.file.format != Format::Dotenv || survey.is_shared_by_git(&setting.file.path)
}

/// Why a value is not production's.
enum Why {
    Secret,
    Local,
    TestAddress,
}

fn why(setting: &Setting<'_>) -> Option<Why> {
    let (about, value) = (&setting.entry.about, setting.entry.value.trim());
    let is_secret = about.secret(value) == Some(value) && about.credential.is_some();
    match strength(value) {
        Strength::Empty | Strength::Reference => return None,
        _ if is_secret => return Some(Why::Secret),
        _ => {}
    }
    let is_address = about.is_host || is_url_name(&setting.entry.name);
    let is_local = value::hosts(value, is_address)
        .into_iter()
        .any(value::is_local);
    if is_local && !about.is_about_this_machine && !about.is_origin_list {
        return Some(Why::Local);
    }
    let is_test_address = value.split_once('@').is_some_and(|(user, host)| {
        !user.contains([':', '/', ' '])
            && (user == "test" || host.starts_with("example.") || host == "test.com")
    });
    is_test_address.then_some(Why::TestAddress)
}

fn is_url_name(name: &str) -> bool {
    let words = name::words(name::last_key(name));
    words
        .last()
        .is_some_and(|last| ["URL", "URI", "HOST"].contains(&last.as_str()))
}

fn finding(survey: &Survey, production: &Environment, setting: &Setting<'_>) -> Option<Finding> {
    let why = why(setting)?;
    if is_supplied(survey, &setting.entry.about.canonical)
        || is_beside_supplied(survey, production, setting)
    {
        return None;
    }
    let name = &setting.entry.name;
    let (what, consequence, severity) = match why {
        Why::Secret => (
            "the secret",
            "production runs on a secret that is in the repository, the same as everywhere else",
            Severity::Critical,
        ),
        Why::Local => (
            "the local address",
            "production talks to itself instead of the service that is meant",
            Severity::High,
        ),
        Why::TestAddress => (
            "the test address",
            "production sends in the name of an address that is not its own",
            Severity::High,
        ),
    };
    let own = production
        .own
        .first()
        .and_then(|part| survey.file_of(survey.parts.get(*part)?));
    let finding = CHECK
        .finding(
            name,
            format!(
                "`{}` inherits {what} `{name}` from `{}`",
                production.name, setting.file.path
            ),
        )
        .at(setting.place(), "set for all environments");
    let finding = match own {
        Some(file) => finding.at(
            file.place(ringfence_diagnostic::Span::at(0)),
            "not set here",
        ),
        None => finding,
    };
    Some(
        finding
            .because(consequence)
            .help(format!(
                "set `{name}` for `{}`, and keep it out of the shared file",
                production.name
            ))
            .severity(severity),
    )
}

/// Whether a platform's file sets it for production: `APP_DATABASE__PASSWORD` is `database.password`.
fn is_supplied(survey: &Survey, canonical: &str) -> bool {
    survey.supplied.contains(canonical)
}

/// A password whose user and host production replaces comes from elsewhere as well.
fn is_beside_supplied(survey: &Survey, production: &Environment, setting: &Setting<'_>) -> bool {
    let Some((parent, _)) = setting.entry.name.rsplit_once('.') else {
        return false;
    };
    let switched_off = survey.setting(production, &format!("{parent}.enabled"));
    switched_off.is_some_and(|switch| value::truth(&switch.entry.value) == Some(false))
}
