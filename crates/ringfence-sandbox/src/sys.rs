//! System calls that no library offers safely. The only module with `unsafe`; every block says why it is sound.
#![expect(
    unsafe_code,
    reason = "this is the room for it: raw system calls behind safe functions"
)]

pub(crate) mod filter;
pub(crate) mod notify;
pub(crate) mod observe;

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use tokio::io::unix::AsyncFd;

/// What `clone` returns.
pub(crate) enum Forked {
    /// In the new process.
    Child,
    /// In the old one: the new one's id.
    Parent(i32),
}

/// Starts a copy of this process in new namespaces. The process must have one thread, so that the copy is whole.
pub(crate) fn clone(namespaces: i32) -> io::Result<Forked> {
    // SAFETY: all-zero is a valid `clone_args` (every field is an integer).
    let mut arguments: libc::clone_args = unsafe { zeroed() };
    arguments.flags = namespaces as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM the child gets a copy of the memory, as after `fork`; the caller has one thread, so no lock
    // is held by one that is gone. `arguments` outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const arguments,
            size_of::<libc::clone_args>(),
        )
    };
    match result {
        0 => Ok(Forked::Child),
        // Docker's filter says ENOSYS for `clone3` alone.
        -1 if errno() == libc::ENOSYS => clone_old(namespaces),
        -1 => Err(io::Error::last_os_error()),
        id => Ok(Forked::Parent(id as i32)),
    }
}

/// The same by the older call.
fn clone_old(namespaces: i32) -> io::Result<Forked> {
    let flags = (namespaces | libc::SIGCHLD) as libc::c_ulong;
    // SAFETY: a null stack and no CLONE_VM mean a copy, as after `fork`; no other argument is read with these flags.
    let result =
        unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) };
    match result {
        0 => Ok(Forked::Child),
        -1 => Err(io::Error::last_os_error()),
        id => Ok(Forked::Parent(id as i32)),
    }
}

/// Starts a copy of this process, which must have one thread.
pub(crate) fn fork() -> io::Result<Forked> {
    // SAFETY: the caller has one thread, so the copy may do anything that this process may.
    match unsafe { libc::fork() } {
        0 => Ok(Forked::Child),
        -1 => Err(io::Error::last_os_error()),
        id => Ok(Forked::Parent(id)),
    }
}

/// The last error's number.
fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Leaves this process at once, without what is usually done at the end: in a copy, that is the original's to do.
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: `_exit` takes any number and does not return.
    unsafe { libc::_exit(code) }
}

/// A set of signals.
#[derive(Clone, Copy)]
pub(crate) struct Signals(libc::sigset_t);

impl Signals {
    /// These signals.
    pub(crate) fn of(signals: &[i32]) -> Self {
        // SAFETY: `sigemptyset` initialises the set; `sigaddset` takes an initialised one and ignores numbers it does not know.
        unsafe {
            let mut set = zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in signals {
                libc::sigaddset(&raw mut set, *signal);
            }
            Self(set)
        }
    }

    /// Blocks them; gives the mask that was.
    pub(crate) fn block(self) -> io::Result<Self> {
        self.mask(libc::SIG_BLOCK)
    }

    /// Makes them the mask.
    pub(crate) fn restore(self) -> io::Result<()> {
        self.mask(libc::SIG_SETMASK).map(|_| ())
    }

    fn mask(self, how: i32) -> io::Result<Self> {
        // SAFETY: both sets are valid for the call, and the old one is written before it is used.
        unsafe {
            let mut old = zeroed();
            match libc::pthread_sigmask(how, &raw const self.0, &raw mut old) {
                0 => Ok(Self(old)),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        }
    }

    /// Forgets those of them that wait while they are blocked: what they were sent for has ended.
    pub(crate) fn forget(self) {
        let waiting = self.descriptor();
        while let Ok(descriptor) = &waiting {
            if read_signal(std::os::fd::AsFd::as_fd(descriptor)).is_none() {
                break;
            }
        }
    }

    /// A descriptor from which they can be read.
    pub(crate) fn descriptor(self) -> io::Result<OwnedFd> {
        // SAFETY: the set is initialised; a result that is not -1 is a new descriptor that nobody owns.
        unsafe {
            let fd = libc::signalfd(
                -1,
                &raw const self.0,
                libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
            );
            checked(libc::c_long::from(fd))?;
            Ok(OwnedFd::from_raw_fd(fd))
        }
    }
}

/// A signal that was read from a descriptor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signal {
    /// Its number.
    pub(crate) number: i32,
    /// Whether the kernel sent it (the terminal did), not a process.
    pub(crate) from_kernel: bool,
}

/// The next signal that waits in a descriptor of [`Signals::descriptor`].
pub(crate) fn read_signal(descriptor: BorrowedFd<'_>) -> Option<Signal> {
    // SAFETY: all-zero is a valid `signalfd_siginfo`; the kernel writes at most its size.
    let (read, information) = unsafe {
        let mut information: libc::signalfd_siginfo = zeroed();
        let size = size_of::<libc::signalfd_siginfo>();
        let read = libc::read(descriptor.as_raw_fd(), (&raw mut information).cast(), size);
        (usize::try_from(read) == Ok(size), information)
    };
    read.then_some(Signal {
        number: information.ssi_signo as i32,
        from_kernel: information.ssi_code == libc::SI_KERNEL,
    })
}

/// Sets a signal's disposition back to the default.
pub(crate) fn default_action(signal: i32) {
    // SAFETY: SIG_DFL is a disposition for every signal; what cannot be changed is left as it is.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
    }
}

/// Ignores a signal.
pub(crate) fn ignore(signal: i32) {
    // SAFETY: SIG_IGN is a disposition for every signal; what cannot be changed is left as it is.
    unsafe {
        libc::signal(signal, libc::SIG_IGN);
    }
}

/// Sends a signal; `process` as `kill(2)` takes it.
pub(crate) fn kill(process: i32, signal: i32) -> io::Result<()> {
    // SAFETY: `kill` takes any two numbers.
    checked(libc::c_long::from(unsafe { libc::kill(process, signal) })).map(|_| ())
}

/// Leaves the caller's session keyring for an empty one (`keyctl(2)`, KEYCTL_JOIN_SESSION_KEYRING).
pub(crate) fn own_keyring() -> io::Result<()> {
    const JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: a null name asks for an anonymous keyring; nothing is read or written in memory.
    checked(unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, 0_usize) }).map(|_| ())
}

/// Makes sure that descriptors from `first` on do not outlive `execve`.
pub(crate) fn close_on_exec_from(first: RawFd) -> io::Result<()> {
    let first = libc::c_uint::try_from(first).unwrap_or(0);
    // SAFETY: the call changes flags of descriptors only.
    checked(unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    })
    .map(|_| ())
}

/// Closes descriptors `first` to `last`.
pub(crate) fn close_range(first: RawFd, last: RawFd) {
    if first > last {
        return;
    }
    let bounds = (
        libc::c_uint::try_from(first).unwrap_or(0),
        libc::c_uint::try_from(last).unwrap_or(libc::c_uint::MAX),
    );
    // SAFETY: the caller owns no descriptor in the range any more; a copy of a process closes what it inherited.
    unsafe {
        libc::syscall(libc::SYS_close_range, bounds.0, bounds.1, 0);
    }
}

/// Sets flags of a mount and all below it (`mount_setattr(2)`, Linux 5.12).
pub(crate) fn set_mount_flags(mount: BorrowedFd<'_>, flags: u64) -> io::Result<()> {
    // SAFETY: all-zero is a valid `mount_attr`; the structure and the empty path outlive the call.
    let result = unsafe {
        let mut attributes: libc::mount_attr = zeroed();
        attributes.attr_set = flags;
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    checked(result).map(|_| ())
}

/// Brings the loopback interface up; the kernel then adds 127.0.0.1/8 and ::1 itself.
pub(crate) fn loopback_up(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: all-zero is a valid `ifreq`; the name is shorter than its array and stays terminated by the zero after it.
    let result = unsafe {
        let mut request: libc::ifreq = zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
            *to = *from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
        libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request)
    };
    checked(libc::c_long::from(result)).map(|_| ())
}

/// Asks that connections be reset, not closed, when the descriptor is closed.
pub(crate) fn reset_on_close(socket: BorrowedFd<'_>) {
    // Where it cannot be had the connection is closed instead.
    let _ = rustix::net::sockopt::set_socket_linger(socket, Some(std::time::Duration::ZERO));
}

/// Replaces this process. Comes back only with the error.
pub(crate) fn execute(
    program: &OsStr,
    arguments: &[OsString],
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> io::Error {
    let text = |text: &OsStr| CString::new(text.as_bytes());
    let words: Result<Vec<CString>, _> = std::iter::once(text(program))
        .chain(arguments.iter().map(|word| text(word)))
        .collect();
    let block: Result<Vec<CString>, _> = variables
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            text(&name)
        })
        .collect();
    let (Ok(words), Ok(block)) = (words, block) else {
        return io::Error::from_raw_os_error(libc::EINVAL);
    };
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        let strings = strings.iter().map(|string| string.as_ptr());
        strings.chain([std::ptr::null()]).collect()
    };
    let (words, block) = (pointers(&words), pointers(&block));
    let Some(first) = words.first() else {
        return io::Error::from_raw_os_error(libc::EINVAL);
    };
    unsafe extern "C" {
        static mut environ: *const *const libc::c_char;
    }
    // SAFETY: this copy of the process has one thread, so nobody reads `environ` meanwhile; both arrays end with a null
    // pointer and outlive the call. `execvp` looks the program up on the new block's PATH.
    unsafe {
        environ = block.as_ptr();
        libc::execvp(*first, words.as_ptr());
    }
    io::Error::last_os_error()
}

/// Gives back memory that was needed only to get here: the supervisor stays for as long as the program. What is needed of the
/// program's text is read again from the page cache.
pub(crate) fn trim_memory() {
    #[cfg(target_env = "gnu")]
    {
        unsafe extern "C" {
            // The linker's names for the beginning and the end of the text (`end(3)`).
            static __executable_start: u8;
            static etext: u8;
        }
        // SAFETY: the allocator gives back pages that nobody uses.
        unsafe { libc::malloc_trim(0) };
        let page = rustix::param::page_size();
        let begin = (&raw const __executable_start)
            .addr()
            .next_multiple_of(page);
        let end = (&raw const etext).addr() / page * page;
        // SAFETY: the range lies within the mapped text, which is never written: after the call its pages are the file's, as before.
        unsafe {
            libc::madvise(
                std::ptr::with_exposed_provenance_mut(begin),
                end.saturating_sub(begin),
                libc::MADV_DONTNEED,
            )
        };
    }
}

/// Makes `target` another name of a descriptor.
pub(crate) fn replace(descriptor: BorrowedFd<'_>, target: RawFd) {
    // SAFETY: the caller gives up what `target` was; the first three descriptors of a process have no owner in Rust.
    unsafe {
        libc::dup2(descriptor.as_raw_fd(), target);
    }
}

/// Whether a descriptor would outlive `execve`; not where there is none.
pub(crate) fn is_inherited(descriptor: RawFd) -> bool {
    // SAFETY: the call reads a flag of a descriptor, or fails where there is none.
    let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
    flags != -1 && flags & libc::FD_CLOEXEC == 0
}

/// Lets a descriptor outlive `execve`.
pub(crate) fn inherit(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: the call changes a flag of a descriptor, or fails where there is none.
    checked(libc::c_long::from(unsafe {
        libc::fcntl(descriptor, libc::F_SETFD, 0)
    }))
    .map(|_| ())
}

/// A descriptor that a task can wait for.
pub(crate) fn asynchronous(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    rustix::io::ioctl_fionbio(&descriptor, true)?;
    // SAFETY: an `OwnedFd` gives the same open descriptor for as long as it lives, and nobody closes it before.
    let registered = unsafe { AsyncFd::register(descriptor) };
    registered.map_err(io::Error::from)
}
