//! What a mock says, whole and in events.

use serde_json::{Value, json};

use crate::llm::usage::estimate;

/// An answer before it has a shape.
pub(super) struct Speech {
    shape: Shape,
    model: Value,
    pieces: Vec<String>,
    /// The name of the tool that is called, and its arguments are the pieces.
    tool: Option<String>,
    finish: &'static str,
    input: u64,
    wants_usage: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Chat,
    Completion,
    Response,
}

impl Speech {
    pub(super) fn of(path: &str, request: &Value, chunks: Option<usize>) -> Self {
        let shape = match path {
            "/completions" => Shape::Completion,
            "/responses" => Shape::Response,
            _ => Shape::Chat,
        };
        let last = last_text(request);
        let tool = tool(request);
        let text = match (&tool, schema(request)) {
            (Some((_, parameters)), _) => instance(parameters).to_string(),
            (None, Some(schema)) => instance(schema).to_string(),
            (None, None) => format!("You said: {last}"),
        };
        let mut pieces = cut(&text, chunks);
        let most = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
        let most = most.iter().find_map(|name| request.get(name)?.as_u64());
        let most = most.map_or(usize::MAX, |most| {
            usize::try_from(most).unwrap_or(usize::MAX)
        });
        let finish = match &tool {
            Some(_) => "tool_calls",
            None if pieces.len() > most => "length",
            None => "stop",
        };
        pieces.truncate(most);
        Self {
            shape,
            model: request.get("model").cloned().unwrap_or_default(),
            pieces,
            tool: tool.map(|(name, _)| name),
            finish,
            input: estimate(last.len()),
            wants_usage: request.pointer("/stream_options/include_usage") == Some(&json!(true)),
        }
    }

    fn text(&self) -> String {
        self.pieces.concat()
    }

    fn output(&self) -> u64 {
        self.pieces.len() as u64
    }

    fn usage(&self) -> Value {
        let (input, output) = (self.input, self.output());
        match self.shape {
            Shape::Response => {
                json!({ "input_tokens": input, "output_tokens": output, "total_tokens": input + output })
            }
            _ => {
                json!({ "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output })
            }
        }
    }

    /// The answer at once.
    pub(super) fn whole(&self) -> Value {
        match self.shape {
            Shape::Chat => {
                let message = match &self.tool {
                    Some(name) => json!({ "role": "assistant", "content": null, "tool_calls": [
                        { "id": "call_mock", "type": "function", "function": { "name": name, "arguments": self.text() } }
                    ] }),
                    None => json!({ "role": "assistant", "content": self.text() }),
                };
                self.with_choice("chat.completion", &json!({ "message": message }))
            }
            Shape::Completion => {
                self.with_choice("text_completion", &json!({ "text": self.text() }))
            }
            Shape::Response => self.response("completed"),
        }
    }

    fn with_choice(&self, object: &str, content: &Value) -> Value {
        let mut choice = json!({ "index": 0, "finish_reason": self.finish, "logprobs": null });
        merge(&mut choice, content);
        json!({
            "id": "mock-1", "object": object, "created": 0, "model": self.model, "choices": [choice], "usage": self.usage(),
        })
    }

    fn response(&self, status: &str) -> Value {
        let output = match &self.tool {
            Some(name) => {
                json!({ "id": "fc_mock", "type": "function_call", "call_id": "call_mock", "name": name, "arguments": self.text(), "status": status })
            }
            None => {
                json!({ "id": "msg_mock", "type": "message", "role": "assistant", "status": status,
                "content": [{ "type": "output_text", "text": self.text(), "annotations": [] }] })
            }
        };
        json!({
            "id": "resp_mock", "object": "response", "created_at": 0, "model": self.model, "status": status, "output": [output],
            "usage": self.usage(), "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
        })
    }

    /// The answer as a stream.
    pub(super) fn events(&self) -> Vec<String> {
        if self.shape == Shape::Response {
            return self.response_events();
        }
        let mut events: Vec<Value> = self
            .pieces
            .iter()
            .enumerate()
            .map(|(index, piece)| self.chunk(index, piece))
            .collect();
        let content = if self.shape == Shape::Chat {
            json!({ "delta": {} })
        } else {
            json!({ "text": "" })
        };
        let mut end = json!({ "index": 0, "finish_reason": self.finish });
        merge(&mut end, &content);
        events.push(self.event(&json!({ "choices": [end] })));
        if self.wants_usage {
            events.push(self.event(&json!({ "choices": [], "usage": self.usage() })));
        }
        let lines = events.into_iter().map(|event| format!("data: {event}\n\n"));
        lines.chain(["data: [DONE]\n\n".to_owned()]).collect()
    }

    fn event(&self, content: &Value) -> Value {
        let object = if self.shape == Shape::Chat {
            "chat.completion.chunk"
        } else {
            "text_completion"
        };
        let mut event =
            json!({ "id": "mock-1", "object": object, "created": 0, "model": self.model });
        merge(&mut event, content);
        event
    }

    fn chunk(&self, index: usize, piece: &str) -> Value {
        let content = match (self.shape, &self.tool) {
            (Shape::Completion, _) => json!({ "text": piece }),
            (_, Some(name)) if index == 0 => {
                json!({ "delta": { "role": "assistant", "tool_calls": [
                { "index": 0, "id": "call_mock", "type": "function", "function": { "name": name, "arguments": piece } }
            ] } })
            }
            (_, Some(_)) => {
                json!({ "delta": { "tool_calls": [{ "index": 0, "function": { "arguments": piece } }] } })
            }
            (_, None) if index == 0 => {
                json!({ "delta": { "role": "assistant", "content": piece } })
            }
            (_, None) => json!({ "delta": { "content": piece } }),
        };
        let mut choice = json!({ "index": 0, "finish_reason": null });
        merge(&mut choice, &content);
        self.event(&json!({ "choices": [choice] }))
    }

    fn response_events(&self) -> Vec<String> {
        let created = json!({ "type": "response.created", "sequence_number": 0, "response": self.response("in_progress") });
        let mut events = vec![created];
        for piece in &self.pieces {
            events.push(json!({
                "type": "response.output_text.delta", "sequence_number": events.len(), "item_id": "msg_mock",
                "output_index": 0, "content_index": 0, "delta": piece, "logprobs": [],
            }));
        }
        let number = events.len();
        events.push(json!({ "type": "response.completed", "sequence_number": number, "response": self.response("completed") }));
        let name = |event: &Value| {
            event
                .get("type")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        events
            .iter()
            .map(|event| format!("event: {}\ndata: {event}\n\n", name(event)))
            .collect()
    }
}

fn merge(into: &mut Value, from: &Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from.clone());
    }
}

/// Words with the space before them, or so many chunks of about one length.
fn cut(text: &str, chunks: Option<usize>) -> Vec<String> {
    let Some(chunks) = chunks.filter(|chunks| *chunks > 0) else {
        let ends = text
            .char_indices()
            .filter(|(_, c)| *c == ' ')
            .map(|(at, _)| at);
        let bounds: Vec<usize> = [0].into_iter().chain(ends).chain([text.len()]).collect();
        let pieces = bounds
            .windows(2)
            .filter_map(|pair| text.get(*pair.first()?..*pair.last()?));
        return pieces
            .filter(|piece| !piece.is_empty())
            .map(str::to_owned)
            .collect();
    };
    let characters: Vec<char> = text.chars().collect();
    let bound = |index: usize| index * characters.len() / chunks;
    let piece = |index| {
        characters
            .get(bound(index)..bound(index + 1))
            .unwrap_or_default()
    };
    (0..chunks)
        .map(|index| piece(index).iter().collect())
        .collect()
}

/// What was said last: the last message's content, the prompt or the input.
fn last_text(request: &Value) -> String {
    let messages = request.get("messages").or_else(|| request.get("input"));
    let last = match messages {
        Some(Value::Array(messages)) => messages.last(),
        other => other.or_else(|| request.get("prompt")),
    };
    let content = last.and_then(|last| last.get("content")).or(last);
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
            texts.collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

/// The first tool, unless its result is what was said last.
fn tool(request: &Value) -> Option<(String, Value)> {
    let has_result = request.pointer("/messages").and_then(Value::as_array);
    let is_result =
        has_result.and_then(|messages| messages.last()?.get("role")?.as_str()) == Some("tool");
    if is_result || request.get("tool_choice") == Some(&json!("none")) {
        return None;
    }
    let tool = request.get("tools")?.as_array()?.first()?;
    let function = tool.get("function").unwrap_or(tool);
    let name = function.get("name")?.as_str()?.to_owned();
    Some((
        name,
        function.get("parameters").cloned().unwrap_or_default(),
    ))
}

/// The schema that the answer has to fit.
fn schema(request: &Value) -> Option<&Value> {
    let chat = request.pointer("/response_format/json_schema/schema");
    chat.or_else(|| request.pointer("/text/format/schema"))
}

/// The smallest value that fits a schema, as far as types and required properties go.
fn instance(schema: &Value) -> Value {
    if let Some(first) = schema
        .get("enum")
        .and_then(Value::as_array)
        .and_then(|values| values.first())
    {
        return first.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => json!("mock"),
        Some("integer" | "number") => json!(0),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        Some("null") => Value::Null,
        _ => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let filled = properties
                .into_iter()
                .flatten()
                .map(|(name, inner)| (name.clone(), instance(inner)));
            Value::Object(filled.collect())
        }
    }
}
