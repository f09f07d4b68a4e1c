//! `ringfence diff ENV ENV`: same, different, missing, left to be filled in or sealed; never a value. Secrets are shown by
//! fingerprints under a key that only this user has on this machine.

use std::collections::BTreeSet;

use ringfence_diagnostic::diagnostic;
use ringfence_diagnostic::render::without_controls;
use ringfence_model::environment::Environment;
use ringfence_model::layer::{Layer, Origin};
use ringfence_model::resolve::{Resolution, Setting};
use ringfence_model::value::secrecy::is_placeholder;
use ringfence_model::variable;
use ringfence_secret::fingerprint::Key;
use serde::Serialize;

use crate::ambient::Ambient;
use crate::args;
use crate::commands::show::{OriginRecord, origin_record, place};
use crate::failure::{Failure, exit};
use crate::load::{Loaded, load};
use crate::output::{Output, Tone, columns};
use crate::sealed;

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
    /// No key at hand opens one of the two values, or it is kept elsewhere.
    Sealed,
}

impl Comparison {
    const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Missing => "missing",
            Self::Placeholder => "placeholder",
            Self::Sealed => "sealed",
        }
    }
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
    /// Of secrets: equal where the values are, under a key of this user on this machine; null where there is none.
    fingerprints: [Option<String>; 2],
}

pub(crate) fn run(
    arguments: &args::Diff,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let mut loaded = load(ambient)?.checked()?;
    let found = (loaded.find(&arguments.one), loaded.find(&arguments.other));
    let (one, other) = match found {
        (Ok(one), Ok(other)) => (one.clone(), other.clone()),
        (Err(diagnostic), _) | (_, Err(diagnostic)) => {
            return Err(Failure::diagnostic(*diagnostic, loaded.sources));
        }
    };
    for environment in [&one, &other] {
        sealed::open_what_can_be(&mut loaded, environment, ambient, output)?;
    }
    let sides = [
        resolved(&loaded, ambient, &one),
        resolved(&loaded, ambient, &other),
    ];
    let compared = pairs(&sides);
    let has_secrets = compared.iter().any(|(_, pair)| is_secret(*pair));
    let wanted = (arguments.fingerprints || arguments.json) && has_secrets;
    let told = Told {
        loaded: &loaded,
        key: wanted.then(|| ambient.fingerprint_key()).flatten(),
    };
    if arguments.json {
        let settings = compared.iter();
        let settings = settings
            .map(|(name, pair)| told.record(name, *pair))
            .collect();
        output.print_json(&Record {
            environments: [&one.name, &other.name],
            settings,
        })?;
    } else {
        let text = told.table([&one.name, &other.name], &compared, output);
        output.print(&text)?;
    }
    let mut refused = false;
    for side in &sides {
        refused |= diagnostic::has_errors(&side.diagnostics);
        output.diagnostics(&side.diagnostics, &loaded.sources);
    }
    Ok(if refused { exit::REFUSED } else { exit::FINE })
}

/// What one environment has under a name.
#[derive(Clone, Copy)]
enum Side<'a> {
    Unset,
    Open(&'a Setting),
    Closed(Layer, Origin),
}

impl<'a> Side<'a> {
    fn of(resolution: &'a Resolution, name: &str) -> Self {
        match resolution.settings.get(name) {
            Some(setting) => Self::Open(setting),
            None => match resolution.closed.get(name) {
                Some((layer, origin)) => Self::Closed(*layer, *origin),
                None => Self::Unset,
            },
        }
    }

    const fn origin(self) -> Option<(Layer, Origin)> {
        match self {
            Self::Unset => None,
            Self::Open(setting) => Some((setting.layer, setting.origin)),
            Self::Closed(layer, origin) => Some((layer, origin)),
        }
    }

    const fn open(self) -> Option<&'a Setting> {
        match self {
            Self::Open(setting) => Some(setting),
            _ => None,
        }
    }
}

/// A setting in both environments, as far as they set it.
type Pair<'a> = [Side<'a>; 2];

/// Every setting of either side, by name.
fn pairs(sides: &[Resolution; 2]) -> Vec<(&str, Pair<'_>)> {
    let names = sides
        .iter()
        .flat_map(|side| side.settings.keys().chain(side.closed.keys()));
    let names: BTreeSet<&str> = names
        .map(String::as_str)
        .filter(|name| *name != variable::ENVIRONMENT)
        .collect();
    let [left, right] = sides;
    let pair = |name| (name, [Side::of(left, name), Side::of(right, name)]);
    names.into_iter().map(pair).collect()
}

fn resolved(loaded: &Loaded, ambient: &Ambient, environment: &Environment) -> Resolution {
    loaded.resolve(environment, &ambient.host, &[])
}

fn compare(pair: Pair<'_>) -> Comparison {
    let to_be_filled_in = |side: &Side<'_>| {
        side.open()
            .is_some_and(|setting| is_placeholder(setting.value.expose()))
    };
    match pair {
        [Side::Unset, _] | [_, Side::Unset] => Comparison::Missing,
        [Side::Closed(..), _] | [_, Side::Closed(..)] => Comparison::Sealed,
        _ if pair.iter().any(to_be_filled_in) => Comparison::Placeholder,
        [Side::Open(left), Side::Open(right)] if left.value == right.value => Comparison::Same,
        _ => Comparison::Differs,
    }
}

fn is_secret(pair: Pair<'_>) -> bool {
    pair.iter().any(|side| match side {
        Side::Unset => false,
        Side::Open(setting) => setting.is_secret,
        Side::Closed(..) => true,
    })
}

/// What is known while rows are made.
struct Told<'a> {
    loaded: &'a Loaded,
    key: Option<Key>,
}

impl<'a> Told<'a> {
    /// Of secrets, what says "the same" without saying what.
    fn fingerprints(&self, pair: Pair<'_>) -> [Option<String>; 2] {
        let shown = is_secret(pair);
        pair.map(|side| {
            let setting = side.open().filter(|_| shown)?;
            Some(self.key.as_ref()?.fingerprint(setting.value.expose()))
        })
    }

    fn record(&self, name: &'a str, pair: Pair<'_>) -> SettingRecord<'a> {
        SettingRecord {
            name,
            comparison: compare(pair),
            secret: is_secret(pair),
            origins: pair.map(|side| {
                let (layer, origin) = side.origin()?;
                Some(origin_record(layer, origin, &self.loaded.sources))
            }),
            fingerprints: self.fingerprints(pair),
        }
    }

    fn table(&self, names: [&str; 2], compared: &[(&str, Pair<'_>)], output: &Output) -> String {
        let [one, other] = names.map(str::to_owned);
        let mut rows = vec![vec![String::new(), String::new(), one, other]];
        rows.extend(compared.iter().map(|(name, pair)| self.row(name, *pair)));
        columns(&rows)
            .iter()
            .map(|cells| line(cells, output))
            .collect()
    }

    fn row(&self, name: &str, pair: Pair<'_>) -> Vec<String> {
        let mut row = vec![
            compare(pair).word().to_owned(),
            without_controls(name).into_owned(),
        ];
        let sides = pair.into_iter().zip(self.fingerprints(pair));
        row.extend(sides.map(|(side, fingerprint)| {
            let origin = side.origin();
            let place = origin.map(|(_, origin)| place(origin, &self.loaded.sources));
            let place = place.unwrap_or_else(|| "not set".to_owned());
            match fingerprint {
                Some(fingerprint) => format!("{place} {fingerprint}"),
                None => place,
            }
        }));
        row
    }
}

fn line(cells: &[String], output: &Output) -> String {
    let joined = cells.join("  ");
    let tone = match cells.first().map(|cell| cell.trim()) {
        Some("same") => Tone::Quiet,
        Some("missing" | "placeholder" | "sealed") => Tone::Careful,
        _ => Tone::Strong,
    };
    format!("{}\n", output.data(tone, joined.trim_end()))
}
