//! The fuzz targets on mutated inputs, for a bounded time: `RINGFENCE_FUZZ_SECONDS` each, 3 where it is not set.
//! `fuzz/run` does the same guided by coverage.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test panics"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "how long to run is said in the environment"
)]

#[path = "../../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/targets.rs"]
mod targets;

use mutate::fuzz;

const CORPUS: &str = include_str!("../../../testdata/dotenv-corpus.json");
const MANIFEST: &str = include_str!("../../ringfence-syntax/tests/data/everything.toml");

/// Pieces that mutations put in: everything that means something in either format.
const TOKENS: &[&str] = &[
    "\n",
    "\r\n",
    "\r",
    "=",
    "${",
    "}",
    ":-",
    ":?",
    "$",
    "\"",
    "'",
    "`",
    "\\",
    " #",
    "#",
    "export ",
    "A",
    "A=",
    "APP_ENV=",
    "\0",
    "\u{feff}",
    "\u{a0}",
    "é",
    "[settings]\n",
    "[environments]\n",
    "in.prod = ",
    "default = ",
    "secret = true",
    "{ ",
    " }",
    ", ",
    "\x0c",
    "[[",
    "]]",
    "\"\"\"",
    "'''",
    "1e9",
    "dev",
    "prod",
];

fn files() -> Vec<Vec<u8>> {
    let corpus: serde_json::Value = serde_json::from_str(CORPUS).unwrap();
    let cases = corpus["cases"].as_array().unwrap().iter();
    cases
        .filter_map(|case| Some(case["input"].as_str()?.as_bytes().to_vec()))
        .collect()
}

#[test]
fn dotenv() {
    fuzz(targets::dotenv, &files(), TOKENS);
}

#[test]
fn manifest() {
    fuzz(targets::manifest, &[MANIFEST.into()], TOKENS);
}

#[test]
fn project() {
    let seeds: Vec<Vec<u8>> = files()
        .into_iter()
        .map(|file| [MANIFEST.as_bytes(), b"\x0c", &file, b"\x0c", &file].concat())
        .collect();
    fuzz(targets::project, &seeds, TOKENS);
}
