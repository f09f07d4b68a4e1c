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
        let mut is_torn = false;
        loop {
            // Looked at before the lines are taken: what came before the end is written.
            let is_last = self.is_closed.load(Ordering::Acquire);
            std::mem::swap(
                &mut batch,
                &mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner),
            );
            if !batch.is_empty() {
                // What could not be written may have left half a line, which is not to spoil the next one.
                let end = if is_torn { "\n" } else { "" };
                let written = [end, &batch]
                    .iter()
                    .try_for_each(|text| to.write_all(text.as_bytes()))
                    .and_then(|()| to.flush());
                is_torn = written.is_err();
                if is_torn {
                    self.lost
                        .fetch_add(batch.lines().count() as u64, Ordering::Relaxed);
                }
            }
            batch.clear();
            if is_last {
                return;
            }
            std::thread::park_timeout(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// A disk that takes ten bytes, is full once, and then has room.
    struct Disk(Arc<Mutex<Vec<u8>>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut kept = self.0.lock().unwrap();
            match kept.len() {
                0 => kept.extend_from_slice(&bytes[..10]),
                10 => {
                    kept.push(b'|');
                    return Err(io::ErrorKind::StorageFull.into());
                }
                _ => {
                    kept.extend_from_slice(bytes);
                    return Ok(bytes.len());
                }
            }
            Ok(10)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_was_torn_spoils_no_other() {
        let disk = Arc::default();
        let recorder = Recorder::start(Box::new(Disk(Arc::clone(&disk))));
        recorder.record("{\"number\": 1}\n");
        while recorder.lost() == 0 {
            std::thread::sleep(PAUSE);
        }
        recorder.record("{\"number\": 2}\n");
        recorder.close();
        let text = String::from_utf8(disk.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "{\"number\":|\n{\"number\": 2}\n");
        assert_eq!(recorder.lost(), 1);
    }
}
