//! Listens, answers, reloads and ends.
//!
//! A request takes the snapshot that is present when it begins and keeps it. A reload puts a new one beside it or leaves the old one;
//! buckets, connections and counts outlive it.

mod account;
mod body;
mod flags;
mod forward;
mod relay;
mod route;
mod watch;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch as channel};

use crate::answer::{Body, BodyError};
use crate::config::Config;
use crate::limit::Store;
use crate::limit::book::Book;
use crate::limit::memory::Written;
use crate::record::metrics::Metrics;
use crate::record::writer::Recorder;
use crate::upstream::Upstreams;
pub use watch::Source;

/// A gateway that can be served.
pub struct Gateway {
    snapshot: RwLock<Arc<Config>>,
    limits: Store,
    upstreams: Upstreams,
    recorder: Recorder,
    metrics: Metrics,
    requests: AtomicU64,
    book: Option<Book>,
    /// The digest of the flags that are served.
    flags: channel::Sender<String>,
    /// A random number, so that two gateways do not give the same names to requests.
    seed: u64,
}

/// Why a gateway cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The system gave no threads, timers or signals.
    #[error("the system refused what a server needs: {0}")]
    System(#[from] io::Error),
}

/// Connections at a time; the next one waits.
const CONNECTIONS: usize = 8192;
/// How long a request's head may take.
const HEAD: Duration = Duration::from_secs(10);
/// How long requests under way may go on after the signal to end.
const GRACE: Duration = Duration::from_secs(20);

impl Gateway {
    /// A gateway with this configuration, which [`crate::config::refusals`] has nothing against.
    #[must_use]
    pub fn new(config: Config, recorder: Recorder, limits: Store) -> Self {
        Self {
            seed: RandomState::new().hash_one(&config.environment) >> 24,
            flags: channel::Sender::new(config.flags.digest().to_owned()),
            snapshot: RwLock::new(Arc::new(config)),
            limits,
            upstreams: Upstreams::default(),
            recorder,
            metrics: Metrics::default(),
            requests: AtomicU64::new(0),
            book: None,
        }
    }

    /// The same, with budgets that are kept on disk: what was spent before is put back.
    #[must_use]
    pub fn with_book(mut self, book: Book, windows: Vec<Written>) -> Self {
        if let Store::Memory(memory) = &self.limits {
            memory.restore(windows);
        }
        self.book = Some(book);
        self
    }

    /// Writes budgets down where they have changed.
    fn keep_budgets(&self) {
        let (Some(book), Store::Memory(memory)) = (&self.book, &self.limits) else {
            return;
        };
        if let Some(windows) = memory.changed(memory.now())
            && book.write(&windows).is_err()
        {
            self.metrics.budgets_not_kept();
        }
    }

    fn snapshot(&self) -> Arc<Config> {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&snapshot)
    }

    fn swap(&self, config: Config) {
        let digest = config.flags.digest().to_owned();
        *self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        // Told after the swap: whoever asks again gets the new ones.
        self.flags.send_if_modified(|old| {
            let is_new = *old != digest;
            *old = digest;
            is_new
        });
    }

    fn request_id(&self) -> String {
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        format!("req_{:x}{count:06x}", self.seed)
    }
}

/// Serves until SIGTERM or SIGINT; SIGHUP, or a change that `source` sees, loads the configuration anew.
///
/// # Errors
/// Where the system gives no threads, timers or signals.
pub fn run(
    listener: TcpListener,
    gateway: Gateway,
    source: Box<dyn Source>,
) -> Result<(), ServeError> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let gateway = Arc::new(gateway);
    let served = runtime.block_on(serve(listener, &gateway, source));
    // Tasks that were given up settle what they hold before the last record is written.
    runtime.shutdown_timeout(Duration::from_secs(1));
    gateway.keep_budgets();
    gateway.recorder.close();
    served
}

async fn serve(
    listener: TcpListener,
    gateway: &Arc<Gateway>,
    source: Box<dyn Source>,
) -> Result<(), ServeError> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let watch = watch::start(Arc::clone(gateway), source)?;
    let mut end = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        tokio::select! {
            accepted = accept(&listener, &places) => {
                let (stream, place) = accepted;
                let connection = connection(gateway, stream);
                let connection = graceful.watch(connection);
                tokio::spawn(async move {
                    // A connection that broke has nobody left to tell.
                    let _ = connection.await;
                    drop(place);
                });
            }
            _ = hang_up.recv() => watch.reload(),
            _ = end.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    drop(listener);
    gateway.flags.send_replace(flags::END.to_owned());
    // What is not done by then is cut off; its reserves are settled as those of a caller who has left.
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    Ok(())
}

async fn accept(
    listener: &tokio::net::TcpListener,
    places: &Arc<Semaphore>,
) -> (
    tokio::net::TcpStream,
    Option<tokio::sync::OwnedSemaphorePermit>,
) {
    /// Out of descriptors, accepting fails at once; others may close theirs meanwhile.
    const PAUSE: Duration = Duration::from_millis(50);
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Answers the requests of one connection.
struct Connected(Arc<Gateway>);

impl hyper::service::Service<http::Request<Incoming>> for Connected {
    type Response = http::Response<Body>;
    type Error = BodyError;
    type Future = route::Answering;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        route::answer(Arc::clone(&self.0), request)
    }
}

type Served = http1::Connection<TokioIo<tokio::net::TcpStream>, Connected>;

fn connection(gateway: &Arc<Gateway>, stream: tokio::net::TcpStream) -> Served {
    // Without it each small chunk of a stream waits for the acknowledgement of the one before; where it fails, it is only slow.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), Connected(Arc::clone(gateway)))
}
