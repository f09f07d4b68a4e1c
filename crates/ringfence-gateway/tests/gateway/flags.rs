//! Flags over OFREP.

use std::io::Read;

use serde_json::json;

use crate::world::{Api, World, config, eventually, with_flags};

fn flags(plan: &str) -> String {
    format!(
        r#"{{"flags": {{
        "timeout": {{"state": "ENABLED", "variants": {{"a": 5.0}}, "defaultVariant": "a"}},
        "a/b c": {{"state": "ENABLED", "variants": {{"on": true}}, "defaultVariant": "on"}},
        "model": {{"state": "ENABLED", "variants": {{"s": "small", "l": "large"}}, "defaultVariant": "s",
            "targeting": {{"if": [{{"or": [{{"==": [{{"var": "plan"}}, "{plan}"]}}, {{"==": [{{"var": "environment"}}, "prod"]}}]}}, "l"]}}}}}}}}"#
    )
}

#[test]
fn flags_are_answered_in_the_gateways_environment() {
    let world = World::new(&[Api::llm("mock://")]);
    world.reload(Some(with_flags(2, &[Api::llm("mock://")], &flags("pro"))));
    let ask = |key: &str, body: &str| world.post(&format!("/ofrep/v1/evaluate/flags/{key}"), body);
    eventually(|| (ask("timeout", "{}").status == 200).then_some(()));
    assert!(
        ask("timeout", "").body.contains("\"value\":5.0,"),
        "the spelling stays"
    );
    assert_eq!(ask("a/b%20c", "{}").json()["value"], true);
    let model = |context| ask("model", context).json()["value"].clone();
    assert_eq!(model(r#"{"context":{"plan":"pro"}}"#), "large");
    assert_eq!(
        model(r#"{"context":{"environment":"prod"}}"#),
        "small",
        "the environment is the gateway's word"
    );
    assert_eq!(
        (ask("none", "{}").status, ask("model", "{").status),
        (404, 400)
    );
    let bulk = world.post("/ofrep/v1/evaluate/flags", r#"{"context":{"plan":"free"}}"#);
    assert_eq!(bulk.json()["flags"].as_array().unwrap().len(), 3);
    let etag = format!("If-None-Match: {}", bulk.header("etag").unwrap());
    let again = |context: &[u8]| {
        world
            .send("POST", "/ofrep/v1/evaluate/flags", &[&etag], context)
            .status
    };
    assert_eq!(again(br#"{"context":{"plan":"free"}}"#), 304);
    assert_eq!(
        again(br#"{"context":{"plan":"pro"}}"#),
        200,
        "another context, another answer"
    );
    let stranger = world.send(
        "POST",
        "/ofrep/v1/evaluate/flags",
        &["Authorization: Bearer x"],
        b"{}",
    );
    assert_eq!(stranger.refused(401), "invalid_token");
    let header = format!("X-API-Key: {}", world.token);
    let key = world.send(
        "POST",
        "/ofrep/v1/evaluate/flags",
        &["Authorization-Not: x", &header],
        b"{}",
    );
    assert_eq!(key.status, 200);
}

#[test]
fn whoever_listens_hears_of_a_change() {
    let world = World::new(&[Api::llm("mock://")]);
    let bulk = world.post("/ofrep/v1/evaluate/flags", "{}").json();
    let stream = &bulk["eventStreams"][0];
    assert_eq!(stream["type"], json!("sse"));
    let path = stream["endpoint"]["requestUri"].as_str().unwrap();
    // As a browser does it, which can send no header; the ticket opens nothing else.
    let nobody = ["Authorization: none"];
    let ticket = path.split_once('?').unwrap().1;
    for other in [
        "/ofrep/v1/events".to_owned(),
        format!("/ofrep/v1/events?{ticket}0"),
        format!("/ofrep/v1/evaluate/flags?{ticket}"),
        format!("/v1/models?{ticket}"),
        format!("/-/metrics?{ticket}"),
    ] {
        let refused = world.send("GET", &other, &nobody, b"").refused(401);
        assert_eq!(refused, "missing_token", "{other}");
    }
    let token = ticket.split_once('=').unwrap().1;
    let header = format!("Authorization: Bearer {token}");
    assert_eq!(world.send("GET", "/v1/models", &[&header], b"").status, 401);
    let mut stream = world.open("GET", path, &nobody, b"");
    let mut said = String::new();
    let mut buffer = [0; 1024];
    while !said.contains(": flags") {
        let count = stream.read(&mut buffer).unwrap();
        said += std::str::from_utf8(&buffer[..count]).unwrap();
    }
    // The same flags again are no change.
    world.reload(Some(config(2, &[Api::llm("mock://")])));
    world.reload(Some(with_flags(3, &[Api::llm("mock://")], &flags("pro"))));
    while !said.contains("refetchEvaluation") {
        let count = stream.read(&mut buffer).unwrap();
        said += std::str::from_utf8(&buffer[..count]).unwrap();
    }
    assert_eq!(said.matches("refetchEvaluation").count(), 1, "{said}");
    let now = world.send("GET", "/v1/models", &[], b"");
    assert_eq!(now.header("x-ringfence-generation"), Some("3"));
}

#[test]
fn pages_of_listed_origins_may_ask_and_no_others() {
    let world = World::new(&[Api::llm("mock://")]);
    let path = "/ofrep/v1/evaluate/flags";
    let ask = |method, path: &str, origin: &str, more: &[&str]| {
        let origin = format!("Origin: {origin}");
        let headers: Vec<&str> = [origin.as_str()]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        world.send(method, path, &headers, b"{}")
    };
    let asked = [
        "Authorization: none",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: authorization,content-type,if-none-match",
    ];
    let (listed, other) = ("https://app.example.com", "https://evil.example");
    let allowed = |answer: &crate::world::Answer| {
        answer
            .header("access-control-allow-origin")
            .map(str::to_owned)
    };
    let preflight = ask("OPTIONS", path, listed, &asked);
    assert_eq!((preflight.status, preflight.body.as_str()), (204, ""));
    assert_eq!(allowed(&preflight).as_deref(), Some(listed));
    for (name, value) in [
        ("access-control-allow-methods", "GET, POST"),
        (
            "access-control-allow-headers",
            "authorization, content-type, if-none-match, x-api-key",
        ),
        ("access-control-max-age", "600"),
        ("vary", "origin"),
    ] {
        assert_eq!(preflight.header(name), Some(value), "{preflight:?}");
    }
    let answer = ask("POST", path, listed, &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(allowed(&answer).as_deref(), Some(listed));
    let exposed = answer.header("access-control-expose-headers");
    assert_eq!(exposed, Some("etag, retry-after"));
    // What is refused has to be readable, too.
    let refused = ask("POST", path, listed, &["Authorization: Bearer x"]);
    assert_eq!(refused.refused(401), "invalid_token");
    assert_eq!(allowed(&refused).as_deref(), Some(listed));
    for answer in [
        ask("OPTIONS", path, other, &asked),
        ask("POST", path, other, &[]),
        ask("POST", path, "null", &[]),
        ask("POST", path, "http://localhost:5173", &[]),
        // Models are no matter of pages.
        ask("POST", "/v1/chat/completions", listed, &[]),
        ask("OPTIONS", "/v1/chat/completions", listed, &asked),
    ] {
        assert!(!answer.head.contains("access-control-"), "{answer:?}");
        assert!(!answer.head.contains("allow-credentials"), "{answer:?}");
    }
    // Without a preflight's question it is a request like any other.
    assert_eq!(ask("OPTIONS", path, listed, &[]).status, 405);
}
