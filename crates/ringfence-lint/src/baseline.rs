//! Findings that were there before: they do not block, new ones do.
//!
//! A baseline is a JSON file that people commit. It names findings by check, subject and files, not by lines, so that it
//! survives edits; it holds no value of any setting.

use std::collections::BTreeSet;

use ringfence_diagnostic::Sources;
use serde::{Deserialize, Serialize};

use crate::finding::Finding;

/// The version of the format that this library writes.
pub const VERSION: u32 = 1;

/// A set of known findings.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The format's version.
    pub version: u32,
    /// What is known, sorted.
    pub findings: BTreeSet<Known>,
}

/// A known finding.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The check's id.
    pub check: String,
    /// What it is about.
    pub subject: String,
    /// The files that it points to, each once.
    pub files: BTreeSet<String>,
}

impl Known {
    /// What a baseline remembers of a finding.
    #[must_use]
    pub fn of(finding: &Finding, sources: &Sources) -> Self {
        let files = finding
            .labels
            .iter()
            .filter_map(|label| sources.get(label.place.source));
        Self {
            check: finding.check.to_owned(),
            subject: finding.subject.clone(),
            files: files.map(|source| source.name().to_owned()).collect(),
        }
    }
}

impl Baseline {
    /// All of `findings`.
    #[must_use]
    pub fn of(findings: &[Finding], sources: &Sources) -> Self {
        Self {
            version: VERSION,
            findings: findings
                .iter()
                .map(|finding| Known::of(finding, sources))
                .collect(),
        }
    }

    /// Reads a baseline's text.
    ///
    /// # Errors
    /// In words, where the text is no baseline or one of a later version.
    pub fn read(text: &str) -> Result<Self, String> {
        let baseline: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if baseline.version == VERSION {
            Ok(baseline)
        } else {
            Err(format!(
                "its version is {}, this program reads {VERSION}",
                baseline.version
            ))
        }
    }

    /// The baseline's text, with a line end at its end.
    #[must_use]
    pub fn text(&self) -> String {
        // Maps and strings only: there is nothing in it that could fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Whether the finding was there before.
    #[must_use]
    pub fn knows(&self, finding: &Finding, sources: &Sources) -> bool {
        self.findings.contains(&Known::of(finding, sources))
    }
}
