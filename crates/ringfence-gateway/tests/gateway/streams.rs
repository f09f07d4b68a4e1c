//! Streams: passed on as they come, settled, and never ended as if they were whole.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::upstream::{END, EVENTS, Upstream, chunk, delta, say};
use crate::world::{Answer, Api, KEY, World, eventually};

const USAGE: &str = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;

fn stream(events: &[String]) -> Upstream {
    Upstream::saying(format!("{EVENTS}{}{END}", events.concat()))
}

fn ask(world: &World, rest: &str) -> Answer {
    world.chat(&format!(r#","stream":true{rest}"#))
}

#[test]
fn usage_is_asked_for_settled_and_kept_from_who_did_not_ask() {
    let upstream = stream(&[delta("a"), delta("b"), chunk(USAGE), chunk("[DONE]")]);
    let world = World::new(&[Api::llm(&upstream.url)]);
    let answer = ask(&world, "");
    assert_eq!(answer.events().len(), 3, "{answer:?}");
    assert_eq!(answer.events()[2], "[DONE]");
    assert!(
        upstream
            .last_body()
            .ends_with(r#","stream":true,"stream_options":{"include_usage":true}}"#)
    );
    let asked = ask(&world, r#","stream_options":{"include_usage":true}"#);
    assert_eq!(asked.events().len(), 4);
    let records = world.records(2);
    for record in &records {
        assert_eq!(
            (
                &record["gen_ai.usage.input_tokens"],
                &record["gen_ai.usage.output_tokens"]
            ),
            (&9.into(), &2.into())
        );
    }
    assert!(records[0]["ringfence.first_byte_ms"].is_number());
}

/// What the upstream sends before it ends badly, and the code of the event that tells of it.
#[test]
fn a_failed_stream_ends_with_an_error_and_not_as_if_it_were_whole() {
    let long = format!("data: {}", "x".repeat(9 << 20));
    for (sent, code) in [
        (delta("a"), "upstream_broken"),
        (delta("a") + "5\r\nda", "upstream_broken"),
        (delta("a") + "6\r\ndata: \r\n" + END, "upstream_invalid"),
        (
            delta("a") + &chunk("this is no json") + END,
            "upstream_invalid",
        ),
        (
            delta("a") + &format!("{:x}\r\n{long}\r\n", long.len()) + END,
            "upstream_invalid",
        ),
    ] {
        let upstream = Upstream::saying(format!("{EVENTS}{sent}"));
        let world = World::new(&[Api::llm(&upstream.url)]);
        let answer = ask(&world, "");
        let events = answer.events();
        assert!(events[0].contains("\"content\":\"a\""), "{answer:?}");
        assert!(
            events
                .last()
                .unwrap()
                .contains(&format!("\"code\":\"{code}\"")),
            "{code}: {answer:?}"
        );
        assert!(!answer.body.contains("[DONE]"));
        assert_eq!(world.records(1)[0]["error.type"], code);
    }
}

#[test]
fn a_stream_that_falls_silent_is_ended() {
    let upstream = Upstream::new(|stream, _| {
        say(stream, &format!("{EVENTS}{}", delta("a")));
        std::thread::sleep(Duration::from_secs(30));
    });
    let world = World::new(&[Api {
        timeout: Duration::from_millis(300),
        ..Api::llm(&upstream.url)
    }]);
    let began = Instant::now();
    let answer = ask(&world, "");
    assert!(
        answer.events().last().unwrap().contains("upstream_timeout"),
        "{answer:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_error_within_a_stream_passes_and_is_written_down() {
    let error = r#"{"error":{"message":"overloaded","type":"server_error","param":null,"code":"overloaded"}}"#;
    let upstream = stream(&[delta("a"), chunk(error)]);
    let world = World::new(&[Api::llm(&upstream.url)]);
    let answer = ask(&world, "");
    assert_eq!(answer.events()[1], error);
    assert!(!answer.body.contains("[DONE]"));
    assert_eq!(world.records(1)[0]["error.type"], "upstream_error");
}

#[test]
fn a_caller_who_leaves_stops_the_upstream_and_pays_for_what_came() {
    let stopped = Arc::new(AtomicBool::new(false));
    let noticed = Arc::clone(&stopped);
    let upstream = Upstream::new(move |stream, _| {
        say(stream, EVENTS);
        for _ in 0..1000 {
            if std::io::Write::write_all(stream, delta("word").as_bytes()).is_err() {
                noticed.store(true, Ordering::Relaxed);
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let world = World::new(&[Api {
        limits: "100000 tokens/day",
        ..Api::llm(&upstream.url)
    }]);
    let body = br#"{"model":"chat","stream":true,"max_tokens":50000}"#;
    let mut caller = world.open("POST", "/v1/chat/completions", &[], body);
    let mut seen = [0; 2048];
    caller.read_exact(&mut seen).unwrap();
    drop(caller);
    eventually(|| stopped.load(Ordering::Relaxed).then_some(()));
    let record = world.records(1).remove(0);
    assert_eq!(
        (&record["error.type"], &record["ringfence.usage_estimated"]),
        (&"client_gone".into(), &true.into())
    );
    let tokens = record["gen_ai.usage.output_tokens"].as_u64().unwrap();
    assert!((5..200).contains(&tokens), "{record}");
    // The reserve of 50,000 is settled: as many fit again.
    let again = world.open(
        "POST",
        "/v1/chat/completions",
        &[],
        br#"{"model":"chat","stream":true,"max_tokens":99000}"#,
    );
    eventually(|| (upstream.requests().len() == 2).then_some(()));
    drop(again);
}

#[test]
fn a_key_in_a_stream_is_taken_out() {
    let upstream = stream(&[delta(KEY), chunk("[DONE]")]);
    let world = World::new(&[Api::llm(&upstream.url)]);
    let answer = ask(&world, "");
    assert!(
        !answer.body.contains(KEY) && answer.body.contains("**********"),
        "{answer:?}"
    );
}

#[test]
fn chunks_pass_when_they_come() {
    let world = World::new(&[Api::llm("mock://?pause=200ms")]);
    let began = Instant::now();
    let body = br#"{"model":"chat","stream":true,"messages":[{"role":"user","content":"one two three four"}]}"#;
    let mut caller = world.open("POST", "/v1/chat/completions", &[], body);
    let mut first = [0; 300];
    caller.read_exact(&mut first).unwrap();
    assert!(
        began.elapsed() < Duration::from_millis(900),
        "the first chunk waited for others"
    );
    let mut rest = Vec::new();
    caller.read_to_end(&mut rest).unwrap();
    assert!(began.elapsed() > Duration::from_millis(1200));
}

#[test]
fn a_mock_breaks_off_as_its_script_says() {
    let world = World::new(&[Api::llm("mock://?cut=1")]);
    let answer = ask(&world, "");
    assert_eq!(answer.events().len(), 2);
    assert!(answer.events()[1].contains("upstream_broken"));
    let failing = World::new(&[Api::llm("mock://?fail=400")]);
    assert_eq!(failing.chat("").refused(400), "mock_failure");
}
