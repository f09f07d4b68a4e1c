//! What a mock says in the shapes of the Responses API (OpenAI API reference, "Responses" and "Streaming events").

use serde_json::{Value, json};

use super::question::merged;
use super::speech::Speech;

/// The answer at once.
pub(super) fn whole(speech: &Speech) -> Value {
    let output = [item(speech, state(speech), &speech.text())];
    response(speech, state(speech), &output)
}

/// The answer as a stream: one element for each piece, with what comes before the first and after the last in elements of their own.
pub(super) fn events(speech: &Speech) -> Vec<String> {
    let mut numbered = Numbered(0);
    let mut events = vec![numbered.text(beginning(speech))];
    for piece in &speech.pieces {
        let name = match speech.tool {
            Some(_) => "response.function_call_arguments.delta",
            None => "response.output_text.delta",
        };
        let delta = merged(place(speech), json!({ "type": name, "delta": piece }));
        events.push(numbered.text(vec![delta]));
    }
    events.push(numbered.text(end(speech)));
    events
}

/// Gives each event its number.
struct Numbered(u64);

impl Numbered {
    fn text(&mut self, events: Vec<Value>) -> String {
        let mut text = String::new();
        for event in events {
            let event = merged(event, json!({ "sequence_number": self.0 }));
            let name = event.get("type").and_then(Value::as_str);
            text += &format!("event: {}\ndata: {event}\n\n", name.unwrap_or_default());
            self.0 += 1;
        }
        text
    }
}

const fn state(speech: &Speech) -> &'static str {
    if speech.is_cut {
        "incomplete"
    } else {
        "completed"
    }
}

fn beginning(speech: &Speech) -> Vec<Value> {
    let response = response(speech, "in_progress", &[]);
    let mut events = vec![
        json!({ "type": "response.created", "response": response }),
        json!({ "type": "response.in_progress", "response": response }),
    ];
    let mut item = item(speech, "in_progress", "");
    if speech.tool.is_none()
        && let Some(content) = item.get_mut("content")
    {
        *content = json!([]);
    }
    events.push(json!({ "type": "response.output_item.added", "output_index": 0, "item": item }));
    if speech.tool.is_none() {
        let part = json!({ "type": "response.content_part.added", "part": part("") });
        events.push(merged(place(speech), part));
    }
    events
}

fn end(speech: &Speech) -> Vec<Value> {
    let text = speech.text();
    let done = match &speech.tool {
        Some(name) => {
            vec![
                json!({ "type": "response.function_call_arguments.done", "name": name, "arguments": text }),
            ]
        }
        None => vec![
            json!({ "type": "response.output_text.done", "text": text }),
            json!({ "type": "response.content_part.done", "part": part(&text) }),
        ],
    };
    let mut events: Vec<Value> = done
        .into_iter()
        .map(|event| merged(place(speech), event))
        .collect();
    let item = item(speech, state(speech), &text);
    events.push(json!({ "type": "response.output_item.done", "output_index": 0, "item": item }));
    let name = format!("response.{}", state(speech));
    events.push(json!({ "type": name, "response": whole(speech) }));
    events
}

/// Where a piece of the answer belongs.
fn place(speech: &Speech) -> Value {
    match speech.tool {
        Some(_) => json!({ "item_id": "fc_mock", "output_index": 0 }),
        None => {
            json!({ "item_id": "msg_mock", "output_index": 0, "content_index": 0, "logprobs": [] })
        }
    }
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn item(speech: &Speech, status: &str, text: &str) -> Value {
    match &speech.tool {
        Some(name) => json!({
            "id": "fc_mock", "type": "function_call", "call_id": "call_mock", "name": name, "arguments": text, "status": status,
        }),
        None => json!({
            "id": "msg_mock", "type": "message", "role": "assistant", "status": status, "content": [part(text)],
        }),
    }
}

fn response(speech: &Speech, status: &str, output: &[Value]) -> Value {
    let is_under_way = status == "in_progress";
    let details = (status == "incomplete").then(|| json!({ "reason": "max_output_tokens" }));
    let usage = json!({
        "input_tokens": speech.input, "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": speech.output(), "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": speech.input + speech.output(),
    });
    json!({
        "id": "resp_mock", "object": "response", "created_at": 0, "model": speech.model, "status": status, "error": null,
        "incomplete_details": details, "output": output, "usage": (!is_under_way).then_some(usage),
        "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
    })
}
