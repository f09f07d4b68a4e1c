//! The program's own process, from the fork to its first instruction: what it loses on the way.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{During, Failed, Orders, lock};
use crate::filter::{self, Architecture, Filter};
use crate::level::Level;
use crate::sys;
use crate::wire::{self, Kind};
use ringfence_reach::plan::Unnamed;

/// Becomes the program, or tells the supervisor why it cannot.
pub(super) fn run(orders: &Orders<'_>, control: &OwnedFd) -> ! {
    match prepare(orders, control) {
        Ok(()) => {
            let program = orders.program;
            // Without a network of its own, names are asked for by TCP, which the supervisor can answer.
            let by_stream =
                (orders.level < Level::NoPidns).then(|| ("RES_OPTIONS".into(), "use-vc".into()));
            let variables = program.variables.iter().cloned().chain(by_stream);
            let error = sys::execute(&program.program, &program.arguments, variables);
            let number = error.raw_os_error().unwrap_or(libc::ENOENT);
            // Without the supervisor there is nobody to tell.
            let _ = wire::send(control, Kind::NotExecuted, number, "", &[]);
        }
        Err(failed) => {
            let text = format!("{}\n{}", failed.step, failed.subject);
            let number = failed.error.raw_os_error().unwrap_or(0);
            // The same.
            let _ = wire::send(control, Kind::Failed, number, &text, &[]);
        }
    }
    sys::leave(1)
}

fn prepare(orders: &Orders<'_>, control: &OwnedFd) -> Result<(), Failed> {
    if orders.level < Level::Full {
        // Without a process table of its own the program must not outlive init.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
            .during("parent")?;
    }
    if orders.level >= Level::NoPidns {
        drop_capabilities(orders.user).during("capabilities")?;
    }
    rustix::thread::set_no_new_privs(true).during("no new privileges")?;
    if orders.level >= Level::NoPidns {
        lock::restrict()
            .map_err(io::Error::other)
            .during("Landlock")?;
    }
    sys::close_on_exec_from(3).during("descriptors")?;
    for kept in &orders.program.kept {
        sys::inherit(*kept).during("descriptors")?;
    }
    // Rust ignores it from the start; a program expects to be ended by it.
    sys::default_action(libc::SIGPIPE);
    orders.mask.restore().during("signal mask")?;
    install_filter(orders, control)
}

/// Installs the filter of system calls, last of all, and hands its listener to the supervisor.
fn install_filter(orders: &Orders<'_>, control: &OwnedFd) -> Result<(), Failed> {
    let Some(architecture) = Architecture::current() else {
        return Err(io::Error::from(io::ErrorKind::Unsupported)).during("system call filter");
    };
    let asked = match orders.plan.unnamed {
        _ if orders.level < Level::NoPidns => Filter::NetworkOnly,
        Unnamed::Closed => Filter::Observed,
        Unnamed::Learn | Unnamed::Open => Filter::Supervised,
    };
    let program = filter::program(architecture, asked);
    match sys::filter::install_with_listener(&program) {
        Ok(listener) => wire::send(control, Kind::Filter, 0, "", &[listener.as_fd()])
            .during("system call filter"),
        // Inside another barrier, or a container that has a listener of its own: namespaces hold without being told of attempts.
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) && asked == Filter::Observed => {
            let program = filter::program(architecture, Filter::Full);
            sys::filter::install(&program).during("system call filter")?;
            wire::send(control, Kind::Started, 0, "", &[]).during("system call filter")
        }
        Err(error) => Err(error).during("system call filter"),
    }
}

/// Gives up every capability. For root that takes more than `execve`, which would give them back.
fn drop_capabilities(user: u32) -> io::Result<()> {
    use rustix::thread::{CapabilitiesSecureBits, set_capabilities, set_capabilities_secure_bits};
    rustix::thread::clear_ambient_capability_set()?;
    if user == 0 {
        for capability in CapabilitySet::all().iter() {
            match rustix::thread::remove_capability_from_bounding_set(capability) {
                // The kernel does not know it.
                Ok(()) | Err(rustix::io::Errno::INVAL) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let bits = CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_ROOT_LOCKED;
        set_capabilities_secure_bits(bits)?;
    }
    let none = CapabilitySet::empty();
    set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )?;
    Ok(())
}
