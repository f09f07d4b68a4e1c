//! The loop of the process that stays: output through screens, signals to the program, and the program's end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};

use super::Screen;
use super::canary::Canary;
use super::terminal::Keyboard;
use crate::enforce::SIGNALS;
use crate::sys::{self, Forked, Signals};

/// What is read at once.
const CHUNK: usize = 64 << 10;

/// What a pipe that can be written to takes without waiting (`pipe(7)`, PIPE_BUF).
const AT_ONCE: usize = 4096;

/// One output, from the program to where it was meant for.
pub(super) struct Stream {
    from: Option<OwnedFd>,
    to: OwnedFd,
    screen: Box<dyn Screen>,
    /// What may be seen and is not written yet.
    ready: Vec<u8>,
    written: usize,
}

impl Stream {
    pub(super) fn new(from: OwnedFd, to: OwnedFd, screen: Box<dyn Screen>) -> Self {
        Self {
            from: Some(from),
            to,
            screen,
            ready: Vec::new(),
            written: 0,
        }
    }

    fn is_waiting(&self) -> bool {
        self.written < self.ready.len()
    }

    fn is_done(&self) -> bool {
        self.from.is_none() && !self.is_waiting()
    }

    /// What there is to wait for: a reader that takes what is ready, or else more from the program; and that the reader goes.
    fn wishes(&self) -> [PollFd<'_>; 2] {
        let first = match &self.from {
            Some(from) if !self.is_waiting() => PollFd::new(from, PollFlags::IN),
            _ => PollFd::new(&self.to, PollFlags::OUT),
        };
        [first, PollFd::new(&self.to, PollFlags::empty())]
    }

    /// Acts on what the wishes came to; says whether anything was moved.
    fn carry(&mut self, [first, second]: [PollFlags; 2], chunk: &mut [u8]) -> bool {
        if self.is_waiting() && !first.is_empty() {
            self.write();
        } else if second.intersects(PollFlags::ERR | PollFlags::HUP) {
            self.give_up();
        } else if !first.is_empty() {
            self.read(chunk);
        }
        !first.is_empty()
    }

    fn read(&mut self, chunk: &mut [u8]) {
        let Some(from) = &self.from else { return };
        match rustix::io::read(from, &mut *chunk) {
            Ok(length) if length > 0 => {
                let printed = chunk.get(..length).unwrap_or_default();
                self.screen.pass(printed, &mut self.ready);
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            // A terminal's end is an error (EIO); a pipe's is nothing read.
            Ok(_) | Err(_) => {
                self.from = None;
                self.screen.finish(&mut self.ready);
            }
        }
    }

    fn write(&mut self) {
        let rest = self.ready.get(self.written..).unwrap_or_default();
        let part = rest.get(..AT_ONCE).unwrap_or(rest);
        match rustix::io::write(&self.to, part) {
            Ok(length) => self.written += length,
            Err(Errno::INTR | Errno::AGAIN) => return,
            Err(_) => return self.give_up(),
        }
        if !self.is_waiting() {
            self.ready.clear();
            self.written = 0;
        }
    }

    /// Nobody reads any more: the program is to learn it when it prints the next time.
    fn give_up(&mut self) {
        self.from = None;
        self.ready.clear();
        self.written = 0;
    }
}

/// How what this process is told relates to the program.
pub(super) enum Ears {
    /// The program is of this process's group, and the group may have been told.
    Canary(Canary),
    /// The program has a session and a terminal of its own, and hears nothing but what is passed on.
    Keyboard(Keyboard),
}

impl Ears {
    fn keyboard(&mut self) -> Option<&mut Keyboard> {
        match self {
            Self::Canary(_) => None,
            Self::Keyboard(keyboard) => Some(keyboard),
        }
    }

    fn wish(&self) -> Option<PollFd<'_>> {
        match self {
            Self::Canary(_) => None,
            Self::Keyboard(keyboard) => keyboard.wish(),
        }
    }
}

/// The process that stays.
pub(super) struct Pump {
    program: i32,
    streams: Vec<Stream>,
    ears: Option<Ears>,
    signals: OwnedFd,
    chunk: Vec<u8>,
}

impl Pump {
    pub(super) fn new(program: i32, streams: Vec<Stream>, ears: Ears) -> io::Result<Self> {
        Ok(Self {
            program,
            streams,
            ears: Some(ears),
            signals: Signals::of(SIGNALS).descriptor()?,
            chunk: vec![0; CHUNK],
        })
    }

    /// Carries until the program has ended and all that it printed is written.
    pub(super) fn run(mut self) -> io::Result<ExitStatus> {
        let status = loop {
            self.step(None)?;
            if let Some(status) = self.ended() {
                break status;
            }
        };
        loop {
            let waits = self.streams.iter().any(Stream::is_waiting);
            let patience = (!waits).then(Timespec::default);
            if !self.step(patience)? {
                break;
            }
        }
        self.leave_the_rest_to_another()?;
        Ok(status)
    }

    /// Waits for something to do and does it; says whether anything was moved.
    fn step(&mut self, patience: Option<Timespec>) -> io::Result<bool> {
        self.streams.retain(|stream| !stream.is_done());
        let mut wishes = vec![PollFd::new(&self.signals, PollFlags::IN)];
        wishes.extend(self.streams.iter().flat_map(Stream::wishes));
        let keys = self.ears.as_ref().and_then(Ears::wish);
        let has_keys = keys.is_some();
        wishes.extend(keys);
        match poll(&mut wishes, patience.as_ref()) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
        let found: Vec<PollFlags> = wishes.iter().map(PollFd::revents).collect();
        let happened = |flags: Option<&PollFlags>| flags.is_some_and(|flags| !flags.is_empty());
        let (signalled, typed) = (happened(found.first()), happened(found.last()));
        let mut moved = false;
        let (pairs, _) = found.get(1..).unwrap_or_default().as_chunks::<2>();
        for (stream, flags) in self.streams.iter_mut().zip(pairs) {
            moved |= stream.carry(*flags, &mut self.chunk);
        }
        if signalled {
            self.pass_signals_on();
        }
        let keyboard = self.ears.as_mut().and_then(Ears::keyboard);
        if let Some(keyboard) = keyboard.filter(|_| has_keys && typed) {
            keyboard.carry();
        }
        Ok(moved)
    }

    /// What the terminal sends has reached a program of its group by itself.
    fn pass_signals_on(&mut self) {
        while let Some(signal) = sys::read_signal(self.signals.as_fd()) {
            let number = signal.number;
            let has_it = match &mut self.ears {
                _ if number == libc::SIGCHLD => true,
                Some(Ears::Keyboard(keyboard)) if number == libc::SIGWINCH => keyboard.resize(),
                Some(Ears::Keyboard(_)) => false,
                Some(Ears::Canary(canary)) => signal.from_kernel || canary.heard(number),
                None => true,
            };
            if !has_it {
                // One that is gone is waited for next.
                let _ = sys::kill(self.program, number);
            }
        }
    }

    /// The program's status, once it has ended. Where it was stopped, this process stops, so that whoever waits for it sees that.
    fn ended(&self) -> Option<ExitStatus> {
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
        let (_, status) = waitpid(Pid::from_raw(self.program), options).ok()??;
        if status.stopped() {
            let own = rustix::process::getpid().as_raw_nonzero().get();
            // A continuation wakes the whole group.
            let _ = sys::kill(own, libc::SIGSTOP);
            return None;
        }
        Some(ExitStatus::from_raw(status.as_raw()))
    }

    /// What the program left running may print on; nobody who waits for the program waits for that.
    fn leave_the_rest_to_another(&mut self) -> io::Result<()> {
        self.ears = None;
        let is_done = |streams: &[Stream]| streams.iter().all(Stream::is_done);
        if is_done(&self.streams) {
            return Ok(());
        }
        if let Forked::Child = sys::fork()? {
            while !is_done(&self.streams) && self.step(None).is_ok() {}
            sys::leave(0);
        }
        Ok(())
    }
}

/// Copies what can be read at once from one descriptor to another; says whether there is an end.
pub(super) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
    let mut buffer = [0; AT_ONCE];
    match rustix::io::read(from, &mut buffer) {
        Ok(0) => true,
        Ok(length) => {
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Ok(written) = rustix::io::write(to, rest) {
                rest = rest.get(written..).unwrap_or_default();
                if rest.is_empty() {
                    break;
                }
            }
            false
        }
        Err(Errno::INTR | Errno::AGAIN) => false,
        Err(_) => true,
    }
}
