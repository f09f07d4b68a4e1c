//! What the gateway says itself: bodies, and errors in the shape that OpenAI's clients read.
//!
//! The shape is `{"error": {"message", "type", "param", "code"}}` (OpenAI API reference, "Errors"); `x-should-retry: false` stops
//! the retries of OpenAI's own clients, `retry-after-ms` and `retry-after` time them.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::json;

/// Why a body could not be carried to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The connection to the upstream broke.
    #[error("the upstream's answer broke off")]
    Broken,
    /// Nothing came for the time that the resource allows.
    #[error("the upstream was silent for too long")]
    Silent,
    /// It is over the bound that the gateway keeps.
    #[error("the upstream's answer is larger than the gateway takes")]
    TooLarge,
}

/// The body of an answer or a request.
pub(crate) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A body that is all there.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

/// Whether and when trying again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Never: the same request fails the same way.
    Never,
    /// After this time.
    After(Duration),
    /// As the status says.
    AsUsual,
}

/// A request that is refused, or could not be carried out.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// OpenAI's `type`.
    pub(crate) kind: &'static str,
    /// OpenAI's `code`: what programs compare.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) retry: Retry,
}

impl Refusal {
    /// The request is at fault.
    pub(crate) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "invalid_request_error",
            code,
            message: message.into(),
            retry: Retry::Never,
        }
    }

    /// The upstream is at fault.
    pub(crate) fn upstream(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_GATEWAY,
            kind: "upstream_error",
            code,
            message: message.into(),
            retry: Retry::AsUsual,
        }
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// `{"error": …}`.
    pub(crate) fn json(&self) -> String {
        error_json(self.kind, self.code, &self.message)
    }

    /// The answer.
    pub(crate) fn response(&self) -> Response<Body> {
        let mut response = Response::new(whole(self.json()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.retry {
            Retry::AsUsual => {}
            Retry::Never => {
                headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
            }
            Retry::After(wait) => {
                let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
                headers.insert(RETRY_AFTER, milliseconds.div_ceil(1000).into());
                headers.insert(RETRY_AFTER_MS, milliseconds.into());
            }
        }
        response
    }
}

pub(crate) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// An error as OpenAI's clients read it.
pub(crate) fn error_json(kind: &str, code: &str, message: &str) -> String {
    json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
        .to_string()
}
