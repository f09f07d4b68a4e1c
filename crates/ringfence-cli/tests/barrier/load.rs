//! Many at once, and many in a row.

use std::fs;

use crate::ground::{figure, scenario};
use crate::oracle::Oracle;
use crate::scene::{BINARY, Outcome, Scene, eventually};

/// The command lines of the living processes of the ground.
fn processes() -> Vec<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // A process that has ended, or waits to be reaped, has no command line.
        let line = fs::read_to_string(path.join("cmdline")).unwrap_or_default();
        if name.parse::<u32>().is_ok() && !line.is_empty() {
            lines.push(format!("{name} {}", line.replace('\0', " ")));
        }
    }
    lines.sort();
    lines
}

/// What runs might leave: processes, files and mounts.
fn left(scene: &Scene) -> Vec<String> {
    let find = "find /tmp /run /dev/shm /srv -not -path '*/.git/*'";
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut all = processes();
    all.extend(scene.plain(find).stdout.lines().map(str::to_owned));
    all.extend(mounts.lines().map(str::to_owned));
    all
}

/// Many runs in a row leave no process, no file and no mount. `RINGFENCE_SOAK_RUNS` says how many.
#[test]
fn many_runs_leave_nothing() {
    scenario(&[], |scene| {
        let before = left(scene);
        for _ in 0..figure("RINGFENCE_SOAK_RUNS", 200).div_ceil(50) {
            let script = format!(
                "for i in $(seq 50); do {BINARY} run dev -- sh -c 'sleep 90 & echo x >/tmp/x' || exit 1; done"
            );
            scene.plain(&script).succeeded();
        }
        let mut news = Vec::new();
        for _ in 0..500 {
            news = left(scene);
            news.retain(|line| !before.contains(line));
            if news.is_empty() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("left behind: {news:#?}");
    });
}

/// A supervisor that has carried many connections holds no more descriptors than before. It is marked against
/// its own user looking into it, so root counts.
#[test]
fn many_connections_in_a_row_leave_no_descriptor() {
    scenario(&["python3", "root"], |scene| {
        let _oracle = Oracle::echo("10.10.0.5:6379");
        let script = "exec /usr/bin/python3 attacks/load.py row 10.10.0.5 6379 200";
        let mut run = scene.spawn(&[BINARY, "run", "dev", "--", "sh", "-c", script]);
        let held = || fs::read_dir(format!("/proc/{}/fd", run.id())).map_or(0, Iterator::count);
        let phase = |name: &str| eventually(name, || scene.path(name).exists());
        phase("first");
        std::thread::sleep(std::time::Duration::from_millis(200));
        let before = held();
        assert!(before > 0);
        scene.write("go", "");
        phase("last");
        eventually("all are given back", || held() <= before);
        scene.write("end", "");
        eventually("the run ends", || !run.lives());
    });
}

/// A thousand connections at once through one endpoint: every byte comes back, in order. `RINGFENCE_CROWD_ROUNDS` says how often each
/// of them sends.
#[test]
fn a_thousand_connections_at_once_lose_nothing() {
    scenario(&["python3"], |scene| {
        let oracle = Oracle::echo("10.10.0.5:6379");
        let script = |rounds: u32| {
            format!(
                "ulimit -n 8192 2>/dev/null || ulimit -n $(ulimit -Hn); exec /usr/bin/python3 attacks/load.py crowd 10.10.0.5 6379 1000 {rounds}"
            )
        };
        assert_eq!(scene.plain(&script(5)).succeeded().stdout, "lost 0\n");
        let before = oracle.visits();
        let rounds = script(figure("RINGFENCE_CROWD_ROUNDS", 5));
        let mut run = scene.command(&[BINARY, "run", "dev", "--", "sh", "-c", &rounds]);
        let outcome = Outcome::of(&run.output().unwrap());
        assert_eq!(outcome.succeeded().stdout, "lost 0\n");
        assert_eq!(oracle.visits() - before, 1000);
    });
}

/// A connection half closed by the program still brings what the server sends.
#[test]
fn a_half_closed_connection_brings_the_rest() {
    scenario(&["python3"], |scene| {
        let _oracle = Oracle::echo("10.10.0.5:6379");
        let script = "exec /usr/bin/python3 attacks/load.py half 10.10.0.5 6379 3000000";
        assert_eq!(scene.plain(script).succeeded().stdout, "back 3000000\n");
        assert_eq!(scene.inside(script).succeeded().stdout, "back 3000000\n");
    });
}

/// A reset arrives as a reset, not as an end.
#[test]
fn a_reset_arrives_as_a_reset() {
    scenario(&["python3"], |scene| {
        let server = [
            "/usr/bin/python3",
            "attacks/load.py",
            "resetting",
            "10.10.0.5",
            "6379",
        ];
        let _server = scene.spawn(&server);
        let script = "exec /usr/bin/python3 attacks/load.py reset 10.10.0.5 6379";
        eventually("the server", || {
            scene.plain(script).stdout == "ECONNRESET\n"
        });
        assert_eq!(scene.inside(script).succeeded().stdout, "ECONNRESET\n");
    });
}
