//! One data key opens the files of two environments.

use std::collections::{BTreeMap, HashMap};

use ringfence_diagnostic::{Place, Span};
use ringfence_model::tier::{Tier, same_word};

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Role;
use crate::survey::{Content, File, Survey};
use crate::value::is_encrypted;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "shared-data-key",
    about: "the sealed files of two environments have one data key: one is a copy of the other",
    page: include_str!("../../../../docs/book/src/checks/shared-data-key.md"),
    severity: Severity::Critical,
    confidence: Confidence::High,
    run,
};

/// A sealed file of an environment.
struct Owned<'a> {
    file: &'a File,
    environment: &'a str,
    tier: Tier,
}

fn run(survey: &Survey, findings: &mut Findings) {
    let sealed = survey.files.iter().filter(|file| file.is_sealed());
    let owned: Vec<Owned<'_>> = sealed.filter_map(|file| owned(survey, file)).collect();
    // A sealed text is never made twice: equal ones were copied, and are opened by one key.
    let mut places: HashMap<&str, Vec<(usize, Place)>> = HashMap::new();
    for (index, one) in owned.iter().enumerate() {
        for (text, place) in texts(survey, one.file) {
            let same = places.entry(text).or_default();
            if same.last().is_none_or(|(last, _)| *last != index) {
                same.push((index, place));
            }
        }
    }
    let mut shared: BTreeMap<Vec<usize>, Vec<(usize, Place)>> = BTreeMap::new();
    for same in places.into_values().filter(|same| same.len() > 1) {
        let files = same.iter().map(|(index, _)| *index).collect();
        let known = shared.entry(files).or_insert_with(|| same.clone());
        // Whichever comes first in the files, whatever the order of the table.
        if same.first().map(|one| one.1.span) < known.first().map(|one| one.1.span) {
            *known = same;
        }
    }
    for places in shared.values() {
        let all = places.iter();
        let all = all.filter_map(|(index, place)| Some((owned.get(*index)?, *place)));
        findings.extend(finding(&all.collect::<Vec<_>>()));
    }
}

fn owned<'a>(survey: &'a Survey, file: &'a File) -> Option<Owned<'a>> {
    let Role::Environment(environment) = &file.role else {
        return None;
    };
    let tier = survey.tier(environment)?;
    Some(Owned {
        file,
        environment,
        tier,
    })
}

/// What only the file's data key can have made: its sealed copies, and the ciphertexts.
fn texts<'a>(survey: &'a Survey, file: &'a File) -> impl Iterator<Item = (&'a str, Place)> {
    let text = survey.sources.text(file.source);
    let copies = match &file.content {
        Content::Sealed(copies) => copies.as_slice(),
        _ => &[],
    };
    let copies = copies
        .iter()
        .map(move |span| (span.of(text).trim(), file.place(Span::at(0))));
    let entries = survey.parts_of(file).flat_map(|part| &part.entries);
    let values = entries
        .filter(|entry| is_encrypted(&entry.value))
        .map(|entry| (entry.value.as_str(), file.place(entry.name_span)));
    copies.filter(|(text, _)| !text.is_empty()).chain(values)
}

fn finding(places: &[(&Owned<'_>, Place)]) -> Option<Finding> {
    const SHOWN: usize = 6;
    let (highest, _) = places.iter().max_by_key(|(one, _)| one.tier)?;
    let is_other = |one: &&Owned<'_>| !same_word(one.environment, highest.environment);
    let (lowest, _) = places
        .iter()
        .filter(|(one, _)| is_other(one))
        .min_by_key(|(one, _)| one.tier)?;
    let (upper, lower) = (highest.environment, lowest.environment);
    let severity = if highest.tier < Tier::Staging {
        Severity::Medium
    } else {
        CHECK.severity
    };
    let mut paths: Vec<String> = places
        .iter()
        .map(|(one, _)| format!("`{}`", one.file.path))
        .collect();
    paths.sort();
    let found = CHECK
        .finding(
            format!("{lower} {upper}"),
            format!("{} have one data key", paths.join(", ")),
        )
        .because(format!("who could ever open the file of `{lower}` can open that of `{upper}`, whoever its readers are"))
        .help(format!("`ringfence secret rotate {upper}` makes a new data key; then issue anew what the readers of `{lower}` could read"))
        .help("where there is no manifest: `sops rotate --in-place FILE`")
        .severity(severity);
    let first_highest = places.iter().filter(|(one, _)| one.tier == highest.tier);
    let rest = places.iter().filter(|(one, _)| one.tier != highest.tier);
    Some(
        first_highest
            .chain(rest)
            .take(SHOWN)
            .fold(found, |found, (one, place)| {
                found.at(*place, format!("of `{}`", one.environment))
            }),
    )
}
