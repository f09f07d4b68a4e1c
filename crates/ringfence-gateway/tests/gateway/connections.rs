//! Many connections at once: those that wait keep nothing but their socket, and nobody notices.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::world::{Api, World};

/// More than may keep their buffers.
const MANY: usize = 300;

fn crowd(world: &World) -> Vec<TcpStream> {
    let connect = |_| {
        let stream = TcpStream::connect(world.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream
    };
    let mut crowd: Vec<TcpStream> = (0..MANY).map(connect).collect();
    for stream in &mut crowd {
        stream.write_all(HEALTH.as_bytes()).unwrap();
    }
    for stream in &mut crowd {
        assert_eq!(answer(stream), "ok\n");
    }
    crowd
}

const HEALTH: &str = "GET /-/health HTTP/1.1\r\nHost: a\r\n\r\n";

/// The body of the next answer, whose length is told.
fn answer(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(!head.contains("connection: close"), "{head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap()];
    stream.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

#[test]
fn a_connection_goes_on_after_it_has_waited() {
    let world = World::new(&[Api::llm("mock://")]);
    let mut crowd = crowd(&world);
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"hello"}]}"#;
    let chat = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        world.token,
        body.len()
    );
    // In two halves, of which the first ends within the head or the body.
    for (index, stream) in crowd.iter_mut().enumerate() {
        let half = index % chat.len();
        stream.write_all(&chat.as_bytes()[..half]).unwrap();
        stream.write_all(&chat.as_bytes()[half..]).unwrap();
    }
    for stream in &mut crowd {
        assert!(answer(stream).contains("You said: hello"));
    }
    // In chunks, the last of which comes by itself.
    let chunked = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n",
        world.token,
        body.len()
    );
    for stream in &mut crowd {
        stream.write_all(chunked.as_bytes()).unwrap();
    }
    for stream in &mut crowd {
        stream.write_all(b"0\r\n\r\n").unwrap();
        assert!(answer(stream).contains("You said: hello"));
    }
    // Two at once, and the beginning of a third.
    for stream in &mut crowd {
        stream
            .write_all(format!("{HEALTH}{chat}GET /-/h").as_bytes())
            .unwrap();
    }
    for stream in &mut crowd {
        assert_eq!(answer(stream), "ok\n");
        assert!(answer(stream).contains("You said: hello"));
        stream
            .write_all(b"ealth HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        assert_eq!(answer(stream), "ok\n");
    }
}

/// What follows a refused request's head may be its body: nothing in it is taken for the next request.
#[test]
fn a_body_that_is_not_read_is_no_request() {
    let world = World::new(&[Api::llm("mock://")]);
    let mut crowd = crowd(&world);
    for stream in &mut crowd {
        stream
            .write_all(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n",
            )
            .unwrap();
    }
    for stream in &mut crowd {
        // The gateway may have closed already.
        let _ = stream.write_all(HEALTH.as_bytes());
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
        assert!(text.starts_with("HTTP/1.1 401"), "{text}");
    }
}

/// A stream that pauses is no connection that waits.
#[test]
fn answers_under_way_are_not_disturbed() {
    let world = World::new(&[Api::llm("mock://?chunks=3&pause=100ms")]);
    let _crowd = crowd(&world);
    let streams: Vec<_> = (0..MANY)
        .map(|_| {
            let body =
                r#"{"model":"chat","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;
            world.open("POST", "/v1/chat/completions", &[], body.as_bytes())
        })
        .collect();
    for mut stream in streams {
        let answer = crate::world::Answer::read(&mut stream);
        assert!(answer.is_whole && answer.body.ends_with("data: [DONE]\n\n"));
    }
}
