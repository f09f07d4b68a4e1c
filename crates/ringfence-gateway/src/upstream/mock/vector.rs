//! Embeddings without a model.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Numbers in an embedding, where the request does not say.
const DIMENSIONS: usize = 8;
/// Numbers at most.
const MOST: usize = 4096;

/// The answer to a request for embeddings: numbers between -1 and 1, made of a digest.
pub(super) fn embeddings(request: &Value) -> Value {
    let inputs: Vec<&Value> = match request.get("input") {
        // A list of numbers is one text in tokens.
        Some(Value::Array(inputs)) if !inputs.iter().all(Value::is_number) => {
            inputs.iter().collect()
        }
        Some(input) => vec![input],
        None => Vec::new(),
    };
    let dimensions = request.get("dimensions").and_then(Value::as_u64);
    let dimensions = dimensions.and_then(|count| usize::try_from(count).ok());
    let dimensions = dimensions.unwrap_or(DIMENSIONS).clamp(1, MOST);
    let is_base64 = request.get("encoding_format") == Some(&json!("base64"));
    let rows = inputs.iter().enumerate().map(|(index, input)| {
        let numbers = numbers(input, dimensions);
        let embedding = if is_base64 {
            json!(packed(&numbers))
        } else {
            json!(numbers)
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    });
    let rows: Vec<Value> = rows.collect();
    let tokens: usize = inputs
        .iter()
        .map(|input| input.to_string().len().div_ceil(4))
        .sum();
    json!({
        "object": "list",
        "model": request.get("model"),
        "data": rows,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    })
}

/// The bytes of as many digests as it takes, of the text and a count.
fn numbers(input: &Value, dimensions: usize) -> Vec<f32> {
    let text = input
        .as_str()
        .map_or_else(|| input.to_string(), str::to_owned);
    let digests = (0_u64..).flat_map(|count| {
        let mut digest = Sha256::new_with_prefix(text.as_bytes());
        if count > 0 {
            digest.update(count.to_le_bytes());
        }
        digest.finalize()
    });
    let numbers = digests.map(|byte| f32::from(byte) / 128.0 - 1.0);
    numbers.take(dimensions).collect()
}

/// Little-endian floats in base64, as OpenAI's clients ask for.
fn packed(numbers: &[f32]) -> String {
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    STANDARD.encode(bytes)
}
