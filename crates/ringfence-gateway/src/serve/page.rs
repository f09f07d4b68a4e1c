//! Pages that ask for flags: what a browser wants to hear before it hands an answer to a script (Fetch Standard, "CORS protocol").
//!
//! Only origins that the configuration takes hear anything, each its own name and never `*`; cookies are nobody's business here, so
//! that `Access-Control-Allow-Credentials` is never said. A preflight has no token, and learns nothing but that.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderValue, ORIGIN, VARY,
};
use http::{Method, Request, Response, StatusCode};
use ringfence_flag::ofrep;

use super::flags::EVENTS;
use crate::answer::{Body, whole};
use crate::config::Config;

/// The page that a request comes from.
pub(super) struct Page {
    origin: HeaderValue,
    is_taken: bool,
}

impl Page {
    /// `None` where the request is no page's, or not for flags.
    pub(super) fn of<B>(config: &Config, request: &Request<B>) -> Option<Self> {
        let origin = request.headers().get(ORIGIN)?.clone();
        let path = request.uri().path();
        (path == EVENTS || ofrep::is_ofrep(path)).then(|| {
            let is_taken = origin.to_str().is_ok_and(|text| config.origins.take(text));
            Self { origin, is_taken }
        })
    }

    /// The answer to what a browser asks first; `None` where this is the request itself.
    pub(super) fn preflight<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
        const HEADERS: HeaderValue =
            HeaderValue::from_static("authorization, content-type, if-none-match, x-api-key");
        const SECONDS: HeaderValue = HeaderValue::from_static("600");
        let asks = request
            .headers()
            .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if request.method() != Method::OPTIONS || !asks {
            return None;
        }
        let mut response = Response::new(whole(""));
        *response.status_mut() = StatusCode::NO_CONTENT;
        if self.is_taken {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, SECONDS);
        }
        Some(response)
    }

    /// Lets the browser hand an answer over.
    pub(super) fn label(self, response: &mut Response<Body>) {
        const EXPOSED: HeaderValue = HeaderValue::from_static("etag, retry-after");
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static("origin"));
        if self.is_taken {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}
