//! `/dev` with what programs need and nothing else: no disks, no other terminals.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, mount};

use super::mounts::Held;

/// What every program may use: RFC-less custom of Unix, and the devices with which models are computed.
const DEVICES: &[&str] = &[
    "null",
    "zero",
    "full",
    "random",
    "urandom",
    "tty",
    "dri",
    "kfd",
    "accel",
    "nvidia0",
    "nvidia1",
    "nvidiactl",
    "nvidia-uvm",
    "nvidia-uvm-tools",
    "nvidia-modeset",
    "nvidia-caps",
    "dxg",
];

/// Highest number of a terminal that is shown under its own name.
const MOST_TERMINALS: u32 = 256;

/// What is kept of the host's `/dev`.
pub(super) struct Devices {
    nodes: Vec<(PathBuf, Held)>,
    /// The caller's own terminals, by number.
    terminals: Vec<(u32, Held)>,
}

/// Holds the devices that stay, before anything covers them.
pub(super) fn hold_devices() -> Devices {
    let take = |name: &&str| {
        let path = Path::new("/dev").join(name);
        Some((path.clone(), Held::take(&path).ok()?))
    };
    Devices {
        nodes: DEVICES.iter().filter_map(take).collect(),
        terminals: terminals(),
    }
}

/// The terminals that the first three descriptors are.
fn terminals() -> Vec<(u32, Held)> {
    let mut found: Vec<(u32, Held)> = Vec::new();
    for descriptor in 0..3 {
        let Ok(path) = fs::read_link(format!("/proc/self/fd/{descriptor}")) else {
            continue;
        };
        let number = path
            .strip_prefix("/dev/pts")
            .ok()
            .and_then(|name| name.to_str()?.parse().ok());
        let Some(number) = number.filter(|number| *number < MOST_TERMINALS) else {
            continue;
        };
        if !found.iter().any(|(known, _)| *known == number)
            && let Ok(held) = Held::take(&path)
        {
            found.push((number, held));
        }
    }
    found
}

/// Covers `/dev` and puts back what was held.
pub(super) fn arrange(devices: Devices) -> io::Result<()> {
    let folder = Path::new("/dev");
    let shared = Held::take(&folder.join("shm")).ok();
    mount(
        "tmpfs",
        folder,
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        Some(c"mode=0755"),
    )?;
    for (path, held) in devices.nodes {
        held.put_at(&path)?;
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, folder.join(name))?;
    }
    if let Some(shared) = shared {
        shared.put_at(&folder.join("shm"))?;
    }
    let pts = folder.join("pts");
    fs::create_dir(&pts)?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount(
        "devpts",
        &pts,
        "devpts",
        flags,
        Some(c"newinstance,ptmxmode=0666,mode=0620"),
    )?;
    show_terminals(&pts, devices.terminals)
}

/// Shows the caller's terminals under their own numbers, so that `tty` and `ttyname` find them.
///
/// A file system of terminals has a name only for a terminal that is open, so terminals of the new one are opened up to that
/// number, and the caller's is put over the last. The descriptors stay with init, and with it the names.
fn show_terminals(pts: &Path, terminals: Vec<(u32, Held)>) -> io::Result<()> {
    let Some(most) = terminals.iter().map(|(number, _)| *number).max() else {
        return Ok(());
    };
    // Kept until the last is open, or the kernel would give a number again.
    let mut opened = Vec::new();
    for _ in 0..=most {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        opened.push(rustix::fs::open(pts.join("ptmx"), flags, Mode::empty())?);
    }
    for (number, own) in (0..).zip(opened) {
        if terminals.iter().any(|(wanted, _)| *wanted == number) {
            std::mem::forget(own);
        }
    }
    for (number, held) in terminals {
        held.put(&pts.join(number.to_string()))?;
    }
    Ok(())
}
