//! Texts in the shape that OpenTelemetry's conventions for generative AI give them (`gen_ai.input.messages` and
//! `gen_ai.output.messages`, with the JSON schemas of the repository `semantic-conventions-genai`): messages with a role and parts.
//!
//! OpenAI's interfaces have several shapes for the same. What is none of the known ones stays a part as it is.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// What somebody said.
#[derive(Debug, Serialize, PartialEq)]
pub(crate) struct Message {
    role: String,
    parts: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<String>,
}

/// The messages of `messages`, `input` or `prompt`.
pub(crate) fn sent(raw: &RawValue) -> Vec<Message> {
    match serde_json::from_str(raw.get()).unwrap_or_default() {
        Value::Array(items) => items
            .into_iter()
            .map(|item| message(item, "user"))
            .collect(),
        other => vec![message(other, "user")],
    }
}

/// The messages of `choices` or `output`.
pub(crate) fn answered(raw: &RawValue) -> Vec<Message> {
    let Ok(Value::Array(items)) = serde_json::from_str(raw.get()) else {
        return Vec::new();
    };
    let is_choice = |item: &Value| item.get("message").is_some() || item.get("text").is_some();
    if items.iter().any(is_choice) {
        return items.into_iter().map(choice).collect();
    }
    // The Responses API gives one answer, in several items.
    let parts = items
        .into_iter()
        .flat_map(|item| message(item, "assistant").parts);
    vec![Message {
        role: "assistant".to_owned(),
        parts: parts.collect(),
        finish_reason: Some("stop".to_owned()),
    }]
}

/// The text of a stream, as one message.
pub(crate) fn streamed(text: &str, finish_reasons: &[String]) -> Vec<Message> {
    vec![Message {
        role: "assistant".to_owned(),
        parts: vec![said(text)],
        finish_reason: Some(reason(
            finish_reasons.first().map_or("error", String::as_str),
        )),
    }]
}

fn choice(mut item: Value) -> Message {
    let finish = item
        .get("finish_reason")
        .and_then(Value::as_str)
        .map(reason);
    let name = if item.get("message").is_some() {
        "message"
    } else {
        "text"
    };
    let inner = item.get_mut(name).map(Value::take).unwrap_or_default();
    Message {
        finish_reason: Some(finish.unwrap_or_else(|| "error".to_owned())),
        ..message(inner, "assistant")
    }
}

/// The conventions' word for it.
fn reason(word: &str) -> String {
    match word {
        "tool_calls" | "function_call" => "tool_call".to_owned(),
        other => other.to_owned(),
    }
}

fn message(item: Value, usual: &str) -> Message {
    let Value::Object(mut fields) = item else {
        return Message {
            role: usual.to_owned(),
            parts: parts(item),
            finish_reason: None,
        };
    };
    let role = fields
        .get("role")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let mut all = match (role.as_deref(), fields.get("type").and_then(Value::as_str)) {
        (Some("tool"), _) => vec![response(&mut fields, "tool_call_id", "content")],
        (None, Some("function_call_output")) => vec![response(&mut fields, "call_id", "output")],
        (None, Some("function_call")) => vec![call(&fields, fields.get("call_id"))],
        (None, Some(kind)) if kind != "message" => vec![Value::Object(std::mem::take(&mut fields))],
        _ => fields.remove("content").map(parts).unwrap_or_default(),
    };
    if let Some(Value::Array(calls)) = fields.get("tool_calls") {
        all.extend(calls.iter().map(tool_call));
    }
    Message {
        role: role.unwrap_or_else(|| usual.to_owned()),
        parts: all,
        finish_reason: None,
    }
}

fn parts(content: Value) -> Vec<Value> {
    match content {
        Value::Null => Vec::new(),
        Value::String(text) => vec![said(&text)],
        Value::Array(items) if !items.iter().all(Value::is_number) => {
            items.into_iter().flat_map(part).collect()
        }
        // Numbers are tokens, which the caller has made of its text itself.
        other => vec![json!({ "type": "tokens", "content": other })],
    }
}

fn part(item: Value) -> Vec<Value> {
    let text = |item: &Value| {
        let kind = item.get("type")?.as_str()?;
        let is_text = matches!(kind, "text" | "input_text" | "output_text");
        is_text.then(|| item.get("text")?.as_str().map(str::to_owned))?
    };
    match text(&item) {
        Some(text) => vec![said(&text)],
        None if item.is_object() => vec![item],
        None => parts(item),
    }
}

fn said(text: &str) -> Value {
    json!({ "type": "text", "content": text })
}

fn tool_call(written: &Value) -> Value {
    let nothing = Map::new();
    let function = written.get("function").and_then(Value::as_object);
    call(function.unwrap_or(&nothing), written.get("id"))
}

/// Arguments are JSON in a string; what is none stays one.
fn call(function: &Map<String, Value>, id: Option<&Value>) -> Value {
    let written = function.get("arguments").cloned().unwrap_or_default();
    let read = written
        .as_str()
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    json!({
        "type": "tool_call",
        "id": id,
        "name": function.get("name").and_then(Value::as_str).unwrap_or_default(),
        "arguments": read.unwrap_or(written),
    })
}

fn response(fields: &mut Map<String, Value>, id: &str, content: &str) -> Value {
    let id = fields.remove(id);
    json!({ "type": "tool_call_response", "id": id, "response": fields.remove(content) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[track_caller]
    fn check(messages: &[Message], expected: &Value) {
        assert_eq!(&serde_json::to_value(messages).unwrap(), expected);
    }

    #[test]
    fn what_is_sent_is_messages_with_parts() {
        let text = |role: &str, text: &str| json!({ "role": role, "parts": [{ "type": "text", "content": text }] });
        for (sent_as, expected) in [
            (
                r#"[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]"#,
                json!([text("system", "be brief"), text("user", "hi")]),
            ),
            (
                r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}]}]"#,
                json!([{ "role": "user", "parts": [{ "type": "text", "content": "a" }, { "type": "image_url", "image_url": { "url": "u" } }] }]),
            ),
            (
                r#"[{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]},{"role":"tool","tool_call_id":"c1","content":"rain"}]"#,
                json!([{ "role": "assistant", "parts": [{ "type": "tool_call", "id": "c1", "name": "weather", "arguments": { "city": "Paris" } }] },
                    { "role": "tool", "parts": [{ "type": "tool_call_response", "id": "c1", "response": "rain" }] }]),
            ),
            (r#""hello""#, json!([text("user", "hello")])),
            (
                r#"["a","b"]"#,
                json!([text("user", "a"), text("user", "b")]),
            ),
            (
                "[[1,2],[3]]",
                json!([{ "role": "user", "parts": [{ "type": "tokens", "content": [1, 2] }] }, { "role": "user", "parts": [{ "type": "tokens", "content": [3] }] }]),
            ),
            (
                r#"[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},{"type":"function_call_output","call_id":"c","output":"5"}]"#,
                json!([text("user", "hi"), { "role": "user", "parts": [{ "type": "tool_call_response", "id": "c", "response": "5" }] }]),
            ),
        ] {
            check(&sent(&raw(sent_as)), &expected);
        }
    }

    #[test]
    fn what_is_answered_is_a_message_for_each_choice() {
        let text = |text: &str, reason: &str| json!({ "role": "assistant", "parts": [{ "type": "text", "content": text }], "finish_reason": reason });
        for (answered_as, expected) in [
            (
                r#"[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"},{"index":1,"message":{"role":"assistant","content":"ho"},"finish_reason":"length"}]"#,
                json!([text("hi", "stop"), text("ho", "length")]),
            ),
            (
                r#"[{"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c","function":{"name":"f","arguments":"not json"}}]},"finish_reason":"tool_calls"}]"#,
                json!([{ "role": "assistant", "parts": [{ "type": "tool_call", "id": "c", "name": "f", "arguments": "not json" }], "finish_reason": "tool_call" }]),
            ),
            (
                r#"[{"text":"once","index":0,"finish_reason":"stop"}]"#,
                json!([text("once", "stop")]),
            ),
            (
                r#"[{"type":"reasoning","summary":[]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"}]}]"#,
                json!([{ "role": "assistant", "parts": [{ "type": "reasoning", "summary": [] }, { "type": "text", "content": "hi" }], "finish_reason": "stop" }]),
            ),
            (r#"{"no":"list"}"#, json!([])),
        ] {
            check(&answered(&raw(answered_as)), &expected);
        }
        check(
            &streamed("hi", &["stop".to_owned()]),
            &json!([text("hi", "stop")]),
        );
        check(&streamed("h", &[]), &json!([text("h", "error")]));
    }
}
