//! The buckets of one process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub use super::bucket::Now;
use serde::{Deserialize, Serialize};

use super::bucket::State;
use super::{Claim, Cost, Denied, Grant, Standing, Taken};

/// All buckets, under one lock: it is held for less than a microsecond, and makes taking from several of them one step.
pub struct Memory {
    buckets: Mutex<Buckets>,
    began: Instant,
}

#[derive(Default)]
struct Buckets {
    states: HashMap<String, State>,
    /// How many there were after the last time empty ones were forgotten.
    kept: usize,
    /// Whether a window of the calendar has changed since they were last written down.
    is_dirty: bool,
}

/// No window is longer, in seconds.
const LONGEST: u64 = 31 * 86_400;

/// A window of the calendar, to be written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The bucket.
    pub key: String,
    /// Beginning, in seconds since 1970.
    pub start: u64,
    /// What was used.
    pub used: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            buckets: Mutex::default(),
            began: Instant::now(),
        }
    }
}

impl Memory {
    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            steady: u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX),
            unix: unix.map_or(0, |time| time.as_secs()),
        }
    }

    /// Takes from all buckets or from none.
    ///
    /// # Errors
    /// The first claim that does not fit.
    pub fn take(&self, claims: Vec<Claim>, now: Now) -> Result<Grant, Denied> {
        let mut buckets = self.buckets();
        let mut after = Vec::with_capacity(claims.len());
        for claim in &claims {
            after.push(buckets.state(claim).with(claim, now)?);
        }
        let mut grant = Grant::default();
        for (claim, state) in claims.into_iter().zip(after) {
            grant.standings.push(state.standing(&claim, now));
            let window = match state {
                State::Window { start, .. } => start,
                _ => 0,
            };
            buckets.is_dirty |= window > 0;
            buckets.states.insert(claim.key.clone(), state);
            grant.taken.push(Taken { claim, window });
        }
        buckets.forget_empty(now);
        Ok(grant)
    }

    /// Gives back, or charges, what differs from the reserve. Without a cost the reserve stands.
    pub fn settle(&self, grant: Grant, cost: Option<Cost>, now: Now) {
        let mut buckets = self.buckets();
        for Taken { claim, window } in grant.taken {
            let actual = cost.map_or(claim.cost, |cost| claim.rule.unit.of(cost));
            let settled = buckets.state(&claim).settled(&claim, actual, window, now);
            buckets.is_dirty |= window > 0;
            buckets.states.insert(claim.key, settled);
        }
    }

    /// How the bucket stands.
    pub(super) fn standing(&self, claim: &Claim, now: Now) -> Standing {
        self.buckets().state(claim).standing(claim, now)
    }

    /// The windows that have to be written down, where something has changed since the last call.
    pub fn changed(&self, now: Now) -> Option<Vec<Written>> {
        let mut buckets = self.buckets();
        if !std::mem::take(&mut buckets.is_dirty) {
            return None;
        }
        let windows = buckets
            .states
            .iter()
            .filter_map(|(key, state)| match state {
                State::Window { start, end, used } if *end > now.unix => Some(Written {
                    key: key.clone(),
                    start: *start,
                    used: *used,
                }),
                _ => None,
            });
        Some(windows.collect())
    }

    /// Puts back what was written down; what is counted already stays.
    pub fn restore(&self, written: Vec<Written>) {
        let mut buckets = self.buckets();
        for Written { key, start, used } in written {
            let end = start.saturating_add(LONGEST);
            let state = State::Window { start, end, used };
            buckets.states.entry(key).or_insert(state);
        }
    }

    /// How many buckets are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.buckets().states.len()
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        // Nothing under the lock can panic half-way through a change.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    fn state(&self, claim: &Claim) -> State {
        let state = self.states.get(&claim.key).copied();
        state.unwrap_or(State::new(claim.rule.period))
    }

    /// Buckets that are empty are forgotten, each time their number has doubled.
    fn forget_empty(&mut self, now: Now) {
        const FEW: usize = 1024;
        if self.states.len() > FEW.max(2 * self.kept) {
            self.states.retain(|_, state| !state.is_empty(now));
            self.kept = self.states.len();
        }
    }
}
