//! Production's gateway is allowed what production should not do.

use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Findings, Severity};
use crate::survey::Survey;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "production-allowance",
    about: "the manifest allows production's gateway to do without limits, to keep full records, or to answer with a mock",
    page: include_str!("../../../../docs/book/src/checks/production-allowance.md"),
    severity: Severity::Low,
    confidence: Confidence::Low,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    if !survey.declares(Tier::Production) {
        return;
    }
    for (word, place) in &survey.allowances {
        let Some((consequence, help)) = told(word) else {
            continue;
        };
        findings.push(
            CHECK
                .finding(word, format!("`allow` lets production's gateway start against the rule that `{word}` names"))
                .at(*place, "allowed in production")
                .because(consequence)
                .help(help)
                .help("where it is meant, say why: `# ringfence: ignore[production-allowance] …`"),
        );
    }
}

/// What follows from an allowance, and what makes it needless.
fn told(word: &str) -> Option<(&'static str, &'static str)> {
    Some(match word {
        "no-limits" => (
            "one caller can use up what all live from",
            "give each resource `limits`, and remove `no-limits`",
        ),
        "full-records" => (
            "what real people write is kept in files",
            "record `metadata` in production, and remove `full-records`",
        ),
        "mock" => (
            "real people may get made-up answers",
            "put the address of a real upstream there, and remove `mock`",
        ),
        _ => return None,
    })
}
