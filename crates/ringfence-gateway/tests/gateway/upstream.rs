//! Servers that do what a test says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A server; each connection is handed to the test's closure after its request has been read.
pub(crate) struct Upstream {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    pub(crate) fn new(answer: impl Fn(&mut TcpStream, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/base", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let request = read(&mut stream);
                    let count = {
                        let mut heard = heard.lock().unwrap();
                        heard.push(request);
                        heard.len()
                    };
                    answer(&mut stream, count);
                });
            }
        });
        Self { url, requests }
    }

    /// Always says the same.
    pub(crate) fn saying(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::new(move |stream, _| say(stream, &text))
    }

    /// Answers with JSON.
    pub(crate) fn json(status: &str, body: &str) -> Self {
        Self::saying(response(status, "Content-Type: application/json\r\n", body))
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The body of the last request.
    pub(crate) fn last_body(&self) -> String {
        let last = self.requests().pop().unwrap();
        last.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

pub(crate) fn response(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The head of a stream that ends with the connection.
pub(crate) const EVENTS: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

pub(crate) fn chunk(data: &str) -> String {
    let event = format!("data: {data}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len())
}

/// A chunk of an answer.
pub(crate) fn delta(text: &str) -> String {
    chunk(&format!(
        r#"{{"id":"c","model":"m-1","choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#
    ))
}

pub(crate) const END: &str = "0\r\n\r\n";

/// Whether it could be said.
pub(crate) fn say(stream: &mut TcpStream, text: &str) {
    // Whoever has left hears nothing.
    let _ = stream.write_all(text.as_bytes());
}

fn read(stream: &mut TcpStream) -> String {
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length = lower
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let is_chunked = lower.contains("transfer-encoding: chunked");
            if is_chunked && body.ends_with("0\r\n\r\n")
                || !is_chunked && body.len() >= length.unwrap_or(0)
            {
                return text;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return text,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
