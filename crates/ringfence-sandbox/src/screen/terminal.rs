//! A terminal of the program's own, so that what it prints can be looked at and it still has one.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{
    OptionalActions, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use super::{duplicate, pump, standard};
use crate::sys;

/// A pair of a terminal and its other side.
pub(super) struct Pty {
    master: OwnedFd,
    slave: OwnedFd,
    /// The outputs that are terminals now.
    outputs: Vec<RawFd>,
}

impl Pty {
    /// One that is set up as the present terminal is.
    pub(super) fn open(outputs: Vec<RawFd>) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let slave = ioctl_tiocgptpeer(&master, flags)?;
        let outer = standard(outputs.first().copied().unwrap_or(1));
        tcsetattr(&slave, OptionalActions::Now, &tcgetattr(outer)?)?;
        tcsetwinsize(&slave, tcgetwinsize(outer)?)?;
        Ok(Self {
            master,
            slave,
            outputs,
        })
    }

    /// The output that shows what is printed on it.
    pub(super) fn printed(&self) -> RawFd {
        self.outputs.first().copied().unwrap_or(1)
    }

    /// In the program's process: makes it the terminal of a session of its own.
    pub(super) fn enter(self) -> io::Result<()> {
        setsid()?;
        ioctl_tiocsctty(&self.slave)?;
        let input = standard(0).is_terminal().then_some(0);
        for descriptor in self.outputs.iter().copied().chain(input) {
            sys::replace(self.slave.as_fd(), descriptor);
        }
        Ok(())
    }

    /// In the process that stays: the other side, to be read from, and what carries the keys that are typed.
    pub(super) fn stay(self) -> io::Result<(OwnedFd, Keyboard)> {
        let keyboard = Keyboard::new(self.master.try_clone()?, self.printed())?;
        Ok((self.master, keyboard))
    }
}

/// Carries what is typed to the program's terminal; the outer one passes every key on as it is, until this is dropped.
pub(super) struct Keyboard {
    outer: OwnedFd,
    master: OwnedFd,
    /// How the outer terminal was; nothing where its keys are not ours to read.
    before: Option<Termios>,
}

impl Keyboard {
    fn new(master: OwnedFd, printed: RawFd) -> io::Result<Self> {
        let is_typed = standard(0).is_terminal()
            && tcgetpgrp(standard(0)).ok() == Some(rustix::process::getpgrp());
        let outer = duplicate(if is_typed { 0 } else { printed })?;
        let before = is_typed.then(|| tcgetattr(&outer)).transpose()?;
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.make_raw();
            tcsetattr(&outer, OptionalActions::Now, &raw)?;
        }
        Ok(Self {
            outer,
            master,
            before,
        })
    }

    /// To be waited for, while the keys are ours to read.
    pub(super) fn wish(&self) -> Option<PollFd<'_>> {
        let wish = || PollFd::new(&self.outer, PollFlags::IN);
        self.before.as_ref().map(|_| wish())
    }

    /// Carries what was typed.
    pub(super) fn carry(&mut self) {
        if self.before.is_some() && pump::copy(self.outer.as_fd(), self.master.as_fd()) {
            self.give_back();
        }
    }

    /// Tells the program's terminal the size of the outer one; the kernel then tells the program, which is what is said here.
    pub(super) fn resize(&self) -> bool {
        let size = tcgetwinsize(&self.outer);
        size.is_ok_and(|size| tcsetwinsize(&self.master, size).is_ok())
    }

    fn give_back(&mut self) {
        if let Some(before) = self.before.take() {
            // A terminal that is gone has nothing to be set back.
            let _ = tcsetattr(&self.outer, OptionalActions::Now, &before);
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.give_back();
    }
}
