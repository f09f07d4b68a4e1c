//! Ends a wait that is too long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A bound on how long something may be waited for, again and again. A wait begins when somebody asks whether it is over, so that the time in
/// which nobody waited, because whoever is behind took nothing, is nobody's silence. The timer is made with the first wait and not moved
/// with the others: when it runs out, it is set to the present end.
pub(super) struct Patience {
    most: Duration,
    /// Of the wait under way.
    end: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) const fn new(most: Duration) -> Self {
        Self {
            most,
            end: None,
            sleep: None,
        }
    }

    /// What was waited for has come.
    pub(super) const fn renew(&mut self) {
        self.end = None;
    }

    /// Ready when the wait has taken too long; one begins where none is under way.
    pub(super) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let most = self.most;
        let end = *self.end.get_or_insert_with(|| Instant::now() + most);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(end)));
        while sleep.as_mut().poll(context).is_ready() {
            if sleep.deadline() >= end {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(end);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const MOST: Duration = Duration::from_secs(10);

    /// Waits for so long, and whether that was too long.
    async fn wait(patience: &mut Patience, time: Duration) -> bool {
        let over = poll_fn(|context| patience.poll_end(context));
        tokio::time::timeout(time, over).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_after_the_last_renewal() {
        let mut patience = Patience::new(MOST);
        for _ in 0..3 {
            assert!(!wait(&mut patience, MOST / 2).await);
            patience.renew();
        }
        assert!(!wait(&mut patience, MOST * 9 / 10).await);
        assert!(wait(&mut patience, MOST / 5).await);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nobody_waits_does_not_count() {
        let mut patience = Patience::new(MOST);
        assert!(!wait(&mut patience, MOST / 2).await);
        patience.renew();
        tokio::time::advance(MOST * 3).await;
        assert!(!wait(&mut patience, MOST * 9 / 10).await);
    }
}
