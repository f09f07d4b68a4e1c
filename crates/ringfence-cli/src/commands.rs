//! One file for each command.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod gateway;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod mark;
pub(crate) mod probe;
pub(crate) mod reset;
pub(crate) mod run;
pub(crate) mod sample;
pub(crate) mod scrub;
pub(crate) mod secret;
pub(crate) mod shell;
pub(crate) mod show;
mod start;
