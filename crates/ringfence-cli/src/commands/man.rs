//! `ringfence man`: the manual, from the same definition as the help.

use std::io;
use std::path::Path;

use clap_mangen::Man;

use crate::ambient;
use crate::args::{self, Arguments};
use crate::failure::{Failure, exit};
use crate::output::Output;

pub(crate) fn run(arguments: &args::Man, output: &mut Output) -> Result<u8, Failure> {
    let mut definition = Arguments::definition();
    definition.build();
    match &arguments.out {
        None => output.print(&page(definition)?),
        Some(folder) => write_pages(folder, definition),
    }
}

fn page(command: clap::Command) -> Result<String, Failure> {
    let mut page = Vec::new();
    Man::new(command)
        .render(&mut page)
        .map_err(|error| cannot_write(&error))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn write_pages(folder: &Path, definition: clap::Command) -> Result<u8, Failure> {
    ambient::create_folder(folder).map_err(|error| cannot_write(&error))?;
    let commands: Vec<clap::Command> = definition.get_subcommands().cloned().collect();
    for command in std::iter::once(definition).chain(commands) {
        let name = command
            .get_display_name()
            .unwrap_or(command.get_name())
            .to_owned();
        let path = folder.join(format!("{name}.1"));
        ambient::replace_file(&path, &page(command)?).map_err(|error| cannot_write(&error))?;
    }
    Ok(exit::FINE)
}

fn cannot_write(error: &io::Error) -> Failure {
    Failure::error(exit::FAULT, "the manual cannot be written")
        .caused_by(error)
        .into()
}
