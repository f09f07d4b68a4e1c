//! `fractional`, version 3: which of several weighted buckets a caller falls into, the same on every machine.
//!
//! The value is encoded as canonical CBOR (RFC 8949, section 4.2, keys by length first), hashed by MurmurHash3
//! (x86, 32 bits, seed 0), and the hash scaled onto the sum of the weights: `hash × sum >> 32`. Versions 1 and 2 hash a
//! text, and give other buckets (<https://flagd.dev/reference/custom-operations/fractional-operation/>).

use super::apply::Question;
use super::value::Value;

/// The largest sum of weights.
const MAX_WEIGHT: u64 = 2_147_483_647;

/// The bucket's name; nothing if there is nothing to hash or a bucket is none.
pub(super) fn fractional<'a>(
    arguments: &[Value<'a>],
    question: &Question<'_>,
) -> Option<Value<'a>> {
    let (first, rest) = arguments.split_first()?;
    let (bytes, buckets) = match first.length() {
        Some(_) => (own_key(question)?, arguments),
        None if first.is_null() => return None,
        None => (encoded(first)?, rest),
    };
    let mut weights = buckets.iter().map(|value| Some(bucket(value)?.1));
    let sum = weights.try_fold(0, |sum: u64, weight| sum.checked_add(weight?))?;
    if sum == 0 || sum > MAX_WEIGHT {
        return None;
    }
    let mut left = (u64::from(hash(&bytes)) * sum) >> 32;
    for value in buckets {
        let (name, weight) = bucket(value)?;
        if left < weight {
            return Some(name);
        }
        left -= weight;
    }
    None
}

/// Without a value of its own, a rule hashes the flag's key and the caller's `targetingKey`.
fn own_key(question: &Question<'_>) -> Option<Vec<u8>> {
    let key = question.fields.get("targetingKey")?.as_str()?;
    if key.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    head(&mut bytes, 4, 2);
    encode_text(&mut bytes, question.flag);
    encode_text(&mut bytes, key);
    Some(bytes)
}

/// A bucket's name and weight: `["on"]` weighs 1, and less than nothing is nothing.
fn bucket<'a>(value: &Value<'a>) -> Option<(Value<'a>, u64)> {
    let length = value.length().filter(|length| (1..=2).contains(length))?;
    let name = value.item(0).filter(|name| !name.is_compound())?;
    if length == 1 {
        return Some((name, 1));
    }
    let weight = match value.item(1)? {
        Value::Whole(weight) => weight,
        Value::Float(weight) => whole(weight)?,
        _ => return None,
    };
    let weight = u64::try_from(weight.max(0)).ok()?;
    (weight <= MAX_WEIGHT).then_some((name, weight))
}

/// A double that holds a whole number of at most 64 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is looked at first"
)]
fn whole(number: f64) -> Option<i128> {
    let (least, end) = (-9_223_372_036_854_775_808.0, 18_446_744_073_709_551_616.0);
    let fits = number.trunc().to_bits() == number.to_bits() || number == 0.0;
    (fits && number >= least && number < end).then_some(number as i128)
}

/// Canonical CBOR.
fn encoded(value: &Value<'_>) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(64);
    encode(&mut bytes, value)?;
    Some(bytes)
}

fn encode(bytes: &mut Vec<u8>, value: &Value<'_>) -> Option<()> {
    match value {
        Value::Null => bytes.push(0xf6),
        Value::Boolean(truth) => bytes.push(if *truth { 0xf5 } else { 0xf4 }),
        Value::Whole(number) => encode_whole(bytes, *number)?,
        Value::Float(number) => match whole(*number) {
            Some(number) => encode_whole(bytes, number)?,
            None => encode_float(bytes, *number)?,
        },
        Value::Text(text) => encode_text(bytes, text),
        Value::Made(text) => encode_text(bytes, text),
        Value::List(_) | Value::Items(_) => {
            head(bytes, 4, value.length()? as u64);
            value.each()?.try_for_each(|item| encode(bytes, &item))?;
        }
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| (key.len(), key.as_str()));
            head(bytes, 5, entries.len() as u64);
            for (key, item) in entries {
                encode_text(bytes, key);
                encode(bytes, &Value::from(item))?;
            }
        }
        Value::Reduction(_) => return None,
    }
    Some(())
}

fn encode_whole(bytes: &mut Vec<u8>, number: i128) -> Option<()> {
    let (major, size) = if number < 0 {
        (1, -1 - number)
    } else {
        (0, number)
    };
    head(bytes, major, u64::try_from(size).ok()?);
    Some(())
}

fn encode_text(bytes: &mut Vec<u8>, text: &str) {
    head(bytes, 3, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

/// The kind of an item and its size, in as few bytes as it takes.
fn head(bytes: &mut Vec<u8>, major: u8, size: u64) {
    let major = major << 5;
    match (u8::try_from(size), u16::try_from(size), u32::try_from(size)) {
        (Ok(size @ 0..24), ..) => bytes.push(major | size),
        (Ok(size), ..) => bytes.extend([major | 24, size]),
        (_, Ok(size), _) => {
            bytes.push(major | 25);
            bytes.extend(size.to_be_bytes());
        }
        (_, _, Ok(size)) => {
            bytes.push(major | 26);
            bytes.extend(size.to_be_bytes());
        }
        _ => {
            bytes.push(major | 27);
            bytes.extend(size.to_be_bytes());
        }
    }
}

/// A double in the shortest of the three forms that holds it.
fn encode_float(bytes: &mut Vec<u8>, number: f64) -> Option<()> {
    if !number.is_finite() {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is lost is looked at next"
    )]
    let single = number as f32;
    if f64::from(single).to_bits() != number.to_bits() {
        bytes.push(0xfb);
        bytes.extend(number.to_be_bytes());
    } else if let Some(half) = half(single) {
        bytes.push(0xf9);
        bytes.extend(half.to_be_bytes());
    } else {
        bytes.push(0xfa);
        bytes.extend(single.to_be_bytes());
    }
    Some(())
}

/// The bits of a number as a half (IEEE 754 binary16), if one holds it: 5 bits of exponent, 10 of fraction.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the fields are masked or their range is looked at first"
)]
fn half(number: f32) -> Option<u16> {
    let bits = number.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let exponent = ((bits >> 23) & 0xff) as i32 - 127;
    let fraction = bits & 0x007f_ffff;
    match exponent {
        -14..=15 if fraction.trailing_zeros() >= 13 => {
            Some(sign | ((exponent + 15) as u16) << 10 | (fraction >> 13) as u16)
        }
        // Below 2^-14 the leading one is written out, and each step down takes a bit of the fraction.
        -24..=-15 => {
            let shift = (-1 - exponent) as u32;
            let all = fraction | 0x0080_0000;
            (all.trailing_zeros() >= shift).then(|| sign | (all >> shift) as u16)
        }
        _ => None,
    }
}

/// MurmurHash3, x86, 32 bits, seed 0, by Austin Appleby (public domain).
pub(super) fn hash(bytes: &[u8]) -> u32 {
    let mut hash = 0_u32;
    let (blocks, tail) = bytes.as_chunks::<4>();
    for block in blocks {
        hash ^= mixed(u32::from_le_bytes(*block));
        hash = hash
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
    }
    let rest = tail
        .iter()
        .rev()
        .fold(0, |rest, byte| rest << 8 | u32::from(*byte));
    hash ^= mixed(rest);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the hash takes the length as 32 bits"
    )]
    let length = bytes.len() as u32;
    hash ^= length;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

fn mixed(block: u32) -> u32 {
    let block = block.wrapping_mul(0xcc9e_2d51);
    block.rotate_left(15).wrapping_mul(0x1b87_3593)
}

#[cfg(test)]
mod tests;
