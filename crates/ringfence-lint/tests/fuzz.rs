//! The fuzz target on mutated projects, for a bounded time: `RINGFENCE_FUZZ_SECONDS`, 3 where it is not set.
//! `fuzz/run` does the same guided by coverage.
#![expect(
    clippy::indexing_slicing,
    reason = "indices are bounded where they are made"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "how long to run is said in the environment"
)]

#[path = "../../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/survey.rs"]
mod survey;

const SEED: &str = include_str!("data/project.txt");

/// Pieces that mean something in one format or another.
const TOKENS: &[&str] = &[
    "\n",
    "\r\n",
    "  ",
    "\t",
    ": ",
    "- ",
    "=",
    "${",
    "}",
    ":-",
    "$",
    "\"",
    "'",
    "`",
    "\\",
    " #",
    "#",
    "&a ",
    "*a",
    "<<: *a",
    "[",
    "]",
    "{",
    "|\n",
    "\x0c",
    "ENV ",
    "ARG ",
    "COPY . .",
    "cp .env .env.$X",
    ". .env",
    "<<EOF\n",
    "<env name=\"",
    "/>",
    "<!--",
    "http://localhost",
    "postgres://u:p@h/d",
    "APP_ENV=",
    "dev",
    "prod",
    "\0",
    "\u{feff}",
    "é",
    "\u{2028}",
    "sk_live_",
    "ringfence: ignore[",
    "!",
    "services:\n",
    "environment:\n",
];

#[test]
fn survey() {
    let seed = SEED.replace("<page>\n", "\x0c").into_bytes();
    mutate::fuzz(survey::survey, &[seed], TOKENS);
}
