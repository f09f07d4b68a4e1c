//! Lines go to a writer in a thread of its own, so that a slow disk delays no request.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Lines that may wait; what comes on top is lost, and counted.
const WAITING: usize = 16_384;

/// Takes lines.
pub struct Recorder {
    sender: Mutex<Option<SyncSender<String>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    lost: Arc<AtomicU64>,
}

impl Recorder {
    /// Writes to `to` until it is closed.
    #[must_use]
    pub fn start(to: Box<dyn Write + Send>) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        Self {
            sender: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(std::thread::spawn(move || {
                write(&receiver, to, &counted);
            }))),
            lost,
        }
    }

    pub(crate) fn record(&self, line: String) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = sender.as_ref().map(|sender| sender.try_send(line));
        if !matches!(sent, Some(Ok(()))) {
            debug_assert!(!matches!(sent, Some(Err(TrySendError::Disconnected(_)))));
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Writes what waits, and ends.
    pub fn close(&self) {
        self.sender
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // A writer that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

fn write(lines: &Receiver<String>, mut to: Box<dyn Write + Send>, lost: &AtomicU64) {
    let mut batch = String::new();
    while let Ok(line) = lines.recv() {
        batch.push_str(&line);
        let mut count = 1;
        while let Ok(line) = lines.try_recv() {
            batch.push_str(&line);
            count += 1;
        }
        if to
            .write_all(batch.as_bytes())
            .and_then(|()| to.flush())
            .is_err()
        {
            lost.fetch_add(count, Ordering::Relaxed);
        }
        batch.clear();
    }
}
