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
    let url = bulk["eventStreams"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(bulk["eventStreams"][0]["type"], json!("sse"));
    let path = url.split_once("gateway").unwrap().1;
    let mut stream = world.open("GET", path, &[], b"");
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
