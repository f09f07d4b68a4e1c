//! One connection: the socket made for it, and waiting without holding anyone else up.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, fcntl_getfl, fcntl_setfl, openat2};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use tokio::time::{Instant, sleep, sleep_until};

use super::caller::Caller;
use super::socket::{Standing, carry_options, errno, number, standing};
use super::{Wanted, watch};
use crate::sys::notify;

/// Where to connect to, from this process's namespaces.
#[derive(Debug)]
pub(super) enum Place {
    Internet(SocketAddr),
    Unix(PathBuf),
}

/// Whose socket is connected: ours, which cannot block, or the caller's, which they can make so.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Ours,
    Theirs,
}

/// What has come of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    Connected,
    /// It goes on without the caller, who hears this.
    Pending(i32),
    Failed(i32),
    /// The caller has gone.
    Gone,
}

pub(super) struct Attempt<'a> {
    pub(super) listener: BorrowedFd<'a>,
    pub(super) caller: &'a Caller,
}

impl Attempt<'_> {
    /// A new socket with the caller's options. IPv4 addresses are reached in the caller's family, so that it sees its own.
    pub(super) fn open(&self, place: &Place) -> io::Result<OwnedFd> {
        let (family, kind) = match (place, self.caller.kind) {
            (Place::Unix(_), libc::SOCK_SEQPACKET) => (AddressFamily::UNIX, SocketType::SEQPACKET),
            (_, kind) if kind != libc::SOCK_STREAM => {
                return Err(io::Error::from_raw_os_error(libc::EACCES));
            }
            (Place::Unix(_), _) => (AddressFamily::UNIX, SocketType::STREAM),
            (Place::Internet(address), _) if self.is_v6(address) => {
                (AddressFamily::INET6, SocketType::STREAM)
            }
            (Place::Internet(_), _) => (AddressFamily::INET, SocketType::STREAM),
        };
        let socket = socket_with(
            family,
            kind,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        carry_options(self.caller.socket.as_fd(), socket.as_fd());
        Ok(socket)
    }

    fn is_v6(&self, address: &SocketAddr) -> bool {
        address.is_ipv6() || self.caller.domain == libc::AF_INET6
    }

    /// Connects a socket of [`Attempt::open`].
    pub(super) async fn outbound(&self, socket: BorrowedFd<'_>, place: &Place) -> Begun {
        let opened;
        let address = match place {
            Place::Internet(address) => internet(address, self.is_v6(address)),
            Place::Unix(path) => match open_path(path) {
                Ok(file) => {
                    opened = file;
                    by_descriptor(opened.as_fd())
                }
                Err(error) => return Begun::Failed(errno(&error)),
            },
        };
        self.see_through(socket, &address, Whose::Ours).await
    }

    /// Connects the caller's own socket where they wanted to, in their namespaces.
    ///
    /// A blocking socket is made non-blocking for that moment. Should another thread of theirs undo it meanwhile, then it is only a
    /// thread for blocking work that waits.
    pub(super) async fn inside(&self, wanted: &Wanted) -> Begun {
        let address = self.caller.address.clone();
        let path = match wanted {
            Wanted::UnixPath(path) => match self.open_theirs(path.clone()).await {
                Ok(file) => Some(file),
                Err(error) => return Begun::Failed(errno(&error)),
            },
            _ => None,
        };
        let address = path
            .as_ref()
            .map_or(address, |path| by_descriptor(path.as_fd()));
        self.see_through(self.caller.socket.as_fd(), &address, Whose::Theirs)
            .await
    }

    /// Opens a path as the caller sees it: in their root, whatever links say.
    async fn open_theirs(&self, path: PathBuf) -> io::Result<OwnedFd> {
        let root = std::fs::File::open(format!("/proc/{}/root", self.caller.call.thread))?;
        if !notify::still_waits(self.listener, self.caller.call.id) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let open = move || {
            openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)
                .map_err(io::Error::from)
        };
        tokio::task::spawn_blocking(open).await?
    }

    /// Starts a connection and, when the caller blocks, waits for its end.
    async fn see_through(&self, socket: BorrowedFd<'_>, address: &[u8], whose: Whose) -> Begun {
        let mut pause = Duration::from_millis(1);
        let begun = Instant::now();
        loop {
            let error = match self.start(socket, address, whose).await {
                Ok(()) => return Begun::Connected,
                Err(error) => errno(&error),
            };
            match error {
                libc::EINPROGRESS if self.caller.non_blocking => {
                    return Begun::Pending(libc::EINPROGRESS);
                }
                libc::EINPROGRESS => return self.wait(socket).await,
                // The queue of a UNIX socket is full, and nothing tells when it is not.
                libc::EAGAIN if !self.caller.non_blocking && self.is_unix(socket) => {}
                error => return Begun::Failed(error),
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
            match self.disturbance(begun) {
                Some(Begun::Pending(_)) => return Begun::Failed(libc::EAGAIN),
                Some(begun) => return begun,
                None => {}
            }
        }
    }

    async fn start(&self, socket: BorrowedFd<'_>, address: &[u8], whose: Whose) -> io::Result<()> {
        match whose {
            Whose::Ours => notify::connect(socket, address),
            Whose::Theirs => {
                let (socket, address) = (self.caller.socket.try_clone()?, address.to_vec());
                tokio::task::spawn_blocking(move || connect_theirs(&socket, &address)).await?
            }
        }
    }

    fn is_unix(&self, socket: BorrowedFd<'_>) -> bool {
        matches!(
            number(socket, libc::SOL_SOCKET, libc::SO_DOMAIN),
            Ok(libc::AF_UNIX)
        )
    }

    /// Waits for a connection under way, as long as the caller does.
    pub(super) async fn wait(&self, socket: BorrowedFd<'_>) -> Begun {
        let begun = Instant::now();
        tokio::select! {
            biased;
            settled = settled(socket) => settled.unwrap_or_else(|error| Begun::Failed(errno(&error))),
            disturbed = async { loop {
                sleep_until(self.deadline(begun)).await;
                if let Some(disturbance) = self.disturbance(begun) {
                    return disturbance;
                }
            } } => disturbed,
        }
    }

    /// The next moment at which to look after the caller.
    fn deadline(&self, begun: Instant) -> Instant {
        let tick = Instant::now() + Duration::from_millis(100);
        self.patience()
            .map_or(tick, |patience| tick.min(begun + patience))
    }

    /// Why not to wait any longer.
    fn disturbance(&self, begun: Instant) -> Option<Begun> {
        if !notify::still_waits(self.listener, self.caller.call.id) {
            return Some(Begun::Gone);
        }
        if self
            .patience()
            .is_some_and(|patience| begun.elapsed() >= patience)
        {
            return Some(Begun::Pending(libc::EINPROGRESS));
        }
        self.caller
            .is_signalled()
            .then_some(Begun::Pending(libc::EINTR))
    }

    /// The caller's `SO_SNDTIMEO`, which is how long a blocking `connect` takes at most (socket(7)).
    fn patience(&self) -> Option<Duration> {
        let time: [u8; 16] = notify::option(
            self.caller.socket.as_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDTIMEO,
        )
        .ok()?;
        let (seconds, micros) = time.split_first_chunk::<8>()?;
        let seconds = Duration::from_secs(u64::from_ne_bytes(*seconds));
        let patience = seconds + Duration::from_micros(u64::from_ne_bytes(*micros.first_chunk()?));
        (!patience.is_zero()).then_some(patience)
    }

    /// Gives the caller the socket, with the flags and in the `epoll` lists of the one it replaces.
    pub(super) async fn inject(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        if !self.caller.non_blocking {
            fcntl_setfl(socket, fcntl_getfl(socket)? - OFlags::NONBLOCK)?;
        }
        let watches = watch::find(self.caller).await;
        notify::inject(
            self.listener,
            &self.caller.call,
            socket,
            self.caller.close_on_exec(),
        )?;
        watch::renew(watches, self.caller, socket).await;
        Ok(())
    }
}

/// Waits until a connection is made or has failed.
async fn settled(socket: BorrowedFd<'_>) -> io::Result<Begun> {
    let ready = notify::watch_writable(socket)?;
    loop {
        let mut guard = ready.writable().await?;
        match standing(socket) {
            Standing::Connected => return Ok(Begun::Connected),
            Standing::Failed(errno) => return Ok(Begun::Failed(errno)),
            // Somebody else has taken the error.
            Standing::Idle => return Ok(Begun::Failed(libc::ECONNREFUSED)),
            Standing::Connecting => guard.clear_ready(),
        }
    }
}

/// One at a time, lest two calls for one socket leave it non-blocking.
static TURN: Mutex<()> = Mutex::new(());

fn connect_theirs(socket: &OwnedFd, address: &[u8]) -> io::Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let blocking = !fcntl_getfl(socket)?.contains(OFlags::NONBLOCK);
    if blocking {
        fcntl_setfl(socket, fcntl_getfl(socket)? | OFlags::NONBLOCK)?;
    }
    let result = notify::connect(socket.as_fd(), address);
    if blocking {
        fcntl_setfl(socket, fcntl_getfl(socket)? - OFlags::NONBLOCK)?;
    }
    result
}

fn open_path(path: &Path) -> io::Result<OwnedFd> {
    if !path.is_absolute() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    Ok(openat2(
        CWD,
        path,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS,
    )?)
}

/// `struct sockaddr_un` for an open file, which may have a path of any length and may have been renamed since.
fn by_descriptor(file: BorrowedFd<'_>) -> Vec<u8> {
    let mut path = String::from("/proc/self/fd/");
    let _ = write!(path, "{}", file.as_raw_fd());
    [
        &family(libc::AF_UNIX),
        Path::new(&path).as_os_str().as_bytes(),
        &[0],
    ]
    .concat()
}

/// `struct sockaddr_in`, or `struct sockaddr_in6` for a socket of that family.
fn internet(address: &SocketAddr, v6: bool) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match address {
        SocketAddr::V4(v4) if !v6 => [
            &family(libc::AF_INET)[..],
            &port,
            &v4.ip().octets(),
            &[0; 8],
        ]
        .concat(),
        SocketAddr::V4(v4) => {
            let mapped = v4.ip().to_ipv6_mapped().octets();
            [
                &family(libc::AF_INET6)[..],
                &port,
                &[0; 4],
                &mapped,
                &[0; 4],
            ]
            .concat()
        }
        SocketAddr::V6(v6) => {
            let flow = v6.flowinfo().to_be_bytes();
            [
                &family(libc::AF_INET6)[..],
                &port,
                &flow,
                &v6.ip().octets(),
                &v6.scope_id().to_ne_bytes(),
            ]
            .concat()
        }
    }
}

fn family(family: i32) -> [u8; 2] {
    u16::try_from(family).unwrap_or(0).to_ne_bytes()
}
