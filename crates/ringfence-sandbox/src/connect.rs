//! Answers `connect` for a program under [`Filter::Supervised`](crate::filter::Filter::Supervised) or
//! [`Filter::NetworkOnly`](crate::filter::Filter::NetworkOnly): a [`Policy`] decides, and the connection is made out here.
//!
//! ```text
//! app: connect(7, addr) ──▶ read addr once ──▶ Policy::decide ──▶ own socket, own address ──▶ put in the place of 7
//! ```
//!
//! *Always holds:* no call is ever let through to the kernel (`CONTINUE`), for the kernel would read the address, and look up the
//! descriptor, once more, and another thread may have changed both. What is connected is either a socket made here, to the address
//! the policy gave, or ([`Decision::Inside`]) the caller's own socket, pinned, from here, with our copy of the address, and only
//! when that socket belongs to another network namespace than ours: `Inside` cannot reach the host's network by any mistake.
//! A connected socket is never disconnected (`AF_UNSPEC`), so it cannot be connected to anything else.
//!
//! # What a program sees
//!
//! `errno` as the kernel gives it; 0 when connected; `EINPROGRESS` on a non-blocking socket, and then 0, `EALREADY`, `EISCONN` or
//! the error when it asks again. A caught signal that waits longer than a tenth of a second ends a blocking call with `EINTR`, and the
//! connection goes on, as POSIX says; `SO_SNDTIMEO` ends it with `EINPROGRESS`.
//!
//! The new socket takes the place of the old one, with the options in `socket`, the flags of the file and of the descriptor, and
//! its entries in the caller's `epoll` lists. Not carried over: a local address that was bound, other options, copies of the descriptor
//! (`dup`, `fork`), which stay as they were, and entries in a list under the number of a copy,
//! or in one that is not among the caller's first 1,024 descriptors. Of several addresses a non-blocking
//! socket gets the first that does not fail at once.
//! `SO_PEERCRED` at the other end of a UNIX socket shows this process.
//!
//! Under `Supervised` the caller holds sockets of the host's network. It cannot connect them elsewhere, but one that has failed it may
//! bind to a port of the host, and listen: what must not do so must not have [`Decision::Connect`].
//!
//! # What the supervisor needs
//!
//! Linux 5.9; for `Inside` 5.14. The rights of ptrace(2) over the callers: the same user, dumpable callers, and under Yama's
//! scope 1 callers that descend from this process, so it should be a subreaper (`PR_SET_CHILD_SUBREAPER`). Without them every call
//! is refused ([`Wanted::Unreadable`]). It should not be dumpable itself, or the callers may trace it. Run by root, it opens the
//! paths of `Inside` and [`Decision::ConnectUnix`] with root's rights.

mod attempt;
mod caller;
mod socket;
mod watch;

use std::collections::{HashSet, VecDeque};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use rustix::process::{Resource, getrlimit};
use tokio::io::unix::AsyncFd;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::filter::Instruction;
use crate::sys::notify::{self, Notification};
use attempt::{Attempt, Begun, Place};
use caller::{Caller, Trouble};
use socket::Standing;

/// Where somebody wants to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// By TCP. An IPv4 address inside an IPv6 one is given as itself, and the unspecified address, which the kernel takes for this
    /// host, as the loopback address.
    Stream(SocketAddr),
    /// By UDP, or by another protocol that has no streams; written in the same way.
    Datagram(SocketAddr),
    /// To a UNIX socket in the file system. Absolute, but neither resolved nor looked up.
    UnixPath(PathBuf),
    /// To an abstract UNIX socket; the name without its leading zero.
    UnixAbstract(Vec<u8>),
    /// To a UNIX socket without a name, which does not exist.
    UnixUnnamed,
    /// `AF_UNSPEC`: to lose a connection. For a stream refused (`EAFNOSUPPORT`) whatever is decided.
    Unspecified,
    /// By a socket of another family, such as `AF_NETLINK`.
    Other(i32),
    /// The caller's memory or descriptors could not be read. Refused whatever is decided.
    Unreadable,
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Connect by TCP from this process's namespaces: to the first of these that answers.
    Connect(Vec<SocketAddr>),
    /// Connect to this UNIX socket from this process's namespaces. Absolute, and without symbolic links (`ELOOP`). Who may rename
    /// or link in its folder chooses the socket.
    ConnectUnix(PathBuf),
    /// Fail with this `errno`.
    Refuse(i32),
    /// Connect the caller's own socket in its own namespaces, where it wanted to. Refused (`EACCES`) when its network is this
    /// process's.
    Inside,
}

/// Decides on each call, and may record it. Called on the thread that serves: it must not block.
pub trait Policy: Send + Sync + 'static {
    /// What becomes of a call.
    fn decide(&self, wanted: &Wanted) -> Decision;
}

impl<F: Fn(&Wanted) -> Decision + Send + Sync + 'static> Policy for F {
    fn decide(&self, wanted: &Wanted) -> Decision {
        self(wanted)
    }
}

/// The caller's side: installs `program`, and sends its listener through `socket` to the one who calls [`receive`].
///
/// For a process of one thread with `PR_SET_NO_NEW_PRIVS`, as the last thing before it becomes the program.
///
/// # Errors
///
/// Those of seccomp(2) and sendmsg(2). The filter may then be installed already: do not go on.
pub fn hand_over(program: &[Instruction], socket: BorrowedFd<'_>) -> io::Result<()> {
    let listener = crate::sys::filter::install_with_listener(program)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [listener.as_fd()];
    if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::from(io::ErrorKind::OutOfMemory));
    }
    rustix::net::sendmsg(
        socket,
        &[IoSlice::new(b"l")],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// The supervisor's side of [`hand_over`]. Waits.
///
/// # Errors
///
/// Those of recvmsg(2); `UnexpectedEof` when the other side ended before it sent anything.
pub fn receive(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    rustix::net::recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    ancillary
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        })
        .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
}

/// Answers calls until nobody is left who could make one. Dropped earlier, it fails those that wait with `ENOSYS`.
///
/// Runs on a tokio runtime with I/O and time. Calls are answered at the same time, up to a quarter of this process's limit of open
/// files and 4,096; the others wait their turn.
///
/// # Errors
///
/// When the kernel cannot do this, or the listener is none.
pub async fn serve(listener: OwnedFd, policy: impl Policy) -> io::Result<()> {
    let supervisor = Arc::new(Supervisor::new(listener, policy)?);
    let room = Arc::new(Semaphore::new(in_flight()));
    let mut calls = JoinSet::new();
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        let Some(call) = supervisor.next().await? else {
            break;
        };
        while calls.try_join_next().is_some() {}
        let supervisor = Arc::clone(&supervisor);
        calls.spawn(async move {
            supervisor.answer(call).await;
            drop(permit);
        });
    }
    Ok(())
}

/// Each call holds up to four descriptors: the caller's process and socket, ours, and that of a path.
fn in_flight() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) / 4;
    usize::try_from(files).unwrap_or(usize::MAX).clamp(1, 4096)
}

/// What a call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    Connected,
    Errno(i32),
    /// Nobody waits for it any more.
    Nothing,
}

struct Supervisor<P> {
    listener: AsyncFd<OwnedFd>,
    policy: P,
    /// The network namespace of this process; `None` on a kernel that has no names for them.
    home: Option<u64>,
    untold: Mutex<Untold>,
}

impl<P: Policy> Supervisor<P> {
    fn new(listener: OwnedFd, policy: P) -> io::Result<Self> {
        if !notify::sizes_fit()? {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the kernel's notifications are larger than known",
            ));
        }
        let listener = notify::watch_readable(listener)?;
        Ok(Self {
            listener,
            policy,
            home: socket::home(),
            untold: Mutex::default(),
        })
    }

    fn listener(&self) -> BorrowedFd<'_> {
        self.listener.get_ref().as_fd()
    }

    /// The next call; `None` when nobody is left.
    async fn next(&self) -> io::Result<Option<Notification>> {
        loop {
            let mut ready = self.listener.readable().await?;
            // Receiving blocks when there is nothing, and readiness is remembered: ask anew.
            let mut fds = [PollFd::new(self.listener.get_ref(), PollFlags::IN)];
            poll(
                &mut fds,
                Some(&Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                }),
            )?;
            let events = fds.first().map_or(PollFlags::empty(), PollFd::revents);
            if events.contains(PollFlags::IN) {
                match notify::receive(self.listener()) {
                    Ok(call) => return Ok(Some(call)),
                    Err(error)
                        if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => {}
                    Err(error) => return Err(error),
                }
            } else if events.intersects(PollFlags::HUP | PollFlags::ERR) {
                return Ok(None);
            } else {
                ready.clear_ready();
            }
        }
    }

    async fn answer(&self, call: Notification) {
        let (reply, cookie) = match Caller::pin(self.listener(), call) {
            Ok(caller) => (self.reply(&caller).await, caller.cookie()),
            Err(Trouble::Errno(errno)) => (Reply::Errno(errno), None),
            Err(Trouble::Unreadable) => (self.unreadable(), None),
            Err(Trouble::Gone) => (Reply::Nothing, None),
        };
        let sent = match reply {
            Reply::Connected => notify::answer(self.listener(), call.id, None),
            Reply::Errno(errno) => notify::answer(self.listener(), call.id, Some(errno)),
            Reply::Nothing => Ok(()),
        };
        // On kernels where a signal may come between: the call is made again, and must then hear that it is connected.
        if let (Reply::Connected, Err(_), Some(cookie)) = (reply, sent, cookie) {
            self.remember(cookie);
        }
    }

    fn unreadable(&self) -> Reply {
        match self.policy.decide(&Wanted::Unreadable) {
            Decision::Refuse(errno) => refusal(errno),
            Decision::Connect(_) | Decision::ConnectUnix(_) | Decision::Inside => {
                Reply::Errno(libc::EACCES)
            }
        }
    }

    async fn reply(&self, caller: &Caller) -> Reply {
        let wanted = match caller.wanted() {
            Ok(wanted) => wanted,
            Err(errno) => return Reply::Errno(errno),
        };
        if caller.connects_once() && wanted != Wanted::Unspecified {
            match socket::standing(caller.socket.as_fd()) {
                Standing::Idle => {}
                Standing::Connected => return self.tell(caller),
                Standing::Failed(errno) => return Reply::Errno(errno),
                Standing::Connecting if caller.non_blocking => return Reply::Errno(libc::EALREADY),
                Standing::Connecting => return self.wait(caller).await,
            }
        }
        match self.policy.decide(&wanted) {
            _ if wanted == Wanted::Unspecified && caller.connects_once() => {
                Reply::Errno(libc::EAFNOSUPPORT)
            }
            Decision::Refuse(errno) => refusal(errno),
            Decision::Inside => self.inside(caller, &wanted).await,
            Decision::Connect(addresses) => {
                self.outbound(caller, addresses.into_iter().map(Place::Internet))
                    .await
            }
            Decision::ConnectUnix(path) => {
                self.outbound(caller, [Place::Unix(path)].into_iter()).await
            }
        }
    }

    /// Connected already: what the kernel says the first time, and ever after.
    fn tell(&self, caller: &Caller) -> Reply {
        let untold = caller
            .cookie()
            .is_some_and(|cookie| self.untold().forget(cookie));
        if untold {
            Reply::Connected
        } else {
            Reply::Errno(libc::EISCONN)
        }
    }

    async fn wait(&self, caller: &Caller) -> Reply {
        let attempt = Attempt {
            listener: self.listener(),
            caller,
        };
        let reply = attempt.wait(caller.socket.as_fd()).await;
        self.conclude(caller, caller.socket.as_fd(), reply)
    }

    async fn inside(&self, caller: &Caller, wanted: &Wanted) -> Reply {
        let theirs = socket::network(caller.socket.as_fd());
        if self.home.is_none() || theirs.is_none() || theirs == self.home {
            return Reply::Errno(libc::EACCES);
        }
        let attempt = Attempt {
            listener: self.listener(),
            caller,
        };
        let begun = attempt.inside(wanted).await;
        self.conclude(caller, caller.socket.as_fd(), begun)
    }

    async fn outbound(&self, caller: &Caller, places: impl Iterator<Item = Place>) -> Reply {
        let attempt = Attempt {
            listener: self.listener(),
            caller,
        };
        let mut last = Reply::Errno(libc::ECONNREFUSED);
        for place in places {
            let socket = match attempt.open(&place) {
                Ok(socket) => socket,
                Err(error) => {
                    last = Reply::Errno(socket::errno(&error));
                    continue;
                }
            };
            let begun = attempt.outbound(socket.as_fd(), &place).await;
            if let Begun::Failed(errno) = begun {
                last = Reply::Errno(errno);
                continue;
            }
            if begun == Begun::Gone {
                return Reply::Nothing;
            }
            return match attempt.inject(socket.as_fd()).await {
                Ok(()) => self.conclude(caller, socket.as_fd(), begun),
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Reply::Nothing,
                Err(error) => Reply::Errno(socket::errno(&error)),
            };
        }
        last
    }

    /// The reply to what was begun with `socket`, which the caller holds by now.
    fn conclude(&self, caller: &Caller, socket: BorrowedFd<'_>, begun: Begun) -> Reply {
        match begun {
            Begun::Connected => Reply::Connected,
            Begun::Failed(errno) => Reply::Errno(errno),
            Begun::Gone => Reply::Nothing,
            Begun::Pending(errno) => {
                if let (true, Some(cookie)) = (caller.connects_once(), socket::cookie(socket)) {
                    self.remember(cookie);
                }
                Reply::Errno(errno)
            }
        }
    }

    fn remember(&self, cookie: u64) {
        self.untold().remember(cookie);
    }

    fn untold(&self) -> std::sync::MutexGuard<'_, Untold> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A policy's `errno`; what is none of the kernel's becomes `EACCES`.
fn refusal(errno: i32) -> Reply {
    Reply::Errno(if (1..=4095).contains(&errno) {
        errno
    } else {
        libc::EACCES
    })
}

/// The sockets whose callers have not yet heard that they are connected, the oldest first. Most never ask again, so the oldest
/// are forgotten: those would hear `EISCONN`, which clients take for success as well.
#[derive(Default)]
struct Untold {
    cookies: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Untold {
    const LIMIT: usize = 16_384;

    fn remember(&mut self, cookie: u64) {
        if self.cookies.insert(cookie) {
            self.order.push_back(cookie);
        }
        while self.order.len() > Self::LIMIT {
            if let Some(oldest) = self.order.pop_front() {
                self.cookies.remove(&oldest);
            }
        }
    }

    fn forget(&mut self, cookie: u64) -> bool {
        self.cookies.remove(&cookie)
    }
}
