#![expect(unsafe_code, reason = "seccomp's ioctls are in no safe library")]
//! Hears of calls that wait for the supervisor, and lets them go on as they are.
//!
//! Whoever lets a call go on decides nothing: the kernel reads its arguments again. That is right only where the namespaces
//! themselves keep the caller in.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd};

/// A call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The kernel's name for it.
    pub(crate) id: u64,
    /// The calling thread.
    pub(crate) thread: i32,
    /// The call's number.
    pub(crate) number: i32,
    /// Its arguments.
    pub(crate) arguments: [u64; 6],
}

const fn request(direction: u64, number: u64, size: usize) -> libc::c_ulong {
    // `_IOC` of asm-generic/ioctl.h, with seccomp's letter.
    (direction << 30 | (size as u64) << 16 | (b'!' as u64) << 8 | number) as libc::c_ulong
}

const RECEIVE: libc::c_ulong = request(3, 0, size_of::<libc::seccomp_notif>());
const SEND: libc::c_ulong = request(3, 1, size_of::<libc::seccomp_notif_resp>());

/// Takes the next call; it must be known that there is one.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> io::Result<Call> {
    // SAFETY: all-zero is a valid `seccomp_notif`, and what the kernel asks for; it writes at most the size in the request.
    let (result, call) = unsafe {
        let mut call: libc::seccomp_notif = zeroed();
        let result = libc::ioctl(listener.as_raw_fd(), RECEIVE as _, &raw mut call);
        (result, call)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Call {
        id: call.id,
        thread: i32::try_from(call.pid).unwrap_or(0),
        number: call.data.nr,
        arguments: call.data.args,
    })
}

/// Lets a call go on.
pub(crate) fn proceed(listener: BorrowedFd<'_>, id: u64) {
    let response = libc::seccomp_notif_resp {
        id,
        val: 0,
        error: 0,
        flags: libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
    };
    // SAFETY: the kernel reads one response of this size. A caller that has gone is no error.
    unsafe {
        libc::ioctl(listener.as_raw_fd(), SEND as _, &raw const response);
    }
}
