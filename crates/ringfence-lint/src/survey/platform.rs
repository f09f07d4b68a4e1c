//! What hosting platforms' files say: Render, Fly, DigitalOcean's app spec, GitHub's workflows.

use ringfence_diagnostic::Span;
use ringfence_syntax::tree::Node;

use super::read::{Section, Written, named_item, part};
use crate::layout::Role;

fn production() -> Role {
    Role::Environment("production".to_owned())
}

fn entry(name: &str, name_span: Span, value: &Node) -> Option<Written> {
    let value = (value.as_str()?, value.span);
    Some(Written::new((name, name_span), value))
}

/// A name that the platform supplies without its value being in the file.
fn supplied(name: &str, name_span: Span) -> Written {
    Written::new((name, name_span), ("${platform}", name_span))
}

/// `fly.toml`: `[env]` is what the running program sees.
pub(super) fn fly(document: &Node, role: &Role) -> Vec<Section> {
    let environment = document.get("env").map_or(&[][..], Node::entries);
    let entries = environment
        .iter()
        .filter_map(|one| entry(&one.key, one.key_span, &one.value))
        .collect();
    let role = match role {
        Role::Environment(_) => role.clone(),
        _ => production(),
    };
    vec![part(role, None, entries)]
}

/// `render.yaml`: services and groups of variables, with values for production and, where given, for previews.
pub(super) fn render(document: &Node) -> Vec<Section> {
    let of = |key| document.get(key).map_or(&[][..], Node::items);
    let mut parts = Vec::new();
    for block in of("services").iter().chain(of("envVarGroups")) {
        let variables = block.get("envVars").map_or(&[][..], Node::items);
        let name = block.text("name").map(str::to_owned);
        let named = |item: &Node, field: &str| {
            let (key, _) = named_item(item)?;
            match item
                .get(field)
                .and_then(|value| entry(key.as_str()?, key.span, value))
            {
                None if field == "value" => Some(supplied(key.as_str()?, key.span)),
                found => found,
            }
        };
        let values = variables
            .iter()
            .filter_map(|item| named(item, "value"))
            .collect();
        parts.push(part(production(), name.clone(), values));
        let previews: Vec<Written> = variables
            .iter()
            .filter_map(|item| named(item, "previewValue"))
            .collect();
        if !previews.is_empty() {
            parts.push(part(
                Role::Environment("preview".to_owned()),
                name,
                previews,
            ));
        }
    }
    parts
}

/// DigitalOcean's app spec: `envs` of the app and of its services, workers, jobs and static sites.
pub(super) fn app_spec(document: &Node) -> Vec<Section> {
    const BLOCKS: &[&str] = &["services", "workers", "jobs", "static_sites", "functions"];
    let spec = document.get("spec").unwrap_or(document);
    let blocks = BLOCKS
        .iter()
        .flat_map(|block| spec.get(block).map_or(&[][..], Node::items));
    std::iter::once(spec)
        .chain(blocks)
        .filter_map(|block| {
            let variables = block.get("envs")?.items().iter();
            let entries = variables.filter_map(|item| {
                let (key, value) = named_item(item)?;
                let own = value.and_then(|value| entry(key.as_str()?, key.span, value));
                own.or_else(|| Some(supplied(key.as_str()?, key.span)))
            });
            Some(part(
                production(),
                block.text("name").map(str::to_owned),
                entries.collect(),
            ))
        })
        .collect()
}

/// A GitHub workflow: `env` of the workflow, of its jobs and of their steps. A job with an `environment` deploys there;
/// everything else is CI.
pub(super) fn workflow(document: &Node) -> Vec<Section> {
    let mut parts: Vec<Section> = env_part(document, None, "ci").into_iter().collect();
    for job in document.get("jobs").map_or(&[][..], Node::entries) {
        let environment = job.value.get("environment");
        let word = environment
            .and_then(|it| it.as_str().or_else(|| it.text("name")))
            .unwrap_or("ci");
        parts.extend(env_part(&job.value, Some(&job.key), word));
        for step in job.value.get("steps").map_or(&[][..], Node::items) {
            parts.extend(env_part(step, Some(&job.key), word));
        }
    }
    parts
}

fn env_part(block: &Node, name: Option<&str>, word: &str) -> Option<Section> {
    let entries: Vec<Written> = block
        .get("env")?
        .entries()
        .iter()
        .filter_map(|one| entry(&one.key, one.key_span, &one.value))
        .collect();
    let role = Role::Environment(word.to_ascii_lowercase());
    Some(part(role, name.map(str::to_owned), entries))
}
