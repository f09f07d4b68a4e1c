//! Threads that answer, each with connections and a loop of its own: nothing that a request needs wakes another thread.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{Gateway, ingress, route};
use crate::answer::{Body, BodyError};
use crate::upstream::Clients;

/// How long a request's head may take.
const HEAD: Duration = Duration::from_secs(10);
/// Threads at most: more would not be busy before the network is.
const MOST: usize = 8;

/// What a thread answers with.
pub(super) struct Worker {
    pub(super) gateway: Arc<Gateway>,
    pub(super) clients: Arc<Clients>,
}

/// A connection, its place among the connections, which is free when it is dropped, and where it came in.
pub(super) type Accepted = (TcpStream, OwnedSemaphorePermit, Entry);

/// Where a connection came in.
#[derive(Clone, Copy)]
pub(super) enum Entry {
    /// At the gateway's own address.
    Own,
    /// At a port of the program's.
    Program(u16),
}

/// All threads; connections are handed out in turn.
pub(super) struct Workers {
    senders: Vec<UnboundedSender<Accepted>>,
    threads: Vec<JoinHandle<()>>,
    next: usize,
}

impl Workers {
    /// One for each processor; at the end requests under way have that long.
    pub(super) fn start(gateway: &Arc<Gateway>, grace: Duration) -> io::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let mut workers = Self {
            senders: Vec::new(),
            threads: Vec::new(),
            next: 0,
        };
        for _ in 0..processors.min(MOST) {
            let (sender, receiver) = unbounded_channel();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let gateway = Arc::clone(gateway);
            let thread = std::thread::Builder::new().name("worker".to_owned());
            let thread = thread.spawn(move || {
                let worker = Worker {
                    gateway,
                    clients: Arc::default(),
                };
                // What is cut off at the end settles as a caller who has left does, when the loop is dropped.
                runtime.block_on(work(&Arc::new(worker), receiver, grace));
            })?;
            workers.senders.push(sender);
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    pub(super) fn take(&mut self, accepted: Accepted) {
        self.next = (self.next + 1) % self.senders.len().max(1);
        if let Some(sender) = self.senders.get(self.next) {
            // A thread ends when its sender is gone, and not before.
            let _ = sender.send(accepted);
        }
    }

    /// Takes nothing more, and waits for what is under way.
    pub(super) fn end(self) {
        drop(self.senders);
        for thread in self.threads {
            // One that panicked has nothing more under way.
            let _ = thread.join();
        }
    }
}

async fn work(worker: &Arc<Worker>, mut streams: UnboundedReceiver<Accepted>, grace: Duration) {
    let graceful = GracefulShutdown::new();
    let (ending, fronts) = watch::channel(false);
    while let Some((stream, place, entry)) = streams.recv().await {
        let Ok(stream) = tokio::net::TcpStream::from_std(stream) else {
            continue;
        };
        match entry {
            Entry::Own => {
                let connection = graceful.watch(connection(worker, stream));
                tokio::spawn(async move {
                    // A connection that broke has nobody left to tell.
                    let _ = connection.await;
                    drop(place);
                });
            }
            Entry::Program(port) => {
                let held = (place, fronts.clone());
                tokio::spawn(ingress::serve(Arc::clone(worker), stream, port, held));
            }
        }
    }
    drop(fronts);
    ending.send_replace(true);
    let all = async { tokio::join!(graceful.shutdown(), ending.closed()) };
    // What is not done by then is cut off.
    let _ = tokio::time::timeout(grace, all).await;
}

/// Answers the requests of one connection.
struct Connected(Arc<Worker>);

impl hyper::service::Service<http::Request<Incoming>> for Connected {
    type Response = http::Response<Body>;
    type Error = BodyError;
    type Future = route::Answering;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        route::answer(Arc::clone(&self.0), request)
    }
}

type Served = http1::Connection<TokioIo<tokio::net::TcpStream>, Connected>;

fn connection(worker: &Arc<Worker>, stream: tokio::net::TcpStream) -> Served {
    // Without it each small chunk of a stream waits for the acknowledgement of the one before; where it fails, it is only slow.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), Connected(Arc::clone(worker)))
}
