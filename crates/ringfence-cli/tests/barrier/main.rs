//! The barrier's acceptance: attacks that succeed without it and must not succeed inside `ringfence run`.
//!
//! Every test first shows that its attack works where there is no barrier: the oracle answers, the file is readable, the
//! signal arrives. Then it runs the same attack inside. `s07_…` is scenario 7 of the list that the barrier was designed by.
//! All of it happens on a [`ground`] of its own, which no packet leaves, once as root and once as an ordinary user.
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
mod home;
mod kernel;
mod load;
mod network;
mod oracle;
mod processes;
mod scene;
mod server;
mod sockets;
mod terminal;
