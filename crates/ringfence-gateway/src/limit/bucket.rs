//! One bucket: how much is in it, and what a claim does to it.

use std::time::Duration;

use super::calendar::Calendar;
use super::rule::Period;
use super::{Claim, Denied, Standing};

/// The present moment, on the two clocks that count.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Nanoseconds on a clock that never goes back.
    pub steady: u64,
    /// Seconds since 1970.
    pub unix: u64,
}

/// What a bucket remembers.
#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    /// The theoretical arrival time of the cell rate algorithm: when the bucket is empty again, and under which rate.
    Rolling {
        empty_at: u64,
        limit: u64,
        length: u64,
    },
    /// What was used in the window that began then.
    Window {
        start: u64,
        /// From when on it is nothing any more; of one that was put back, the latest moment that this can be.
        end: u64,
        used: u64,
    },
    /// Requests under way.
    Held(u64),
}

impl State {
    pub(super) const fn new(period: Period) -> Self {
        match period {
            Period::Rolling { .. } => Self::Rolling {
                empty_at: 0,
                limit: 1,
                length: 0,
            },
            Period::Calendar(_) => Self::Window {
                start: 0,
                end: 0,
                used: 0,
            },
            Period::Held => Self::Held(0),
        }
    }

    /// The state after the claim, or why it does not fit.
    pub(super) fn with(self, claim: &Claim, now: Now) -> Result<Self, Denied> {
        match claim.rule.period {
            Period::Rolling { length, burst } => self.rolling(claim, now, length, burst),
            Period::Calendar(calendar) => self.window(claim, now, calendar),
            Period::Held => {
                let held = self.held();
                if held + 1 > claim.rule.limit {
                    return Err(denied(
                        claim,
                        claim.rule.limit,
                        0,
                        Some(Duration::from_secs(1)),
                    ));
                }
                Ok(Self::Held(held + 1))
            }
        }
    }

    fn rolling(
        self,
        claim: &Claim,
        now: Now,
        length: Duration,
        burst: u64,
    ) -> Result<Self, Denied> {
        let rate = Rate::new(claim.rule.limit, length);
        let used = self.used_time(rate, now);
        let after = used.saturating_add(rate.time(claim.cost));
        let most = rate.time(burst);
        if after > most {
            let wait = (claim.cost <= burst).then(|| Duration::from_nanos(after - most));
            let remaining = rate.amount(most.saturating_sub(used));
            return Err(denied(claim, burst, remaining, wait));
        }
        Ok(Self::Rolling {
            empty_at: now.steady.saturating_add(after),
            limit: rate.limit,
            length: rate.length,
        })
    }

    fn window(self, claim: &Claim, now: Now, calendar: Calendar) -> Result<Self, Denied> {
        let (start, end) = calendar.window(now.unix);
        let used = self.used_in(start);
        let after = used.saturating_add(claim.cost);
        let limit = claim.rule.limit;
        if after > limit {
            let wait = (claim.cost <= limit).then(|| Duration::from_secs(end - now.unix));
            return Err(denied(claim, limit, limit.saturating_sub(used), wait));
        }
        Ok(Self::Window {
            start,
            end,
            used: after,
        })
    }

    /// The state after it has come out that `actual` was used where `reserved` was taken from the window at `start`.
    pub(super) fn settled(self, claim: &Claim, actual: u64, taken_in: u64, now: Now) -> Self {
        match claim.rule.period {
            Period::Rolling { length, .. } => {
                let rate = Rate::new(claim.rule.limit, length);
                let used = self.used_time(rate, now);
                let used = used.saturating_sub(rate.time(claim.cost.saturating_sub(actual)));
                let used = used.saturating_add(rate.time(actual.saturating_sub(claim.cost)));
                Self::Rolling {
                    empty_at: now.steady.saturating_add(used),
                    limit: rate.limit,
                    length: rate.length,
                }
            }
            Period::Calendar(calendar) => {
                let (start, end) = calendar.window(now.unix);
                let used = self.used_in(start);
                // What was reserved in a window that is over is nothing to this one.
                let reserved = if start == taken_in {
                    claim.cost
                } else {
                    actual.min(claim.cost)
                };
                let used = used.saturating_add(actual).saturating_sub(reserved);
                Self::Window { start, end, used }
            }
            Period::Held => Self::Held(self.held().saturating_sub(1)),
        }
    }

    pub(super) fn standing(self, claim: &Claim, now: Now) -> Standing {
        let limit = claim.rule.limit;
        let (remaining, reset) = match claim.rule.period {
            Period::Rolling { length, burst } => {
                let rate = Rate::new(limit, length);
                let used = self.used_time(rate, now);
                let left = rate.time(burst).saturating_sub(used);
                (rate.amount(left), Duration::from_nanos(used))
            }
            Period::Calendar(calendar) => {
                let (start, end) = calendar.window(now.unix);
                let left = limit.saturating_sub(self.used_in(start));
                (left, Duration::from_secs(end - now.unix))
            }
            Period::Held => (limit.saturating_sub(self.held()), Duration::ZERO),
        };
        Standing {
            unit: claim.rule.unit,
            limit,
            remaining,
            reset,
        }
    }

    /// Whether forgetting it changes nothing.
    pub(super) const fn is_empty(self, now: Now) -> bool {
        match self {
            Self::Rolling { empty_at, .. } => empty_at <= now.steady,
            Self::Window { end, used, .. } => used == 0 || end <= now.unix,
            Self::Held(held) => held == 0,
        }
    }

    /// How long a bucket of this rate takes to be empty; what was used under another rate keeps its amount.
    fn used_time(self, rate: Rate, now: Now) -> u64 {
        let Self::Rolling {
            empty_at,
            limit,
            length,
        } = self
        else {
            return 0;
        };
        let time = empty_at.saturating_sub(now.steady);
        let own = Rate { limit, length };
        if own == rate {
            return time;
        }
        // At once, because the units in between are no whole number.
        let numerator = u128::from(time) * u128::from(limit) * u128::from(rate.length);
        let denominator = u128::from(length.max(1)) * u128::from(rate.limit.max(1));
        u64::try_from(numerator / denominator).unwrap_or(u64::MAX)
    }

    const fn used_in(self, window: u64) -> u64 {
        match self {
            Self::Window { start, used, .. } if start == window => used,
            _ => 0,
        }
    }

    const fn held(self) -> u64 {
        match self {
            Self::Held(held) => held,
            _ => 0,
        }
    }
}

/// So many units in so many nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Rate {
    limit: u64,
    length: u64,
}

impl Rate {
    fn new(limit: u64, length: Duration) -> Self {
        Self {
            limit,
            length: u64::try_from(length.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// How long it takes until so many units have gone; rounded down, so that a whole limit of single requests fits.
    fn time(self, amount: u64) -> u64 {
        scaled(amount, self.length, self.limit)
    }

    fn amount(self, time: u64) -> u64 {
        scaled(time, self.limit, self.length)
    }
}

fn scaled(value: u64, numerator: u64, denominator: u64) -> u64 {
    let scaled = u128::from(value) * u128::from(numerator) / u128::from(denominator.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

fn denied(claim: &Claim, most: u64, remaining: u64, retry_after: Option<Duration>) -> Denied {
    Denied {
        rule: claim.rule.text.clone(),
        unit: claim.rule.unit,
        is_budget: matches!(claim.rule.period, Period::Calendar(_)),
        most,
        cost: claim.cost,
        remaining,
        retry_after,
    }
}
