//! The caller's `epoll` lists that hold the socket which is replaced.
//!
//! A list knows an entry by open file and number. When the file under a number is another one, the entry is gone, and whoever
//! waits for it (nginx, Boost.Asio and Netty enter a socket before they connect it) waits for ever. So the new socket is entered
//! anew, under the same number and with the caller's own data.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::fstat;

use super::caller::Caller;
use crate::sys::notify::{self, Entry};

/// One list of the caller's, and what it says of their socket.
#[derive(Debug)]
pub(super) struct Watch {
    list: OwnedFd,
    entry: Entry,
}

/// How many of the caller's descriptors are looked at, the lowest first: programs make their lists early, and each costs 3 µs.
const LIMIT: usize = 1024;

/// After how many of them the others have their turn.
const STRIDE: usize = 64;

/// The lists that hold the caller's socket.
pub(super) async fn find(caller: &Caller) -> Vec<Watch> {
    let Ok(inode) = fstat(&caller.socket).map(|stat| stat.st_ino) else {
        return Vec::new();
    };
    let Ok(descriptors) = fs::read_dir(format!("/proc/{}/fd", caller.call.thread)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (seen, descriptor) in descriptors.take(LIMIT).flatten().enumerate() {
        if fs::read_link(descriptor.path())
            .is_ok_and(|name| name.as_os_str() == "anon_inode:[eventpoll]")
        {
            found.extend(watch(caller, inode, &descriptor.file_name()));
        }
        if seen % STRIDE == STRIDE - 1 {
            tokio::task::yield_now().await;
        }
    }
    found
}

fn watch(caller: &Caller, inode: u64, list: &OsStr) -> Option<Watch> {
    let list: RawFd = list.to_str()?.parse().ok()?;
    let entries = fs::read_to_string(format!("/proc/{}/fdinfo/{list}", caller.call.thread)).ok()?;
    let entry = entries
        .lines()
        .find_map(|line| entry(line, caller.call.number, inode))?;
    Some(Watch {
        list: caller.descriptor(list)?,
        entry,
    })
}

/// A line of proc(5), all but the first number in hexadecimal: `tfd: 5 events: 19 data: 5 pos:0 ino:1f4 sdev:8`.
fn entry(line: &str, number: RawFd, inode: u64) -> Option<Entry> {
    let mut words = line.strip_prefix("tfd:")?.split_whitespace();
    let its: RawFd = words.next()?.parse().ok()?;
    let events = u32::from_str_radix(words.nth(1)?, 16).ok()?;
    let data = u64::from_str_radix(words.nth(1)?, 16).ok()?;
    let found = words.find_map(|word| u64::from_str_radix(word.strip_prefix("ino:")?, 16).ok())?;
    (its == number && found == inode).then_some(Entry {
        number,
        events,
        data,
    })
}

/// Enters `new` where the caller's socket was. What fails leaves the list without an entry, as it was before.
pub(super) async fn renew(watches: Vec<Watch>, caller: &Caller, new: BorrowedFd<'_>) {
    if watches.is_empty() {
        return;
    }
    let (Ok(old), Ok(new)) = (caller.socket.try_clone(), new.try_clone_to_owned()) else {
        return;
    };
    let all = move || {
        for watch in watches {
            let _ =
                notify::replace_entry(watch.list.as_fd(), watch.entry, old.as_fd(), new.as_fd());
        }
    };
    let _ = tokio::task::spawn_blocking(all).await;
}
