//! The gateway that `run` and `shell` start: what the program gets, what the upstream sees, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use crate::running::{DEV_KEY, PROD_KEY, eventually};
use crate::world::{Outcome, World};

const PAY_KEY: &str = "sk_test_51HabcDEFghiJKLmno";

const MANIFEST: &str = r#"version = 1
project = "shop"
[environments]
dev = {}
test = {}
staging = {}
prod = {}
[settings]
OPENAI_BASE_URL = { type = "url", required = false }
OPENAI_API_KEY = { secret = true, distinct = true, required = false }
CHAT_URL = { default = "${OPENAI_BASE_URL:-none}/chat/completions" }
CHAT_HEADER = { default = "Bearer ${OPENAI_API_KEY:-none}" }
PAY_URL = { type = "url", required = false }
STRIPE_API_KEY = { secret = true, distinct = true, required = false }
[resources.llm]
kind = "openai"
setting = "OPENAI_BASE_URL"
key = "OPENAI_API_KEY"
models.chat = { default = "small", in.prod = "large" }
limits = { default = "none", in.test = "5000 tokens/day", in.prod = "60 requests/min" }
record = { default = "full", in.prod = "metadata" }
[resources.pay]
kind = "http"
setting = "PAY_URL"
key = "STRIPE_API_KEY"
limits = { default = "none", in.prod = "60 requests/min" }
[flags]
rate_limiting = { default = false, in.prod = true }
"#;

/// Asks the model and the payments, and prints what came.
const ASK: &str = r#"
import json, os, urllib.request
def ask(url, token, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Authorization": token, "Content-Type": "application/json"})
    try:
        return urllib.request.urlopen(request, timeout=10).read().decode()
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"
chat = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
print(ask(os.environ["OPENAI_BASE_URL"] + "/chat/completions", "Bearer " + os.environ["OPENAI_API_KEY"], chat))
print(ask(os.environ["CHAT_URL"], os.environ["CHAT_HEADER"], chat))
if "PAY_URL" in os.environ:
    print(ask(os.environ["PAY_URL"] + "/v1/charges", "Bearer " + os.environ["STRIPE_API_KEY"], {}))
print(ask(os.environ["OFREP_ENDPOINT"] + "/ofrep/v1/evaluate/flags/rate_limiting", os.environ["OFREP_HEADERS"].partition("=")[2], {}))
"#;

/// An upstream, which notes each request's head.
struct Upstream {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // Who asked may have left.
                let _ = stream.and_then(|stream| answer(stream, &theirs));
            }
        });
        Self { port, heads }
    }

    fn heads(&self) -> String {
        self.heads.lock().unwrap().join("\n")
    }
}

fn answer(mut stream: TcpStream, heads: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
        head += &line;
    }
    reader.read_exact(&mut vec![0; length])?;
    heads.lock().unwrap().push(head);
    let body = r#"{"id":"c","object":"chat.completion","model":"upstream","choices":[{"index":0,"message":{"role":"assistant","content":"from upstream"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The project, with an upstream in dev and mocks elsewhere.
fn shop(upstream: &Upstream) -> World {
    let port = upstream.port;
    let dev = format!(
        "OPENAI_BASE_URL=http://127.0.0.1:{port}/v1\nOPENAI_API_KEY={DEV_KEY}\nPAY_URL=http://127.0.0.1:{port}\nSTRIPE_API_KEY={PAY_KEY}\n"
    );
    World::new(&[
        (
            "ringfence.toml",
            &format!("{MANIFEST}[gateway]\nallow = [\"mock\"]\n"),
        ),
        (".env.dev", &dev),
        (
            ".env.test",
            "OPENAI_BASE_URL=mock://test\nOPENAI_API_KEY=sk-test-77aa88bb99cc00dd\n",
        ),
        (".env.staging", "OPENAI_BASE_URL=mock://\n"),
        (
            ".env.prod",
            &format!("OPENAI_BASE_URL=mock://prod\nOPENAI_API_KEY={PROD_KEY}\n"),
        ),
        ("ask.py", ASK),
    ])
}

fn change(world: &World, path: &str, from: &str, to: &str) {
    let text = world.read(path);
    assert!(text.contains(from), "{from} is not in {text}");
    world.write(path, text.replace(from, to));
}

fn python(world: &World, arguments: &[&str], script: &str) -> Outcome {
    world.ringfence(&[arguments, &["--", "python3", "-c", script]].concat())
}

/// Whether this machine can build the barrier; where it must, that it cannot is a failure.
fn can_build(world: &World) -> bool {
    let level = world.ringfence(&["doctor", "--json"]).stdout;
    let can = level.contains("\"barrier\": \"full\"");
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    assert!(
        can || !required.split(',').any(|word| word == "barrier"),
        "{level}"
    );
    if !can {
        eprintln!("skipped: no barrier can be built here");
    }
    can
}

/// No key, in anything that was said.
#[track_caller]
fn keeps_silent(outcome: &Outcome) {
    for key in [DEV_KEY, PROD_KEY, PAY_KEY] {
        assert!(
            !outcome.stdout.contains(key) && !outcome.stderr.contains(key),
            "{outcome:?}"
        );
    }
}

/// A program that stays, with a line of its block.
struct Staying {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Staying {
    /// Prints where its gateway is and its own process, then does what lines of its input say.
    #[track_caller]
    fn start(world: &World, arguments: &[&str]) -> (Self, u16) {
        const SCRIPT: &str = "import os, sys\nexec(open('ask.py').read().split('chat =')[0])\nprint(os.environ['OFREP_ENDPOINT'].rpartition(':')[2], flush=True)\nfor line in sys.stdin: exec(line); sys.stdout.flush()";
        let mut command = world.command();
        command
            .arg("run")
            .args(arguments)
            .args(["--", "python3", "-c", SCRIPT]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut staying = Self { child, said };
        let line = staying.line();
        let port = line.trim().parse();
        let Ok(port) = port else {
            let mut why = String::new();
            staying
                .child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut why)
                .unwrap();
            panic!("{line} {why}");
        };
        (staying, port)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line
    }

    /// What one line of Python prints as one line.
    fn does(&mut self, line: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        self.line()
    }

    fn chat(&mut self) -> String {
        self.does(r#"print(ask(os.environ["CHAT_URL"], os.environ["CHAT_HEADER"], {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}))"#)
    }

    /// Ends its input, and with it the program.
    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        let mut said = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        said
    }
}

impl Drop for Staying {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

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
    if !can_build(&world) {
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
fn two_runs_of_one_environment_work_and_share_no_budget() {
    let world = shop(&Upstream::start());
    let (mut first, _) = Staying::start(&world, &["test"]);
    assert!(first.chat().contains("You said"));
    let (mut second, _) = Staying::start(&world, &["test"]);
    let refused = second.chat();
    assert!(
        refused.starts_with("403 ")
            && refused.contains("resource_closed")
            && refused.contains("`store` in `[gateway]`"),
        "{refused}"
    );
    let flag = second.does(r#"print(ask(os.environ["OFREP_ENDPOINT"] + "/ofrep/v1/evaluate/flags/rate_limiting", os.environ["OFREP_HEADERS"].partition("=")[2], {}))"#);
    assert!(flag.contains("\"value\":false"), "{flag}");
    let said = second.end();
    assert!(
        said.lines().count() == 1
            && said.contains("another run or gateway of `test` keeps its budgets"),
        "{said}"
    );
    assert_eq!(first.end(), "");
    let (mut third, _) = Staying::start(&world, &["test"]);
    assert!(third.chat().contains("You said"));
    // Without budgets there is nothing to share.
    let (mut one, _) = Staying::start(&world, &["dev"]);
    let (mut other, _) = Staying::start(&world, &["dev"]);
    assert!(one.chat().contains("from upstream") && other.chat().contains("from upstream"));
    assert_eq!((one.end(), other.end()), (String::new(), String::new()));
}

#[test]
fn a_budget_outlives_the_run() {
    let world = shop(&Upstream::start());
    change(&world, "ringfence.toml", "5000 tokens/day", "30 tokens/day");
    let mut refused = false;
    for _ in 0..8 {
        let script = ASK
            .replace(
                "print(ask(os.environ[\"OFREP",
                "0 and print(ask(os.environ[\"OFREP",
            )
            .replace("\"hello\"}]", "\"hello\"}], \"max_tokens\": 4");
        let outcome = python(&world, &["run", "test"], &script);
        refused |= outcome.stdout.contains("insufficient_quota");
    }
    assert!(refused);
}

#[test]
fn another_environments_token_and_another_runs_are_refused() {
    let world = shop(&Upstream::start());
    let (mut one, _) = Staying::start(&world, &["dev"]);
    let token = one.does("print(os.environ['OPENAI_API_KEY'])");
    let (mut other, _) = Staying::start(&world, &["dev"]);
    let answer = other.does(&format!(
        "print(ask(os.environ['CHAT_URL'], 'Bearer {}', {{}}))",
        token.trim()
    ));
    assert!(
        answer.starts_with("401 ") && answer.contains("invalid_token"),
        "{answer}"
    );
    let (mut staging, _) = Staying::start(&world, &["staging"]);
    let answer = staging.does(&format!(
        "print(ask(os.environ['CHAT_URL'], 'Bearer {}', {{}}))",
        token.trim()
    ));
    assert!(
        answer.starts_with("401 ") && answer.contains("belongs to `dev`"),
        "{answer}"
    );
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

#[test]
fn where_none_is_wanted_the_settings_are_as_they_are() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    change(
        &world,
        "ringfence.toml",
        "[gateway]",
        "[gateway]\nstart = { default = true, in.dev = false }",
    );
    let block = world.block(&["run", "dev"]).join("\n");
    assert!(
        block.contains(&format!("OPENAI_API_KEY={DEV_KEY}\n")) && !block.contains("OFREP"),
        "{block}"
    );
    let block = world.block(&["run", "staging"]).join("\n");
    assert!(
        block.contains("OPENAI_API_KEY=rf.staging.run.") && block.contains("OFREP_ENDPOINT="),
        "{block}"
    );
}

/// A15 of the accidents: a live payment key in staging; and a test key in production.
#[test]
fn keys_of_the_wrong_class_start_nothing() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    let (live, test) = ("sk_live_51HabcDEFghiJKL", "sk_test_51HabcDEFghiJKL");
    let before = ["staging", "prod"].map(|name| world.read(&format!(".env.{name}")));
    for (environment, key, word) in [
        ("staging", live, "live key outside production"),
        ("prod", test, "test key in production"),
    ] {
        let file = format!(".env.{environment}");
        let text = format!(
            "{}PAY_URL=https://api.stripe.example\nSTRIPE_API_KEY={key}\n",
            world.read(&file)
        );
        world.write(&file, text);
        let words = [
            "[key-of-wrong-class]",
            word,
            "the key of `pay`",
            "start = { default = true",
        ];
        for arguments in [
            &["run", environment][..],
            &["run", environment, "--barrier=full"],
        ] {
            let refused = world.refuses(arguments, &words);
            assert!(!refused.stderr.contains(key), "{refused:?}");
        }
    }
    let [staging, prod] = before;
    world.write(".env.staging", staging);
    let pay = format!("PAY_URL=https://api.stripe.example\nSTRIPE_API_KEY={live}\n");
    world.write(".env.prod", prod + &pay);
    let (outcome, started) = world.try_start(&["run", "prod"]);
    assert!(started || outcome.code == Some(125), "{outcome:?}");
    assert!(!outcome.stderr.contains(live));
}

#[test]
fn production_keeps_the_gateways_floors() {
    let world = shop(&Upstream::start());
    change(&world, "ringfence.toml", "allow = [\"mock\"]", "");
    world.refuses(
        &["run", "prod"],
        &["[production-with-mock]", "allow = [\"mock\"]"],
    );
    change(
        &world,
        "ringfence.toml",
        "[gateway]\n",
        "[gateway]\nallow = [\"mock\"]\n",
    );
    change(
        &world,
        "ringfence.toml",
        "in.test = \"5000 tokens/day\", in.prod = \"60 requests/min\"",
        "in.test = \"none\"",
    );
    world.refuses(
        &["run", "prod"],
        &["[production-without-limits]", "60 requests/min"],
    );
}

#[test]
fn a_key_under_another_name_starts_nothing() {
    let world = shop(&Upstream::start());
    world.write(
        ".env.dev",
        world.read(".env.dev") + &format!("MODEL_KEY={DEV_KEY}\n"),
    );
    let refused = world.refuses(
        &["run", "dev"],
        &[
            "[key-in-another-setting]",
            "`MODEL_KEY` holds the key of `OPENAI_API_KEY`",
            ".env.dev:5",
        ],
    );
    keeps_silent(&refused);
    change(
        &world,
        ".env.dev",
        &format!("MODEL_KEY={DEV_KEY}"),
        "MODEL_KEY=${OPENAI_API_KEY}",
    );
    let block = world.block(&["run", "dev"]).join("\n");
    assert!(block.contains("MODEL_KEY=rf.dev.run."), "{block}");
}

/// A program on a copy of another environment's data tells nobody through the gateway what it may tell nobody itself.
#[test]
fn a_quarantine_holds_through_the_gateway() {
    let upstream = Upstream::start();
    let world = shop(&upstream);
    if !can_build(&world) {
        return;
    }
    let stores = "DB_URL = { required = false }\n[resources.db]\nkind = \"sqlite\"\nsetting = \"DB_URL\"\ndrop = [\"outbox\"]\n[resources.llm]";
    change(&world, "ringfence.toml", "[resources.llm]", stores);
    world.write(".env.prod", world.read(".env.prod") + "DB_URL=prod.db\n");
    world.write(".env.dev", world.read(".env.dev") + "DB_URL=dev.db\n");
    let sql =
        "import sqlite3; sqlite3.connect('prod.db').execute('CREATE TABLE outbox (body TEXT)')";
    assert!(
        world
            .any_command("python3")
            .args(["-c", sql])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(
        world.ringfence(&["mark", "prod", "--yes", "prod"]).code,
        Some(0)
    );
    std::fs::copy(world.path("prod.db"), world.path("dev.db")).unwrap();
    assert_eq!(
        world.ringfence(&["scrub", "dev", "--yes", "dev"]).code,
        Some(0)
    );
    let outcome = python(&world, &["run", "dev"], ASK);
    assert_eq!(outcome.stdout.matches("403 ").count(), 3, "{outcome:?}");
    assert!(
        outcome.stdout.contains("`pay` is closed in this run")
            && outcome.stdout.contains("ringfence mark dev"),
        "{outcome:?}"
    );
    assert!(outcome.stdout.contains("\"value\":false"), "{outcome:?}");
    // Its mark is asked for before the start, as ever.
    assert!(!upstream.heads().contains("POST"), "{}", upstream.heads());
    assert_eq!(
        world.ringfence(&["mark", "dev", "db", "--yes", "dev"]).code,
        Some(0)
    );
    assert_eq!(
        python(&world, &["run", "dev"], ASK)
            .stdout
            .matches("from upstream")
            .count(),
        3
    );
}

#[test]
fn where_there_is_nothing_to_carry_nothing_is_started() {
    let world = World::new(&[
        ("ringfence.toml", "version = 1\n[environments]\ndev = {}\n"),
        (".env.dev", "A=1\n"),
    ]);
    let block = world.block(&["run", "dev"]).join("\n");
    assert!(!block.contains("OFREP"), "{block}");
    assert!(!world.home().join(".local").exists());
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

/// A fleet's store of limits counts for runs, too.
#[test]
fn runs_share_a_store() {
    let Ok(version) = std::process::Command::new("redis-server")
        .arg("--version")
        .output()
    else {
        eprintln!("skipped: redis-server is not here");
        return;
    };
    assert!(version.status.success());
    let world = shop(&Upstream::start());
    let port = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut server = world.any_command("redis-server");
    server
        .args([
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--bind",
            "127.0.0.1",
        ])
        .stdout(Stdio::null());
    let mut server = server.spawn().unwrap();
    eventually(|| listens(port).then_some(()));
    change(
        &world,
        "ringfence.toml",
        "PAY_URL =",
        "LIMITS_URL = { required = false }\nPAY_URL =",
    );
    change(
        &world,
        "ringfence.toml",
        "[gateway]",
        "[gateway]\nstore = \"LIMITS_URL\"",
    );
    change(
        &world,
        "ringfence.toml",
        "5000 tokens/day",
        "3 requests/day",
    );
    world.write(
        ".env.test",
        world.read(".env.test") + &format!("LIMITS_URL=redis://localhost:{port}/0\n"),
    );
    let (mut one, _) = Staying::start(&world, &["test"]);
    let (mut other, _) = Staying::start(&world, &["test"]);
    let answers = [one.chat(), other.chat(), one.chat(), other.chat()];
    let passed = answers.each_ref().map(|answer| answer.contains("You said"));
    assert_eq!(passed, [true, true, true, false], "{answers:?}");
    server.kill().unwrap();
    server.wait().unwrap();
    world.refuses(
        &["run", "test"],
        &["the Redis of `LIMITS_URL` cannot be used"],
    );
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
