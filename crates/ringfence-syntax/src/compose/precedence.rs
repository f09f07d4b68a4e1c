//! Which of a variable's sources a container sees.
//!
//! The rules are those of Docker's page "Environment variables precedence in Docker Compose"
//! (<https://docs.docker.com/compose/how-tos/environment-variables/envvars-precedence/>), whose table is a test here.

use super::interpolation::interpolate;

/// What a source says of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim<'a> {
    /// `NAME=value`, not interpolated.
    Value(&'a str),
    /// `NAME` alone: the caller's value is passed on.
    Name,
}

/// Everything that may give a variable of a container its value.
#[derive(Debug, Clone, Copy, Default)]
pub struct Claims<'a> {
    /// `docker compose run --env`.
    pub run: Option<Claim<'a>>,
    /// `environment`, override files merged.
    pub environment: Option<Claim<'a>>,
    /// The last of `env_file` that names it.
    pub env_file: Option<Claim<'a>>,
    /// `ENV` of the image.
    pub image: Option<&'a str>,
    /// The shell that Compose is started from.
    pub shell: Option<&'a str>,
    /// `.env` in the project's folder, or `--env-file`: only for interpolation and names that stand alone.
    pub dotenv: Option<&'a str>,
}

/// The source that won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// `docker compose run --env`.
    Run,
    /// `environment`.
    Environment,
    /// `env_file`.
    EnvFile,
    /// `ENV` of the image.
    Image,
}

/// The value that the container sees and who gave it; `None` where the variable is not set.
#[must_use]
pub fn winner(name: &str, claims: Claims<'_>) -> Option<(By, String)> {
    let first = [
        (By::Run, claims.run),
        (By::Environment, claims.environment),
        (By::EnvFile, claims.env_file),
    ]
    .into_iter()
    .find_map(|(by, claim)| Some((by, claim?)));
    let caller = claims.shell.or(claims.dotenv);
    match first {
        Some((by, Claim::Name)) => Some((by, caller?.to_owned())),
        Some((by, Claim::Value(text))) => {
            let lookup = |other: &str| {
                let value = if other == name { caller } else { None };
                value.map(str::to_owned)
            };
            Some((by, interpolate(text, &lookup)?.into_owned()))
        }
        None => Some((By::Image, claims.image?.to_owned())),
    }
}
