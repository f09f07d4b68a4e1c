//! An environment's resources: their addresses as plain data, their marks, and what follows from them.
//!
//! Marks are asked for in a process of Ringfence's own, so that no thread and no connection are left where a barrier is built.

pub(crate) mod desk;
pub(crate) mod index;
pub(crate) mod meter;
pub(crate) mod quarantine;
pub(crate) mod rights;
pub(crate) mod rules;
mod told;

use std::time::Duration;

use ringfence_data::address::{self, Kind, Target};
use ringfence_data::marker::{Decision, Strictness, Verdict, decide};
use ringfence_data::probe::{self, Answer};
use ringfence_data::vectors::Index;
use ringfence_model::environment::Environment;
use ringfence_model::resolve::Resolution;
use ringfence_model::resource::Resource;
use ringfence_model::tier::Tier;
use zeroize::Zeroizing;

use crate::ambient;
use crate::failure::Failure;
use crate::load::Loaded;

pub(crate) use told::words;

/// How long resources have to answer before a start.
const WITHIN: Duration = Duration::from_millis(500);

/// The word by which Ringfence starts itself to ask.
pub(crate) const PROBE: &str = "probe-markers";

/// As whom a resource is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// As the program does.
    Program,
    /// As the role that may change it, where the manifest names one.
    Owner,
}

/// What was found of one resource.
pub(crate) struct Known<'a> {
    pub(crate) resource: &'a Resource,
    pub(crate) kind: Kind,
    pub(crate) answer: Answer,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) decision: Decision,
    /// Of which embeddings its vectors are, and are to be, where these differ: what differs, and both.
    pub(crate) vectors: Option<(&'static str, String, String)>,
}

/// What marks say before a start.
#[derive(Default)]
pub(crate) struct Marks {
    /// By resource: what the banner says.
    pub(crate) shown: Vec<(String, String)>,
    /// What people are told.
    pub(crate) notes: Vec<String>,
    /// Resources that are copies, and scrubbed: nothing but stores may be in reach.
    pub(crate) quarantined: Vec<String>,
}

impl Marks {
    /// What the banner says behind a resource's endpoint.
    pub(crate) fn shown(&self, resource: &str) -> String {
        let found = self.shown.iter().find(|(name, _)| name == resource);
        found.map_or_else(String::new, |(_, shown)| format!(" {shown}"))
    }
}

/// The resources of an environment that can be asked, with their addresses.
pub(crate) fn targets<'a>(
    loaded: &'a Loaded,
    resolution: &Resolution,
    role: Role,
) -> Vec<(&'a Resource, Target)> {
    let resources = loaded.project.resources.iter();
    resources
        .filter_map(|resource| Some((resource, target(loaded, resource, resolution, role)?)))
        .collect()
}

fn target(
    loaded: &Loaded,
    resource: &Resource,
    resolution: &Resolution,
    role: Role,
) -> Option<Target> {
    let value = |name: &str| {
        let setting = resolution.settings.get(name)?;
        let value = setting.value.expose();
        (!value.is_empty()).then(|| Zeroizing::new(value.to_owned()))
    };
    let usual = value(resource.setting.as_deref()?)?;
    let kind = match &resource.kind {
        Some(kind) => Kind::named(kind)?,
        None => Kind::of_value(&usual).filter(|kind| *kind != Kind::Http)?,
    };
    let owner = resource
        .owner
        .as_deref()
        .filter(|_| role == Role::Owner)
        .and_then(value);
    let key = resource.key.as_deref().and_then(value);
    // There roles are told apart by their keys, and the address is one.
    let (value_of, key) = match kind {
        Kind::Qdrant | Kind::S3 => (usual, owner.or(key)),
        _ => (owner.unwrap_or(usual), key),
    };
    Some(Target {
        name: resource.name.clone(),
        kind,
        value: value_of,
        key,
        root: loaded.root.clone(),
        settings: address::settings(kind)
            .filter_map(|name| Some((name.to_owned(), value(name)?)))
            .collect(),
    })
}

/// Whether a resource of this kind is looked at in an environment.
fn is_looked_at(resource: &Resource, kind: Kind, environment: &Environment) -> bool {
    // An API of somebody else's serves no marker, so it is asked only where the manifest says that it does. A store that may be
    // unmarked is asked all the same: it may be another environment's.
    kind != Kind::Http || resource.is_marked(environment) == Some(true)
}

/// Asks all resources of an environment for their marks.
fn look<'a>(
    loaded: &'a Loaded,
    environment: &Environment,
    resolution: &Resolution,
) -> Vec<Known<'a>> {
    let targets: Vec<(&Resource, Target)> = targets(loaded, resolution, Role::Program)
        .into_iter()
        .filter(|(resource, target)| is_looked_at(resource, target.kind, environment))
        .collect();
    if targets.is_empty() {
        return Vec::new();
    }
    let (resources, targets): (Vec<&Resource>, Vec<Target>) = targets.into_iter().unzip();
    let question = probe::encode(&targets, WITHIN);
    let kinds = targets.iter().map(|target| target.kind);
    let kinds: Vec<Kind> = kinds.collect();
    drop(targets);
    let answers = ambient::ask_own_process(PROBE, &question)
        .map_err(|error| error.to_string())
        .and_then(|bytes| {
            serde_json::from_slice::<Vec<Answer>>(&bytes).map_err(|error| error.to_string())
        });
    // Whoever is not spoken of was not asked.
    let answers = answers.and_then(|answers| match answers.len() == resources.len() {
        true => Ok(answers),
        false => Err("there is no answer for each".to_owned()),
    });
    let answers = answers.unwrap_or_else(|why| {
        let silent = |_| Answer::Silent(format!("it could not be asked: {why}"));
        resources.iter().map(silent).collect()
    });
    let rows = resources.into_iter().zip(kinds).zip(answers);
    rows.map(|((resource, kind), answer)| known(loaded, environment, resource, kind, answer))
        .collect()
}

fn known<'a>(
    loaded: &Loaded,
    environment: &Environment,
    resource: &'a Resource,
    kind: Kind,
    answer: Answer,
) -> Known<'a> {
    let project = loaded.project.name.as_deref().unwrap_or("");
    let strictness = strictness(environment.tier);
    let may_be_unmarked = resource.is_marked(environment) == Some(false);
    let (verdict, decision) = match &answer {
        Answer::Found(found) => {
            let verdict = found.verdict(project, &environment.name);
            let decision = decide(&verdict, strictness, may_be_unmarked);
            (Some(verdict), decision)
        }
        Answer::Silent(_) if may_be_unmarked => (None, Decision::Start),
        Answer::Silent(_) if strictness == Strictness::Lower => (None, Decision::Note),
        Answer::Silent(_) => (None, Decision::Refuse),
    };
    let vectors = index::declared(resource, environment).and_then(|wanted| {
        let Answer::Found(found) = &answer else {
            return None;
        };
        Index::read(&found.marker.as_ref()?.vectors)?.difference(&wanted)
    });
    let decision = match vectors {
        Some(_) => Decision::Refuse,
        None => decision,
    };
    Known {
        resource,
        kind,
        answer,
        verdict,
        decision,
        vectors,
    }
}

/// How strict a tier is about marks.
pub(crate) const fn strictness(tier: Tier) -> Strictness {
    match tier {
        Tier::Development | Tier::Testing => Strictness::Lower,
        Tier::Staging => Strictness::Staging,
        Tier::Production => Strictness::Production,
    }
}

/// Looks at every resource before anything is started, and refuses where one is not the environment's own.
pub(crate) fn verify(
    loaded: &Loaded,
    environment: &Environment,
    resolution: &Resolution,
) -> Result<Marks, Failure> {
    let mut marks = Marks::default();
    let mut refusals = Vec::new();
    for known in look(loaded, environment, resolution) {
        let name = known.resource.name.clone();
        if let Some(shown) = told::shown(&known, environment) {
            marks.shown.push((name.clone(), shown));
        }
        match known.decision {
            Decision::Start => {}
            Decision::Note => marks.notes.push(told::note(&known, environment)),
            Decision::Quarantine => {
                marks.notes.push(told::note(&known, environment));
                marks.quarantined.push(name);
            }
            Decision::Refuse => refusals.push(told::refusal(&known, environment)),
        }
    }
    if refusals.is_empty() {
        return Ok(marks);
    }
    Err(Failure::Diagnostics(
        refusals,
        Box::new(loaded.sources.clone()),
    ))
}
