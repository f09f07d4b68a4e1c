//! Models: mapped, limited, refused, tried again.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use ringfence_gateway::config::Level;
use ringfence_gateway::limit::Store;
use ringfence_gateway::limit::memory::Memory;
use serde_json::json;

use crate::upstream::{Upstream, response, say};
use crate::world::{Api, KEY, World, callers, config, eventually, target};

const ANSWER: &str = r#"{"id":"c1","model":"m-1-2026","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}"#;

#[test]
fn the_model_is_mapped_and_the_key_put_in_and_nothing_else_changes() {
    let upstream = Upstream::json("200 OK", ANSWER);
    let world = World::new(&[Api::llm(&upstream.url)]);
    let body = r#"{ "temperature": 1.0, "seed": 12345678901234567890123, "x_unknown": [1e2], "model": "chat", "messages": [] }"#;
    let answer = world.post("/v1/chat/completions?a=1", body);
    assert_eq!((answer.status, answer.body.as_str()), (200, ANSWER));
    let request = upstream.requests().pop().unwrap();
    assert!(
        request.starts_with("POST /base/chat/completions?a=1 HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains(&format!("authorization: Bearer {KEY}\r\n")),
        "{request}"
    );
    assert!(!request.contains(&world.token), "{request}");
    assert_eq!(upstream.last_body(), body.replace("\"chat\"", "\"m-1\""));
    let record = world.records(1).remove(0);
    for (name, expected) in [
        ("deployment.environment.name", json!("dev")),
        ("ringfence.caller", json!("web")),
        ("ringfence.model", json!("chat")),
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.request.model", json!("m-1")),
        ("gen_ai.response.model", json!("m-1-2026")),
        ("gen_ai.response.id", json!("c1")),
        ("gen_ai.response.finish_reasons", json!(["stop"])),
        ("gen_ai.usage.input_tokens", json!(7)),
        ("gen_ai.usage.output_tokens", json!(3)),
        ("ringfence.cost_micros", json!(13)),
        ("http.response.status_code", json!(200)),
        ("ringfence.generation", json!(1)),
    ] {
        assert_eq!(record[name], expected, "{name} in {record}");
    }
    assert_eq!(
        record["ringfence.request_id"],
        answer.header("x-request-id").unwrap()
    );
    assert!(
        record.get("gen_ai.input.messages").is_none(),
        "metadata alone"
    );
}

#[test]
fn a_token_counts_in_its_own_environment_alone() {
    let world = World::new(&[Api::llm("mock://")]);
    let other = callers("prod").token("web").unwrap();
    let send = |header: &str| world.send("GET", "/v1/models", &[header], b"");
    let strayed = send(&format!("Authorization: Bearer {}", *other));
    assert_eq!(strayed.refused(401), "wrong_environment");
    assert!(
        strayed
            .body
            .contains("this token belongs to `prod`, and this is the gateway of `dev`"),
        "{strayed:?}"
    );
    assert_eq!(strayed.header("x-should-retry"), Some("false"));
    for (header, code) in [
        ("Authorization: Bearer sk-anything", "invalid_token"),
        ("Authorization: nonsense", "missing_token"),
        (
            "Authorization: Bearer rf.dev.web.00000000000000000000000000000000",
            "invalid_token",
        ),
    ] {
        assert_eq!(send(header).refused(401), code, "{header}");
    }
    let mut stream = TcpStream::connect(world.address).unwrap();
    say(
        &mut stream,
        "GET /v1/models HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(
        crate::world::Answer::read(&mut stream).refused(401),
        "missing_token"
    );
}

#[test]
fn unknown_models_paths_and_bodies_are_told_in_openais_shape() {
    let world = World::new(&[Api::llm("mock://")]);
    let unknown = world.post("/v1/chat/completions", r#"{"model":"gpt-9"}"#);
    assert_eq!(unknown.refused(404), "model_not_found");
    assert!(unknown.body.contains("known: chat"));
    for (body, code) in [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("[1]", "invalid_json"),
        ("{\"model\":7}", "invalid_json"),
        ("{\"model\":\"chat\",\"model\":\"other\"}", "invalid_json"),
        ("{}", "missing_model"),
    ] {
        assert_eq!(
            world.post("/v1/chat/completions", body).refused(400),
            code,
            "{body}"
        );
    }
    for path in ["/", "/nothing", "/v2/chat/completions"] {
        assert_eq!(
            world.post(path, "{}").refused(404),
            "unknown_path",
            "{path}"
        );
    }
    for path in ["/llm/../x", "/llm/%2e%2E/x", "/llm/a\\b"] {
        assert_eq!(
            world.post(path, "{}").refused(400),
            "invalid_path",
            "{path}"
        );
    }
    assert_eq!(
        world.post("/llm/v1/models/none", "{}").refused(404),
        "unknown_path",
        "the mock has no such path"
    );
    assert_eq!(world.send("GET", "/v1/models/none", &[], b"").status, 404);
}

#[test]
fn bodies_and_heads_are_bounded() {
    let world = World::new(&[Api::llm("mock://")]);
    let mut stream = TcpStream::connect(world.address).unwrap();
    let length = 100 << 20;
    say(
        &mut stream,
        &format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Length: {length}\r\n\r\n{{",
            world.token
        ),
    );
    assert_eq!(
        crate::world::Answer::read(&mut stream).refused(413),
        "request_too_large"
    );
    // Without a length, it is counted as it comes.
    let mut stream = TcpStream::connect(world.address).unwrap();
    say(
        &mut stream,
        &format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: chunked\r\n\r\n",
            world.token
        ),
    );
    let piece = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
    for _ in 0..40 {
        say(&mut stream, &piece);
    }
    assert_eq!(
        crate::world::Answer::read(&mut stream).refused(413),
        "request_too_large"
    );
}

#[test]
fn a_head_that_does_not_come_ends_the_connection() {
    let world = World::new(&[Api::llm("mock://")]);
    let mut stream = TcpStream::connect(world.address).unwrap();
    say(
        &mut stream,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    );
    stream
        .set_read_timeout(Some(Duration::from_secs(25)))
        .unwrap();
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut rest).unwrap();
}

#[test]
fn another_spelling_of_a_path_gets_past_nothing() {
    let upstream = Upstream::saying(response("200 OK", "", "{}"));
    let world = World::new(&[Api::llm(&upstream.url)]);
    for path in [
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "/v1/chat/completion%73",
        "/v1/chat%2fcompletions",
        "/v1/Chat/Completions",
        "/llm/v1/v1/chat/completions",
        "/v1/embeddings;a",
    ] {
        let answer = world.post(path, r#"{"model":"the-dearest","messages":[]}"#);
        assert_eq!(answer.refused(400), "invalid_path", "{path}");
    }
    for method in ["CONNECT", "TRACE"] {
        let answer = world.send(method, "/llm/v1/x", &[], b"");
        assert_eq!(answer.refused(405), "method_not_allowed");
    }
    let answer = world.send("GET", "/llm/..%2fadmin", &[], b"");
    assert_eq!(answer.refused(400), "invalid_path");
    assert_eq!(upstream.requests(), Vec::<String>::new());
}

#[test]
fn a_limit_is_exact_under_forty_at_once() {
    let world = World::new(&[Api {
        limits: "1000 tokens/day, 100 requests/min",
        upstream: "mock://?latency=3s".to_owned(),
        ..Api::llm("")
    }]);
    // 20 for the prompt's 79 bytes and 16 for the answer: 27 fit.
    let statuses = world.chats_at_once(40, r#","max_tokens":16"#);
    let granted = statuses.iter().filter(|status| **status == 200).count();
    assert!(
        statuses.iter().all(|status| [200, 429].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(granted, 27);
    let used: u64 = world
        .records(40)
        .iter()
        .filter_map(|r| {
            Some(
                r["gen_ai.usage.input_tokens"].as_u64()?
                    + r["gen_ai.usage.output_tokens"].as_u64()?,
            )
        })
        .sum();
    assert!(used <= 1000, "{used}");
}

#[test]
fn what_does_not_fit_is_told_with_when_it_would() {
    let world = World::new(&[Api {
        limits: "2 requests/min, 500 tokens/min",
        ..Api::llm("mock://")
    }]);
    let first = world.chat(r#","max_tokens":5"#);
    assert_eq!(first.header("x-ratelimit-limit-requests"), Some("2"));
    assert_eq!(first.header("x-ratelimit-remaining-requests"), Some("1"));
    assert_eq!(first.header("x-ratelimit-limit-tokens"), Some("500"));
    let never = world.chat(r#","max_tokens":600"#);
    assert_eq!(never.refused(429), "request_too_large");
    assert_eq!(never.header("x-should-retry"), Some("false"));
    world.chat(r#","max_tokens":5"#);
    let full = world.chat(r#","max_tokens":5"#);
    assert_eq!(full.refused(429), "rate_limit_exceeded");
    let milliseconds: u64 = full.header("retry-after-ms").unwrap().parse().unwrap();
    assert!((20_000..=30_000).contains(&milliseconds), "{milliseconds}");
    assert_eq!(
        full.header("retry-after").unwrap(),
        milliseconds.div_ceil(1000).to_string()
    );
}

#[test]
fn a_budget_is_reached_and_not_worth_waiting_for() {
    let world = World::new(&[Api {
        limits: "0.00021 usd/h",
        ..Api::llm("mock://")
    }]);
    // A prompt of 93 bytes reserves 24 micros, 30 tokens of an answer 60; the mock uses 2 for the prompt and 6 for the answer.
    let mut answers = 0;
    let refused = loop {
        let answer = world.chat(r#","max_tokens":30"#);
        if answer.status != 200 {
            break answer;
        }
        answers += 1;
    };
    assert!((10..=24).contains(&answers), "{answers}");
    assert_eq!(refused.refused(429), "insufficient_quota");
    assert_eq!(refused.header("x-should-retry"), Some("false"));
}

#[test]
fn what_has_no_price_is_not_served_from_a_budget_of_money_in_production() {
    let upstream = Upstream::json("200 OK", ANSWER);
    let statuses = |production| {
        let api = Api {
            limits: "5 usd/day",
            ..Api::llm(&upstream.url)
        };
        let mut config = config(1, &[api]);
        config.production = production;
        let world = World::serving(config, Store::Memory(Memory::default()), |gateway| gateway);
        let post = world.post("/v1/images/generations", r#"{"model":"chat"}"#);
        let get = world.send("GET", "/v1/files", &[], b"");
        let chat = world.chat("");
        if production {
            assert_eq!(post.refused(403), "path_without_price");
        }
        [post.status, get.status, chat.status]
    };
    assert_eq!(statuses(true), [403, 200, 200]);
    assert_eq!(statuses(false), [200, 200, 200]);
}

#[test]
fn places_come_back_when_callers_leave() {
    let upstream = Upstream::new(|_, _| std::thread::sleep(Duration::from_secs(20)));
    let world = World::new(&[Api {
        limits: "1 concurrent",
        timeout: Duration::from_secs(20),
        ..Api::llm(&upstream.url)
    }]);
    let body = br#"{"model":"chat"}"#;
    let stream = world.open("POST", "/v1/chat/completions", &[], body);
    eventually(|| (upstream.requests().len() == 1).then_some(()));
    assert_eq!(world.chat("").refused(429), "rate_limit_exceeded");
    drop(stream);
    let record = eventually(|| {
        world
            .records(1)
            .into_iter()
            .find(|record| record["http.response.status_code"] == 499)
    });
    assert_eq!(record["error.type"], "client_gone");
    let _stream = world.open("POST", "/v1/chat/completions", &[], body);
    eventually(|| (upstream.requests().len() == 2).then_some(()));
}

#[test]
fn failures_are_tried_again_once_and_then_elsewhere() {
    let failing = Upstream::json("503 Service Unavailable", "{}");
    let well = Upstream::json("200 OK", ANSWER);
    let apis = [
        Api {
            models: vec![(
                "chat",
                vec![target(None, "m-1"), target(Some("other"), "m-2")],
            )],
            ..Api::llm(&failing.url)
        },
        Api {
            name: "other",
            ..Api::llm(&well.url)
        },
    ];
    let world = World::new(&apis);
    let answer = world.post("/llm/v1/chat/completions", r#"{"model":"chat"}"#);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        (failing.requests().len(), well.last_body()),
        (2, r#"{"model":"m-2"}"#.to_owned())
    );
    let record = world.records(1).remove(0);
    assert_eq!(
        (
            &record["ringfence.attempts"],
            &record["gen_ai.request.model"]
        ),
        (&json!(3), &json!("m-2"))
    );
    // Five failures in a row: it is left alone, and the other one answers at once.
    for _ in 0..4 {
        world.post("/llm/v1/chat/completions", r#"{"model":"chat"}"#);
    }
    let before = failing.requests().len();
    assert!(before <= 6, "{before}");
    world.post("/llm/v1/chat/completions", r#"{"model":"chat"}"#);
    assert_eq!(failing.requests().len(), before);
    let alone = World::new(&[Api::llm(&failing.url)]);
    assert_eq!(alone.chat("").status, 503);
}

#[test]
fn a_bad_request_is_nobody_elses_business() {
    let upstream = Upstream::json(
        "400 Bad Request",
        r#"{"error":{"message":"too long","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}"#,
    );
    let world = World::new(&[Api::llm(&upstream.url)]);
    assert_eq!(world.chat("").refused(400), "context_length_exceeded");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn what_upstreams_do_wrong_is_told_as_theirs() {
    let silent = Upstream::new(|_, _| std::thread::sleep(Duration::from_secs(30)));
    let closing = Upstream::new(|_, _| {});
    let short = Upstream::saying(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{\"id\":",
    );
    let page = Upstream::saying(response("200 OK", "Content-Type: text/html\r\n", "<html>"));
    let broken = Upstream::saying(response(
        "500 Internal Server Error",
        "Content-Type: text/html\r\n",
        "<h1>oops</h1>",
    ));
    let key = Upstream::json(
        "401 Unauthorized",
        &format!("{{\"error\":\"bad key {KEY}\"}}"),
    );
    for (upstream, status, code) in [
        (&silent, 504, "upstream_timeout"),
        (&closing, 502, "upstream_unreachable"),
        (&short, 502, "upstream_broken"),
        (&page, 502, "upstream_invalid"),
        (&broken, 500, "upstream_error"),
        (&key, 502, "upstream_refuses_key"),
    ] {
        let world = World::new(&[Api {
            timeout: Duration::from_millis(300),
            limits: "3000 tokens/day",
            ..Api::llm(&upstream.url)
        }]);
        let began = Instant::now();
        let answer = world.chat("");
        assert_eq!(answer.refused(status), code, "{answer:?}");
        assert!(began.elapsed() < Duration::from_secs(5));
        assert!(!answer.head.contains(KEY) && !answer.body.contains(KEY));
        // Nothing was used: the whole budget is there again.
        let again = world.chat(r#","max_tokens":2900"#);
        assert_eq!(again.status, status, "{again:?}");
    }
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let upstream = Upstream::new(|stream, _| {
        say(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10737418240\r\n\r\n\"",
        );
        let piece = "x".repeat(1 << 20);
        while std::io::Write::write_all(stream, piece.as_bytes()).is_ok() {}
    });
    let world = World::new(&[Api::llm(&upstream.url)]);
    assert_eq!(world.chat("").refused(502), "upstream_broken");
}

#[test]
fn nothing_secret_is_written_down_in_full_records() {
    let echo = format!(
        r#"{{"id":"c","choices":[{{"message":{{"content":"the key is {KEY}"}}}}],"usage":{{"total_tokens":5}}}}"#
    );
    let upstream = Upstream::json("200 OK", &echo);
    let world = World::new(&[Api {
        record: Level::Full,
        ..Api::llm(&upstream.url)
    }]);
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"my password is correct-Horse9battery"}],"stream":false}"#;
    let answer = world.post("/v1/chat/completions", body);
    assert!(
        answer.body.contains("the key is *") && !answer.body.contains(KEY),
        "{answer:?}"
    );
    world.post("/v1/chat/completions?key=correct-Horse9battery", body);
    let records = world.records(2);
    let text = world.record_text();
    assert!(
        text.contains("my password is [redacted:PASSWORD]"),
        "{text}"
    );
    for secret in [KEY, "correct-Horse9battery", &world.token] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(
        records[0]["gen_ai.output.messages"]
            .to_string()
            .contains("the key is")
    );
}

#[test]
fn embeddings_models_and_the_other_paths() {
    let upstream = Upstream::json(
        "200 OK",
        r#"{"object":"list","data":[],"usage":{"prompt_tokens":4,"total_tokens":4}}"#,
    );
    let world = World::new(&[Api::llm(&upstream.url)]);
    let tokens = r#"{"input":[[1,2,3]],"model":"chat","encoding_format":"base64"}"#;
    assert_eq!(world.post("/v1/embeddings", tokens).status, 200);
    assert_eq!(upstream.last_body(), tokens.replace("chat", "m-1"));
    assert_eq!(world.records(1)[0]["gen_ai.usage.input_tokens"], 4);
    let models = world.send("GET", "/llm/v1/models", &[], b"").json();
    assert_eq!(models["data"][0]["id"], "chat");
    assert_eq!(
        upstream.requests().len(),
        1,
        "the gateway knows its models itself"
    );
    // What it does not know it passes on untouched, with the key.
    let body = r#"{"model":"chat", "file":"x"}"#;
    assert_eq!(world.post("/v1/batches", body).status, 200);
    assert_eq!(upstream.last_body(), body);
    assert!(upstream.requests()[1].starts_with("POST /base/batches"));
}
