//! Starts a process inside its environment, and keeps the others out of its reach.
//!
//! A [`Plan`](ringfence_reach::plan::Plan) says what is to be enforced; [`start`] enforces it: a
//! *supervisor* stays in the host's namespaces and carries the traffic (the broker), *init* is the first process inside, and the
//! program is its child. [`status`] says how much of it this machine allows, and what would mend the rest.
//!
//! What always holds: nothing is started when the level that the plan demands cannot be built; nothing of ours that the
//! program could talk to runs inside its namespaces; when the supervisor or init dies, everything inside dies with it.

#[cfg(target_os = "linux")]
pub mod beside;
#[cfg(target_os = "linux")]
pub mod connect;
pub mod filter;
pub mod level;
pub mod refusal;

#[cfg(target_os = "linux")]
pub mod ingress;
#[cfg(target_os = "linux")]
pub mod screen;

#[cfg(target_os = "linux")]
mod broker;
#[cfg(target_os = "linux")]
mod enforce;
#[cfg(target_os = "linux")]
pub mod status;
#[cfg(target_os = "linux")]
mod supervise;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod wire;

#[cfg(target_os = "linux")]
pub use supervise::{Command, Ended, StartError, end_like, start};

/// Installs a filter that asks nobody; see [`filter`].
///
/// # Errors
///
/// Those of seccomp(2).
#[cfg(target_os = "linux")]
pub fn install(program: &[filter::Instruction]) -> std::io::Result<()> {
    sys::filter::install(program)
}
