//! `ringfence sample load`: where the environment below can be written. It needs no word of the one above.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use ringfence_data::marker::Verdict;
use ringfence_data::sample::artifact::Reader;
use ringfence_data::sample::load::{self, Present, Vectors};
use ringfence_data::store;
use ringfence_model::resource::Resource;
use ringfence_model::tier::Tier;

use super::{create, failed, owned};
use crate::ambient::{self, Ambient};
use crate::args::data::{Room, SampleLoad};
use crate::data::desk::{self, Desk};
use crate::data::meter::Meter;
use crate::data::{self, index};
use crate::failure::{Failure, exit};
use crate::output::Output;

pub(super) fn run(
    arguments: &SampleLoad,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let below = desk::open(&arguments.environment, ambient, output)?;
    may(&below, &arguments.room, ambient)?;
    file(&below, &arguments.file, &arguments.room, (ambient, output))
}

/// Loads a file into the resource that it names.
pub(super) fn file(
    below: &Desk,
    path: &Path,
    room: &Room,
    (ambient, output): (&Ambient, &mut Output),
) -> Result<u8, Failure> {
    let not_read = |error: &dyn std::fmt::Display| {
        let message = format!("`{}` cannot be read", path.display());
        Failure::error(exit::REFUSED, message).caused_by(error)
    };
    let file = ambient::carried(path).map_err(|error| not_read(&error))?;
    let (_, manifest) = Reader::new(file).map_err(|error| not_read(&error))?;
    let name = &below.environment.name;
    if manifest.to != *name {
        let message = format!(
            "the sample is for `{}`, and `{name}` was asked for; nothing was changed",
            manifest.to
        );
        return Err(Failure::error(exit::REFUSED, message)
            .hint(format!(
                "`ringfence sample create {name}`: its masks have a key of their own"
            ))
            .into());
    }
    let project = &below.loaded.project;
    let resource = project
        .resources
        .iter()
        .find(|resource| resource.name == manifest.resource);
    let Some(resource) = resource.cloned() else {
        let message = format!("there is no resource `{}`", manifest.resource);
        return Err(Failure::error(exit::REFUSED, message).into());
    };
    let file = ambient::carried(path).map_err(|error| not_read(&error))?;
    one(below, &resource, file, room, (ambient, output))?;
    Ok(exit::FINE)
}

/// Whether anything may be loaded here at all.
pub(super) fn may(below: &Desk, room: &Room, ambient: &Ambient) -> Result<(), Failure> {
    let name = &below.environment.name;
    if below.environment.tier == Tier::Production {
        let message = format!("data never travels up: `{name}` is of tier production");
        return Err(Failure::error(exit::DENIED, message)
            .hint("what production needs comes by migrations")
            .into());
    }
    if room.replace {
        return below.consent(&room.consent, "sample", ambient);
    }
    Ok(())
}

/// Loads one resource, which must be marked as the environment's own.
pub(super) fn one(
    below: &Desk,
    resource: &Resource,
    file: BufReader<File>,
    room: &Room,
    (ambient, output): (&Ambient, &mut Output),
) -> Result<(), Failure> {
    let (resource, target) = owned(below, resource)?;
    let environment = &below.environment;
    store::settle(&target).map_err(|error| desk::failed(resource, environment, &error))?;
    let verdict = below.look(resource, &target)?.verdict;
    if !matches!(verdict, Verdict::Own | Verdict::Moved { .. }) {
        let message = format!(
            "`{}` is not marked as the own of `{}` ({}); nothing was changed",
            resource.name,
            environment.name,
            data::words(&verdict, &environment.name)
        );
        return Err(Failure::error(exit::REFUSED, message)
            .hint(format!(
                "`ringfence mark {} {}`",
                environment.name, resource.name
            ))
            .into());
    }
    let present = if room.replace {
        Present::GivesWay
    } else {
        Present::Refuses
    };
    let remade = index::remade(resource);
    let embedder = index::embedder(resource, environment, &below.resolution)
        .map_err(|error| desk::failed(resource, environment, &error))?;
    if embedder.is_none() && !remade.is_empty() {
        return Err(nothing_embeds(resource, &environment.name));
    }
    let vectors = Vectors {
        columns: &remade,
        embedder: embedder.as_ref(),
        index: &index::declared(resource, environment).unwrap_or_default(),
    };
    let (mut meter, file) = Meter::of_file(ambient, file);
    let loaded = load::load(&target, file, (present, vectors), &mut |step| {
        meter.tick(&step);
    });
    meter.end();
    let manifest = loaded.map_err(|error| failed(resource, environment, error))?;
    output.print(&create::told(&manifest)).map(|_| ())
}

fn nothing_embeds(resource: &Resource, environment: &str) -> Failure {
    let name = &resource.name;
    let message = format!(
        "`{name}` has vectors that are made again, and nothing in `{environment}` makes them"
    );
    Failure::error(exit::REFUSED, message)
        .hint(format!("say `index = {{ model = \"…\", endpoint = \"SETTING\" }}` for `{name}` in ringfence.toml"))
        .into()
}
