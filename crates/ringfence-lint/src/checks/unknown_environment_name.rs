//! A word that is nearly, but not quite, the name of an environment.

use ringfence_diagnostic::{Place, Span, spelling};
use ringfence_model::tier::Tier;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::{Format, Role};
use crate::name::Selector;
use crate::survey::Survey;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "unknown-environment-name",
    about: "a file or a selector names an environment with a spelling mistake, such as prodution",
    page: include_str!("../../../../docs/book/src/checks/unknown-environment-name.md"),
    severity: Severity::High,
    confidence: Confidence::High,
    run,
};

/// Words that look like an environment's and are words of their own.
const WORDS: &[&str] = &[
    "best", "deploy", "host", "hosted", "list", "local1", "product", "products", "rest", "stable",
    "storage", "tests", "text", "tested", "stages", "devel",
];

fn run(survey: &Survey, findings: &mut Findings) {
    for file in survey.of_format(Format::Dotenv) {
        if let Role::Other(word) = &file.role
            && let Some(meant) = meant(survey, word)
        {
            findings.push(finding(
                word,
                meant,
                file.place(Span::at(0)),
                &format!("`{}`", file.path),
            ));
        }
    }
    for part in &survey.parts {
        let Some(file) = survey.file_of(part) else {
            continue;
        };
        let selectors = part
            .entries
            .iter()
            .filter(|entry| entry.about.selector == Some(Selector::Environment));
        for entry in selectors {
            if let Some(meant) = meant(survey, &entry.value) {
                findings.push(finding(
                    &entry.value,
                    meant,
                    file.place(entry.name_span),
                    &format!("`{}`", entry.name),
                ));
            }
        }
    }
}

/// The word that a misspelt one means.
fn meant(survey: &Survey, word: &str) -> Option<&'static str> {
    const SHORTEST: usize = 5;
    let word = word.to_ascii_lowercase();
    let is_word = word.len() >= SHORTEST && word.bytes().all(|byte| byte.is_ascii_lowercase());
    if !is_word || survey.tier(&word).is_some() || WORDS.contains(&word.as_str()) {
        return None;
    }
    let known = Tier::ALL
        .into_iter()
        .flat_map(Tier::words)
        .filter(|known| known.len() >= SHORTEST);
    spelling::closest(&word, known)
}

fn finding(word: &str, meant: &str, place: Place, what: &str) -> Finding {
    CHECK
        .finding(
            word,
            format!("{what} names `{word}`, which is no environment"),
        )
        .at(place, format!("did you mean `{meant}`?"))
        .because(
            "loaders that do not know the word go on with their defaults, which are development's",
        )
        .help(format!("write `{meant}`"))
        .help("if the word is meant, declare it under `[environments]` in ringfence.toml")
}
