//! `ringfence diff ENV ENV`: same, different, missing or left to be filled in; never a value.

use std::collections::BTreeSet;

use ringfence_diagnostic::diagnostic;
use ringfence_model::environment::Environment;
use ringfence_model::resolve::{Resolution, Setting};
use ringfence_model::value::secrecy::is_placeholder;
use serde::Serialize;

use crate::ambient::Ambient;
use crate::args;
use crate::commands::show::{OriginRecord, origin_record, place};
use crate::failure::{Failure, exit};
use crate::load::{Loaded, load};
use crate::output::{Output, Tone, columns};

/// How a setting of two environments compares.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Comparison {
    Same,
    Differs,
    /// One of the two environments does not set it.
    Missing,
    /// One of the two values is still to be filled in.
    Placeholder,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Record<'a> {
    environments: [&'a str; 2],
    settings: Vec<SettingRecord<'a>>,
}

#[derive(Serialize)]
struct SettingRecord<'a> {
    name: &'a str,
    comparison: Comparison,
    secret: bool,
    /// In the order of `environments`; null where it is not set.
    origins: [Option<OriginRecord<'a>>; 2],
}

pub(crate) fn run(
    arguments: &args::Diff,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let loaded = load(ambient)?.checked()?;
    let found = (loaded.find(&arguments.one), loaded.find(&arguments.other));
    let (one, other) = match found {
        (Ok(one), Ok(other)) => (one, other),
        (Err(diagnostic), _) | (_, Err(diagnostic)) => {
            return Err(Failure::diagnostic(*diagnostic, loaded.sources));
        }
    };
    let sides = [
        resolved(&loaded, ambient, one),
        resolved(&loaded, ambient, other),
    ];
    let compared = pairs(&sides);
    if arguments.json {
        let settings = compared.iter();
        let settings = settings
            .map(|(name, pair)| record(name, *pair, &loaded))
            .collect();
        output.print_json(&Record {
            environments: [&one.name, &other.name],
            settings,
        })?;
    } else {
        let text = table([&one.name, &other.name], &compared, &loaded, output);
        output.print(&text)?;
    }
    let mut refused = false;
    for side in &sides {
        refused |= diagnostic::has_errors(&side.diagnostics);
        output.diagnostics(&side.diagnostics, &loaded.sources);
    }
    Ok(if refused { exit::REFUSED } else { exit::FINE })
}

/// A setting in both environments, as far as they set it.
type Pair<'a> = [Option<&'a Setting>; 2];

/// Every setting of either side, by name.
fn pairs(sides: &[Resolution; 2]) -> Vec<(&str, Pair<'_>)> {
    let [left, right] = sides;
    let names: BTreeSet<&str> = left
        .settings
        .keys()
        .chain(right.settings.keys())
        .map(String::as_str)
        .collect();
    let pair = |name| (name, [left.settings.get(name), right.settings.get(name)]);
    names.into_iter().map(pair).collect()
}

fn table(
    names: [&str; 2],
    compared: &[(&str, Pair<'_>)],
    loaded: &Loaded,
    output: &Output,
) -> String {
    let [one, other] = names.map(str::to_owned);
    let mut rows = vec![vec![String::new(), String::new(), one, other]];
    rows.extend(compared.iter().map(|(name, pair)| row(name, *pair, loaded)));
    columns(&rows)
        .iter()
        .map(|cells| line(cells, output))
        .collect()
}

fn resolved(loaded: &Loaded, ambient: &Ambient, environment: &Environment) -> Resolution {
    loaded.resolve(environment, &ambient.host, &[])
}

fn compare(left: Option<&Setting>, right: Option<&Setting>) -> Comparison {
    let open = |setting: Option<&Setting>| {
        setting.is_some_and(|setting| is_placeholder(setting.value.expose()))
    };
    match (left, right) {
        (None, _) | (_, None) => Comparison::Missing,
        _ if open(left) || open(right) => Comparison::Placeholder,
        (Some(left), Some(right)) if left.value == right.value => Comparison::Same,
        _ => Comparison::Differs,
    }
}

fn record<'a>(name: &'a str, sides: Pair<'_>, loaded: &'a Loaded) -> SettingRecord<'a> {
    let [left, right] = sides;
    SettingRecord {
        name,
        comparison: compare(left, right),
        secret: sides.iter().flatten().any(|setting| setting.is_secret),
        origins: sides.map(|side| {
            side.map(|setting| origin_record(setting.layer, setting.origin, &loaded.sources))
        }),
    }
}

fn row(name: &str, sides: Pair<'_>, loaded: &Loaded) -> Vec<String> {
    let [left, right] = sides;
    let comparison = match compare(left, right) {
        Comparison::Same => "same",
        Comparison::Differs => "differs",
        Comparison::Missing => "missing",
        Comparison::Placeholder => "placeholder",
    };
    let origin = |side: Option<&Setting>| {
        side.map_or_else(
            || "not set".to_owned(),
            |setting| place(setting.origin, &loaded.sources),
        )
    };
    vec![
        comparison.to_owned(),
        name.to_owned(),
        origin(left),
        origin(right),
    ]
}

fn line(cells: &[String], output: &Output) -> String {
    let joined = cells.join("  ");
    let tone = match cells.first().map(|cell| cell.trim()) {
        Some("same") => Tone::Quiet,
        Some("missing" | "placeholder") => Tone::Careful,
        _ => Tone::Strong,
    };
    format!("{}\n", output.data(tone, joined.trim_end()))
}
