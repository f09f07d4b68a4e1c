//! Lines go to a writer in a thread of its own, so that a slow disk delays no request.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes of lines that may wait; what comes on top is lost, and counted.
const WAITING: usize = 16 << 20;
/// How often waiting lines are written. Waking the writer for each would cost more than the line.
const PAUSE: Duration = Duration::from_millis(20);

/// Takes lines.
pub struct Recorder {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<String>,
    lost: AtomicU64,
    is_closed: AtomicBool,
}

impl Recorder {
    /// Writes to `to` until it is closed.
    #[must_use]
    pub fn start(to: Box<dyn Write + Send>) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        Self {
            shared,
            thread: Mutex::new(Some(std::thread::spawn(move || theirs.write(to)))),
        }
    }

    pub(crate) fn record(&self, line: &str) {
        let mut waiting = self
            .shared
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if waiting.len() + line.len() > WAITING {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        } else {
            waiting.push_str(line);
        }
    }

    /// How many lines were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Writes what waits, and ends.
    pub fn close(&self) {
        self.shared.is_closed.store(true, Ordering::Release);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            thread.thread().unpark();
            // A writer that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn write(&self, mut to: Box<dyn Write + Send>) {
        let mut batch = String::new();
        loop {
            // Looked at before the lines are taken: what came before the end is written.
            let is_last = self.is_closed.load(Ordering::Acquire);
            std::mem::swap(
                &mut batch,
                &mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner),
            );
            let written = to.write_all(batch.as_bytes()).and_then(|()| to.flush());
            if !batch.is_empty() && written.is_err() {
                self.lost
                    .fetch_add(batch.lines().count() as u64, Ordering::Relaxed);
            }
            batch.clear();
            if is_last {
                return;
            }
            std::thread::park_timeout(PAUSE);
        }
    }
}
