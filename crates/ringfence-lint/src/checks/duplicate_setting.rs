//! One name, two values, one file.

use crate::check::Check;
use crate::finding::{Confidence, Findings, Severity};
use crate::layout::Format;
use crate::survey::Survey;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "duplicate-setting",
    about: "a file sets one name twice, to different values",
    page: include_str!("../../../../docs/book/src/checks/duplicate-setting.md"),
    severity: Severity::Medium,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for file in &survey.files {
        let which = if file.format == Format::Dotenv {
            "some loaders take the first value, others the last"
        } else {
            "some readers take the first value, others the last, others refuse the file"
        };
        for (name, first, again) in &file.repeated {
            findings.push(
                CHECK
                    .finding(name, format!("`{name}` is set twice in `{}`", file.path))
                    .at(file.place(*again), "again, with another value")
                    .at(file.place(*first), "first here")
                    .because(which)
                    .help("remove the line that is not meant"),
            );
        }
    }
}
