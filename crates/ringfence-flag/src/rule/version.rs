//! `sem_ver`: semantic versions, written as loosely as flagd's documentation allows.

use std::cmp::Ordering;

use semver::Version;

use super::value::Value;

/// Whether two versions compare as the operator says; nothing if a version or the operator is none.
///
/// A leading `v` is left out, `1` and `1.2` are filled up, numbers are read as they are spelled, and what stands after `+`
/// says nothing (<https://flagd.dev/reference/custom-operations/semver-operation/>).
pub(super) fn compare(arguments: &[Value<'_>]) -> Option<bool> {
    let [one, operator, two] = arguments else {
        return None;
    };
    let (one, two) = (version(one)?, version(two)?);
    let order = one.cmp_precedence(&two);
    match operator.as_text()? {
        "=" => Some(order == Ordering::Equal),
        "!=" => Some(order != Ordering::Equal),
        "<" => Some(order == Ordering::Less),
        "<=" => Some(order != Ordering::Greater),
        ">" => Some(order == Ordering::Greater),
        ">=" => Some(order != Ordering::Less),
        "^" => Some(one.major == two.major),
        "~" => Some(one.major == two.major && one.minor == two.minor),
        _ => None,
    }
}

fn version(value: &Value<'_>) -> Option<Version> {
    if value.is_compound() || value.is_null() {
        return None;
    }
    let text = value.spelled();
    let text = text.strip_prefix(['v', 'V']).unwrap_or(&text);
    let (numbers, rest) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
    let missing = 2_usize.saturating_sub(numbers.matches('.').count());
    Version::parse(&format!("{numbers}{}{rest}", ".0".repeat(missing))).ok()
}
