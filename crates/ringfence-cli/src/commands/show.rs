//! `ringfence show`: every setting of an environment, secrets masked, with its origin.

use ringfence_diagnostic::render::{DiagnosticRecord, records, without_controls};
use ringfence_diagnostic::{Sources, diagnostic};
use ringfence_model::environment::Environment;
use ringfence_model::layer::{Layer, Origin};
use ringfence_model::resolve::{Resolution, Setting};
use ringfence_model::select::By;
use ringfence_model::value::endpoint;
use ringfence_model::value::secrecy::MASK;
use serde::Serialize;

use crate::ambient::Ambient;
use crate::args;
use crate::failure::{Failure, exit};
use crate::gateway::in_place_of;
use crate::load::load;
use crate::output::{Output, Tone, columns};

/// What `--json` prints.
#[derive(Serialize)]
struct Record<'a> {
    environment: &'a str,
    tier: &'static str,
    selected_by: &'static str,
    settings: Vec<SettingRecord<'a>>,
    diagnostics: Vec<DiagnosticRecord<'a>>,
}

/// A setting as `--json` prints it: `value` is null where it is a secret, and where it is not known without opening something.
#[derive(Serialize)]
struct SettingRecord<'a> {
    name: &'a str,
    value: Option<&'a str>,
    secret: bool,
    declared: bool,
    /// What the value is kept behind: `sealed`, `encrypted` or `elsewhere`; left out where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    /// The resource of which a program gets the gateway's address or token instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<&'a str>,
    #[serde(flatten)]
    origin: OriginRecord<'a>,
    shadowed: Vec<OriginRecord<'a>>,
}

/// Where a value comes from, as `--json` prints it.
#[derive(Serialize)]
pub(crate) struct OriginRecord<'a> {
    layer: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

pub(crate) fn run(
    arguments: &args::Show,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let loaded = load(ambient)?.checked()?;
    let (environment, by) = match loaded.select(arguments.selection.environment(), &ambient.host) {
        Ok(selected) => selected,
        Err(diagnostic) => return Err(Failure::diagnostic(*diagnostic, loaded.sources)),
    };
    let resolution = loaded.resolve(environment, &ambient.host, &arguments.selection.set);
    let diagnostics = [loaded.diagnostics.as_slice(), &resolution.diagnostics].concat();
    let carried = |name: &str| in_place_of(&loaded.project, environment, &resolution, name);
    if arguments.json {
        let open = resolution.settings.iter();
        let open = open.map(|(name, setting)| record(name, setting, &loaded.sources));
        let closed = resolution.closed.iter();
        let closed = closed.map(|(name, closed)| {
            let declared = loaded.project.declaration(name).is_some();
            closed_record(name, *closed, declared, &loaded.sources)
        });
        let mut settings: Vec<SettingRecord<'_>> = open.chain(closed).collect();
        settings.sort_by_key(|setting| setting.name);
        for setting in &mut settings {
            setting.gateway = carried(setting.name);
        }
        output.print_json(&Record {
            environment: &environment.name,
            tier: environment.tier.name(),
            selected_by: selected_by(&by),
            settings,
            diagnostics: records(&diagnostics, &loaded.sources),
        })?;
    } else {
        output.say(&summary(environment, &resolution));
        let open = resolution.settings.iter();
        let open = open.map(|(name, setting)| row(name, setting, &loaded.sources));
        let closed = resolution.closed.iter();
        let closed = closed.map(|(name, closed)| closed_row(name, *closed, &loaded.sources));
        let mut rows: Vec<_> = open.chain(closed).collect();
        rows.sort();
        for row in &mut rows {
            if let [name, _, origin] = row.as_mut_slice()
                && let Some(resource) = carried(name)
            {
                origin.push_str(&format!(", a program gets the gateway's ({resource})"));
            }
        }
        let text: String = columns(&rows)
            .iter()
            .map(|cells| line(cells, output))
            .collect();
        output.print(&text)?;
        output.diagnostics(&diagnostics, &loaded.sources);
    }
    Ok(if diagnostic::has_errors(&diagnostics) {
        exit::REFUSED
    } else {
        exit::FINE
    })
}

fn summary(environment: &Environment, resolution: &Resolution) -> String {
    let closed = match resolution.closed.len() {
        0 => String::new(),
        closed => format!(", {closed} of them opened when something is started"),
    };
    format!(
        "{} ({}), {} settings{closed}",
        environment.name,
        environment.tier,
        resolution.settings.len() + resolution.closed.len()
    )
}

/// What a value that is not known here is kept behind.
pub(crate) const fn kept(layer: Layer) -> &'static str {
    match layer {
        Layer::Reference => "elsewhere",
        Layer::Sealed => "sealed",
        _ => "encrypted",
    }
}

const fn selected_by(by: &By) -> &'static str {
    match by {
        By::Argument => "argument",
        By::Variable(_) => "variable",
        By::Default(_) => "default",
        By::First => "first of the chain",
    }
}

fn record<'a>(name: &'a str, setting: &'a Setting, sources: &'a Sources) -> SettingRecord<'a> {
    let value = setting.value.expose();
    SettingRecord {
        name,
        value: (!setting.is_secret).then_some(value),
        secret: setting.is_secret,
        declared: setting.is_declared,
        closed: None,
        endpoint: endpoint::Url::parse(value)
            .and_then(endpoint::Url::endpoint)
            .map(|endpoint| endpoint.to_string()),
        gateway: None,
        origin: origin_record(setting.layer, setting.origin, sources),
        shadowed: setting
            .shadowed
            .iter()
            .map(|(layer, origin)| origin_record(*layer, *origin, sources))
            .collect(),
    }
}

fn closed_record<'a>(
    name: &'a str,
    (layer, origin): (Layer, Origin),
    declared: bool,
    sources: &'a Sources,
) -> SettingRecord<'a> {
    SettingRecord {
        name,
        value: None,
        secret: true,
        declared,
        closed: Some(kept(layer)),
        endpoint: None,
        gateway: None,
        origin: origin_record(layer, origin, sources),
        shadowed: Vec::new(),
    }
}

pub(crate) fn origin_record(layer: Layer, origin: Origin, sources: &Sources) -> OriginRecord<'_> {
    let place = origin
        .place()
        .and_then(|place| Some((sources.get(place.source)?, place.span.start)));
    let position = place.map(|(source, offset)| source.position(offset));
    OriginRecord {
        layer: layer.name(),
        file: place.map(|(source, _)| source.name()),
        line: position.map(|position| position.line),
        column: position.map(|position| position.column),
    }
}

/// `file:line` of an origin, or what it is instead.
pub(crate) fn place(origin: Origin, sources: &Sources) -> String {
    match origin {
        Origin::Place(place) => sources
            .get(place.source)
            .map_or_else(String::new, |source| {
                format!(
                    "{}:{}",
                    source.name(),
                    source.position(place.span.start).line
                )
            }),
        Origin::Host => "the host's variable".to_owned(),
        Origin::Argument => "--set".to_owned(),
    }
}

/// A value as people may see it: on one line, and a mask for a secret.
pub(crate) fn shown_value(setting: &Setting) -> String {
    if setting.is_secret {
        MASK.to_owned()
    } else {
        setting
            .value
            .expose()
            .escape_debug()
            .to_string()
            .replace("\\\"", "\"")
            .replace("\\'", "'")
    }
}

fn row(name: &str, setting: &Setting, sources: &Sources) -> Vec<String> {
    let shadowed: Vec<_> = setting
        .shadowed
        .iter()
        .map(|(_, origin)| place(*origin, sources))
        .collect();
    let over = if shadowed.is_empty() {
        String::new()
    } else {
        format!(", over {}", shadowed.join(", "))
    };
    let origin = format!(
        "{} ({}{over})",
        place(setting.origin, sources),
        setting.layer.name()
    );
    vec![name.to_owned(), shown_value(setting), origin]
}

fn closed_row(name: &str, (layer, origin): (Layer, Origin), sources: &Sources) -> Vec<String> {
    let origin = format!("{} ({})", place(origin, sources), layer.name());
    let name = without_controls(name).into_owned();
    vec![name, format!("({})", kept(layer)), origin]
}

fn line(cells: &[String], output: &Output) -> String {
    match cells {
        [name, value, origin] => {
            format!(
                "{}  {value}  {}\n",
                output.data(Tone::Strong, name),
                output.data(Tone::Quiet, origin)
            )
        }
        _ => String::new(),
    }
}
