//! Ends a wait that is too long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// A bound on how long something may take, which begins anew again and again. The timer is not moved each time: when it runs out, it is set
/// to the present end.
pub(super) struct Patience {
    most: Duration,
    end: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Patience {
    pub(super) fn new(most: Duration) -> Self {
        Self {
            most,
            end: Instant::now() + most,
            sleep: Box::pin(sleep(most)),
        }
    }

    pub(super) fn renew(&mut self) {
        self.end = Instant::now() + self.most;
    }

    pub(super) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.sleep.as_mut().poll(context).is_ready() {
            if self.sleep.deadline() >= self.end {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.end);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_after_the_last_renewal() {
        const MOST: Duration = Duration::from_secs(10);
        let mut patience = Patience::new(MOST);
        let began = Instant::now();
        for _ in 0..3 {
            tokio::time::advance(MOST / 2).await;
            patience.renew();
        }
        poll_fn(|context| patience.poll_end(context)).await;
        let took = began.elapsed();
        assert!(took >= MOST * 5 / 2 && took < MOST * 3, "{took:?}");
    }
}
