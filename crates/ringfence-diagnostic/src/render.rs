//! How people and machines are told: plain functions from diagnostics to text or records.

mod human;
mod json;

pub use human::{Style, human};
pub use json::{DiagnosticRecord, PlaceRecord, records};
