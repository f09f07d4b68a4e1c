#![expect(unsafe_code, reason = "seccomp(2) is in no safe library")]
//! Hands a filter to the kernel: seccomp(2).
//!
//! Both functions restrict the calling thread and what it starts, for good. The caller has set `PR_SET_NO_NEW_PRIVS`, or holds
//! `CAP_SYS_ADMIN`, and has one thread: the others would stay free.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use crate::filter::Instruction;

/// Installs a filter that asks nobody.
pub(crate) fn install(program: &[Instruction]) -> io::Result<()> {
    seccomp(program, 0).map(drop)
}

/// Installs a filter with `USER_NOTIF` answers; the descriptor, close-on-exec, is where the supervisor receives the calls.
///
/// From Linux 5.19 on, a call that the supervisor has seen is interrupted by deadly signals alone, so that what was answered
/// and what the caller saw cannot differ. `EBUSY`: a filter of this process already has a listener.
pub(crate) fn install_with_listener(program: &[Instruction]) -> io::Result<OwnedFd> {
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let killable = listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    let fd = seccomp(program, killable).or_else(|error| match error.raw_os_error() {
        Some(libc::EINVAL) => seccomp(program, listener),
        _ => Err(error),
    })?;
    let fd = i32::try_from(fd).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    // SAFETY: the kernel has just made this descriptor for us, and nothing else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn seccomp(program: &[Instruction], flags: libc::c_ulong) -> io::Result<libc::c_long> {
    let len =
        u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = libc::sock_fprog {
        len,
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: `filter` points to `len` instructions with the layout of `sock_filter`, which the kernel copies and does not
    // change; all three arguments live until the call returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
