//! The fuzz target on mutated files and questions, for a bounded time: `RINGFENCE_FUZZ_SECONDS`, 3 where it is not set.
//! `fuzz/run` does the same guided by coverage.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failing test panics, and indices are bounded where they are made"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "how long to run is said in the environment"
)]

#[path = "../../../fuzz/flag.rs"]
mod flag;
#[path = "../../../fuzz/mutate.rs"]
mod mutate;

/// A file with every operation, and a question, with `<page>` between.
const FLAGS: &str = include_str!("data/flags.txt");

#[test]
fn files_and_questions() {
    let tokens = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "null",
        "true",
        "1.0",
        "-1e308",
        "\"if\"",
        "\"var\"",
        "\"fractional\"",
        "\"sem_ver\"",
        "\"$ref\"",
        "\"starts_with\"",
        "\"reduce\"",
        "\"map\"",
        "\"cat\"",
        "\"substr\"",
        "\"missing_some\"",
        "\"targeting\"",
        "\"variants\"",
        "\"defaultVariant\"",
        "\"state\"",
        "\x0c",
        "\"targetingKey\"",
        "\\ud800",
    ];
    let seed = FLAGS.replace("<page>", "\x0c").into_bytes();
    mutate::fuzz(flag::flags, &[seed], &tokens);
}
