//! What common loaders make of the text of a `.env` file.
//!
//! There is no standard for these files: the same line gives one program `v`, another `v#c`, and makes a shell run a
//! command. [`read`] reproduces six readings, from the text and the caller's variables alone: nothing is executed,
//! opened or looked up.
//!
//! | dialect | reproduces | a variable that the caller has already |
//! |---|---|---|
//! | [`Dialect::PythonDotenv`] | python-dotenv 1.2.4, `load_dotenv()` | keeps the caller's value |
//! | [`Dialect::NpmDotenv`] | dotenv 16.6.1, `config()`; 18.0.10 reads the measured texts alike | keeps the caller's value |
//! | [`Dialect::Node`] | Node.js 24.19.0, `--env-file` | keeps the caller's value |
//! | [`Dialect::Compose`] | docker compose 2.40.3, `env_file:` of a service | takes the file's value |
//! | [`Dialect::Dotenvy`] | the crate dotenvy 0.15.7, its command line | keeps the caller's value |
//! | [`Dialect::Bash`] | bash 5.2, `set -a; . ./.env` | takes the file's value |
//!
//! The readings were measured with the tools themselves; inputs and results are in `testdata/dotenv-corpus.json` at the
//! root of this workspace, with how each tool was called. The crate's tests hold every dialect to them and list what is
//! known to differ. docker compose was measured there alone; what the others make of further texts is in
//! `tests/measured.rs`.
//!
//! Reading takes time and memory linear in the text's length. Values that would grow without bound through references,
//! and references nested more than eight deep, are [`Reading::Refused`] even where the loader would go on.
//!
//! ```
//! use std::collections::BTreeMap;
//! use ringfence_dialect::{Dialect, Reading, read};
//!
//! let caller = BTreeMap::new();
//! let value = |dialect| match read(dialect, "COLOUR=#fff\n", &caller) {
//!     Reading::Variables(variables) => variables.get("COLOUR").cloned(),
//!     _ => None,
//! };
//! assert_eq!(value(Dialect::PythonDotenv).as_deref(), Some("#fff"));
//! assert_eq!(value(Dialect::Node).as_deref(), Some(""));
//!
//! assert_eq!(read(Dialect::Bash, "GREETING=hello world\n", &caller), Reading::RunsCommand);
//! ```

mod bash;
mod compose;
mod cursor;
mod dotenvy;
mod growth;
mod node;
mod npm_dotenv;
mod outcome;
mod process;
mod python_dotenv;

use std::collections::BTreeMap;

use outcome::Stop;

/// A loader whose reading is reproduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// python-dotenv 1.2.4.
    PythonDotenv,
    /// The npm package dotenv 16.6.1.
    NpmDotenv,
    /// Node.js 24.19.0 with `--env-file`.
    Node,
    /// docker compose 2.40.3, a service's `env_file`.
    Compose,
    /// The crate dotenvy 0.15.7.
    Dotenvy,
    /// bash 5.2, which sources the file with `set -a`.
    Bash,
}

impl Dialect {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 6] = [
        Self::PythonDotenv,
        Self::NpmDotenv,
        Self::Node,
        Self::Compose,
        Self::Dotenvy,
        Self::Bash,
    ];

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PythonDotenv => "python-dotenv",
            Self::NpmDotenv => "dotenv (npm)",
            Self::Node => "node --env-file",
            Self::Compose => "docker compose",
            Self::Dotenvy => "dotenvy",
            Self::Bash => "bash",
        }
    }
}

/// What a loader makes of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The variables that the text names, with the values that the program would see.
    Variables(BTreeMap<String, String>),
    /// The loader gives up, or what it makes of the text cannot be said beforehand; a few words say why, without
    /// quoting the text.
    Refused(&'static str),
    /// A shell would run a command, or open a file that the text names; nothing further is said of the values.
    RunsCommand,
}

/// Reads `text` as `dialect` does; `environment` holds the variables that the loader's caller has.
///
/// A text that sets variables and makes a shell run a command is [`Reading::RunsCommand`]. A shell stops at an error in
/// its grammar, so what comes after one is not looked at.
#[must_use]
pub fn read(dialect: Dialect, text: &str, environment: &BTreeMap<String, String>) -> Reading {
    let outcome = match dialect {
        Dialect::PythonDotenv => python_dotenv::read(text, environment),
        Dialect::NpmDotenv => Ok(npm_dotenv::read(text, environment)),
        Dialect::Node => Ok(node::read(text, environment)),
        Dialect::Compose => compose::read(text, environment),
        Dialect::Dotenvy => dotenvy::read(text, environment),
        Dialect::Bash => bash::read(text, environment),
    };
    match outcome {
        Ok(variables) => Reading::Variables(variables),
        Err(Stop::Refused(reason)) => Reading::Refused(reason),
        Err(Stop::RunsCommand) => Reading::RunsCommand,
    }
}

#[cfg(test)]
mod tests;
