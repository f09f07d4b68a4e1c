//! `ringfence run`: starts a command inside an environment, in this process's place.

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
    let start = start::prepare(&arguments.selection, ambient, output)?;
    match arguments.command.split_first() {
        Some((program, rest)) => Err(start.execute(program, rest)),
        None => Err(Failure::error(exit::USAGE, "no command is named")
            .hint("ringfence run dev -- CMD")
            .into()),
    }
}
