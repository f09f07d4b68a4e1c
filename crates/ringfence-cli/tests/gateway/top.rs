//! The live view: on a terminal, in a pipe, as JSON, and where there is nobody to look at.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::running::{Running, eventually, project};
use crate::world::{Outcome, World};

fn top(world: &World, gateway: &Running, environment: &str, more: &[&str]) -> Outcome {
    let at = format!("http://{}", gateway.address);
    world.ringfence(&[&["gateway", "top", environment, "--at", &at], more].concat())
}

/// What a terminal of 80 by 24 shows until the keys have been typed, and how it ended.
fn on_a_terminal(world: &World, at: &str, steps: &[&str], variable: &str) -> Outcome {
    let typed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/secret/typed.py");
    let mut command = world.any_command("python3");
    let script = format!(
        "stty rows 24 cols 80; exec {} gateway top dev --at {at}",
        env!("CARGO_BIN_EXE_ringfence")
    );
    command.arg(typed).args(steps);
    command.args(["--", "env", variable, "TERM=xterm", "sh", "-c", &script]);
    Outcome::of(&command.output().unwrap())
}

#[test]
fn one_object_says_everything() {
    let world = project();
    let gateway = Running::start(&world, "prod");
    for _ in 0..5 {
        gateway.chat(r#","max_tokens":100"#);
    }
    let ended = |count| {
        let once = top(&world, &gateway, "prod", &["--json", "--once"]);
        assert_eq!(
            (once.code, once.stdout.lines().count()),
            (Some(0), 1),
            "{once:?}"
        );
        let status: Value = serde_json::from_str(&once.stdout).unwrap();
        (status["resources"][0]["requests"] == count).then_some(status)
    };
    let status = eventually(|| ended(5));
    for (pointer, expected) in [
        ("/environment", "prod".into()),
        ("/production", true.into()),
        ("/generation", 1.into()),
        ("/under_way", 0.into()),
        ("/resources/0/name", "llm".into()),
        ("/resources/0/limited", 2.into()),
        ("/resources/0/errors", 0.into()),
        ("/models/0/name", "chat".into()),
        ("/callers/0/name", "web".into()),
        ("/callers/0/output_tokens", 9.into()),
        ("/budgets/0/limit", "5000 tokens/day".into()),
        ("/budgets/0/unit", "tokens".into()),
        ("/budgets/0/used", 15.0.into()),
        ("/budgets/0/left", 4985.0.into()),
        ("/reloads/refused_because", Value::Null),
    ] {
        assert_eq!(
            status.pointer(pointer),
            Some(&expected),
            "{pointer} in {status}"
        );
    }
    assert!(status["resources"][0]["p50_ms"].as_f64().unwrap() > 0.0);
    // In a pipe it is one table.
    let table = top(&world, &gateway, "prod", &[]);
    assert_eq!(table.code, Some(0), "{table:?}");
    for words in [
        "prod · http://",
        "configuration 1",
        "llm 5000 tokens/day",
        "chat  ",
    ] {
        assert!(table.stdout.contains(words), "{words} in {table:?}");
    }
    assert!(!table.stdout.contains('\x1b'), "{table:?}");
}

#[test]
fn objects_come_each_second_until_nobody_reads_them() {
    let world = project();
    let gateway = Running::start(&world, "dev");
    let at = format!("http://{}", gateway.address);
    let mut command = world.command();
    command.args(["gateway", "top", "dev", "--json", "--at", &at]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut object = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let first = object();
    gateway.chat("");
    let second = object();
    let uptime = |status: &Value| status["uptime_seconds"].as_f64().unwrap();
    let seconds = uptime(&second) - uptime(&first);
    assert!((0.5..5.0).contains(&seconds), "{seconds}");
    drop(gateway);
    let third = object();
    assert!(
        third["error"].as_str().unwrap().contains("nobody answers"),
        "{third}"
    );
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_wrong_with_a_change_is_shown_until_it_is_mended() {
    let world = project();
    let mut gateway = Running::start(&world, "dev");
    let manifest = world.read("ringfence.toml");
    world.write(
        "ringfence.toml",
        manifest.replace("default = \"none\"", "default = \"5 apples\""),
    );
    gateway.says("is refused, and 1 is still served");
    let table = top(&world, &gateway, "dev", &["--once"]);
    for words in [
        "! the newest configuration is not served: ringfence.toml:",
        ": `5 apples` is no limit\n",
    ] {
        assert!(table.stdout.contains(words), "{table:?}");
    }
    let at = format!("http://{}", gateway.address);
    world.write("ringfence.toml", &manifest);
    gateway.says("configuration 2 is served");
    let after = top(&world, &gateway, "dev", &["--json", "--once"]);
    let status: Value = serde_json::from_str(&after.stdout).unwrap();
    assert_eq!(status["reloads"]["refused"], 1);
    assert_eq!(status["reloads"]["refused_because"], Value::Null);
    assert!(status["at"].as_str() == Some(&at));
}

#[test]
fn a_terminal_is_left_as_it_was() {
    let world = project();
    let gateway = Running::start(&world, "dev");
    gateway.chat("");
    let at = format!("http://{}", gateway.address);
    let (enter, leave) = ("\x1b[?1049h", "\x1b[?7h\x1b[?25h\x1b[?1049l");
    let shown = on_a_terminal(
        &world,
        &at,
        &["up ", "", "requests/s", r"\x03"],
        "LANG=C.UTF-8",
    );
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(
        shown.stdout.contains(enter) && shown.stdout.ends_with(leave),
        "{shown:?}"
    );
    assert!(
        shown.stdout.contains("\x1b[32mdev · http://"),
        "in colour: {shown:?}"
    );
    let plain = on_a_terminal(&world, &at, &["requests/s", r"\x03"], "NO_COLOR=1");
    assert!(
        plain.stdout.contains("dev · http://") && !plain.stdout.contains("\x1b[32m"),
        "{plain:?}"
    );
    // A frame is 24 lines of 80 characters at most.
    let shown = plain.stdout.replace("\r\r\n", "\r\n");
    for frame in shown.split("\x1b[H").skip(1) {
        let frame = frame.split("\x1b[J").next().unwrap();
        let lines: Vec<&str> = frame.split("\x1b[K\r\n").collect();
        assert!(lines.len() <= 24, "{frame}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 84),
            "{frame}"
        );
    }
}

#[test]
fn a_signal_ends_it_and_the_terminal_is_as_it_was() {
    let world = project();
    let gateway = Running::start(&world, "dev");
    let script = format!(
        "stty rows 24 cols 80; {} gateway top dev --at http://{} & P=$!; sleep 1.5; kill -TERM $P; wait $P; echo ended $?",
        env!("CARGO_BIN_EXE_ringfence"),
        gateway.address
    );
    let typed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/secret/typed.py");
    let mut command = world.any_command("python3");
    command
        .arg(typed)
        .args(["--", "env", "TERM=xterm", "sh", "-c", &script]);
    let shown = Outcome::of(&command.output().unwrap());
    assert!(
        shown.stdout.contains("\x1b[?1049h") && shown.stdout.contains("\x1b[?1049lended 0"),
        "{shown:?}"
    );
}

#[test]
fn where_there_is_no_gateway_it_says_what_to_do() {
    let world = project();
    let nowhere = world.ringfence(&["gateway", "top", "dev"]);
    assert!(
        nowhere.code == Some(2) && nowhere.stderr.contains("--at http://127.0.0.1:PORT"),
        "{nowhere:?}"
    );
    let gateway = Running::start(&world, "prod");
    let port = gateway.address.rsplit(':').next().unwrap().to_owned();
    let manifest = world.read("ringfence.toml");
    // What the manifest names is found by itself; every address of the machine is also this one.
    let listen = format!(
        "[gateway]\nlisten = {{ in.prod = \"0.0.0.0:{port}\", in.dev = \"127.0.0.1:{port}\" }}"
    );
    world.write("ringfence.toml", manifest.replace("[gateway]", &listen));
    let found = world.ringfence(&["gateway", "top", "prod", "--once", "--json"]);
    assert_eq!(found.code, Some(0), "{found:?}");
    let other = world.ringfence(&["gateway", "top", "dev", "--once"]);
    assert!(
        other.code == Some(70)
            && other
                .stderr
                .contains("this token belongs to `dev`, and this is the gateway of `prod`"),
        "{other:?}"
    );
    drop(gateway);
    let gone = world.ringfence(&["gateway", "top", "prod", "--once", "--json"]);
    assert!(
        gone.code == Some(70) && gone.stderr.contains("ringfence gateway prod"),
        "{gone:?}"
    );
    let bad = world.ringfence(&["gateway", "top", "prod", "--at", "mock://"]);
    assert_eq!(bad.code, Some(2), "{bad:?}");
}

/// A run's gateway has a free port and a token of its own: it is found by what it says of itself, as long as it is there.
#[test]
fn a_run_is_found_by_itself() {
    let world = project();
    let state = "find ~/.local/state/ringfence/gateway -name '*.run' 2>/dev/null";
    let program = format!("{state}; echo started; exec sleep 60");
    let mut run = world
        .command()
        .args(["run", "dev", "--", "sh", "-c", &program])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
    assert_eq!(
        lines.next().unwrap().unwrap(),
        "started",
        "the program does not find it"
    );
    let look = || world.ringfence(&["gateway", "top", "dev", "--once", "--json"]);
    let seen = eventually(|| {
        let seen = look();
        (seen.code == Some(0)).then_some(seen)
    });
    let status: Value = serde_json::from_str(&seen.stdout).unwrap();
    assert_eq!(status["environment"], "dev");
    // Named, it is the same one.
    let at = status["at"].as_str().unwrap();
    let named = world.ringfence(&["gateway", "top", "dev", "--once", "--at", at]);
    assert_eq!(named.code, Some(0), "{named:?}");
    // Another environment's runs are its own.
    assert_ne!(
        world
            .ringfence(&["gateway", "top", "staging", "--once"])
            .code,
        Some(0)
    );
    run.kill().unwrap();
    run.wait().unwrap();
    let folder = world.home().join(".local/state/ringfence/gateway");
    let files = || {
        let entries = std::fs::read_dir(&folder).unwrap().flatten();
        entries
            .filter(|entry| entry.path().extension().is_some_and(|kind| kind == "run"))
            .count()
    };
    eventually(|| (files() == 0).then_some(()));
    assert_ne!(look().code, Some(0));
    // What a killed one has left behind is taken away by who looks.
    let left = folder.join("left");
    std::fs::write(&left, "127.0.0.1:1\nrf.dev.top.0\n").unwrap();
    let budgets = std::fs::read_dir(&folder).unwrap().flatten();
    let prefix = budgets
        .filter_map(|entry| entry.file_name().into_string().ok())
        .find_map(|name| Some(name.strip_suffix("dev.jsonl")?.to_owned()))
        .unwrap();
    std::fs::rename(&left, folder.join(format!("{prefix}dev.1.run"))).unwrap();
    assert_ne!(look().code, Some(0));
    assert_eq!(files(), 0);
}
