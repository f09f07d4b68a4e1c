//! Markers, samples and what guards them, by the real binary against real stores on the loopback.
//!
//! `RINGFENCE_TEST_REQUIRES` names what must be here (`postgres`, `redis`, `openssl`, and of PyPI `sqlite-vec`, `pgvector`, `qdrant`, `moto`, `valkey`); what is missing otherwise is skipped, visibly.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod canary;
mod guards;
mod hostile;
mod kills;
mod links;
mod markers;
mod matrix;
mod meter;
mod packages;
mod qdrant;
mod s3;
mod samples;
mod servers;
mod tables_of_vectors;
mod vectors;
#[path = "../cli/world.rs"]
#[expect(dead_code, reason = "shared with the tests of the command line")]
mod world;
