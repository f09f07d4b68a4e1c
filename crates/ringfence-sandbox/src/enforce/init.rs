//! The first process inside: sets everything up, starts the program, reaps what is left, and answers the supervisor.
//!
//! It is in the program's process group with the same signals blocked, and so a canary: a signal that it got too was sent to
//! the group, and the program has it already. It cannot be looked into from inside (not dumpable), and holds nothing of the host's
//! but its socket to the supervisor.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::process::{DumpableBehavior, Pid, WaitId, WaitIdOptions, WaitOptions};

use super::{During, Failed, Orders, Private, SIGNALS, answerer, app, identity, mounts, network};
use crate::level::Level;
use crate::sys::{self, Forked, Signal, Signals};
use crate::wire::{self, Kind, Message};

/// How long a group's signal may take from one member to the next.
const CANARY_MS: i64 = 20;

/// Most signals that are remembered.
const MOST_SEEN: usize = 64;

/// After which time a program is no short one.
const SETTLED: Duration = Duration::from_millis(20);
/// The same, as the kernel takes it.
const SETTLED_TIMEOUT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// Sets everything up, starts the program, and stays until it has ended. Does not come back but with what failed.
pub(super) fn run(orders: &Orders<'_>, control: &OwnedFd) -> Result<(), Failed> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .during("parent")?;
    // The files below `/proc/self` belong to root while a process cannot be looked into.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).during("user map")?;
    identity::settle(orders)?;
    if orders.level >= Level::NoPidns {
        network::build(orders.inside, control)?;
        let private = private(orders);
        mounts::arrange(orders, &private)?;
        sockets(&private, control)?;
    }
    let signals = Signals::of(SIGNALS).descriptor().during("signals")?;
    let program = match sys::fork().during("program")? {
        Forked::Child => app::run(orders, control),
        Forked::Parent(id) => id,
    };
    if orders.level < Level::Full {
        // Whoever the program leaves behind comes to us, and goes with us.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).during("reaper")?;
    }
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).during("init")?;
    let_go();
    let init = Init {
        control,
        signals,
        watch: None,
        watched: (orders.level >= Level::NoPidns).then_some(orders),
        program,
        has_own_processes: orders.level == Level::Full,
        seen: Vec::new(),
    };
    init.stay();
    sys::leave(0)
}

/// Closes the streams: a reader of the program's output must see its end when the program closes it.
fn let_go() {
    if let Ok(null) = fs::File::options().read(true).write(true).open("/dev/null") {
        for descriptor in 0..3 {
            sys::replace(null.as_fd(), descriptor);
        }
    }
}

fn private(orders: &Orders<'_>) -> Private {
    let machine = rustix::system::uname();
    Private {
        hosts: orders.inside.hosts(&machine.nodename().to_string_lossy()),
        resolver: format!("nameserver {}\n", answerer().ip()),
        sockets: orders.present.sockets.clone(),
    }
}

/// Listens at the paths of the host's sockets that stay reachable, and hands the listeners over.
fn sockets(private: &Private, control: &OwnedFd) -> Result<(), Failed> {
    for path in &private.sockets {
        let listener = UnixListener::bind(path).on("socket", path.display())?;
        listener.set_nonblocking(true).during("socket")?;
        let _ = fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777));
        wire::send(
            control,
            Kind::Listeners,
            1,
            &path.to_string_lossy(),
            &[listener.as_fd()],
        )
        .during("socket")?;
    }
    Ok(())
}

struct Init<'a> {
    control: &'a OwnedFd,
    signals: OwnedFd,
    watch: Option<Watch>,
    /// What is to be watched as soon as the program has run for a while.
    watched: Option<&'a Orders<'a>>,
    program: i32,
    /// Whether the process table shows nothing but what runs inside.
    has_own_processes: bool,
    /// Signals that reached the whole group and that the supervisor has not asked about yet.
    seen: Vec<i32>,
}

impl Init<'_> {
    fn stay(mut self) {
        let begun = Instant::now();
        loop {
            if self.watched.is_some() && begun.elapsed() >= SETTLED {
                self.begin_to_watch();
            }
            let watched = self.watch.as_ref().map(|watch| watch.descriptor.as_fd());
            let mut ready = vec![
                PollFd::new(&self.signals, PollFlags::IN),
                PollFd::new(self.control, PollFlags::IN),
            ];
            ready.extend(
                watched.map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN)),
            );
            let settled = self.watched.is_some().then_some(&SETTLED_TIMEOUT);
            let polled = poll(&mut ready, settled);
            if polled.is_err() {
                continue;
            }
            let [signals, control, watched] =
                [0, 1, 2].map(|index| ready.get(index).is_some_and(|fd| !fd.revents().is_empty()));
            if watched && let Some(watch) = &self.watch {
                watch.act(self.control);
            }
            if signals && self.signalled() {
                return;
            }
            if control && !self.asked() {
                return;
            }
        }
    }

    /// Begins to watch, and looks for what appeared before: a short program is not kept waiting for it, and the supervisor looks once
    /// more at the end.
    fn begin_to_watch(&mut self) {
        self.watch = self.watched.take().and_then(Watch::new);
        if let Some(watch) = &self.watch {
            watch.act(self.control);
        }
    }

    /// Reads what signals there are; true when the program has ended.
    fn signalled(&mut self) -> bool {
        let mut child = false;
        while let Some(signal) = sys::read_signal(self.signals.as_fd()) {
            child |= signal.number == libc::SIGCHLD;
            self.note(signal);
        }
        child && self.reap()
    }

    fn note(&mut self, signal: Signal) {
        // What the terminal sends reaches the program and the supervisor by itself, and nobody asks about it.
        // Without Landlock the program can send as many as it likes.
        let is_full = self.seen.len() >= MOST_SEEN;
        if signal.number != libc::SIGCHLD && !signal.from_kernel && !is_full {
            self.seen.push(signal.number);
        }
    }

    /// Takes the ends and stops of children; true when the program's own end was among them.
    fn reap(&self) -> bool {
        let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
        while let Ok(Some((id, status))) = rustix::process::wait(options) {
            let is_program = id.as_raw_nonzero().get() == self.program;
            if let Some(signal) = status.stopping_signal() {
                if is_program {
                    self.tell(Kind::Stopped, signal, "");
                }
            } else if is_program {
                let left = self.end_the_rest();
                self.tell(Kind::Ended, status.as_raw(), &left.to_string());
                return true;
            }
        }
        false
    }

    /// Ends what the program left behind, and gives how many processes that were. When this comes back nobody is left inside, and
    /// the supervisor need not wait until the kernel has taken the namespaces apart.
    fn end_the_rest(&self) -> usize {
        if nobody_is_left() {
            return 0;
        }
        if self.has_own_processes {
            let left = leftovers();
            // Everybody whom this process sees, but not itself.
            let _ = sys::kill(-1, libc::SIGKILL);
            while rustix::process::wait(WaitOptions::empty()).is_ok() {}
            return left;
        }
        let mut left = 0;
        loop {
            // Whoever loses his parent becomes a child of this process.
            for child in children() {
                left += 1;
                let _ = sys::kill(child, libc::SIGKILL);
            }
            match rustix::process::wait(WaitOptions::empty()) {
                Ok(_) => {}
                Err(_) => return left,
            }
        }
    }

    fn tell(&self, kind: Kind, number: i32, text: &str) {
        // The supervisor's end is seen by the loop.
        let _ = wire::send(self.control, kind, number, text, &[]);
    }

    /// Answers the supervisor; false when it is gone.
    fn asked(&mut self) -> bool {
        let Ok(Some(message)) = wire::receive(self.control) else {
            return false;
        };
        match message.kind {
            Kind::Signal => self.forward(message.number),
            Kind::AskStopped => self.tell(Kind::IsStopped, i32::from(self.is_stopped()), ""),
            Kind::AskSockets => self.make_sockets(&message),
            Kind::AskListener => self.make_listener(&message),
            _ => {}
        }
        true
    }

    /// Passes a signal on, unless the whole group got it.
    fn forward(&mut self, signal: i32) {
        if self.took(signal) {
            return;
        }
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: CANARY_MS * 1_000_000,
        };
        let mut ready = [PollFd::new(&self.signals, PollFlags::IN)];
        // A signal's end of waiting is no error: what there is is read.
        let _ = poll(&mut ready, Some(&wait));
        let mut child = false;
        while let Some(signal) = sys::read_signal(self.signals.as_fd()) {
            child |= signal.number == libc::SIGCHLD;
            self.note(signal);
        }
        if !self.took(signal) {
            // It may have ended meanwhile.
            let _ = sys::kill(self.program, signal);
        }
        if child && self.reap() {
            sys::leave(0);
        }
    }

    fn took(&mut self, signal: i32) -> bool {
        let place = self.seen.iter().position(|seen| *seen == signal);
        place.map(|place| self.seen.swap_remove(place)).is_some()
    }

    fn is_stopped(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.program)).unwrap_or_default();
        // The name may hold anything, so the state is looked for behind its last bracket.
        stat.rsplit_once(") ")
            .is_some_and(|(_, state)| state.starts_with(['T', 't']))
    }

    /// Makes sockets of the inner network, with which the supervisor reaches the program's ports.
    fn make_sockets(&self, message: &Message) {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
        let family = if message.number == 6 {
            AddressFamily::INET6
        } else {
            AddressFamily::INET
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let count = message
            .text
            .parse()
            .unwrap_or(0_usize)
            .min(wire::MOST_DESCRIPTORS);
        let sockets: Vec<OwnedFd> = (0..count)
            .filter_map(|_| socket_with(family, SocketType::STREAM, flags, None).ok())
            .collect();
        self.give(message, &sockets, 0);
    }

    fn make_listener(&self, message: &Message) {
        let made = message
            .text
            .parse()
            .map_err(io::Error::other)
            .and_then(network::listen);
        match made {
            Ok(listener) => self.give(message, &[listener], 0),
            Err(error) => self.give(message, &[], error.raw_os_error().unwrap_or(libc::EINVAL)),
        }
    }

    fn give(&self, message: &Message, sockets: &[OwnedFd], error: i32) {
        let sockets: Vec<BorrowedFd<'_>> = sockets.iter().map(AsFd::as_fd).collect();
        // The supervisor's end is seen by the loop.
        let _ = wire::send(self.control, Kind::Sockets, error, &message.text, &sockets);
    }
}

/// Whether this process has no child: whoever loses his parent becomes one.
fn nobody_is_left() -> bool {
    let flags = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(
        rustix::process::waitid(WaitId::All, flags),
        Err(rustix::io::Errno::CHILD)
    )
}

/// The children of this process.
fn children() -> Vec<i32> {
    let own = rustix::process::getpid().as_raw_nonzero();
    let listed = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
    listed
        .split_whitespace()
        .filter_map(|id| id.parse().ok())
        .collect()
}

/// How many processes are left besides this one.
fn leftovers() -> usize {
    let own = rustix::process::getpid();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    ids.filter(|id| Pid::from_raw(*id) != Some(own) && !is_dead(*id))
        .count()
}

fn is_dead(id: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_none_or(|(_, state)| state.starts_with(['Z', 'X']))
}

/// Watches the folders of masked files, because a mask goes with the file that it lies on when the host replaces that; and those of
/// what must not appear.
struct Watch {
    descriptor: OwnedFd,
    hidden: Vec<PathBuf>,
    absent: Vec<PathBuf>,
}

impl Watch {
    /// `None` where the user has no watch left; the masks hold then as long as their files.
    fn new(orders: &Orders<'_>) -> Option<Self> {
        let files = &orders.plan.files;
        let hidden = files
            .hidden
            .iter()
            .filter(|hidden| hidden.environment.is_some());
        let hidden = hidden.map(|hidden| &hidden.path).chain(&files.awaited);
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let watch = Self {
            descriptor: inotify::init(flags).ok()?,
            hidden: hidden.cloned().collect(),
            absent: orders.present.absent.clone(),
        };
        watch.follow();
        Some(watch)
    }

    /// Watches the nearest folders that are there.
    fn follow(&self) {
        let above = |paths: &[PathBuf]| -> BTreeSet<PathBuf> {
            let folders = paths.iter().filter_map(|path| path.parent());
            folders.map(PathBuf::from).collect()
        };
        let nearest = |folder: PathBuf| {
            folder
                .ancestors()
                .find(|folder| folder.is_dir())
                .map(PathBuf::from)
        };
        let mut folders = above(&self.hidden);
        folders.extend(above(&self.absent).into_iter().filter_map(nearest));
        let flags = inotify::WatchFlags::CREATE
            | inotify::WatchFlags::MOVED_TO
            | inotify::WatchFlags::ONLYDIR;
        for folder in folders {
            // A folder that is not there has nothing to watch.
            let _ = inotify::add_watch(&self.descriptor, &folder, flags);
        }
    }

    /// Puts masks where they are missing, and has the supervisor look for what must not be there.
    fn act(&self, control: &OwnedFd) {
        let mut space = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.descriptor, &mut space);
        while reader.next().is_ok() {}
        for path in self.hidden.iter().filter(|path| !is_masked(path)) {
            if mounts::hide_again(path).is_ok() {
                let _ = wire::send(control, Kind::Appeared, 0, &path.to_string_lossy(), &[]);
            }
        }
        self.follow();
        if self
            .absent
            .iter()
            .any(|path| fs::symlink_metadata(path).is_ok())
        {
            let _ = wire::send(control, Kind::Look, 0, "", &[]);
        }
    }
}

/// Whether a path is covered, or not there.
fn is_masked(path: &PathBuf) -> bool {
    use std::os::unix::fs::MetadataExt;
    let mask = fs::metadata(mounts::FILE_MASK).map(|mask| mask.dev());
    match (fs::symlink_metadata(path), mask) {
        (Ok(there), Ok(mask)) => there.dev() == mask,
        _ => true,
    }
}
