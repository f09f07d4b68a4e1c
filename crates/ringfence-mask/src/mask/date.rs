//! Moving and cutting dates in the proleptic Gregorian calendar.

use super::form::Form;
use super::row::{Made, Reason};
use crate::key::Draws;
use crate::rule::{DateChange, DatePart};

const EXPECTED: &str =
    "a date such as `2026-01-31`, with or without a time, of the years 1 to 9999";
const SECONDS_A_DAY: i64 = 86_400;
/// A clock that counts higher counts milliseconds: in seconds, this is the year 5138.
const FIRST_MILLISECOND: i64 = 100_000_000_000;

/// A day and what follows it in the text.
struct Moment<'a> {
    day: i64,
    rest: &'a str,
}

/// Whether a text is a date.
pub(super) fn reads(text: &str) -> bool {
    read(text).is_some()
}

/// Writes the date that becomes of another. For a shift, what is drawn has to follow from the subject, not from the date.
pub(super) fn write(
    change: &DateChange,
    form: &Form,
    original: &str,
    draws: &mut Draws,
    text: &mut String,
) -> Result<Made, Reason> {
    if *form == Form::Clock || is_clock(original) {
        return write_clock(change, original, draws, text);
    }
    if matches!(original.trim_start_matches('-'), "infinity") {
        return Ok(Made::Same);
    }
    let moment = read(original).ok_or(Reason::Malformed(EXPECTED))?;
    match change {
        DateChange::Shift { days, .. } => {
            print(shifted(moment.day, *days, draws), text);
            text.push_str(moment.rest);
        }
        DateChange::Cut(part) => {
            print(cut(moment.day, *part), text);
            text.push_str(&midnight(moment.rest));
        }
    }
    Ok(Made::Written)
}

/// SQLite keeps times as numbers as well.
fn is_clock(text: &str) -> bool {
    text.parse::<i64>().is_ok() && text.len() > 4
}

fn write_clock(
    change: &DateChange,
    original: &str,
    draws: &mut Draws,
    text: &mut String,
) -> Result<Made, Reason> {
    let clock: i64 = original
        .parse()
        .map_err(|_| Reason::Malformed("seconds or milliseconds since 1970"))?;
    let a_day = match (-FIRST_MILLISECOND..FIRST_MILLISECOND).contains(&clock) {
        true => SECONDS_A_DAY,
        false => SECONDS_A_DAY * 1000,
    };
    let (day, rest) = (clock.div_euclid(a_day), clock.rem_euclid(a_day));
    let moved = match change {
        DateChange::Shift { days, .. } => drawn_days(*days, draws)
            .checked_add(day)
            .and_then(|day| day.checked_mul(a_day)?.checked_add(rest)),
        DateChange::Cut(part) if in_calendar(day) => cut(day, *part).checked_mul(a_day),
        DateChange::Cut(_) => None,
    };
    let moved = moved.ok_or(Reason::Malformed(EXPECTED))?;
    text.push_str(&moved.to_string());
    Ok(Made::Written)
}

/// Not zero, and at most so many in either direction.
fn drawn_days(most: u16, draws: &mut Draws) -> i64 {
    let days = 1 + i64::try_from(draws.below(u64::from(most))).unwrap_or(0);
    match draws.below(2) {
        0 => days,
        _ => -days,
    }
}

fn shifted(day: i64, most: u16, draws: &mut Draws) -> i64 {
    let days = drawn_days(most, draws);
    match in_calendar(day + days) {
        true => day + days,
        false => day - days,
    }
}

fn in_calendar(day: i64) -> bool {
    (day_of(1, 1, 1)..=day_of(9999, 12, 31)).contains(&day)
}

fn cut(day: i64, part: DatePart) -> i64 {
    let (year, month, _) = date_of(day);
    match part {
        DatePart::Year => day_of(year, 1, 1),
        DatePart::Month => day_of(year, month, 1),
        DatePart::Day => day,
    }
}

/// The same form with zeros; the zone stays, as it says no more than the column.
fn midnight(rest: &str) -> String {
    let zone = rest.rfind(['+', '-', 'Z']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at_checked(zone).unwrap_or((rest, ""));
    let zeros = time.chars().map(|character| match character {
        '0'..='9' => '0',
        other => other,
    });
    zeros.chain(zone.chars()).collect()
}

fn read(text: &str) -> Option<Moment<'_>> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.splitn(3, '-');
    let mut next = |length: usize| {
        let part = parts.next().filter(|part| part.len() == length)?;
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<i64>().ok()).flatten()
    };
    let (year, month, date) = (next(4)?, next(2)?, next(2)?);
    let day = day_of(year, month, date);
    let sound = year > 0 && date_of(day) == (year, month, date);
    let follows = rest.is_empty() || rest.starts_with([' ', 'T']);
    let timed = rest
        .chars()
        .all(|c| c.is_ascii_digit() || " T:.+-Z".contains(c));
    (sound && follows && timed).then_some(Moment { day, rest })
}

fn print(day: i64, text: &mut String) {
    let (year, month, date) = date_of(day);
    text.push_str(&format!("{year:04}-{month:02}-{date:02}"));
}

/// Days since 1970-01-01. Years are counted from March, so that the leap day is their last; 400 of them have 146,097 days.
fn day_of(year: i64, month: i64, date: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn date_of(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, date)
}
