//! A secret's text, cleared when it is dropped.

use zeroize::Zeroizing;

/// The text of a secret. It has no `Debug`, `Display` or `Serialize`: nothing prints it by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text in.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself: for the child and for sealing, never for output.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}
