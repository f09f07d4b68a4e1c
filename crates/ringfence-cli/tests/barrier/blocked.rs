//! Machines that allow less: nothing starts below the level that is required, and the message says what helps.

use crate::ground::{figure, scenario};
use crate::oracle::Oracle;
use crate::scene::{BINARY, Outcome, SECRET, Scene};

/// The command in these circumstances.
fn under(scene: &Scene, circumstances: &str, command: &str) -> Outcome {
    scene.plain(&circumstances.replace("COMMAND", command))
}

/// The circumstances bite; a run in dev and one in prod are refused with one of these words; what demands nothing starts.
fn refused(scene: &Scene, circumstances: &str, bites: &str, words: &[&str]) {
    let declared = scene.read("ringfence.toml");
    let full = "dev = { barrier = \"full\" }";
    scene.write("ringfence.toml", declared.replace("dev = {}", full));
    scene.plain(bites).succeeded();
    assert_ne!(
        under(scene, circumstances, bites).code,
        Some(0),
        "the circumstances bite"
    );
    for environment in ["dev", "prod"] {
        let run = format!("{BINARY} run {environment} -- touch started");
        let outcome = under(scene, circumstances, &run);
        assert!(
            !scene.path("started").exists(),
            "{environment}: {outcome:?}"
        );
        assert_eq!(outcome.code, Some(125), "{environment}: {outcome:?}");
        let outcome = outcome.failed(words);
        assert!(!outcome.stderr.contains(SECRET), "{outcome:?}");
    }
    scene.write("ringfence.toml", &declared);
    let run = format!("{BINARY} run dev --no-barrier -- touch started");
    under(scene, circumstances, &run).succeeded();
    std::fs::remove_file(scene.path("started")).unwrap();
    let run = format!("{BINARY} run prod --no-barrier -- touch started");
    assert_ne!(
        under(scene, circumstances, &run).code,
        Some(0),
        "production has no way without"
    );
    assert!(!scene.path("started").exists());
}

/// Scenario 45: a container whose filter answers as Docker's does: `clone3` is not there, namespaces are not permitted.
#[test]
fn s45_a_containers_filter_is_a_refusal() {
    scenario(&["python3"], |scene| {
        let filter = "/usr/bin/python3 attacks/blocked.py COMMAND";
        refused(
            scene,
            filter,
            "unshare -Ur true",
            &["--security-opt", "--barrier=network-only", "container"],
        );
    });
}

/// Scenario 45: no user namespaces are left to make.
#[test]
fn s45_a_limit_of_no_namespaces_is_a_refusal() {
    scenario(&[], |scene| {
        let limit = "unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec COMMAND'";
        refused(scene, limit, "unshare -Ur true", &["max_user_namespaces"]);
    });
}

/// Scenario 45: a `/proc` that parts of are covered, as containers have it, so that none can be mounted.
#[test]
fn s45_a_masked_proc_is_a_refusal() {
    scenario(&[], |scene| {
        let masked = "unshare -Urm sh -c 'mount --bind /dev/null /proc/uptime; exec COMMAND'";
        refused(
            scene,
            masked,
            "unshare -Urmpf --mount-proc true",
            &["no-pidns", "/proc"],
        );
    });
}

/// Scenario 45: a level may be lowered by hand where it is not required, and the lowered level is what it says.
#[test]
fn s45_a_lowered_level_is_told() {
    scenario(&[], |scene| {
        let masked = "unshare -Urm sh -c 'mount --bind /dev/null /proc/uptime; exec COMMAND'";
        let run = format!("{BINARY} run dev --barrier=no-pidns -- cat .env.dev .env.prod");
        let outcome = under(scene, masked, &run);
        assert!(outcome.stdout.contains("DB_URL"), "{outcome:?}");
        assert!(!outcome.stdout.contains(SECRET), "{outcome:?}");
        let production = format!("{BINARY} run prod --barrier=no-pidns -- touch started");
        assert_ne!(
            under(scene, masked, &production).code,
            Some(0),
            "prod requires all of it"
        );
        assert!(!scene.path("started").exists());
    });
}

/// A run in dev at the level that only guards the network.
fn network_only(script: &str) -> String {
    format!("{BINARY} run dev --barrier=network-only -- {script}")
}

/// Scenario 43: at the level without namespaces, its own endpoint works and no other, by whatever call.
#[test]
fn s43_without_namespaces_no_other_endpoint_is_reached() {
    scenario(&["python3"], |scene| {
        let own = Oracle::http("10.10.0.5:6379");
        let prod = Oracle::http("10.20.0.5:6391");
        let python = "/usr/bin/python3 attacks/network.py";
        let fetch = |address: &str| format!("curl -sS -m 3 http://{address}/");
        let outcome = scene.plain(&network_only(&fetch("10.10.0.5:6379")));
        assert!(
            outcome.stdout.contains(SECRET) && own.visits() == 1,
            "{outcome:?}"
        );
        for attack in [
            fetch("10.20.0.5:6391"),
            format!("{python} reconnect 10.10.0.5 6379 10.20.0.5 6391"),
            format!("{python} fast_open 10.20.0.5 6391"),
        ] {
            let before = prod.visits();
            let control = scene.plain(&attack);
            assert!(
                control.stdout.contains(SECRET) && prod.visits() > before,
                "{attack}: {control:?}"
            );
            let before = prod.visits();
            let outcome = scene.plain(&network_only(&attack));
            assert!(!outcome.stdout.contains(SECRET), "{attack}: {outcome:?}");
            assert!(!outcome.stdout.is_empty() || !outcome.stderr.is_empty());
            assert_eq!(prod.visits(), before, "{attack}: {outcome:?}");
        }
        let datagrams = Oracle::udp("10.20.0.5:5300");
        let send = format!("{python} udp 10.20.0.5 5300");
        assert!(scene.plain(&send).stdout.contains(SECRET));
        let outcome = scene.plain(&network_only(&send));
        assert!(
            !outcome.stdout.contains(SECRET) && datagrams.visits() == 1,
            "{outcome:?}"
        );
        let ring = scene.plain(&network_only("/usr/bin/python3 attacks/kernel.py ring"));
        ring.failed(&["ENOSYS"]);
    });
}

/// At the level without namespaces a socket in the project can be reached, and no other by a path that only begins there.
#[test]
fn without_namespaces_no_path_leads_out_of_the_project() {
    scenario(&["python3"], |scene| {
        let daemon = Oracle::unix("/run/docker.sock".as_ref());
        let own = Oracle::unix(&scene.path("own.sock"));
        let attack = |path: &str| format!("/usr/bin/python3 attacks/network.py unix {path}");
        let project = scene.project();
        let up = format!("{}/../../../run/docker.sock", project.display());
        scene.plain("ln -s /run/docker.sock link").succeeded();
        for path in ["/run/docker.sock", &up, "link"] {
            let before = daemon.visits();
            assert!(scene.plain(&attack(path)).stdout.contains(SECRET));
            assert!(daemon.visits() > before);
            let before = daemon.visits();
            let outcome = scene.plain(&network_only(&attack(path)));
            assert_eq!(daemon.visits(), before, "{path}: {outcome:?}");
            assert!(!outcome.stdout.contains(SECRET), "{path}: {outcome:?}");
        }
        let outcome = scene.plain(&network_only(&attack("own.sock")));
        assert!(
            outcome.stdout.contains(SECRET) && own.visits() == 1,
            "{outcome:?}"
        );
    });
}

/// Scenario 43: the address that a call points at changes while it is judged. `RINGFENCE_RACE_SECONDS` says how long.
#[test]
fn s43_without_namespaces_no_race_is_won() {
    scenario(&["python3"], |scene| {
        let _own = Oracle::http("10.10.0.5:6379");
        let prod = Oracle::http("10.20.0.5:6391");
        let seconds = figure("RINGFENCE_RACE_SECONDS", 3);
        let race = |seconds| {
            format!(
                "/usr/bin/python3 attacks/network.py race 10.10.0.5 6379 10.20.0.5 6391 {seconds}"
            )
        };
        // A race may be lost, on a busy machine several times.
        let won = (0..10).any(|_| {
            scene.plain(&race(1));
            prod.visits() > 0
        });
        assert!(won, "the control gets through");
        let before = prod.visits();
        let outcome = Outcome::of(
            &scene
                .command(&["sh", "-c", &network_only(&race(seconds))])
                .output()
                .unwrap(),
        );
        assert_eq!(outcome.stdout, "reached 0\n", "{outcome:?}");
        assert_eq!(prod.visits(), before);
    });
}
