//! The JSON Schema of what `ringfence check --format json` prints, made from the registry.

use serde_json::{Value, json};

use crate::checks::REGISTRY;
use crate::finding::Severity;

/// The schema, in the dialect of 2020-12.
#[must_use]
pub fn schema() -> Value {
    let checks: Vec<Value> = REGISTRY
        .iter()
        .map(|check| json!({ "const": check.id, "description": check.about }))
        .collect();
    let severities: Vec<&str> = Severity::ALL
        .iter()
        .map(|severity| severity.name())
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What `ringfence check --format json` prints",
        "type": "object",
        "additionalProperties": false,
        "required": ["version", "environments", "findings", "right", "files"],
        "properties": {
            "version": { "const": 1, "description": "The format's version; it rises when a field changes its meaning." },
            "files": { "type": "integer", "minimum": 0, "description": "How many files were read." },
            "right": { "type": "array", "items": { "type": "string" }, "description": "What the project does right." },
            "environments": { "type": "array", "items": environment() },
            "findings": { "type": "array", "items": finding(&severities) },
        },
        "$defs": {
            "check": { "oneOf": checks },
            "position": {
                "type": "object",
                "additionalProperties": false,
                "required": ["line", "column"],
                "properties": {
                    "line": { "type": "integer", "minimum": 1 },
                    "column": { "type": "integer", "minimum": 1, "description": "In characters." },
                },
            },
        },
    })
}

fn environment() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "tier", "family", "template"],
        "properties": {
            "name": { "type": "string" },
            "tier": { "enum": ["development", "testing", "staging", "production"] },
            "family": { "type": "string", "description": "What its files have in common with those of other environments." },
            "template": { "type": "boolean", "description": "Whether its files are to be copied and filled in." },
        },
    })
}

fn finding(severities: &[&str]) -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["check", "severity", "confidence", "subject", "message", "places", "consequence", "help", "fixable"],
        "properties": {
            "check": { "$ref": "#/$defs/check" },
            "severity": { "enum": severities },
            "confidence": { "enum": ["low", "medium", "high"] },
            "subject": { "type": "string", "description": "What it is about: a setting, a file, a service." },
            "message": { "type": "string" },
            "consequence": { "type": "string" },
            "help": { "type": "array", "items": { "type": "string" } },
            "fixable": { "type": "boolean", "description": "Whether `--fix` mends it." },
            "known": { "type": "boolean", "description": "Whether the baseline has it; absent without one." },
            "places": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["file", "start", "end", "label"],
                    "properties": {
                        "file": { "type": "string" },
                        "start": { "$ref": "#/$defs/position" },
                        "end": { "$ref": "#/$defs/position" },
                        "label": { "type": "string" },
                    },
                },
            },
        },
    })
}
