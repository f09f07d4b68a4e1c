//! Another member of the process group, which hears what the group is told: a signal that it heard has reached the program already.
//!
//! It hears a signal when the kernel has put it there, and tells when it is asked: how soon it gets a processor changes nothing.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::enforce::SIGNALS;
use crate::sys::{self, Forked, Signals};

/// Seconds until an answer is given up: it may have been stopped with the group, and not woken with this process.
const PATIENCE: i64 = 1;

/// How long a group's signal may take from one member to the next, in nanoseconds.
const NEXT: i64 = 20_000_000;

/// The canary, as the process that stays knows it.
pub(super) struct Canary {
    process: i32,
    /// Questions go in, answers come out.
    line: OwnedFd,
    /// The number of the last question: an answer that comes late is none to the next.
    asked: u8,
}

impl Canary {
    /// Starts it. The caller has blocked the signals.
    pub(super) fn start() -> io::Result<Self> {
        let own = rustix::process::getpid();
        let flags = SocketFlags::CLOEXEC;
        let (line, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        match sys::fork()? {
            Forked::Child => {
                // Without its voice it is of no use; the group is then asked as one that heard nothing.
                let _ = super::die_with(own).and_then(|()| answer(&theirs));
                sys::leave(0)
            }
            Forked::Parent(process) => Ok(Self {
                process,
                line,
                asked: 0,
            }),
        }
    }

    /// Whether the whole group got a signal that this process got.
    pub(super) fn heard(&mut self, signal: i32) -> bool {
        if self.ask(signal) {
            return true;
        }
        // A member that comes later in the group may not have had it yet.
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: NEXT,
        };
        let _ = poll(&mut [], Some(&pause));
        self.ask(signal)
    }

    fn ask(&mut self, signal: i32) -> bool {
        self.asked = self.asked.wrapping_add(1);
        let question = [self.asked, u8::try_from(signal).unwrap_or(0)];
        if rustix::io::write(&self.line, &question).is_err() {
            return false;
        }
        let patience = Timespec {
            tv_sec: PATIENCE,
            tv_nsec: 0,
        };
        let mut answer = [0; 2];
        loop {
            let mut ready = [PollFd::new(&self.line, PollFlags::IN)];
            // No signal interrupts it: they are blocked.
            if !matches!(poll(&mut ready, Some(&patience)), Ok(1..)) {
                return false;
            }
            match rustix::io::read(&self.line, &mut answer) {
                Ok(2) if answer[0] == self.asked => return answer[1] == 1,
                Ok(2) => {}
                _ => return false,
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

/// Answers whether a signal came that a process sent, until it is killed.
fn answer(line: &OwnedFd) -> io::Result<()> {
    // Nothing is kept open by this: a pipe's end must be seen when the others are gone.
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    sys::replace(null.as_fd(), 0);
    sys::replace(line.as_fd(), 1);
    sys::replace(null.as_fd(), 2);
    drop(null);
    sys::close_range(3, i32::MAX);
    let line = rustix::stdio::stdout();
    let signals = Signals::of(SIGNALS).descriptor()?;
    let mut heard = Vec::new();
    let mut question = [0; 2];
    while rustix::io::read(line, &mut question)? == question.len() {
        while let Some(signal) = sys::read_signal(signals.as_fd()) {
            let number = u8::try_from(signal.number).unwrap_or(0);
            if !signal.from_kernel && signal.number != libc::SIGCHLD {
                heard.push(number);
            }
        }
        let [asked, signal] = question;
        let place = heard.iter().position(|heard| *heard == signal);
        let has_heard = place.map(|place| heard.swap_remove(place)).is_some();
        rustix::io::write(line, &[asked, u8::from(has_heard)])?;
    }
    Ok(())
}
