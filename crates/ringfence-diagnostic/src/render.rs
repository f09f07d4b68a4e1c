//! How people and machines are told: plain functions from diagnostics to text or records.

mod github;
mod human;
mod json;
mod sarif;

use std::borrow::Cow;

pub use github::github;
pub use human::{Style, human, human_ranked};
pub use json::{DiagnosticRecord, PlaceRecord, records};
pub use sarif::{Ranked, Rule, sarif};

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
