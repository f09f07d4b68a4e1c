//! The end of a run: what the program has sent leaves, as a kernel sends what a program that is gone had still to send.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// How long it is waited for receivers that do not take it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who is still sending, and whether the program has ended.
pub(super) struct Leaving {
    sending: AtomicUsize,
    sent: Notify,
    ended: watch::Sender<bool>,
}

/// A connection on which the program's bytes may still be on their way.
pub(super) struct Sending(Arc<Leaving>);

impl Leaving {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            sending: AtomicUsize::new(0),
            sent: Notify::new(),
            ended: watch::Sender::new(false),
        })
    }

    /// Counts a connection until the guard is dropped.
    pub(super) fn sending(self: &Arc<Self>) -> Sending {
        self.sending.fetch_add(1, Ordering::Relaxed);
        Sending(self.clone())
    }

    /// Comes back when the program has ended.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + use<> {
        let mut ended = self.ended.subscribe();
        async move {
            // Without a sender nothing is awaited any more.
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }

    /// The program has ended: waits until its bytes are on their way, and not for those who do not take them.
    pub(super) async fn finish(&self) {
        self.ended.send_replace(true);
        // What was connected to at the last moment is accepted now: each turn looks at all sockets once.
        const TURNS: usize = 3;
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        let all = async {
            while self.sending.load(Ordering::Relaxed) > 0 {
                self.sent.notified().await;
            }
        };
        // Who takes nothing for so long keeps nobody from ending.
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.sending.fetch_sub(1, Ordering::Relaxed);
        self.0.sent.notify_one();
    }
}
