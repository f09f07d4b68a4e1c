//! Leaves an upstream alone that fails again and again, and tries it with one call at a time afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row after which an upstream rests.
const FAILURES: u32 = 5;
/// How long.
const REST: Duration = Duration::from_secs(5);

/// By address.
#[derive(Default)]
pub(super) struct Breakers {
    states: Mutex<HashMap<String, Arc<Breaker>>>,
}

#[derive(Default)]
struct Breaker(Mutex<State>);

#[derive(Default)]
struct State {
    failures: u32,
    rests_until: Option<Instant>,
}

/// A call under way.
pub(super) struct Probe(Arc<Breaker>);

impl Breakers {
    /// `None` while the upstream rests.
    pub(super) fn enter(&self, address: &str) -> Option<Probe> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let breaker = match states.get(address) {
            Some(breaker) => Arc::clone(breaker),
            None => Arc::clone(states.entry(address.to_owned()).or_default()),
        };
        drop(states);
        let may = breaker.may_enter();
        may.then_some(Probe(breaker))
    }
}

impl Breakers {
    /// Each address, its failures in a row, and how long it still rests.
    pub(super) fn states(&self) -> Vec<(String, u32, Duration)> {
        let now = Instant::now();
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let states = states.iter().map(|(address, breaker)| {
            let state = breaker.state();
            let rest = state
                .rests_until
                .map(|until| until.saturating_duration_since(now));
            (address.clone(), state.failures, rest.unwrap_or_default())
        });
        let mut states: Vec<_> = states.collect();
        states.sort_unstable();
        states
    }
}

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_enter(&self) -> bool {
        let mut state = self.state();
        match state.rests_until {
            Some(until) if Instant::now() < until => false,
            Some(_) => {
                // This call is the one that tries; the others wait for another rest's end, or for its success.
                state.rests_until = Some(Instant::now() + REST);
                true
            }
            None => true,
        }
    }
}

impl Probe {
    /// Tells how the call ended. One that was given up tells nothing.
    pub(super) fn leave(self, is_well: bool) {
        let mut state = self.0.state();
        if is_well {
            *state = State::default();
            return;
        }
        state.failures += 1;
        if state.failures >= FAILURES {
            state.rests_until = Some(Instant::now() + REST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_failures_in_a_row_bring_rest_and_one_success_ends_it() {
        let breakers = Breakers::default();
        let call = |is_well| {
            breakers
                .enter("a")
                .map(|probe| probe.leave(is_well))
                .is_some()
        };
        for _ in 0..4 {
            assert!(call(false));
        }
        assert!(call(true));
        for _ in 0..5 {
            assert!(call(false));
        }
        assert!(!call(true));
        assert!(
            breakers.enter("b").is_some(),
            "another address is another matter"
        );
        tokio::time::advance(REST).await;
        let probe = breakers.enter("a").unwrap();
        assert!(!call(true), "one tries, the others wait");
        probe.leave(true);
        assert!(call(true));
    }
}
