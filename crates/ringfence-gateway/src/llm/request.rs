//! A request's body: its top level with spans, and edits in place.
//!
//! Only the fields that the gateway acts on are understood. Everything else keeps its bytes, unknown fields and the spelling of
//! numbers included, because the body is edited and never written anew.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The part of a request's body that the gateway acts on.
#[derive(Debug, Default)]
pub struct RequestBody {
    /// `model`, and where it stands.
    pub(crate) model: Option<(String, Range<usize>)>,
    /// Whether the answer is to be a stream.
    pub(crate) is_stream: bool,
    /// What `stream_options` says, and where it stands.
    options: Option<(StreamOptions, Range<usize>)>,
    /// The most tokens of an answer.
    pub(crate) max_tokens: Option<u64>,
    /// How many answers.
    pub(crate) answers: u64,
    /// Where the object ends: its closing brace.
    end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamOptions {
    Null,
    /// `include_usage`, and whether other options stand there too.
    Object {
        include_usage: bool,
        is_empty: bool,
    },
}

/// Why a body cannot be acted on.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No JSON, no object, or a field that says nothing sensible.
    #[error("the body cannot be read: {0}")]
    Json(serde_json::Error),
}

/// One field of the body with its raw text.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

const READ: &[&str] = &[
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
];

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            if !READ.contains(&name.as_ref()) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            // Of two, the gateway would act on one and the upstream on the other.
            if fields.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom(format!("`{name}` stands there twice")));
            }
            fields.push((name, map.next_value()?));
        }
        Ok(Fields(fields))
    }
}

/// A key: borrowed where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl RequestBody {
    /// Reads a body.
    ///
    /// # Errors
    /// Where it is no JSON object, or has one of the fields in question twice or with a value of another type.
    pub fn read(body: &[u8]) -> Result<Self, RequestError> {
        let text = std::str::from_utf8(body)
            .map_err(|_| RequestError::Json(serde_json::Error::custom("it is not UTF-8")))?;
        let Fields(fields) = serde_json::from_str(text).map_err(RequestError::Json)?;
        let mut read = Self {
            answers: 1,
            end: text.trim_end().len().saturating_sub(1),
            ..Self::default()
        };
        for (name, value) in fields {
            read.take(&name, value, span(text, value)).map_err(|_| {
                RequestError::Json(serde_json::Error::custom(format!(
                    "`{name}` has a value of another type"
                )))
            })?;
        }
        Ok(read)
    }

    fn take(&mut self, name: &str, value: &RawValue, span: Range<usize>) -> serde_json::Result<()> {
        let text = value.get();
        match name {
            "model" => self.model = Some((serde_json::from_str(text)?, span)),
            "stream" => {
                self.is_stream = serde_json::from_str::<Option<bool>>(text)?.unwrap_or(false);
            }
            "stream_options" => self.options = Some((stream_options(text)?, span)),
            "n" => {
                self.answers = serde_json::from_str::<Option<u64>>(text)?
                    .unwrap_or(1)
                    .max(1);
            }
            _ => {
                let most: Option<u64> = serde_json::from_str(text)?;
                // Where several are given, servers differ in which one they follow.
                self.max_tokens = self.max_tokens.max(most);
            }
        }
        Ok(())
    }

    /// The model's name.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_ref().map(|(name, _)| name.as_str())
    }

    /// Whether the caller asked for usage at the end of the stream.
    #[must_use]
    pub const fn wants_usage(&self) -> bool {
        matches!(
            &self.options,
            Some((
                StreamOptions::Object {
                    include_usage: true,
                    ..
                },
                _
            ))
        )
    }

    /// The body with another model's name, and, where `ask_usage`, with the request to tell the usage at the end of the stream.
    #[must_use]
    pub fn edited(&self, body: &Bytes, model: &str, ask_usage: bool) -> Bytes {
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        if let Some((own, span)) = &self.model
            && own != model
        {
            edits.push((span.clone(), serde_json::Value::from(model).to_string()));
        }
        if ask_usage && !self.wants_usage() {
            edits.push(self.usage_edit(body));
        }
        edits.sort_by_key(|(span, _)| span.start);
        apply(body, &edits)
    }

    fn usage_edit(&self, body: &[u8]) -> (Range<usize>, String) {
        match &self.options {
            None => {
                let text = ",\"stream_options\":{\"include_usage\":true}";
                (self.end..self.end, text.to_owned())
            }
            Some((
                StreamOptions::Object {
                    is_empty: false, ..
                },
                span,
            )) => {
                let old = body.get(span.clone()).unwrap_or_default();
                (span.clone(), with_usage(old))
            }
            Some((_, span)) => (span.clone(), "{\"include_usage\":true}".to_owned()),
        }
    }
}

/// Stream options with `include_usage` set, the others as they are.
fn with_usage(options: &[u8]) -> String {
    let parsed: serde_json::Result<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_slice(options);
    let mut options = parsed.unwrap_or_default();
    options.insert("include_usage".to_owned(), true.into());
    serde_json::Value::Object(options).to_string()
}

fn stream_options(text: &str) -> serde_json::Result<StreamOptions> {
    let options: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(text)?;
    Ok(match options {
        None => StreamOptions::Null,
        Some(options) => StreamOptions::Object {
            include_usage: options.get("include_usage") == Some(&true.into()),
            is_empty: options.is_empty(),
        },
    })
}

/// Where a raw value stands in the text it was read from.
fn span(text: &str, value: &RawValue) -> Range<usize> {
    let start = value
        .get()
        .as_ptr()
        .addr()
        .saturating_sub(text.as_ptr().addr());
    start..start + value.get().len()
}

fn apply(body: &Bytes, edits: &[(Range<usize>, String)]) -> Bytes {
    if edits.is_empty() {
        return body.clone();
    }
    let longer: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut edited = Vec::with_capacity(body.len() + longer);
    let mut from = 0;
    for (span, text) in edits {
        edited.extend_from_slice(body.get(from..span.start).unwrap_or_default());
        edited.extend_from_slice(text.as_bytes());
        from = span.end;
    }
    edited.extend_from_slice(body.get(from..).unwrap_or_default());
    edited.into()
}

#[cfg(test)]
mod tests;
