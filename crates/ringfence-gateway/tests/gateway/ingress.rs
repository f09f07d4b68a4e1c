//! Fronts before a real program: what is counted, what passes, and that it passes as it is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ringfence_gateway::config::{Config, Ingress, Network};
use ringfence_gateway::limit::memory::Memory;
use ringfence_gateway::limit::redis::WhenLost;
use ringfence_gateway::limit::{Store, rule};
use ringfence_gateway::serve::{Program, Waiting};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::redis::Running;
use crate::world::{Answer, World, config, eventually};

/// A real server in Python.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Option<Self> {
        Self::at(0)
    }

    /// `None` where no Python is installed, which is a visible skip unless it must be there.
    #[expect(
        clippy::disallowed_methods,
        clippy::print_stderr,
        reason = "tests start processes"
    )]
    fn at(port: u16) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gateway/program.py");
        let mut command = Command::new("python3");
        command.args([script, &port.to_string()]);
        let Ok(mut child) = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else {
            let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
            assert!(
                !required.split(',').any(|word| word == "python3"),
                "python3 is required and not installed"
            );
            eprintln!("skipped: python3 is not installed");
            return None;
        };
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Some(Self { child, port })
    }

    /// How many requests and connections it has seen; this one's connection is not counted.
    fn seen(&self) -> (u64, u64) {
        let seen = ask(([127, 0, 0, 1], self.port).into(), "GET /seen", &[]).json();
        let count = |name: &str| seen[name].as_u64().unwrap();
        (count("requests"), count("connections") - 1)
    }

    fn go(&self) {
        ask(([127, 0, 0, 1], self.port).into(), "GET /go", &[]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a run says to its front, without a barrier.
struct Direct {
    /// Where the program listens.
    target: u16,
    shown: Mutex<UnboundedReceiver<(u16, TcpListener)>>,
}

impl Program for Direct {
    fn shown(&self) -> Waiting<'_, Option<(u16, TcpListener)>> {
        Box::pin(async { self.shown.lock().await.recv().await })
    }

    fn connect(&self, _: u16) -> Waiting<'_, std::io::Result<TcpStream>> {
        let target = self.target;
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", target)).await?;
            stream.into_std()
        })
    }
}

/// A gateway before a program.
struct Front {
    world: World,
    address: SocketAddr,
    _show: UnboundedSender<(u16, TcpListener)>,
}

impl Front {
    fn new(limits: &str, target: u16) -> Self {
        Self::with(
            limited(1, limits, &[]),
            target,
            Store::Memory(Memory::default()),
        )
    }

    fn with(config: Config, target: u16, store: Store) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (show, shown) = unbounded_channel();
        show.send((8000, listener)).unwrap();
        let program = Direct {
            target,
            shown: Mutex::new(shown),
        };
        let program: Arc<dyn Program> = Arc::new(program);
        let world = World::serving(config, store, |gateway| gateway.before(program));
        Self {
            world,
            address,
            _show: show,
        }
    }

    fn get(&self, path: &str, headers: &[&str]) -> Answer {
        ask(self.address, &format!("GET {path}"), headers)
    }

    fn statuses(&self, count: usize) -> Vec<u16> {
        (0..count).map(|_| self.get("/x", &[]).status).collect()
    }
}

fn limited(generation: u64, limits: &str, proxies: &[&str]) -> Config {
    let proxies = proxies.iter().map(|text| Network::parse(text).unwrap());
    let mut config = config(generation, &[]);
    config.ingress = Ingress {
        limits: rule::parse_inbound(limits).unwrap(),
        proxies: proxies.collect(),
        closed: None,
    };
    config
}

fn open(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).unwrap();
    stream
}

/// A request that ends its connection.
fn ask(address: SocketAddr, line: &str, headers: &[&str]) -> Answer {
    let mut stream = open(address);
    let headers: String = headers
        .iter()
        .map(|header| format!("{header}\r\n"))
        .collect();
    let request = format!("{line} HTTP/1.1\r\nHost: program\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    Answer::read(&mut stream)
}

/// The same from another address of this machine.
fn ask_from(from: Ipv4Addr, address: SocketAddr) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect(address).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    let mut stream = stream;
    let request = b"GET /x HTTP/1.1\r\nHost: program\r\nConnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    Answer::read(&mut stream).status
}

/// Reads until the text has come.
#[track_caller]
fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let got = String::from_utf8_lossy(&bytes).into_owned();
        if got.contains(text) {
            return got;
        }
        match stream.read(&mut buffer) {
            Ok(1..) if bytes.len() > 1 << 20 => panic!("too much: {got}"),
            Ok(0) | Err(_) => panic!("it ended with {got}"),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

#[test]
fn what_does_not_fit_is_told_and_never_reaches_the_program() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("3 requests/min", server.port);
    assert_eq!(front.statuses(3), [200, 200, 200]);
    let refused = front.get("/x", &[]);
    assert_eq!(refused.refused(429), "rate_limit_exceeded");
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((19..=20).contains(&seconds), "{seconds}");
    for (name, expected) in [
        ("x-ratelimit-limit", "3"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", &seconds.to_string()),
    ] {
        assert_eq!(refused.header(name), Some(expected), "{name}");
    }
    assert!(
        refused
            .body
            .contains("the limit `3 requests/min` is reached; try again in"),
        "{refused:?}"
    );
    assert_eq!(
        server.seen(),
        (3, 3),
        "neither the request nor a connection"
    );
    let metrics = front.world.metrics();
    for line in [
        "requests_total{environment=\"dev\",resource=\"@ingress\",status=\"200\"} 3",
        "requests_total{environment=\"dev\",resource=\"@ingress\",status=\"429\"} 1",
        "refused_total{environment=\"dev\",resource=\"@ingress\",rule=\"3 requests/min\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[test]
fn every_kind_of_limit_refuses() {
    let Some(server) = Server::start() else {
        return;
    };
    for limits in [
        "2 requests/s burst 2",
        "2 requests/min",
        "2 requests/h",
        "2 requests/day",
        "2 requests/month",
        "2 requests/min per client",
        "2 requests/day per client",
        "9 requests/h burst 2",
        "5 requests/min, 2 requests/h",
    ] {
        let front = Front::new(limits, server.port);
        let answers: Vec<Answer> = (0..3).map(|_| front.get("/x", &[])).collect();
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [200, 200, 429], "{limits}");
        let seconds: u64 = answers[2].header("retry-after").unwrap().parse().unwrap();
        assert!((1..=31 * 86_400).contains(&seconds), "{limits}: {seconds}");
    }
}

#[test]
fn each_client_has_a_bucket_of_its_own() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("1 requests/min per client", server.port);
    let from = |last| ask_from(Ipv4Addr::new(127, 0, 0, last), front.address);
    assert_eq!(
        [from(1), from(1), from(2), from(2), from(3)],
        [200, 429, 200, 429, 200]
    );
    // Nobody is somebody else by saying so.
    let lie = front.get(
        "/x",
        &["X-Forwarded-For: 9.9.9.9", "Forwarded: for=9.9.9.9"],
    );
    assert_eq!(lie.status, 429);
}

#[test]
fn a_proxy_that_is_named_says_who_the_client_is() {
    let Some(server) = Server::start() else {
        return;
    };
    let config = limited(1, "1 requests/min per client", &["127.0.0.1"]);
    let front = Front::with(config, server.port, Store::Memory(Memory::default()));
    let told = |addresses: &str| {
        let header = format!("X-Forwarded-For: {addresses}");
        front.get("/x", &[&header]).status
    };
    let statuses = [
        told("9.9.9.1"),
        told("9.9.9.1"),
        told("9.9.9.2"),
        told("1.1.1.1, 9.9.9.2"),
    ];
    assert_eq!(statuses, [200, 429, 200, 429]);
    // Who is no proxy has no say.
    assert_eq!(ask_from(Ipv4Addr::new(127, 0, 0, 5), front.address), 200);
    assert_eq!(ask_from(Ipv4Addr::new(127, 0, 0, 5), front.address), 429);
    let heard = front.get(
        "/heard",
        &["X-Forwarded-For: 9.9.9.7", "X-Forwarded-Proto: https"],
    );
    let headers = heard.json()["headers"].to_string().to_lowercase();
    assert!(
        headers.contains(r#"["x-forwarded-for","9.9.9.7, 127.0.0.1"]"#),
        "{headers}"
    );
    assert!(
        headers.contains(r#"["x-forwarded-proto","https"]"#),
        "{headers}"
    );
}

#[test]
fn places_are_held_while_an_answer_is_under_way_and_come_back_with_its_end() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("1 concurrent", server.port);
    let request = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut leaving = open(front.address);
    leaving.write_all(request).unwrap();
    eventually(|| (server.seen().0 == 1).then_some(()));
    let refused = front.get("/x", &[]);
    assert_eq!(refused.refused(429), "rate_limit_exceeded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // A client who leaves gives its place back before the program has answered.
    drop(leaving);
    eventually(|| (front.get("/x", &[]).status == 200).then_some(()));
    let before = server.seen().0;
    let mut staying = open(front.address);
    staying.write_all(request).unwrap();
    eventually(|| (server.seen().0 == before + 1).then_some(()));
    assert_eq!(front.get("/x", &[]).status, 429);
    server.go();
    read_until(&mut staying, "{}");
    assert_eq!(
        front.get("/x", &[]).status,
        200,
        "the connection is still open"
    );
}

#[test]
fn an_upgrade_is_counted_once_and_then_passes_as_bytes() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("1 requests/min, 1 concurrent", server.port);
    let mut socket = open(front.address);
    let upgrade = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).unwrap();
    let head = read_until(&mut socket, "\r\n\r\n").to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    // The example of RFC 6455, section 1.3.
    assert!(
        head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
        "{head}"
    );
    assert!(head.contains("upgrade: websocket\r\n") && head.contains("connection: upgrade\r\n"));
    for _ in 0..50 {
        socket.write_all(b"\x81\x05hello").unwrap();
        read_until(&mut socket, "hello");
    }
    assert_eq!(server.seen().0, 1);
    assert_eq!(front.get("/x", &[]).status, 429);
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(socket.read(&mut [0; 9]).unwrap(), 0, "an end passes too");
}

#[test]
fn a_tunnel_holds_its_place() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("1 concurrent", server.port);
    let mut socket = open(front.address);
    let upgrade = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).unwrap();
    read_until(&mut socket, "\r\n\r\n");
    assert_eq!(front.get("/x", &[]).status, 429);
    drop(socket);
    eventually(|| (front.get("/x", &[]).status == 200).then_some(()));
}

#[test]
fn what_would_not_be_counted_is_not_upgraded_to() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("9 requests/min", server.port);
    let request = "GET /heard HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    let mut stream = open(front.address);
    stream.write_all(request.as_bytes()).unwrap();
    let heard = Answer::read(&mut stream).json()["headers"]
        .to_string()
        .to_lowercase();
    assert!(
        !heard.contains("h2c") && !heard.contains("http2-settings"),
        "{heard}"
    );
    let tunnel = ask(front.address, "CONNECT example.com:443", &[]);
    assert_eq!(tunnel.refused(405), "no_tunnels");
    // HTTP/2 without an upgrade.
    let mut stream = open(front.address);
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    assert_eq!(server.seen().0, 1);
}

#[test]
fn events_pass_while_the_answer_is_under_way() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("9 requests/min", server.port);
    let mut stream = open(front.address);
    stream
        .write_all(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let first = read_until(&mut stream, "data: 1\n\n");
    assert!(!first.contains("data: 2"), "{first}");
    server.go();
    read_until(&mut stream, "0\r\n\r\n");
}

#[test]
fn requests_and_answers_keep_what_is_theirs() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("90 requests/min", server.port);
    let answer = front.get(
        "/heard/a%2Fb//c?x=1&y=%20",
        &["X-MiXed: 1", "Cookie: a=b", "Accept: a/b"],
    );
    let heard = answer.json();
    assert_eq!(heard["line"], "GET /heard/a%2Fb//c?x=1&y=%20 HTTP/1.1");
    let headers: Vec<(String, String)> = serde_json::from_value(heard["headers"].clone()).unwrap();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["Host", "X-MiXed", "Cookie", "Accept", "x-forwarded-for"],
        "{headers:?}"
    );
    assert_eq!(headers[0].1, "program");
    assert_eq!(headers[4].1, "127.0.0.1");
    assert!(answer.head.contains("\r\nX-CaSe: 1"), "{}", answer.head);
    assert!(
        answer.head.contains("Set-Cookie: a=1\r\nSet-Cookie: b=2"),
        "{}",
        answer.head
    );
    assert!(
        !answer.head.contains("X-Own"),
        "it was the connection's own: {}",
        answer.head
    );
    assert_eq!(answer.head.matches("Date: ").count(), 1, "{}", answer.head);
    let head = ask(front.address, "HEAD /x", &[]);
    assert!(head.head.contains("Content-Length: 30"), "{}", head.head);
    assert_eq!(head.body, "");
    let none = front.get("/none", &[]);
    assert_eq!(none.status, 304);
    assert!(none.head.contains("ETag: \"1\""), "{}", none.head);
    let closed = front.get("/close", &[]);
    assert_eq!(
        (closed.status, closed.body.as_str(), closed.is_whole),
        (200, "all of it", true)
    );
    let mut old = open(front.address);
    old.write_all(b"GET /events HTTP/1.0\r\n\r\n").unwrap();
    server.go();
    let mut text = String::new();
    old.read_to_string(&mut text).unwrap();
    assert!(
        text.ends_with("\r\n\r\ndata: 1\n\ndata: 2\n\n"),
        "no chunks for HTTP/1.0: {text}"
    );
}

#[test]
fn what_breaks_off_does_not_end_as_if_it_were_whole() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("9 requests/min", server.port);
    let cut = front.get("/cut", &[]);
    assert!(cut.head.contains("Content-Length: 100"), "{cut:?}");
    assert_eq!(cut.body, "half");
    assert_eq!(front.get("/gone", &[]).refused(502), "program_broke_off");
}

#[test]
fn bodies_pass_whole_both_ways() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("9 requests/min", server.port);
    let body = vec![b'y'; 20 << 20];
    for chunked in [false, true] {
        let mut stream = open(front.address);
        let framing = if chunked {
            "Transfer-Encoding: chunked".to_owned()
        } else {
            format!("Content-Length: {}\r\nExpect: 100-continue", body.len())
        };
        let head = format!("POST /p HTTP/1.1\r\nHost: a\r\n{framing}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        if chunked {
            for piece in body.chunks(100_000) {
                stream
                    .write_all(format!("{:x}\r\n", piece.len()).as_bytes())
                    .unwrap();
                stream.write_all(piece).unwrap();
                stream.write_all(b"\r\n").unwrap();
            }
            stream.write_all(b"0\r\n\r\n").unwrap();
        } else {
            read_until(&mut stream, "100 Continue\r\n\r\n");
            stream.write_all(&body).unwrap();
        }
        let answer = Answer::read(&mut stream);
        assert_eq!(answer.json()["length"], body.len(), "{answer:?}");
    }
    // A method that seldom has a body keeps it.
    let mut stream = open(front.address);
    let request = "GET /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut stream).json()["length"], 3);
    let down = front.get("/bytes?20971520", &[]);
    assert!(down.is_whole && down.body.len() == 20 << 20);
}

#[test]
fn a_connection_is_used_again_and_made_anew_where_the_program_closed_it() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("99 requests/min", server.port);
    let mut stream = open(front.address);
    let mut get = |path: &str, until: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        read_until(&mut stream, until)
    };
    for _ in 0..5 {
        get("/x", "}");
    }
    assert_eq!(server.seen(), (5, 1));
    get("/idle", "{}");
    std::thread::sleep(Duration::from_millis(100));
    let answer = get("/x", "}");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (requests, connections) = server.seen();
    assert_eq!(
        (requests, connections - 1),
        (7, 2),
        "and the one of the look before"
    );
    // It closes instead of answering the second one: nobody sees what is only an old connection's end.
    get("/once", "{}");
    let answer = get("/once", "{}");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn requests_that_read_in_two_ways_reach_nobody() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("99 requests/min", server.port);
    for request in [
        "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "GET /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\nA\u{0}: b\r\n\r\n",
        "GET /x HTTP/1.1\r\n folded: b\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let mut stream = open(front.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 400"), "{request:?}: {answer}");
    }
    // Of two lengths the chunks count, and only they are said to the program.
    let mut stream = open(front.address);
    let request = "POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(
        answer.starts_with("HTTP/1.1 400") || answer.contains("\"length\": 3,"),
        "{answer}"
    );
    assert!(server.seen().0 <= 1);
}

#[test]
fn while_nobody_listens_a_client_hears_when_to_come_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let port = server.port;
    drop(server);
    let front = Front::new("99 requests/min", port);
    let refused = front.get("/x", &[]);
    assert_eq!(refused.refused(503), "program_not_listening");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(
        refused.body.contains("does not listen at its port 8000"),
        "{refused:?}"
    );
    let _server = Server::at(port).unwrap();
    assert_eq!(front.get("/x", &[]).status, 200);
}

#[test]
fn a_reload_changes_a_limit_and_keeps_what_was_used() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("3 requests/h", server.port);
    assert_eq!(front.statuses(4), [200, 200, 200, 429]);
    let served = |generation: u64| {
        let metrics = front.world.metrics();
        metrics.contains(&format!("generation{{environment=\"dev\"}} {generation}"))
    };
    front.world.reload(Some(limited(2, "5 requests/h", &[])));
    eventually(|| served(2).then_some(()));
    assert_eq!(front.statuses(3), [200, 200, 429]);
    front.world.reload(Some(limited(3, "none", &[])));
    eventually(|| served(3).then_some(()));
    assert_eq!(front.statuses(3), [200, 200, 200]);
    let mut closed = limited(4, "none", &[]);
    closed.ingress.closed = Some("the limits cannot be held".to_owned());
    front.world.reload(Some(closed));
    eventually(|| served(4).then_some(()));
    assert_eq!(front.get("/x", &[]).refused(503), "limits_unavailable");
}

#[test]
fn a_reload_under_load_loses_no_request() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("9000 requests/s", server.port);
    std::thread::scope(|scope| {
        let ask = || {
            for _ in 0..100 {
                assert_eq!(front.get("/x", &[]).status, 200);
            }
        };
        let all: Vec<_> = (0..3).map(|_| scope.spawn(ask)).collect();
        let mut generation = 2;
        while all.iter().any(|one| !one.is_finished()) {
            front
                .world
                .reload(Some(limited(generation, "8000 requests/s", &[])));
            generation += 1;
            std::thread::sleep(Duration::from_millis(50));
        }
    });
}

#[test]
fn two_fronts_on_one_redis_allow_what_one_would() {
    let Some(redis) = Running::start() else {
        return;
    };
    let Some(server) = Server::start() else {
        return;
    };
    let front = |limits: &str| {
        let store = redis.store("dev", WhenLost::Deny).unwrap();
        Front::with(
            limited(1, limits, &[]),
            server.port,
            Store::Redis(Box::new(store)),
        )
    };
    let fronts = [
        front("5 requests/h per client"),
        front("5 requests/h per client"),
    ];
    let statuses: Vec<u16> = (0..7)
        .map(|number| fronts[number % 2].get("/x", &[]).status)
        .collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429]);
    let fronts = [front("1 concurrent"), front("1 concurrent")];
    let mut held = open(fronts[0].address);
    held.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    eventually(|| (server.seen().0 == 6).then_some(()));
    assert_eq!(fronts[1].get("/x", &[]).status, 429);
    server.go();
    read_until(&mut held, "{}");
    eventually(|| (fronts[1].get("/x", &[]).status == 200).then_some(()));
    drop(redis);
    let lost = fronts[0].get("/x", &[]);
    assert_eq!(lost.refused(503), "limits_unavailable");
    assert_eq!(lost.header("retry-after"), Some("1"));
}

#[test]
fn a_refusal_is_small_and_in_the_usual_shape() {
    let Some(server) = Server::start() else {
        return;
    };
    let front = Front::new("1 requests/h", server.port);
    front.get("/x", &[]);
    let refused = front.get("/x", &[]);
    assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
    assert!(refused.body.len() < 300, "{}", refused.body);
}
