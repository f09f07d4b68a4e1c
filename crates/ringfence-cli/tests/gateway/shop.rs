//! A project whose programs get a gateway, the upstream that it leads to, and programs that stay while a test asks them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use crate::running::{DEV_KEY, PROD_KEY};
use crate::world::{Outcome, World};

pub(crate) const PAY_KEY: &str = "sk_test_51HabcDEFghiJKLmno";

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
pub(crate) const ASK: &str = r#"
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
pub(crate) struct Upstream {
    pub(crate) port: u16,
    pub(crate) heads: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    pub(crate) fn start() -> Self {
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

    pub(crate) fn heads(&self) -> String {
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
pub(crate) fn shop(upstream: &Upstream) -> World {
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

pub(crate) fn change(world: &World, path: &str, from: &str, to: &str) {
    let text = world.read(path);
    assert!(text.contains(from), "{from} is not in {text}");
    world.write(path, text.replace(from, to));
}

pub(crate) fn python(world: &World, arguments: &[&str], script: &str) -> Outcome {
    world.ringfence(&[arguments, &["--", "python3", "-c", script]].concat())
}

/// No key, in anything that was said.
#[track_caller]
pub(crate) fn keeps_silent(outcome: &Outcome) {
    for key in [DEV_KEY, PROD_KEY, PAY_KEY] {
        assert!(
            !outcome.stdout.contains(key) && !outcome.stderr.contains(key),
            "{outcome:?}"
        );
    }
}

/// A program that stays, with a line of its block.
pub(crate) struct Staying {
    pub(crate) child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Staying {
    /// Prints where its gateway is and its own process, then does what lines of its input say.
    #[track_caller]
    pub(crate) fn start(world: &World, arguments: &[&str]) -> (Self, u16) {
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
    pub(crate) fn does(&mut self, line: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        self.line()
    }

    pub(crate) fn chat(&mut self) -> String {
        self.does(r#"print(ask(os.environ["CHAT_URL"], os.environ["CHAT_HEADER"], {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}))"#)
    }

    /// Ends its input, and with it the program.
    pub(crate) fn end(mut self) -> String {
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

pub(crate) fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}
