//! Values: what they may look like, where they point to, and which of them are never shown.

pub mod endpoint;
pub mod kind;
pub mod secrecy;

use std::fmt;

use zeroize::Zeroizing;

/// The text of a setting. It is never printed by accident, because `Debug` shows a mask, and its memory is cleared when it is dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Value(Zeroizing<String>);

impl Value {
    /// Takes a text in.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself: for the child's block and for comparisons, never for output of a secret.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(secrecy::MASK)
    }
}
