//! Changing numbers so that they stay numbers of their type.

use super::row::{Made, Reason};
use crate::key::{Draws, Permutation};
use crate::rule::NumberChange;

/// What a column can hold, once the point is moved to the end.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) largest: i128,
    pub(super) scale: Option<u16>,
    pub(super) unique: bool,
}

/// A number without its point.
struct Moved {
    number: i128,
    /// Digits after the point.
    scale: usize,
}

/// Writes an exact number; without a change it goes anywhere in its type (`hash`).
pub(super) fn write(
    (change, limits): (Option<NumberChange>, Limits),
    original: &str,
    (permutation, draw): (&Permutation, impl FnOnce() -> Draws),
    text: &mut String,
) -> Result<Made, Reason> {
    if is_no_number(original) {
        return Ok(Made::Same);
    }
    let moved = read(original, limits.scale).ok_or(Reason::Malformed("a number"))?;
    let number = match change {
        None => anywhere(moved.number, limits.largest, permutation),
        Some(NumberChange::Range(low, high)) => {
            let unit = 10_i128.pow(u32::try_from(moved.scale.min(18)).unwrap_or(0));
            let range = (i128::from(low) * unit, i128::from(high) * unit);
            ranged(moved.number, range, limits.unique, (permutation, draw))?
        }
        Some(NumberChange::Noise(share)) => noisy(moved.number, share, limits.largest, &mut draw()),
        Some(NumberChange::Digits | NumberChange::Card) => {
            alike(moved.number, limits.largest, permutation)
        }
    };
    print(number, moved.scale, text);
    Ok(Made::Written)
}

/// Writes a floating-point number.
#[expect(
    clippy::cast_precision_loss,
    reason = "floating-point numbers have 53 bits"
)]
pub(super) fn write_real(
    change: NumberChange,
    original: &str,
    draws: &mut Draws,
    text: &mut String,
) -> Result<Made, Reason> {
    let number: f64 = original
        .parse()
        .map_err(|_| Reason::Malformed("a number"))?;
    if !number.is_finite() {
        return Ok(Made::Same);
    }
    let part = (draws.next() >> 11) as f64 / (1_u64 << 53) as f64;
    let result = match change {
        NumberChange::Range(low, high) => low as f64 + part * (high as f64 - low as f64),
        NumberChange::Noise(share) => {
            let most = f64::from(share) / 1000.0;
            number * (1.0 + most * (2.0 * part - 1.0))
        }
        NumberChange::Digits | NumberChange::Card => {
            let size = match number.abs() {
                0.0 => 1.0,
                size => 10_f64.powf(size.log10().floor()),
            };
            number.signum() * size * (1.0 + 8.999 * part)
        }
    };
    text.push_str(&result.to_string());
    Ok(Made::Written)
}

/// PostgreSQL's numbers know infinities, and what is no number: they say nothing of anybody.
fn is_no_number(text: &str) -> bool {
    let word = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    matches!(word.as_str(), "nan" | "infinity" | "inf")
}

/// From canonical digits. What a declared scale does not hold is cut, as SQLite alone would keep it.
fn read(text: &str, scale: Option<u16>) -> Option<Moved> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let scale = scale.map_or(fraction.len(), usize::from);
    let mut digits = whole.to_owned();
    digits.extend(fraction.chars().chain(std::iter::repeat('0')).take(scale));
    // What a permutation takes, and a sign.
    (digits.len() <= 37).then_some(())?;
    Some(Moved {
        number: digits.parse().ok()?,
        scale,
    })
}

fn print(number: i128, scale: usize, text: &mut String) {
    let digits = format!("{:0width$}", number.unsigned_abs(), width = scale + 1);
    if number < 0 {
        text.push('-');
    }
    let (whole, fraction) = digits
        .split_at_checked(digits.len() - scale)
        .unwrap_or((&digits, ""));
    text.push_str(whole);
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
}

/// Among all numbers of its sign that the type holds.
fn anywhere(number: i128, largest: i128, permutation: &Permutation) -> i128 {
    let size = unsigned(largest.max(number.abs())) + 1;
    signed(number, |magnitude| permutation.apply(magnitude, size))
}

/// Among those with as many digits.
fn alike(number: i128, largest: i128, permutation: &Permutation) -> i128 {
    let largest = unsigned(largest.max(number.abs()));
    signed(number, |magnitude| {
        let first = match magnitude {
            0..10 => 0,
            _ => 10_u128.pow(magnitude.ilog10()),
        };
        let end = (first.max(1) * 10).min(largest + 1);
        first + permutation.apply(magnitude - first, end - first)
    })
}

/// Negative numbers are those from -1 on, so that there is one zero.
fn signed(number: i128, change: impl Fn(u128) -> u128) -> i128 {
    let back = |magnitude: u128| i128::try_from(magnitude).unwrap_or(i128::MAX);
    match number {
        0.. => back(change(unsigned(number))),
        _ => -1 - back(change(unsigned(-1 - number))),
    }
}

fn ranged(
    number: i128,
    (low, high): (i128, i128),
    unique: bool,
    (permutation, draw): (&Permutation, impl FnOnce() -> Draws),
) -> Result<i128, Reason> {
    let size = unsigned(high - low) + 1;
    if (low..=high).contains(&number) {
        let place = permutation.apply(unsigned(number - low), size);
        return Ok(low + i128::try_from(place).unwrap_or(0));
    }
    if unique {
        return Err(Reason::OutOfRange);
    }
    let mut draws = draw();
    let drawn = u128::from(draws.next()) << 64 | u128::from(draws.next());
    Ok(low + i128::try_from(drawn % size).unwrap_or(0))
}

fn noisy(number: i128, share: u16, largest: i128, draws: &mut Draws) -> i128 {
    let most =
        number.abs() / 1000 * i128::from(share) + number.abs() % 1000 * i128::from(share) / 1000;
    let step = draws.below(u64::try_from(most.max(1)).unwrap_or(u64::MAX));
    let step = i128::from(step) + 1;
    let down = draws.below(2) == 0;
    // The sign stays, and so does what the type holds.
    let magnitude = number.abs();
    let moved = match down && magnitude >= step || magnitude + step > largest {
        true => magnitude - step,
        false => magnitude + step,
    };
    moved * if number < 0 { -1 } else { 1 }
}

fn unsigned(number: i128) -> u128 {
    u128::try_from(number).unwrap_or(0)
}
