//! A file that the other checks could not look at, or not to its end.

use ringfence_diagnostic::Span;

use crate::check::Check;
use crate::finding::{Confidence, Findings, Severity};
use crate::survey::{File, Survey};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "unreadable-file",
    about: "a configuration file cannot be read, or not to its end, so nothing is known of it",
    page: include_str!("../../../../docs/book/src/checks/unreadable-file.md"),
    severity: Severity::Low,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for (path, why) in &survey.unread {
        let finding = CHECK.finding(path, format!("`{path}` was not read: {why}"));
        let is_sealed = survey.file(path).is_some_and(File::is_sealed);
        let finding = if is_sealed {
            finding
                .because("nothing is started with it, and no other check has looked at it")
                .help("take it from git again, or from whoever sealed it")
                .severity(Severity::High)
        } else {
            finding
            .because("no other check has looked at it")
            .help("mend the file; what is none of the project's own belongs into a folder such as `vendor` or `fixtures`")
        };
        findings.push(match survey.file(path) {
            Some(file) => finding.at(file.place(Span::at(0)), ""),
            None => finding,
        });
    }
}
