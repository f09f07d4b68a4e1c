//! The one who called: their socket, held fast, and their address, read once.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::Wanted;
use super::socket::{cookie, errno, number};
use crate::sys::notify::{self, Notification};

/// From Linux 6.9 on, a descriptor of one thread, which may have files of its own; `include/uapi/linux/pidfd.h`.
const PIDFD_THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);

/// Why a caller's call cannot be judged.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The kernel would have refused it with this.
    Errno(i32),
    Unreadable,
    Gone,
}

pub(super) struct Caller {
    pub(super) call: Notification,
    /// The same open file as theirs, whatever their descriptor means by now.
    pub(super) socket: OwnedFd,
    pub(super) non_blocking: bool,
    pub(super) domain: i32,
    pub(super) kind: i32,
    /// Our copy of what they passed.
    pub(super) address: Vec<u8>,
}

impl Caller {
    /// Takes hold of everything at once, and then asks whether it was still the same caller.
    pub(super) fn pin(listener: BorrowedFd<'_>, call: Notification) -> Result<Self, Trouble> {
        let caller = Self::read(call);
        if notify::still_waits(listener, call.id) {
            caller
        } else {
            Err(Trouble::Gone)
        }
    }

    fn read(call: Notification) -> Result<Self, Trouble> {
        let socket = socket(&call)?;
        // `ENOTSOCK`, and `EBADF` for `O_PATH`, are the kernel's own answers.
        let domain = number(socket.as_fd(), libc::SOL_SOCKET, libc::SO_DOMAIN)
            .map_err(|error| kernels(&error))?;
        let kind = number(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TYPE)
            .map_err(|error| kernels(&error))?;
        let flags = fcntl_getfl(&socket).map_err(|error| Trouble::Errno(error.raw_os_error()))?;
        let address = address(&call)?;
        Ok(Self {
            call,
            socket,
            non_blocking: flags.contains(OFlags::NONBLOCK),
            domain,
            kind,
            address,
        })
    }

    /// Whether the kernel connects such a socket one time only.
    pub(super) fn connects_once(&self) -> bool {
        matches!(self.domain, libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX)
            && matches!(self.kind, libc::SOCK_STREAM | libc::SOCK_SEQPACKET)
    }

    /// What the kernel calls their socket, now and for good.
    pub(super) fn cookie(&self) -> Option<u64> {
        cookie(self.socket.as_fd())
    }

    /// Another of their descriptors.
    pub(super) fn descriptor(&self, number: RawFd) -> Option<OwnedFd> {
        pidfd_getfd(process(self.call.thread)?, number, PidfdGetfdFlags::empty()).ok()
    }

    /// Whether their descriptor is closed by `exec`. Only `/proc` tells.
    pub(super) fn close_on_exec(&self) -> bool {
        let path = format!("/proc/{}/fdinfo/{}", self.call.thread, self.call.number);
        let flags = fs::read_to_string(path).ok().and_then(|text| {
            let flags = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
            i32::from_str_radix(flags.trim(), 8).ok()
        });
        flags.is_some_and(|flags| flags & libc::O_CLOEXEC != 0)
    }

    /// Whether a signal waits that they have a handler for, or that stops or kills them.
    pub(super) fn is_signalled(&self) -> bool {
        let Ok(status) = fs::read_to_string(format!("/proc/{}/status", self.call.thread)) else {
            return false;
        };
        let mask = |name: &str| {
            let mask = status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
                .unwrap_or(0)
        };
        (mask("SigPnd") | mask("ShdPnd")) & !mask("SigBlk") & !mask("SigIgn") != 0
    }

    /// What the address says, or how the kernel would refuse it.
    pub(super) fn wanted(&self) -> Result<Wanted, i32> {
        let [low, high, rest @ ..] = self.address.as_slice() else {
            return Err(libc::EINVAL);
        };
        let family = i32::from(u16::from_ne_bytes([*low, *high]));
        match (self.domain, family) {
            (_, libc::AF_UNSPEC) => Ok(Wanted::Unspecified),
            (libc::AF_INET, libc::AF_INET) => self.internet(v4(rest)),
            (libc::AF_INET6, libc::AF_INET6) => self.internet(v6(rest)),
            // Only datagrams may be sent to an IPv4 address by its own name.
            (libc::AF_INET6, libc::AF_INET) if !self.connects_once() => self.internet(v4(rest)),
            (libc::AF_INET | libc::AF_INET6, _) => Err(libc::EAFNOSUPPORT),
            (libc::AF_UNIX, libc::AF_UNIX) => self.unix(rest),
            (libc::AF_UNIX, _) => Err(libc::EINVAL),
            (domain, _) => Ok(Wanted::Other(domain)),
        }
    }

    fn internet(&self, address: Option<SocketAddr>) -> Result<Wanted, i32> {
        let address = address.ok_or(libc::EINVAL)?;
        let mapped = self.domain == libc::AF_INET6 && address.ip().to_canonical().is_ipv4();
        let only = || number(self.socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY);
        if mapped && matches!(only(), Ok(1..)) {
            return Err(libc::ENETUNREACH);
        }
        let address = meant(address);
        Ok(if self.kind == libc::SOCK_STREAM {
            Wanted::Stream(address)
        } else {
            Wanted::Datagram(address)
        })
    }

    fn unix(&self, name: &[u8]) -> Result<Wanted, i32> {
        match name {
            // `sizeof(sockaddr_un)` less the family
            name if name.len() > 108 => Err(libc::EINVAL),
            [] => Ok(Wanted::UnixUnnamed),
            [0, name @ ..] => Ok(Wanted::UnixAbstract(name.to_vec())),
            path => {
                let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
                let path = PathBuf::from(OsString::from_vec(path.to_vec()));
                Ok(Wanted::UnixPath(self.folder(&path).join(path)))
            }
        }
    }

    /// The folder that a relative path begins at; nowhere, when it cannot be read.
    fn folder(&self, path: &Path) -> PathBuf {
        if path.is_absolute() {
            return PathBuf::new();
        }
        fs::read_link(format!("/proc/{}/cwd", self.call.thread))
            .unwrap_or_else(|_| PathBuf::from("/proc/self/nowhere"))
    }
}

fn socket(call: &Notification) -> Result<OwnedFd, Trouble> {
    if call.number < 0 {
        return Err(Trouble::Errno(libc::EBADF));
    }
    let process = process(call.thread).ok_or(Trouble::Unreadable)?;
    pidfd_getfd(&process, call.number, PidfdGetfdFlags::empty()).map_err(|error| {
        match error.raw_os_error() {
            libc::EBADF => Trouble::Errno(libc::EBADF),
            // Our own limits, not the caller's fault.
            libc::EMFILE | libc::ENFILE | libc::ENOMEM => Trouble::Errno(libc::ENOBUFS),
            _ => Trouble::Unreadable,
        }
    })
}

fn process(thread: i32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(thread)?;
    if let Ok(process) = pidfd_open(pid, PIDFD_THREAD) {
        return Some(process);
    }
    // Older kernels know whole processes alone; their threads share descriptors, but for rare ones, which see no harm but options
    // of another socket.
    let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let group = status
        .lines()
        .find_map(|line| line.strip_prefix("Tgid:"))?
        .trim()
        .parse()
        .ok()?;
    pidfd_open(Pid::from_raw(group)?, PidfdFlags::empty()).ok()
}

fn address(call: &Notification) -> Result<Vec<u8>, Trouble> {
    // `sizeof(struct sockaddr_storage)`
    let length = usize::try_from(call.length)
        .ok()
        .filter(|length| *length <= 128);
    let length = length.ok_or(Trouble::Errno(libc::EINVAL))?;
    let mut address = vec![0; length];
    if length == 0 {
        return Ok(address);
    }
    match notify::read_memory(call.thread, call.address, &mut address) {
        Ok(read) if read == length => Ok(address),
        Ok(_) => Err(Trouble::Errno(libc::EFAULT)),
        Err(error) if error.raw_os_error() == Some(libc::EFAULT) => {
            Err(Trouble::Errno(libc::EFAULT))
        }
        Err(_) => Err(Trouble::Unreadable),
    }
}

fn kernels(error: &io::Error) -> Trouble {
    Trouble::Errno(errno(error))
}

/// `struct sockaddr_in` behind its family.
fn v4(bytes: &[u8]) -> Option<SocketAddr> {
    let [p, q, a, b, c, d, _, _, _, _, _, _, _, _, ..] = *bytes else {
        return None;
    };
    Some((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([p, q])).into())
}

/// `struct sockaddr_in6` behind its family; the kernel takes it without the scope as well (RFC 2133).
fn v6(bytes: &[u8]) -> Option<SocketAddr> {
    let (port, bytes) = bytes.split_first_chunk::<2>()?;
    let (flow, bytes) = bytes.split_first_chunk::<4>()?;
    let (address, bytes) = bytes.split_first_chunk::<16>()?;
    let scope = bytes
        .first_chunk::<4>()
        .map_or(0, |scope| u32::from_ne_bytes(*scope));
    let (address, flow) = (Ipv6Addr::from(*address), u32::from_be_bytes(*flow));
    Some(SocketAddrV6::new(address, u16::from_be_bytes(*port), flow, scope).into())
}

/// The address that the kernel would take it for.
fn meant(address: SocketAddr) -> SocketAddr {
    let canonical = address.ip().to_canonical();
    match canonical {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => (Ipv6Addr::LOCALHOST, address.port()).into(),
        IpAddr::V4(_) => (canonical, address.port()).into(),
        IpAddr::V6(_) => address,
    }
}
