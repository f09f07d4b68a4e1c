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

#[path = "../../../fuzz/targets.rs"]
mod targets;

use std::time::{Duration, Instant};

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

/// A small generator of numbers (xorshift64*, Vigna 2016): the same seed gives the same inputs.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound.max(1)
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        match self.below(4) {
            0 => drop(bytes.splice(at..at, TOKENS[self.below(TOKENS.len())].bytes())),
            1 => drop(bytes.drain(at..(at + self.below(8)).min(bytes.len()))),
            2 if at < bytes.len() => bytes[at] = self.below(256) as u8,
            _ => {
                let from = self.below(bytes.len() + 1);
                let copied = bytes[from..(from + self.below(40)).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, copied));
            }
        }
        bytes.truncate(4096);
    }
}

fn fuzz(target: fn(&[u8]), seeds: &[Vec<u8>]) {
    let seconds = std::env::var("RINGFENCE_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(3);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut count = 0_u64;
    while Instant::now() < end {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(12) {
            random.mutate(&mut bytes);
        }
        let outcome = std::panic::catch_unwind(|| target(&bytes));
        assert!(
            outcome.is_ok(),
            "input {count}: {:?}",
            String::from_utf8_lossy(&bytes)
        );
        count += 1;
    }
    assert!(count > 0);
}

fn files() -> Vec<Vec<u8>> {
    let corpus: serde_json::Value = serde_json::from_str(CORPUS).unwrap();
    let cases = corpus["cases"].as_array().unwrap().iter();
    cases
        .filter_map(|case| Some(case["input"].as_str()?.as_bytes().to_vec()))
        .collect()
}

#[test]
fn dotenv() {
    fuzz(targets::dotenv, &files());
}

#[test]
fn manifest() {
    fuzz(targets::manifest, &[MANIFEST.into()]);
}

#[test]
fn project() {
    let seeds: Vec<Vec<u8>> = files()
        .into_iter()
        .map(|file| [MANIFEST.as_bytes(), b"\x0c", &file, b"\x0c", &file].concat())
        .collect();
    fuzz(targets::project, &seeds);
}
