//! `ringfence doctor`: what was found here, and what this machine and version can enforce.

use ringfence_diagnostic::diagnostic;
use ringfence_diagnostic::render::{DiagnosticRecord, records, without_controls};
use ringfence_model::environment::{Environment, Files};
use ringfence_model::resolve::selector;
use serde::Serialize;

use crate::ambient::{self, Ambient};
use crate::args;
use crate::failure::{Failure, exit};
use crate::load::{Loaded, MANIFEST, load};
use crate::output::{Output, Tone};

/// What `--json` prints.
#[derive(Serialize)]
struct Record<'a> {
    version: &'static str,
    system: String,
    /// The strongest barrier that `run` can build here.
    barrier: &'static str,
    root: String,
    manifest: Option<&'static str>,
    selector: &'a str,
    environments: Vec<EnvironmentRecord<'a>>,
    shared: Option<&'a str>,
    unread: Vec<UnreadRecord<'a>>,
    diagnostics: Vec<DiagnosticRecord<'a>>,
}

#[derive(Serialize)]
struct EnvironmentRecord<'a> {
    name: &'a str,
    tier: &'static str,
    files: Vec<&'a str>,
    personal: Option<&'a str>,
    settings: usize,
    ready: bool,
}

#[derive(Serialize)]
struct UnreadRecord<'a> {
    file: &'a str,
    why: &'static str,
}

const BARRIER: &str = "config-only";

pub(crate) fn run(
    arguments: &args::Doctor,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
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
    } else {
        exit::FINE
    })
}

fn record<'a>(loaded: &'a Loaded, ambient: &'a Ambient) -> Record<'a> {
    let environments = loaded.project.environments.iter();
    Record {
        version: env!("CARGO_PKG_VERSION"),
        system: ambient::system(),
        barrier: BARRIER,
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
        diagnostics: records(&loaded.diagnostics, &loaded.sources),
    }
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
        settings: resolution.settings.len(),
        ready: !resolution.is_refused(),
    }
}

fn page(record: &Record<'_>, output: &Output) -> String {
    let mut page = format!(
        "ringfence {} on {}\nbarrier    {}: settings are kept apart; processes are not walled in by this version\nroot       {}\nmanifest   {}\nselector   {}\n",
        record.version,
        record.system,
        record.barrier,
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
        let files = if environment.files.is_empty() {
            "no file".to_owned()
        } else {
            without_controls(&environment.files.join(", ")).into_owned()
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
        page.push_str(&format!(
            "\n{name} ({}) from {files}{personal}: {} settings, {state}",
            environment.tier, environment.settings
        ));
    }
    page.push('\n');
    for unread in &record.unread {
        page.push_str(&format!(
            "not read   {}: {}\n",
            without_controls(unread.file),
            unread.why
        ));
    }
    page
}
