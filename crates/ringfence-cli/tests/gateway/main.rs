//! `ringfence gateway` as it is used: the binary, a project's files, and client libraries from their registries, unmodified.
//!
//! The clients are installed by `clients/install` into the build folder. One that is not there is a visible skip, unless
//! `RINGFENCE_TEST_REQUIRES` names `gateway-clients`. Traffic stays on the loopback.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "tests start processes")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice,
    reason = "a failing test panics"
)]

mod budget;
mod clients;
mod driven;
mod embedding;
mod endurance;
mod ingress;
mod pages;
mod run;
mod run_refused;
mod running;
mod serve;
mod shop;
mod tls;
mod top;
#[path = "../cli/world.rs"]
#[expect(dead_code, reason = "these tests need a part of it")]
mod world;
