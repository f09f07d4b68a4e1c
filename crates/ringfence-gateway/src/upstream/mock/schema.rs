//! A value that fits a JSON schema, as far as structured output uses the language (JSON Schema 2020-12; OpenAI's subset of it).

use serde_json::{Map, Value, json};

/// References that lead into each other come to an end here.
const DEEPEST: usize = 32;

/// The smallest value that fits, as far as types, constants, bounds, required properties and references within the schema go. Patterns are
/// not followed.
pub(super) fn smallest_instance(schema: &Value) -> Value {
    instance(schema, schema, DEEPEST)
}

fn instance(root: &Value, schema: &Value, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else {
        return Value::Null;
    };
    let first = |name| schema.get(name).and_then(Value::as_array)?.first();
    if let Some(value) = schema.get("const").or_else(|| first("enum")) {
        return value.clone();
    }
    let referenced = schema.get("$ref").and_then(Value::as_str);
    let referenced = referenced.and_then(|to| root.pointer(to.strip_prefix('#')?));
    if let Some(inner) = referenced.or_else(|| choice(schema)) {
        return instance(root, inner, depth);
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        return all_of(root, schema, parts, depth);
    }
    match kind(schema) {
        Some("string") => text(schema).into(),
        Some("integer") => integer(schema).into(),
        Some("number") => number(schema),
        Some("boolean") => false.into(),
        Some("null") => Value::Null,
        Some("array") => array(root, schema, depth),
        _ => object(root, schema, depth),
    }
}

/// Of several schemas that may hold, the first; where that is `null`, it is the smallest.
fn choice(schema: &Value) -> Option<&Value> {
    let choices = schema.get("anyOf").or_else(|| schema.get("oneOf"))?;
    choices.as_array()?.first()
}

/// A value of all of the parts: objects are put together, of other values the first stands.
fn all_of(root: &Value, schema: &Value, parts: &[Value], depth: usize) -> Value {
    let mut values = parts.iter().map(|part| instance(root, part, depth));
    let own = schema
        .get("properties")
        .map(|_| object(root, schema, depth));
    let mut value = values.next().unwrap_or_else(|| json!({}));
    for other in values.chain(own) {
        if let (Value::Object(value), Value::Object(other)) = (&mut value, other) {
            value.extend(other);
        }
    }
    value
}

fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::Array(kinds) => kinds.first()?.as_str(),
        kind => kind.as_str(),
    }
}

fn bound(schema: &Value, name: &str) -> usize {
    let bound = schema.get(name).and_then(Value::as_u64).unwrap_or(0);
    // Nobody means a larger one, and it would be made.
    usize::try_from(bound).unwrap_or(usize::MAX).min(1024)
}

/// A text of the format, where it is a well-known one (JSON Schema Validation, section 7.3).
fn text(schema: &Value) -> String {
    let format = schema.get("format").and_then(Value::as_str);
    let mut text = match format.unwrap_or_default() {
        "date-time" => "1970-01-01T00:00:00Z",
        "date" => "1970-01-01",
        "time" => "00:00:00Z",
        "duration" => "PT0S",
        "email" => "mock@example.com",
        "hostname" => "example.com",
        "ipv4" => "127.0.0.1",
        "ipv6" => "::1",
        "uri" => "https://example.com/",
        "uuid" => "00000000-0000-0000-0000-000000000000",
        _ => "mock",
    }
    .to_owned();
    while text.chars().count() < bound(schema, "minLength") {
        text.push('x');
    }
    if schema.get("maxLength").is_some() {
        text = text.chars().take(bound(schema, "maxLength")).collect();
    }
    text
}

/// Zero, or the bound that keeps from it.
fn integer(schema: &Value) -> i64 {
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    let above = bound("exclusiveMinimum").map(|bound| bound.saturating_add(1));
    let below = bound("exclusiveMaximum").map(|bound| bound.saturating_sub(1));
    let least = bound("minimum").max(above).unwrap_or(i64::MIN);
    let most = bound("maximum").into_iter().chain(below).min();
    let step = bound("multipleOf").filter(|step| *step > 0).unwrap_or(1);
    let value = 0.max(least).min(most.unwrap_or(i64::MAX));
    // The next multiple above, where zero is out of bounds.
    let over = value.rem_euclid(step);
    if over == 0 {
        value
    } else {
        value.saturating_add(step - over)
    }
}

fn number(schema: &Value) -> Value {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound + 1.0));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound - 1.0));
    let value = 0.0_f64
        .max(least.unwrap_or(0.0))
        .min(most.unwrap_or(f64::MAX));
    if value == 0.0 { 0.into() } else { value.into() }
}

fn array(root: &Value, schema: &Value, depth: usize) -> Value {
    let items = schema.get("items").unwrap_or(&Value::Null);
    let count = bound(schema, "minItems");
    (0..count).map(|_| instance(root, items, depth)).collect()
}

/// All properties: OpenAI's strict schemas require each of them.
fn object(root: &Value, schema: &Value, depth: usize) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let filled = properties
        .into_iter()
        .flatten()
        .map(|(name, inner)| (name.clone(), instance(root, inner, depth)));
    Value::Object(filled.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &Value, expected: &Value) {
        assert_eq!(smallest_instance(schema), *expected, "{schema}");
    }

    #[test]
    fn simple_schemas_have_a_smallest_value() {
        check(&json!({ "type": "string" }), &json!("mock"));
        check(
            &json!({ "type": "string", "minLength": 6 }),
            &json!("mockxx"),
        );
        check(&json!({ "type": "string", "maxLength": 2 }), &json!("mo"));
        check(
            &json!({ "type": "string", "format": "date" }),
            &json!("1970-01-01"),
        );
        check(
            &json!({ "type": ["integer", "null"], "minimum": 3 }),
            &json!(3),
        );
        check(
            &json!({ "type": "integer", "exclusiveMinimum": 3, "multipleOf": 5 }),
            &json!(5),
        );
        check(&json!({ "type": "integer", "maximum": -2 }), &json!(-2));
        check(
            &json!({ "type": "number", "exclusiveMinimum": 0.5 }),
            &json!(1.5),
        );
        check(&json!({ "enum": ["a", "b"] }), &json!("a"));
        check(&json!({ "const": 7 }), &json!(7));
        check(
            &json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 2 }),
            &json!([false, false]),
        );
        check(
            &json!({ "anyOf": [{ "type": "null" }, { "type": "string" }] }),
            &Value::Null,
        );
        check(&json!({}), &json!({}));
    }

    #[test]
    fn references_are_followed_to_an_end() {
        check(
            &json!({
                "$defs": { "Step": { "type": "object", "properties": { "n": { "type": "integer" } } } },
                "type": "object",
                "properties": { "first": { "$ref": "#/$defs/Step" }, "rest": { "type": "array", "items": { "$ref": "#/$defs/Step" } } },
            }),
            &json!({ "first": { "n": 0 }, "rest": [] }),
        );
        check(
            &json!({ "allOf": [{ "properties": { "a": { "const": 1 } } }, { "properties": { "b": { "const": 2 } } }] }),
            &json!({ "a": 1, "b": 2 }),
        );
        check(&json!({ "$ref": "#" }), &Value::Null);
    }
}
