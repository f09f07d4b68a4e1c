//! Starts a process inside its environment, and keeps the others out of its reach.

#[cfg(target_os = "linux")]
pub mod connect;
pub mod filter;
#[cfg(target_os = "linux")]
mod sys;

/// Installs a filter that asks nobody; see `sys::filter`.
///
/// # Errors
///
/// Those of seccomp(2).
#[cfg(target_os = "linux")]
pub fn install(program: &[filter::Instruction]) -> std::io::Result<()> {
    sys::filter::install(program)
}
