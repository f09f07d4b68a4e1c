//! `ringfence sample create`: where the environment above can be read.

use std::io::Write;

use ringfence_data::sample::{Manifest, Step, create};

use super::{Above, resources};
use crate::ambient::{self, Ambient};
use crate::args::data::SampleCreate;
use crate::data::meter::Meter;
use crate::data::{desk, index};
use crate::failure::{Failure, exit};
use crate::output::Output;

pub(super) fn run(
    arguments: &SampleCreate,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let below = desk::named(&arguments.environment, ambient)?;
    let resources = resources(&below, &arguments.amount)?;
    let [resource] = resources.as_slice() else {
        let names: Vec<&str> = resources
            .iter()
            .map(|resource| resource.name.as_str())
            .collect();
        let message = format!(
            "one file is for one resource, and {} say `sample`",
            names.join(", ")
        );
        return Err(Failure::error(exit::USAGE, message)
            .hint("`--resource NAME`")
            .into());
    };
    let above = Above::open(&below, resource, &arguments.amount, ambient, output)?;
    let (carried, file) =
        ambient::Carried::begin(&arguments.out).map_err(|error| not_written(arguments, &error))?;
    let (manifest, file) = write(&above, file, ambient, output)?;
    carried
        .finish(file)
        .map_err(|error| not_written(arguments, &error))?;
    output.print(&told(&manifest))
}

fn not_written(arguments: &SampleCreate, error: &std::io::Error) -> Failure {
    let message = format!("`{}` cannot be written", arguments.out.display());
    Failure::error(exit::FAULT, message).caused_by(error).into()
}

/// Reads, masks and writes.
pub(super) fn write<W: Write>(
    above: &Above,
    file: W,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<(Manifest, W), Failure> {
    let (mut source, mark) = above.source()?;
    let manifest = Manifest {
        project: above.desk.loaded.project.name.clone().unwrap_or_default(),
        from: above.desk.environment.name.clone(),
        to: above.to.clone(),
        resource: above.resource.name.clone(),
        source: mark,
        index: index::declared(&above.resource, &above.desk.environment)
            .map_or_else(String::new, |index| index.written()),
        ..Manifest::default()
    };
    let mut meter = Meter::new(ambient);
    let mut tick = |step: Step<'_>| meter.tick(&step);
    let made = create::create(
        source.as_mut(),
        &above.rules,
        &above.key,
        manifest,
        (file, &mut tick),
    );
    meter.end();
    let (manifest, file) = made.map_err(|error| above.failed(error))?;
    if manifest.tables.is_empty() {
        output.say("ringfence: no rule lets any row travel; see `ringfence sample plan`");
    }
    Ok((manifest, file))
}

/// What a sample has in it.
pub(super) fn told(manifest: &Manifest) -> String {
    let rows: Vec<Vec<String>> = manifest
        .tables
        .iter()
        .map(|table| {
            let cut = match table.cut {
                0 => String::new(),
                cut => format!("{cut} of them with a reference cut"),
            };
            vec![table.name.clone(), format!("{} rows", table.rows), cut]
        })
        .collect();
    let lines = crate::output::columns(&rows);
    let mut text: String = lines
        .iter()
        .map(|cells| cells.join("  ").trim_end().to_owned() + "\n")
        .collect();
    text.push_str(&format!("digest {}\n", manifest.digest));
    text
}
