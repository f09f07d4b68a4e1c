//! The arguments of `ringfence secret`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Secret {
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Set a secret; its value is asked for, or read from a pipe
    #[command(
        after_help = "Examples:\n  ringfence secret set prod DATABASE_URL\n  pass show db/prod | ringfence secret set prod DATABASE_URL\n\nOne line's end behind a piped value is left out; an empty line is an empty value, and nothing at all is refused."
    )]
    Set(Set),
    /// Open all secrets in an editor, in memory, and seal what comes back
    #[command(
        after_help = "Examples:\n  ringfence secret edit dev\n  EDITOR=nano ringfence secret edit prod"
    )]
    Edit(One),
    /// Take secrets out
    #[command(after_help = "Examples:\n  ringfence secret unset prod OLD_TOKEN")]
    Unset(Unset),
    /// Print the value of one secret
    #[command(after_help = "Examples:\n  ringfence secret get dev DATABASE_URL | psql -f -")]
    Get(Get),
    /// List names, readers and the seal; needs no key and shows no value
    #[command(
        after_help = "Examples:\n  ringfence secret list prod\n  ringfence secret list prod --json"
    )]
    List(List),
    /// Seal a plain file
    #[command(
        after_help = "Examples:\n  ringfence secret import prod               seals .env.prod\n  ringfence secret import prod old/prod.env"
    )]
    Import(Import),
    /// Print all secrets in the clear
    #[command(
        after_help = "Examples:\n  ringfence secret export dev\n  ringfence secret export dev --format json"
    )]
    Export(Export),
    /// Let somebody read an environment's secrets, or edit them too
    #[command(
        after_help = "Examples:\n  ringfence secret grant prod ana --key age1…\n  ringfence secret grant prod ana --edit --key 'ssh-ed25519 AAAA…'\n\nWrites `[people]` and `[access]` in ringfence.toml, and seals the file for its new readers."
    )]
    Grant(Grant),
    /// Take the right away: a new data key, and a list of what must be re-issued
    #[command(after_help = "Examples:\n  ringfence secret revoke prod bob")]
    Revoke(Revoke),
    /// Make a new data key for the readers that the manifest names
    #[command(after_help = "Examples:\n  ringfence secret rotate prod")]
    Rotate(One),
    /// Sign a file that you have looked at, as one of the environment's editors
    #[command(after_help = "Examples:\n  ringfence secret seal prod")]
    Seal(One),
    /// Check format, seal, signer, recipients and revision; needs no key
    #[command(
        after_help = "Examples:\n  ringfence secret verify\n  ringfence secret verify prod --json\n\nExit codes: 0 everything holds, 1 something does not."
    )]
    Verify(Verify),
    /// Make a key of your own, and print its public half
    #[command(
        after_help = "Examples:\n  ringfence secret keygen\n  ringfence secret keygen --out ci.key"
    )]
    Keygen(Keygen),
    /// Join two branches of a sealed file by name: git's merge driver
    #[command(
        after_help = "Examples:\n  git config merge.ringfence.driver 'ringfence secret merge %O %A %B'\n  echo '.env.*.enc merge=ringfence' >> .gitattributes\n  echo '.env.*.enc.seal merge=ringfence' >> .gitattributes"
    )]
    Merge(Merge),
}

impl Action {
    pub(crate) fn prints_json(&self) -> bool {
        match self {
            Self::List(arguments) => arguments.json,
            Self::Verify(arguments) => arguments.json,
            _ => false,
        }
    }
}

/// The key that seals.
#[derive(Debug, Args)]
pub(crate) struct Sealing {
    /// Seal with the ssh key in this file, instead of the ssh-agent's or those in ~/.ssh
    #[arg(long, value_name = "FILE")]
    pub(crate) seal_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The environment
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    #[command(flatten)]
    pub(crate) sealing: Sealing,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// The environment
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// The secret's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Refused: a value on the command line is seen by every process and kept by the shell
    #[arg(hide = true, allow_hyphen_values = true, trailing_var_arg = true)]
    pub(crate) value: Vec<OsString>,

    #[command(flatten)]
    pub(crate) sealing: Sealing,
}

#[derive(Debug, Args)]
pub(crate) struct Unset {
    /// The environment
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// The secrets' names
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,

    #[command(flatten)]
    pub(crate) sealing: Sealing,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// The environment
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// The secret's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The environment
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The environment
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// The plain file; without it, the environment's own
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) sealing: Sealing,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The environment
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// How it is printed
    #[arg(long, value_enum, default_value_t = ExportFormat::Dotenv)]
    pub(crate) format: ExportFormat,
}

/// How secrets are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// NAME='value' lines
    Dotenv,
    /// One JSON object
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// The environment
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// Somebody's name in `[people]`
    #[arg(value_name = "PERSON")]
    pub(crate) person: String,

    /// Their public key, where the manifest has none yet: `age1…` or `ssh-ed25519 …`
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Vec<String>,

    /// Let them edit and seal, too; that takes an ssh key
    #[arg(long)]
    pub(crate) edit: bool,

    #[command(flatten)]
    pub(crate) sealing: Sealing,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The environment
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// Somebody's name in `[people]`
    #[arg(value_name = "PERSON")]
    pub(crate) person: String,

    #[command(flatten)]
    pub(crate) sealing: Sealing,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The environments; without them, all that have sealed files
    #[arg(value_name = "ENV")]
    pub(crate) environments: Vec<String>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Write the key here instead of ~/.config/ringfence/identity
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// What both came from (`%O`)
    #[arg(value_name = "BASE")]
    pub(crate) base: PathBuf,

    /// Our side, which is written (`%A`)
    #[arg(value_name = "OURS")]
    pub(crate) ours: PathBuf,

    /// Their side (`%B`)
    #[arg(value_name = "THEIRS")]
    pub(crate) theirs: PathBuf,
}
