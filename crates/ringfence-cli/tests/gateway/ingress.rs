//! What comes in at a program's ports: counted by the binary, before a real server inside a real barrier.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use crate::running::{eventually, most_memory, signal};
use crate::world::{World, free_port};

const PROGRAM: &str = include_str!("../../../ringfence-gateway/tests/gateway/program.py");

/// A project whose `prod` is limited, and a free port that it names; `None` where no barrier can be built.
fn limited(limits: &str) -> Option<(World, u16)> {
    let port = free_port();
    let gateway = format!("ingress = {{ default = \"none\", in.prod = \"{limits}\" }}");
    let world = project(port, &gateway);
    world.can_build().then_some((world, port))
}

fn project(port: u16, gateway: &str) -> World {
    let manifest = format!(
        "version = 1\nports = [{port}]\n[environments]\ndev = {{}}\nprod = {{}}\n[gateway]\n{gateway}\n"
    );
    World::new(&[
        ("ringfence.toml", &manifest),
        (".env.dev", "A=1\n"),
        (".env.prod", "A=1\n"),
        (".gitignore", ".env*\n"),
        ("program.py", PROGRAM),
    ])
}

/// A program in its environment.
struct Inside {
    child: Child,
    said: BufReader<ChildStderr>,
}

impl Inside {
    fn start(world: &World, arguments: &[&str]) -> Self {
        let mut command = world.command();
        command.arg("run").args(arguments).stdout(Stdio::null());
        let mut child = command
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    /// The server at that port, when it is shown outside.
    #[track_caller]
    fn serving(world: &World, environment: &str, port: u16) -> Self {
        let words = [
            environment,
            "--",
            "python3",
            "program.py",
            &port.to_string(),
        ];
        let mut inside = Self::start(world, &words);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = inside.child.try_wait().unwrap();
            if ended.is_some() || began.elapsed() > Duration::from_secs(20) {
                let _ = inside.child.kill();
                let mut why = String::new();
                inside.said.read_to_string(&mut why).unwrap();
                panic!("it is not shown: {ended:?} {why}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        inside
    }

    /// Everything that it says until a line with the word in it.
    #[track_caller]
    fn says(&mut self, word: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let length = self.said.read_line(&mut line).unwrap();
            assert!(length > 0, "{word} is not in {all}");
            all += &line;
            if line.contains(word) {
                return all;
            }
        }
    }

    /// Ends it, and gives what it had still to say.
    fn end(&mut self) -> String {
        signal(self.child.id(), "TERM");
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn open(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream
}

/// Status, head and body.
fn get(port: u16, path: &str) -> (u16, String, String) {
    answer(
        open(port),
        &format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    )
}

fn answer(mut stream: TcpStream, request: &str) -> (u16, String, String) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    (status.unwrap_or(0), head.to_owned(), body.to_owned())
}

fn statuses(port: u16, count: usize) -> Vec<u16> {
    (0..count).map(|_| get(port, "/x").0).collect()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(own, _)| *own == name).map(|(_, value)| value)
}

/// Reads until the text has come.
#[track_caller]
fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(text.as_bytes()) {
        let got = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(
            stream.read(&mut byte).unwrap_or(0),
            1,
            "it ended with {got}"
        );
        bytes.push(byte[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The process that listens at a port of 127.0.0.1.
fn listener(port: u16) -> Option<u32> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let address = format!("0100007F:{port:04X}");
    let mut rows = table
        .lines()
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    let row =
        rows.find(|row| row.get(1) == Some(&address.as_str()) && row.get(3) == Some(&"0A"))?;
    let wanted = format!("socket:[{}]", row.get(9)?);
    let mut processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let mut descriptors = fs::read_dir(format!("/proc/{id}/fd")).ok()?;
        let has = descriptors.any(|descriptor| {
            let link = descriptor
                .ok()
                .and_then(|entry| fs::read_link(entry.path()).ok());
            link.is_some_and(|link| link.as_os_str() == wanted.as_str())
        });
        has.then_some(id)
    });
    processes.next()
}

#[test]
fn sixty_pass_in_a_minute_and_each_client_has_its_own() {
    let Some((world, port)) = limited("60 requests/min per client, 20 concurrent") else {
        return;
    };
    let _inside = Inside::serving(&world, "prod", port);
    let began = Instant::now();
    let mut passed = 0;
    let (status, head, body) = loop {
        let answer = get(port, "/x");
        if answer.0 != 200 {
            break answer;
        }
        passed += 1;
    };
    let most = 60 + began.elapsed().as_secs() + 1;
    assert!((60..=most).contains(&passed), "{passed}");
    assert_eq!(status, 429, "{head}");
    assert_eq!(header(&head, "retry-after"), Some("1"), "{head}");
    assert_eq!(header(&head, "x-ratelimit-limit"), Some("60"), "{head}");
    assert!(body.contains("\"rate_limit_exceeded\""), "{body}");
    let (status, body) = get_from(&world, "127.0.0.2", port, "/heard");
    assert_eq!(status, 200, "{body}");
    assert!(
        body.contains(r#"["X-Forwarded-For", "127.0.0.2"]"#),
        "{body}"
    );
    // The other family of the loopback is shown as well, and is another client.
    if let Ok(stream) = TcpStream::connect(("::1", port)) {
        let (status, ..) = answer(
            stream,
            "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        );
        assert_eq!(status, 200);
    }
}

/// The status and body of an answer to another address of this machine.
fn get_from(world: &World, from: &str, port: u16, path: &str) -> (u16, String) {
    let script = format!(
        "import http.client\nc = http.client.HTTPConnection('127.0.0.1', {port}, source_address=('{from}', 0))\nc.request('GET', '{path}', headers={{'X-Forwarded-For': '1.1.1.1'}})\nr = c.getresponse()\nprint(r.status, r.read().decode())"
    );
    let output = world
        .any_command("python3")
        .args(["-c", &script])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (status, body) = text.split_once(' ').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

#[test]
fn places_tunnels_and_events() {
    let Some((world, port)) = limited("2 concurrent") else {
        return;
    };
    let _inside = Inside::serving(&world, "prod", port);
    let mut socket = open(port);
    let upgrade = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).unwrap();
    let head = read_until(&mut socket, "\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // The example of RFC 6455, section 1.3.
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    let mut events = open(port);
    events
        .write_all(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    read_until(&mut events, "data: 1\n\n");
    // Both have their place for as long as they last.
    assert_eq!(get(port, "/x").0, 429);
    for _ in 0..20 {
        socket.write_all(b"\x81\x05hello").unwrap();
        read_until(&mut socket, "hello");
    }
    drop(socket);
    eventually(|| (get(port, "/go").0 == 200).then_some(()));
    read_until(&mut events, "0\r\n\r\n");
    assert_eq!(statuses(port, 3), [200, 200, 200]);
}

#[test]
fn a_large_body_takes_no_memory() {
    let Some((world, port)) = limited("99 requests/min") else {
        return;
    };
    let _inside = Inside::serving(&world, "prod", port);
    get(port, "/x");
    let gateway = listener(port).unwrap();
    let before = most_memory(gateway);
    let mut stream = open(port);
    let length = 100 << 20;
    let head = format!(
        "POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..100 {
        stream.write_all(&vec![b'y'; 1 << 20]).unwrap();
    }
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains(&format!("\"length\": {length}")), "{text}");
    let mut stream = open(port);
    let request = format!("GET /bytes?{length} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let got = std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    assert!(got > length, "{got}");
    let more = most_memory(gateway).saturating_sub(before);
    assert!(more < 10 << 10, "{more} KiB more");
}

#[test]
fn without_limits_nothing_stands_in_between() {
    let Some((world, port)) = limited("1 requests/min") else {
        return;
    };
    let inside = Inside::serving(&world, "dev", port);
    assert_eq!(statuses(port, 5), [200; 5]);
    assert_eq!(
        listener(port),
        Some(inside.child.id()),
        "the run itself shows it"
    );
    let (_, _, body) = get(port, "/heard");
    assert!(!body.contains("orwarded"), "{body}");
}

#[test]
fn a_limit_changes_without_a_new_start_and_what_was_used_stays() {
    let Some((world, port)) = limited("3 requests/h") else {
        return;
    };
    let _inside = Inside::serving(&world, "prod", port);
    assert_eq!(statuses(port, 4), [200, 200, 200, 429]);
    let manifest = world.read("ringfence.toml");
    let raise = |to: &str| world.write("ringfence.toml", manifest.replace("3 requests/h", to));
    raise("5 requests/h");
    eventually(|| (get(port, "/x").0 == 200).then_some(()));
    assert_eq!(statuses(port, 2), [200, 429]);
    // What cannot be read leaves the old one.
    raise("9 tokens/h");
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(get(port, "/x").0, 429);
    raise("none");
    eventually(|| (get(port, "/x").0 == 200).then_some(()));
    assert_eq!(statuses(port, 3), [200; 3]);
}

#[test]
fn limits_that_were_not_there_at_the_start_are_not_taken_for_there() {
    let port = free_port();
    let gateway = "ingress = \"none\"\n[flags]\na = true";
    let world = project(port, gateway);
    if !world.can_build() {
        return;
    }
    let mut inside = Inside::serving(&world, "prod", port);
    let manifest = world
        .read("ringfence.toml")
        .replace("\"none\"", "\"1 requests/h\"");
    world.write("ringfence.toml", manifest);
    let said = inside.says("the new configuration is refused");
    assert!(
        said.contains("was not limited when the program was started: start it anew"),
        "{said}"
    );
}

#[test]
fn nothing_stays_behind_a_run_that_is_killed() {
    let Some((world, port)) = limited("9 requests/min") else {
        return;
    };
    let inside = Inside::serving(&world, "prod", port);
    let gateway = listener(port).unwrap();
    assert_ne!(gateway, inside.child.id());
    signal(inside.child.id(), "KILL");
    eventually(|| {
        TcpStream::connect(("127.0.0.1", port))
            .is_err()
            .then_some(())
    });
    let is_gone = || fs::metadata(format!("/proc/{gateway}")).is_err();
    eventually(|| is_gone().then_some(()));
    let left: Vec<_> = fs::read_dir(world.temporary()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_the_program_sends_right_before_it_ends_arrives() {
    const LENGTH: usize = 5_000_000;
    let Some((world, port)) = limited("9 requests/min") else {
        return;
    };
    let script = format!(
        "import os, socket\ns = socket.create_server(('127.0.0.1', {port}))\nc, _ = s.accept()\nc.recv(65536)\nc.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: {LENGTH}\\r\\n\\r\\n' + b'x' * {LENGTH})\nos._exit(0)"
    );
    let _inside = Inside::start(&world, &["prod", "--", "python3", "-c", &script]);
    eventually(|| {
        TcpStream::connect(("127.0.0.1", port))
            .is_ok()
            .then_some(())
    });
    let (status, _, body) = get(port, "/");
    assert_eq!((status, body.len()), (200, LENGTH));
}

#[test]
fn a_front_takes_more_connections_than_the_program_may() {
    let Some((world, port)) = limited("100 concurrent") else {
        return;
    };
    let words = format!(
        "ulimit -Sn 64; exec {} run prod -- python3 program.py {port}",
        env!("CARGO_BIN_EXE_ringfence")
    );
    let child = world
        .any_command("sh")
        .args(["-c", &words])
        .spawn()
        .unwrap();
    let _inside = Ended(child);
    eventually(|| {
        TcpStream::connect(("127.0.0.1", port))
            .is_ok()
            .then_some(())
    });
    let idle: Vec<TcpStream> = (0..200).map(|_| open(port)).collect();
    assert_eq!(get(port, "/x").0, 200);
    drop(idle);
}

/// Ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_port_that_is_not_named_is_not_shown() {
    let Some((world, port)) = limited("9 requests/min") else {
        return;
    };
    let other = free_port();
    let script = format!("python3 program.py {other} & exec python3 program.py {port}");
    let mut inside = Inside::start(&world, &["prod", "--", "sh", "-c", &script]);
    let said = inside.says("is not shown outside");
    let expected = format!(
        "ringfence: the program's port {other} is not shown outside: what comes in to `prod` is limited, and `ports` in ringfence.toml does not name it; to show it, within the limits: `ports = [{other}]`"
    );
    assert!(said.contains(&expected), "{said}");
    eventually(|| (TcpStream::connect(("127.0.0.1", port)).is_ok()).then_some(()));
    assert_eq!(get(port, "/x").0, 200);
    assert!(TcpStream::connect(("127.0.0.1", other)).is_err());
    let rest = inside.end();
    assert!(!rest.contains("is not shown outside"), "once: {rest}");
}

#[test]
fn a_port_is_taken_when_the_program_listens_and_kept_while_it_pauses() {
    let Some((world, port)) = limited("9999 requests/min") else {
        return;
    };
    // A worker of the same environment, which never listens, takes nothing.
    let _worker = Inside::start(&world, &["prod", "--", "sleep", "60"]);
    std::thread::sleep(Duration::from_millis(500));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    let script =
        format!("timeout 2 python3 program.py {port}; sleep 2; exec python3 program.py {port}");
    let _inside = Inside::start(&world, &["prod", "--", "sh", "-c", &script]);
    eventually(|| {
        TcpStream::connect(("127.0.0.1", port))
            .is_ok()
            .then_some(())
    });
    let statuses = |wanted| move || (get(port, "/x").0 == wanted).then_some(());
    eventually(statuses(200));
    let (head, body) = eventually(|| {
        let (status, head, body) = get(port, "/x");
        (status == 503).then_some((head, body))
    });
    assert_eq!(header(&head, "retry-after"), Some("1"), "{head}");
    assert!(body.contains(&format!("does not listen at its port {port} at the moment")));
    eventually(statuses(200));
}

const LIMITS: &str = "ingress = \"9 requests/min\"";

/// Nothing is started, with all of these words; the exit code.
#[track_caller]
fn refused(gateway: &str, dev: &str, arguments: &[&str], words: &[&str]) -> Option<i32> {
    let world = project(free_port(), gateway);
    let manifest = world.read("ringfence.toml");
    world.write("ringfence.toml", manifest.replace("dev = {}", dev));
    let (outcome, started) = world.try_start(&[&["run", "dev"], arguments].concat());
    assert!(!started, "{gateway} {arguments:?} started it: {outcome:?}");
    for word in words {
        assert!(
            outcome.stderr.contains(word),
            "{word} is not in {}",
            outcome.stderr
        );
    }
    outcome.code
}

#[test]
fn nothing_is_started_past_the_limits() {
    let past = "listens on the host's own network, past the limits; nothing was started";
    for weak in ["--no-barrier", "--barrier=network-only"] {
        let words = &[past, "start it with the barrier `no-pidns`"];
        assert_eq!(refused(LIMITS, "dev = {}", &[weak], words), Some(125));
    }
    for weak in ["off", "config-only"] {
        let dev = format!("dev = {{ barrier = \"{weak}\" }}");
        let words = &[past, "`ingress = { in.dev = \"none\" }`"];
        assert_eq!(refused(LIMITS, &dev, &[], words), Some(78));
    }
    let off = format!("{LIMITS}\nstart = false");
    let words = &["`start = false` leaves out the gateway that counts"];
    assert_eq!(refused(&off, "dev = {}", &[], words), Some(78));
}

#[test]
fn what_is_no_limit_of_what_comes_in_is_refused() {
    let no_price = "a request to the program has neither tokens nor a price";
    for (text, word) in [
        ("100k tokens/min", no_price),
        ("5 usd/day", no_price),
        (
            "9 requests/min per caller",
            "it has clients, and neither callers nor models",
        ),
        ("9 requests", "`9 requests` is no limit"),
        ("", "`` is no limit"),
    ] {
        let gateway = format!("ingress = \"{text}\"");
        let words = &[word, "error[invalid-limit]"];
        assert_eq!(refused(&gateway, "dev = {}", &[], words), Some(78));
    }
    let proxies = format!("{LIMITS}\ningress-proxies = [\"0.0.0.0/0\"]");
    let words = &["error[invalid-proxy]", "is every address there is"];
    assert_eq!(refused(&proxies, "dev = {}", &[], words), Some(78));
}

#[test]
fn a_budget_that_another_run_keeps_lets_nobody_in() {
    let Some((world, port)) = limited("2 requests/day") else {
        return;
    };
    let mut first = Inside::serving(&world, "prod", port);
    assert_eq!(statuses(port, 1), [200]);
    // What was used is known to the next run.
    first.end();
    eventually(|| {
        TcpStream::connect(("127.0.0.1", port))
            .is_err()
            .then_some(())
    });
    let second = Inside::serving(&world, "prod", port);
    assert_eq!(statuses(port, 2), [200, 429]);
    drop(second);
    eventually(|| {
        TcpStream::connect(("127.0.0.1", port))
            .is_err()
            .then_some(())
    });
    let _holds = Inside::start(&world, &["prod", "--", "sleep", "60"]);
    std::thread::sleep(Duration::from_millis(700));
    let mut third = Inside::serving(&world, "prod", port);
    let (status, _, body) = get(port, "/x");
    assert_eq!(status, 503, "{body}");
    assert!(
        body.contains("what comes in is closed in this run: another run"),
        "{body}"
    );
    third.says("closed in this run");
}
