//! Another member of the process group, which hears what the group is told: a signal that it heard has reached the program already.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::enforce::SIGNALS;
use crate::sys::{self, Forked, Signals};

/// How long a group's signal may take from one member to the next, in nanoseconds.
const PATIENCE: i64 = 20_000_000;

/// The canary, as the process that stays knows it.
pub(super) struct Canary {
    process: i32,
    heard: OwnedFd,
    /// Heard, and not asked about yet.
    seen: Vec<i32>,
}

impl Canary {
    /// Starts it. The caller has blocked the signals.
    pub(super) fn start() -> io::Result<Self> {
        let own = rustix::process::getpid();
        let (heard, tell) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        match sys::fork()? {
            Forked::Child => {
                // Without its voice it is of no use; the group is then asked as one that heard nothing.
                let _ = super::die_with(own).and_then(|()| sing(&tell));
                sys::leave(0)
            }
            Forked::Parent(process) => Ok(Self {
                process,
                heard,
                seen: Vec::new(),
            }),
        }
    }

    /// Whether the whole group got a signal that this process got.
    pub(super) fn heard(&mut self, signal: i32) -> bool {
        self.listen();
        if !self.seen.contains(&signal) {
            let patience = Timespec {
                tv_sec: 0,
                tv_nsec: PATIENCE,
            };
            let mut ready = [PollFd::new(&self.heard, PollFlags::IN)];
            // An interrupted wait is a short one: what there is is read.
            let _ = poll(&mut ready, Some(&patience));
            self.listen();
        }
        let place = self.seen.iter().position(|seen| *seen == signal);
        place.map(|place| self.seen.swap_remove(place)).is_some()
    }

    fn listen(&mut self) {
        let mut numbers = [0; 64];
        while let Ok(length) = rustix::io::read(&self.heard, &mut numbers) {
            let heard = numbers.get(..length).unwrap_or_default();
            self.seen.extend(heard.iter().copied().map(i32::from));
            if length < numbers.len() {
                break;
            }
        }
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        // It dies with this process in any case.
        let _ = sys::kill(self.process, libc::SIGKILL);
        let process = rustix::process::Pid::from_raw(self.process);
        let _ = rustix::process::waitpid(process, rustix::process::WaitOptions::empty());
    }
}

/// Tells every signal that a process sent, until it is killed.
fn sing(tell: &OwnedFd) -> io::Result<()> {
    // Nothing is kept open by this: a pipe's end must be seen when the others are gone.
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    sys::replace(null.as_fd(), 0);
    sys::replace(tell.as_fd(), 1);
    sys::replace(null.as_fd(), 2);
    drop(null);
    sys::close_range(3, i32::MAX);
    let tell = rustix::stdio::stdout();
    let signals = Signals::of(SIGNALS).descriptor()?;
    loop {
        let mut ready = [PollFd::new(&signals, PollFlags::IN)];
        // An interrupted wait is begun again.
        let _ = poll(&mut ready, None);
        while let Some(signal) = sys::read_signal(signals.as_fd()) {
            let number = u8::try_from(signal.number).unwrap_or(0);
            if !signal.from_kernel && signal.number != libc::SIGCHLD {
                rustix::io::write(tell, &[number])?;
            }
        }
    }
}
