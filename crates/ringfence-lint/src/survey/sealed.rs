//! Files whose values SOPS encrypted: their names are read like any other's, and what is SOPS's own is no setting.

use std::collections::HashMap;

use ringfence_diagnostic::SourceId;
use ringfence_model::variable;

use super::read::{Problem, Reading, Written, part};
use super::{Content, Entry, Survey};
use crate::layout::{self, Format, Layout, Role};
use crate::sealed::{Sealed, Worth};
use crate::value::is_encrypted;

/// What the path of a file that is known to be sealed says, with the environment that the manifest gives it.
pub(super) fn layout(survey: &Survey, path: &str) -> Option<Layout> {
    let facts = survey.sealed.get(path)?;
    let by_path = layout::sealed(path).or_else(|| layout::of(path));
    let Some(environment) = &facts.environment else {
        return by_path;
    };
    let layout = by_path.unwrap_or_else(|| Layout {
        format: Format::Dotenv,
        role: Role::Shared,
        family: ".env*".to_owned(),
    });
    // The one file of a project without any other stays what it is.
    let role = match layout.role {
        Role::Shared if path == ".env" => Role::Shared,
        _ => Role::Environment(environment.clone()),
    };
    Some(Layout { role, ..layout })
}

/// Reads a file that is known to be sealed; of one that is damaged nothing is believed.
pub(super) fn reading(
    survey: &Survey,
    source: SourceId,
    layout: &Layout,
    facts: &Sealed,
) -> Reading {
    if let Some(why) = &facts.damage {
        return Reading {
            content: Content::Sealed(Vec::new()),
            problem: Some(Problem::Unreadable(why.clone())),
            // It still stands for its environment.
            ..Reading::plain(vec![part(layout.role.clone(), None, Vec::new())])
        };
    }
    let is_object = survey.sources.text(source).trim_start().starts_with('{');
    let format = match layout.format {
        Format::Dotenv if is_object => Format::Json,
        format => format,
    };
    let layout = Layout {
        format,
        ..layout.clone()
    };
    closed(Reading::of(survey, source, &layout))
}

/// Takes out what is SOPS's own where a file turns out to be sealed, in whatever format.
pub(super) fn noticed(reading: Reading) -> Reading {
    const SIGNS: &[&str] = &["sops_mac", "sops.mac"];
    let is_sign =
        |entry: &Written| SIGNS.contains(&entry.name.as_str()) && is_encrypted(&entry.value);
    let mut entries = reading.parts.iter().flat_map(|part| &part.entries);
    if entries.any(is_sign) {
        closed(reading)
    } else {
        reading
    }
}

fn closed(mut reading: Reading) -> Reading {
    let mut copies = Vec::new();
    for part in &mut reading.parts {
        part.entries.retain(|entry| {
            let is_own = is_own(entry);
            if is_own && (entry.name.ends_with("__map_enc") || entry.name.ends_with("].enc")) {
                copies.push(entry.value_span);
            }
            !is_own && entry.name != variable::ENVIRONMENT
        });
    }
    reading.content = Content::Sealed(copies);
    reading
}

/// Whether a row is SOPS's own.
fn is_own(entry: &Written) -> bool {
    entry.name.starts_with("sops_") || entry.name.starts_with("sops.") || entry.name == "sops"
}

/// Puts in what opened values say of themselves.
pub(super) fn value(entries: &mut [Entry], facts: &Sealed) {
    let worths = facts.values.iter().flatten();
    let worths: HashMap<&str, &Worth> = worths.map(|one| (one.name.as_str(), one)).collect();
    for entry in entries.iter_mut().filter(|one| is_encrypted(&one.value)) {
        if let Some(worth) = worths.get(entry.name.as_str()) {
            entry.strength = worth.strength;
            entry.vendor = worth.vendor;
            entry.mark.clone_from(&worth.mark);
        }
    }
}
