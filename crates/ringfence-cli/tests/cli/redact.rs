//! `ringfence run --redact`: what a program prints has no secret in it, and nothing else about the program is other than it was.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::world::{Outcome, World};

const SECRET: &str = "q9XcvB2mTz7LpR4w";

fn world() -> World {
    let settings = format!("API_KEY={SECRET}\nTOKEN=5432\nLOG_LEVEL=info\n");
    World::new(&[(".env.dev", &settings), (".env.prod", &settings)])
}

fn run(world: &World, arguments: &[&str], script: &str) -> Outcome {
    world.ringfence(&[&["run"], arguments, &["--", "sh", "-c", script]].concat())
}

/// The same, in a process group of its own, started and not waited for.
fn started(world: &World, arguments: &[&str], script: &str) -> Child {
    let mut command = world.command();
    command
        .arg("run")
        .args(arguments)
        .args(["--", "sh", "-c", script]);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command.spawn().unwrap()
}

fn send(signal: &str, target: &str) {
    let sent = Command::new("env")
        .args(["kill", &format!("-{signal}"), "--", target])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(20), "never: {what}");
        sleep(Duration::from_millis(10));
    }
}

fn state(process: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("State:"));
    line.unwrap_or_default().to_owned()
}

#[test]
fn production_is_redacted_where_it_prints_to_no_terminal() {
    let world = world();
    let script =
        "echo \"key $API_KEY.\"; printf %s \"$API_KEY\" | base64; echo \"$API_KEY\" >&2; exit 3";
    let outcome = run(&world, &["prod"], script);
    assert_eq!(outcome.code, Some(3));
    assert!(
        outcome.stdout.starts_with("key [redacted:API_KEY].\n"),
        "{outcome:?}"
    );
    assert!(!outcome.stdout.contains("cTlYY3ZCMm1Uejd"), "{outcome:?}");
    assert!(
        outcome.stderr.ends_with("[redacted:API_KEY]\n"),
        "{outcome:?}"
    );
    for (arguments, shown) in [
        (&["dev"][..], true),
        (&["dev", "--redact"], false),
        (&["dev", "--redact=always"], false),
        (&["prod", "--redact=never"], true),
        (&["prod", "--redact=auto"], false),
    ] {
        let outcome = run(&world, arguments, "echo $API_KEY");
        assert_eq!(
            outcome.stdout.contains(SECRET),
            shown,
            "{arguments:?}: {outcome:?}"
        );
    }
}

#[test]
fn a_secret_in_pieces_is_found_and_nothing_else_is_held_back() {
    let world = world();
    let (half, rest) = SECRET.split_at(7);
    let script = format!("printf 'a {half}'; sleep 0.2; printf '{rest} b'; printf ' {half}'");
    let outcome = run(&world, &["prod"], &script);
    assert_eq!(outcome.stdout, format!("a [redacted:API_KEY] b {half}"));
    // A prompt is seen before anything else is printed.
    let mut child = started(
        &world,
        &["prod"],
        "printf 'ready? '; while [ ! -e go ]; do sleep 0.05; done; echo yes",
    );
    let mut prompt = [0; 7];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut prompt)
        .unwrap();
    assert_eq!(&prompt, b"ready? ");
    world.write("go", "");
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_is_left_alone_is_said() {
    let world = world();
    let outcome = run(&world, &["prod"], "echo $TOKEN $LOG_LEVEL");
    assert_eq!(outcome.stdout, "5432 info\n");
    assert!(
        outcome.stderr.contains("not redacted: TOKEN\n"),
        "{outcome:?}"
    );
    let silent = run(&world, &["prod"], "true");
    assert_eq!((silent.stdout.as_str(), silent.stderr.as_str()), ("", ""));
}

#[test]
fn one_file_for_both_outputs_keeps_their_order() {
    let world = world();
    let script = "i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i + 1)); done";
    let log = fs::File::create(world.path("log")).unwrap();
    let mut command = world.command();
    command.args(["run", "prod", "--", "sh", "-c", script]);
    command.stdout(log.try_clone().unwrap()).stderr(log);
    assert!(command.status().unwrap().success());
    let said = "ringfence: numbers and short words are not redacted: TOKEN\n";
    let expected: String = (0..200).map(|i| format!("o{i}\ne{i}\n")).collect();
    assert_eq!(world.read("log"), said.to_owned() + &expected);
}

#[test]
fn large_outputs_arrive_whole() {
    let world = world();
    let script = "head -c 20000000 /dev/zero | tr '\\0' x; echo; echo $API_KEY";
    let outcome = run(&world, &["prod"], script);
    assert_eq!(
        outcome.stdout.len(),
        20_000_000 + "\n[redacted:API_KEY]\n".len()
    );
}

#[test]
fn a_reader_that_goes_ends_the_program() {
    let world = world();
    for arguments in [&["prod"][..], &["dev", "--redact", "--no-barrier"]] {
        let mut child = started(&world, arguments, "while :; do echo y; done");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line, "y\n");
        eventually("it ends", || child.try_wait().unwrap().is_some());
    }
}

#[test]
fn signals_arrive_once_and_the_end_is_the_programs() {
    let world = world();
    for arguments in [&["prod"][..], &["dev", "--redact", "--no-barrier"]] {
        for target in ["", "-"] {
            let script = "n=0; trap 'n=$((n + 1))' USR1; trap 'echo $n; kill -KILL $$' TERM; echo ready; while :; do sleep 0.05; done";
            let mut child = started(&world, arguments, script);
            let mut output = BufReader::new(child.stdout.take().unwrap());
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            let target = format!("{target}{}", child.id());
            send("USR1", &target);
            sleep(Duration::from_millis(300));
            send("TERM", &target);
            let mut rest = String::new();
            output.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "1\n", "{arguments:?} {target}");
            let status = child.wait().unwrap();
            let signal = std::os::unix::process::ExitStatusExt::signal(&status);
            assert_eq!(signal, Some(9), "{arguments:?}");
        }
    }
}

#[test]
fn who_stops_is_seen_to_stop_and_goes_on() {
    let world = world();
    for arguments in [&["prod"][..], &["dev", "--redact", "--no-barrier"]] {
        let mut child = started(&world, arguments, "kill -STOP $$; echo on");
        eventually("it is stopped", || state(child.id()).contains('T'));
        send("CONT", &format!("-{}", child.id()));
        let mut output = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut output)
            .unwrap();
        assert_eq!(output, "on\n");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn when_the_screen_is_killed_the_program_dies() {
    let world = world();
    for arguments in [&["prod"][..], &["dev", "--redact", "--no-barrier"]] {
        let mut child = started(
            &world,
            arguments,
            "while :; do date +%s%N > alive; sleep 0.02; done",
        );
        eventually("it runs", || world.path("alive").exists());
        child.kill().unwrap();
        child.wait().unwrap();
        eventually("it is gone", || {
            let before = world.read("alive");
            sleep(Duration::from_millis(200));
            world.read("alive") == before
        });
    }
}

#[test]
fn what_is_left_running_prints_on_and_nobody_waits_for_it() {
    let world = world();
    let script = "(while [ ! -e go ]; do sleep 0.05; done; echo late $API_KEY) & echo now";
    let mut child = started(&world, &["dev", "--redact", "--no-barrier"], script);
    assert!(child.wait().unwrap().success());
    world.write("go", "");
    let mut output = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    assert_eq!(output, "now\nlate [redacted:API_KEY]\n");
}

/// Starts a command on a terminal of 100 columns, types, and prints what is seen; says at last whether the terminal is as it was.
const TERMINAL: &str = r#"
import fcntl, os, pty, select, struct, sys, termios, time
typed = [part.encode().decode("unicode_escape").encode() for part in sys.argv[1].split("|") if part]
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for descriptor in range(3): os.dup2(slave, descriptor)
    os.closerange(3, 64)
    os.execvp(sys.argv[2], sys.argv[2:])
seen, ended = b"", None
deadline = time.time() + 30
while time.time() < deadline:
    if select.select([master], [], [], 0.05)[0]:
        seen += os.read(master, 65536)
    if typed and typed[0][:1] == b"?" and typed[0][1:] in seen:
        typed.pop(0)
    elif typed and typed[0][:1] != b"?":
        os.write(master, typed.pop(0))
    if ended is None:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found: ended = time.time(); code = os.waitstatus_to_exitcode(status)
    elif time.time() > ended + 0.2: break
if ended is None: os.kill(pid, 9); code = "never"
sys.stdout.write(seen.decode(errors="replace"))
print("\nEND", code, termios.tcgetattr(slave) == before)
"#;

/// What is typed: parts between `|`; one that begins with `?` waits for what follows it to be seen.
fn on_a_terminal(world: &World, arguments: &[&str], typed: &str, script: &str) -> String {
    let mut command = world.any_command("python3");
    command.args([
        "-c",
        TERMINAL,
        typed,
        env!("CARGO_BIN_EXE_ringfence"),
        "run",
    ]);
    command.args(arguments).args(["--", "sh", "-c", script]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).replace('\r', "")
}

#[test]
fn a_terminal_stays_a_terminal() {
    let world = world();
    let script = "test -t 0 && test -t 1 && test -t 2 && echo terminal; stty size; echo $API_KEY; read word; echo got $word; trap 'echo interrupted; exit 5' INT; echo waiting; while :; do sleep 0.05; done";
    let typed = r"?30 100|hello\n|?waiting|\x03";
    for arguments in [
        &["prod", "--redact"][..],
        &["dev", "--redact", "--no-barrier"],
    ] {
        let seen = on_a_terminal(&world, arguments, typed, script);
        for expected in [
            // The banner may come between them: it is said by another process.
            "terminal\n",
            "30 100\n",
            "[redacted:API_KEY]\n",
            "got hello\n",
            "interrupted\n",
            "END 5 True\n",
        ] {
            assert!(
                seen.contains(expected),
                "{arguments:?}: {expected:?} is not in {seen}"
            );
        }
        assert!(!seen.contains(SECRET));
    }
}

#[test]
fn a_terminal_is_left_alone_where_nobody_asks() {
    let world = world();
    let seen = on_a_terminal(
        &world,
        &["prod"],
        "",
        "tty; echo $API_KEY; echo $API_KEY | cat",
    );
    assert_eq!(seen.matches(SECRET).count(), 2, "{seen}");
    assert!(seen.contains("END 0 True\n"), "{seen}");
}
