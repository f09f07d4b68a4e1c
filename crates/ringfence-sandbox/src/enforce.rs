//! From a plan to a process inside it: everything that happens between the clone and the program's first instruction.
//!
//! The order is the one that holds: identity, keyring, network, mounts, then the program's own losses (capabilities,
//! Landlock, descriptors, filter). Each step that fails is told to the supervisor by name, and nothing is started.

mod app;
mod home;
mod identity;
mod init;
mod lock;
mod mounts;
mod network;
mod present;
mod terminal;

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;

use crate::level::Level;
use crate::sys::{self, Forked, Signals};
use crate::wire::{self, Kind};
use ringfence_reach::plan::Plan;

pub(crate) use network::{Inside, local};
pub(crate) use present::Present;

/// Signals that the supervisor and init read instead of obeying. The terminal's stop signals are not among them.
pub(crate) const SIGNALS: &[i32] = &[
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGCHLD,
    libc::SIGALRM,
    libc::SIGWINCH,
    libc::SIGCONT,
];

/// A program with its arguments and its block.
pub(crate) struct Program {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) variables: Vec<(OsString, OsString)>,
    /// Descriptors that the program inherits besides the first three.
    pub(crate) kept: Vec<RawFd>,
}

/// What init needs to know.
pub(crate) struct Orders<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) level: Level,
    pub(crate) inside: &'a Inside,
    pub(crate) program: &'a Program,
    /// What is there of the plan's paths.
    pub(crate) present: &'a Present,
    /// The signal mask that the program gets.
    pub(crate) mask: Signals,
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// A step that failed, its subject and the system's reason.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) step: &'static str,
    pub(crate) subject: String,
    pub(crate) error: io::Error,
}

/// Names a step in an error.
pub(crate) trait During<T> {
    /// The step, without a subject.
    fn during(self, step: &'static str) -> Result<T, Failed>;
    /// The step and its subject.
    fn on(self, step: &'static str, subject: impl std::fmt::Display) -> Result<T, Failed>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, step: &'static str) -> Result<T, Failed> {
        self.on(step, "")
    }

    fn on(self, step: &'static str, subject: impl std::fmt::Display) -> Result<T, Failed> {
        self.map_err(|error| Failed {
            step,
            subject: subject.to_string(),
            error: error.into(),
        })
    }
}

/// The namespaces of a level.
const fn namespaces(level: Level) -> i32 {
    let all = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS;
    match level {
        Level::Full => all,
        Level::NoPidns => all & !libc::CLONE_NEWPID,
        Level::NetworkOnly | Level::ConfigOnly => 0,
    }
}

/// Starts init, which sets everything up, starts the program and tells the supervisor on `control` what comes of it. Gives
/// init's id.
pub(crate) fn start(
    orders: &Orders<'_>,
    control: &OwnedFd,
    other_end: &OwnedFd,
) -> Result<i32, Failed> {
    match sys::clone(namespaces(orders.level)).during("namespaces")? {
        Forked::Parent(id) => Ok(id),
        Forked::Child => {
            use std::os::fd::AsRawFd;
            // The copy must not hold the supervisor's end, or nobody would see it close.
            sys::close_range(other_end.as_raw_fd(), other_end.as_raw_fd());
            if let Err(failed) = init::run(orders, control) {
                let text = format!("{}\n{}", failed.step, failed.subject);
                let number = failed.error.raw_os_error().unwrap_or(0);
                // Without the supervisor there is nobody to tell.
                let _ = wire::send(control, Kind::Failed, number, &text, &[]);
            }
            sys::leave(1)
        }
    }
}

/// What the mounts need of the world outside.
pub(crate) struct Private {
    /// The file that answers for names.
    pub(crate) hosts: String,
    /// The file that names the DNS answerer.
    pub(crate) resolver: String,
    /// Sockets that are made anew at their paths.
    pub(crate) sockets: Vec<PathBuf>,
}

/// Where the DNS answerer listens.
pub(crate) fn answerer() -> SocketAddr {
    SocketAddr::from(([127, 77, 255, 53], 53))
}
