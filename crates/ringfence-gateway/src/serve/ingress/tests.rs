//! Clients and programs that keep somebody waiting. The clock stands still, and leaps when nothing else is left to do.

use std::io::{Read, Write};
use std::time::Instant;

use ringfence_flag::definition;
use ringfence_secret::redact::Patterns;

use super::*;
use crate::caller::CallerKey;
use crate::config::{Allowances, Config, Ingress, Origins};
use crate::limit::memory::Memory;
use crate::limit::{Store, rule};
use crate::record::writer::Recorder;
use crate::serve::Gateway;
use crate::serve::connection::Server;

/// A program of which a test says what it does with each connection.
struct Said(fn(TcpStream));

impl Program for Said {
    fn shown(&self) -> Waiting<'_, Option<(u16, TcpListener)>> {
        Box::pin(async { None })
    }

    fn connect(&self, _: u16) -> Waiting<'_, io::Result<TcpStream>> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        let said = self.0;
        std::thread::spawn(move || said(theirs));
        Box::pin(async { Ok(ours) })
    }
}

fn gateway(program: fn(TcpStream)) -> Arc<Gateway> {
    let environment = definition::Environment {
        name: "here".to_owned(),
        tier: "development".to_owned(),
    };
    let config = Config {
        environment: "here".to_owned(),
        production: false,
        generation: 1,
        resources: Vec::new(),
        flags: definition::build(&definition::Sources::default(), &environment).0,
        origins: Origins::default(),
        callers: CallerKey::derived(b"secret", "p", "here"),
        secrets: Patterns::new([]),
        ingress: Ingress {
            limits: rule::parse_inbound("1 concurrent").unwrap(),
            ..Ingress::default()
        },
        allowances: Allowances::default(),
    };
    let recorder = Recorder::start(Box::new(io::sink()));
    let gateway = Gateway::new(config, recorder, Store::Memory(Memory::default()));
    Arc::new(gateway.before(Arc::new(Said(program))))
}

/// Serves a client that sends this, and then only `reads`, until the front has had enough; what the client got, and that its place
/// is free again.
async fn served(program: fn(TcpStream), sends: &str, reads: bool) -> String {
    let gateway = gateway(program);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(sends.as_bytes()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let stream = tokio::net::TcpStream::from_std(stream).unwrap();
    let places = Arc::new(Semaphore::new(1));
    let place = Arc::clone(&places).acquire_owned().await.unwrap();
    let (_ending, ended) = watch::channel(false);
    let worker = Arc::new(Worker {
        gateway: Arc::clone(&gateway),
        clients: Arc::default(),
        server: Server::new(1),
    });
    let began = Instant::now();
    serve(worker, stream, 8000, (place, ended)).await;
    assert!(began.elapsed() < Duration::from_secs(20), "the clock leapt");
    assert_eq!(places.available_permits(), 1);
    let ingress = &gateway.snapshot().ingress;
    let client_of_next = ingress.client([127, 0, 0, 1].into(), std::iter::empty());
    let next = admission::Admission::take(&gateway, &gateway.snapshot(), client_of_next).await;
    assert!(next.is_ok(), "the request's own place is free too");
    let mut got = Vec::new();
    if reads {
        let _ = client.read_to_end(&mut got);
    }
    String::from_utf8_lossy(&got).into_owned()
}

/// Reads for as long as there is something.
fn listen(mut stream: TcpStream) {
    let _ = io::copy(&mut stream, &mut io::sink());
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_ends_the_connection() {
    let got = served(listen, "GET / HTTP/1.1\r\nHost: a\r\n", true).await;
    assert!(!got.contains("200"), "{got}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_ends_the_request() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf";
    let got = served(listen, head, true).await;
    assert!(got.starts_with("HTTP/1.1 408 "), "{got}");
    assert!(got.contains("\"code\":\"request_timeout\""), "{got}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_takes_ends_the_connection() {
    /// Answers without end, until nobody takes it.
    fn pour(mut stream: TcpStream) {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
    }
    served(pour, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false).await;
}
