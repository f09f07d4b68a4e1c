//! `ringfence run`: starts a command inside an environment.

use crate::ambient::Ambient;
use crate::args;
use crate::commands::start;
use crate::failure::{Failure, exit};
use crate::output::Output;

pub(crate) fn run(
    arguments: &args::Run,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let wall = &arguments.wall;
    let start = match wall.explain {
        true => start::prepare_to_explain(&arguments.selection, ambient, output)?,
        false => start::prepare(&arguments.selection, ambient, output)?,
    };
    match arguments.command.split_first() {
        Some((program, rest)) => {
            let mut command = start::Command::new(program, rest.to_vec());
            command.redact = arguments.redact;
            start.execute(&command, wall, ambient, output)
        }
        None if wall.explain => {
            start.execute(&start::Command::new("", Vec::new()), wall, ambient, output)
        }
        None => Err(Failure::error(exit::USAGE, "no command is named")
            .hint("ringfence run dev -- CMD")
            .into()),
    }
}
