//! `ringfence completions`: a completion script for a shell.

use crate::args::{self, Arguments};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(arguments: &args::Completions, output: &mut Output) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Arguments::definition(),
        "ringfence",
        &mut script,
    );
    output.print(&String::from_utf8_lossy(&script))
}
