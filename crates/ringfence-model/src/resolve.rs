//! From layers to values: what each setting is in one environment, where it came from, and everything that is wrong.

mod collect;
mod fault;
mod interpolate;
mod rules;

use std::collections::BTreeMap;

use ringfence_diagnostic::{Diagnostic, Sources, diagnostic};

use crate::discover;
use crate::document::Documents;
use crate::environment::Environment;
use crate::host::Host;
use crate::layer::{Layer, Origin};
use crate::project::Project;
use crate::value::{Value, secrecy};
use crate::variable;

use collect::Candidates;
pub use collect::is_encrypted;
use interpolate::{Expansion, Input};

/// What a resolution is made from; all of it data.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The project.
    pub project: &'a Project,
    /// Its files, as far as they were read.
    pub documents: &'a Documents,
    /// The texts of those files.
    pub sources: &'a Sources,
    /// The variables that Ringfence was started with.
    pub host: &'a Host,
    /// `--set NAME=VALUE`, in order.
    pub arguments: &'a [(String, String)],
}

/// The settings of one environment.
#[derive(Debug)]
pub struct Resolution {
    /// By name. A setting whose value could not be made out is not there; a diagnostic says why.
    pub settings: BTreeMap<String, Setting>,
    /// Settings whose value is encrypted or elsewhere, and was not opened.
    pub closed: BTreeMap<String, (Layer, Origin)>,
    /// Everything that is wrong, errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The variable that names the environment.
    pub selector: String,
}

/// A setting with its value.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// The layer that won.
    pub layer: Layer,
    /// Where that layer says so.
    pub origin: Origin,
    /// What lower layers said, highest first.
    pub shadowed: Vec<(Layer, Origin)>,
    /// Whether the value is never shown.
    pub is_secret: bool,
    /// Whether the manifest declares it.
    pub is_declared: bool,
}

impl Resolution {
    /// Whether anything forbids to start a process with these settings.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        diagnostic::has_errors(&self.diagnostics)
    }
}

/// Puts the layers of `environment` on top of each other.
///
/// The result depends on the inputs alone, and two calls with the same inputs give the same.
#[must_use]
pub fn resolve(inputs: Inputs<'_>, environment: &Environment) -> Resolution {
    let mut diagnostics = collect::file_diagnostics(inputs, environment);
    let files_are_whole = !diagnostic::has_errors(&diagnostics);
    let collected = collect::candidates(inputs, environment);
    diagnostics.extend(collected.diagnostics);
    let expansion = expand(&collected.candidates);
    let faults = expansion.problems.iter();
    diagnostics.extend(faults.map(|(name, problem)| {
        fault::reference(
            inputs,
            environment,
            name,
            problem,
            collected.candidates.get(name),
        )
    }));
    let settings = settings(inputs.project, &collected.candidates, &expansion);
    let selector = selector(inputs);
    let rules = rules::Rules {
        inputs,
        environment,
        settings: &settings,
        selector,
    };
    diagnostics.extend(rules.check(files_are_whole, &collected.candidates));
    Resolution {
        closed: closed(&collected.candidates),
        settings,
        diagnostics,
        selector: selector.to_owned(),
    }
}

/// The values that another environment's own files and the manifest give, without any check: for comparing.
///
/// The host's variables and the arguments belong to the environment that is being started, and say nothing of others.
pub(crate) fn written_values(
    inputs: Inputs<'_>,
    environment: &Environment,
) -> BTreeMap<String, Setting> {
    let host = Host::default();
    let inputs = Inputs {
        host: &host,
        arguments: &[],
        ..inputs
    };
    let collected = collect::candidates(inputs, environment);
    let expansion = expand(&collected.candidates);
    settings(inputs.project, &collected.candidates, &expansion)
}

/// Every source of every setting of an environment, lowest rank first, whether or not its value can be made out.
#[must_use]
pub fn sources(
    inputs: Inputs<'_>,
    environment: &Environment,
) -> BTreeMap<String, Vec<(Layer, Origin)>> {
    let collected = collect::candidates(inputs, environment);
    let rows = collected.candidates.iter().map(|(name, candidates)| {
        (
            (*name).to_owned(),
            candidates
                .iter()
                .map(|candidate| (candidate.layer, candidate.origin))
                .collect(),
        )
    });
    rows.collect()
}

fn closed(candidates: &Candidates<'_>) -> BTreeMap<String, (Layer, Origin)> {
    let winners = candidates
        .iter()
        .filter_map(|(name, candidates)| Some((*name, candidates.last()?)));
    // Whose file it is, is no setting of it.
    let winners = winners.filter(|(name, _)| *name != variable::ENVIRONMENT);
    let closed = winners.filter(|(_, winner)| matches!(winner.input(), Input::Closed));
    closed
        .map(|(name, winner)| (name.to_owned(), (winner.layer, winner.origin)))
        .collect()
}

fn expand<'a>(candidates: &Candidates<'a>) -> Expansion<'a> {
    let inputs = candidates
        .iter()
        .filter_map(|(name, candidates)| Some((*name, candidates.last()?.input())));
    interpolate::expand(&inputs.collect::<BTreeMap<&str, Input<'a>>>())
}

fn settings(
    project: &Project,
    candidates: &Candidates<'_>,
    expansion: &Expansion<'_>,
) -> BTreeMap<String, Setting> {
    let mut settings = BTreeMap::new();
    // Both maps are sorted by name, and every value has its candidates: one walk through the two finds all pairs.
    let mut candidates = candidates.iter();
    for (name, value) in &expansion.values {
        let Some((_, candidates)) = candidates
            .by_ref()
            .find(|(candidate, _)| *candidate == name)
        else {
            break;
        };
        let Some((winner, shadowed)) = candidates.split_last() else {
            continue;
        };
        let declaration = project.declaration(name);
        let declared = declaration.and_then(|declaration| declaration.secret);
        let setting = Setting {
            is_secret: secrecy::is_secret(name, declared, value)
                || (winner.was_closed()
                    && declared.unwrap_or(true)
                    && *name != variable::ENVIRONMENT),
            is_declared: declaration.is_some(),
            value: Value::new(value.as_str()),
            layer: winner.layer,
            origin: winner.origin,
            shadowed: shadowed
                .iter()
                .rev()
                .map(|candidate| (candidate.layer, candidate.origin))
                .collect(),
        };
        settings.insert((*name).to_owned(), setting);
    }
    // A value that a secret was put into is a secret too; the uses come in an order in which one pass finds all.
    for (name, references) in &expansion.uses {
        let taints = |name: &&str| {
            settings
                .get(*name)
                .is_some_and(|setting: &Setting| setting.is_secret)
        };
        if references.iter().any(taints)
            && let Some(setting) = settings.get_mut(*name)
        {
            setting.is_secret = true;
        }
    }
    settings
}

/// The variable by which the project names its environments.
#[must_use]
pub fn selector<'a>(inputs: Inputs<'a>) -> &'a str {
    match &inputs.project.declared_selector {
        Some(declared) => declared,
        None => discover::selector(inputs.documents.iter().flat_map(|(_, document)| {
            let text = inputs.sources.text(document.source);
            document
                .tree
                .assignments()
                .map(|assignment| assignment.name.of(text))
        })),
    }
}

#[cfg(test)]
mod tests;
