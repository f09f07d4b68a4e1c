//! Numbers from texts and to texts, as JavaScript reads and writes them (ECMA-262, `StringToNumber`, `Number::toString`).

/// JavaScript's `Number(text)`.
pub(super) fn number(text: &str) -> f64 {
    let text = text.trim();
    if text.is_empty() {
        return 0.0;
    }
    let unsigned = text.trim_start_matches(['+', '-']);
    if unsigned == "Infinity" {
        let is_negative = text.starts_with('-');
        return if is_negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
    }
    if let Some(number) = prefixed(text) {
        return number;
    }
    let is_plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    if !text.bytes().all(is_plain) {
        return f64::NAN;
    }
    text.parse().unwrap_or(f64::NAN)
}

/// `0x1f`, `0o17`, `0b11`, without a sign.
fn prefixed(text: &str) -> Option<f64> {
    let radixes = [
        ("0x", 16),
        ("0X", 16),
        ("0o", 8),
        ("0O", 8),
        ("0b", 2),
        ("0B", 2),
    ];
    let (digits, radix) = radixes
        .iter()
        .find_map(|(prefix, radix)| Some((text.strip_prefix(prefix)?, *radix)))?;
    let read =
        |sum: f64, digit: char| Some(sum * f64::from(radix) + f64::from(digit.to_digit(radix)?));
    let number = digits.chars().try_fold(0.0, read);
    Some(number.filter(|_| !digits.is_empty()).unwrap_or(f64::NAN))
}

/// JavaScript's `String(number)`: the shortest digits, an exponent only below 1e-6 and from 1e21.
pub(super) fn spelled(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        let sign = if number < 0.0 { "-" } else { "" };
        return format!("{sign}Infinity");
    }
    let size = number.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if (1e-6..1e21).contains(&size) {
        return number.to_string();
    }
    let spelled = format!("{number:e}");
    if size < 1.0 {
        spelled
    } else {
        spelled.replace('e', "e+")
    }
}

/// JavaScript's `substr` with JsonLogic's negative length, which leaves that many letters off the end.
pub(super) fn part(text: &str, start: f64, length: Option<f64>) -> String {
    let letters: Vec<char> = text.chars().collect();
    let begin = from_start(start, letters.len());
    let rest = letters.get(begin..).unwrap_or_default();
    let kept = match length {
        None => rest.len(),
        Some(length) if length < 0.0 => rest.len().saturating_sub(whole(-length)),
        Some(length) => whole(length),
    };
    rest.iter().take(kept).collect()
}

fn from_start(start: f64, size: usize) -> usize {
    if start < 0.0 {
        size.saturating_sub(whole(-start))
    } else {
        whole(start).min(size)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast saturates, and what is no number is nought"
)]
fn whole(number: f64) -> usize {
    number as usize
}
