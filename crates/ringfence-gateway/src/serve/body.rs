//! Bodies on their way: bounded, timed, and without the key.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

use super::account::Account;
use super::patience::Patience;
use crate::answer::{Body, BodyError, Refusal};
use crate::key::StreamScrub;
use crate::llm::events::{Events, failure};
use crate::llm::usage::Usage;

/// The largest request to a model that is taken.
const LARGEST_REQUEST: usize = 32 << 20;
/// How long a caller may be silent within a request's body.
const SILENCE: Duration = Duration::from_secs(30);

/// How many bytes a second a body comes with at least, after that time: one byte now and then would hold a place for ever.
const SLOWEST: usize = 4096;

/// The whole of a caller's body.
pub(super) async fn request_body(
    mut body: impl HttpBody<Data = Bytes> + Unpin,
) -> Result<Bytes, Refusal> {
    let too_large = || {
        Refusal::invalid(
            "request_too_large",
            "the request's body is larger than 32 MiB",
        )
        .status(StatusCode::PAYLOAD_TOO_LARGE)
    };
    if body.size_hint().lower() > LARGEST_REQUEST as u64 {
        return Err(too_large());
    }
    let mut all = BytesMut::new();
    let began = Instant::now();
    loop {
        let most = SILENCE + Duration::from_secs((all.len() / SLOWEST) as u64);
        let patience = SILENCE.min(most.saturating_sub(began.elapsed()));
        let frame = next_frame(&mut body, patience).await.map_err(|_| {
            Refusal::invalid("request_timeout", "the request's body did not come")
                .status(StatusCode::REQUEST_TIMEOUT)
        })?;
        let Some(frame) = frame else {
            return Ok(all.freeze());
        };
        let frame =
            frame.map_err(|_| Refusal::invalid("invalid_body", "the request's body broke off"))?;
        if let Ok(data) = frame.into_data() {
            if all.is_empty() && body.is_end_stream() {
                return Ok(data);
            }
            all.extend_from_slice(&data);
        }
        if all.len() > LARGEST_REQUEST {
            return Err(too_large());
        }
    }
}

/// The next frame; a timer is set where it is not there yet.
async fn next_frame<B>(
    body: &mut B,
    silence: Duration,
) -> Result<Option<Result<Frame<B::Data>, B::Error>>, Elapsed>
where
    B: HttpBody + Unpin,
{
    let at_once = poll_fn(|context| Poll::Ready(Pin::new(&mut *body).poll_frame(context)));
    match at_once.await {
        Poll::Ready(frame) => Ok(frame),
        Poll::Pending => timeout(silence, body.frame()).await,
    }
}

/// The whole of an upstream's body, of at most `most` bytes.
pub(super) async fn answer_body(
    mut body: Body,
    most: usize,
    silence: Duration,
) -> Result<Bytes, BodyError> {
    let mut all = BytesMut::new();
    loop {
        let frame = next_frame(&mut body, silence)
            .await
            .map_err(|_| BodyError::Silent)?;
        let Some(frame) = frame else {
            return Ok(all.freeze());
        };
        if let Ok(data) = frame?.into_data() {
            if all.is_empty() && body.is_end_stream() && data.len() <= most {
                return Ok(data);
            }
            all.extend_from_slice(&data);
        }
        if all.len() > most {
            return Err(BodyError::TooLarge);
        }
    }
}

/// A stream of events from a model.
pub(super) struct EventBody {
    upstream: Option<Body>,
    events: Events,
    patience: Patience,
    account: Account,
    /// The tokens of the prompt, where the upstream does not tell.
    input: u64,
}

impl EventBody {
    pub(super) fn new(
        upstream: Body,
        events: Events,
        silence: Duration,
        account: Account,
        input: u64,
    ) -> Self {
        Self {
            upstream: Some(upstream),
            events,
            patience: Patience::new(silence),
            account,
            input,
        }
    }

    /// Ends the stream with an event that says why.
    fn fail(&mut self, code: &'static str, message: &str) -> Bytes {
        self.upstream = None;
        self.account.outcome(StatusCode::OK, Some(code));
        self.settle();
        failure(code, message)
    }

    fn push(&mut self, piece: &Bytes) -> Bytes {
        let Some(resource) = self.account.resource() else {
            return Bytes::new();
        };
        let (ready, result) = self.events.push(piece, &resource.scrubber);
        match result {
            Ok(()) => ready,
            Err(error) => {
                let failure = self.fail("upstream_invalid", &error.to_string());
                [ready, failure].concat().into()
            }
        }
    }

    fn end(&mut self) -> Option<Bytes> {
        self.upstream = None;
        if let Err(error) = self.events.finish() {
            return Some(self.fail("upstream_invalid", &error.to_string()));
        }
        let error = self.events.seen.has_error.then_some("upstream_error");
        self.account.outcome(StatusCode::OK, error);
        self.settle();
        None
    }

    /// What the stream has used: as the upstream says, else about as many tokens as there were events.
    fn settle(&mut self) {
        let seen = &mut self.events.seen;
        let told = seen.usage;
        self.account.usage = Some(told.unwrap_or(Usage {
            input: self.input,
            output: seen.events,
        }));
        if let Some(model) = &mut self.account.line.model {
            model.is_estimated = told.is_none();
            model.answered = seen.model.take();
            model.id = seen.id.take();
            model.finish_reasons = std::mem::take(&mut seen.finish_reasons);
        }
        if let Some(texts) = &mut self.account.line.texts {
            texts.output = Some(std::mem::take(&mut seen.text));
        }
    }
}

impl Drop for EventBody {
    fn drop(&mut self) {
        // The caller has left: the upstream's connection closes with this, and what came so far is what it cost.
        if self.upstream.is_some() {
            self.settle();
        }
    }
}

impl HttpBody for EventBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            let Some(upstream) = &mut this.upstream else {
                return Poll::Ready(None);
            };
            let polled = Pin::new(upstream).poll_frame(context);
            let passed = match polled {
                Poll::Pending if this.patience.poll_end(context).is_ready() => {
                    this.fail("upstream_timeout", &BodyError::Silent.to_string())
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => match this.end() {
                    Some(last) => last,
                    None => return Poll::Ready(None),
                },
                Poll::Ready(Some(Err(error))) => this.fail("upstream_broken", &error.to_string()),
                Poll::Ready(Some(Ok(frame))) => {
                    this.patience.renew();
                    this.account.mark_first_byte();
                    frame
                        .into_data()
                        .map(|piece| this.push(&piece))
                        .unwrap_or_default()
                }
            };
            if !passed.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(passed))));
            }
        }
    }
}

/// Any other body from an upstream, looked through for the key.
pub(super) struct ScrubbedBody {
    upstream: Option<Body>,
    scrub: StreamScrub,
    patience: Patience,
    account: Account,
    status: StatusCode,
}

impl ScrubbedBody {
    pub(super) fn new(
        upstream: Body,
        silence: Duration,
        account: Account,
        status: StatusCode,
    ) -> Self {
        Self {
            upstream: Some(upstream),
            scrub: StreamScrub::default(),
            patience: Patience::new(silence),
            account,
            status,
        }
    }

    fn end(&mut self, error: Option<&'static str>) {
        self.upstream = None;
        self.account.outcome(self.status, error);
    }
}

impl HttpBody for ScrubbedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            let Some(upstream) = &mut this.upstream else {
                return Poll::Ready(None);
            };
            let Poll::Ready(polled) = Pin::new(upstream).poll_frame(context) else {
                ready!(this.patience.poll_end(context));
                this.end(Some("upstream_timeout"));
                return Poll::Ready(Some(Err(BodyError::Silent)));
            };
            let passed = match polled {
                None => {
                    this.end(None);
                    this.scrub.finish()
                }
                Some(Err(error)) => {
                    this.end(Some("upstream_broken"));
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => {
                    this.patience.renew();
                    this.account.mark_first_byte();
                    let piece = frame.into_data().unwrap_or_default();
                    let resource = this.account.resource();
                    resource
                        .map(|resource| this.scrub.push(&resource.scrubber, piece))
                        .unwrap_or_default()
                }
            };
            if !passed.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(passed))));
            }
        }
    }

    /// Secrets are replaced by as many bytes, so that the length stays the upstream's.
    fn size_hint(&self) -> SizeHint {
        self.upstream
            .as_ref()
            .map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}
