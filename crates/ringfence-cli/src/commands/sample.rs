//! `ringfence sample`: brings data down the chain, chosen, masked and whole.

mod create;
mod load;
mod plan;

use std::time::Duration;

use ringfence_data::address::Target;
use ringfence_data::marker::Verdict;
use ringfence_data::sample::source::{self, Source};
use ringfence_data::sample::{self, SampleError};
use ringfence_data::store::StoreError;
use ringfence_mask::key::Key;
use ringfence_mask::rule::Rules;
use ringfence_model::environment::Environment;
use ringfence_model::resource::Resource;
use ringfence_model::tier::Tier;

use crate::ambient::{self, Ambient};
use crate::args::data::{Amount, Consent, Room, Sample, SampleAction};
use crate::data::desk::{self, Desk};
use crate::data::{self, Role, rules};
use crate::failure::{Failure, exit};
use crate::output::Output;

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(
    arguments: &Sample,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    match &arguments.action {
        Some(SampleAction::Plan(arguments)) => plan::run(arguments, ambient, output),
        Some(SampleAction::Greenmask(arguments)) => plan::greenmask(arguments, ambient, output),
        Some(SampleAction::Create(arguments)) => create::run(arguments, ambient, output),
        Some(SampleAction::Load(arguments)) => load::run(arguments, ambient, output),
        None => in_one_go(arguments, ambient, output),
    }
}

/// Where one person may read both: the file between the two has no name.
fn in_one_go(arguments: &Sample, ambient: &Ambient, output: &mut Output) -> Result<u8, Failure> {
    let name = arguments.environment.as_deref().unwrap_or_default();
    let below = desk::open(name, ambient, output)?;
    load::may(&below, &arguments.room, ambient)?;
    for resource in resources(&below, &arguments.amount)? {
        let above = Above::open(&below, &resource, &arguments.amount, ambient, output)?;
        let folder = ambient.temporary_folder();
        let file = ambient::passing_file(&folder).map_err(|error| not_passed(&error))?;
        let (_, file) = create::write(&above, file, ambient, output)?;
        let file = ambient::again(file).map_err(|error| not_passed(&error))?;
        load::one(&below, &resource, file, &arguments.room, (ambient, output))?;
    }
    Ok(exit::FINE)
}

/// Loads a file into an environment whose stores were just made, and are empty.
pub(super) fn load_file(
    below: &Desk,
    file: &std::path::Path,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let room = Room {
        replace: false,
        consent: Consent { yes: None },
    };
    load::file(below, file, &room, (ambient, output))
}

fn not_passed(error: &std::io::Error) -> Failure {
    Failure::error(exit::FAULT, "the sample cannot be kept in the temporary folder")
        .caused_by(error)
        .hint("make the folder that `TMPDIR` names writable, or use `ringfence sample create` with `--out`")
        .into()
}

/// The resources that are meant: those whose data the manifest says comes from somewhere.
fn resources(below: &Desk, amount: &Amount) -> Result<Vec<Resource>, Failure> {
    let named = amount.resource.as_deref();
    let meant = |resource: &&Resource| match named {
        Some(name) => resource.name == name,
        None => resource.sample(&below.environment).is_some(),
    };
    let found: Vec<Resource> = below
        .loaded
        .project
        .resources
        .iter()
        .filter(meant)
        .cloned()
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let message = match named {
        Some(name) => format!("there is no resource `{name}`"),
        None => format!(
            "no resource says where the data of `{}` comes from",
            below.environment.name
        ),
    };
    Err(Failure::error(exit::REFUSED, message)
        .hint("say `sample = { from = \"prod\", fraction = \"1%\" }` and `tables` for it in ringfence.toml")
        .into())
}

/// The environment that a resource's data comes from, and all that is needed to read it there.
struct Above {
    desk: Desk,
    resource: Resource,
    /// The environment that the data is for.
    to: String,
    rules: Rules,
    key: Key,
}

impl Above {
    fn open(
        below: &Desk,
        resource: &Resource,
        amount: &Amount,
        ambient: &Ambient,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        let written = resource.sample(&below.environment);
        let from = amount.from.as_deref();
        let from = from.or_else(|| Some(written?.from.as_ref()?.value.as_str()));
        let Some(from) = from else {
            let message = format!(
                "nobody has said where the data of `{}` comes from",
                resource.name
            );
            return Err(Failure::error(exit::REFUSED, message)
                .hint("`--from ENV`, or `sample = { from = \"…\" }` in ringfence.toml")
                .into());
        };
        let desk = desk::open(from, ambient, output)?;
        only_down(below, &desk.environment)?;
        let diagnosed =
            |diagnostics| Failure::Diagnostics(diagnostics, Box::new(below.loaded.sources.clone()));
        let fraction = written.and_then(|written| written.fraction.as_ref());
        let rows = rules::amount(resource, fraction, amount.fraction.as_deref(), amount.rows)
            .map_err(|diagnostic| diagnosed(vec![*diagnostic]))?;
        let rules = rules::rules(resource, rows).map_err(diagnosed)?;
        let setting = written.and_then(|written| written.key.as_ref());
        let key = key(
            &desk,
            &below.environment,
            setting.map(|key| key.value.as_str()),
            ambient,
        )?;
        Ok(Self {
            to: below.environment.name.clone(),
            resource: resource.clone(),
            rules,
            key,
            desk,
        })
    }

    /// The resource's address above, and its snapshot, once it was found to be what it should be.
    fn source(&self) -> Result<(Box<dyn Source>, String), Failure> {
        let targets = self
            .desk
            .targets(Some(&self.resource.name), Role::Program)?;
        let Some((resource, target)) = targets.into_iter().next() else {
            return Err(Failure::error(exit::REFUSED, "there is no such resource").into());
        };
        let environment = &self.desk.environment;
        let desk::Looked {
            verdict, marker, ..
        } = self.desk.look(resource, &target)?;
        if matches!(
            verdict,
            Verdict::Others { .. } | Verdict::OthersCopy { .. } | Verdict::Emptied { .. }
        ) {
            let message = format!(
                "`{}` of `{}` is not its own: {}",
                resource.name,
                environment.name,
                data::words(&verdict, &environment.name)
            );
            return Err(Failure::error(exit::REFUSED, message)
                .hint("nothing was read; correct the setting that names it")
                .into());
        }
        let source = source::open(&target, PATIENCE).map_err(|error| self.failed(error))?;
        Ok((source, marker.mark))
    }

    fn failed(&self, error: SampleError) -> Failure {
        if let SampleError::Store(StoreError::Refused(_)) = error {
            let (name, environment) = (&self.resource.name, &self.desk.environment.name);
            let message = format!("`{name}` of `{environment}` cannot be read whole");
            return Failure::error(exit::FAULT, message)
                .caused_by(error)
                .hint("let the role of its address read every table that travels, and each of its rows")
                .into();
        }
        if let SampleError::Plan(_) | SampleError::Cover(_) = error {
            let message = format!("no sample of `{}` can be made", self.resource.name);
            return unsaid(&self.resource, message, error);
        }
        failed(&self.resource, &self.desk.environment, error)
    }
}

/// What the rules do not say, or say wrongly.
fn unsaid(resource: &Resource, message: String, error: SampleError) -> Failure {
    Failure::error(exit::REFUSED, message)
        .caused_by(error)
        .hint(format!(
            "say it under `[resources.{}.tables]` in ringfence.toml; `ringfence sample plan` shows what is missing",
            resource.name
        ))
        .into()
}

/// Why a sample was not made or loaded.
pub(super) fn failed(
    resource: &Resource,
    environment: &Environment,
    error: SampleError,
) -> Failure {
    let name = &resource.name;
    let message = format!("`{name}` of `{}` was left as it is", environment.name);
    let (code, hint) = match &error {
        SampleError::Store(error) => return desk::failed(resource, environment, error),
        SampleError::Cover(_)
        | SampleError::Plan(_)
        | SampleError::NoKey(_)
        | SampleError::Mask(_) => return unsaid(resource, message, error),
        SampleError::Large(_) => (
            exit::REFUSED,
            "nothing was changed; what has no rule stays behind".to_owned(),
        ),
        SampleError::Target(_) => (
            exit::REFUSED,
            "bring its schema up to date, and say `--replace` where its rows may go".to_owned(),
        ),
        SampleError::Artifact(_) => (
            exit::REFUSED,
            "make it anew: `ringfence sample create`".to_owned(),
        ),
        SampleError::File(_) => (
            exit::FAULT,
            "see that there is room, and the right to write".to_owned(),
        ),
    };
    Failure::error(code, message)
        .caused_by(error)
        .hint(hint)
        .into()
}

/// Data goes down the chain and nowhere else.
fn only_down(below: &Desk, above: &Environment) -> Result<(), Failure> {
    let environments = &below.loaded.project.environments;
    let place = |name: &str| environments.iter().position(|own| own.name == name);
    let to = &below.environment;
    if to.tier < Tier::Production && place(&to.name) < place(&above.name) {
        return Ok(());
    }
    let chain: Vec<&str> = environments.iter().map(|own| own.name.as_str()).collect();
    let message = format!(
        "data never travels up: `{}` is not above `{}`; nothing was read",
        above.name, to.name
    );
    Err(Failure::error(exit::DENIED, message)
        .hint(format!("the chain is {}", chain.join(" → ")))
        .into())
}

/// The key of this pair of environments: from a setting above, or from a key of this user's own.
fn key(
    above: &Desk,
    below: &Environment,
    setting: Option<&str>,
    ambient: &Ambient,
) -> Result<Key, Failure> {
    const SHORTEST: usize = 16;
    let project = above.project();
    let purpose = [
        "sample",
        project,
        above.environment.name.as_str(),
        below.name.as_str(),
    ];
    let Some(name) = setting else {
        let own = ambient.fingerprint_key();
        let key = own.and_then(|own| sample::key(own.bytes(), &purpose));
        return key.ok_or_else(|| {
            Failure::error(exit::FAULT, "no key can be kept for this user")
                .hint("say `key = \"SETTING\"` under `sample` in ringfence.toml: a secret of the environment above")
                .into()
        });
    };
    let value = above
        .resolution
        .settings
        .get(name)
        .map(|setting| setting.value.expose());
    let value = value.filter(|value| value.len() >= SHORTEST);
    let key = value.and_then(|value| sample::key(value.as_bytes(), &purpose));
    key.ok_or_else(|| {
        let message = format!(
            "`{name}` of `{}` has no {SHORTEST} characters, and is to key its masks",
            above.environment.name
        );
        Failure::error(exit::REFUSED, message)
            .hint(format!(
                "`ringfence secret set {} {name}` with 32 random characters",
                above.environment.name
            ))
            .into()
    })
}

/// The one target of a resource, to be written by its owner.
fn owned<'a>(desk: &'a Desk, resource: &Resource) -> Result<(&'a Resource, Target), Failure> {
    let targets = desk.targets(Some(&resource.name), Role::Owner)?;
    let first = targets.into_iter().next();
    first.ok_or_else(|| Failure::error(exit::REFUSED, "there is no such resource").into())
}
