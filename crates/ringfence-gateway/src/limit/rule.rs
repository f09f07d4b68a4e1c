//! Rules as they are written: `60 requests/min, 100k tokens/min per caller, 20 usd/day`.

use std::sync::Arc;
use std::time::Duration;

use super::calendar::Calendar;

/// A limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// As it was written.
    pub text: String,
    /// What it is called in keys: unit and period, without the amount, so that a new amount keeps what was used.
    pub name: String,
    /// Of what.
    pub unit: Unit,
    /// The most in a period; money in millionths.
    pub limit: u64,
    /// Which period.
    pub period: Period,
    /// Whether each caller has a bucket; of what comes in, each client.
    pub per_caller: bool,
    /// Whether each model has one.
    pub per_model: bool,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Requests.
    Requests,
    /// Tokens of prompt and answer.
    Tokens,
    /// Requests under way.
    Concurrent,
    /// Money.
    Money,
}

/// Over which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Refills all the time, whole after this one; at most `burst` at once.
    Rolling {
        /// Until it is full again.
        length: Duration,
        /// The most at once.
        burst: u64,
    },
    /// From the beginning of an hour, a day or a month, in UTC.
    Calendar(Calendar),
    /// As long as a request takes.
    Held,
}

/// Why a text is no list of limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A rule that does not read as one.
    #[error("`{0}` is no limit")]
    Unreadable(String),
    /// A number that is nothing, or too large to count.
    #[error("the amount of `{0}` is not between 1 and 1,000,000,000,000")]
    Amount(String),
    /// Two rules for one thing.
    #[error("`{0}` and `{1}` limit the same")]
    Twice(String, String),
    /// A rule that needs what a request that comes in does not have.
    #[error("`{0}` cannot limit what comes in: {1}")]
    Inbound(String, &'static str),
    /// A rule that needs what a request that goes out does not have.
    #[error("`{0}` cannot limit what goes out: it has callers, not clients")]
    Outbound(String),
}

/// What a list of limits is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Traffic {
    /// Calls of upstreams: in production a burst of requests is a sixth of the limit.
    Out { production: bool },
    /// Requests to the program.
    In,
}

const MOST: u64 = 1_000_000_000_000;
const CURRENCIES: &[&str] = &["usd", "eur", "gbp", "chf", "jpy", "cny", "inr"];

/// Reads a list of limits; `none` is the empty one. In production a burst of requests is a sixth of the limit where none is written,
/// elsewhere, and for tokens, the whole of it.
///
/// # Errors
/// Where a rule does not read as one, or two limit the same.
pub fn parse(text: &str, production: bool) -> Result<Vec<Arc<Rule>>, RuleError> {
    rules(text, Traffic::Out { production })
}

/// Reads a list of limits for what comes in: requests and concurrent ones, `per client` or together. A burst is the whole limit
/// where none is written, because a page asks for many things at once.
///
/// # Errors
/// Where a rule does not read as one, two limit the same, or one counts what a request that comes in does not have.
pub fn parse_inbound(text: &str) -> Result<Vec<Arc<Rule>>, RuleError> {
    rules(text, Traffic::In)
}

fn rules(text: &str, traffic: Traffic) -> Result<Vec<Arc<Rule>>, RuleError> {
    if text.trim() == "none" {
        return Ok(Vec::new());
    }
    let mut rules: Vec<Arc<Rule>> = Vec::new();
    for part in text.split(',') {
        let rule = rule(part.trim(), traffic)?;
        let same = |other: &&Arc<Rule>| {
            (&other.name, other.per_caller, other.per_model)
                == (&rule.name, rule.per_caller, rule.per_model)
        };
        if let Some(other) = rules.iter().find(same) {
            return Err(RuleError::Twice(other.text.clone(), rule.text));
        }
        rules.push(Arc::new(rule));
    }
    Ok(rules)
}

fn rule(text: &str, traffic: Traffic) -> Result<Rule, RuleError> {
    let unreadable = || RuleError::Unreadable(text.to_owned());
    let mut words = text.split_whitespace();
    let amount = words.next().ok_or_else(unreadable)?;
    let what = words.next().ok_or_else(unreadable)?;
    let (unit, period) = match what.split_once('/') {
        Some((unit, period)) => (unit, Some(period)),
        None => (what, None),
    };
    let (unit, word) = unit_named(unit).ok_or_else(unreadable)?;
    let limit = number(amount, unit).ok_or_else(unreadable)?;
    let scope = scope(words, unit).ok_or_else(unreadable)?;
    check_traffic(text, unit, &scope, traffic)?;
    let burst = scope.burst;
    if !(1..=MOST).contains(&limit) || burst.is_some_and(|burst| !(1..=limit).contains(&burst)) {
        return Err(RuleError::Amount(text.to_owned()));
    }
    let usual = match unit {
        Unit::Requests if traffic == (Traffic::Out { production: true }) => (limit / 6).max(1),
        _ => limit,
    };
    let (period, suffix) = match (unit, period) {
        (Unit::Concurrent, None) => (Period::Held, ""),
        (Unit::Concurrent, Some(_)) | (_, None) => return Err(unreadable()),
        (_, Some(period)) => {
            period_named(period, unit, burst.unwrap_or(usual)).ok_or_else(unreadable)?
        }
    };
    if burst.is_some() && !matches!(period, Period::Rolling { .. }) {
        return Err(unreadable());
    }
    Ok(Rule {
        text: text.to_owned(),
        name: format!("{word}{suffix}"),
        unit,
        limit,
        period,
        per_caller: scope.caller || scope.client,
        per_model: scope.model,
    })
}

fn unit_named(word: &str) -> Option<(Unit, &str)> {
    Some(match word {
        "request" | "requests" => (Unit::Requests, "requests"),
        "token" | "tokens" => (Unit::Tokens, "tokens"),
        "concurrent" => (Unit::Concurrent, "concurrent"),
        currency if CURRENCIES.contains(&currency) => (Unit::Money, currency),
        _ => return None,
    })
}

fn period_named(word: &str, unit: Unit, burst: u64) -> Option<(Period, &'static str)> {
    let rolling = |seconds| Period::Rolling {
        length: Duration::from_secs(seconds),
        burst,
    };
    let is_money = unit == Unit::Money;
    Some(match word {
        "s" | "sec" | "second" if !is_money => (rolling(1), "/s"),
        "min" | "minute" if !is_money => (rolling(60), "/min"),
        "h" | "hour" if !is_money => (rolling(3600), "/h"),
        "h" | "hour" => (Period::Calendar(Calendar::Hour), "/h"),
        "day" => (Period::Calendar(Calendar::Day), "/day"),
        "month" => (Period::Calendar(Calendar::Month), "/month"),
        _ => return None,
    })
}

/// What follows the amount.
#[derive(Default)]
struct Scope {
    burst: Option<u64>,
    caller: bool,
    model: bool,
    client: bool,
}

/// `per caller`, `per model`, `per caller and model`, `per client`, `burst N`, each at most once.
fn scope<'a>(mut words: impl Iterator<Item = &'a str>, unit: Unit) -> Option<Scope> {
    let mut scope = Scope::default();
    while let Some(word) = words.next() {
        match (word, words.next()?) {
            ("per" | "and", "caller") if !scope.caller => scope.caller = true,
            ("per" | "and", "model") if !scope.model => scope.model = true,
            ("per", "client") if !scope.client => scope.client = true,
            ("burst", amount) if scope.burst.is_none() => {
                scope.burst = Some(number(amount, unit)?);
            }
            _ => return None,
        }
    }
    Some(scope)
}

/// Refuses what the traffic does not have.
fn check_traffic(text: &str, unit: Unit, scope: &Scope, traffic: Traffic) -> Result<(), RuleError> {
    let inbound = |why| Err(RuleError::Inbound(text.to_owned(), why));
    match traffic {
        Traffic::Out { .. } if scope.client => Err(RuleError::Outbound(text.to_owned())),
        Traffic::In if matches!(unit, Unit::Tokens | Unit::Money) => {
            inbound("a request to the program has neither tokens nor a price")
        }
        Traffic::In if scope.caller || scope.model => {
            inbound("it has clients, and neither callers nor models")
        }
        _ => Ok(()),
    }
}

/// A whole number with `k` or `M`; money in millionths, with a fraction.
fn number(text: &str, unit: Unit) -> Option<u64> {
    let (digits, factor) = match (text.strip_suffix('k'), text.strip_suffix('M')) {
        (Some(digits), _) => (digits, 1_000),
        (_, Some(digits)) => (digits, 1_000_000),
        _ => (text, 1),
    };
    let millionths = decimal(digits)?.checked_mul(factor)?;
    match unit {
        Unit::Money => Some(millionths),
        _ if millionths % 1_000_000 == 0 => Some(millionths / 1_000_000),
        _ => None,
    }
}

/// A decimal number in millionths; `None` for signs, exponents, and more than six places.
#[must_use]
pub fn decimal(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(fraction)
}
