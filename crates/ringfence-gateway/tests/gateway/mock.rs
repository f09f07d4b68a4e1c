//! The mock says what clients of OpenAI's need to go on.

use serde_json::{Value, json};

use crate::world::{Answer, Api, World};

fn world() -> World {
    World::new(&[Api {
        models: Vec::new(),
        ..Api::llm("mock://")
    }])
}

#[track_caller]
fn ask(path: &str, request: &Value) -> Answer {
    let answer = world().post(path, &request.to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

fn chat(rest: &Value) -> Value {
    let mut request = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }] });
    let members = rest.as_object().unwrap().clone();
    request.as_object_mut().unwrap().extend(members);
    ask("/v1/chat/completions", &request).json()["choices"][0]["message"].clone()
}

fn tools() -> Value {
    let tool = |name: &str, kind: &str| {
        let parameters = json!({ "type": "object", "properties": { "a": { "type": kind } } });
        json!({ "type": "function", "function": { "name": name, "parameters": parameters } })
    };
    json!([tool("first", "string"), tool("second", "integer")])
}

#[test]
fn the_tool_that_is_named_is_called() {
    let called = |choice: Value| {
        let message = chat(&json!({ "tools": tools(), "tool_choice": choice }));
        let function = &message["tool_calls"][0]["function"];
        (function["name"].clone(), function["arguments"].clone())
    };
    assert_eq!(
        called(json!("auto")),
        (json!("first"), json!(r#"{"a":"mock"}"#))
    );
    let second = json!({ "type": "function", "function": { "name": "second" } });
    assert_eq!(called(second), (json!("second"), json!(r#"{"a":0}"#)));
    let none = chat(&json!({ "tools": tools(), "tool_choice": "none" }));
    assert_eq!(none["content"], "You said: hi");
}

#[test]
fn what_is_asked_for_as_json_is_json() {
    let said = |format: Value| {
        let message = chat(&json!({ "response_format": format }));
        serde_json::from_str::<Value>(message["content"].as_str().unwrap()).unwrap()
    };
    assert_eq!(
        said(json!({ "type": "json_object" })),
        json!({ "said": "hi" })
    );
    let schema = json!({
        "$defs": { "Step": { "type": "object", "properties": { "n": { "type": "integer", "minimum": 1 } } } },
        "type": "object",
        "properties": { "steps": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/Step" } } },
    });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": schema } });
    assert_eq!(said(format), json!({ "steps": [{ "n": 1 }] }));
}

#[test]
fn as_many_answers_come_as_were_asked_for() {
    let request =
        json!({ "model": "m", "n": 2, "messages": [{ "role": "user", "content": "hi" }] });
    let answer = ask("/v1/chat/completions", &request).json();
    assert_eq!(answer["choices"][1]["index"], 1);
    assert_eq!(answer["usage"]["completion_tokens"], 6);
}

/// The types of a stream's events, and the last one.
fn response(request: &Value) -> (Vec<String>, Value) {
    let answer = ask("/v1/responses", request);
    let events: Vec<Value> = answer
        .events()
        .iter()
        .map(|event| serde_json::from_str(event).unwrap())
        .collect();
    let kinds = events.iter().map(|event| event["type"].as_str().unwrap());
    let numbers = events.iter().map(|event| event["sequence_number"].clone());
    assert!(numbers.eq((0..events.len()).map(Value::from)));
    (
        kinds.map(str::to_owned).collect(),
        events.last().unwrap().clone(),
    )
}

#[test]
fn a_response_is_streamed_in_the_events_that_clients_follow() {
    let (kinds, last) = response(&json!({ "model": "m", "stream": true, "input": "hi" }));
    assert_eq!(
        kinds,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let output = &last["response"]["output"][0];
    assert_eq!(output["content"][0]["text"], "You said: hi");
    let cut = json!({ "model": "m", "stream": true, "input": "hi", "max_output_tokens": 1 });
    let (kinds, last) = response(&cut);
    assert_eq!(kinds.last().unwrap(), "response.incomplete");
    let details = &last["response"]["incomplete_details"];
    assert_eq!(details["reason"], "max_output_tokens");
}

#[test]
fn a_response_calls_a_tool_once() {
    let tool =
        json!({ "type": "function", "name": "f", "parameters": { "properties": { "a": {} } } });
    let mut request = json!({ "model": "m", "stream": true, "input": "hi", "tools": [tool] });
    let (kinds, last) = response(&request);
    assert!(
        kinds.contains(&"response.function_call_arguments.done".to_owned()),
        "{kinds:?}"
    );
    let call = &last["response"]["output"][0];
    assert_eq!(
        (&call["name"], &call["arguments"]),
        (&json!("f"), &json!(r#"{"a":{}}"#))
    );
    request["input"] =
        json!([call, { "type": "function_call_output", "call_id": "call_mock", "output": "7" }]);
    let (_, last) = response(&request);
    let text = &last["response"]["output"][0]["content"][0]["text"];
    assert_eq!(text, "You said: 7");
}

#[test]
fn embeddings_are_as_long_as_is_asked() {
    for (rest, length) in [(json!({}), 8), (json!({ "dimensions": 100 }), 100)] {
        let mut request = json!({ "model": "m", "input": ["a", "b"] });
        request
            .as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        let answer = ask("/v1/embeddings", &request).json();
        let row = |index: usize| answer["data"][index]["embedding"].as_array().unwrap();
        assert_eq!((row(0).len(), row(0) == row(1)), (length, false));
    }
}

#[test]
fn models_can_be_listed_where_the_manifest_names_none() {
    let answer = world().send("GET", "/v1/models", &[], b"");
    assert_eq!(answer.json()["data"][0]["id"], "mock");
}
