//! A place, or several, where the project's files say what nobody meant.

use ringfence_diagnostic::{Diagnostic, Label, Place};

/// How much harm a finding can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth tidying.
    Low,
    /// Will mislead somebody.
    Medium,
    /// Breaks an environment, or opens it.
    High,
    /// Loses data, leaks a secret, or runs the wrong reality.
    Critical,
}

/// How sure a check is that a finding is a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// There are good reasons to do it.
    Low,
    /// There may be a reason that the files do not show.
    Medium,
    /// The files contradict themselves.
    High,
}

impl Severity {
    /// All, least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// One step less; never less than low.
    #[must_use]
    pub const fn lowered(self) -> Self {
        match self {
            Self::Critical => Self::High,
            Self::High => Self::Medium,
            Self::Medium | Self::Low => Self::Low,
        }
    }
}

impl Confidence {
    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A text that takes another's place and changes nothing for a loader that read the file as it was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced.
    pub place: Place,
    /// By what.
    pub replacement: String,
}

/// One place of the project where a check does not hold.
///
/// Its texts hold names and paths, never a value, but for words that name environments, misspelt ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check's id.
    pub check: &'static str,
    /// How much harm it can do.
    pub severity: Severity,
    /// How sure the check is.
    pub confidence: Confidence,
    /// What it is about: a setting, a file, a service. Together with the check and the files it names the finding
    /// across changes of the files.
    pub subject: String,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// Where; the first is the place to go to.
    pub labels: Vec<Label>,
    /// What follows, in one sentence.
    pub consequence: String,
    /// What mends it, best first.
    pub help: Vec<String>,
    /// What `--fix` would write.
    pub edits: Vec<Edit>,
}

impl Finding {
    /// Adds a place; the first one added is the one to go to.
    #[must_use]
    pub fn at(mut self, place: Place, text: impl Into<String>) -> Self {
        let text = text.into();
        self.labels.push(Label { place, text });
        self
    }

    /// Says what follows.
    #[must_use]
    pub fn because(mut self, consequence: impl Into<String>) -> Self {
        self.consequence = consequence.into();
        self
    }

    /// Adds a way to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Another severity than the check's usual one.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Another confidence than the check's usual one.
    #[must_use]
    pub fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// Adds what `--fix` would write.
    #[must_use]
    pub fn edit(mut self, place: Place, replacement: impl Into<String>) -> Self {
        let replacement = replacement.into();
        self.edits.push(Edit { place, replacement });
        self
    }

    /// The finding in the words of diagnostics, for rendering.
    #[must_use]
    pub fn to_diagnostic(&self) -> Diagnostic {
        let diagnostic = match self.severity {
            Severity::Critical | Severity::High => Diagnostic::error(self.check, &self.message),
            Severity::Medium | Severity::Low => Diagnostic::warning(self.check, &self.message),
        };
        let diagnostic = diagnostic.because(&self.consequence);
        let labelled = self.labels.iter().fold(diagnostic, |diagnostic, label| {
            diagnostic.at(label.place, &label.text)
        });
        self.help
            .iter()
            .fold(labelled, |diagnostic, help| diagnostic.help(help))
    }
}

/// The findings of one check. Of very many only the first are kept, so that a hostile file costs no more than an honest one.
#[derive(Debug, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    left_out: usize,
}

impl Findings {
    /// How many findings of one check are kept.
    pub const MOST: usize = 1000;

    /// Takes a finding in.
    pub fn push(&mut self, finding: Finding) {
        if self.kept.len() < Self::MOST {
            self.kept.push(finding);
        } else {
            self.left_out += 1;
        }
    }

    /// Takes several in.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }

    /// What was kept, and how many were not.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Finding>, usize) {
        (self.kept, self.left_out)
    }
}
