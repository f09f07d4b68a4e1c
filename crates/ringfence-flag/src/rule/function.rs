//! Operators that are functions of their values, as JavaScript has them.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::value::Value;
use super::{Operator, text};

/// The items of a first list, or the values themselves.
pub(super) fn listed<'a>(values: &[Value<'a>]) -> Vec<Value<'a>> {
    match values.first().and_then(Value::each) {
        Some(items) => items.collect(),
        None => values.to_vec(),
    }
}

/// `merge`: lists one level flatter.
pub(super) fn listed_all<'a>(values: &[Value<'a>]) -> Vec<Value<'a>> {
    let mut all = Vec::new();
    for value in values {
        match value.each() {
            Some(items) => all.extend(items),
            None => all.push(value.clone()),
        }
    }
    all
}

/// Whether each value and its successor stand in an order; of one value alone, compared with nothing.
pub(super) fn in_order(values: &[Value<'_>], fits: impl Fn(Ordering) -> bool) -> bool {
    let fits = |one: &Value<'_>, two: &Value<'_>| one.order(two).is_some_and(&fits);
    match values {
        [] => fits(&Value::Null, &Value::Null),
        [one] => fits(one, &Value::Null),
        _ => values.is_sorted_by(fits),
    }
}

pub(super) fn is_in(part: &Value<'_>, whole: &Value<'_>) -> bool {
    match (whole.as_text(), whole.each()) {
        (Some(text), _) => text.contains(&*part.spelled()),
        (None, Some(mut items)) => items.any(|item| part.is_same(&item)),
        (None, None) => false,
    }
}

/// A part of `cat`: nothing is an empty text.
pub(super) fn joined<'v>(value: &'v Value<'_>) -> Cow<'v, str> {
    match value {
        Value::Null => "".into(),
        value => value.spelled(),
    }
}

pub(super) fn substr<'a>(values: &[Value<'a>]) -> Value<'a> {
    let whole = values.first().map(Value::spelled).unwrap_or_default();
    let start = values.get(1).map_or(0.0, Value::number);
    let length = values.get(2).filter(|length| !length.is_null());
    Value::text(text::part(&whole, start, length.map(Value::number)))
}

pub(super) fn texts<'v>(values: &'v [Value<'_>]) -> Option<(&'v str, &'v str)> {
    match values {
        [one, two] => Some((one.as_text()?, two.as_text()?)),
        _ => None,
    }
}

pub(super) fn arithmetic(operator: Operator, values: &[Value<'_>]) -> f64 {
    let numbers: Vec<f64> = values.iter().map(Value::number).collect();
    let no_number = |least: f64, number: f64| least.is_nan() || number.is_nan();
    match (operator, numbers.as_slice()) {
        (Operator::Add, all) => all.iter().sum(),
        (Operator::Multiply, all) => all.iter().product(),
        (Operator::Minimum, all) => all.iter().fold(f64::INFINITY, |least, number| {
            if no_number(least, *number) {
                f64::NAN
            } else {
                least.min(*number)
            }
        }),
        (Operator::Maximum, all) => all.iter().fold(f64::NEG_INFINITY, |most, number| {
            if no_number(most, *number) {
                f64::NAN
            } else {
                most.max(*number)
            }
        }),
        (Operator::Subtract, [one]) => -one,
        (Operator::Subtract, [one, two, ..]) => one - two,
        (Operator::Divide, [one, two, ..]) => one / two,
        (Operator::Remainder, [one, two, ..]) => one % two,
        _ => f64::NAN,
    }
}
