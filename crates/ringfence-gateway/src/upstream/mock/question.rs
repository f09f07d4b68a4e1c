//! What a mock reads of a request.

use serde_json::{Map, Value, json};

use super::schema;

/// The tool that is to be called.
pub(super) struct Tool<'a> {
    pub(super) name: &'a str,
    parameters: Option<&'a Value>,
}

impl Tool<'_> {
    /// The smallest arguments that fit.
    pub(super) fn arguments(&self) -> Value {
        self.parameters
            .map_or_else(|| json!({}), schema::smallest_instance)
    }
}

/// What is answered where no tool is called.
pub(super) fn answer(request: &Value, last: &str) -> String {
    let chat = request.get("response_format");
    let format = chat.or_else(|| request.pointer("/text/format"));
    let format = format.unwrap_or(&Value::Null);
    let inner = format.pointer("/json_schema/schema");
    match inner.or_else(|| format.get("schema")) {
        Some(wanted) => schema::smallest_instance(wanted).to_string(),
        None if format.get("type") == Some(&json!("json_object")) => {
            json!({ "said": last }).to_string()
        }
        None => format!("You said: {last}"),
    }
}

/// What was said last: the last message's content, a tool's output, the prompt or the input.
pub(super) fn last_text(request: &Value) -> String {
    let last = last_item(request).or_else(|| request.get("prompt"));
    let content = last.and_then(|last| last.get("content").or_else(|| last.get("output")));
    match content.or(last) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let text = |part: &Value| Some(part.get("text").unwrap_or(part).as_str()?.to_owned());
            let texts: Vec<String> = parts.iter().filter_map(text).collect();
            texts.join(" ")
        }
        _ => String::new(),
    }
}

fn last_item(request: &Value) -> Option<&Value> {
    match request.get("messages").or_else(|| request.get("input"))? {
        Value::Array(items) => items.last(),
        text => Some(text),
    }
}

/// The tool that `tool_choice` names, else the first; none where one's result is what was said last.
pub(super) fn tool(request: &Value) -> Option<Tool<'_>> {
    let choice = request.get("tool_choice");
    let last = last_item(request);
    let says = |name, value: &str| last.and_then(|last| last.get(name)) == Some(&json!(value));
    let is_result = says("role", "tool") || says("type", "function_call_output");
    if is_result || choice == Some(&json!("none")) {
        return None;
    }
    let chosen = choice.map(function).and_then(|named| named.get("name"));
    let mut functions = request.get("tools")?.as_array()?.iter().map(function);
    let function = functions.find(|one| {
        one.get("name")
            .is_some_and(|name| chosen.is_none_or(|chosen| chosen == name))
    })?;
    Some(Tool {
        name: function.get("name")?.as_str()?,
        parameters: function.get("parameters"),
    })
}

/// The function itself: Chat Completions wraps it, the Responses API does not.
fn function(tool: &Value) -> &Value {
    tool.get("function").unwrap_or(tool)
}

/// The most pieces of an answer.
pub(super) fn most(request: &Value) -> usize {
    let names = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
    let most = names.iter().find_map(|name| request.get(name)?.as_u64());
    most.map_or(usize::MAX, |most| {
        usize::try_from(most).unwrap_or(usize::MAX)
    })
}

/// How many answers; no more than OpenAI's API gives.
pub(super) fn answers(request: &Value) -> u64 {
    const MOST: u64 = 128;
    let count = request.get("n").and_then(Value::as_u64);
    count.unwrap_or(1).clamp(1, MOST)
}

pub(super) fn is_true(request: &Value, pointer: &str) -> bool {
    request.pointer(pointer) == Some(&json!(true))
}

/// An object with the members of two.
pub(super) fn merged(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(Map::into_iter(other));
    }
    one
}
