//! The real binary, started in folders of its own with an environment block of its own.
#![expect(clippy::disallowed_methods, reason = "tests start processes")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::panic,
    reason = "a failing test panics"
)]

mod accidents;
mod as_file;
mod barrier;
mod book;
mod canary;
mod check;
mod check_sealed;
mod compare;
mod example;
mod floor_plan;
mod init;
mod redact;
mod run;
mod select;
mod shell;
mod show;
mod world;
