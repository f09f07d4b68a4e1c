//! Against others' evaluators: flagd's own test bed, the evaluators from PyPI and npm.
//!
//! What is missing is a visible skip, unless `RINGFENCE_TEST_REQUIRES` names it: `flagd-testbed` (inside the crate
//! `open-feature-flagd`, which `cargo info open-feature-flagd@0.3.0` brings), `flagd-core-python`, `flagd-core-node`, and the clients
//! `ofrep-python` and `ofrep-node`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod clients;
mod differential;
mod gherkin;
mod packages;
mod testbed;
