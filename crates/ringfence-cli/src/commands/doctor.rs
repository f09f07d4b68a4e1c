//! `ringfence doctor`: what was found here, and what this machine and version can enforce.

use ringfence_diagnostic::diagnostic;
use ringfence_diagnostic::render::{DiagnosticRecord, records, without_controls};
use ringfence_model::environment::{Environment, Files};
use ringfence_model::resolve::selector;
use serde::Serialize;

use crate::ambient::{self, Ambient};
use crate::args;
use crate::data::rights;
use crate::failure::{Failure, exit};
use crate::gateway;
use crate::gather;
use crate::load::{Loaded, MANIFEST, load};
use crate::output::{Output, Tone};

/// What `--json` prints.
#[derive(Serialize)]
struct Record<'a> {
    version: &'static str,
    system: String,
    /// The strongest barrier that `run` can build here, as it has just been built.
    barrier: &'static str,
    /// What that level lacks.
    lacks: &'static str,
    /// Why each stronger one cannot be built, strongest first.
    obstacles: Vec<ObstacleRecord>,
    root: String,
    manifest: Option<&'static str>,
    selector: &'a str,
    environments: Vec<EnvironmentRecord<'a>>,
    shared: Option<&'a str>,
    unread: Vec<UnreadRecord<'a>>,
    /// Files with secrets that git tracks: no barrier hides what a repository holds.
    tracked: Vec<TrackedRecord<'a>>,
    diagnostics: Vec<DiagnosticRecord<'a>>,
}

#[derive(Serialize)]
struct EnvironmentRecord<'a> {
    name: &'a str,
    tier: &'static str,
    files: Vec<&'a str>,
    personal: Option<&'a str>,
    /// Sealed files; several where it cannot be told which one is meant.
    sealed: Vec<&'a str>,
    /// How many there are, those included whose value is sealed or kept elsewhere.
    settings: usize,
    ready: bool,
    /// The resources for which `run` starts a gateway.
    gateway: Vec<&'a str>,
    /// The limits of what comes in, for which it does so, too.
    ingress: Option<&'a str>,
}

/// A file with secrets in it that git tracks.
#[derive(Serialize)]
struct TrackedRecord<'a> {
    file: &'a str,
    environment: &'a str,
}

#[derive(Serialize)]
struct UnreadRecord<'a> {
    file: &'a str,
    why: &'static str,
}

#[derive(Serialize)]
struct ObstacleRecord {
    level: &'static str,
    step: String,
    reason: String,
    mend: Vec<String>,
}

pub(crate) fn run(
    arguments: &args::Doctor,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    if arguments.apparmor {
        return output.print(probe::APPARMOR_PROFILE);
    }
    if let Some(environment) = &arguments.environment {
        return rights::run(environment, arguments.json, ambient, output);
    }
    let loaded = load(ambient)?;
    let record = record(&loaded, ambient);
    if arguments.json {
        output.print_json(&record)?;
    } else {
        let text = page(&record, output);
        output.print(&text)?;
        output.diagnostics(&loaded.diagnostics, &loaded.sources);
    }
    Ok(if diagnostic::has_errors(&loaded.diagnostics) {
        exit::REFUSED
    } else if record.tracked.is_empty() {
        exit::FINE
    } else {
        exit::FINDINGS
    })
}

fn record<'a>(loaded: &'a Loaded, ambient: &'a Ambient) -> Record<'a> {
    let environments = loaded.project.environments.iter();
    let (level, obstacles) = probe::probe();
    Record {
        version: env!("CARGO_PKG_VERSION"),
        system: ambient::system(),
        barrier: level.name(),
        lacks: level.lacks(),
        obstacles,
        root: loaded.root.display().to_string(),
        manifest: loaded.project.has_manifest.then_some(MANIFEST),
        selector: selector(loaded.inputs(&ambient.host, &[])),
        environments: environments
            .map(|environment| environment_record(loaded, ambient, environment))
            .collect(),
        shared: loaded.project.shared.as_deref(),
        unread: loaded
            .project
            .unread
            .iter()
            .map(|(file, why)| UnreadRecord {
                file,
                why: why.reason(),
            })
            .collect(),
        tracked: tracked(loaded, ambient),
        diagnostics: records(&loaded.diagnostics, &loaded.sources),
    }
}

/// The files with secrets in them that git tracks.
fn tracked<'a>(loaded: &'a Loaded, ambient: &Ambient) -> Vec<TrackedRecord<'a>> {
    let tracked = gather::tracked(&loaded.root);
    let mut records = Vec::new();
    for environment in &loaded.project.environments {
        let resolution = loaded.resolve(environment, &ambient.host, &[]);
        let holds_secret = |file: &str| {
            let secrets = resolution
                .settings
                .values()
                .filter(|setting| setting.is_secret);
            let places = secrets.filter_map(|setting| setting.origin.place());
            places
                .map(|place| loaded.sources.locate(place))
                .any(|place| place.starts_with(&format!("{file}:")))
        };
        let own = environment
            .paths()
            .into_iter()
            .chain(environment.personal.as_deref());
        for file in own.filter(|file| tracked.contains(*file) && holds_secret(file)) {
            records.push(TrackedRecord {
                file,
                environment: &environment.name,
            });
        }
    }
    records
}

fn environment_record<'a>(
    loaded: &'a Loaded,
    ambient: &Ambient,
    environment: &'a Environment,
) -> EnvironmentRecord<'a> {
    let resolution = loaded.resolve(environment, &ambient.host, &[]);
    let files = match &environment.files {
        Files::Ambiguous(files) => files.iter().map(String::as_str).collect(),
        _ => environment.paths(),
    };
    EnvironmentRecord {
        name: &environment.name,
        tier: environment.tier.name(),
        files,
        personal: environment.personal.as_deref(),
        sealed: environment.sealed.iter().map(String::as_str).collect(),
        settings: resolution.settings.len() + resolution.closed.len(),
        ready: !resolution.is_refused(),
        gateway: gateway::started_for(&loaded.project, environment, &resolution),
        ingress: gateway::ingress::written(&loaded.project, environment),
    }
}

/// The strongest level, and what keeps the stronger ones from being built.
fn barrier(record: &Record<'_>) -> String {
    let lacks = if record.lacks.is_empty() {
        "every wall stands"
    } else {
        record.lacks
    };
    let mut text = format!("barrier    {}: {lacks}\n", record.barrier);
    for obstacle in &record.obstacles {
        text.push_str(&format!(
            "  no `{}`: {}: {}\n",
            obstacle.level, obstacle.step, obstacle.reason
        ));
        for line in &obstacle.mend {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

fn page(record: &Record<'_>, output: &Output) -> String {
    let mut page = format!(
        "ringfence {} on {}\n{}root       {}\nmanifest   {}\nselector   {}\n",
        record.version,
        record.system,
        barrier(record),
        record.root,
        record
            .manifest
            .unwrap_or("none; `ringfence init` writes one"),
        record.selector,
    );
    if let Some(shared) = record.shared {
        page.push_str(&format!("shared     {shared}, read by every environment\n"));
    }
    if record.environments.is_empty() {
        page.push_str("no environment found; create `.env.dev`\n");
    }
    for environment in &record.environments {
        let name = output.data(Tone::Strong, environment.name);
        let sealed = environment.sealed.iter();
        let sealed = sealed.map(|file| format!("{file} (sealed)"));
        let files = environment.files.iter().map(|file| (*file).to_owned());
        let files: Vec<String> = files.chain(sealed).collect();
        let files = if files.is_empty() {
            "no file".to_owned()
        } else {
            without_controls(&files.join(", ")).into_owned()
        };
        let personal = environment
            .personal
            .map(|personal| format!(" + {personal}"))
            .unwrap_or_default();
        let state = if environment.ready {
            "ready".to_owned()
        } else {
            format!("refused: see `ringfence show {}`", environment.name)
        };
        let limited = environment.ingress.map(|_| "what comes in");
        let served: Vec<&str> = environment.gateway.iter().copied().chain(limited).collect();
        let gateway = match served.as_slice() {
            [] => String::new(),
            served => format!(", with a gateway for {}", served.join(", ")),
        };
        page.push_str(&format!(
            "\n{name} ({}) from {files}{personal}: {} settings{gateway}, {state}",
            environment.tier, environment.settings
        ));
    }
    page.push('\n');
    for tracked in &record.tracked {
        let file = without_controls(tracked.file);
        page.push_str(&format!(
            "tracked    {file}: git keeps the secrets of `{}`, and a barrier hides files, not what a repository holds; `git rm --cached {file}`, then give out new secrets\n",
            tracked.environment
        ));
    }
    for unread in &record.unread {
        page.push_str(&format!(
            "not read   {}: {}\n",
            without_controls(unread.file),
            unread.why
        ));
    }
    page
}

/// What this machine allows, found out by doing it.
#[cfg(target_os = "linux")]
mod probe {
    use ringfence_sandbox::level::Level;
    pub(super) use ringfence_sandbox::status::APPARMOR_PROFILE;

    pub(super) fn probe() -> (Level, Vec<super::ObstacleRecord>) {
        let probe = ringfence_sandbox::status::probe();
        let obstacles = probe
            .obstacles
            .into_iter()
            .map(|obstacle| super::ObstacleRecord {
                level: obstacle.level.name(),
                step: obstacle.step,
                reason: obstacle.reason,
                mend: obstacle.mend,
            });
        (probe.level, obstacles.collect())
    }
}

/// There is no barrier for other systems.
#[cfg(not(target_os = "linux"))]
mod probe {
    use ringfence_sandbox::level::Level;
    pub(super) const APPARMOR_PROFILE: &str = "";

    pub(super) fn probe() -> (Level, Vec<super::ObstacleRecord>) {
        (Level::ConfigOnly, Vec::new())
    }
}
