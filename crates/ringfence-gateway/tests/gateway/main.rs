//! The gateway as its callers see it: over sockets of the loopback, against servers that do what bad servers do.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test panics"
)]

mod beside;
mod connections;
mod flags;
mod forward;
mod ingress;
mod limits;
mod mock;
mod models;
mod records;
mod redis;
mod redis_tls;
mod reliability;
mod reload;
mod streams;
mod upstream;
mod world;
