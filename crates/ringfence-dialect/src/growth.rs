//! A limit on what references add to values.
//!
//! Forty lines that each name the line before twice describe a terabyte. The loaders would try; here the reading ends.

use crate::outcome::Stop;

/// How deep references may stand inside each other.
pub(crate) const DEPTH: usize = 8;

/// What references may add to a text of any length, in bytes.
const ALLOWANCE: usize = 1 << 20;

/// How many bytes references may still add.
#[derive(Debug)]
pub(crate) struct Growth {
    left: usize,
}

impl Growth {
    /// The limit for a text: a fixed amount and a multiple of its length.
    pub(crate) fn for_text(text: &str) -> Self {
        Self {
            left: ALLOWANCE.saturating_add(text.len().saturating_mul(4)),
        }
    }

    /// Appends the value of a reference.
    pub(crate) fn append(&mut self, value: &str, to: &mut String) -> Result<(), Stop> {
        self.spend(value.len())?;
        to.push_str(value);
        Ok(())
    }

    /// Counts bytes of a value that are looked at and not appended.
    pub(crate) fn spend(&mut self, length: usize) -> Result<(), Stop> {
        let left = self.left.checked_sub(length);
        self.left = left.ok_or(Stop::Refused(
            "references make the values grow without bound",
        ))?;
        Ok(())
    }
}

/// The refusal of references that stand too deep inside each other.
pub(crate) const fn too_deep() -> Stop {
    Stop::Refused("references are nested too deep")
}
