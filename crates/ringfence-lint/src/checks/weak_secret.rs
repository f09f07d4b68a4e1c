//! A secret of production that everybody could guess.

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Format;
use crate::name;
use crate::survey::{Environment, Setting, Survey};
use crate::value::Strength;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "weak-secret",
    about: "a secret of production is short, made of plain words, or empty where there is a user",
    page: include_str!("../../../../docs/book/src/checks/weak-secret.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    let settings = survey.production_settings();
    findings
        .extend(settings.filter_map(|(production, setting)| finding(survey, production, &setting)));
}

fn finding(survey: &Survey, production: &Environment, setting: &Setting<'_>) -> Option<Finding> {
    let name = &setting.entry.name;
    let what = match setting.entry.strength? {
        Strength::Weak => "is short or easy to guess",
        Strength::Empty if is_used_empty(survey, production, setting) => {
            "is empty, though there is a user"
        }
        _ => return None,
    };
    let severity = if production.is_template {
        Severity::Medium
    } else {
        CHECK.severity
    };
    Some(
        CHECK
            .finding(
                name,
                format!(
                    "{} of `{}` {what}",
                    setting.entry.secret_in_words(),
                    production.name
                ),
            )
            .at(setting.place(), what)
            .because("whoever tries the usual words is let in")
            .help("make a new one, for example with `openssl rand -base64 32`")
            .severity(severity),
    )
}

/// Whether a user's name that means power stands beside an empty password. Where people or Compose are to fill it in, an
/// empty one is right: nothing starts with it.
fn is_used_empty(survey: &Survey, production: &Environment, setting: &Setting<'_>) -> bool {
    const POWERFUL: &[&str] = &["root", "admin", "postgres", "sa", "administrator"];
    if production.is_template || setting.file.format == Format::Compose {
        return false;
    }
    let name = &setting.entry.name;
    let is_password = name::last_key(name)
        .to_ascii_lowercase()
        .ends_with("password");
    let names = ["username", "user", "USER", "USERNAME"];
    let Some(stem) = name
        .get(..name.len().saturating_sub("password".len()))
        .filter(|_| is_password)
    else {
        return false;
    };
    names
        .iter()
        .filter_map(|user| survey.setting(production, &format!("{stem}{user}")))
        .any(|user| POWERFUL.contains(&user.entry.value.as_str()))
}
