//! What every command that changes data begins with: the project, the environment, its settings, and a person's word.

use std::time::Duration;

use ringfence_data::address::{self, Target};
use ringfence_data::marker::{Marker, Verdict};
use ringfence_data::store::{self, Store, StoreError};
use ringfence_model::environment::Environment;
use ringfence_model::resolve::Resolution;
use ringfence_model::resource::Resource;
use ringfence_model::tier::Tier;

use super::Role;
use crate::ambient::{self, Ambient};
use crate::args::data::Consent;
use crate::failure::{Failure, exit};
use crate::load::{Loaded, load};
use crate::output::Output;
use crate::sealed;

/// An environment whose settings are open.
pub(crate) struct Desk {
    pub(crate) loaded: Loaded,
    pub(crate) environment: Environment,
    pub(crate) resolution: Resolution,
}

/// A resource with what its marks say.
pub(crate) struct Looked {
    pub(crate) store: Box<dyn Store>,
    /// The data mark; an empty one where there is none.
    pub(crate) marker: Marker,
    pub(crate) verdict: Verdict,
    /// Where the program finds it.
    pub(crate) address: String,
}

/// Resolves an environment, and refuses on any error in its configuration.
pub(crate) fn open(name: &str, ambient: &Ambient, output: &mut Output) -> Result<Desk, Failure> {
    let mut loaded = load(ambient)?.checked()?;
    let environment = match loaded.find(name) {
        Ok(environment) => environment.clone(),
        Err(diagnostic) => return Err(Failure::diagnostic(*diagnostic, loaded.sources)),
    };
    sealed::open(
        &mut loaded,
        &environment,
        sealed::Commands::Run,
        ambient,
        output,
    )?;
    let resolution = loaded.resolve(&environment, &ambient.host, &[]);
    if resolution.is_refused() || !resolution.closed.is_empty() {
        let mut diagnostics = resolution.diagnostics;
        diagnostics.extend(sealed::still_closed(&resolution.closed));
        return Err(Failure::Diagnostics(diagnostics, Box::new(loaded.sources)));
    }
    Ok(Desk {
        loaded,
        environment,
        resolution,
    })
}

/// The same without the right to open anything of it: its place in the chain and what the manifest says, and no setting's value.
pub(crate) fn named(name: &str, ambient: &Ambient) -> Result<Desk, Failure> {
    let loaded = load(ambient)?.checked()?;
    let environment = match loaded.find(name) {
        Ok(environment) => environment.clone(),
        Err(diagnostic) => return Err(Failure::diagnostic(*diagnostic, loaded.sources)),
    };
    let resolution = loaded.resolve(&environment, &ambient.host, &[]);
    Ok(Desk {
        loaded,
        environment,
        resolution,
    })
}

impl Desk {
    /// The project's name; empty where the manifest gives none.
    pub(crate) fn project(&self) -> &str {
        self.loaded.project.name.as_deref().unwrap_or("")
    }

    /// Where the program finds a resource: what a marker calls its own place, whoever writes it.
    fn address(&self, resource: &Resource) -> Result<String, Failure> {
        let targets = self.targets(Some(&resource.name), Role::Program)?;
        let shown = targets.first().map(|(_, target)| address::shown(target));
        match shown {
            Some(Ok(shown)) => Ok(shown),
            Some(Err(error)) => Err(failed(resource, &self.environment, &error.into())),
            None => Ok(String::new()),
        }
    }

    /// Asks one resource for its marks, as whoever the target names.
    pub(crate) fn look(&self, resource: &Resource, target: &Target) -> Result<Looked, Failure> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let failed = |error: StoreError| failed(resource, &self.environment, &error);
        let mut store = store::open(target, PATIENCE).map_err(failed)?;
        let mut found = store.read().map_err(failed)?;
        found.address = self.address(resource)?;
        let verdict = found.verdict(self.project(), &self.environment.name);
        Ok(Looked {
            store,
            marker: found.marker.unwrap_or_default(),
            verdict,
            address: found.address,
        })
    }

    /// The resources that are meant, with their addresses; at least one.
    pub(crate) fn targets(
        &self,
        named: Option<&str>,
        role: Role,
    ) -> Result<Vec<(&Resource, Target)>, Failure> {
        let mut targets = super::targets(&self.loaded, &self.resolution, role);
        targets.retain(|(resource, _)| named.is_none_or(|name| resource.name == name));
        if !targets.is_empty() {
            return Ok(targets);
        }
        let name = &self.environment.name;
        let (message, hint) = match named {
            Some(resource) => (
                format!("`{name}` has no resource `{resource}` that can carry a marker"),
                format!("declare `[resources.{resource}]` with `kind` and `setting` in ringfence.toml"),
            ),
            None => (
                format!("`{name}` has no resource that can carry a marker"),
                "declare `[resources.NAME]` with `kind` and `setting` in ringfence.toml; stores are of the kinds postgres, sqlite, redis, qdrant, s3".to_owned(),
            ),
        };
        Err(Failure::error(exit::REFUSED, message).hint(hint).into())
    }

    /// A person's word that this environment is meant: typed at the terminal for production, `--yes ENV` where there is none.
    pub(crate) fn consent(
        &self,
        consent: &Consent,
        command: &str,
        ambient: &Ambient,
    ) -> Result<(), Failure> {
        let name = &self.environment.name;
        match &consent.yes {
            Some(said) if said == name => return Ok(()),
            Some(said) => {
                let message = format!("`--yes {said}` does not name `{name}`; nothing was done");
                return Err(Failure::error(exit::USAGE, message).into());
            }
            None => {}
        }
        if !ambient.stderr_is_terminal {
            let message = format!("nobody can be asked here; nothing was done in `{name}`");
            return Err(Failure::error(exit::DENIED, message)
                .hint(format!("`ringfence {command} {name} --yes {name}`"))
                .into());
        }
        if self.environment.tier < Tier::Production {
            return Ok(());
        }
        let typed = ambient::ask_shown(&format!(
            "`{name}` is of tier production; type its name to {command} it:"
        ));
        if typed.as_deref() == Some(name) {
            return Ok(());
        }
        let message = format!("that is not `{name}`; nothing was done");
        Err(Failure::error(exit::DENIED, message).into())
    }
}

/// A resource that could not be asked or changed.
pub(crate) fn failed(
    resource: &Resource,
    environment: &Environment,
    error: &StoreError,
) -> Failure {
    let message = format!(
        "`{}` of `{}` cannot be used",
        resource.name, environment.name
    );
    let hint = match error {
        StoreError::Refused(_) => format!(
            "where its role may not do this: say `owner = \"SETTING\"` for `{}` in ringfence.toml, a setting with that role's address",
            resource.name
        ),
        StoreError::Unsigned => format!(
            "give `{}` these settings, or say `key = \"SETTING\"` for `{}` in ringfence.toml",
            environment.name, resource.name
        ),
        StoreError::NotWritable(_) => format!(
            "once it does, `ringfence mark {} {} --look` shows it",
            environment.name, resource.name
        ),
        _ => "see that it runs, and that its address is right".to_owned(),
    };
    Failure::error(exit::FAULT, message)
        .caused_by(error)
        .hint(hint)
        .into()
}
