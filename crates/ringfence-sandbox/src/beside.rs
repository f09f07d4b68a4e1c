//! A process beside a run, which serves the program that is about to be started.
//!
//! What always holds: it is no child of this process, so that a program that takes this process's place never meets it; it has no
//! terminal, no standard input or output, and no descriptor that the caller handed to the program; it can tell when this process,
//! or the program in its place, is gone, however it went.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, WaitOptions, getpid, pidfd_open, setsid, waitpid};

use crate::supervise::raise_limit;
use crate::sys::{self, Forked};

/// The process that is served, watched from beside it.
pub struct Life(OwnedFd);

impl Life {
    /// Waits until it is gone.
    pub fn wait(&self) {
        let mut watched = [PollFd::new(&self.0, PollFlags::IN)];
        // A signal is no end; where it cannot be watched, nobody may go on as if it lived.
        while matches!(poll(&mut watched, None), Err(rustix::io::Errno::INTR)) {}
    }
}

/// Starts a process that does `serve` and ends with the code that this gives. It holds what `serve` holds; here that is let go of.
///
/// This process must have one thread.
///
/// # Errors
///
/// Where the system has no process to give, or none that can be watched (Linux 5.3).
pub fn beside(serve: impl FnOnce(Life) -> u8) -> io::Result<()> {
    let life = Life(pidfd_open(getpid(), PidfdFlags::empty())?);
    match sys::fork()? {
        // Whoever adopts orphans becomes the parent of the second copy.
        Forked::Child => match detached() {
            Ok(Forked::Child) => {
                // A program may open as many connections as it likes; each of them is one here, and one to an upstream.
                raise_limit();
                let code = let_go().map_or(1, |()| serve(life));
                sys::leave(i32::from(code));
            }
            Ok(Forked::Parent(_)) => sys::leave(0),
            Err(error) => sys::leave(error.raw_os_error().unwrap_or(1)),
        },
        Forked::Parent(first) => ended(first),
    }
}

/// Leaves the terminal and its signals; then copies this process once more.
fn detached() -> io::Result<Forked> {
    setsid()?;
    sys::fork()
}

/// Waits for the first copy, and takes its word for how it went.
fn ended(first: i32) -> io::Result<()> {
    match waitpid(Pid::from_raw(first), WaitOptions::empty()) {
        Ok(Some((_, status))) => match status.exit_status() {
            Some(0) => Ok(()),
            Some(number) => Err(io::Error::from_raw_os_error(number)),
            None => Err(io::ErrorKind::Interrupted.into()),
        },
        // A caller who ignores the ends of children passes that on, and then none is told of.
        Ok(None) | Err(rustix::io::Errno::CHILD) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Gives up what was inherited from the caller: his descriptors outlive `execve`, ours do not.
fn let_go() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    sys::replace(null.as_fd(), 0);
    sys::replace(null.as_fd(), 1);
    for descriptor in opened()?.into_iter().filter(|descriptor| *descriptor > 2) {
        if sys::is_inherited(descriptor) {
            sys::close_range(descriptor, descriptor);
        }
    }
    Ok(())
}

/// The descriptors of this process.
fn opened() -> io::Result<Vec<RawFd>> {
    let entries = std::fs::read_dir("/proc/self/fd")?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(names.collect())
}
