//! Other processes: not seen, not signalled, not traced; and nothing stays behind.

use crate::ground::{Who, figure, is_root, scenario};
use crate::scene::{BINARY, Running, SECRET, Scene, eventually, processes_with};

const ABSENT: &[&str] = &["No such process", "ESRCH"];
const DENIED: &[&str] = &["Operation not permitted", "ptrace: Operation", "EPERM"];

/// A process of the host with the secret in its arguments and its block.
fn indiscreet(scene: &Scene) -> Running {
    let program = "import time; time.sleep(600)";
    let password = format!("--password={SECRET}");
    let block = format!("PROD_TOKEN={SECRET}");
    let process = scene.spawn(&["env", &block, "/usr/bin/python3", "-c", program, &password]);
    let line = format!("/proc/{}/cmdline", process.id());
    let ready = || {
        std::fs::read_to_string(&line)
            .unwrap()
            .starts_with("/usr/bin/python3")
    };
    eventually("the process", ready);
    process
}

/// Whether a process of the same user may be traced here without a barrier.
fn tracing_works() -> bool {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    is_root() || matches!(scope.trim(), "" | "0")
}

/// Scenario 20: nobody's command line is seen.
#[test]
fn s20_other_processes_are_not_seen() {
    scenario(&["ps", "python3"], |scene| {
        let process = indiscreet(scene);
        for script in ["ps auxww", "ps -eo args", "cat /proc/[0-9]*/cmdline"] {
            let control = scene.plain(script);
            assert!(control.stdout.contains(SECRET), "{script}: {control:?}");
            let outcome = scene.inside(script).succeeded();
            assert!(!outcome.stdout.contains(SECRET), "{script}: {outcome:?}");
        }
        let listed = scene.inside("ls /proc | grep -c '^[0-9]'").succeeded();
        assert!(
            listed.stdout.trim().parse::<u32>().unwrap() < 8,
            "{listed:?}"
        );
        let known = format!(
            "test -d /proc/{0} && tr '\\0' ' ' </proc/{0}/cmdline",
            process.id()
        );
        scene.plain(&known).succeeded();
        scene.inside(&known).failed(&[""]);
    });
}

/// Scenario 21: nobody's block is seen, nobody is signalled or traced.
#[test]
fn s21_other_processes_are_out_of_reach() {
    scenario(&["strace", "gdb", "python3"], |scene| {
        let mut process = indiscreet(scene);
        let id = process.id();
        let blocks = "cat /proc/[0-9]*/environ | tr '\\0' '\\n'";
        assert!(scene.plain(blocks).stdout.contains(SECRET));
        assert!(!scene.inside(blocks).stdout.contains(SECRET));
        scene.repelled(&format!("kill -0 {id}"), ABSENT);
        let mut attacks = vec![
            format!("timeout 3 strace -o /dev/null -p {id} || test $? = 124"),
            format!(
                "gdb -batch -p {id} 2>&1 | grep -q 'Inferior 1.*process {id}\\|Loaded symbols\\|Reading symbols from' && exit 0; gdb -batch -p {id}; exit 1"
            ),
            format!("/usr/bin/python3 attacks/processes.py attach {id}"),
            format!("/usr/bin/python3 attacks/processes.py pidfd {id}"),
        ];
        if !tracing_works() {
            attacks.truncate(0);
        }
        for script in attacks {
            scene.plain(&script).succeeded();
            scene
                .inside(&script)
                .failed(&[ABSENT, &["No such file", "attach: "]].concat());
        }
        assert!(process.lives());
    });
}

/// Scenario 22: whatever is killed inside, nothing outside of it dies.
#[test]
fn s22_killing_everything_kills_the_inside_only() {
    scenario(&[], |scene| {
        let mut first = scene.spawn(&["sleep", "600"]);
        let _ = scene.plain("kill -9 -1");
        eventually("the control kills", || !first.lives());
        let mut sibling = scene.spawn(&["sleep", "600"]);
        // `kill -1` spares the one who asks.
        for (attack, code) in [
            ("kill -9 -1; exit 3", 3),
            ("kill -9 0", 137),
            ("kill -9 -1; kill -9 0", 137),
            ("sleep 7733 & kill -TERM -1; kill -9 $$", 137),
        ] {
            let script = format!(
                "sleep 600 & other=$!; {BINARY} run dev -- sh -c '{attack}'; echo survived $?; kill $other && echo sibling"
            );
            let outcome = scene.plain(&script);
            let expected = format!("survived {code}\nsibling");
            assert!(outcome.stdout.contains(&expected), "{attack}: {outcome:?}");
        }
        assert!(sibling.lives());
        assert_eq!(
            processes_with("sleep\u{0}7733"),
            [] as [u32; 0],
            "the inside died"
        );
    });
}

/// Scenario 22's control for the group: without a barrier the sibling dies.
#[test]
fn a_group_dies_together_without_a_barrier() {
    scenario(&[], |scene| {
        let script = "sleep 600 & setsid -w sh -c 'sleep 600 & sh -c \"kill -9 0\"; echo survived'; kill $! && echo sibling";
        let outcome = scene.plain(script);
        assert_eq!(outcome.stdout, "sibling\n", "{outcome:?}");
    });
}

/// Scenario 23: the first process cannot be traced.
#[test]
fn s23_the_first_process_cannot_be_traced() {
    scenario(&["strace", "gdb", "python3"], |scene| {
        let process = scene.spawn(&["sleep", "600"]);
        let id = process.id();
        if tracing_works() {
            scene
                .plain(&format!(
                    "/usr/bin/python3 attacks/processes.py attach {id}"
                ))
                .succeeded();
        }
        scene.inside("timeout 5 strace -p 1").failed(DENIED);
        let gdb = scene.inside("gdb -batch -p 1 2>&1");
        assert!(gdb.stdout.contains("not permitted"), "{gdb:?}");
        scene
            .inside("/usr/bin/python3 attacks/processes.py attach 1")
            .failed(DENIED);
        scene
            .inside("/usr/bin/python3 attacks/processes.py memory 1")
            .failed(&["EPERM", "EACCES"]);
        scene
            .inside("/usr/bin/python3 attacks/processes.py descriptor 1")
            .failed(&["EPERM", "ENOSYS"]);
        scene.inside("strace -o /dev/null true").succeeded();
    });
}

/// The first process keeps its limits: without descriptors it could not watch, nor make sockets.
#[test]
fn the_first_process_keeps_its_limits() {
    scenario(&["python3"], |scene| {
        let process = scene.spawn(&["sleep", "600"]);
        let attack = |id: u32| format!("/usr/bin/python3 attacks/processes.py limits {id}");
        eventually("the process", || {
            scene.plain(&attack(process.id())).code == Some(0)
        });
        scene.inside(&attack(1)).failed(DENIED);
        scene
            .inside("ulimit -n 100; ulimit -n | grep -x 100")
            .succeeded();
    });
}

/// Processes that go on making others when the program ends, and stopped ones, end with it.
#[test]
fn what_multiplies_or_stands_still_ends_with_the_program() {
    scenario(&["python3"], |scene| {
        let bomb = "/usr/bin/python3 attacks/processes.py bomb 1000";
        assert_eq!(scene.inside(bomb).succeeded().stdout, "ends\n");
        assert_eq!(processes_with("processes.py\u{0}bomb"), [] as [u32; 0]);
        let stopped = "sleep 7744 & sleep 7744 & kill -STOP $! ; kill -STOP %1; exit 3";
        assert_eq!(scene.inside(stopped).code, Some(3));
        assert_eq!(processes_with("sleep\u{0}7744"), [] as [u32; 0]);
    });
}

/// Scenario 35: nobody's namespaces can be entered.
#[test]
fn s35_other_namespaces_cannot_be_entered() {
    scenario(&["nsenter"], |scene| {
        let process = scene.spawn(&["sleep", "600"]);
        let id = process.id();
        let enter = format!("nsenter -t {id} -n true");
        if scene.who == Who::Root {
            scene.plain(&enter).succeeded();
        }
        let words = &[
            "No such file",
            "not permitted",
            "Permission denied",
            "Invalid argument",
        ];
        scene.inside(&enter).failed(words);
        for script in [
            "nsenter -t 1 -m true",
            "nsenter -t 1 -a true",
            "nsenter -t 1 -n true",
            "nsenter -t 1 -U true",
        ] {
            scene.inside(script).failed(words);
        }
    });
}

/// Scenario 41: two environments at once see nothing of each other.
#[test]
fn s41_two_environments_see_nothing_of_each_other() {
    scenario(&["python3", "curl", "ps"], |scene| {
        let serve = format!("cd /tmp && echo {SECRET} >{SECRET}; cp {SECRET} /dev/shm/{SECRET}; python3 -m http.server 9090 --bind 127.0.0.1 2>/dev/null &
            until curl -sf http://127.0.0.1:9090/{SECRET} >$OLDPWD/served; do sleep 0.05; done; wait");
        let _prod = scene.spawn(&[BINARY, "run", "prod", "--", "sh", "-c", &serve]);
        let served = || {
            std::fs::read_to_string(scene.path("served")).is_ok_and(|text| text.contains(SECRET))
        };
        eventually("prod serves itself", served);
        std::fs::remove_file(scene.path("served")).unwrap();
        for script in [
            format!("curl -sS -m 2 http://127.0.0.1:9090/$(echo {SECRET})"),
            "ls /tmp /dev/shm; exit 1".to_owned(),
            "ps auxww; exit 1".to_owned(),
        ] {
            let outcome = scene.inside(&script);
            assert!(
                !outcome.stdout.replace(&script, "").contains(SECRET) || script.contains(SECRET),
                "{outcome:?}"
            );
            assert_ne!(outcome.code, Some(0));
        }
        scene
            .inside("curl -sS -m 2 http://127.0.0.1:9090/")
            .failed(&["refused", "connect"]);
        let bind =
            scene.inside("python3 -c 'import socket; socket.socket().bind((\"127.0.0.1\", 9090))'");
        assert_eq!(bind.code, Some(0), "its port is not taken here: {bind:?}");
    });
}

/// Scenario 42: whoever leaves the family does not outlive the program.
#[test]
fn s42_a_grandchild_does_not_outlive_the_program() {
    scenario(&[], |scene| {
        let script = "setsid sh -c 'trap \"\" HUP TERM; (sleep 7731 & sleep 7732) & exit' >/dev/null 2>&1 & sleep 0.2; exit 5";
        assert_eq!(scene.plain(script).code, Some(5));
        let left = processes_with("sleep\u{0}773");
        assert_eq!(left.len(), 2, "the control leaves them");
        for id in left {
            scene.plain(&format!("kill -9 {id}")).succeeded();
        }
        assert_eq!(scene.inside(script).code, Some(5));
        eventually("they die", || processes_with("sleep\u{0}773").is_empty());
    });
}

/// The processes of a run, the supervisor first.
fn family(supervisor: u32) -> Vec<u32> {
    let mut found = vec![supervisor];
    let mut at = 0;
    while at < found.len() {
        let path = format!("/proc/{0}/task/{0}/children", found[at]);
        let children = std::fs::read_to_string(path).unwrap_or_default();
        found.extend(
            children
                .split_whitespace()
                .map(|id| id.parse::<u32>().unwrap()),
        );
        at += 1;
    }
    found
}

/// What a run might leave: processes, listeners of the ground, mounts of the ground, temporary files.
fn left_behind(scene: &Scene) -> Vec<String> {
    let files = "find /tmp /run /dev/shm /srv -not -path '*/.git/*' | sort";
    let lines = |path: &str| {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let sockets = lines("/proc/net/tcp").len() + lines("/proc/net/unix").len();
    let mut all = lines("/proc/self/mountinfo");
    all.extend(scene.plain(files).stdout.lines().map(str::to_owned));
    all.push(format!("{sockets} sockets"));
    all
}

/// Starts a run whose program is ready, lets `end` end it, and asserts that all of it is gone.
fn ended_by(scene: &Scene, wait_us: Option<u32>, end: impl Fn(&[u32])) {
    let before = left_behind(scene);
    let program =
        "python3 -m http.server 9090 --bind 127.0.0.1 & echo ready >ready; exec sleep 7731";
    let mut run = scene.spawn(&[BINARY, "run", "dev", "--", "sh", "-c", program]);
    match wait_us {
        None => eventually("the program", || scene.path("ready").exists()),
        Some(wait_us) => std::thread::sleep(std::time::Duration::from_micros(wait_us.into())),
    }
    end(&family(run.id()));
    eventually("the run ends", || !run.lives());
    eventually("nothing of it lives", || {
        processes_with("sleep\u{0}7731").is_empty() && processes_with("http.server").is_empty()
    });
    let _ = std::fs::remove_file(scene.path("ready"));
    let news = || {
        let now = left_behind(scene);
        now.into_iter()
            .filter(|line| !before.contains(line))
            .collect::<Vec<_>>()
    };
    for _ in 0..200 {
        if news().is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("left behind: {:#?}", news());
}

fn kill(id: u32) {
    let _ = std::process::Command::new("kill")
        .args(["-9", &id.to_string()])
        .output();
}

/// Scenario 46: a supervisor that is killed takes everything with it.
#[test]
fn s46_a_killed_supervisor_leaves_nothing() {
    scenario(&["python3"], |scene| {
        ended_by(scene, None, |family| kill(family[0]));
    });
}

/// Scenario 46, for the first process inside.
#[test]
fn s46_a_killed_first_process_leaves_nothing() {
    scenario(&["python3"], |scene| {
        ended_by(scene, None, |family| {
            assert!(
                family.len() > 2,
                "supervisor, first process and program: {family:?}"
            );
            kill(family[1]);
        });
    });
}

/// Scenario 46, at any moment: `RINGFENCE_KILL_ROUNDS` says how many.
#[test]
fn s46_a_kill_at_any_moment_leaves_nothing() {
    scenario(&["python3"], |scene| {
        let rounds = figure("RINGFENCE_KILL_ROUNDS", 10);
        for round in 0..rounds {
            let wait_us = round * 30_000 / rounds;
            ended_by(scene, Some(wait_us), |family| {
                let victim = family.get(1).filter(|_| round % 2 == 1);
                kill(*victim.unwrap_or(&family[0]));
            });
        }
    });
}

/// Scenario 47: there is no control socket to speak to.
#[test]
fn s47_no_control_socket_is_reachable() {
    scenario(&["python3"], |scene| {
        let control =
            "import os,socket,subprocess; a,b = socket.socketpair(); b.set_inheritable(True)
subprocess.run(['/usr/bin/python3', 'attacks/processes.py', 'sockets'], close_fds=False)";
        scene.write("control.py", control);
        assert!(
            scene
                .plain("/usr/bin/python3 control.py")
                .stdout
                .contains("wrote")
        );
        let outcome = scene
            .inside("/usr/bin/python3 attacks/processes.py sockets")
            .succeeded();
        assert_eq!(outcome.stdout, "descriptors 0\nunix 0\n", "{outcome:?}");
    });
}
