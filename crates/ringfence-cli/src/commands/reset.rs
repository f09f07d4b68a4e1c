//! `ringfence reset`: drops the stores of an environment that is disposable, and makes them again.

use std::time::Duration;

use ringfence_data::address::{Kind, Target};
use ringfence_data::anew;
use ringfence_data::marker::Verdict;
use ringfence_data::store::{self, StoreError};
use ringfence_model::resource::Resource;
use ringfence_model::tier::Tier;

use crate::ambient::{self, Ambient};
use crate::args::data::Reset;
use crate::commands::{mark, sample};
use crate::data::{self, Role, desk};
use crate::failure::{Failure, exit};
use crate::output::Output;

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(
    arguments: &Reset,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let desk = desk::open(&arguments.environment, ambient, output)?;
    let name = &desk.environment.name;
    if !desk.environment.disposable || desk.environment.tier == Tier::Production {
        let message = format!("`{name}` is not disposable; nothing was dropped");
        let hint = match desk.environment.tier {
            Tier::Production => "an environment of tier production is never dropped".to_owned(),
            _ => format!(
                "where everything in it may be destroyed, say `{name} = {{ disposable = true }}` under `[environments]` in ringfence.toml"
            ),
        };
        return Err(Failure::error(exit::DENIED, message).hint(hint).into());
    }
    let targets = desk.targets(arguments.resource.as_deref(), Role::Owner)?;
    for (resource, target) in &targets {
        may_be_dropped(&desk, resource, target)?;
    }
    desk.consent(&arguments.consent, "reset", ambient)?;
    for (resource, target) in &targets {
        anew::make(target).map_err(|error| desk::failed(resource, &desk.environment, &error))?;
        // Before its schema is made, so that a command that fails leaves something that may be reset again.
        mark_own(&desk, resource, target)?;
        migrate(&desk, resource, ambient)?;
        mark_own(&desk, resource, target)?;
        output.print(&format!(
            "{}  dropped, made again, marked {name}\n",
            resource.name
        ))?;
        if resource.migrate.is_empty() && matches!(target.kind, Kind::Postgres | Kind::Sqlite) {
            output.say(&format!(
                "ringfence: `{}` has no tables now; `migrate = [\"COMMAND\", …]` under `[resources.{}]` would make them",
                resource.name, resource.name
            ));
        }
    }
    match &arguments.sample {
        Some(file) => sample::load_file(&desk, file, ambient, output),
        None => Ok(exit::FINE),
    }
}

/// Refuses to drop what another environment may miss: whatever is not the environment's own, a copy of it, or nobody's.
fn may_be_dropped(desk: &desk::Desk, resource: &Resource, target: &Target) -> Result<(), Failure> {
    let own = &desk.environment.name;
    if is_missing(target) {
        return Ok(());
    }
    let failed = |error| desk::failed(resource, &desk.environment, &error);
    store::settle(target).map_err(failed)?;
    let verdict = desk.look(resource, target)?.verdict;
    if matches!(verdict, Verdict::Own | Verdict::OwnCopy { .. }) {
        return Ok(());
    }
    // What an earlier reset had made when it was killed: there is nothing in it that anybody could miss.
    if verdict == Verdict::Unmarked && anew::is_empty(target).map_err(failed)? {
        return Ok(());
    }
    let name = &resource.name;
    let message = format!(
        "`{name}` is not marked as `{own}`'s own ({}); nothing was dropped",
        data::words(&verdict, own)
    );
    let hint = match verdict {
        Verdict::Others { .. } | Verdict::OthersCopy { .. } => {
            format!("let its setting in `{own}` name a resource of its own")
        }
        _ => format!("look at what is there, and say `ringfence mark {own} {name}`"),
    };
    Err(Failure::error(exit::REFUSED, message).hint(hint).into())
}

/// Marks a store that was just made, unless its mark is there: a command that makes a file anew takes it away.
fn mark_own(desk: &desk::Desk, resource: &Resource, target: &Target) -> Result<(), Failure> {
    let mut looked = desk.look(resource, target)?;
    if looked.verdict == Verdict::Own {
        return Ok(());
    }
    mark::write(desk, resource, &mut looked)
        .map_err(|error| desk::failed(resource, &desk.environment, &error))
}

/// Whether the server says that there is no such database: nothing has to be dropped then.
fn is_missing(target: &Target) -> bool {
    matches!(
        store::open(target, PATIENCE),
        Err(StoreError::Refused(why)) if why.ends_with("does not exist")
    )
}

/// Starts the command that makes the schema, inside the environment, and waits for its end.
fn migrate(desk: &desk::Desk, resource: &Resource, ambient: &Ambient) -> Result<(), Failure> {
    if resource.migrate.is_empty() {
        return Ok(());
    }
    let mut words = vec![
        "run".to_owned(),
        desk.environment.name.clone(),
        "--".to_owned(),
    ];
    words.extend(resource.migrate.iter().cloned());
    let message = || {
        format!(
            "the schema of `{}` was not made: `{}`",
            resource.name,
            resource.migrate.join(" ")
        )
    };
    let hint = "it has no schema now; mend the command and say it again";
    match ambient::run_own_process(&words, &desk.loaded.root, ambient) {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::error(exit::FAULT, message())
            .caused_by(status)
            .hint(hint)
            .into()),
        Err(error) => Err(Failure::error(exit::FAULT, message())
            .caused_by(error)
            .hint(hint)
            .into()),
    }
}
