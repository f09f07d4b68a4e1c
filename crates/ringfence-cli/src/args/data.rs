//! The arguments of the commands about data.

use clap::Args;

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

    #[command(flatten)]
    pub(crate) consent: Consent,
}
