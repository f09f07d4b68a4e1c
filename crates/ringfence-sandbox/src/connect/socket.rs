//! What a socket says of itself, and what a new one takes over from an old one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, getpeername, socket_with};

use crate::sys::notify;

/// What has become of a socket that may have been connected before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Idle,
    Connecting,
    Connected,
    Failed(i32),
}

/// Takes the error, if there is one, as the kernel's own `connect` would.
pub(super) fn standing(socket: BorrowedFd<'_>) -> Standing {
    if getpeername(socket).is_ok() {
        return Standing::Connected;
    }
    match number(socket, libc::SOL_SOCKET, libc::SO_ERROR) {
        Ok(0) | Err(_) => {}
        Ok(errno) => return Standing::Failed(errno),
    }
    // The first byte of `struct tcp_info`; `include/net/tcp_states.h`.
    match notify::option::<1>(socket, libc::IPPROTO_TCP, libc::TCP_INFO) {
        Ok([2 | 3]) => Standing::Connecting,
        // It listens.
        Ok([10]) => Standing::Failed(libc::EISCONN),
        // Connected between the first question and this.
        Ok([1]) => Standing::Connected,
        _ => Standing::Idle,
    }
}

/// One option that is a number.
pub(super) fn number(socket: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<i32> {
    notify::option(socket, level, name).map(i32::from_ne_bytes)
}

/// What the kernel calls a socket, from its birth to its end and never again.
pub(super) fn cookie(socket: BorrowedFd<'_>) -> Option<u64> {
    notify::option(socket, libc::SOL_SOCKET, libc::SO_COOKIE)
        .ok()
        .map(u64::from_ne_bytes)
}

/// What the kernel calls the network namespace of a socket, from Linux 5.14 on; `include/uapi/asm-generic/socket.h`.
pub(super) fn network(socket: BorrowedFd<'_>) -> Option<u64> {
    const SO_NETNS_COOKIE: i32 = 71;
    notify::option(socket, libc::SOL_SOCKET, SO_NETNS_COOKIE)
        .ok()
        .map(u64::from_ne_bytes)
}

/// The network namespace of this process.
pub(super) fn home() -> Option<u64> {
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .ok()?;
    network(socket.as_fd())
}

/// A system call's error for the one who is to have made it.
pub(super) fn errno(error: &io::Error) -> i32 {
    match error.raw_os_error() {
        // Our own limits, not the caller's.
        Some(libc::EMFILE | libc::ENFILE) => libc::ENOBUFS,
        Some(errno) => errno,
        None => libc::EIO,
    }
}

/// Those that programs set before they connect and that still matter afterwards.
const NUMBERS: [(i32, i32); 16] = [
    (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
    (libc::SOL_SOCKET, libc::SO_OOBINLINE),
    (libc::SOL_SOCKET, libc::SO_PRIORITY),
    (libc::SOL_SOCKET, libc::SO_RCVLOWAT),
    (libc::SOL_SOCKET, libc::SO_PASSCRED),
    (libc::IPPROTO_TCP, libc::TCP_NODELAY),
    (libc::IPPROTO_TCP, libc::TCP_CORK),
    (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
    (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL),
    (libc::IPPROTO_TCP, libc::TCP_KEEPCNT),
    (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
    (libc::IPPROTO_TCP, libc::TCP_SYNCNT),
    (libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT),
    (libc::IPPROTO_IP, libc::IP_TOS),
    (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
    (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS),
];

/// `struct linger`, and two of `struct timeval`.
const STRUCTURES: [(i32, usize); 3] = [
    (libc::SO_LINGER, 8),
    (libc::SO_RCVTIMEO, 16),
    (libc::SO_SNDTIMEO, 16),
];

/// Sets on `to` what differs on `from`: to set a buffer's size, even to what it is, would end its growth.
pub(super) fn carry_options(from: BorrowedFd<'_>, to: BorrowedFd<'_>) {
    for (level, name) in NUMBERS {
        if let (Ok(wanted), Ok(set)) = (number(from, level, name), number(to, level, name))
            && wanted != set
        {
            let _ = notify::set_option(to, level, name, &wanted.to_ne_bytes());
        }
    }
    for (name, length) in STRUCTURES {
        let structure = |socket| notify::option::<16>(socket, libc::SOL_SOCKET, name);
        if let (Ok(wanted), Ok(set)) = (structure(from), structure(to))
            && wanted != set
        {
            let _ = notify::set_option(
                to,
                libc::SOL_SOCKET,
                name,
                wanted.get(..length).unwrap_or_default(),
            );
        }
    }
    for name in [libc::SO_RCVBUF, libc::SO_SNDBUF] {
        let size = |socket| number(socket, libc::SOL_SOCKET, name);
        if let (Ok(wanted), Ok(set)) = (size(from), size(to))
            && wanted != set
        {
            // The kernel doubles what is set, and tells the double (socket(7)).
            let _ = notify::set_option(to, libc::SOL_SOCKET, name, &(wanted / 2).to_ne_bytes());
        }
    }
}
