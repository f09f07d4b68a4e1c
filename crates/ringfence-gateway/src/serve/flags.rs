//! Flags over OFREP: single and bulk evaluation, and a stream that says when to ask again.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, IF_NONE_MATCH};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ringfence_flag::ofrep::{self, Service, refetch};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep};

use super::body::request_body;
use crate::answer::{Body, BodyError, whole};
use crate::config::Config;

/// The stream of changes.
pub(super) const EVENTS: &str = "/ofrep/v1/events";
/// What a ticket for that stream is good for: whoever opens a stream in a browser can send no header, so that its URL has to say
/// who asks, in a word that opens nothing else.
const USE: &str = "events";
/// A comment is sent after so long a silence, so that what is in between keeps the connection.
const SILENCE: Duration = Duration::from_secs(20);

/// Said in the place of a digest when the gateway ends, so that it need not wait for streams without end.
pub(super) const END: &str = "";

/// Which flags are served: their digest. Whoever listens hears of the next one.
pub(super) type Digest = watch::Receiver<String>;

pub(super) async fn answer(
    config: &Config,
    digest: Digest,
    caller: &str,
    request: Request<Incoming>,
) -> Response<Body> {
    if request.uri().path() == EVENTS {
        return events(digest, request.method());
    }
    let (head, body) = request.into_parts();
    let body = match request_body(body).await {
        Ok(body) => body,
        Err(refusal) => return refusal.response(),
    };
    let ticket = config.callers.ticket(caller, USE);
    let events = format!("{EVENTS}?ticket={ticket}");
    let service = Service {
        flags: &config.flags,
        at: now(),
        events: Some(&events),
    };
    let known = head
        .headers
        .get(IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok());
    let request = ofrep::Request {
        method: head.method.as_str(),
        path: head.uri.path(),
        body: &body,
        if_none_match: known,
    };
    let answer = ofrep::respond(&service, &request);
    let mut response = Response::new(whole(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// The caller who opens the stream with a ticket in its URL.
pub(super) fn listener<B>(config: &Config, request: &Request<B>) -> Option<String> {
    if request.uri().path() != EVENTS {
        return None;
    }
    let mut pairs = request.uri().query()?.split('&');
    let ticket = pairs.find_map(|pair| pair.strip_prefix("ticket="))?;
    let caller = config.callers.holder(ticket, USE)?;
    Some(caller.to_owned())
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |time| time.as_secs())
}

fn events(digest: Digest, method: &Method) -> Response<Body> {
    if method != Method::GET {
        let mut response = Response::new(whole(
            "{\"errorDetails\":\"the stream is asked for by GET\"}",
        ));
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        return response;
    }
    let mut response = Response::new(Changes::new(digest).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The next digest, and who goes on listening.
type Next = dyn Future<Output = Option<(String, Digest)>> + Send;

/// A stream without end: an event for each change, a comment now and then.
struct Changes {
    next: Pin<Box<Next>>,
    silence: Pin<Box<Sleep>>,
    is_begun: bool,
}

impl Changes {
    fn new(digest: Digest) -> Self {
        Self {
            next: Box::pin(change(digest)),
            silence: Box::pin(sleep(SILENCE)),
            is_begun: false,
        }
    }
}

/// The next digest; `None` when the gateway ends.
async fn change(mut digest: Digest) -> Option<(String, Digest)> {
    digest.changed().await.ok()?;
    let next = digest.borrow_and_update().clone();
    (next != END).then_some((next, digest))
}

impl HttpBody for Changes {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let said = if !std::mem::replace(&mut this.is_begun, true) {
            // Whoever listens knows at once that somebody speaks.
            Bytes::from_static(b": flags\n\n")
        } else if let Poll::Ready(next) = this.next.as_mut().poll(context) {
            let Some((digest, listener)) = next else {
                return Poll::Ready(None);
            };
            this.next = Box::pin(change(listener));
            refetch(&digest, now()).into()
        } else if this.silence.as_mut().poll(context).is_ready() {
            Bytes::from_static(b": still here\n\n")
        } else {
            return Poll::Pending;
        };
        this.silence.as_mut().reset(Instant::now() + SILENCE);
        Poll::Ready(Some(Ok(Frame::data(said))))
    }
}
