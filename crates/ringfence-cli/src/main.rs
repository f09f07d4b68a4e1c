//! The `ringfence` command: reads arguments, hands everything below plain data, and tells people what came of it.

mod agent;
mod ambient;
mod args;
mod barrier;
mod commands;
mod data;
mod failure;
mod gateway;
mod gather;
mod load;
mod output;
mod sealed;

use std::process::ExitCode;

use ambient::Ambient;
use args::{Arguments, Command};
use output::Output;

fn main() -> ExitCode {
    ambient::guard();
    let arguments = match Arguments::read(ambient::arguments()) {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    let code = match Ambient::read(arguments.directory.as_deref(), arguments.color) {
        Ok(ambient) => {
            let mut output = Output::new(&ambient);
            let json = arguments.command.prints_json();
            match run(arguments.command, &ambient, &mut output) {
                Ok(code) => code,
                Err(failure) if json => output.failure_as_json(&failure),
                Err(failure) => output.failure(&failure),
            }
        }
        Err(failure) => Output::plain().failure(&failure),
    };
    ExitCode::from(code)
}

fn run(command: Command, ambient: &Ambient, output: &mut Output) -> Result<u8, failure::Failure> {
    match command {
        Command::Check(arguments) => commands::check::run(&arguments, ambient, output),
        Command::Run(arguments) => commands::run::run(&arguments, ambient, output),
        Command::Shell(arguments) => commands::shell::run(&arguments, ambient, output),
        Command::Show(arguments) => commands::show::run(&arguments, ambient, output),
        Command::Explain(arguments) => commands::explain::run(&arguments, ambient, output),
        Command::Diff(arguments) => commands::diff::run(&arguments, ambient, output),
        Command::Secret(arguments) => commands::secret::run(&arguments.action, ambient, output),
        Command::Gateway(arguments) => commands::gateway::run(&arguments, ambient, output),
        Command::Mark(arguments) => commands::mark::run(&arguments, ambient, output),
        Command::Scrub(arguments) => commands::scrub::run(&arguments, ambient, output),
        Command::Reset(arguments) => commands::reset::run(&arguments, ambient, output),
        Command::Sample(arguments) => commands::sample::run(&arguments, ambient, output),
        Command::Probe => commands::probe::run(output),
        Command::Init(arguments) => commands::init::run(&arguments, ambient, output),
        Command::Doctor(arguments) => commands::doctor::run(&arguments, ambient, output),
        Command::Completions(arguments) => commands::completions::run(&arguments, output),
        Command::Man(arguments) => commands::man::run(&arguments, output),
    }
}
