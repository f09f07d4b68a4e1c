//! Says what is wrong in a user's files, where, and what to do about it.
//!
//! A [`Diagnostic`] is data: a stable code, a message, places in one or several [`source`]s, the consequence, and the
//! way out. The functions of [`render`] turn it into text for people or records for machines. Nothing here prints.
//!
//! What always holds: a report shows only those parts of a source that its reader marked as fit to be shown
//! ([`source::Source::reveal`]); everything else stands as `…`, so that no value of an `.env` file can reach a screen
//! or a log through an excerpt.

pub mod diagnostic;
pub mod render;
pub mod source;
pub mod span;
pub mod spelling;

pub use diagnostic::{Diagnostic, Label, Severity};
pub use source::{Source, Sources};
pub use span::{Place, Position, SourceId, Span};
