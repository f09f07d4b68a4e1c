//! What `check` prints, in each of its formats.

use ringfence_diagnostic::render::{self, Ranked, Rule, human_ranked, without_controls};
use ringfence_diagnostic::{Diagnostic, Position};
use ringfence_lint::baseline::{Baseline, Known};
use ringfence_lint::check::Check;
use ringfence_lint::checks::REGISTRY;
use ringfence_lint::finding::{Confidence, Finding, Severity};
use ringfence_lint::praise;
use ringfence_lint::survey::Survey;
use ringfence_model::tier::same_word;
use serde::Serialize;

use crate::args::{self, Format};
use crate::failure::Failure;
use crate::output::{Output, Tone};

/// What was found, ready to be printed.
pub(super) struct Report<'a> {
    survey: &'a Survey,
    /// What all checks find, whatever its severity.
    found: &'a [Finding],
    findings: Vec<(&'a Finding, Diagnostic, Option<bool>)>,
}

/// A finding as `--json` prints it; described by `docs/check.schema.json`.
#[derive(Serialize)]
struct FindingRecord<'a> {
    check: &'static str,
    severity: Severity,
    confidence: Confidence,
    subject: &'a str,
    message: &'a str,
    places: Vec<PlaceRecord<'a>>,
    consequence: &'a str,
    help: &'a [String],
    fixable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<bool>,
}

#[derive(Serialize)]
struct PlaceRecord<'a> {
    file: &'a str,
    start: Position,
    end: Position,
    label: &'a str,
}

#[derive(Serialize)]
struct Record<'a> {
    version: u32,
    environments: Vec<EnvironmentRecord<'a>>,
    findings: Vec<FindingRecord<'a>>,
    right: Vec<&'static str>,
    files: usize,
}

#[derive(Serialize)]
struct EnvironmentRecord<'a> {
    name: &'a str,
    tier: &'static str,
    family: &'a str,
    template: bool,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        survey: &'a Survey,
        found: &'a [Finding],
        least: Severity,
        baseline: Option<&Baseline>,
    ) -> Self {
        let with_state = |finding: &'a Finding| {
            let known = baseline.map(|baseline| baseline.knows(finding, &survey.sources));
            (finding, finding.to_diagnostic(), known)
        };
        let counted = found.iter().filter(|finding| finding.severity >= least);
        Self {
            survey,
            found,
            findings: counted.map(with_state).collect(),
        }
    }

    /// The findings that block.
    fn new_findings(&self) -> impl Iterator<Item = &(&'a Finding, Diagnostic, Option<bool>)> {
        self.findings
            .iter()
            .filter(|(_, _, known)| *known != Some(true))
    }

    /// Whether any finding blocks.
    pub(super) fn blocks(&self) -> bool {
        self.new_findings().next().is_some()
    }

    pub(super) fn print(
        &self,
        arguments: &args::Check,
        output: &mut Output,
    ) -> Result<u8, Failure> {
        match arguments.format() {
            Format::Human => output.print(&self.human(arguments.verbose, output)),
            Format::Json => output.print_json(&self.record()),
            Format::Sarif => output.print_json(&self.sarif()),
            Format::Github => output.print(&self.github()),
        }
    }

    fn human(&self, verbose: bool, output: &Output) -> String {
        const MOST: usize = 200;
        let mut text = String::new();
        let style = output.data_style();
        for (finding, diagnostic, _) in self.new_findings().take(MOST) {
            let severity = finding.severity.name();
            text.push_str(&human_ranked(
                diagnostic,
                severity,
                &self.survey.sources,
                style,
            ));
            text.push_str("\n\n");
        }
        let more = self.new_findings().count().saturating_sub(MOST);
        if more > 0 {
            text.push_str(&format!(
                "{more} more, not shown here; `--format json` has them all\n\n"
            ));
        }
        if verbose {
            text.push_str(&self.what_is_right(output));
        }
        text.push_str(&self.summary(output));
        text
    }

    fn what_is_right(&self, output: &Output) -> String {
        let mut text = String::new();
        for line in praise::of(self.survey, self.found) {
            text.push_str(&format!("{} {}\n", output.data(Tone::Good, "right:"), line));
        }
        for file in &self.survey.files {
            text.push_str(&format!(
                "{} {}\n",
                output.data(Tone::Quiet, "read:"),
                without_controls(&file.path)
            ));
        }
        for file in self.survey.closed_files() {
            text.push_str(&format!(
                "{} {}: no key at hand opens it, so its values were compared with none\n",
                output.data(Tone::Quiet, "closed:"),
                without_controls(&file.path)
            ));
        }
        text
    }

    fn summary(&self, output: &Output) -> String {
        let count = |severity| {
            self.new_findings()
                .filter(|(finding, _, _)| finding.severity == severity)
                .count()
        };
        let counts = Severity::ALL.iter().rev().filter_map(|severity| {
            let count = count(*severity);
            (count > 0).then(|| format!("{count} {}", severity.name()))
        });
        let counts: Vec<String> = counts.collect();
        let known = self.findings.len() - self.new_findings().count();
        let known = if known > 0 {
            format!(", {known} in the baseline")
        } else {
            String::new()
        };
        let what = if counts.is_empty() {
            "nothing found".to_owned()
        } else {
            counts.join(", ")
        };
        let tone = if counts.is_empty() {
            Tone::Good
        } else {
            Tone::Strong
        };
        format!(
            "{}{known} · {}\n",
            output.data(tone, &what),
            without_controls(&self.scope())
        )
    }

    /// What was looked at: files and environments.
    fn scope(&self) -> String {
        // `dev` in one folder and `development` in another are one environment to a reader.
        let mut names: Vec<&str> = Vec::new();
        for (_, environment) in self.survey.environments() {
            if !names.iter().any(|name| same_word(name, &environment.name)) {
                names.push(&environment.name);
            }
        }
        let files = match self.survey.files.len() {
            0 => return "no configuration was found here".to_owned(),
            1 => "1 file".to_owned(),
            count => format!("{count} files"),
        };
        match names.as_slice() {
            [] => format!("{files}, no environments"),
            [one] => format!("{files}, one environment: {one}"),
            several => format!("{files}, environments: {}", several.join(", ")),
        }
    }

    fn github(&self) -> String {
        let lines = self
            .new_findings()
            .map(|(_, diagnostic, _)| render::github(diagnostic, &self.survey.sources) + "\n");
        lines.collect()
    }

    fn sarif(&self) -> serde_json::Value {
        let rules: Vec<Rule<'_>> = REGISTRY.iter().map(|check| rule(check)).collect();
        let results: Vec<Ranked<'_>> = self
            .findings
            .iter()
            .map(|(finding, diagnostic, known)| Ranked {
                diagnostic,
                fingerprint: fingerprint(finding, self.survey),
                known: *known,
            })
            .collect();
        render::sarif(
            env!("CARGO_PKG_VERSION"),
            &rules,
            &results,
            &self.survey.sources,
        )
    }

    fn record(&self) -> Record<'_> {
        Record {
            version: 1,
            environments: self
                .survey
                .environments()
                .map(|(family, environment)| EnvironmentRecord {
                    name: &environment.name,
                    tier: environment.tier.name(),
                    family: &family.name,
                    template: environment.is_template,
                })
                .collect(),
            findings: self
                .findings
                .iter()
                .map(|(finding, _, known)| self.finding_record(finding, *known))
                .collect(),
            right: praise::of(self.survey, self.found),
            files: self.survey.files.len(),
        }
    }

    fn finding_record(&self, finding: &'a Finding, known: Option<bool>) -> FindingRecord<'_> {
        let places = finding.labels.iter().filter_map(|label| {
            let source = self.survey.sources.get(label.place.source)?;
            Some(PlaceRecord {
                file: source.name(),
                start: source.position(label.place.span.start),
                end: source.position(label.place.span.end),
                label: &label.text,
            })
        });
        FindingRecord {
            check: finding.check,
            severity: finding.severity,
            confidence: finding.confidence,
            subject: &finding.subject,
            message: &finding.message,
            places: places.collect(),
            consequence: &finding.consequence,
            help: &finding.help,
            fixable: !finding.edits.is_empty(),
            known,
        }
    }
}

/// What tells a finding from others while lines move.
fn fingerprint(finding: &Finding, survey: &Survey) -> String {
    let known = Known::of(finding, &survey.sources);
    let files: Vec<String> = known.files.into_iter().collect();
    format!("{}|{}|{}", known.check, known.subject, files.join("|"))
}

fn rule(check: &'static Check) -> Rule<'static> {
    let (severity, score) = match check.severity {
        Severity::Critical => (ringfence_diagnostic::Severity::Error, "9.5"),
        Severity::High => (ringfence_diagnostic::Severity::Error, "8.0"),
        Severity::Medium => (ringfence_diagnostic::Severity::Warning, "5.0"),
        Severity::Low => (ringfence_diagnostic::Severity::Warning, "2.0"),
    };
    Rule {
        id: check.id,
        about: check.about,
        page: check.page,
        severity,
        score,
        precision: check.confidence.name(),
    }
}
