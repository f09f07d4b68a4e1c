//! What a process of an environment may reach ([`plan`]), and what it asks for, read from its messages ([`dns`], [`hello`]).
//!
//! Pure: no file is looked at, no name is resolved, and nothing is enforced here.

pub mod dns;
pub mod hello;
pub mod plan;
