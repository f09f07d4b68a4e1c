//! Production talks over a wire that everybody can read.

use ringfence_model::value::endpoint::Url;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::survey::{Environment, Setting, Survey};
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "plain-http-in-production",
    about: "production uses http:// for a host on the public network",
    page: include_str!("../../../../docs/book/src/checks/plain-http-in-production.md"),
    severity: Severity::Medium,
    confidence: Confidence::Medium,
    run,
};

/// Hosts that only name things: nobody connects to them.
const NAMES_ONLY: &[&str] = &[
    "www.w3.org",
    "schemas.xmlsoap.org",
    "schemas.microsoft.com",
    "schema.org",
    "json-schema.org",
    "purl.org",
    "xmlns.com",
    "java.sun.com",
];

fn run(survey: &Survey, findings: &mut Findings) {
    findings.extend(
        survey
            .production_settings()
            .filter_map(|(production, setting)| finding(production, &setting)),
    );
}

fn finding(production: &Environment, setting: &Setting<'_>) -> Option<Finding> {
    plain_host(setting)?;
    let name = &setting.entry.name;
    let severity = if production.is_template {
        Severity::Low
    } else {
        CHECK.severity
    };
    Some(
        CHECK
            .finding(
                name,
                format!(
                    "`{name}` of `{}` reaches a public host without TLS",
                    production.name
                ),
            )
            .at(setting.place(), "http://")
            .because("everyone between the two reads and changes what is said, keys included")
            .help("write https:// if the host answers to it")
            .severity(severity),
    )
}

fn plain_host<'a>(setting: &Setting<'a>) -> Option<&'a str> {
    let url = Url::parse(setting.entry.value.trim()).filter(|url| url.scheme == "http")?;
    let words = &setting.entry.about.words;
    let is_proxy = words
        .iter()
        .any(|word| ["PROXY", "NAMESPACE", "SCHEMA", "XMLNS"].contains(&word.as_str()));
    let host = value::hosts(setting.entry.value.trim(), false)
        .into_iter()
        .next()?;
    let is_public = !value::is_internal(host)
        && !NAMES_ONLY.contains(&host)
        && !host
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_real = !host.contains("example")
        && !value::is_reference(url.hosts)
        && !value::is_placeholder(host);
    (is_public && is_real && !is_proxy).then_some(host)
}
