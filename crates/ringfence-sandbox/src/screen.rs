//! A process between a program's output and whoever reads it.
//!
//! [`behind`] makes a copy of this process. The copy goes on to become the program, or the supervisor of one; what it prints comes
//! back here, goes through a [`Screen`] and then to where it was meant for. This process ends when the copy has ended.
//!
//! What always holds: nothing reaches a screened output but through its screen, in the order in which it was printed; nobody waits
//! for a reader that is slow but the program itself; who prints into a pipe that nobody reads any more is told so; when this process
//! dies, the program dies with it.

mod canary;
mod pump;
mod terminal;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::process::ExitStatus;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal};

use crate::enforce::SIGNALS;
use crate::sys::{self, Forked, Signals};
use canary::Canary;
use pump::{Ears, Pump, Stream};
use terminal::Pty;

/// What an output goes through.
pub trait Screen {
    /// Takes what was printed; appends to `out` what may be seen of it so far.
    fn pass(&mut self, printed: &[u8], out: &mut Vec<u8>);

    /// Appends what was held back: nothing more will be printed.
    fn finish(&mut self, out: &mut Vec<u8>);
}

/// Which outputs are screened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outputs {
    /// Those that are no terminals.
    Pipes,
    /// All; where one is a terminal the program gets one of its own.
    All,
}

/// Which of the two processes this is.
pub enum Side {
    /// The one that goes on. Also where there is nothing to screen: then there is only this one.
    Program,
    /// The one that stayed behind: the other has ended so.
    Ended(ExitStatus),
}

/// The descriptors of standard output and standard error.
const PRINTED: [RawFd; 2] = [1, 2];

/// Puts screens around what this process prints from now on. `screen` is asked once for each output, in the process that stays.
///
/// The process must have one thread.
///
/// # Errors
///
/// Where the system has no pipe, terminal or process to give; in the process that goes on, too.
pub fn behind(outputs: Outputs, screen: impl Fn() -> Box<dyn Screen>) -> io::Result<Side> {
    let Some(routes) = Routes::of(outputs)? else {
        return Ok(Side::Program);
    };
    let own = rustix::process::getpid();
    let mask = Signals::of(SIGNALS).block()?;
    match sys::fork()? {
        Forked::Child => {
            mask.restore()?;
            die_with(own)?;
            routes.enter()?;
            Ok(Side::Program)
        }
        Forked::Parent(program) => {
            let ended = routes.pump(program, screen)?.run();
            // One that came with the program's end would end this process otherwise than the program ended.
            Signals::of(SIGNALS).forget();
            mask.restore()?;
            ended.map(Side::Ended)
        }
    }
}

/// Ends this process with the one that it was copied from.
fn die_with(original: Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(original) {
        sys::leave(1);
    }
    Ok(())
}

/// How what is printed comes back here.
struct Routes {
    pipes: Vec<Route>,
    pty: Option<Pty>,
}

/// One pipe.
struct Route {
    read: OwnedFd,
    write: OwnedFd,
    /// Which outputs lead into it.
    printed: Vec<RawFd>,
}

impl Routes {
    /// Nothing where no output is to be screened.
    fn of(outputs: Outputs) -> io::Result<Option<Self>> {
        let (terminals, others): (Vec<RawFd>, Vec<RawFd>) = PRINTED
            .into_iter()
            .filter(|printed| is_open(*printed))
            .partition(|printed| standard(*printed).is_terminal());
        let own_terminal = outputs == Outputs::All && !terminals.is_empty();
        if others.is_empty() && !own_terminal {
            return Ok(None);
        }
        // What both outputs lead to is given one pipe: what is printed into it stays in its order.
        let groups = match others.as_slice() {
            [one, other] if is_same(*one, *other) => vec![others],
            _ => others.into_iter().map(|printed| vec![printed]).collect(),
        };
        let pipes: io::Result<_> = groups.into_iter().map(Route::new).collect();
        Ok(Some(Self {
            pipes: pipes?,
            pty: own_terminal.then(|| Pty::open(terminals)).transpose()?,
        }))
    }

    /// In the process that goes on: makes the ends of the pipes its outputs.
    fn enter(self) -> io::Result<()> {
        if let Some(pty) = self.pty {
            pty.enter()?;
        }
        for route in &self.pipes {
            for printed in &route.printed {
                sys::replace(route.write.as_fd(), *printed);
            }
        }
        Ok(())
    }

    /// In the process that stays.
    fn pump(self, program: i32, screen: impl Fn() -> Box<dyn Screen>) -> io::Result<Pump> {
        let mut streams = Vec::new();
        for route in self.pipes {
            let to = duplicate(route.printed.first().copied().unwrap_or(1))?;
            streams.push(Stream::new(route.read, to, screen()));
        }
        let ears = match self.pty {
            Some(pty) => {
                let to = duplicate(pty.printed())?;
                let (master, keyboard) = pty.stay()?;
                streams.push(Stream::new(master, to, screen()));
                Ears::Keyboard(keyboard)
            }
            None => {
                // Whoever writes to the program must see it close its input, not us.
                sys::replace(File::open("/dev/null")?.as_fd(), 0);
                Ears::Canary(Canary::start()?)
            }
        };
        Pump::new(program, streams, ears)
    }
}

impl Route {
    fn new(printed: Vec<RawFd>) -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        Ok(Self {
            read,
            write,
            printed,
        })
    }
}

fn standard(descriptor: RawFd) -> BorrowedFd<'static> {
    match descriptor {
        0 => rustix::stdio::stdin(),
        1 => rustix::stdio::stdout(),
        _ => rustix::stdio::stderr(),
    }
}

fn is_open(descriptor: RawFd) -> bool {
    rustix::io::fcntl_getfd(standard(descriptor)).is_ok()
}

fn duplicate(descriptor: RawFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(standard(descriptor), 3)?)
}

/// Whether two descriptors lead to one file, pipe or socket.
fn is_same(one: RawFd, other: RawFd) -> bool {
    let identity = |descriptor| {
        let file = File::from(duplicate(descriptor).ok()?);
        let metadata = file.metadata().ok()?;
        Some((metadata.dev(), metadata.ino(), metadata.rdev()))
    };
    identity(one).is_some_and(|identity_of_one| identity(other) == Some(identity_of_one))
}
