//! The arguments of the commands about data.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// A word from whoever acts, where there is no terminal to ask at.
#[derive(Debug, Args)]
pub(crate) struct Consent {
    /// Say yes beforehand, by the environment's name
    #[arg(long, value_name = "ENV")]
    pub(crate) yes: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Mark {
    /// The environment
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// One resource of it; without it, all that can be marked
    #[arg(value_name = "RESOURCE")]
    pub(crate) resource: Option<String>,

    /// Only look, and say what is there
    #[arg(long, conflicts_with = "yes")]
    pub(crate) look: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) consent: Consent,
}

#[derive(Debug, Args)]
pub(crate) struct Scrub {
    /// The environment
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// One resource of it; without it, all that are copies
    #[arg(value_name = "RESOURCE")]
    pub(crate) resource: Option<String>,

    /// Mask every column whose rule under `tables` is not `keep`, where it is
    #[arg(long)]
    pub(crate) mask: bool,

    #[command(flatten)]
    pub(crate) consent: Consent,
}

#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// The environment; `disposable = true` in the manifest
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// One resource of it; without it, all
    #[arg(value_name = "RESOURCE")]
    pub(crate) resource: Option<String>,

    /// A file of `ringfence sample create`, to be loaded when its resource is there again
    #[arg(long, value_name = "FILE")]
    pub(crate) sample: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) consent: Consent,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Sample {
    #[command(subcommand)]
    pub(crate) action: Option<SampleAction>,

    /// The environment that the data is for
    #[arg(value_name = "ENV", required = true)]
    pub(crate) environment: Option<String>,

    #[command(flatten)]
    pub(crate) amount: Amount,

    #[command(flatten)]
    pub(crate) room: Room,
}

impl Sample {
    /// Whether `--json` was asked for.
    pub(crate) fn prints_json(&self) -> bool {
        matches!(&self.action, Some(SampleAction::Plan(plan)) if plan.json)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum SampleAction {
    /// Say what would travel, and which columns have no rule yet
    #[command(
        after_help = "Examples:\n  ringfence sample plan dev\n  ringfence sample plan dev --fraction 5%\n  ringfence sample plan dev --write"
    )]
    Plan(SamplePlan),
    /// Print the same rules as a configuration of Greenmask, for dumps beyond samples
    #[command(after_help = "Examples:\n  ringfence sample greenmask dev > greenmask.yml")]
    Greenmask(Greenmask),
    /// Make the sample where the environment above can be read, as a file
    #[command(
        after_help = "Examples:\n  ringfence sample create dev --out dev.sample\n  ringfence sample create dev --from prod --fraction 0.05 --out dev.sample"
    )]
    Create(SampleCreate),
    /// Load such a file where the environment below can be written
    #[command(
        after_help = "Examples:\n  ringfence sample load dev dev.sample\n  ringfence sample load dev dev.sample --replace --yes dev"
    )]
    Load(SampleLoad),
}

/// How much, and from where.
#[derive(Debug, Args)]
pub(crate) struct Amount {
    /// The environment that the data comes from; what the manifest says where absent
    #[arg(long, value_name = "ENV")]
    pub(crate) from: Option<String>,

    /// How much of each table that says `rows = "sample"`: 0.01 or 1%
    #[arg(long, value_name = "PART", conflicts_with = "rows")]
    pub(crate) fraction: Option<String>,

    /// The same as a number of rows
    #[arg(long, value_name = "N")]
    pub(crate) rows: Option<u64>,

    /// One resource; without it, all that say `sample`
    #[arg(long, value_name = "NAME")]
    pub(crate) resource: Option<String>,
}

/// What becomes of rows that are there.
#[derive(Debug, Args)]
pub(crate) struct Room {
    /// Put the sample in the place of the rows that are there
    #[arg(long)]
    pub(crate) replace: bool,

    #[command(flatten)]
    pub(crate) consent: Consent,
}

#[derive(Debug, Args)]
pub(crate) struct SamplePlan {
    /// The environment that the data is for
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    #[command(flatten)]
    pub(crate) amount: Amount,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Write the suggested rules into ringfence.toml, to be read before they are used
    #[arg(long, conflicts_with = "json")]
    pub(crate) write: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Greenmask {
    /// The environment that the data is for
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    #[command(flatten)]
    pub(crate) amount: Amount,
}

#[derive(Debug, Args)]
pub(crate) struct SampleCreate {
    /// The environment that the data is for
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    #[command(flatten)]
    pub(crate) amount: Amount,

    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SampleLoad {
    /// The environment that the data is for
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) room: Room,
}
