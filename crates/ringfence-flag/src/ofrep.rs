//! The messages of the OpenFeature Remote Evaluation Protocol 0.3 (<https://openfeature.dev/docs/reference/other-technologies/ofrep/>),
//! as functions from bytes to bytes.
//!
//! What always holds, because a client in use needs it: a success has a `variant`, if an empty one; a failure has
//! `errorDetails`; a value keeps its spelling. The `ETag` of a bulk answer is over the answer, not over the definitions:
//! a caller whose context has changed sends the old one, and must get the new answer.
//!
//! `TARGETING_KEY_MISSING` is never answered: where flagd's `fractional` has no `targetingKey`, the flag has its default.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use crate::definition::FlagSet;
use crate::evaluate::{EvaluateError, Evaluation, Subject};

/// The path of bulk evaluation; a flag's is this, `/` and its key.
pub const PATH: &str = "/ofrep/v1/evaluate/flags";
/// How many bytes of a body are read.
pub const MAX_BODY: usize = 1 << 20;

/// What is served, and when.
#[derive(Debug, Clone, Copy)]
pub struct Service<'a> {
    /// The flags.
    pub flags: &'a FlagSet,
    /// Seconds since 1970.
    pub at: u64,
    /// Path and query of the stream of [`refetch`] events, if there is one. The client knows the rest of its URL: it has come through
    /// whatever lies between.
    pub events: Option<&'a str>,
}

/// A request, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The path as it was sent, without the query.
    pub path: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// The header `If-None-Match`.
    pub if_none_match: Option<&'a str>,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names and values of headers, without the length.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a request was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum RequestError {
    #[error("the body is larger than {MAX_BODY} bytes")]
    Large,
    #[error("the body is no JSON: {0}")]
    Syntax(String),
    #[error("the body is no object")]
    Body,
    #[error("`context` is no object")]
    Context,
}

impl RequestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Large | Self::Syntax(_) | Self::Body => "PARSE_ERROR",
            Self::Context => "INVALID_CONTEXT",
        }
    }
}

/// Whether a path is one of this protocol's evaluations.
#[must_use]
pub fn is_ofrep(path: &str) -> bool {
    path.strip_prefix(PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request.
#[must_use]
pub fn respond(service: &Service<'_>, request: &Request<'_>) -> Response {
    let Some(rest) = request.path.strip_prefix(PATH) else {
        return failure(404, &[("errorDetails", "there is nothing under this path")]);
    };
    if request.method != "POST" {
        let mut response = failure(
            405,
            &[("errorDetails", "evaluations are asked for by POST")],
        );
        response.headers.push(("allow", "POST".to_owned()));
        return response;
    }
    match rest.strip_prefix('/') {
        Some(key) if !key.is_empty() => single(service, request, &decoded(key)),
        _ if rest.is_empty() || rest == "/" => bulk(service, request),
        _ => failure(404, &[("errorDetails", "there is nothing under this path")]),
    }
}

/// The event after which a client asks anew: `digest` is the new set's, `at` in seconds since 1970.
#[must_use]
pub fn refetch(digest: &str, at: u64) -> String {
    let digest = Json::from(digest);
    format!("data: {{\"type\":\"refetchEvaluation\",\"etag\":{digest},\"lastModified\":{at}}}\n\n")
}

fn single(service: &Service<'_>, request: &Request<'_>, key: &str) -> Response {
    let subject = match subject(service, request.body) {
        Ok(subject) => subject,
        Err(error) => {
            let details = error.to_string();
            return failure(
                400,
                &[
                    ("key", key),
                    ("errorCode", error.code()),
                    ("errorDetails", &details),
                ],
            );
        }
    };
    let result = service.flags.evaluate(key, &subject);
    let status = match &result {
        Ok(_) => 200,
        Err(EvaluateError::Unknown(..)) => 404,
        Err(_) => 400,
    };
    let mut body = String::new();
    write(&mut body, key, &result);
    json(status, body.into_bytes())
}

fn bulk(service: &Service<'_>, request: &Request<'_>) -> Response {
    let subject = match subject(service, request.body) {
        Ok(subject) => subject,
        Err(error) => {
            let details = error.to_string();
            return failure(
                400,
                &[("errorCode", error.code()), ("errorDetails", &details)],
            );
        }
    };
    let body = answers(service, &subject);
    let etag = etag(body.as_bytes());
    let is_known = request
        .if_none_match
        .is_some_and(|known| names(known, &etag));
    let mut response = if is_known {
        Response {
            status: 304,
            headers: Vec::new(),
            body: Vec::new(),
        }
    } else {
        json(200, body.into_bytes())
    };
    response.headers.push(("etag", etag));
    response
}

/// All flags in the order of their keys: the same answers are the same bytes.
fn answers(service: &Service<'_>, subject: &Subject) -> String {
    let mut body = String::from("{\"flags\":[");
    for (index, key) in service.flags.keys().enumerate() {
        if index > 0 {
            body.push(',');
        }
        write(&mut body, key, &service.flags.evaluate(key, subject));
    }
    body.push_str("],\"metadata\":");
    body.push_str(service.flags.metadata());
    if let Some(url) = service.events {
        let url = Json::from(url);
        let _ = write!(
            body,
            ",\"eventStreams\":[{{\"type\":\"sse\",\"endpoint\":{{\"requestUri\":{url}}}}}]"
        );
    }
    body.push('}');
    body
}

/// A strong validator of an answer.
fn etag(body: &[u8]) -> String {
    let mut etag = String::from("\"");
    for byte in Sha256::digest(body).iter().take(16) {
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    etag
}

/// Whether `If-None-Match` names a validator (RFC 9110, section 13.1.2: weak comparison, `*` is any).
fn names(header: &str, etag: &str) -> bool {
    let mut tags = header.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn subject(service: &Service<'_>, body: &[u8]) -> Result<Subject, RequestError> {
    Ok(Subject::new(context(body)?, service.flags, service.at))
}

/// The context of a body. Clients without one send `{}`, `{"context": {}}` or nothing.
fn context(body: &[u8]) -> Result<Map<String, Json>, RequestError> {
    if body.len() > MAX_BODY {
        return Err(RequestError::Large);
    }
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    let parsed = serde_json::from_slice(body);
    let parsed = parsed.map_err(|error| RequestError::Syntax(error.to_string()))?;
    let Json::Object(mut members) = parsed else {
        return Err(RequestError::Body);
    };
    match members.remove("context") {
        None | Some(Json::Null) => Ok(Map::new()),
        Some(Json::Object(context)) => Ok(context),
        Some(_) => Err(RequestError::Context),
    }
}

fn write(body: &mut String, key: &str, result: &Result<Evaluation<'_>, EvaluateError>) {
    let key = Json::from(key);
    let _ = match result {
        Ok(evaluation) => {
            let value = evaluation.value.map(|value| format!("\"value\":{value},"));
            let value = value.unwrap_or_default();
            let (reason, metadata) = (evaluation.reason.word(), evaluation.metadata);
            let variant = Json::from(evaluation.variant);
            write!(
                body,
                "{{\"key\":{key},{value}\"reason\":\"{reason}\",\"variant\":{variant},\"metadata\":{metadata}}}"
            )
        }
        Err(error) => {
            let (code, details) = (error.code(), Json::from(error.to_string()));
            write!(
                body,
                "{{\"key\":{key},\"errorCode\":\"{code}\",\"errorDetails\":{details}}}"
            )
        }
    };
}

fn failure(status: u16, members: &[(&str, &str)]) -> Response {
    let members = members.iter();
    let members: Vec<String> = members
        .map(|(name, text)| format!("\"{name}\":{}", Json::from(*text)))
        .collect();
    json(status, format!("{{{}}}", members.join(",")).into_bytes())
}

fn json(status: u16, body: Vec<u8>) -> Response {
    Response {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body,
    }
}

/// A key as the path has it: clients differ in whether they encode `/`, and all encode a space.
fn decoded(key: &str) -> Cow<'_, str> {
    if !key.contains('%') {
        return Cow::Borrowed(key);
    }
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let encoded = after.first_chunk().filter(|_| *first == b'%').copied();
        match encoded.and_then(byte) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

fn byte(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

#[cfg(test)]
mod tests;
