//! Which environment a resource belongs to, and how data comes down the chain.
//!
//! Takes plain data: names, addresses and rules. [`marker`] is pure and says what marks mean; [`store`] reads and writes them in
//! real resources; [`probe`] asks many resources at once within a time limit; [`scrub`], [`anew`] and [`rights`] are about copies, about
//! stores that may be destroyed, and about what a program's role may do.
//!
//! What always holds: marks are written only by [`store::Store::mark`]; reading never writes; no error holds a password.

pub mod address;
pub mod anew;
pub mod marker;
pub mod probe;
pub mod rights;
pub mod sample;
pub mod scrub;
pub mod store;
mod tls;
pub mod vectors;
