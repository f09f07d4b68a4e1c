#![expect(
    unsafe_code,
    reason = "seccomp's notifications, another process's memory and socket options by number are in no safe library"
)]
//! The supervisor's side of a seccomp filter, and what it must know of the one who called.
//!
//! `ioctl`s: seccomp_unotify(2). Everything that comes from the caller is data; nothing here believes it.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// `connect(number, address, length)`, as somebody called it. They wait until it is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notification {
    /// The kernel's name for this call.
    pub(crate) id: u64,
    /// The calling thread, as the receiver's pid namespace numbers it; 0 when it does not.
    pub(crate) thread: i32,
    /// The first argument, cut as the kernel cuts it.
    pub(crate) number: RawFd,
    /// Where the address lies in the caller's memory.
    pub(crate) address: u64,
    /// How long the caller says that it is.
    pub(crate) length: i32,
}

/// Room behind the structures that we know, for a kernel that knows more. It writes and reads as much as its own hold.
#[repr(C)]
struct Roomy<T> {
    known: T,
    spare: [u64; 32],
}

impl<T> Roomy<T> {
    fn zeroed() -> Self {
        // SAFETY: used with plain structures of integers alone, of which all zeroes is a value.
        unsafe { MaybeUninit::zeroed().assume_init() }
    }
}

/// Whether the kernel's structures fit into ours; without that nothing may be received.
pub(crate) fn sizes_fit() -> io::Result<bool> {
    let mut sizes = libc::seccomp_notif_sizes {
        seccomp_notif: 0,
        seccomp_notif_resp: 0,
        seccomp_data: 0,
    };
    // SAFETY: the kernel writes one `seccomp_notif_sizes`, which lives until the call returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_NOTIF_SIZES,
            0,
            &raw mut sizes,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(
        usize::from(sizes.seccomp_notif) <= size_of::<Roomy<libc::seccomp_notif>>()
            && usize::from(sizes.seccomp_notif_resp)
                <= size_of::<Roomy<libc::seccomp_notif_resp>>(),
    )
}

/// Takes the next call. `ENOENT`: its caller has gone meanwhile. Blocks when there is none.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> io::Result<Notification> {
    let mut call = Roomy::<libc::seccomp_notif>::zeroed();
    // SAFETY: the kernel writes its `seccomp_notif`, for which `sizes_fit` has found room.
    check(unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_RECV,
            &raw mut call,
        )
    })?;
    let [number, address, length, ..] = call.known.data.args;
    Ok(Notification {
        id: call.known.id,
        thread: i32::try_from(call.known.pid).unwrap_or(0),
        number: low(number),
        address,
        length: low(length),
    })
}

/// Whether the caller still waits. If so, its thread number meant the same thread all the time since `receive`.
pub(crate) fn still_waits(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads one `u64`, which lives until the call returns.
    unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_ID_VALID,
            &raw const id,
        ) == 0
    }
}

/// Puts `socket` in the place of the caller's descriptor `number`.
pub(crate) fn inject(
    listener: BorrowedFd<'_>,
    call: &Notification,
    socket: BorrowedFd<'_>,
    close_on_exec: bool,
) -> io::Result<()> {
    let (Ok(srcfd), Ok(newfd)) = (
        u32::try_from(socket.as_raw_fd()),
        u32::try_from(call.number),
    ) else {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    };
    let add = libc::seccomp_notif_addfd {
        id: call.id,
        flags: libc::SECCOMP_ADDFD_FLAG_SETFD as u32,
        srcfd,
        newfd,
        newfd_flags: if close_on_exec {
            libc::O_CLOEXEC as u32
        } else {
            0
        },
    };
    // SAFETY: the kernel reads one `seccomp_notif_addfd`, whose size is part of the request's number.
    check(unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_ADDFD,
            &raw const add,
        )
    })
}

/// Lets the call return 0, or fail with `errno`. It is never let through to the kernel.
pub(crate) fn answer(listener: BorrowedFd<'_>, id: u64, errno: Option<i32>) -> io::Result<()> {
    let mut response = Roomy::<libc::seccomp_notif_resp>::zeroed();
    response.known.id = id;
    response.known.error = errno.map_or(0, |errno| -errno.abs());
    // SAFETY: the kernel reads its `seccomp_notif_resp`, for which `sizes_fit` has found room; the rest is zero.
    check(unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SEND,
            &raw const response,
        )
    })
}

/// Copies memory of `thread`; the number of bytes, which is all that can be read from there on.
pub(crate) fn read_memory(thread: i32, address: u64, into: &mut [u8]) -> io::Result<usize> {
    let start = usize::try_from(address).map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))?;
    let ours = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let theirs = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(start),
        iov_len: into.len(),
    };
    // SAFETY: the kernel writes at most `into.len()` bytes to `into`; the other address is never followed in this process.
    let read =
        unsafe { libc::process_vm_readv(thread, &raw const ours, 1, &raw const theirs, 1, 0) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

/// One socket option, as many bytes of it as there are.
pub(crate) fn option<const N: usize>(
    socket: BorrowedFd<'_>,
    level: i32,
    name: i32,
) -> io::Result<[u8; N]> {
    let mut value = [0; N];
    let mut length = libc::socklen_t::try_from(N).unwrap_or(0);
    // SAFETY: the kernel writes at most `length` bytes to `value`, and its `length`.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    })?;
    Ok(value)
}

/// Sets one socket option.
pub(crate) fn set_option(
    socket: BorrowedFd<'_>,
    level: i32,
    name: i32,
    value: &[u8],
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).unwrap_or(0);
    // SAFETY: the kernel reads `length` bytes of `value`.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            length,
        )
    })
}

/// connect(2) with an address in the kernel's form.
pub(crate) fn connect(socket: BorrowedFd<'_>, address: &[u8]) -> io::Result<()> {
    let length = libc::socklen_t::try_from(address.len()).unwrap_or(0);
    // SAFETY: the kernel copies `length` bytes of `address`.
    check(unsafe { libc::connect(socket.as_raw_fd(), address.as_ptr().cast(), length) })
}

/// Tells the runtime of a descriptor that will be waited for.
pub(crate) fn watch_readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the runtime owns the descriptor, whose number stays the same and open until it is dropped.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

/// The same for one that somebody else owns.
pub(crate) fn watch_writable(fd: BorrowedFd<'_>) -> io::Result<AsyncFd<BorrowedFd<'_>>> {
    // SAFETY: the number stays the same, and open as long as the borrow, which outlives the runtime's use of it.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::WRITABLE) }?)
}

/// An entry of an `epoll` list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The descriptor's number, by which its owner changes and removes the entry.
    pub(crate) number: RawFd,
    /// What is waited for.
    pub(crate) events: u32,
    /// What the owner is told.
    pub(crate) data: u64,
}

/// Puts `new` in the place of `old` in somebody's list.
///
/// The kernel takes an entry's number from the one who makes it. So this is done by a thread which leaves our table of descriptors
/// and puts the files under that number in a table of its own, where nothing else uses any.
pub(crate) fn replace_entry(
    list: BorrowedFd<'_>,
    entry: Entry,
    old: BorrowedFd<'_>,
    new: BorrowedFd<'_>,
) -> io::Result<()> {
    let [list, old, new] = [list, old, new].map(|fd| fd.as_raw_fd());
    let act = move || {
        // SAFETY: the thread ends after this, and uses until then the numbers of this function alone.
        check(unsafe { libc::unshare(libc::CLONE_FILES) })?;
        let [list, old, new] = [
            above(list, entry.number)?,
            above(old, entry.number)?,
            above(new, entry.number)?,
        ];
        let mut event = libc::epoll_event {
            events: entry.events,
            u64: entry.data,
        };
        // SAFETY: all numbers are of the table that this thread alone has; the kernel reads one `epoll_event`.
        unsafe {
            check(libc::dup2(old, entry.number))?;
            check(libc::epoll_ctl(
                list,
                libc::EPOLL_CTL_DEL,
                entry.number,
                &raw mut event,
            ))?;
            check(libc::dup2(new, entry.number))?;
            check(libc::epoll_ctl(
                list,
                libc::EPOLL_CTL_ADD,
                entry.number,
                &raw mut event,
            ))
        }
    };
    let failed = || io::Error::from(io::ErrorKind::Other);
    std::thread::scope(|scope| scope.spawn(act).join()).unwrap_or_else(|_| Err(failed()))
}

/// A copy of a descriptor that is not in the way of `number`.
fn above(fd: RawFd, number: RawFd) -> io::Result<RawFd> {
    // SAFETY: makes a descriptor, and changes none.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, number.saturating_add(1)) };
    check(copy).map(|()| copy)
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// What the kernel takes of an argument whose type is `int`.
fn low(argument: u64) -> i32 {
    let [a, b, c, d, ..] = argument.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}
