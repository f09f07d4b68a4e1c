//! One connection: its requests one after the other, and nothing but its socket in between.
//!
//! hyper keeps two buffers of 8 KiB, and more, for as long as it has a connection. Where many are open, it has one only while a request is
//! under way; between two, the socket waits alone. What always holds: a connection rests only when the request was read to its end
//! and the answer has left whole, so that the rest of a body is never taken for a request.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::patience::Patience;
use super::patient::Patient;
use super::{Worker, route};
use crate::answer::{Body, BodyError};

/// How long a request's head may take, and how long a connection may wait for one.
const HEAD: Duration = Duration::from_secs(10);
/// Connections of all threads that may keep their buffers between requests, which saves making them anew.
const WARM: usize = 128;

/// How the connections of one thread are served.
pub(super) struct Server {
    builder: http1::Builder,
    /// Connections that hyper has at present.
    held: AtomicUsize,
    most_warm: usize,
}

/// What is known of a connection from outside of hyper.
#[derive(Default)]
struct Activity {
    /// Requests whose answers have not left whole.
    requests: AtomicUsize,
    /// Something has come that belongs to no request so far.
    is_beginning: AtomicBool,
    /// The last request's body has not been read to its end.
    is_unread: AtomicBool,
    /// The caller does not take what is written.
    is_blocked: AtomicBool,
}

/// A socket, what was read of it too early, and what happens on it.
struct Socket {
    stream: TokioIo<Patient>,
    rest: Bytes,
    activity: Arc<Activity>,
}

/// Answers the requests of one connection.
struct Connected {
    worker: Arc<Worker>,
    activity: Arc<Activity>,
}

type Held = http1::Connection<Socket, Connected>;

/// How hyper's part ends.
enum End {
    /// Between two requests.
    Rest,
    /// For good.
    Closed,
}

impl Server {
    /// For one of so many threads.
    pub(super) fn new(threads: usize) -> Self {
        let mut builder = http1::Builder::new();
        // hyper would set a timer anew for each head; `Patience` has one for the connection.
        builder.header_read_timeout(None);
        Self {
            builder,
            held: AtomicUsize::new(0),
            most_warm: WARM / threads.max(1),
        }
    }

    fn is_crowded(&self) -> bool {
        self.held.load(Ordering::Relaxed) > self.most_warm
    }
}

/// Serves a connection until it is closed, or, once `ending` says so, until the request under way is answered.
pub(super) async fn serve(
    worker: Arc<Worker>,
    stream: TcpStream,
    mut ending: watch::Receiver<bool>,
) {
    // Without it each small chunk of a stream waits for the acknowledgement of the one before; where it fails, it is only slow.
    let _ = stream.set_nodelay(true);
    let activity = Arc::<Activity>::default();
    let mut connected = Connected {
        worker: Arc::clone(&worker),
        activity: Arc::clone(&activity),
    };
    let mut socket = Socket {
        stream: TokioIo::new(Patient::new(stream)),
        rest: Bytes::new(),
        activity: Arc::clone(&activity),
    };
    loop {
        if socket.rest.is_empty() && !socket.is_ready(&mut ending).await {
            return;
        }
        let held = worker.server.builder.serve_connection(socket, connected);
        // In a box, so that a waiting connection does not take its place.
        let mut held = Box::new(held);
        worker.server.held.fetch_add(1, Ordering::Relaxed);
        let end = carry(&mut held, &activity, &worker.server, &mut ending).await;
        worker.server.held.fetch_sub(1, Ordering::Relaxed);
        if matches!(end, End::Closed) {
            return;
        }
        let parts = held.into_parts();
        (socket, connected) = (parts.io, parts.service);
        // Copied, because even an empty part keeps the buffer that it was cut from.
        let rest = [parts.read_buf, std::mem::take(&mut socket.rest)];
        socket.rest = rest.concat().into();
    }
}

/// Lets hyper work until the connection is closed, or may rest where the memory is better used elsewhere.
async fn carry(
    held: &mut Held,
    activity: &Activity,
    server: &Server,
    ending: &mut watch::Receiver<bool>,
) -> End {
    let mut over = pin!(ending.wait_for(|is_over| *is_over));
    let mut patience = Patience::new(HEAD);
    let mut was_waiting = true;
    let mut is_last = false;
    poll_fn(|context| {
        if !is_last && over.as_mut().poll(context).is_ready() {
            is_last = true;
            Pin::new(&mut *held).graceful_shutdown();
        }
        // A connection that broke has nobody left to tell.
        if Pin::new(&mut *held).poll(context).is_ready() {
            return Poll::Ready(End::Closed);
        }
        let is_waiting = activity.is_waiting();
        if is_waiting && !was_waiting {
            patience.renew();
        }
        was_waiting = is_waiting;
        if is_waiting && patience.poll_end(context).is_ready() {
            return Poll::Ready(End::Closed);
        }
        if is_last || !activity.is_idle() || !server.is_crowded() {
            return Poll::Pending;
        }
        is_last = true;
        Pin::new(&mut *held).graceful_shutdown();
        held.poll_without_shutdown(context)
            .map(|ended| ended.map_or(End::Closed, |()| End::Rest))
    })
    .await
}

impl Activity {
    /// Whether a head is waited for: the last answer has left, to its last byte.
    fn is_waiting(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0 && !self.is_blocked.load(Ordering::Relaxed)
    }

    /// Whether nothing is under way, as far as can be seen from here.
    fn is_idle(&self) -> bool {
        self.is_waiting()
            && !self.is_beginning.load(Ordering::Relaxed)
            && !self.is_unread.load(Ordering::Relaxed)
    }
}

impl Socket {
    /// Waits for the first byte of a request; `false` where none comes in time, or the end does.
    async fn is_ready(&self, ending: &mut watch::Receiver<bool>) -> bool {
        tokio::select! {
            ready = timeout(HEAD, self.stream.inner().stream().readable()) => matches!(ready, Ok(Ok(()))),
            _ = ending.wait_for(|is_over| *is_over) => false,
        }
    }

    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        let is_blocked = written.is_pending();
        self.activity
            .is_blocked
            .store(is_blocked, Ordering::Relaxed);
        written
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        } else {
            let length = buffer.remaining().min(self.rest.len());
            buffer.put_slice(&self.rest.split_to(length));
        }
        self.activity.is_beginning.store(true, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.note(written)
    }
}

/// A request whose answer has not left whole.
struct UnderWay(Arc<Activity>);

impl UnderWay {
    fn new(activity: &Arc<Activity>, is_read: bool) -> Self {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        activity.is_beginning.store(false, Ordering::Relaxed);
        activity.is_unread.store(!is_read, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl hyper::service::Service<http::Request<Incoming>> for Connected {
    type Response = http::Response<Leaving>;
    type Error = BodyError;
    type Future = Answering;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let is_read = request.body().is_end_stream();
        let request = request.map(|incoming| Asking {
            incoming,
            activity: Arc::clone(&self.activity),
        });
        Answering {
            under_way: Some(UnderWay::new(&self.activity, is_read)),
            answer: route::answer(Arc::clone(&self.worker), request),
        }
    }
}

/// The body of a request.
pub(super) struct Asking {
    incoming: Incoming,
    activity: Arc<Activity>,
}

impl Asking {
    /// The body as hyper has it; whether it is read to its end is not known then.
    pub(super) fn into_incoming(self) -> Incoming {
        self.incoming
    }
}

impl HttpBody for Asking {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.incoming.is_end_stream() {
            self.activity.is_unread.store(false, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// An answer on its way.
struct Answering {
    answer: route::Answering,
    under_way: Option<UnderWay>,
}

impl Future for Answering {
    type Output = Result<http::Response<Leaving>, BodyError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.answer.as_mut().poll(context))?;
        let _under_way = self.under_way.take();
        Poll::Ready(Ok(response.map(|body| Leaving { body, _under_way })))
    }
}

/// The body of an answer; when it is gone, the answer has left.
struct Leaving {
    body: Body,
    _under_way: Option<UnderWay>,
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
