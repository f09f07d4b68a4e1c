//! A project, and its gateway while a test asks it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use crate::world::World;

pub(crate) const DEV_KEY: &str = "sk-dev-0a1b2c3d4e5f6a7b";
pub(crate) const PROD_KEY: &str = "sk-prod-9f8e7d6c5b4a3f2e";

const MANIFEST: &str = r#"version = 1
project = "assistant"
[environments]
dev = {}
staging = {}
prod = {}
[settings]
OPENAI_BASE_URL = { type = "url" }
OPENAI_API_KEY = { secret = true, distinct = true, required = false }
[resources.llm]
kind = "openai"
setting = "OPENAI_BASE_URL"
key = "OPENAI_API_KEY"
models.chat = { default = "small", in.prod = "large" }
models.gpt-4o-mini = { default = "small", in.prod = "large" }
models.embed = { default = "small-vectors", in.prod = "large-vectors" }
limits = { default = "none", in.prod = "3 requests/min per caller burst 3, 100k tokens/min, 5000 tokens/day" }
record = { default = "full", in.prod = "metadata" }
[flags]
rate_limiting = { default = false, in.prod = true }
timeout = { default = 30.0, in.prod = 5.0 }
page_size = { default = 20, in.production = 100 }
[gateway]
allow = ["mock"]
"#;

const FLAGS: &str = r#"{"flags": {
  "a/b c": {"state": "ENABLED", "variants": {"on": "slash"}, "defaultVariant": "on"},
  "off": {"state": "DISABLED", "variants": {"on": "x"}, "defaultVariant": "on"},
  "model": {"state": "ENABLED", "variants": {"s": "small", "l": "large"}, "defaultVariant": "s",
    "targeting": {"if": [{"and": [{"==": [{"var": "environment"}, "prod"]}, {"==": [{"var": "plan"}, "pro"]}]}, "l"]}}
}}"#;

/// The usual project, with mocks where models would be.
pub(crate) fn project() -> World {
    World::new(&[
        ("ringfence.toml", MANIFEST),
        ("flags.json", FLAGS),
        (
            ".env.dev",
            &format!("OPENAI_BASE_URL=mock://dev\nOPENAI_API_KEY={DEV_KEY}\n"),
        ),
        (".env.staging", "OPENAI_BASE_URL=mock://staging\n"),
        (
            ".env.prod",
            &format!("OPENAI_BASE_URL=mock://prod\nOPENAI_API_KEY={PROD_KEY}\n"),
        ),
        (".gitignore", ".env*\n"),
    ])
}

/// A gateway.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) address: String,
    pub(crate) token: String,
    said: BufReader<ChildStderr>,
    records: std::path::PathBuf,
}

impl Running {
    #[track_caller]
    pub(crate) fn start(world: &World, environment: &str) -> Self {
        let records = world.temporary().join(format!("{environment}.jsonl"));
        let mut command = world.command();
        command
            .args(["gateway", environment, "--records"])
            .arg(&records);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        let address = address.unwrap_or_else(|| panic!("{line}")).to_owned();
        let token = world.ringfence(&["gateway", "token", environment, "web"]);
        Self {
            child,
            address,
            token: token.stdout.trim().to_owned(),
            said,
            records,
        }
    }

    /// Status, head and body of an answer.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: &str,
    ) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (
            head[9..12].parse().unwrap(),
            head.to_owned(),
            body.to_owned(),
        )
    }

    pub(crate) fn chat(&self, rest: &str) -> (u16, String, String) {
        let body =
            format!(r#"{{"model":"chat","messages":[{{"role":"user","content":"hello"}}]{rest}}}"#);
        self.send("POST", "/v1/chat/completions", &self.token, &body)
    }

    /// Reads what is said until a line has the word in it. A gateway that does not say it is ended, so that the test ends too.
    #[track_caller]
    pub(crate) fn says(&mut self, word: &str) -> String {
        let mut all = String::new();
        let id = self.child.id().to_string();
        let (said, wait) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || {
            if wait.recv_timeout(Duration::from_secs(20))
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                // Where it has ended by itself there is nothing to end.
                let _ = std::process::Command::new("kill")
                    .args(["-s", "KILL", &id])
                    .status();
            }
        });
        let _said = said;
        loop {
            let mut line = String::new();
            assert!(
                self.said.read_line(&mut line).unwrap() > 0,
                "{word} is not in {all}"
            );
            all += &line;
            if line.contains(word) {
                return all;
            }
        }
    }

    /// What is still to be said.
    pub(crate) fn rest(&mut self) -> &mut impl Read {
        &mut self.said
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// What was written down so far.
    pub(crate) fn records(&self) -> String {
        let mut text = String::new();
        File::open(&self.records)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(id: u32, name: &str) {
    let words = ["-s", name, &id.to_string()];
    let status = std::process::Command::new("kill").args(words).status();
    assert!(status.unwrap().success());
}

/// The most memory that a process has had, in KiB (`proc_pid_status(5)`, `VmHWM`).
pub(crate) fn most_memory(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse().unwrap()
}

/// What comes, in ten seconds at most.
#[track_caller]
pub(crate) fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "it did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}
