//! The barrier's acceptance: attacks that succeed without it and must not succeed inside `ringfence run`.
//!
//! Every test first shows that its attack works where there is no barrier: the oracle answers, the file is readable, the
//! signal arrives. Then it runs the same attack inside. `s07_…` is scenario 7 of the list that the barrier was designed by.
//! All of it happens on a [`ground`] of its own, which no packet leaves, once as root and once as an ordinary user.
//!
//! `RINGFENCE_TEST_REQUIRES` names what must be here (`barrier`, `postgres`, `redis`, or a tool); what is missing otherwise
//! is a visible skip. Longer runs: `RINGFENCE_SOAK_RUNS=10000`, `RINGFENCE_KILL_ROUNDS=100`, `RINGFENCE_RACE_SECONDS=30`, `RINGFENCE_CROWD_ROUNDS=700`
//! (and `RINGFENCE_TEST_PATIENCE`, the seconds one scenario may take). `RINGFENCE_TEST_BINARY` tests another binary.
#![expect(clippy::disallowed_methods, reason = "tests start processes")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::panic,
    reason = "a failing test panics"
)]

mod accidents;
mod blocked;
mod files;
mod ground;
mod hidden;
mod home;
mod kernel;
mod later;
mod load;
mod network;
mod oracle;
mod processes;
mod registries;
mod scene;
mod server;
mod sockets;
mod terminal;
