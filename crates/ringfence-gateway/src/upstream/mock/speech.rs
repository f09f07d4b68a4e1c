//! What a mock says, whole and in events: Chat Completions and Completions here, the Responses API in [`super::responses`].

use serde_json::{Value, json};

use super::question::{self, merged};
use crate::llm::usage::estimate;

/// An answer before it has a shape.
pub(super) struct Speech {
    pub(super) model: Value,
    pub(super) pieces: Vec<String>,
    /// The name of the tool that is called; its arguments are the pieces.
    pub(super) tool: Option<String>,
    /// Whether it was cut because it was too long.
    pub(super) is_cut: bool,
    pub(super) input: u64,
    is_chat: bool,
    answers: u64,
    wants_usage: bool,
}

impl Speech {
    pub(super) fn of(path: &str, request: &Value, chunks: Option<usize>) -> Self {
        let last = question::last_text(request);
        let tool = question::tool(request);
        let text = tool.as_ref().map_or_else(
            || question::answer(request, &last),
            |tool| tool.arguments().to_string(),
        );
        let mut pieces = cut(&text, chunks);
        let most = question::most(request);
        let is_cut = pieces.len() > most;
        pieces.truncate(most);
        Self {
            is_chat: path == "/chat/completions",
            model: request.get("model").cloned().unwrap_or_default(),
            pieces,
            tool: tool.map(|tool| tool.name.to_owned()),
            is_cut,
            input: estimate(last.len()),
            answers: question::answers(request),
            wants_usage: question::is_true(request, "/stream_options/include_usage"),
        }
    }

    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }

    pub(super) fn output(&self) -> u64 {
        self.pieces.len() as u64
    }

    fn usage(&self) -> Value {
        let (input, output) = (self.input, self.output().saturating_mul(self.answers));
        json!({ "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output })
    }

    const fn finish(&self) -> &'static str {
        match (self.is_cut, &self.tool) {
            (true, _) => "length",
            (false, Some(_)) => "tool_calls",
            (false, None) => "stop",
        }
    }

    /// The answer at once.
    pub(super) fn whole(&self) -> Value {
        let content = match (self.is_chat, &self.tool) {
            (false, _) => json!({ "text": self.text() }),
            (true, None) => {
                json!({ "message": { "role": "assistant", "content": self.text(), "refusal": null } })
            }
            (true, Some(name)) => {
                let function = json!({ "name": name, "arguments": self.text() });
                let call = json!({ "id": "call_mock", "type": "function", "function": function });
                json!({ "message": { "role": "assistant", "content": null, "tool_calls": [call] } })
            }
        };
        let choices = self.choices(Some(self.finish()), &content);
        let object = if self.is_chat {
            "chat.completion"
        } else {
            "text_completion"
        };
        self.named(object, json!({ "choices": choices, "usage": self.usage() }))
    }

    fn choices(&self, finish: Option<&str>, content: &Value) -> Vec<Value> {
        let choice = |index| {
            let head = json!({ "index": index, "finish_reason": finish, "logprobs": null });
            merged(head, content.clone())
        };
        (0..self.answers).map(choice).collect()
    }

    fn named(&self, object: &str, content: Value) -> Value {
        let head = json!({ "id": "mock-1", "object": object, "created": 0, "model": self.model });
        merged(head, content)
    }

    /// The answer as a stream.
    pub(super) fn events(&self) -> Vec<String> {
        let pieces = self.pieces.iter().enumerate();
        let mut events: Vec<Value> = pieces
            .map(|(index, piece)| self.choices(None, &self.delta(index, piece)))
            .map(|choices| self.chunk(json!({ "choices": choices })))
            .collect();
        let end = if self.is_chat {
            json!({ "delta": {} })
        } else {
            json!({ "text": "" })
        };
        let choices = self.choices(Some(self.finish()), &end);
        events.push(self.chunk(json!({ "choices": choices })));
        if self.wants_usage {
            events.push(self.chunk(json!({ "choices": [], "usage": self.usage() })));
        }
        let lines = events.into_iter().map(|event| format!("data: {event}\n\n"));
        lines.chain(["data: [DONE]\n\n".to_owned()]).collect()
    }

    fn chunk(&self, content: Value) -> Value {
        let object = if self.is_chat {
            "chat.completion.chunk"
        } else {
            "text_completion"
        };
        self.named(object, content)
    }

    fn delta(&self, index: usize, piece: &str) -> Value {
        let function = match &self.tool {
            _ if !self.is_chat => return json!({ "text": piece }),
            None if index == 0 => {
                return json!({ "delta": { "role": "assistant", "content": piece } });
            }
            None => return json!({ "delta": { "content": piece } }),
            Some(name) if index == 0 => json!({ "name": name, "arguments": piece }),
            Some(_) => json!({ "arguments": piece }),
        };
        let call = json!({ "index": 0, "function": function });
        if index > 0 {
            return json!({ "delta": { "tool_calls": [call] } });
        }
        let call = merged(call, json!({ "id": "call_mock", "type": "function" }));
        json!({ "delta": { "role": "assistant", "tool_calls": [call] } })
    }
}

/// Words with the space before them, or so many chunks of about one length.
fn cut(text: &str, chunks: Option<usize>) -> Vec<String> {
    let Some(chunks) = chunks.filter(|chunks| *chunks > 0) else {
        return words(text);
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

fn words(text: &str) -> Vec<String> {
    let ends = text
        .char_indices()
        .filter(|(_, c)| *c == ' ')
        .map(|(at, _)| at);
    let bounds: Vec<usize> = [0].into_iter().chain(ends).chain([text.len()]).collect();
    let pieces = bounds
        .windows(2)
        .filter_map(|pair| text.get(*pair.first()?..*pair.last()?));
    pieces
        .filter(|piece| !piece.is_empty())
        .map(str::to_owned)
        .collect()
}
