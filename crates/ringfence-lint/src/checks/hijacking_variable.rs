//! A variable that makes every program run other code.

use ringfence_model::variable;

use crate::check::Check;
use crate::finding::{Confidence, Findings, Severity};
use crate::layout::Format;
use crate::survey::Survey;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "hijacking-variable",
    about: "an env file sets a variable that changes which code programs load or run",
    page: include_str!("../../../../docs/book/src/checks/hijacking-variable.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

/// Options that only tune a runtime.
const TUNING: &[&str] = &[
    "--max-old-space-size",
    "--max_old_space_size",
    "--openssl-legacy-provider",
    "--dns-result-order",
    "--no-deprecation",
    "--no-warnings",
    "--trace-warnings",
    "--enable-source-maps",
    "--max-http-header-size",
    "-Xm",
    "-XX:",
    "-Dfile.encoding",
    "-Duser.timezone",
];

fn run(survey: &Survey, findings: &mut Findings) {
    for file in survey.of_format(Format::Dotenv) {
        for entry in survey.parts_of(file).flat_map(|part| &part.entries) {
            let name = &entry.name;
            let mut words = entry.value.split_whitespace();
            let only_tunes = words.all(|word| TUNING.iter().any(|start| word.starts_with(start)));
            let is_declared = survey
                .settings
                .iter()
                .flatten()
                .any(|one| one.name == *name);
            if !variable::hijacks(name) || only_tunes || is_declared {
                continue;
            }
            findings.push(
                CHECK
                    .finding(name, format!("`{name}` in `{}` changes which code runs", file.path))
                    .at(file.place(entry.name_span), "loaded into every program that is started")
                    .because("whoever may edit this file runs code in every program of the environment")
                    .help(format!("remove `{name}`; if it is meant, declare it in ringfence.toml under `[settings]`")),
            );
        }
    }
}
