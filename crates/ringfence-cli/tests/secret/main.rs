//! `ringfence secret …` and sealed files in `ringfence run`, with the real binary and the real tools: `sops`, `ssh-keygen`,
//! `ssh-agent`, `git`, terminals.
//!
//! Every test has a project and people with homes of their own. `RINGFENCE_TEST_REQUIRES` names what must be here (`sops`,
//! `dotenvx`, or a tool); what is missing otherwise is a visible skip.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "tests start processes")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a failing test panics"
)]

mod attacks;
mod canary;
mod child;
mod edit;
mod identities;
mod merge;
mod newcomer;
mod references;
mod scene;
mod tampering;
mod together;
#[path = "../cli/world.rs"]
#[expect(dead_code, reason = "these tests need a part of it")]
mod world;
