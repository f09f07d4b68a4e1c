//! `ringfence mark`: writes an environment's identity into its resources, on a person's word and never otherwise.

use ringfence_data::address::Target;
use ringfence_data::marker::{Marker, Verdict};
use ringfence_data::store::{self, StoreError};
use ringfence_data::vectors::Index;
use ringfence_model::environment::Environment;
use ringfence_model::resource::Resource;
use serde::Serialize;

use crate::ambient::{self, Ambient};
use crate::args::data::Mark;
use crate::data::desk::{self, Desk, Looked};
use crate::data::{self, Role, index};
use crate::failure::{Failure, exit};
use crate::output::{Output, columns};

/// What `--json` prints of a resource.
#[derive(Serialize)]
struct Row {
    resource: String,
    kind: &'static str,
    /// What it was before.
    state: String,
    marked: bool,
}

pub(crate) fn run(arguments: &Mark, ambient: &Ambient, output: &mut Output) -> Result<u8, Failure> {
    let desk = desk::open(&arguments.environment, ambient, output)?;
    let targets = desk.targets(arguments.resource.as_deref(), Role::Owner)?;
    if !arguments.look {
        desk.consent(&arguments.consent, "mark", ambient)?;
    }
    let mut rows = Vec::new();
    for (resource, target) in targets {
        if resource.is_marked(&desk.environment) == Some(false) {
            continue;
        }
        rows.push(one(&desk, resource, &target, arguments.look)?);
    }
    if arguments.json {
        return output.print_json(&rows);
    }
    let text = |row: &Row| {
        let done = if row.marked {
            "marked now"
        } else {
            "left as it is"
        };
        vec![
            row.resource.clone(),
            row.kind.to_owned(),
            row.state.clone(),
            done.to_owned(),
        ]
    };
    let cells: Vec<Vec<String>> = rows.iter().map(text).collect();
    let lines = columns(&cells);
    output.print(
        &lines
            .iter()
            .map(|cells| cells.join("  ") + "\n")
            .collect::<String>(),
    )
}

fn one(desk: &Desk, resource: &Resource, target: &Target, look: bool) -> Result<Row, Failure> {
    let environment = &desk.environment;
    if !look {
        store::settle(target).map_err(|error| desk::failed(resource, environment, &error))?;
    }
    let mut looked = desk.look(resource, target)?;
    let mut row = Row {
        resource: resource.name.clone(),
        kind: target.kind.name(),
        state: data::words(&looked.verdict, &environment.name),
        marked: false,
    };
    let vectors = index::declared(resource, environment).map(|index| index.written());
    let is_up_to_date = vectors
        .as_ref()
        .is_none_or(|wanted| same(&looked.marker.vectors, wanted));
    if look || (looked.verdict == Verdict::Own && is_up_to_date) {
        return Ok(row);
    }
    may_be_marked(resource, environment, &looked.verdict)?;
    write(desk, resource, &mut looked)
        .map_err(|error| desk::failed(resource, environment, &error))?;
    row.marked = true;
    Ok(row)
}

/// Whether two texts beside a marker speak of the same embeddings.
fn same(one: &str, other: &str) -> bool {
    let (one, other) = (Index::read(one), Index::read(other));
    one.zip(other)
        .is_some_and(|(one, other)| one.difference(&other).is_none())
}

/// Writes new marks; what a sample wrote beside the old one stays, and the addresses that its own data were known at.
pub(super) fn write(
    desk: &Desk,
    resource: &Resource,
    looked: &mut Looked,
) -> Result<(), StoreError> {
    let Looked {
        marker, address, ..
    } = looked;
    let mark = store::new_mark()
        .ok_or_else(|| StoreError::Unreachable("the system gives no random bytes".to_owned()))?;
    let is_own = matches!(looked.verdict, Verdict::Own | Verdict::Moved { .. });
    let environment = &desk.environment;
    let written = Marker {
        project: desk.project().to_owned(),
        environment: environment.name.clone(),
        tier: environment.tier.name().to_owned(),
        resource: resource.name.clone(),
        mark,
        stamped: ambient::now(),
        address: if is_own {
            marker.known_at(address)
        } else {
            address.clone()
        },
        sample: marker.sample.clone(),
        vectors: index::declared(resource, environment)
            .map_or_else(|| marker.vectors.clone(), |index| index.written()),
        ..Marker::default()
    };
    looked.store.mark(&written)
}

/// Refuses to make another environment's resource one's own.
fn may_be_marked(
    resource: &Resource,
    environment: &Environment,
    verdict: &Verdict,
) -> Result<(), Failure> {
    let (name, own) = (&resource.name, &environment.name);
    let (what, hint) = match verdict {
        Verdict::Others { whose } => (
            format!("`{name}` belongs to {whose}; it was not marked"),
            format!("let its setting in `{own}` name a resource of its own"),
        ),
        Verdict::OthersCopy {
            whose,
            is_scrubbed: false,
            ..
        } => (
            format!("`{name}` is a copy of {whose} with everything in it; it was not marked"),
            format!("`ringfence scrub {own} {name}` first"),
        ),
        Verdict::Emptied { environment: of } if !of.is_empty() && of != own => (
            format!("the place of `{name}` is marked for `{of}`; it was not marked"),
            "where that is over, its owner says `ALTER DATABASE … RESET ringfence.place`"
                .to_owned(),
        ),
        _ => return Ok(()),
    };
    Err(Failure::error(exit::REFUSED, what).hint(hint).into())
}
