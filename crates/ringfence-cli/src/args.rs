//! The arguments as typed. Doc comments are the help.

pub(crate) mod data;
pub(crate) mod gateway;
pub(crate) mod secret;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use ringfence_sandbox::level::Level;

/// One codebase in several environments, each with its own settings, and nothing that falls back.
#[derive(Debug, Parser)]
#[command(name = "ringfence", version, propagate_version = true, disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Act as if started in this folder
    #[arg(short = 'C', long, value_name = "FOLDER", global = true)]
    pub(crate) directory: Option<PathBuf>,

    /// When to use colour; `NO_COLOR` is respected
    #[arg(
        long,
        value_name = "WHEN",
        global = true,
        default_value = "auto",
        hide_possible_values = false
    )]
    pub(crate) color: Color,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On terminals
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

const EXAMPLES: &str = "\
Examples:
  ringfence check                     look for mistakes across environments
  ringfence run dev -- npm start      start a command in dev
  APP_ENV=test ringfence run -- pytest
  ringfence show prod                 every setting of prod, secrets masked, with file and line
  ringfence diff staging prod         what differs, without showing a value
  ringfence explain DATABASE_URL      where it is set, and which source wins
  ringfence init                      write ringfence.toml from what is there

Exit codes: 0 fine, 1 findings of `check`, 2 usage, 4 denied, 70 Ringfence's own fault, 78 configuration refused.
`run` and `shell` pass on the command's code; 125 could not set up, 126 cannot execute, 127 not found.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look for mistakes across the environments of a project; no manifest needed
    #[command(after_help = "\
Examples:
  ringfence check                          look at the project around the working directory
  ringfence check ../other-project -v      and say what is right, too
  ringfence check --min-severity high --format github
  ringfence check --baseline check.json --write-baseline
  ringfence check --baseline check.json    only what is new blocks
  ringfence check --fix                    quote what loaders read differently

A finding is left out by a comment with a reason, on its line or alone on the line before:
  # ringfence: ignore[weak-secret] the database is thrown away after each run

Exit codes: 0 no findings, 1 findings at or above the threshold, 2 usage, 78 something could not be read.")]
    Check(Check),

    /// Start a command inside an environment
    #[command(after_help = "\
Examples:
  ringfence run dev -- python3 app.py
  ringfence run test --set LOG_LEVEL=debug -- pytest -x
  APP_ENV=production ringfence run -- ./server

The command sees the environment's settings, its selector, and ordinary variables such as PATH and HOME;
nothing else of the shell. Any error in the configuration refuses the start with exit code 78.

Where the manifest has APIs or models to ask, flags, or limits of what comes in, a gateway is started beside the
command: it has the keys, and the command gets its address and a token.")]
    Run(Run),

    /// Open a shell inside an environment, with its name in the prompt
    #[command(after_help = "Examples:\n  ringfence shell dev\n  ringfence shell --env staging")]
    Shell(Shell),

    /// Show every setting of an environment, secrets masked, with its origin
    #[command(
        after_help = "Examples:\n  ringfence show dev\n  ringfence show prod --json | jq '.settings[].name'"
    )]
    Show(Show),

    /// Explain where a setting comes from, in every environment, or what a message means
    #[command(
        after_help = "Examples:\n  ringfence explain DATABASE_URL\n  ringfence explain LOG_LEVEL --json\n  ringfence explain missing-setting"
    )]
    Explain(Explain),

    /// Compare two environments without showing a value
    #[command(
        after_help = "Examples:\n  ringfence diff staging prod\n  ringfence diff dev test --json"
    )]
    Diff(Diff),

    /// Keep an environment's secrets sealed: set, edit, grant and revoke, verify
    #[command(after_help = "\
Examples:
  ringfence secret keygen                          a key for yourself; prints the public half
  ringfence secret grant prod ana --key age1…      let ana read prod's secrets
  ringfence secret set prod DATABASE_URL           asks for the value, or reads it from a pipe
  ringfence secret import prod .env.prod           seal a plain file
  ringfence secret revoke prod bob                 new data key; says what has to be re-issued
  ringfence secret verify                          needs no key; for CI")]
    Secret(Box<secret::Secret>),

    /// Serve an environment's HTTP and LLM traffic: keys put in, models mapped, requests limited and recorded
    #[command(after_help = "\
Examples:
  ringfence gateway dev                              serve until Ctrl-C; records go to standard output
  ringfence gateway prod --listen 0.0.0.0:8080 --records /var/log/gateway.jsonl
  ringfence gateway token dev web                    the token that the caller `web` sends as its API key
  ringfence gateway top dev                          look on while it works

SIGHUP, or a change of the project's files, loads the configuration anew; what is refused leaves the old one in place.")]
    Gateway(Box<gateway::Gateway>),

    /// Write the environment's marker into its resources
    #[command(after_help = "\
Examples:
  ringfence mark dev                  every store of dev
  ringfence mark prod database        asks for the name of prod
  ringfence mark test --yes test      where nobody can be asked
  ringfence mark prod --look          only say what is there

A marker says whose a database is, wherever its address is copied to. `run` and `shell` look at the markers of all declared
resources first, and start nothing where one belongs to another environment.")]
    Mark(data::Mark),

    /// Empty the side-effect tables of a copy of another environment's data
    #[command(after_help = "\
Examples:
  ringfence scrub staging             asks nothing of what is staging's own
  ringfence scrub staging database --yes staging
  ringfence scrub staging --mask      masks what samples would mask, too

Empties the tables that `drop` names in ringfence.toml, all or none, and writes that down beside the marker. From then on `run` starts
with only the environment's own stores in reach; `ringfence mark` makes the copy the environment's own.")]
    Scrub(data::Scrub),

    /// Bring data down the chain: sampled, masked, and whole
    #[command(after_help = "\
Examples:
  ringfence sample plan dev                        what would travel, and what has no rule yet
  ringfence sample dev                             in one go, where one person may read both
  ringfence sample create dev --out dev.sample     where prod can be read
  ringfence sample load dev dev.sample             where dev can be written

A column that no rule under `tables` in ringfence.toml covers does not travel. The same rows, rules and key give the same sample.")]
    Sample(Box<data::Sample>),

    /// Drop and make again what a disposable environment has
    #[command(after_help = "\
Examples:
  ringfence reset test --yes test
  ringfence reset dev database --sample dev.sample

Only where ringfence.toml says `disposable = true`, and only what is marked as the environment's own. Then the command that
`migrate` names is started inside the environment, and the store is marked; a sample is loaded into it where one is named.")]
    Reset(data::Reset),

    /// Asks resources for their markers; `run` starts it
    #[command(name = "probe-markers", hide = true)]
    Probe,

    /// Write ringfence.toml from what is there; change no other file
    #[command(after_help = "Examples:\n  ringfence init --dry-run\n  ringfence init")]
    Init(Init),

    /// Say what was found here, and what this machine and version can enforce
    #[command(
        after_help = "Examples:\n  ringfence doctor\n  ringfence doctor --json\n  ringfence doctor prod               what the roles of its databases may do"
    )]
    Doctor(Doctor),

    /// Print a completion script for a shell
    #[command(after_help = "\
Examples:
  ringfence completions bash > ~/.local/share/bash-completion/completions/ringfence
  ringfence completions zsh > ~/.zfunc/_ringfence
  ringfence completions fish > ~/.config/fish/completions/ringfence.fish")]
    Completions(Completions),

    /// Print the manual page, or write one page for each command into a folder
    #[command(
        after_help = "Examples:\n  ringfence man | man -l -\n  ringfence man --out ~/.local/share/man/man1"
    )]
    Man(Man),
}

impl Command {
    /// Whether `--json` was asked for.
    pub(crate) fn prints_json(&self) -> bool {
        match self {
            Self::Show(arguments) => arguments.json,
            Self::Explain(arguments) => arguments.json,
            Self::Diff(arguments) => arguments.json,
            Self::Doctor(arguments) => arguments.json,
            Self::Check(arguments) => arguments.format() == Format::Json,
            Self::Secret(arguments) => arguments.action.prints_json(),
            Self::Mark(arguments) => arguments.json,
            Self::Sample(arguments) => arguments.prints_json(),
            Self::Gateway(arguments) => arguments.prints_json(),
            Self::Run(_)
            | Self::Shell(_)
            | Self::Probe
            | Self::Scrub(_)
            | Self::Reset(_)
            | Self::Init(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The folder to look at; without it, the project around the working directory
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,

    /// How findings are printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Short for `--format json`
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// Leave out findings below this severity
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = MinSeverity::Low)]
    pub(crate) min_severity: MinSeverity,

    /// A file of known findings, which do not block
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    /// Write the present findings into the baseline's file
    #[arg(long, requires = "baseline")]
    pub(crate) write_baseline: bool,

    /// Mend what can be mended without changing what anything means
    #[arg(long)]
    pub(crate) fix: bool,

    /// Say what is right, and what was looked at
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// List all checks
    #[arg(long, conflicts_with_all = ["path", "baseline", "fix"])]
    pub(crate) list: bool,
}

impl Check {
    /// How findings are printed.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// For programs; described by docs/check.schema.json
    Json,
    /// For code scanning: SARIF 2.1.0
    Sarif,
    /// Annotations in a GitHub workflow
    Github,
}

/// The least severity that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MinSeverity {
    /// Everything
    Low,
    /// What will mislead somebody
    Medium,
    /// What breaks or opens an environment
    High,
    /// What loses data, leaks a secret, or runs the wrong reality
    Critical,
}

/// Which environment, and what is set on top of it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Selection {
    /// The environment: its name, an alias, or another word for its tier
    #[arg(value_name = "ENV")]
    environment: Option<String>,

    /// The same, as an option
    #[arg(long = "env", value_name = "ENV", conflicts_with = "environment")]
    option: Option<String>,

    /// Set a setting for this time; not in production, and no secrets
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
}

impl Selection {
    /// An environment, and nothing set on top of it.
    pub(crate) fn of(environment: &str) -> Self {
        Self::named(Some(environment.to_owned()))
    }

    /// An environment, or what is chosen where none is named, and nothing set on top of it.
    pub(crate) const fn named(environment: Option<String>) -> Self {
        Self {
            environment,
            option: None,
            set: Vec::new(),
        }
    }

    pub(crate) fn environment(&self) -> Option<&str> {
        self.environment.as_deref().or(self.option.as_deref())
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if ringfence_syntax::dotenv::template::is_name(name) => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(
            "write NAME=VALUE; a name has letters, digits, `_` and `.`, and begins with no digit"
                .to_owned(),
        ),
    }
}

/// What stands around the command.
#[derive(Debug, Args)]
pub(crate) struct Wall {
    /// Start without a barrier; development and testing only
    #[arg(long, conflicts_with_all = ["barrier", "learn"])]
    pub(crate) no_barrier: bool,

    /// The level to build; never weaker than the environment requires
    #[arg(long, value_name = "LEVEL", conflicts_with = "learn")]
    pub(crate) barrier: Option<BarrierLevel>,

    /// Let through what nothing names, unless it belongs to another environment, and print what `[egress]` would need
    #[arg(long)]
    pub(crate) learn: bool,

    /// Print what would be enforced, and start nothing
    #[arg(long)]
    pub(crate) explain: bool,

    /// Print the plan, refusals and the end as JSON; what happens during the run goes to standard error, a line each
    #[arg(long)]
    pub(crate) json: bool,
}

/// A level of the barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BarrierLevel {
    /// Everything
    Full,
    /// All but a process table of its own
    NoPidns,
    /// Connections alone; no file is hidden
    NetworkOnly,
    /// Nothing but separate settings
    ConfigOnly,
}

impl BarrierLevel {
    pub(crate) const fn level(self) -> Level {
        match self {
            Self::Full => Level::Full,
            Self::NoPidns => Level::NoPidns,
            Self::NetworkOnly => Level::NetworkOnly,
            Self::ConfigOnly => Level::ConfigOnly,
        }
    }
}

/// Whether secrets are taken out of what a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Redact {
    /// In staging and production, where it prints to no terminal
    Auto,
    /// Also on a terminal, where the command gets one of its own
    Always,
    /// Not at all
    Never,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) selection: Selection,

    #[command(flatten)]
    pub(crate) wall: Wall,

    /// Take secrets out of what the command prints; `auto` does in staging and production where it prints to no terminal
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = Redact::Auto,
        default_missing_value = "always"
    )]
    pub(crate) redact: Redact,

    /// The command and its arguments
    #[arg(last = true, required_unless_present = "explain", value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct Shell {
    #[command(flatten)]
    pub(crate) selection: Selection,

    #[command(flatten)]
    pub(crate) wall: Wall,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The setting, or the code of a message
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// One environment
    #[arg(value_name = "ENV")]
    pub(crate) one: String,

    /// The other
    #[arg(value_name = "ENV")]
    pub(crate) other: String,

    /// Show keyed fingerprints of secrets: equal where the values are; only you on this machine can make them
    #[arg(long)]
    pub(crate) fingerprints: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Print the manifest instead of writing it
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// An environment, whose roles are asked what they may do besides their work
    #[arg(value_name = "ENV", conflicts_with = "apparmor")]
    pub(crate) environment: Option<String>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Print the AppArmor profile that lets Ringfence make user namespaces
    #[arg(long, conflicts_with = "json")]
    pub(crate) apparmor: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write one page for each command into this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}

impl Arguments {
    /// Reads the command line, its first word included.
    pub(crate) fn read(words: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(words)
    }

    /// The definition, for completions and manual pages.
    pub(crate) fn definition() -> clap::Command {
        Self::command()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Arguments::definition().debug_assert();
    }
}
