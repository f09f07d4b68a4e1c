//! Starts a process inside its environment, and keeps the others out of its reach.

pub mod dns;
pub mod hello;
