//! The system calls that need `unsafe`.

pub(crate) mod filter;
pub(crate) mod notify;
