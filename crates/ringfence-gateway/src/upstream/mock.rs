//! Answers without a model: the same question gets the same answer.
//!
//! A chat is answered with what was said last, a request with tools with a call of the first one, or of the one that it names, a request
//! for a JSON schema with the smallest value that fits it, an embedding with numbers made of the text's bytes.

mod question;
mod responses;
mod schema;
mod speech;
mod vector;

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Call;
use crate::answer::{Body, BodyError, Refusal, whole};
use crate::config::Script;
use speech::Speech;

/// Requests that all mocks of this process have had, for scripts that fail the first ones only.
static CALLS: AtomicU64 = AtomicU64::new(0);

pub(super) async fn answer(script: &Script, call: Call<'_>) -> Response<Body> {
    pause(script.latency).await;
    if let Some(failure) = script.fail {
        let earlier = CALLS.fetch_add(1, Ordering::Relaxed);
        if failure.times.is_none_or(|times| earlier < times) {
            let refusal = Refusal::upstream("mock_failure", "the mock fails as its script says");
            return refusal.status(failure.status).response();
        }
    }
    let body = call
        .body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let request: Value = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
    match call.path {
        "/embeddings" => json_answer(&vector::embeddings(&request)),
        "/models" => json_answer(&json!({ "object": "list", "data": [
            { "id": "mock", "object": "model", "created": 0, "owned_by": "mock" }
        ] })),
        "/chat/completions" | "/completions" | "/responses" => spoken(script, call.path, &request),
        _ => {
            let refusal = Refusal::invalid("unknown_path", "the mock has no such path");
            refusal.status(StatusCode::NOT_FOUND).response()
        }
    }
}

fn spoken(script: &Script, path: &str, request: &Value) -> Response<Body> {
    let speech = Speech::of(path, request, script.chunks);
    let is_response = path == "/responses";
    if !question::is_true(request, "/stream") {
        return json_answer(&if is_response {
            responses::whole(&speech)
        } else {
            speech.whole()
        });
    }
    let events = if is_response {
        responses::events(&speech)
    } else {
        speech.events()
    };
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(speak(script.clone(), events, sender));
    let mut response = Response::new(Spoken(receiver).boxed_unsync());
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// A timer takes a millisecond at least, so that none is set for nothing.
async fn pause(time: std::time::Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// Says the events one after the other, until somebody stops listening.
async fn speak(script: Script, events: Vec<String>, to: mpsc::Sender<Result<Bytes, BodyError>>) {
    for (index, event) in events.into_iter().enumerate() {
        if index > 0 {
            pause(script.pause).await;
        }
        let is_cut = script.cut == Some(index);
        let piece = if is_cut {
            Err(BodyError::Broken)
        } else {
            Ok(event.into())
        };
        if to.send(piece).await.is_err() || is_cut {
            return;
        }
    }
}

/// A body that is spoken by a task.
struct Spoken(mpsc::Receiver<Result<Bytes, BodyError>>);

impl http_body::Body for Spoken {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

fn json_answer(value: &Value) -> Response<Body> {
    let mut response = Response::new(whole(value.to_string()));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
