//! A value in a sealed file that was never encrypted.

use std::collections::HashSet;

use ringfence_diagnostic::Span;
use ringfence_model::tier::Tier;

use crate::about::About;
use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::{Format, Role};
use crate::name;
use crate::sealed::is_issued;
use crate::survey::{Entry, File, Survey};
use crate::value::{Strength, is_encrypted};
use crate::vendor::{self, Class};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "unencrypted-secret",
    about: "a value in a sealed file was never encrypted, and should be",
    page: include_str!("../../../../docs/book/src/checks/unencrypted-secret.md"),
    severity: Severity::Critical,
    confidence: Confidence::High,
    run,
};

fn run(survey: &Survey, findings: &mut Findings) {
    for file in survey.files.iter().filter(|file| file.is_sealed()) {
        let facts = survey.sealed.get(&file.path);
        let mut clear: HashSet<&str> = facts
            .into_iter()
            .flat_map(|sealed| &sealed.clear)
            .map(String::as_str)
            .collect();
        for entry in survey.parts_of(file).flat_map(|part| &part.entries) {
            let is_against = clear.remove(entry.name.as_str());
            let is_clear = !is_encrypted(&entry.value) && !entry.value.is_empty();
            let is_secret = is_clear && looks_secret(file, entry);
            if is_against || is_secret {
                let by_rule = facts.is_some() && !is_against;
                findings.push(finding(survey, file, entry, (by_rule, is_secret)));
            }
        }
        if !clear.is_empty() {
            findings.push(nameless(file, clear.len()));
        }
    }
}

/// Values in the clear whose lines cannot be read as settings, or that are Ringfence's own.
fn nameless(file: &File, count: usize) -> Finding {
    let path = &file.path;
    let what = match count {
        1 => format!("a line of the sealed file `{path}` is not encrypted, and should be"),
        _ => format!("{count} lines of the sealed file `{path}` are not encrypted, and should be"),
    };
    CHECK
        .finding(path, what)
        .at(file.place(Span::at(0)), "this file")
        .because("it was changed since it was sealed, and nothing opens it any more")
        .help("take it from git again, or from whoever sealed it")
        .severity(Severity::Medium)
}

/// Whether name and value look like a secret. In nested files, which hold much that is none, a word is not enough.
fn looks_secret(file: &File, entry: &Entry) -> bool {
    // The ending by which SOPS is told to leave a value alone hides what the name says.
    let name = entry.name.strip_suffix("_unencrypted");
    let strength = match name {
        Some(name) => About::of(name).strength(name, &entry.value),
        None => entry.strength,
    };
    let is_real = match file.format {
        Format::Dotenv => is_issued(strength),
        _ => strength == Some(Strength::Strong),
    };
    let is_test_key = entry.vendor.is_some_and(|(_, class)| class == Class::Test);
    let is_known = !is_test_key && !name::is_public(&entry.about.canonical);
    is_known && (is_real || vendor::is_issued_key(entry.value.trim()))
}

fn finding(
    survey: &Survey,
    file: &File,
    entry: &Entry,
    (by_rule, is_secret): (bool, bool),
) -> Finding {
    let tier = match &file.role {
        Role::Environment(word) => survey.tier(word),
        _ => None,
    };
    let severity = match (is_secret, tier) {
        (true, Some(tier)) if tier < Tier::Staging => Severity::High,
        (true, _) => Severity::Critical,
        (false, _) => Severity::Medium,
    };
    let (name, path) = (&entry.name, &file.path);
    let found = CHECK
        .finding(
            name,
            format!("`{name}` stands in the sealed file `{path}` unencrypted"),
        )
        .at(file.place(entry.name_span), "in the clear")
        .severity(severity);
    let found = if is_secret {
        found
            .because("everyone who can read the file has the secret, and it looks as if it were protected")
            .help("issue a new one: this one was readable wherever the file went")
    } else {
        found.because("it was changed by hand in the sealed file, which nothing opens any more")
    };
    if by_rule {
        return found.help(format!("the file's own rule leaves `{name}` out: give the setting another name, or mend the rule in .sops.yaml"));
    }
    found.help("take the line out, and set the value with `ringfence secret set` or `sops`; what the rule in .sops.yaml leaves out stays in the clear")
}
