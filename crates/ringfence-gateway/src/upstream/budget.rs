//! Retries are a part of the requests, so that a failing upstream does not get many times its load.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a request earns, in thousandths of a retry.
const EARNED: u64 = 200;
const RETRY: u64 = 1000;
/// The most that is saved up.
const MOST: u64 = 10 * RETRY;

/// A budget of retries.
pub(super) struct Budget(AtomicU64);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU64::new(MOST))
    }
}

impl Budget {
    pub(super) fn earn(&self) {
        let more = |balance: u64| Some((balance + EARNED).min(MOST));
        // The closure always gives a value.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    pub(super) fn spend(&self) -> bool {
        let less = |balance: u64| balance.checked_sub(RETRY);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_requests_may_be_tried_again() {
        let budget = Budget::default();
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10);
        let retried = (0..100).filter(|_| {
            budget.earn();
            budget.spend()
        });
        assert_eq!(retried.count(), 20);
    }
}
