//! The checks, one to a file, and the one registry of them.

mod ambiguous_environment_file;
mod ambiguous_value;
mod committed_secret;
mod debug_in_production;
mod duplicate_setting;
mod empty_environment;
mod exposed_diagnostics;
mod foreign_endpoint;
mod gitignore_gap;
mod hijacking_variable;
mod live_key_outside_production;
mod local_address_in_production;
mod missing_environment_file;
mod missing_setting;
mod partial_isolation;
mod placeholder_secret;
mod plain_http_in_production;
mod posture_inversion;
mod production_allowance;
mod production_inherits_default;
mod production_is_the_default;
mod recipients_differ;
mod seal_missing;
mod seal_refused;
mod secret_in_image;
mod selector_overwritten_by_file;
mod shadowed_value;
mod shared_data_key;
mod shared_resource;
mod shared_secret;
mod test_key_in_production;
mod two_selectors_disagree;
mod type_mismatch;
mod undeclared_setting;
mod unencrypted_secret;
mod unknown_environment_name;
mod unreadable_file;
mod weak_secret;
mod wrong_environment_wired;

use crate::check::Check;
use crate::finding::{Finding, Findings};
use crate::survey::Survey;

/// Every check, in the order in which `ringfence check --list` shows them: what runs the wrong reality first.
pub const REGISTRY: &[&Check] = &[
    &missing_environment_file::CHECK,
    &ambiguous_environment_file::CHECK,
    &selector_overwritten_by_file::CHECK,
    &unknown_environment_name::CHECK,
    &two_selectors_disagree::CHECK,
    &production_is_the_default::CHECK,
    &wrong_environment_wired::CHECK,
    &shared_resource::CHECK,
    &partial_isolation::CHECK,
    &shared_secret::CHECK,
    &shared_data_key::CHECK,
    &production_inherits_default::CHECK,
    &live_key_outside_production::CHECK,
    &test_key_in_production::CHECK,
    &posture_inversion::CHECK,
    &debug_in_production::CHECK,
    &exposed_diagnostics::CHECK,
    &local_address_in_production::CHECK,
    &foreign_endpoint::CHECK,
    &plain_http_in_production::CHECK,
    &production_allowance::CHECK,
    &placeholder_secret::CHECK,
    &weak_secret::CHECK,
    &unencrypted_secret::CHECK,
    &recipients_differ::CHECK,
    &seal_missing::CHECK,
    &seal_refused::CHECK,
    &committed_secret::CHECK,
    &gitignore_gap::CHECK,
    &secret_in_image::CHECK,
    &empty_environment::CHECK,
    &missing_setting::CHECK,
    &undeclared_setting::CHECK,
    &type_mismatch::CHECK,
    &shadowed_value::CHECK,
    &duplicate_setting::CHECK,
    &hijacking_variable::CHECK,
    &ambiguous_value::CHECK,
    &unreadable_file::CHECK,
];

/// The check of that id.
#[must_use]
pub fn named(id: &str) -> Option<&'static Check> {
    REGISTRY.iter().copied().find(|check| check.id == id)
}

/// What all checks find, worst first, then by file and place; what the files themselves ask to ignore is left out.
#[must_use]
pub fn run(survey: &Survey) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in REGISTRY {
        let mut found = Findings::default();
        (check.run)(survey, &mut found);
        let (kept, left_out) = found.into_parts();
        findings.extend(kept);
        findings.extend((left_out > 0).then(|| more(check, left_out)));
    }
    findings.retain(|finding| !survey.ignores(finding));
    let place = |finding: &Finding| {
        let first = finding.labels.first()?;
        Some((
            survey.sources.get(first.place.source)?.name(),
            first.place.span,
        ))
    };
    findings.sort_by(|one, other| {
        (other.severity, place(one), one.check, &one.subject).cmp(&(
            one.severity,
            place(other),
            other.check,
            &other.subject,
        ))
    });
    findings.dedup();
    findings
}

/// Says that findings of a check were left out.
fn more(check: &Check, left_out: usize) -> Finding {
    check
        .finding(
            "more",
            format!("{left_out} more findings of this check are not listed"),
        )
        .because("what is mended makes room for the next ones")
        .help("mend the ones that are listed first, or leave files out that are none of yours")
}
