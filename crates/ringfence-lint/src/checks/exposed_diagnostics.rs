//! Endpoints that show a running program's settings are open.

use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Findings, Severity};
use crate::layout::Role;
use crate::survey::{Setting, Survey};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "exposed-diagnostics",
    about: "endpoints that show settings, memory or threads are exposed where production sees them",
    page: include_str!("../../../../docs/book/src/checks/exposed-diagnostics.md"),
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    run,
};

/// Spring Boot's endpoints that answer with settings, memory or a way to change either (its reference, "Actuator"), and
/// with secrets among them.
const GRAVE: &[&str] = &["*", "configprops", "env", "heapdump", "jolokia", "shutdown"];

fn run(survey: &Survey, findings: &mut Findings) {
    for family in &survey.families {
        let production = family.of_tier(Tier::Production).next();
        let settings: Vec<Setting<'_>> = production
            .map(|one| survey.settings(one).collect())
            .unwrap_or_default();
        let exposed: Vec<(&Setting<'_>, Vec<&str>)> = settings
            .iter()
            .filter(|setting| setting.entry.about.canonical.ends_with("EXPOSURE_INCLUDE"))
            .map(|setting| (setting, grave(&setting.entry.value)))
            .filter(|(_, endpoints)| !endpoints.is_empty())
            .collect();
        let Some((first, _)) = exposed.first() else {
            continue;
        };
        let mut endpoints: Vec<&str> = exposed
            .iter()
            .flat_map(|(_, endpoints)| endpoints.iter().copied())
            .collect();
        endpoints.dedup();
        let scope = if first.inherited && first.part.role == Role::Shared {
            "in every environment"
        } else {
            "in production"
        };
        findings.push(
            CHECK
                .finding("management.endpoints.web.exposure.include", format!("the endpoints {} are exposed {scope}", quoted(&endpoints)))
                .at(first.place(), "exposed here")
                .because("who reaches the management port reads settings, secrets that are not masked, and memory")
                .help("expose `health` and `info` only, and add others where the port is closed to the world"),
        );
    }
}

fn grave(value: &str) -> Vec<&str> {
    value
        .split(',')
        .map(|endpoint| endpoint.trim().trim_matches(['"', '\'']))
        .filter(|endpoint| GRAVE.contains(endpoint))
        .collect()
}

fn quoted(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
