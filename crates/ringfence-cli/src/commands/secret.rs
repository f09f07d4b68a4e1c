//! `ringfence secret …`: what an environment keeps sealed, changed by those who may.

mod desk;
mod edit;
mod exchange;
mod keygen;
mod merge;
mod newcomer;
mod people;
mod sign;
mod values;
mod verify;

use ringfence_model::environment::Environment;

use crate::ambient::Ambient;
use crate::args::secret::Action;
use crate::failure::Failure;
use crate::load::{Loaded, load};
use crate::output::Output;
use crate::sealed::About;

pub(crate) fn run(action: &Action, ambient: &Ambient, output: &mut Output) -> Result<u8, Failure> {
    match action {
        Action::Set(arguments) => values::set(arguments, ambient, output),
        Action::Unset(arguments) => values::unset(arguments, ambient, output),
        Action::Get(arguments) => values::get(arguments, ambient, output),
        Action::List(arguments) => values::list(arguments, ambient, output),
        Action::Edit(arguments) => edit::run(arguments, ambient, output),
        Action::Import(arguments) => exchange::import(arguments, ambient, output),
        Action::Export(arguments) => exchange::export(arguments, ambient, output),
        Action::Grant(arguments) => people::grant(arguments, ambient, output),
        Action::Revoke(arguments) => people::revoke(arguments, ambient, output),
        Action::Rotate(arguments) => people::rotate(arguments, ambient, output),
        Action::Seal(arguments) => sign::run(arguments, ambient, output),
        Action::Verify(arguments) => verify::run(arguments, ambient, output),
        Action::Keygen(arguments) => keygen::run(arguments, ambient, output),
        Action::Merge(arguments) => merge::run(arguments, ambient, output),
    }
}

/// One environment's sealed file: what most of these commands are about.
struct Subject {
    loaded: Loaded,
    environment: Environment,
    path: String,
}

impl Subject {
    /// The file that an environment of the project here has, or would have.
    fn of(name: &str, ambient: &Ambient) -> Result<Self, Failure> {
        let (loaded, environment) = project(name, ambient)?;
        let path = desk::path(&loaded, &environment)?;
        Ok(Self {
            loaded,
            environment,
            path,
        })
    }

    fn about(&self) -> About<'_> {
        About {
            loaded: &self.loaded,
            environment: &self.environment,
            path: &self.path,
        }
    }
}

/// The project and one environment of it.
fn project(name: &str, ambient: &Ambient) -> Result<(Loaded, Environment), Failure> {
    let loaded = load(ambient)?.checked()?;
    match loaded.find(name) {
        Ok(environment) => {
            let environment = environment.clone();
            Ok((loaded, environment))
        }
        Err(diagnostic) => Err(Failure::diagnostic(*diagnostic, loaded.sources)),
    }
}
