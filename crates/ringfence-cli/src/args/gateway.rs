//! The arguments of `ringfence gateway`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Selection;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Gateway {
    #[command(subcommand)]
    pub(crate) action: Option<Action>,

    #[command(flatten)]
    pub(crate) serve: Serve,
}

impl Gateway {
    /// Whether it prints JSON.
    pub(crate) const fn prints_json(&self) -> bool {
        matches!(&self.action, Some(Action::Top(top)) if top.json)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Print the token of a caller
    #[command(
        after_help = "Examples:\n  ringfence gateway token dev\n  OPENAI_API_KEY=$(ringfence gateway token prod web) …\n\nA token opens the gateway of its own environment and nothing else."
    )]
    Token(Token),

    /// Look on: requests, errors, tokens, money and times, each second
    #[command(
        after_help = "Examples:\n  ringfence gateway top dev\n  ringfence gateway top prod --at http://10.0.0.5:4000\n  ringfence gateway top dev --json --once | jq .budgets\n\nCtrl-C ends it. Where standard output is no terminal, one table is printed."
    )]
    Top(Top),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Where to listen, instead of what the manifest says
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,

    /// The file that records are appended to; standard output where absent
    #[arg(long, value_name = "FILE")]
    pub(crate) records: Option<PathBuf>,

    /// The file that budgets are kept in; one in the user's state folder where absent
    #[arg(long, value_name = "FILE")]
    pub(crate) budgets: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The environment: its name, an alias, or another word for its tier
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// The caller's name: letters, digits, `-` and `_`
    #[arg(value_name = "CALLER", default_value = "app")]
    pub(crate) caller: String,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// The environment: its name, an alias, or another word for its tier
    #[arg(value_name = "ENV")]
    pub(crate) environment: Option<String>,

    /// Where the gateway is, instead of that of the newest run, or of what the manifest says
    #[arg(long, value_name = "URL")]
    pub(crate) at: Option<String>,

    /// Print an object of JSON each second
    #[arg(long)]
    pub(crate) json: bool,

    /// Print once, and end
    #[arg(long)]
    pub(crate) once: bool,
}
