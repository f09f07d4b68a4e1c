//! Long and hard: streams without end, reloads under load, kills. With `RINGFENCE_LONG=1` the numbers are those of a long night.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::running::{Running, eventually, most_memory, project};
use crate::world::World;

fn long() -> bool {
    std::env::var("RINGFENCE_LONG").is_ok_and(|value| value == "1")
}

const MIB: usize = 1 << 20;

/// One of these tests at a time: each would disturb what another one measures.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An upstream that says a head and then the same piece, so many bytes in all.
fn pouring(head: &'static str, piece: String, bytes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let piece = piece.clone();
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 65_536]);
                let _ = stream.write_all(head.as_bytes());
                let mut sent = 0;
                while sent < bytes && stream.write_all(piece.as_bytes()).is_ok() {
                    sent += piece.len();
                }
            });
        }
    });
    format!("http://{address}")
}

/// Asks, and reads all of the answer; how many bytes came, and what was last.
fn drain(gateway: &Running, head: &str, body: &str) -> (usize, String) {
    let mut stream = TcpStream::connect(&gateway.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let request = format!(
        "{head} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        gateway.token,
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut buffer = vec![0; MIB];
    let (mut all, mut last) = (0, Vec::new());
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                all += count;
                last.extend_from_slice(&buffer[..count]);
                let old = last.len().saturating_sub(300);
                last.drain(..old);
            }
        }
    }
    (all, String::from_utf8_lossy(&last).into_owned())
}

/// A project whose models are at an upstream, and whose files are, too.
fn world(url: &str) -> World {
    let world = project();
    let manifest = world.read("ringfence.toml");
    let files = "FILES_URL = { type = \"url\" }\n[resources.files]\nkind = \"http\"\nsetting = \"FILES_URL\"\nkey = \"OPENAI_API_KEY\"\nlimits = \"900 requests/min\"\n[resources.llm]";
    world.write("ringfence.toml", manifest.replace("[resources.llm]", files));
    world.write(
        ".env.dev",
        format!("OPENAI_BASE_URL={url}\nFILES_URL={url}\nOPENAI_API_KEY=sk-dev-0a1b2c3d4e5f6a7b\n"),
    );
    world
}

const STREAM: &str = r#"{"model":"chat","stream":true,"messages":[]}"#;

#[test]
fn a_body_without_end_passes_in_little_memory() {
    let _alone = alone();
    let bytes = if long() { 10_240 * MIB } else { 1024 * MIB };
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\r\n";
    let world = world(&pouring(head, "0123456789abcdef".repeat(4096), bytes));
    let gateway = Running::start(&world, "dev");
    let (came, _) = drain(&gateway, "GET /files/large", "");
    assert!(came >= bytes, "{came}");
    let most = most_memory(gateway.child.id()) / 1024;
    assert!(most < 64, "{most} MiB for {} MiB", bytes / MIB);
}

#[test]
fn a_stream_without_end_passes_in_little_memory() {
    let _alone = alone();
    let bytes = if long() { 10_240 * MIB } else { 256 * MIB };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    let text = "word ".repeat(3000);
    let event = format!(
        "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"finish_reason\":\"stop\",\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
    );
    let world = world(&pouring(head, event, bytes));
    let gateway = Running::start(&world, "dev");
    let (came, _) = drain(&gateway, "POST /v1/chat/completions", STREAM);
    assert!(came >= bytes, "{came}");
    let most = most_memory(gateway.child.id()) / 1024;
    assert!(most < 64, "{most} MiB for {} MiB", bytes / MIB);
    // In dev the texts are written down: the first of them.
    let record = eventually(|| Some(gateway.records()).filter(|text| text.ends_with('\n')));
    assert!(record.len() < MIB, "{} bytes", record.len());
}

#[test]
fn an_event_and_an_answer_without_end_are_cut_off() {
    let _alone = alone();
    let bytes = if long() { 10_240 * MIB } else { 1024 * MIB };
    for (kind, rest, last, least) in [
        (
            "text/event-stream",
            ",\"stream\":true",
            "upstream_invalid",
            64,
        ),
        ("application/json", "", "larger than the gateway takes", 200),
    ] {
        let head: &'static str =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\ndata: \"")
                .leak();
        let world = world(&pouring(head, "x".repeat(MIB), bytes));
        let gateway = Running::start(&world, "dev");
        let body = format!(r#"{{"model":"chat","messages":[]{rest}}}"#);
        let (came, end) = drain(&gateway, "POST /v1/chat/completions", &body);
        assert!(came < MIB && end.contains(last), "{came}: {end}");
        let most = most_memory(gateway.child.id()) / 1024;
        assert!(most < least, "{most} MiB");
    }
}

/// One caller: connections that are kept, an answer for each request.
struct Caller {
    reader: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Caller {
    fn new(gateway: &Running, body: &str) -> Self {
        let stream = TcpStream::connect(&gateway.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        let (token, length) = (&gateway.token, body.len());
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Self {
            reader: BufReader::new(stream),
            request: request.into_bytes(),
        }
    }

    /// The status of the next answer; `None` where the connection has ended.
    fn ask(&mut self) -> Option<u16> {
        self.reader.get_mut().write_all(&self.request).ok()?;
        let mut line = String::new();
        self.reader
            .read_line(&mut line)
            .ok()
            .filter(|count| *count > 0)?;
        let status = line.get(9..12)?.parse().ok()?;
        let mut length = 0;
        loop {
            line.clear();
            self.reader.read_line(&mut line).ok()?;
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).ok()?;
        Some(status)
    }
}

const ASKED: &str =
    r#"{"model":"chat","max_tokens":5,"messages":[{"role":"user","content":"hello"}]}"#;

#[test]
fn reloads_under_load_lose_no_request() {
    let _alone = alone();
    let (requests, reloads) = if long() { (100_000, 50) } else { (10_000, 10) };
    let world = project();
    let mut gateway = Running::start(&world, "dev");
    let manifest = world.read("ringfence.toml");
    let (asked, lost) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let began = Instant::now();
    let is_over = AtomicBool::new(false);
    let mut callers: Vec<Caller> = (0..8).map(|_| Caller::new(&gateway, ASKED)).collect();
    let served = std::thread::scope(|scope| {
        for caller in &mut callers {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) || asked.load(Ordering::Relaxed) < requests {
                    asked.fetch_add(1, Ordering::Relaxed);
                    if caller.ask() != Some(200) {
                        lost.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                }
            });
        }
        for reload in 0..reloads {
            // Another model, another limit, a flag, and now and then something that is refused.
            let text = manifest
                .replace("\"small\"", &format!("\"small-{reload}\""))
                .replace(
                    "default = \"none\"",
                    &format!("default = \"{}M requests/min\"", 1 + reload),
                );
            let is_wrong = reload % 5 == 4;
            let text = if is_wrong {
                text.replace("requests/min", "apples/min")
            } else {
                text
            };
            world.write("ringfence.toml", text);
            gateway.signal("HUP");
            gateway.says(if is_wrong {
                "is refused, and"
            } else {
                "is served"
            });
        }
        is_over.store(true, Ordering::Relaxed);
        reloads
    });
    let (asked, lost) = (asked.into_inner(), lost.into_inner());
    eprintln!(
        "{asked} requests, {served} reloads, {lost} lost, in {:?}",
        began.elapsed()
    );
    assert!(asked >= requests && lost == 0, "{lost} of {asked}");
}

/// What is spent until a second before the kill is not forgotten.
#[test]
fn a_kill_loses_a_second_of_budget_at_most() {
    let _alone = alone();
    let world = project();
    let manifest = world.read("ringfence.toml");
    let unlimited = "in.prod = \"900000 tokens/day\"";
    let limits =
        "in.prod = \"3 requests/min per caller burst 3, 100k tokens/min, 5000 tokens/day\"";
    assert!(manifest.contains(limits));
    world.write("ringfence.toml", manifest.replace(limits, unlimited));
    for _ in 0..if long() { 20 } else { 3 } {
        let mut gateway = Running::start(&world, "prod");
        let before = used(&gateway);
        let mut caller = Caller::new(&gateway, ASKED);
        let (mut spent, began) = (Vec::new(), Instant::now());
        while began.elapsed() < Duration::from_millis(2300) {
            assert_eq!(caller.ask(), Some(200));
            spent.push(Instant::now());
        }
        let killed = Instant::now();
        gateway.child.kill().unwrap();
        gateway.child.wait().unwrap();
        drop(gateway);
        let again = Running::start(&world, "prod");
        let kept = used(&again) - before;
        // Each uses 2 tokens for the prompt and 3 for the answer.
        let earlier = spent
            .iter()
            .filter(|at| killed - **at > Duration::from_secs(1))
            .count();
        let (least, most) = (5 * earlier as u64, 5 * spent.len() as u64 + 25);
        assert!(
            (least..=most).contains(&kept),
            "{kept} of {most}, and {least} at least"
        );
        assert!(earlier > 20, "{earlier}");
    }
}

/// Tokens of the day's budget that are used.
fn used(gateway: &Running) -> u64 {
    let status = gateway.send("GET", "/-/status", &gateway.token, "").2;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    status["budgets"][0]["used"].as_f64().unwrap() as u64
}

#[test]
fn two_environments_have_no_store_in_common() {
    let found = std::process::Command::new("redis-server")
        .arg("--version")
        .output();
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    if found.is_err() {
        assert!(
            !required.split(',').any(|word| word == "redis-server"),
            "redis-server is required and not installed"
        );
        eprintln!("skipped: redis-server is not installed");
        return;
    }
    let world = project();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut server = world.any_command("redis-server");
    server.args([
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--port",
        &port.to_string(),
    ]);
    let mut server = server.stdout(std::process::Stdio::null()).spawn().unwrap();
    eventually(|| TcpStream::connect(("127.0.0.1", port)).ok());
    let manifest = world.read("ringfence.toml");
    let manifest = manifest
        .replace("[gateway]", "[gateway]\nstore = \"LIMITS\"")
        .replace(
            "[resources.llm]",
            "LIMITS = { secret = true, required = false }\n[resources.llm]",
        );
    world.write("ringfence.toml", manifest);
    for environment in ["dev", "prod"] {
        let file = format!(".env.{environment}");
        let line = format!("LIMITS=redis://127.0.0.1:{port}/3\n");
        world.write(&file, world.read(&file) + &line);
    }
    let gateway = Running::start(&world, "prod");
    assert_eq!(gateway.chat(r#","max_tokens":9"#).0, 200);
    let refused = world.ringfence(&["gateway", "dev"]);
    assert!(
        refused.code == Some(78)
            && refused.stderr.contains("it is marked for `prod`")
            && refused.stderr.contains("hint: "),
        "{refused:?}"
    );
    // What all gateways of an environment have used is what is shown.
    let other = Running::start(&world, "prod");
    assert_eq!((used(&other) > 0, used(&other)), (true, used(&gateway)));
    server.kill().unwrap();
    server.wait().unwrap();
}
