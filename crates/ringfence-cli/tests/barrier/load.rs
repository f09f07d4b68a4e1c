//! Many at once, and many in a row.

use std::fs;

use crate::ground::{figure, scenario};
use crate::oracle::Oracle;
use crate::scene::{BINARY, Scene, eventually};

/// The living processes of the ground.
fn processes() -> usize {
    let entries = fs::read_dir("/proc").unwrap();
    let living = |path: std::path::PathBuf| {
        let number = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().parse::<u32>().is_ok());
        number
            && !fs::read(path.join("cmdline"))
                .unwrap_or_default()
                .is_empty()
    };
    entries
        .filter(|entry| living(entry.as_ref().unwrap().path()))
        .count()
}

/// The files that runs might leave.
fn files(scene: &Scene) -> String {
    let find = "find /tmp /run /dev/shm /srv -not -path '*/.git/*' | sort";
    scene.plain(find).stdout
}

/// Many runs in a row leave no process, no file and no mount. `RINGFENCE_SOAK_RUNS` says how many.
#[test]
fn many_runs_leave_nothing() {
    scenario(&[], |scene| {
        scene.inside("true").succeeded();
        let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap();
        let before = (processes(), files(scene), mounts());
        for _ in 0..figure("RINGFENCE_SOAK_RUNS", 200).div_ceil(50) {
            let script = format!(
                "for i in $(seq 50); do {BINARY} run dev -- sh -c 'sleep 9 & echo x >/tmp/x' || exit 1; done"
            );
            scene.plain(&script).succeeded();
        }
        eventually("nothing is left", || {
            (processes(), files(scene), mounts()) == before
        });
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

/// A thousand connections at once through one endpoint: every byte comes back, in order.
#[test]
fn a_thousand_connections_at_once_lose_nothing() {
    scenario(&["python3"], |scene| {
        let oracle = Oracle::echo("10.10.0.5:6379");
        let script = "ulimit -n 8192 2>/dev/null || ulimit -n $(ulimit -Hn); exec /usr/bin/python3 attacks/load.py crowd 10.10.0.5 6379 1000 5";
        assert_eq!(scene.plain(script).succeeded().stdout, "lost 0\n");
        let before = oracle.visits();
        assert_eq!(scene.inside(script).succeeded().stdout, "lost 0\n");
        assert_eq!(oracle.visits() - before, 1000);
    });
}

/// A connection half closed by the program still brings what the server sends, and a reset arrives as a reset.
#[test]
fn a_half_closed_connection_brings_the_rest() {
    scenario(&["python3"], |scene| {
        let _oracle = Oracle::echo("10.10.0.5:6379");
        let script = "exec /usr/bin/python3 attacks/load.py half 10.10.0.5 6379 3000000";
        assert_eq!(scene.plain(script).succeeded().stdout, "back 3000000\n");
        assert_eq!(scene.inside(script).succeeded().stdout, "back 3000000\n");
    });
}
