//! What is written down, in the names of OpenTelemetry's conventions.

use ringfence_gateway::config::Level;
use serde_json::{Value, json};

use crate::upstream::{END, EVENTS, Upstream, chunk, delta};
use crate::world::{Api, World};

#[track_caller]
fn holds(record: &Value, expected: &[(&str, Value)]) {
    for (name, value) in expected {
        assert_eq!(&record[*name], value, "{name} in {record}");
    }
}

#[test]
fn a_stream_has_the_names_of_the_conventions() {
    let finish =
        r#"{"id":"c","model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let said = [delta("hi"), chunk(finish), chunk("[DONE]")].concat();
    let upstream = Upstream::saying(format!("{EVENTS}{said}{END}"));
    let port: u16 = upstream
        .url
        .trim_end_matches("/base")
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let world = World::new(&[Api {
        record: Level::Full,
        ..Api::llm(&upstream.url)
    }]);
    world.chat(r#","stream":true,"n":2,"max_tokens":50"#);
    let record = world.records(1).remove(0);
    let text = |role, text| json!({ "role": role, "parts": [{ "type": "text", "content": text }] });
    let mut answer = text("assistant", "hi");
    answer["finish_reason"] = "stop".into();
    holds(
        &record,
        &[
            ("deployment.environment.name", "dev".into()),
            ("server.address", "127.0.0.1".into()),
            ("server.port", port.into()),
            ("gen_ai.provider.name", "openai".into()),
            ("gen_ai.operation.name", "chat".into()),
            ("gen_ai.request.stream", true.into()),
            ("gen_ai.request.choice.count", 2.into()),
            ("gen_ai.request.max_tokens", 50.into()),
            ("gen_ai.input.messages", json!([text("user", "hello")])),
            ("gen_ai.output.messages", json!([answer])),
            ("gen_ai.response.finish_reasons", json!(["stop"])),
            ("error.type", Value::Null),
        ],
    );
    let seconds = record["gen_ai.response.time_to_first_chunk"]
        .as_f64()
        .unwrap();
    let milliseconds = record["ringfence.first_byte_ms"].as_f64().unwrap();
    assert!((seconds * 1000.0 - milliseconds).abs() < 0.01, "{record}");
}

#[test]
fn an_answer_has_them_too_and_what_is_usual_is_left_out() {
    let body = r#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let upstream = Upstream::json("200 OK", body);
    let world = World::new(&[Api {
        record: Level::Full,
        ..Api::llm(&upstream.url)
    }]);
    world.chat("");
    let mock = World::new(&[Api::llm("mock://")]);
    mock.chat("");
    let record = world.records(1).remove(0);
    let answer = json!([{ "role": "assistant", "parts": [{ "type": "text", "content": "hi" }], "finish_reason": "stop" }]);
    holds(&record, &[("gen_ai.output.messages", answer)]);
    for name in [
        "gen_ai.request.stream",
        "gen_ai.request.choice.count",
        "gen_ai.response.time_to_first_chunk",
    ] {
        assert!(record.get(name).is_none(), "{name} in {record}");
    }
    let record = mock.records(1).remove(0);
    holds(
        &record,
        &[
            ("server.address", "mock".into()),
            ("gen_ai.provider.name", "mock".into()),
        ],
    );
    assert!(record.get("server.port").is_none() && record.get("gen_ai.input.messages").is_none());
    let metrics = mock.send("GET", "/-/metrics", &[], b"").body;
    let about =
        "target_info{deployment_environment_name=\"dev\",service_name=\"ringfence-gateway\"} 1\n";
    assert!(metrics.contains(about), "{metrics}");
}
