//! Which rows travel: a keyed hash of the primary key decides, so the same rows are chosen next week, and again from a copy in another
//! store.
//!
//! ```
//! use ringfence_mask::{choose::{Chooser, Fraction}, key::Key, schema::{Kind, Value}};
//! let key = Key::read(&[7; 32]).unwrap();
//! let users = Chooser::new(&key, "users");
//! let rank = users.rank(&[(Value::Integer(42), &Kind::Integer(64))]);
//! assert_eq!(rank, users.rank(&[(Value::Text("42"), &Kind::Integer(32))]));
//! let (one, five) = (Fraction::read("1%").unwrap(), Fraction::read("0.05").unwrap());
//! assert!(!one.holds(rank) || five.holds(rank));
//! ```
//!
//! What always holds: a smaller fraction's rows are among a larger one's, and the N first rows among the N + 1 first. A row is chosen
//! with the probability *p* = ⌊fraction · 2⁶⁴⌋ ÷ 2⁶⁴, independently of others, so of *n* rows *n·p* are expected, with a standard
//! deviation of √(n·p·(1 − p)); [`Fraction::expected`] gives bounds. Two rows share a rank with probability 2⁻⁶⁴; which of them comes
//! first is then decided by their keys' canonical bytes.

use std::collections::BinaryHeap;

use thiserror::Error;

use crate::key::{Function, Key};
use crate::schema::{Kind, Value, key_bytes};

/// Ranks the rows of one table.
pub struct Chooser(Function);

impl Chooser {
    /// For a table by its name. Ranks of different tables have nothing to do with each other.
    #[must_use]
    pub fn new(key: &Key, table: &str) -> Self {
        Self(Function::new(key, &["choose", table]))
    }

    /// The rank of a row by its primary key, the columns in the key's order: uniform over all numbers of 64 bits.
    #[must_use]
    pub fn rank(&self, primary_key: &[(Value<'_>, &Kind)]) -> u64 {
        let mut bytes = Vec::with_capacity(32);
        key_bytes(primary_key, &mut bytes);
        self.0.number(&bytes)
    }
}

/// What part of a table's rows travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fraction(u128);

/// What is no fraction.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "`{text}` is no fraction: expected a number between 0 and 1 such as `0.01`, or per cent such as `1%`"
)]
pub struct FractionError {
    /// What was read.
    pub text: String,
}

impl Fraction {
    /// Every row.
    pub const ALL: Self = Self(1 << 64);
    /// No row.
    pub const NONE: Self = Self(0);

    /// Reads `0.01` or `1%`.
    ///
    /// # Errors
    /// Anything else, and what is not between 0 and 1.
    pub fn read(text: &str) -> Result<Self, FractionError> {
        let trimmed = text.trim();
        let (digits, divisor) = match trimmed.strip_suffix('%') {
            Some(digits) => (digits.trim_end(), 100.0),
            None => (trimmed, 1.0),
        };
        let number = digits.parse::<f64>().ok();
        number
            .and_then(|number| Self::of(number / divisor))
            .ok_or_else(|| FractionError {
                text: text.to_owned(),
            })
    }

    /// The fraction of a number between 0 and 1.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^64"
    )]
    pub fn of(number: f64) -> Option<Self> {
        const WHOLE: f64 = 18_446_744_073_709_551_616.0;
        if !(0.0..=1.0).contains(&number) {
            return None;
        }
        Some(Self((number * WHOLE) as u128))
    }

    /// Whether a row of this rank travels: its rank is below [`Fraction::threshold`].
    #[must_use]
    pub fn holds(self, rank: u64) -> bool {
        u128::from(rank) < self.0
    }

    /// The rank, out of 2⁶⁴, from which on rows stay.
    #[must_use]
    pub fn threshold(self) -> u128 {
        self.0
    }

    /// As a number between 0 and 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "for people and estimates")]
    pub fn as_number(self) -> f64 {
        self.0 as f64 / Self::ALL.0 as f64
    }

    /// Between how many of that many rows will be chosen, but for one case in a million (five standard deviations).
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub fn expected(self, rows: u64) -> (u64, u64) {
        let (count, part) = (rows as f64, self.as_number());
        let middle = count * part;
        let spread = 5.0 * (middle * (1.0 - part)).sqrt();
        let low = (middle - spread).floor().max(0.0);
        let high = (middle + spread).ceil().min(count);
        (low as u64, high as u64)
    }
}

/// Keeps the rows of lowest rank, at most so many: `rows = N` of a table, or the children that a parent may bring along.
///
/// Memory is that of the rows it keeps.
pub struct Lowest<T> {
    most: usize,
    heap: BinaryHeap<(u64, T)>,
}

impl<T: Ord> Lowest<T> {
    /// At most that many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            heap: BinaryHeap::new(),
        }
    }

    /// Shows a row. `identity` tells rows of one rank apart: their keys' canonical bytes.
    pub fn offer(&mut self, rank: u64, identity: T) {
        if self.heap.len() < self.most {
            self.heap.push((rank, identity));
            return;
        }
        let Some(mut worst) = self.heap.peek_mut() else {
            return;
        };
        if (rank, &identity) < (worst.0, &worst.1) {
            *worst = (rank, identity);
        }
    }

    /// The rows that were kept, the lowest rank first.
    #[must_use]
    pub fn into_rows(self) -> Vec<(u64, T)> {
        self.heap.into_sorted_vec()
    }
}

#[cfg(test)]
mod tests;
