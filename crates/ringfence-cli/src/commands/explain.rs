//! `ringfence explain NAME`: every source of a setting in every environment, which won, and what was passed over; or
//! what the code of a message means.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_diagnostic::{Diagnostic, spelling};
use ringfence_model::environment::Environment;
use ringfence_model::layer::{Layer, Origin};
use ringfence_model::resolve::{Resolution, sources};
use serde::Serialize;

use crate::ambient::Ambient;
use crate::args;
use ringfence_lint::checks;

use crate::commands::show::{OriginRecord, kept, origin_record, place, shown_value};
use crate::failure::Failure;
use crate::gateway::in_place_of;
use crate::load::{Loaded, load};
use crate::output::{Output, Tone};

/// The book's page on messages: what each code means.
const MESSAGES: &str = include_str!("../../../../docs/book/src/messages.md");

/// What is known of a check's id or a message's code, which may be the same word: `check` finds what `run` refuses. Both
/// have hyphens in them, and names of settings have none.
fn message(code: &str) -> Option<String> {
    let page = checks::named(code).map(|check| check.page.trim().to_owned());
    match (page, refusal(code)) {
        (Some(page), Some(refusal)) => Some(format!("{page}\n\n## As a refusal\n\n{refusal}")),
        (page, refusal) => page.or_else(|| refusal.map(str::to_owned)),
    }
}

/// The paragraph on a message's code.
fn refusal(code: &str) -> Option<&'static str> {
    let mut parts = MESSAGES
        .split("\n### ")
        .skip(1)
        .filter_map(|part| part.split_once('\n'));
    parts
        .find(|(heading, _)| *heading == code)
        .map(|(_, paragraph)| paragraph.trim())
}

/// What `--json` prints of a message.
#[derive(Serialize)]
struct MessageRecord<'a> {
    code: &'a str,
    explanation: &'a str,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Record<'a> {
    setting: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    environments: Vec<EnvironmentRecord<'a>>,
    /// Whether the shell holds a variable of this name, which takes no part.
    shell_ignored: bool,
}

#[derive(Serialize)]
struct EnvironmentRecord<'a> {
    environment: &'a str,
    tier: &'static str,
    value: Option<String>,
    secret: bool,
    /// Highest rank first: the first one won.
    sources: Vec<OriginRecord<'a>>,
    /// Codes of the errors that concern this setting.
    errors: Vec<&'static str>,
}

pub(crate) fn run(
    arguments: &args::Explain,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let name = arguments.name.as_str();
    if let Some(explanation) = message(name) {
        return if arguments.json {
            output.print_json(&MessageRecord {
                code: name,
                explanation: &explanation,
            })
        } else {
            output.print(&format!("{explanation}\n"))
        };
    }
    let loaded = load(ambient)?.checked()?;
    let explained: Vec<Explained> = loaded
        .project
        .environments
        .iter()
        .map(|environment| explain(&loaded, ambient, environment, name))
        .collect();
    let is_known = loaded.project.declaration(name).is_some()
        || explained.iter().any(|one| !one.sources.is_empty());
    if !is_known {
        let diagnostic = unknown(&loaded, ambient, name);
        return Err(Failure::diagnostic(diagnostic, loaded.sources));
    }
    let shell_ignored = ambient.host.get(name).is_some() && !takes_from_host(&explained);
    if arguments.json {
        return output.print_json(&Record {
            setting: name,
            r#type: loaded
                .project
                .declaration(name)
                .map(|declaration| declaration.kind.name()),
            environments: explained
                .iter()
                .map(|one| record(one, &loaded, name))
                .collect(),
            shell_ignored,
        });
    }
    let mut text = String::new();
    for one in &explained {
        text.push_str(&paragraph(one, &loaded, name, output));
    }
    if shell_ignored {
        text.push_str("the shell holds a variable of this name; it takes no part\n");
    }
    output.print(&text)
}

/// What is known of the setting in one environment.
struct Explained<'a> {
    environment: &'a Environment,
    resolution: Resolution,
    sources: Vec<(Layer, Origin)>,
}

fn explain<'a>(
    loaded: &'a Loaded,
    ambient: &Ambient,
    environment: &'a Environment,
    name: &str,
) -> Explained<'a> {
    let mut sources: BTreeMap<_, _> = sources(loaded.inputs(&ambient.host, &[]), environment);
    let mut sources = sources.remove(name).unwrap_or_default();
    sources.reverse();
    Explained {
        environment,
        resolution: loaded.resolve(environment, &ambient.host, &[]),
        sources,
    }
}

fn takes_from_host(explained: &[Explained<'_>]) -> bool {
    explained
        .iter()
        .any(|one| one.sources.iter().any(|(layer, _)| *layer == Layer::Host))
}

/// The errors of an environment that point at one of the setting's places or at its declaration.
fn errors(one: &Explained<'_>, loaded: &Loaded, name: &str) -> Vec<&'static str> {
    let declared = loaded
        .project
        .declaration(name)
        .map(|declaration| declaration.place);
    let places: Vec<_> = one
        .sources
        .iter()
        .filter_map(|(_, origin)| origin.place())
        .chain(declared)
        .collect();
    let concerns = |diagnostic: &&Diagnostic| {
        diagnostic.is_error()
            && diagnostic.labels.iter().any(|label| {
                places.iter().any(|place| {
                    place.source == label.place.source
                        && place.span.start <= label.place.span.start
                        && label.place.span.end <= place.span.end
                })
            })
    };
    one.resolution
        .diagnostics
        .iter()
        .filter(concerns)
        .map(|diagnostic| diagnostic.code)
        .collect()
}

fn record<'a>(one: &Explained<'a>, loaded: &'a Loaded, name: &str) -> EnvironmentRecord<'a> {
    let setting = one.resolution.settings.get(name);
    EnvironmentRecord {
        environment: &one.environment.name,
        tier: one.environment.tier.name(),
        value: setting
            .filter(|setting| !setting.is_secret)
            .map(|setting| setting.value.expose().to_owned()),
        secret: setting.is_some_and(|setting| setting.is_secret)
            || one.resolution.closed.contains_key(name),
        sources: one
            .sources
            .iter()
            .map(|(layer, origin)| origin_record(*layer, *origin, &loaded.sources))
            .collect(),
        errors: errors(one, loaded, name),
    }
}

fn paragraph(one: &Explained<'_>, loaded: &Loaded, name: &str, output: &Output) -> String {
    let environment = output.data(Tone::Strong, &one.environment.name);
    let value = match one.resolution.settings.get(name) {
        Some(setting) => shown_value(setting),
        None if let Some((layer, _)) = one.resolution.closed.get(name) => {
            format!("({})", kept(*layer))
        }
        None if one.sources.is_empty() => "not set".to_owned(),
        None => "no value".to_owned(),
    };
    let mut text = format!("{environment} ({})  {value}\n", one.environment.tier);
    for (index, (layer, origin)) in one.sources.iter().enumerate() {
        let fate = if index == 0 { "wins" } else { "shadowed" };
        text.push_str(&format!(
            "  {fate:8}  {}  ({})\n",
            place(*origin, &loaded.sources),
            layer.name()
        ));
    }
    if let Some(resource) = in_place_of(&loaded.project, one.environment, &one.resolution, name) {
        text.push_str(&format!(
            "  gateway   a program gets the gateway's instead ({resource})\n"
        ));
    }
    for code in errors(one, loaded, name) {
        text.push_str(&format!(
            "  error     {code}: see `ringfence show {}`\n",
            one.environment.name
        ));
    }
    text
}

fn unknown(loaded: &Loaded, ambient: &Ambient, name: &str) -> Diagnostic {
    let inputs = loaded.inputs(&ambient.host, &[]);
    let known: BTreeSet<String> = loaded
        .project
        .environments
        .iter()
        .flat_map(|environment| sources(inputs, environment).into_keys())
        .collect();
    let diagnostic = Diagnostic::error(
        "unknown-setting",
        format!("`{name}` is set in no environment and declared nowhere"),
    )
    .because("there is nothing to explain");
    let diagnostic = match spelling::closest(name, known.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("`ringfence show` lists the settings of an environment"),
    };
    match ambient.host.get(name) {
        Some(_) => diagnostic.help("the shell holds a variable of this name; it takes no part"),
        None => diagnostic,
    }
}
