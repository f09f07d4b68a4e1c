//! System calls that lead around namespaces.

use crate::ground::{Who, is_root, scenario};
use crate::scene::{BINARY, SECRET};

/// Scenario 30: the caller's keyrings.
#[test]
fn s30_keyrings_are_not_there() {
    scenario(&["python3"], |scene| {
        let hold = "/usr/bin/python3 attacks/keys.py hold";
        let search = "/usr/bin/python3 attacks/keys.py search";
        assert!(
            scene
                .plain(&format!("{hold} {search}"))
                .stdout
                .contains(SECRET)
        );
        let outcome = scene.plain(&format!("{hold} {BINARY} run dev -- {search}"));
        assert!(!outcome.stdout.contains(SECRET), "{outcome:?}");
        outcome.failed(&["ENOSYS"]);
    });
}

/// Scenario 31: families of sockets that no network namespace holds.
#[test]
fn s31_other_families_of_sockets_are_unknown() {
    scenario(&["python3"], |scene| {
        let attack = |family: &str| format!("/usr/bin/python3 attacks/kernel.py socket {family}");
        for family in ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"] {
            scene.inside(&attack(family)).succeeded();
        }
        if scene.who == Who::Root {
            scene.plain(&attack("AF_PACKET")).succeeded();
        }
        for family in [
            "AF_VSOCK",
            "AF_PACKET",
            "AF_ALG",
            "AF_BLUETOOTH",
            "AF_XDP",
            "AF_RDS",
            "AF_TIPC",
        ] {
            scene.inside(&attack(family)).failed(&["EAFNOSUPPORT"]);
        }
        let raw = "/usr/bin/python3 attacks/kernel.py raw";
        scene
            .inside(raw)
            .failed(&["EPERM", "EACCES", "ESOCKTNOSUPPORT"]);
    });
}

/// Scenario 32: a ring makes sockets and connections without the calls that a filter sees.
#[test]
fn s32_no_ring_is_made() {
    scenario(&["python3"], |scene| {
        let attack = "/usr/bin/python3 attacks/kernel.py ring";
        let control = scene.plain(attack);
        assert!(!control.stdout.contains("ENOSYS"), "{control:?}");
        scene.inside(attack).failed(&["ENOSYS"]);
    });
}

/// Scenario 33: the numbers of the x32 interface are no way past the filter.
#[test]
#[cfg(target_arch = "x86_64")]
fn s33_the_x32_interface_is_not_there() {
    scenario(&["python3"], |scene| {
        for family in ["AF_VSOCK", "AF_INET"] {
            let attack = format!("/usr/bin/python3 attacks/kernel.py x32 {family}");
            scene.inside(&attack).failed(&["ENOSYS"]);
        }
    });
}

/// Scenario 33, for the calls of the 32-bit interface, which would reach the filter under other numbers.
#[test]
#[cfg(target_arch = "x86_64")]
fn s33_the_32_bit_interface_is_not_there() {
    scenario(&["python3"], |scene| {
        let attack = "/usr/bin/python3 attacks/kernel.py int80";
        let control = scene.plain(attack);
        let works = control.stdout.contains("socket");
        let outcome = scene.inside(attack);
        assert!(!outcome.stdout.contains("socket"), "{works}, {outcome:?}");
    });
}

/// Scenario 34: nothing is typed into the caller's terminal.
#[test]
fn s34_nothing_is_typed_into_the_terminal() {
    scenario(&["python3"], |scene| {
        let on_terminal = "/usr/bin/python3 attacks/terminal.py run";
        let legacy =
            std::fs::read_to_string("/proc/sys/dev/tty/legacy_tiocsti").unwrap_or_default();
        for number in ["0x5412", "0xdead00005412"] {
            let attack = format!("/usr/bin/python3 attacks/kernel.py type {number}");
            let control = scene.plain(&format!("{on_terminal} {attack}"));
            if legacy.trim() != "0" {
                assert!(control.stdout.contains("typed"), "{control:?}");
            }
            let outcome = scene.plain(&format!("{on_terminal} {BINARY} run dev -- {attack}"));
            assert!(outcome.stdout.contains("EPERM"), "{outcome:?}");
        }
        let select = "/usr/bin/python3 attacks/kernel.py type 0x541c";
        let outcome = scene.plain(&format!("{on_terminal} {BINARY} run dev -- {select}"));
        assert!(outcome.stdout.contains("EPERM"), "TIOCLINUX: {outcome:?}");
    });
}

/// Scenario 36: no privilege, and no program that gives one.
#[test]
fn s36_no_program_gives_privilege() {
    scenario(&[], |scene| {
        let status = scene.inside("cat /proc/self/status").succeeded().stdout;
        for line in [
            "NoNewPrivs:\t1",
            "CapEff:\t0000000000000000",
            "CapPrm:\t0000000000000000",
            "CapAmb:\t0000000000000000",
        ] {
            assert!(status.contains(line), "{line}: {status}");
        }
        if !is_root() {
            return;
        }
        std::fs::copy("/usr/bin/id", "/srv/suid/id").unwrap();
        scene.mode("/srv/suid/id", 0o6755);
        if scene.who == Who::User {
            assert!(
                scene
                    .plain("/srv/suid/id")
                    .succeeded()
                    .stdout
                    .contains("euid=0")
            );
        }
        let outcome = scene.inside("/srv/suid/id; grep CapEff /proc/self/status");
        assert!(!outcome.stdout.contains("euid=0"), "{outcome:?}");
        assert!(
            outcome.stdout.contains("CapEff:\t0000000000000000"),
            "{outcome:?}"
        );
    });
}

/// Scenario 36, where `sudo` asks for no password.
#[test]
fn s36_sudo_gives_no_privilege() {
    scenario(&["sudo"], |scene| {
        scene.never_shows("sudo -n cat .env.prod");
        scene.inside("sudo -n true").failed(&[""]);
    });
}

/// Nothing that is mounted can be changed, by any call, with no rights or with all those of namespaces of its own; and what those
/// let it make beside the tree (copies, file systems that hang nowhere) shows and writes nothing more.
#[test]
fn nothing_that_is_mounted_changes() {
    scenario(&["python3"], |scene| {
        let attack = "/usr/bin/python3 attacks/mounts.py ringfence.toml .env.prod";
        let control = scene.plain(&format!("unshare -Urm {attack}"));
        for word in ["mount", "bind", "move_mount", "a tree", "write"] {
            assert!(
                control.stdout.contains(&format!("done {word}")),
                "{word}: {control:?}"
            );
        }
        let outcome = scene.inside(attack).succeeded();
        assert_eq!(outcome.stdout, "tried\n", "{outcome:?}");
    });
}

/// The kernel's own switches are root's on the host and nobody's inside: none is as much as opened for writing.
#[test]
fn the_kernels_switches_cannot_be_opened() {
    scenario(&[], |scene| {
        let attack = "for path in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sysrq-trigger /proc/sys/vm/drop_caches \
                      /sys/kernel/mm/transparent_hugepage/enabled; do (: >>$path) 2>/dev/null && echo opened $path; done; echo tried";
        if scene.who == Who::Root {
            let control = scene.plain(attack);
            assert!(
                control
                    .stdout
                    .contains("opened /proc/sys/kernel/core_pattern"),
                "{control:?}"
            );
        }
        assert_eq!(scene.inside(attack).succeeded().stdout, "tried\n");
    });
}
