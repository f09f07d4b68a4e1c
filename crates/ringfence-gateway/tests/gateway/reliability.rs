//! What goes wrong in the world, one thing at a time. Streams and models have more of it in `streams` and `models`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use ringfence_gateway::config::Level;

use crate::upstream::{END, EVENTS, Upstream, chunk, delta, response, say};
use crate::world::{Answer, Api, KEY, World};

/// A server that reads nothing of a request but its first bytes, says something, and closes: what is unread makes it a reset.
fn resetting(said: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/base", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.read_exact(&mut [0; 16]).unwrap();
            say(&mut stream, &said);
            // What was said has to arrive before the reset takes it back.
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    url
}

#[test]
fn a_reset_is_told_as_the_upstreams_and_costs_nothing() {
    let limited = |url: &str| {
        World::new(&[Api {
            limits: "3000 tokens/day",
            ..Api::llm(url)
        }])
    };
    let long = format!(r#","max_tokens":2000,"user":"{}""#, "x".repeat(2000));
    let world = limited(&resetting(String::new()));
    let code = world.chat(&long).refused(502);
    assert!(code.starts_with("upstream_"), "{code}");
    assert_eq!(world.chat(&long).status, 502, "the reserve was given back");
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"id\":";
    let world = limited(&resetting(head.to_owned()));
    assert_eq!(world.chat(&long).refused(502), "upstream_broken");
    let world = limited(&resetting(format!("{EVENTS}{}", delta("a"))));
    let answer = world.chat(&format!(r#"{long},"stream":true"#));
    let last = answer.events().pop().unwrap();
    assert!(
        last.contains("upstream_broken") && !answer.body.contains("[DONE]"),
        "{answer:?}"
    );
}

#[test]
fn an_api_that_hangs_is_left() {
    let patience = |url: &str| {
        World::new(&[Api {
            timeout: Duration::from_millis(400),
            ..Api::http(url)
        }])
    };
    let silent = Upstream::new(|_, _| std::thread::sleep(Duration::from_secs(30)));
    let began = Instant::now();
    let answer = patience(&silent.url).send("GET", "/pay/x", &[], b"");
    assert_eq!(answer.refused(504), "upstream_timeout");
    let half = Upstream::new(|stream, _| {
        say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        std::thread::sleep(Duration::from_secs(30));
    });
    let world = patience(&half.url);
    let answer = world.send("GET", "/pay/x", &[], b"");
    assert!(!answer.is_whole, "{answer:?}");
    assert_eq!(world.records(1)[0]["error.type"], "upstream_timeout");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_echoed_key_is_taken_out_wherever_a_stream_is_cut() {
    // As JSON writes it, and as it is in a comment.
    let event = delta(&KEY.replace('/', "\\/"));
    let text = event
        .split_once("\r\n")
        .unwrap()
        .1
        .trim_end_matches("\r\n")
        .to_owned();
    let said = format!(": {KEY}\n\n{text}\n\n");
    for size in [1, 2, 3, 5, 8, 13, 21, 34, 200] {
        let bytes = said.clone();
        let upstream = Upstream::new(move |stream, _| {
            say(stream, EVENTS);
            for piece in bytes.as_bytes().chunks(size) {
                let piece = std::str::from_utf8(piece).unwrap();
                say(stream, &format!("{:x}\r\n{piece}\r\n", piece.len()));
            }
            say(stream, &format!("{}{END}", chunk("[DONE]")));
        });
        let world = World::new(&[Api::llm(&upstream.url)]);
        let answer = world.chat(r#","stream":true"#);
        assert!(
            answer.body.contains("*****") && answer.body.ends_with("[DONE]\n\n"),
            "{answer:?}"
        );
        for part in ["sk-up", "9f8Q", "e7D6c5B4a3"] {
            assert!(!answer.body.contains(part), "{size}: {answer:?}");
        }
    }
}

#[test]
fn an_echoed_key_is_taken_out_of_a_models_errors_and_heads() {
    let head = format!(
        "Content-Type: application/json\r\nOpenAI-Organization: {KEY}\r\nX-Request-Id: {KEY}\r\nETag: \"{KEY}\"\r\n"
    );
    let body = format!(
        r#"{{"error":{{"message":"the key {KEY} is wrong","type":"x","param":null,"code":"x"}}}}"#
    );
    for status in [
        "200 OK",
        "400 Bad Request",
        "401 Unauthorized",
        "429 Too Many Requests",
        "500 Internal Server Error",
    ] {
        let upstream = Upstream::saying(response(status, &head, &body));
        let world = World::new(&[Api {
            record: Level::Full,
            ..Api::llm(&upstream.url)
        }]);
        let answer = world.chat("");
        assert!(
            !answer.head.contains(KEY) && !answer.body.contains(KEY),
            "{status}: {answer:?}"
        );
        world.records(1);
        assert!(!world.record_text().contains(KEY), "{status}");
    }
}

/// Two events with half a key each: the text that is written down is one.
#[test]
fn a_key_that_comes_in_two_events_is_not_written_down() {
    let (first, second) = KEY.split_at(9);
    let events = [delta(first), delta(second), chunk("[DONE]")].concat();
    let upstream = Upstream::saying(format!("{EVENTS}{events}{END}"));
    let world = World::new(&[Api {
        record: Level::Full,
        ..Api::llm(&upstream.url)
    }]);
    world.chat(r#","stream":true"#);
    let record = world.records(1).remove(0);
    let message = &record["gen_ai.output.messages"][0];
    assert_eq!(message["parts"][0]["content"], "[redacted:KEY]");
}

fn begin(world: &World, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(world.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let token = &world.token;
    say(
        &mut stream,
        &format!("{head}Host: a\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"),
    );
    stream
}

/// A body of which a byte comes now and then is not waited for longer than one that does not come.
#[test]
fn a_body_that_drips_is_not_waited_for() {
    let world = World::new(&[Api::llm("mock://")]);
    let mut stream = begin(&world, "POST /v1/chat/completions HTTP/1.1\r\n");
    say(&mut stream, "Content-Length: 10000\r\n\r\n");
    let mut dripping = stream.try_clone().unwrap();
    let began = Instant::now();
    let drip = std::thread::spawn(move || {
        while dripping.write_all(b" ").is_ok() && began.elapsed() < Duration::from_secs(50) {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert_eq!(Answer::read(&mut stream).refused(408), "request_timeout");
    assert!(
        began.elapsed() < Duration::from_secs(45),
        "{:?}",
        began.elapsed()
    );
    let _ = stream.shutdown(Shutdown::Both);
    drip.join().unwrap();
    assert_eq!(world.records(1)[0]["error.type"], "request_timeout");
}

#[test]
fn an_upload_that_drips_ends_with_the_upstreams_time() {
    let upstream = Upstream::saying(response("200 OK", "", ""));
    let world = World::new(&[Api {
        timeout: Duration::from_millis(600),
        ..Api::http(&upstream.url)
    }]);
    let mut stream = begin(&world, "PUT /pay/x HTTP/1.1\r\n");
    say(&mut stream, "Content-Length: 10000\r\n\r\n");
    let began = Instant::now();
    let mut dripping = stream.try_clone().unwrap();
    let drip = std::thread::spawn(move || {
        while dripping.write_all(b"x").is_ok() && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(Answer::read(&mut stream).refused(504), "upstream_timeout");
    assert!(began.elapsed() < Duration::from_secs(8));
    let _ = stream.shutdown(Shutdown::Both);
    drip.join().unwrap();
}

#[test]
fn forty_at_once_never_spend_over_a_hundred_tokens() {
    let world = World::new(&[Api {
        limits: "100 tokens/min",
        upstream: "mock://?latency=3s".to_owned(),
        ..Api::llm("")
    }]);
    // 20 for the prompt and 16 for the answer: two fit, and not a third.
    let statuses = world.chats_at_once(40, r#","max_tokens":16"#);
    let granted = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!((granted, statuses.len()), (2, 40), "{statuses:?}");
}
