//! Delegated authority: daemons and agents of the host that do what a socket tells them.

use std::fs;

use crate::ground::{is_root, scenario};
use crate::oracle::Oracle;
use crate::scene::{SECRET, Scene, eventually};

const NO_SOCKET: &[&str] = &[
    "No such file",
    "ENOENT",
    "Permission denied",
    "EACCES",
    "Cannot connect",
    "Couldn't connect",
    "Failed to connect",
    "Could not connect",
    "not found",
];

fn folder(scene: &Scene, path: &str) {
    scene.folder(std::path::Path::new(path));
}

/// A tool reaches the oracle plainly, whatever it then makes of the answer, and does not from inside.
fn unreached(scene: &Scene, oracle: &Oracle, script: &str) {
    let before = oracle.visits();
    let control = scene.plain(script);
    let after = oracle.visits();
    assert!(
        after > before,
        "{script}: the control did not come: {control:?}"
    );
    let outcome = scene.inside(script);
    assert_eq!(oracle.visits(), after, "{script}: {outcome:?}");
    assert_ne!(outcome.code, Some(0), "{script}: {outcome:?}");
}

/// Scenario 24: container engines.
#[test]
fn s24_container_engines_are_not_there() {
    scenario(&["curl", "python3"], |scene| {
        folder(scene, "/run/podman");
        let docker = Oracle::unix("/run/docker.sock".as_ref());
        let podman = Oracle::unix("/run/podman/podman.sock".as_ref());
        unreached(
            scene,
            &docker,
            "curl -sfS -m 2 --unix-socket /var/run/docker.sock http://x/info",
        );
        unreached(
            scene,
            &podman,
            "curl -sfS -m 2 --unix-socket /run/podman/podman.sock http://x/info",
        );
        scene.hidden(
            "/usr/bin/python3 attacks/network.py unix /run/docker.sock",
            NO_SOCKET,
        );
    });
}

/// Scenario 24, with the engine's own client.
#[test]
fn s24_dockers_client_finds_no_socket() {
    scenario(&["docker"], |scene| {
        let docker = Oracle::unix("/run/docker.sock".as_ref());
        unreached(
            scene,
            &docker,
            "timeout 10 docker -H unix:///var/run/docker.sock ps",
        );
    });
}

/// Scenario 24, with podman's client.
#[test]
fn s24_podmans_client_finds_no_socket() {
    scenario(&["podman"], |scene| {
        folder(scene, "/run/podman");
        let podman = Oracle::unix("/run/podman/podman.sock".as_ref());
        unreached(
            scene,
            &podman,
            "timeout 10 podman --remote --url unix:///run/podman/podman.sock ps",
        );
    });
}

/// Scenario 25: the user's service manager would start anything, outside.
#[test]
fn s25_the_users_service_manager_is_not_there() {
    scenario(&["systemd-run", "busctl"], |scene| {
        let runtime = format!("/run/user/{}", scene.user());
        folder(scene, &format!("{runtime}/systemd"));
        let bus = Oracle::unix(format!("{runtime}/bus").as_ref());
        let private = Oracle::unix(format!("{runtime}/systemd/private").as_ref());
        let set = format!(
            "export XDG_RUNTIME_DIR={runtime} DBUS_SESSION_BUS_ADDRESS=unix:path={runtime}/bus;"
        );
        unreached(
            scene,
            &bus,
            &format!("{set} timeout 5 busctl --user --timeout=1 list"),
        );
        let visits = || bus.visits() + private.visits();
        let start = format!("{set} timeout 5 systemd-run --user -- cat .env.prod");
        let before = visits();
        let control = scene.plain(&start);
        assert!(visits() > before, "{control:?}");
        let before = visits();
        assert_ne!(scene.inside(&start).code, Some(0));
        assert_eq!(visits(), before);
    });
}

/// Scenario 26: agents that hold keys, and a terminal of the host's.
#[test]
fn s26_agents_and_terminals_are_not_there() {
    scenario(&["ssh-agent", "tmux"], |scene| {
        folder(scene, "/tmp/agents");
        let _agent = scene.spawn(&["ssh-agent", "-D", "-a", "/tmp/agents/ssh"]);
        let list = "SSH_AUTH_SOCK=/tmp/agents/ssh ssh-add -l";
        eventually("the agent", || {
            scene.plain(list).stdout.contains("no identities")
        });
        scene.inside(list).failed(&["Error connecting to agent"]);
        let terminal = format!("/tmp/tmux-{}", scene.user());
        folder(scene, &terminal);
        scene.mode(&terminal, 0o700);
        scene
            .plain(&format!(
                "tmux -S {terminal}/default new-session -d sleep 600"
            ))
            .succeeded();
        let list = format!("tmux -S {terminal}/default ls");
        scene.repelled(&list, &["no server running", "error connecting"]);
        scene
            .plain(&format!("tmux -S {terminal}/default kill-server"))
            .succeeded();
    });
}

/// Scenario 26, for the agent of GnuPG, whose socket is in the home.
#[test]
fn s26_the_gnupg_agent_is_not_there() {
    scenario(&["gpg-agent", "gpg-connect-agent"], |scene| {
        folder(scene, scene.path("../home/.gnupg").to_str().unwrap());
        scene.mode("../home/.gnupg", 0o700);
        let _agent = scene
            .plain("gpg-agent --daemon >/dev/null 2>&1")
            .succeeded();
        let ask = "gpg-connect-agent --no-autostart 'getinfo pid' /bye | grep '^D '";
        scene.repelled(ask, &[""]);
        scene.plain("gpgconf --kill gpg-agent").succeeded();
    });
}

/// Scenario 27: abstract sockets.
#[test]
fn s27_abstract_sockets_are_refused() {
    scenario(&["python3"], |scene| {
        let oracle = Oracle::abstract_socket("ringfence-oracle");
        let attack = "/usr/bin/python3 attacks/network.py unix @ringfence-oracle";
        scene.hidden(attack, &["ECONNREFUSED", "EPERM"]);
        assert_eq!(oracle.visits(), 1);
    });
}

/// Scenario 28: sockets that lie where files are hidden, in the project and in the home.
#[test]
fn s28_sockets_in_hidden_folders_are_denied() {
    scenario(&["python3"], |scene| {
        for path in [".ringfence/secrets/prod/agent.sock", "../home/.ssh/control"] {
            let oracle = Oracle::unix(&scene.path(path));
            let attack = format!("/usr/bin/python3 attacks/network.py unix {path}");
            scene.hidden(&attack, NO_SOCKET);
            assert_eq!(oracle.visits(), 1);
        }
    });
}

/// Scenario 29: shared memory of both kinds.
#[test]
fn s29_shared_memory_is_not_there() {
    scenario(&["ipcs", "python3"], |scene| {
        fs::write("/dev/shm/prod-shm", SECRET).unwrap();
        scene.hidden("cat /dev/shm/prod-shm", NO_SOCKET);
        scene
            .plain("/usr/bin/python3 attacks/keys.py make-segment")
            .succeeded();
        assert!(scene.plain("ipcs -m").stdout.contains("0x00007731"));
        let listed = scene.inside("ipcs -m").succeeded();
        assert!(!listed.stdout.contains("0x0"), "{listed:?}");
        scene.hidden("/usr/bin/python3 attacks/keys.py read-segment", &["ENOENT"]);
        let made = scene
            .inside("echo inside >/dev/shm/inside && cat /dev/shm/inside")
            .succeeded();
        assert_eq!(made.stdout, "inside\n");
        assert!(
            !fs::exists("/dev/shm/inside").unwrap(),
            "and the other way round"
        );
    });
}

/// The resolver's cache and other sockets below `/run` go the same way; a new socket of the program's own works.
#[test]
fn a_socket_of_its_own_works() {
    scenario(&["python3"], |scene| {
        let cache = Oracle::unix("/run/nscd-like".as_ref());
        unreached(
            scene,
            &cache,
            "/usr/bin/python3 attacks/network.py unix /run/nscd-like",
        );
        scene.write(
            "own.py",
            "import socket\na = socket.socket(socket.AF_UNIX)\na.bind('/tmp/own')\na.listen()\nb = socket.socket(socket.AF_UNIX)\nb.connect('/tmp/own')\nprint('connected')\n",
        );
        assert_eq!(
            scene.inside("/usr/bin/python3 own.py").succeeded().stdout,
            "connected\n"
        );
        assert!(!fs::exists("/tmp/own").unwrap());
        assert!(is_root() || scene.user() != 0);
    });
}

/// Through a socket that a setting names, bytes come in and no open files.
#[test]
fn no_descriptor_comes_through_a_declared_socket() {
    scenario(&["python3"], |scene| {
        let path = "/run/app.sock";
        let serve =
            format!("exec /usr/bin/python3 attacks/network.py handing_out {path} .env.prod");
        let _server = scene.spawn(&["sh", "-c", &serve]);
        eventually("the server", || fs::exists(path).unwrap());
        let attack = format!("/usr/bin/python3 attacks/network.py received {path}");
        let control = scene.plain(&attack);
        assert!(control.stdout.contains(SECRET), "{control:?}");
        let settings = scene.read(".env.dev");
        scene.write(".env.dev", format!("{settings}APP_SOCKET={path}\n"));
        let outcome = scene.inside(&attack).succeeded();
        assert_eq!(outcome.stdout, "answer alone\n", "{outcome:?}");
    });
}
