//! Signals and the terminal: a run behaves as the program alone does. Scenario 44, row by row.
//!
//! Every row runs a script twice, with `$RUN` empty and with `$RUN` a run in dev, and compares.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::ground::scenario;
use crate::scene::{BINARY, Outcome, Running, Scene, eventually, processes_with};

const APP: &str = "/usr/bin/python3 attacks/signals.py";

/// The script directly and inside.
fn both(scene: &Scene, script: &str) -> [Outcome; 2] {
    ["", &format!("{BINARY} run dev --")].map(|run| scene.plain(&script.replace("$RUN", run)))
}

/// The script ends and says the same directly and inside, and says `expected`.
#[track_caller]
fn same(scene: &Scene, script: &str, expected: &str) {
    for (outcome, how) in both(scene, script).iter().zip(["directly", "inside"]) {
        let shown = &outcome.stdout;
        assert!(
            shown.contains(expected),
            "{how}, {script}: {expected:?} is not in {outcome:?}"
        );
    }
}

/// The program ready to count its signals, directly or inside.
fn counting(scene: &Scene, inside: bool) -> Running {
    let _ = std::fs::remove_file(scene.path("ready"));
    let _ = std::fs::remove_file(scene.path("counted"));
    let mut words = vec!["setsid"];
    if inside {
        words.extend([BINARY, "run", "dev", "--"]);
    }
    words.extend(APP.split(' '));
    words.push("count");
    let app = scene.spawn(&words);
    eventually("the program", || scene.path("ready").exists());
    app
}

/// Sends a signal to the wrapper, or with a minus to its group, and returns what the program counted.
fn counted(scene: &Scene, inside: bool, target: &str, signal: &str) -> String {
    let mut app = counting(scene, inside);
    let id = app.id();
    scene
        .plain(&format!("env kill -{signal} -- {target}{id}"))
        .succeeded();
    eventually("the program ends", || !app.lives());
    scene.read("counted")
}

/// SIGTERM and others to the wrapper's process id: the program gets exactly one.
#[test]
fn s44_a_signal_to_the_wrapper_arrives_once() {
    scenario(&["python3"], |scene| {
        for signal in ["TERM", "INT", "HUP", "USR1", "QUIT", "WINCH"] {
            for inside in [false, true] {
                assert_eq!(
                    counted(scene, inside, "", signal),
                    format!("SIG{signal}\n"),
                    "inside: {inside}"
                );
            }
        }
    });
}

/// SIGTERM to the process group: the program gets exactly one.
#[test]
fn s44_a_signal_to_the_group_arrives_once() {
    scenario(&["python3"], |scene| {
        for signal in ["TERM", "INT", "HUP", "USR1"] {
            for inside in [false, true] {
                assert_eq!(
                    counted(scene, inside, "-", signal),
                    format!("SIG{signal}\n"),
                    "inside: {inside}"
                );
            }
        }
    });
}

/// `timeout`: one signal, and the program's own way to end is seen.
#[test]
fn s44_timeout_arrives_once() {
    scenario(&["python3"], |scene| {
        let script = format!(
            "timeout 1.2 $RUN {APP} count; echo \"code $?\"; cat counted; rm -f counted ready"
        );
        same(scene, &script, "code 124\nSIGTERM\n");
        let kept = format!(
            "timeout --preserve-status 1.2 $RUN {APP} count; echo \"code $?\"; rm -f counted ready"
        );
        same(scene, &kept, "code 7\n");
    });
}

/// `cmd & kill $!` in a script: the program gets it although the sender is of its own group.
#[test]
fn s44_a_scripts_kill_arrives() {
    scenario(&["python3"], |scene| {
        let script = format!(
            "rm -f ready; $RUN {APP} count & until test -e ready; do sleep 0.02; done; kill $!; wait $!; echo \"code $?\"; cat counted; rm counted ready"
        );
        same(scene, &script, "code 7\nSIGTERM\n");
    });
}

/// Ctrl-C on a terminal: the program cleans up and ends as it wants to; it gets one signal.
#[test]
fn s44_ctrl_c_arrives_once() {
    scenario(&["python3"], |scene| {
        let script = format!(
            "/usr/bin/python3 attacks/terminal.py keys 1:^C -- $RUN {APP} count; cat counted; rm counted ready"
        );
        same(scene, &script, "\nended 7\nSIGINT\n");
        let hung = format!(
            "/usr/bin/python3 attacks/terminal.py keys 1:'^\\' -- $RUN {APP} count; cat counted; rm counted ready"
        );
        same(scene, &hung, "\nended 7\nSIGQUIT\n");
    });
}

/// A program that dies of a signal: the parent sees that signal.
#[test]
fn s44_death_by_a_signal_is_seen_as_such() {
    scenario(&["python3"], |scene| {
        for (name, number) in [
            ("INT", 2),
            ("TERM", 15),
            ("KILL", 9),
            ("SEGV", 11),
            ("HUP", 1),
        ] {
            let terminal = "/usr/bin/python3 attacks/terminal.py run";
            same(
                scene,
                &format!("{terminal} $RUN sh -c 'kill -{name} $$'"),
                &format!("ended -{number}\n"),
            );
            same(
                scene,
                &format!("$RUN sh -c 'kill -{name} $$'; echo $?"),
                &format!("{}\n", 128 + number),
            );
        }
        let typed = "/usr/bin/python3 attacks/terminal.py keys 0.7:^C -- $RUN sleep 20";
        same(scene, typed, "ended -2\n");
    });
}

/// `kill -9` of the wrapper: the program dies too.
#[test]
fn s44_killing_the_wrapper_ends_the_program() {
    scenario(&["python3"], |scene| {
        for inside in [false, true] {
            let mut app = counting(scene, inside);
            app.0.kill().unwrap();
            eventually("the wrapper ends", || !app.lives());
            eventually("the program ends", || {
                processes_with("signals.py").is_empty()
            });
        }
    });
}

/// A program that closes its output: the reader sees the end at once, not when the wrapper goes.
#[test]
fn s44_a_closed_output_is_seen_at_once() {
    scenario(&["python3"], |scene| {
        for run in ["", &format!("{BINARY} run dev --")] {
            let script = format!(
                "{{ {run} sh -c 'echo out; exec >&- 2>&-; sleep 4'; }} 2>/dev/null | cat; date +%s.%N"
            );
            let program = format!(
                "import subprocess,time\nchild = subprocess.Popen({:?}.split() + ['sh','-c','echo out; exec >&- 2>&-; exec sleep 4'], stdout=subprocess.PIPE)\nchild.stdout.readline()\nstart = time.monotonic()\nchild.stdout.read()\nprint(time.monotonic() - start)",
                run
            );
            let outcome = scene
                .plain(&format!(
                    "/usr/bin/python3 -c \"$(cat <<'E'\n{program}\nE\n)\""
                ))
                .succeeded();
            let seconds: f64 = outcome.stdout.trim().parse().unwrap();
            assert!(
                seconds < 1.0,
                "the end came after {seconds} s: {run:?} {script}"
            );
        }
    });
}

/// Ctrl-Z and `fg`: the shell gets the terminal back, and the program goes on.
#[test]
fn s44_ctrl_z_and_fg_work() {
    scenario(&["python3", "bash"], |scene| {
        let keys = "2:'$RUN sleep 2; echo \"code $?\"\\n' 1.5:^Z 1:'jobs; echo in between\\n' 0.5:'fg\\n' 3:'echo after; exit 0\\n'";
        let script = format!(
            "/usr/bin/python3 attacks/terminal.py keys {keys} -- bash --norc --noprofile -i"
        );
        for outcome in both(scene, &script) {
            for word in ["Stopped", "\nin between", "\nafter", "ended 0"] {
                assert!(outcome.stdout.contains(word), "{word}: {}", outcome.stdout);
            }
        }
    });
}

/// A program that stops itself, as an editor does.
#[test]
fn s44_a_program_that_stops_itself_gives_the_shell_back() {
    scenario(&["python3", "bash"], |scene| {
        let keys = "2:\"$RUN sh -c 'kill -TSTP 0; echo went on'\\n\" 1.5:'echo in between\\n' 0.5:'fg\\n' 1.5:'echo after; exit 0\\n'";
        let script = format!(
            "/usr/bin/python3 attacks/terminal.py keys {keys} -- bash --norc --noprofile -i"
        );
        for outcome in both(scene, &script) {
            for word in ["Stopped", "\nin between", "\nwent on", "\nafter", "ended 0"] {
                assert!(outcome.stdout.contains(word), "{word}: {}", outcome.stdout);
            }
        }
    });
}

/// `cmd | tty-reader`: a pager in the same pipeline keeps the terminal.
#[test]
fn s44_a_pager_keeps_the_terminal() {
    scenario(&["python3", "bash"], |scene| {
        let reader = "bash -c 'cat; read -r line </dev/tty; echo \"read $line\"'";
        scene.write(
            "pipeline",
            format!("{BINARY} run dev -- echo first | {reader}\n"),
        );
        scene.write("direct", format!("echo first | {reader}\n"));
        for file in ["direct", "pipeline"] {
            let keys = format!("2:'. ./{file}\\n' 1.5:'typed\\n' 1:'exit 0\\n'");
            let outcome = scene.plain(&format!(
                "/usr/bin/python3 attacks/terminal.py keys {keys} -- bash --norc --noprofile -i"
            ));
            assert!(
                outcome.stdout.contains("read typed"),
                "{file}: {}",
                outcome.stdout
            );
            assert!(
                outcome.stdout.contains("ended 0"),
                "{file}: {}",
                outcome.stdout
            );
        }
    });
}

/// Programs that take the whole screen: an editor writes what was typed, a pager shows a file and leaves.
#[test]
fn an_editor_and_a_pager_work_on_a_terminal() {
    scenario(&["python3", "vim", "less"], |scene| {
        let lines: String = (0..200).map(|number| format!("line {number}\n")).collect();
        scene.write("long", lines);
        for (which, run) in [("plain", ""), ("inside", "$RUN ")] {
            let run = run.replace("$RUN", &format!("{BINARY} run dev --"));
            let keys = format!("2:'ityped {which}' 0.5:'^[' 0.5:':wq\n'");
            let edit = format!(
                "TERM=xterm /usr/bin/python3 attacks/terminal.py keys {keys} -- {run}vim -u NONE edited-{which}"
            );
            let outcome = scene.plain(&edit);
            assert!(outcome.stdout.contains("ended 0"), "{which}: {outcome:?}");
            let edited = scene.read(&format!("edited-{which}"));
            assert_eq!(edited, format!("typed {which}\n"));
            let page = format!(
                "TERM=xterm /usr/bin/python3 attacks/terminal.py keys 2:'G' 0.7:'q' -- {run}less long"
            );
            let outcome = scene.plain(&page);
            for word in ["line 0", "line 199", "ended 0"] {
                assert!(
                    outcome.stdout.contains(word),
                    "{which}, {word}: {outcome:?}"
                );
            }
        }
    });
}

/// A shell inside controls its own jobs: to the background, to the foreground, and Ctrl-C reaches the one in front alone.
#[test]
fn a_shell_inside_controls_its_jobs() {
    scenario(&["python3", "bash"], |scene| {
        let keys =
            "2:'sleep 300\n' 1.5:^Z 1:'bg; jobs; fg\n' 1.5:^C 1:'echo \"code $?\"; exit 4\n'";
        let script = format!(
            "/usr/bin/python3 attacks/terminal.py keys {keys} -- $RUN bash --norc --noprofile -i"
        );
        for outcome in both(scene, &script) {
            for word in ["Stopped", "Running", "\ncode 130", "ended 4"] {
                assert!(outcome.stdout.contains(word), "{word}: {}", outcome.stdout);
            }
        }
    });
}

/// What is not found or no program: the codes that shells use.
#[test]
fn s44_what_cannot_start_has_the_shells_codes() {
    scenario(&[], |scene| {
        scene.write("plain", "echo\n");
        std::fs::set_permissions(scene.path("plain"), std::fs::Permissions::from_mode(0o644))
            .unwrap();
        for (program, code) in [
            ("no-such-program", 127),
            ("./no-such-program", 127),
            ("./plain", 126),
            ("/", 126),
        ] {
            assert_eq!(scene.plain(program).code, Some(code), "{program}");
            let outcome = scene.ringfence(&["run", "dev", "--", program]);
            assert_eq!(outcome.code, Some(code), "{program}: {outcome:?}");
        }
    });
}

/// `kill -9 0` inside spares siblings outside. Without a barrier they die: see `processes::a_group_dies_together_…`.
#[test]
fn s44_the_groups_siblings_outside_survive() {
    scenario(&[], |scene| {
        let script = format!(
            "sleep 600 & {BINARY} run dev -- sh -c 'kill -9 0'; echo code $?; kill $! && echo sibling"
        );
        assert_eq!(scene.plain(&script).stdout, "code 137\nsibling\n");
    });
}

/// Process group, session, terminal and exit codes are the program's own.
#[test]
fn s44_group_session_and_codes_are_kept() {
    scenario(&["python3"], |scene| {
        for code in [0, 1, 3, 77, 125, 126, 127, 128, 255] {
            same(
                scene,
                &format!("$RUN sh -c 'exit {code}'; echo code $?"),
                &format!("code {code}\n"),
            );
        }
        let terminal = "/usr/bin/python3 attacks/terminal.py run";
        same(
            scene,
            &format!(
                "{terminal} $RUN sh -c 'test -t 0 && test -t 1 && test -t 2 && tty >/dev/null && echo \"a terminal\"'"
            ),
            "a terminal",
        );
        same(
            scene,
            &format!("{terminal} $RUN sh -c 'stty size </dev/tty && echo \"its own\"'"),
            "its own",
        );
    });
}

/// A program that ignores the signal is not ended by the wrapper, and one that takes its time gets it.
#[test]
fn s44_a_program_may_take_its_time() {
    scenario(&["python3"], |scene| {
        for inside in [false, true] {
            let mut app = counting(scene, inside);
            let start = Instant::now();
            scene
                .plain(&format!(
                    "kill -USR2 {}; sleep 0.3; kill -USR1 {}",
                    app.id(),
                    app.id()
                ))
                .succeeded();
            eventually("the program ends", || !app.lives());
            assert_eq!(
                scene.read("counted"),
                "SIGUSR2\nSIGUSR1\n",
                "inside: {inside}"
            );
            assert!(start.elapsed() > Duration::from_millis(300));
        }
    });
}
