//! What this machine allows: the whole sequence is really gone through, and what fails is named with what mends it.

use std::fs;
use std::io;

use crate::level::Level;
use crate::supervise::{Command, StartError, Streams, start_with};
use ringfence_reach::plan::{Input, plan};

/// What one level came to.
#[derive(Debug)]
pub struct Probe {
    /// The strongest level that could be built.
    pub level: Level,
    /// Why each stronger one could not, strongest first.
    pub obstacles: Vec<Obstacle>,
}

/// What keeps a level from being built.
#[derive(Debug, Clone)]
pub struct Obstacle {
    /// The level.
    pub level: Level,
    /// The step that failed.
    pub step: String,
    /// The system's reason.
    pub reason: String,
    /// What mends it, one line each.
    pub mend: Vec<String>,
}

/// Goes through the whole sequence, from the strongest level down, until one stands. The process must have one thread.
#[must_use]
pub fn probe() -> Probe {
    let mut obstacles = Vec::new();
    let mut level = Level::Full;
    loop {
        match attempt(level) {
            Ok(()) => return Probe { level, obstacles },
            Err(error) => obstacles.push(obstacle(&error, level)),
        }
        match level.weaker() {
            Some(Level::ConfigOnly) | None => {
                return Probe {
                    level: Level::ConfigOnly,
                    obstacles,
                };
            }
            Some(weaker) => level = weaker,
        }
    }
}

fn attempt(level: Level) -> Result<(), StartError> {
    let mut input = Input {
        environment: "probe",
        ..Input::default()
    };
    input.places.root = "/".into();
    input.places.directory = "/".into();
    let command = Command {
        program: "true".into(),
        arguments: Vec::new(),
        variables: vec![("PATH".into(), "/usr/bin:/bin".into())],
        kept: Vec::new(),
        ingress: None,
    };
    match start_with(
        &plan(&input),
        command,
        (level, level),
        Streams::Keep,
        Box::new(|_| {}),
    ) {
        // Everything was set up; whether there is a `true` is another matter.
        Ok(_) | Err(StartError::NotExecuted(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What kept a level from being built, with what mends it.
#[must_use]
pub fn obstacle(error: &StartError, level: Level) -> Obstacle {
    let (step, reason, number) = match error {
        StartError::Step {
            step,
            subject,
            source,
            ..
        } => {
            let step = if subject.is_empty() {
                step.clone()
            } else {
                format!("{step} at `{subject}`")
            };
            (step, crate::broker::reason(source), source.raw_os_error())
        }
        StartError::NotExecuted(source) | StartError::Supervisor(source) => (
            "supervisor".to_owned(),
            crate::broker::reason(source),
            source.raw_os_error(),
        ),
    };
    let name = step.split(" at ").next().unwrap_or(&step).to_owned();
    Obstacle {
        level,
        mend: mend(&name, &step, number, &Machine::read()),
        step,
        reason,
    }
}

/// What is known about the machine that bears on the barrier.
#[derive(Debug, Default)]
struct Machine {
    apparmor_restricts: bool,
    clone_forbidden: bool,
    no_namespaces: bool,
    in_container: bool,
}

impl Machine {
    fn read() -> Self {
        let number =
            |path: &str| -> Option<i64> { fs::read_to_string(path).ok()?.trim().parse().ok() };
        Self {
            apparmor_restricts: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
                == Some(1),
            clone_forbidden: number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0),
            no_namespaces: number("/proc/sys/user/max_user_namespaces") == Some(0),
            in_container: is_container(),
        }
    }
}

fn is_container() -> bool {
    let has = |path: &str| fs::metadata(path).is_ok();
    let named = || -> io::Result<bool> {
        let text = fs::read_to_string("/proc/1/cgroup")?;
        Ok(["docker", "kubepods", "containerd", "lxc"]
            .iter()
            .any(|word| text.contains(word)))
    };
    has("/.dockerenv") || has("/run/.containerenv") || named().unwrap_or(false)
}

/// The profile that Ubuntu's AppArmor wants to see before it lets a program make user namespaces.
pub const APPARMOR_PROFILE: &str = "abi <abi/4.0>,\ninclude <tunables/global>\nprofile ringfence /usr/bin/ringfence flags=(unconfined) {\n  userns,\n}\n";

/// What mends a step that failed, one line each.
fn mend(step: &str, whole: &str, number: Option<i32>, machine: &Machine) -> Vec<String> {
    let lines: &[&str] = match (step, number) {
        ("namespaces", Some(libc::ENOSPC)) => &[
            "user namespaces are turned off, or nested too deeply: `sudo sysctl user.max_user_namespaces=15000`",
        ],
        ("namespaces", _) if machine.no_namespaces => {
            &["user namespaces are turned off: `sudo sysctl user.max_user_namespaces=15000`"]
        }
        ("namespaces", _) if machine.clone_forbidden => &[
            "user namespaces are for root alone here: `sudo sysctl kernel.unprivileged_userns_clone=1`",
        ],
        ("namespaces" | "user map" | "loopback" | "mounts", Some(libc::EPERM | libc::EACCES))
            if machine.apparmor_restricts =>
        {
            &[
                "AppArmor keeps programs without a profile from using user namespaces; give Ringfence one:",
                "`ringfence doctor --apparmor | sudo tee /etc/apparmor.d/ringfence && sudo apparmor_parser -r /etc/apparmor.d/ringfence`",
            ]
        }
        ("mounts", Some(libc::EPERM)) if whole.contains("/proc") => &[
            "`/proc` is partly covered here, as containers do, so the kernel gives no new one: the level is `no-pidns`",
            "in a container: `--security-opt systempaths=unconfined`",
        ],
        ("namespaces", Some(libc::EPERM | libc::ENOSYS)) => &[
            "a container's filter keeps processes from making namespaces:",
            "allow it with `--security-opt seccomp=unconfined`, or a profile that allows `clone` and `unshare` with new namespaces;",
            "in a cluster keep environments apart by namespaces and a NetworkPolicy; or accept `--barrier=network-only`",
        ],
        ("namespaces", _) if machine.in_container => {
            &["run it outside of the container, or accept `--barrier=network-only`"]
        }
        ("system call filter", _) => &[
            "the kernel has no seccomp filter, or a filter around this process has taken its place",
        ],
        ("hidden path" | "read-only path" | "home directory" | "socket" | "mounts", _) => &[
            "what lies at that path keeps the barrier from being built: look at it, and move it away or mend its rights",
        ],
        _ => {
            &["`--barrier=network-only` refuses connections without namespaces, and hides no file"]
        }
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_obstacle_has_its_mend() {
        let plain = Machine::default();
        let ubuntu = Machine {
            apparmor_restricts: true,
            ..Machine::default()
        };
        let check = |step: &str, number, machine: &Machine, words: &str| {
            let name = step.split(" at ").next().unwrap();
            let lines = mend(name, step, Some(number), machine).join("\n");
            assert!(lines.contains(words), "{step}: {lines}");
        };
        check("namespaces", libc::ENOSPC, &plain, "max_user_namespaces");
        check("namespaces", libc::EPERM, &plain, "seccomp=");
        check("user map", libc::EACCES, &ubuntu, "apparmor.d");
        check("mounts at `/`", libc::EPERM, &ubuntu, "apparmor.d");
        check("mounts at `/proc`", libc::EPERM, &plain, "no-pidns");
        check("loopback", libc::EPERM, &ubuntu, "AppArmor");
    }
}
