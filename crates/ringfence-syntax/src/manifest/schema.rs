//! The JSON Schema of the manifest, for editors: made from the definition, so that the two cannot part.

use serde_json::{Map, Value, json};

use super::definition::{Key, MANIFEST, Shape};

/// The schema, JSON Schema draft 2020-12.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = of(&MANIFEST);
    if let Value::Object(object) = &mut schema {
        object.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        object.insert("title".to_owned(), json!("ringfence.toml"));
    }
    schema
}

fn of(shape: &Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Variable => json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_.]*$" }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Integer(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Shape::Scalar => json!({
            "type": ["string", "number", "boolean", "array"],
            "items": { "type": ["string", "number", "boolean"] },
        }),
        Shape::List(inner) => json!({ "type": "array", "items": of(inner) }),
        Shape::Table(keys) => table(keys, &json!(false)),
        Shape::Open(keys, rest) => table(keys, &of(rest)),
        Shape::Map(rest) => json!({ "type": "object", "additionalProperties": of(rest) }),
        Shape::PerEnvironment(inner) => json!({ "anyOf": [of(inner), per_environment(inner)] }),
        Shape::Either(shapes) => json!({ "anyOf": shapes.iter().map(of).collect::<Vec<_>>() }),
        Shape::Any => json!({}),
    }
}

fn table(keys: &[Key], rest: &Value) -> Value {
    let mut properties = Map::new();
    for key in keys {
        let mut property = of(&key.shape);
        if let Value::Object(object) = &mut property {
            object.insert("description".to_owned(), json!(key.about));
        }
        properties.insert(key.name.to_owned(), property);
    }
    let required: Vec<&str> = keys
        .iter()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    let mut schema =
        json!({ "type": "object", "properties": properties, "additionalProperties": rest });
    if let (Value::Object(object), false) = (&mut schema, required.is_empty()) {
        object.insert("required".to_owned(), json!(required));
    }
    schema
}

fn per_environment(inner: &Shape) -> Value {
    json!({
        "type": "object",
        "properties": { "default": of(inner), "in": { "type": "object", "additionalProperties": of(inner) } },
        "additionalProperties": false,
    })
}
