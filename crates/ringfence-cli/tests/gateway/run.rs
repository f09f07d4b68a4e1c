//! The gateway that `run` and `shell` start: what the program gets, what the upstream sees, and how it ends.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::running::{DEV_KEY, eventually};
use crate::shop::{ASK, PAY_KEY, Staying, Upstream, change, keeps_silent, listens, python, shop};
use crate::world::Outcome;

#[test]
fn the_program_gets_an_address_and_a_token_and_the_upstream_the_key() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    for wall in [
        &["run", "dev"][..],
        &["run", "dev", "--no-barrier"],
        &["run", "dev", "--redact=always"],
    ] {
        upstream.heads.lock().unwrap().clear();
        let outcome = python(&world, wall, ASK);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(
            outcome.stdout.matches("from upstream").count(),
            3,
            "{outcome:?}"
        );
        assert!(outcome.stdout.contains("\"value\":false"), "{outcome:?}");
        keeps_silent(&outcome);
        assert_eq!(outcome.stderr, "", "{wall:?}");
        let heads = upstream.heads().to_ascii_lowercase();
        assert_eq!(
            heads
                .matches(&format!("authorization: bearer {DEV_KEY}\r\n"))
                .count(),
            2,
            "{heads}"
        );
        assert_eq!(
            heads
                .matches(&format!(
                    "authorization: bearer {}\r\n",
                    PAY_KEY.to_ascii_lowercase()
                ))
                .count(),
            1,
            "{heads}"
        );
        assert!(!heads.contains("rf.dev"), "{heads}");
        let block = world.block(wall).join("\n");
        assert!(
            block.contains("OPENAI_API_KEY=rf.dev.run.")
                && block.contains("CHAT_HEADER=Bearer rf.dev.run."),
            "{block}"
        );
        assert!(
            block.contains("/llm/v1\n") && block.contains("/pay\n"),
            "{block}"
        );
        for hidden in [DEV_KEY, PAY_KEY, &format!(":{}", upstream.port)] {
            assert!(!block.contains(hidden), "{hidden} is in {block}");
        }
    }
    let records = std::fs::read_dir(world.home().join(".local/state/ringfence/gateway")).unwrap();
    let records: String = records
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert!(
        records.contains("\"ringfence.caller\":\"run\"") && records.contains("hello"),
        "{records}"
    );
    assert!(
        !records.contains(DEV_KEY) && !records.contains(PAY_KEY),
        "{records}"
    );
}

#[test]
fn the_upstream_and_its_key_are_out_of_the_programs_reach() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    if !world.can_build() {
        return;
    }
    let script = format!(
        r#"
import glob, os, socket, urllib.request
for file in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try: data = open(file, "rb").read()
    except OSError: continue
    if b"{DEV_KEY}" in data or b"{PAY_KEY}" in data: print("key in", file)
for process in glob.glob("/proc/[0-9]*"):
    if process == f"/proc/{{os.getpid()}}": continue
    try: open(process + "/mem", "rb"); print("memory of", process)
    except OSError: pass
for target in [("127.0.0.1", {}), ("api.stripe.com", 443), ("api.openai.com", 443)]:
    try: socket.create_connection(target, 2); print("reached", target)
    except OSError: print("not reached")
exec(open("ask.py").read())
"#,
        upstream.port
    );
    let outcome = python(
        &world,
        &["run", "dev"],
        &script
            .replace(
                DEV_KEY,
                &format!("{}\" b\"{}", &DEV_KEY[..9], &DEV_KEY[9..]),
            )
            .replace(
                PAY_KEY,
                &format!("{}\" b\"{}", &PAY_KEY[..9], &PAY_KEY[9..]),
            ),
    );
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(
        outcome.stdout.matches("not reached\n").count(),
        3,
        "{outcome:?}"
    );
    assert!(
        !outcome.stdout.contains("key in") && !outcome.stdout.contains("memory of"),
        "{outcome:?}"
    );
    assert_eq!(
        outcome.stdout.matches("from upstream").count(),
        3,
        "{outcome:?}"
    );
    let words = "blocked api.stripe.com: `dev` reaches it through the gateway alone, at the address that the program got (STRIPE_API_KEY implies Stripe)";
    assert!(outcome.stderr.contains(words), "{outcome:?}");
    keeps_silent(&outcome);
}

#[test]
fn what_the_manifest_names_besides_stays_in_reach() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    change(
        &world,
        "ringfence.toml",
        "[gateway]",
        &format!(
            "[egress]\ndev = [\"127.0.0.1:{}\"]\n[gateway]",
            upstream.port
        ),
    );
    let script = format!(
        "import socket; socket.create_connection(('127.0.0.1', {}), 2); print('reached')",
        upstream.port
    );
    let outcome = python(&world, &["run", "dev"], &script);
    assert_eq!(outcome.stdout, "reached\n", "{outcome:?}");
}

#[test]
fn the_plan_says_what_goes_through_the_gateway() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    let page = world.ringfence(&["run", "dev", "--explain"]);
    let at = format!("127.0.0.1:{}", upstream.port);
    for line in [
        "gateway      started with it, on a free port; the program gets it in the place of these settings",
        &format!("  llm at {at}"),
        &format!("  pay at {at}"),
        "OFREP_ENDPOINT\n",
        &format!("  localhost:{}", upstream.port),
        "api.stripe.com:443                       through the gateway alone\n",
    ] {
        assert!(page.stdout.contains(line), "{line} is not in {page:?}");
    }
    keeps_silent(&page);
    let json = world
        .ringfence(&["run", "dev", "--explain", "--json"])
        .stdout;
    assert!(
        json.contains("\"carried\"") && json.contains("\"resource\": \"llm\""),
        "{json}"
    );
    assert!(!world.home().join(".local/state/ringfence/gateway").exists());
    let shown = world.ringfence(&["show", "dev"]).stdout;
    assert_eq!(
        shown.matches("a program gets the gateway's (llm)").count(),
        2,
        "{shown}"
    );
    let explained = world.ringfence(&["explain", "OPENAI_API_KEY"]).stdout;
    assert!(
        explained.contains("  gateway   a program gets the gateway's instead (llm)"),
        "{explained}"
    );
}

#[test]
fn it_is_gone_with_the_program_however_that_went() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    for arguments in [
        &["dev"][..],
        &["dev", "--no-barrier"],
        &["dev", "--redact=always"],
        &["dev", "--no-barrier", "--redact=always"],
    ] {
        let (mut staying, port) = Staying::start(&world, arguments);
        assert!(staying.chat().contains("from upstream"), "{arguments:?}");
        assert!(listens(port));
        // Nothing that the program would meet when it waits for its children.
        let children = "print(open('/proc/self/task/%d/children' % os.getpid()).read() if os.path.exists('/proc/self/task/%d/children' % os.getpid()) else '')";
        assert_eq!(staying.does(children).trim(), "");
        staying.child.kill().unwrap();
        staying.child.wait().unwrap();
        eventually(|| (!listens(port)).then_some(()));
        let (staying, port) = Staying::start(&world, arguments);
        assert_eq!(staying.end(), "");
        eventually(|| (!listens(port)).then_some(()));
    }
}

#[test]
fn what_is_handed_over_as_a_file_or_by_the_host_is_the_token_too() {
    let upstream = Upstream::start();
    let world = shop(&upstream).var("OPENAI_API_KEY", DEV_KEY);
    change(
        &world,
        ".env.dev",
        &format!("OPENAI_API_KEY={DEV_KEY}\n"),
        "",
    );
    change(
        &world,
        "ringfence.toml",
        "OPENAI_API_KEY = { secret = true, distinct = true, required = false }",
        "OPENAI_API_KEY = { secret = true, as = \"file\", from = \"host\" }",
    );
    let script = "import os\nprint(open(os.environ['OPENAI_API_KEY']).read())\nos.environ['OPENAI_API_KEY'] = open(os.environ['OPENAI_API_KEY']).read()\nexec(open('ask.py').read())";
    for wall in [&["run", "dev"][..], &["run", "dev", "--no-barrier"]] {
        let outcome = python(&world, wall, script);
        assert!(outcome.stdout.starts_with("rf.dev.run."), "{outcome:?}");
        assert!(outcome.stdout.contains("from upstream"), "{outcome:?}");
        keeps_silent(&outcome);
    }
    assert!(upstream.heads().contains(DEV_KEY));
}

#[test]
fn who_has_no_key_needs_no_token() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    change(&world, "ringfence.toml", "key = \"OPENAI_API_KEY\"\n", "");
    change(
        &world,
        "ringfence.toml",
        "key = \"STRIPE_API_KEY\"\nlimits = { default = \"none\", in.prod = \"60 requests/min\" }\n",
        "",
    );
    let (mut staying, _) = Staying::start(&world, &["dev"]);
    let answer = staying.does(r#"print(ask(os.environ["CHAT_URL"], "Bearer of-its-own", {"model": "chat", "messages": []}))"#);
    assert!(answer.contains("from upstream"), "{answer}");
    // An API for which a gateway would do nothing is spoken to directly, with what the program sends.
    let answer =
        staying.does(r#"print(ask(os.environ["PAY_URL"] + "/x", "Bearer of-its-own", {}))"#);
    assert!(
        answer.contains("from upstream") && upstream.heads().contains("of-its-own"),
        "{answer}"
    );
}

#[test]
fn a_model_on_this_machine_may_have_an_empty_key_outside_production() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    let (file, key) = (".env.dev", format!("OPENAI_API_KEY={DEV_KEY}\n"));
    change(&world, file, &key, "OPENAI_API_KEY=\n");
    let (mut staying, _) = Staying::start(&world, &["dev"]);
    let answer = staying.does(r#"print(ask(os.environ["CHAT_URL"], "Bearer of-its-own", {"model": "chat", "messages": []}))"#);
    assert!(answer.contains("from upstream"), "{answer}");
    let heads = upstream.heads().to_ascii_lowercase();
    assert!(!heads.contains("authorization"), "{heads}");
    let (file, port) = (".env.prod", upstream.port);
    let text = format!("OPENAI_BASE_URL=http://127.0.0.1:{port}/v1\nOPENAI_API_KEY=\n");
    world.write(file, text);
    let refused = world.ringfence(&["run", "prod", "--", "true"]);
    assert!(
        refused.stderr.contains("service-without-key"),
        "{refused:?}"
    );
}

#[test]
fn the_key_of_tokens_reaches_no_program() {
    let world = shop(&Upstream::start());
    change(
        &world,
        "ringfence.toml",
        "[gateway]\n",
        "[gateway]\nsecret = \"TOKEN_SECRET\"\n",
    );
    change(
        &world,
        ".env.dev",
        "PAY_URL",
        "TOKEN_SECRET=b3c1d2e4f5a6978877665544\nPAY_URL",
    );
    change(
        &world,
        "ringfence.toml",
        "[settings]\n",
        "[settings]\nTOKEN_SECRET = { secret = true }\n",
    );
    for wall in [&["run", "dev"][..], &["run", "dev", "--no-barrier"]] {
        let block = world.block(wall).join("\n");
        assert!(block.contains("OPENAI_API_KEY=rf.dev.run."), "{block}");
        assert!(!block.contains("TOKEN_SECRET"), "{block}");
    }
}

#[test]
fn a_change_is_served_and_a_mistake_is_one_line() {
    let world = shop(&Upstream::start());
    let (mut staying, _) = Staying::start(&world, &["dev"]);
    let flag = r#"print(ask(os.environ["OFREP_ENDPOINT"] + "/ofrep/v1/evaluate/flags/rate_limiting", os.environ["OFREP_HEADERS"].partition("=")[2], {}))"#;
    assert!(staying.does(flag).contains("\"value\":false"));
    change(
        &world,
        "ringfence.toml",
        "rate_limiting = { default = false",
        "rate_limiting = { default = true",
    );
    eventually(|| staying.does(flag).contains("\"value\":true").then_some(()));
    change(
        &world,
        "ringfence.toml",
        "limits = { default = \"none\", in.test",
        "limits = { default = \"nonsense\", in.test",
    );
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(staying.does(flag).contains("\"value\":true"));
    let said = staying.end();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.starts_with("ringfence: the gateway: the new configuration is refused, and ")
            && said.contains("`nonsense` is no limit"),
        "{said}"
    );
}

#[test]
fn a_shell_has_it_too() {
    let world = shop(&Upstream::start()).var("SHELL", "/bin/sh");
    let mut command = world.command();
    command
        .args(["shell", "dev"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"python3 ask.py\nexit 4\n")
        .unwrap();
    let outcome = Outcome::of(&child.wait_with_output().unwrap());
    assert_eq!(
        (
            outcome.code,
            outcome.stdout.matches("from upstream").count()
        ),
        (Some(4), 3),
        "{outcome:?}"
    );
    keeps_silent(&outcome);
}

/// What the gateway carries is in reach through it alone, so a run inside a run of the same environment goes through the same one.
#[test]
fn a_run_inside_a_run_goes_through_the_same_gateway() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    let binary = env!("CARGO_BIN_EXE_ringfence");
    for wall in [&["run", "dev"][..], &["run", "dev", "--no-barrier"]] {
        let inner = [binary, "run", "dev", "--", "python3", "ask.py"];
        let outcome = world.ringfence(&[wall, &["--"], &inner].concat());
        assert_eq!(
            (
                outcome.code,
                outcome.stdout.matches("from upstream").count()
            ),
            (Some(0), 3),
            "{outcome:?}"
        );
        assert!(!outcome.stderr.contains("ignored"), "{outcome:?}");
    }
    // Other variables that look alike are no part of it, and are named as ever.
    let mut command = world.command();
    command.args(["run", "dev", "--no-barrier", "--", "sh", "-c"]);
    command.arg(format!(
        "CHAT_HEADER=http://127.0.0.1:1 exec {binary} run dev -- true"
    ));
    let outcome = Outcome::of(&command.output().unwrap());
    assert!(
        outcome
            .stderr
            .contains("the shell's CHAT_HEADER is ignored"),
        "{outcome:?}"
    );
    // Where the variables are left over from one that has ended, it has its own.
    let left = world.block(&["run", "dev", "--no-barrier"]);
    let left = left.iter().filter_map(|line| line.split_once('='));
    let mut command = world.command();
    command
        .args(["run", "dev", "--", "python3", "ask.py"])
        .envs(left);
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!(
        outcome.stdout.matches("from upstream").count(),
        3,
        "{outcome:?}"
    );
    // Of another environment it gets that one's own.
    let inner = [binary, "run", "test", "--", "python3", "ask.py"];
    let outcome = world.ringfence(&[&["run", "dev", "--no-barrier", "--"], &inner[..]].concat());
    assert!(
        outcome.stdout.contains("You said") && !outcome.stdout.contains("from upstream"),
        "{outcome:?}"
    );
}

/// What a program puts behind its base URL fits as it did before.
#[test]
fn a_slash_at_the_end_stays_and_none_is_added() {
    let world = shop(&Upstream::start());
    let line = |environment: &str| {
        let block = world.block(&["run", environment]);
        let line = block
            .into_iter()
            .find(|line| line.starts_with("OPENAI_BASE_URL="));
        line.unwrap()
    };
    assert!(line("staging").ends_with("/llm/v1"), "{}", line("staging"));
    change(
        &world,
        ".env.staging",
        "mock://",
        "https://models.example/v1/\nOPENAI_API_KEY=sk-staging-1f2e3d4c",
    );
    assert!(line("staging").ends_with("/llm/v1/"), "{}", line("staging"));
}

/// Whoever waits for the program to close what he handed to it does not wait for the gateway.
#[test]
fn it_holds_nothing_that_was_handed_to_the_program() {
    let world = shop(&Upstream::start());
    let binary = env!("CARGO_BIN_EXE_ringfence");
    let script = "exec 3>&1; exec \"$0\" run dev --no-barrier -- sh -c 'echo $OFREP_ENDPOINT; exec 1>&- 3>&-; read line'";
    let mut command = world.any_command("sh");
    command
        .args(["-c", script, binary])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    // Ends when nobody holds the pipe any more, and not before.
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    let port = said.trim().rsplit(':').next().unwrap().parse().unwrap();
    assert!(
        child.try_wait().unwrap().is_none() && listens(port),
        "{said}"
    );
    drop(child.stdin.take());
    child.wait().unwrap();
    eventually(|| (!listens(port)).then_some(()));
}
