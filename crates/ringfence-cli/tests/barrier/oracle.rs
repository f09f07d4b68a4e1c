//! Servers on the ground that answer whoever reaches them, and count.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::scene::SECRET;

/// Counts who came.
#[derive(Clone, Default)]
pub(crate) struct Oracle {
    visits: Arc<AtomicUsize>,
    names: Arc<Mutex<Vec<String>>>,
}

impl Oracle {
    pub(crate) fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }

    /// The names that a resolver was asked for.
    pub(crate) fn names(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }

    /// Answers every connection to `address` like a web server, with the secret.
    pub(crate) fn http(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap_or_else(|e| panic!("{address}: {e}"));
        Self::greet(move || listener.accept().map(|(stream, _)| stream))
    }

    /// The same on a unix socket, which everybody may open.
    pub(crate) fn unix(path: &Path) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let listener = UnixListener::bind(path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
        Self::greet(move || listener.accept().map(|(stream, _)| stream))
    }

    /// The same on an abstract socket.
    pub(crate) fn abstract_socket(name: &str) -> Self {
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        Self::greet(move || listener.accept().map(|(stream, _)| stream))
    }

    fn greet<S: Read + Write + Send + 'static>(
        mut accept: impl FnMut() -> std::io::Result<S> + Send + 'static,
    ) -> Self {
        let oracle = Self::default();
        let visits = Arc::clone(&oracle.visits);
        thread::spawn(move || {
            while let Ok(mut stream) = accept() {
                visits.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    // Whoever leaves early has been counted, which is what matters.
                    let _ = stream.read(&mut [0; 4096]);
                    let body = format!("{SECRET}\n");
                    let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                    let _ = stream.write_all((head + &body).as_bytes());
                });
            }
        });
        oracle
    }

    /// Sends back whatever comes, on every connection.
    pub(crate) fn echo(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let oracle = Self::default();
        let visits = Arc::clone(&oracle.visits);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                visits.fetch_add(1, Ordering::SeqCst);
                let echo = move || {
                    let mut writer = stream.try_clone().unwrap();
                    let _ = std::io::copy(&mut &stream, &mut writer);
                    let _ = writer.shutdown(std::net::Shutdown::Write);
                };
                thread::Builder::new()
                    .stack_size(64 << 10)
                    .spawn(echo)
                    .unwrap();
            }
        });
        oracle
    }

    /// Answers every datagram with the secret.
    pub(crate) fn udp(address: &str) -> Self {
        Self::datagrams(address, |_, _| SECRET.as_bytes().to_vec())
    }

    /// A resolver to which every name is prod's address, and which remembers what it was asked.
    pub(crate) fn dns() -> Self {
        Self::datagrams("8.8.8.8:53", |oracle, query| {
            let (name, end) = question(query);
            oracle.names.lock().unwrap().push(name);
            let mut answer = query[..end].to_vec();
            let is_a = query[end - 4..end - 2] == [0, 1];
            answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
            if is_a {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 20, 0, 5]);
            }
            answer
        })
    }

    fn datagrams(address: &str, answer: fn(&Self, &[u8]) -> Vec<u8>) -> Self {
        let socket = UdpSocket::bind(address).unwrap_or_else(|e| panic!("{address}: {e}"));
        let oracle = Self::default();
        let own = oracle.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, sender)) = socket.recv_from(&mut buffer) {
                own.visits.fetch_add(1, Ordering::SeqCst);
                let _ = socket.send_to(&answer(&own, &buffer[..length]), sender);
            }
        });
        oracle
    }
}

/// The name that a DNS query asks for, and where its question ends.
fn question(query: &[u8]) -> (String, usize) {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let next = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..next]).into_owned());
        at = next;
    }
    (labels.join("."), at + 5)
}
