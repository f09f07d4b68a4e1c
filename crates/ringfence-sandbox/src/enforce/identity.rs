//! Who the process is inside: the same user and group, so that the owners of files look as they always did.

use std::fs;
use std::io;

use super::{During, Failed, Orders};
use crate::level::Level;
use crate::sys;

/// Maps the user and group onto themselves, and leaves the caller's session keyring.
pub(super) fn settle(orders: &Orders<'_>) -> Result<(), Failed> {
    if orders.level >= Level::NoPidns {
        map("/proc/self/uid_map", orders.user)?;
        // A group can be mapped by an ordinary user only where `setgroups` is given up for good.
        fs::write("/proc/self/setgroups", "deny").during("user map")?;
        map("/proc/self/gid_map", orders.group)?;
    }
    match sys::own_keyring() {
        // A kernel without keyrings, or a filter that hides them, has nothing to leave.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => Ok(()),
        result => result.during("session keyring"),
    }
}

fn map(path: &str, id: u32) -> Result<(), Failed> {
    let written: io::Result<()> = fs::write(path, format!("{id} {id} 1"));
    written.during("user map")
}
