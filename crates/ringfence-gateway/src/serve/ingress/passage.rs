//! One connection of a client, and the one to the program behind it.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::super::Worker;
use super::super::patience::Patience;
use super::admission::Admission;
use super::forwarded::{FORWARDED_FOR, Peer, to_client, to_program, upgrade};
use super::{Held, Waiting};
use crate::answer::{Body, BodyError, Refusal, Retry};

/// How long the program may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a client may be silent within a request's body.
const SILENCE: Duration = Duration::from_secs(30);

/// A client's way to the program.
pub(super) struct Passage(Arc<Inner>);

struct Inner {
    worker: Arc<Worker>,
    port: u16,
    peer: IpAddr,
    /// The connection to the program, between two requests.
    kept: Mutex<Option<SendRequest<Sent>>>,
    _held: Held,
}

/// Why there is no answer of the program's.
enum PassError {
    /// Nobody listens, or not any more.
    NotThere,
    /// The program closed the connection before it answered.
    Broken,
    /// The client did not send the rest of its request.
    Silent,
}

impl Passage {
    pub(super) fn new(worker: Arc<Worker>, port: u16, peer: IpAddr, held: Held) -> Self {
        Self(Arc::new(Inner {
            worker,
            port,
            peer,
            kept: Mutex::default(),
            _held: held,
        }))
    }
}

impl hyper::service::Service<Request<Incoming>> for Passage {
    type Response = Response<Answered>;
    type Error = BodyError;
    type Future = Waiting<'static, Result<Self::Response, BodyError>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { Ok(inner.answer(request).await) })
    }
}

impl Inner {
    async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Response<Answered> {
        let gateway = &self.worker.gateway;
        let config = gateway.snapshot();
        let headers = request.headers();
        let told = headers.get_all(FORWARDED_FOR).iter();
        // What is no text is no address either.
        let told = told.map(|value| value.to_str().unwrap_or_default());
        let client = config.ingress.client(self.peer, told);
        let peer = Peer {
            address: self.peer,
            is_proxy: config.ingress.is_proxy(self.peer),
        };
        let mut admission = match Admission::take(gateway, &config, client).await {
            Ok(admission) => admission,
            Err(refused) => return refused.map(Answered::own),
        };
        if request.method() == Method::CONNECT {
            admission.status = StatusCode::METHOD_NOT_ALLOWED;
            return no_tunnels().response().map(Answered::own);
        }
        let wanted = upgrade(headers);
        let client_side = request.extensions_mut().remove::<OnUpgrade>();
        let client_side = client_side.filter(|_| wanted.is_some());
        *request.headers_mut() = to_program(request.headers(), wanted, peer);
        // The program speaks HTTP/1.1, whatever the client does, and that has a host.
        let version = std::mem::replace(request.version_mut(), Version::HTTP_11);
        if version == Version::HTTP_10 && !request.headers().contains_key(HOST) {
            let host = HeaderValue::from_str(&format!("127.0.0.1:{}", self.port));
            host.map(|host| request.headers_mut().insert(HOST, host))
                .ok();
        }
        match self.send(request.map(Sent::new)).await {
            Ok(response) => {
                admission.status = response.status();
                passed(response, client_side, (admission, self))
            }
            Err(error) => {
                let refusal = error.refusal(self.port);
                admission.status = refusal.status;
                refusal.response().map(Answered::own)
            }
        }
    }

    /// Sends a request on the connection that there is, or on a new one.
    async fn send(&self, mut request: Request<Sent>) -> Result<Response<Incoming>, PassError> {
        let kept = self.kept().take();
        if let Some(mut kept) = kept
            && kept.ready().await.is_ok()
        {
            let again = repeatable(&request);
            match kept.try_send_request(request).await {
                Ok(response) => {
                    *self.kept() = Some(kept);
                    return Ok(response);
                }
                // The program closed it meanwhile. What it has not seen, or may see twice, is sent anew.
                Err(mut failed) => match failed.take_message().or(again) {
                    Some(back) => request = back,
                    None => return Err(why(&failed.into_error())),
                },
            }
        }
        let mut fresh = self.connect().await.map_err(|_| PassError::NotThere)?;
        let response = fresh.send_request(request).await;
        let response = response.map_err(|error| why(&error))?;
        *self.kept() = Some(fresh);
        Ok(response)
    }

    async fn connect(&self) -> io::Result<SendRequest<Sent>> {
        let program = self.worker.gateway.program.as_ref();
        let program = program.ok_or(io::ErrorKind::NotConnected)?;
        let stream = timeout(CONNECT, program.connect(self.port)).await??;
        stream.set_nonblocking(true)?;
        let stream = tokio::net::TcpStream::from_std(stream)?;
        // Where it fails, it is only slow.
        let _ = stream.set_nodelay(true);
        let mut client = http1::Builder::new();
        client.preserve_header_case(true);
        let (sender, connection) = client
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // Its end is seen by who sends.
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<SendRequest<Sent>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same request once more, where that changes nothing (RFC 9110, section 9.2.1) and it has no body.
fn repeatable(request: &Request<Sent>) -> Option<Request<Sent>> {
    if !request.method().is_safe() || !request.body().is_end_stream() {
        return None;
    }
    let mut again = Request::new(Sent::nothing());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.version_mut() = request.version();
    *again.headers_mut() = request.headers().clone();
    *again.extensions_mut() = request.extensions().clone();
    Some(again)
}

/// The program's answer as the client gets it.
fn passed(
    mut response: Response<Incoming>,
    client_side: Option<OnUpgrade>,
    (admission, inner): (Admission, Arc<Inner>),
) -> Response<Answered> {
    *response.version_mut() = Version::HTTP_11;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let Some(client_side) = client_side else {
            return PassError::Broken.refusal(0).response().map(Answered::own);
        };
        let program_side = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            tunnel(client_side, program_side).await;
            // As long as the tunnel stands its place is taken.
            drop((admission, inner));
        });
        return response.map(|body| Answered::passed(body, None));
    }
    *response.headers_mut() = to_client(response.headers(), response.status());
    response.map(|body| Answered::passed(body, Some(admission)))
}

/// Passes bytes both ways until both have ended.
async fn tunnel(client: OnUpgrade, program: OnUpgrade) {
    if let (Ok(client), Ok(program)) = tokio::join!(client, program) {
        let (mut client, mut program) = (TokioIo::new(client), TokioIo::new(program));
        // A side that broke has nobody left to tell.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut program).await;
    }
}

fn why(error: &hyper::Error) -> PassError {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(BodyError::Silent) => PassError::Silent,
        _ => PassError::Broken,
    }
}

impl PassError {
    fn refusal(&self, port: u16) -> Refusal {
        let (status, code, message, retry) = match self {
            Self::NotThere => (
                StatusCode::SERVICE_UNAVAILABLE,
                "program_not_listening",
                format!("the program does not listen at its port {port} at the moment"),
                Retry::After(Duration::from_secs(1)),
            ),
            Self::Broken => (
                StatusCode::BAD_GATEWAY,
                "program_broke_off",
                "the program closed the connection before it answered".to_owned(),
                Retry::AsUsual,
            ),
            Self::Silent => (
                StatusCode::REQUEST_TIMEOUT,
                "request_timeout",
                "the rest of the request did not come".to_owned(),
                Retry::AsUsual,
            ),
        };
        Refusal {
            status,
            kind: "server_error",
            code,
            message,
            retry,
        }
    }
}

fn no_tunnels() -> Refusal {
    Refusal::invalid("no_tunnels", "`CONNECT` is not passed on to the program")
        .status(StatusCode::METHOD_NOT_ALLOWED)
}

/// A request's body on its way to the program; an error where the client sends nothing for too long.
struct Sent {
    body: Option<Incoming>,
    patience: Patience,
}

impl Sent {
    const fn new(body: Incoming) -> Self {
        Self {
            body: Some(body),
            patience: Patience::new(SILENCE),
        }
    }

    const fn nothing() -> Self {
        Self {
            body: None,
            patience: Patience::new(SILENCE),
        }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            self.patience.renew();
            return Poll::Ready(frame.map(|frame| frame.map_err(|_| BodyError::Broken)));
        }
        let late = self.patience.poll_end(context);
        late.map(|()| Some(Err(BodyError::Silent)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let none = || SizeHint::with_exact(0);
        self.body.as_ref().map_or_else(none, HttpBody::size_hint)
    }
}

/// An answer's body, and what its request has taken.
pub(super) enum Answered {
    /// The front's own.
    Own(Body),
    /// The program's.
    Passed {
        body: Incoming,
        _admission: Option<Admission>,
    },
}

impl Answered {
    const fn own(body: Body) -> Self {
        Self::Own(body)
    }

    const fn passed(body: Incoming, admission: Option<Admission>) -> Self {
        Self::Passed {
            body,
            _admission: admission,
        }
    }
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Own(body) => Pin::new(body).poll_frame(context),
            Self::Passed { body, .. } => {
                let polled = Pin::new(body).poll_frame(context);
                polled.map_err(|_| BodyError::Broken)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Passed { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Passed { body, .. } => body.size_hint(),
        }
    }
}
