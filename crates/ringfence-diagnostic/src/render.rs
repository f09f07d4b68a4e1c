//! How people and machines are told: plain functions from diagnostics to text or records.

mod human;
mod json;

use std::borrow::Cow;

pub use human::{Style, human};
pub use json::{DiagnosticRecord, PlaceRecord, records};

/// A text that cannot move a terminal's cursor or change its title: control characters but line ends are replaced.
#[must_use]
pub fn without_controls(text: &str) -> Cow<'_, str> {
    let is_control = |character: char| character.is_control() && character != '\n';
    if text.contains(is_control) {
        Cow::Owned(text.replace(is_control, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}
