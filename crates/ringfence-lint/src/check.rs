//! What a check is.

use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::survey::Survey;

/// A rule about a project's files.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its kebab-case name: the address of its page in the book.
    pub id: &'static str,
    /// What it looks for, in one line.
    pub about: &'static str,
    /// Its page in the book.
    pub page: &'static str,
    /// How much harm its findings usually can do.
    pub severity: Severity,
    /// How sure it usually is.
    pub confidence: Confidence,
    /// Looks at the project.
    pub run: fn(&Survey, &mut Findings),
}

impl Check {
    /// A finding of this check about `subject`.
    #[must_use]
    pub fn finding(&self, subject: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding {
            check: self.id,
            severity: self.severity,
            confidence: self.confidence,
            subject: subject.into(),
            message: message.into(),
            labels: Vec::new(),
            consequence: String::new(),
            help: Vec::new(),
            edits: Vec::new(),
        }
    }
}
