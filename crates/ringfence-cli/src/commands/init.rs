//! `ringfence init`: writes a manifest that says what is there already, so that nothing changes by having it.

use std::collections::{BTreeMap, BTreeSet};

use ringfence_model::discover;
use ringfence_model::environment::{Environment, Files};
use ringfence_model::layer::Layer;
use ringfence_model::resolve::{Resolution, Setting, selector};
use ringfence_model::tier::Tier;
use ringfence_model::value::kind::Kind;
use ringfence_model::variable;

use crate::ambient::{self, Ambient};
use crate::args;
use crate::failure::{Failure, exit};
use crate::load::{Loaded, MANIFEST, load};
use crate::output::Output;

pub(crate) fn run(
    arguments: &args::Init,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let loaded = load(ambient)?;
    if loaded.project.has_manifest {
        let path = loaded.root.join(MANIFEST);
        let error = Failure::error(
            exit::REFUSED,
            format!("`{}` is there already; it is left as it is", path.display()),
        );
        return Err(error.hint("edit it, or move it away first").into());
    }
    if let Err(diagnostic) = loaded.select(
        loaded.project.environments.first().map(|e| e.name.as_str()),
        &ambient.host,
    ) {
        return Err(Failure::diagnostic(*diagnostic, loaded.sources));
    }
    let environments = &loaded.project.environments;
    let resolutions: Vec<Resolution> = environments
        .iter()
        .map(|environment| loaded.resolve(environment, &ambient.host, &[]))
        .collect();
    for resolution in &resolutions {
        output.diagnostics(&resolution.diagnostics, &loaded.sources);
    }
    let text = manifest(&loaded, &resolutions, ambient);
    if arguments.dry_run {
        return output.print(&text);
    }
    let path = loaded.root.join(MANIFEST);
    ambient::create_file(&path, &text).map_err(|error| {
        Failure::error(
            exit::FAULT,
            format!("`{}` cannot be written", path.display()),
        )
        .caused_by(error)
    })?;
    output.say(&format!(
        "wrote {}; look it over, then try `ringfence show`",
        path.display()
    ));
    Ok(exit::FINE)
}

fn manifest(loaded: &Loaded, resolutions: &[Resolution], ambient: &Ambient) -> String {
    let project = loaded
        .root
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let selector = selector(loaded.inputs(&ambient.host, &[]));
    let mut head = vec![
        vec!["version".to_owned(), "= 1".to_owned()],
        vec!["project".to_owned(), format!("= {}", text(&project))],
        vec!["selector".to_owned(), format!("= {}", text(selector))],
    ];
    let first = loaded.project.environments.first();
    if let Some(first) = first.filter(|first| first.tier == Tier::Development) {
        head.push(vec![
            "default".to_owned(),
            format!("= {}", text(&first.name)),
        ]);
    }
    let environments = loaded
        .project
        .environments
        .iter()
        .map(environment_row)
        .collect::<Vec<_>>();
    let mut manifest = aligned(&head);
    manifest.push_str("\n[environments]  # this order is the chain\n");
    manifest.push_str(&aligned(&environments));
    manifest.push_str(&settings_table(loaded, resolutions));
    manifest
}

fn environment_row(environment: &Environment) -> Vec<String> {
    let files = match &environment.files {
        Files::Found(path) if *path == ".env" => format!(", files = [{}]", text(path)),
        _ => String::new(),
    };
    vec![
        key(&environment.name),
        format!("= {{ tier = {}{files} }}", text(environment.tier.name())),
    ]
}

fn settings_table(loaded: &Loaded, resolutions: &[Resolution]) -> String {
    let mut found: BTreeMap<&str, Vec<&Setting>> = BTreeMap::new();
    for resolution in resolutions {
        for (name, setting) in &resolution.settings {
            found.entry(name).or_default().push(setting);
        }
    }
    let selectors: BTreeSet<&str> = discover::OTHER_SELECTORS
        .iter()
        .copied()
        .chain([discover::DEFAULT_SELECTOR, variable::ENVIRONMENT])
        .collect();
    let (hijacking, ordinary): (Vec<_>, Vec<_>) = found
        .into_iter()
        .filter(|(name, _)| !selectors.contains(name))
        .partition(|(name, _)| variable::hijacks(name) || name.starts_with(variable::OWN_PREFIX));
    let rows: Vec<_> = ordinary
        .iter()
        .map(|(name, settings)| setting_row(name, settings, resolutions))
        .collect();
    let mut table = format!("\n[settings]\n{}", aligned(&rows));
    for (name, settings) in hijacking {
        let layer = settings
            .first()
            .map_or(Layer::File, |setting| setting.layer);
        table.push_str(&format!(
            "# {} = {{}}  # changes which code runs: refused from the {} until declared\n",
            key(name),
            layer.name()
        ));
    }
    if loaded.project.environments.is_empty() {
        String::new()
    } else {
        table
    }
}

fn setting_row(name: &str, settings: &[&Setting], resolutions: &[Resolution]) -> Vec<String> {
    let values = settings.iter().map(|setting| setting.value.expose());
    let kind = Kind::infer(values.clone());
    let mut attributes = Vec::new();
    if kind != Kind::String {
        attributes.push(format!("type = {}", text(kind.name())));
    }
    if settings.iter().any(|setting| setting.is_secret) {
        attributes.push("secret = true".to_owned());
    }
    // Where an environment lacks it today, it does not become required by being written down.
    if settings.len() < resolutions.len() || values.clone().any(str::is_empty) {
        attributes.push("required = false".to_owned());
    }
    let attributes = if attributes.is_empty() {
        "{}".to_owned()
    } else {
        format!("{{ {} }}", attributes.join(", "))
    };
    vec![key(name), format!("= {attributes}")]
}

/// A TOML string.
fn text(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// A TOML key: bare where it can be.
fn key(name: &str) -> String {
    let bare = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare && !name.is_empty() {
        name.to_owned()
    } else {
        text(name)
    }
}

fn aligned(rows: &[Vec<String>]) -> String {
    crate::output::columns(rows)
        .iter()
        .map(|cells| cells.join(" ") + "\n")
        .collect()
}
