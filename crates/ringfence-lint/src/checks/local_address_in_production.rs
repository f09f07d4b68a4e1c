//! Production talks to itself.

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::survey::{Environment, Setting, Survey};
use crate::value::{self, truth};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "local-address-in-production",
    about: "production's own file names localhost as a resource or as its own public address",
    page: include_str!("../../../../docs/book/src/checks/local-address-in-production.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    let settings = survey.production_settings();
    let local = settings.filter(|(production, setting)| is_local(survey, production, setting));
    findings.extend(local.map(|(production, setting)| finding(production, &setting)));
}

fn finding(production: &Environment, setting: &Setting<'_>) -> Finding {
    let name = &setting.entry.name;
    let (severity, confidence) = if production.is_template {
        (Severity::Medium, Confidence::Medium)
    } else {
        (CHECK.severity, CHECK.confidence)
    };
    CHECK
        .finding(name, format!("`{name}` of `{}` is on this machine", production.name))
        .at(setting.place(), "a local address")
        .because("production looks for the service beside itself, or sends its users to their own machines")
        .help(format!("name the host that is meant, or leave `{name}` empty so that a missing one is noticed"))
        .severity(severity)
        .confidence(confidence)
}

fn is_local(survey: &Survey, production: &Environment, setting: &Setting<'_>) -> bool {
    let (about, value) = (&setting.entry.about, setting.entry.value.trim());
    if about.is_about_this_machine || about.is_origin_list || value.contains("${") {
        return false;
    }
    // A list with other hosts in it lets this machine in, too; it does not send anybody there.
    // A template's database and cache may well be on the one machine that everything is installed on.
    if production.is_template && !value.starts_with("http") {
        return false;
    }
    let hosts = setting.entry.hosts();
    !hosts.is_empty()
        && hosts.iter().all(|host| value::is_local(host))
        && !is_switched_off(survey, production, setting)
}

/// Whether `enabled: false` stands beside it.
fn is_switched_off(survey: &Survey, production: &Environment, setting: &Setting<'_>) -> bool {
    let name = &setting.entry.name;
    let beside = name
        .rsplit_once('.')
        .map(|(parent, _)| format!("{parent}.enabled"));
    let upper = name
        .rsplit_once('_')
        .map(|(prefix, _)| format!("{prefix}_ENABLED"));
    [beside, upper]
        .into_iter()
        .flatten()
        .filter_map(|switch| survey.setting(production, &switch))
        .any(|switch| truth(&switch.entry.value) == Some(false))
}
