//! Listens, answers, reloads and ends.
//!
//! A request takes the snapshot that is present when it begins and keeps it. A reload puts a new one beside it or leaves the old one;
//! buckets, connections and counts outlive it.

mod account;
mod body;
mod connection;
mod flags;
mod forward;
mod ingress;
mod page;
mod path;
mod patience;
mod patient;
mod relay;
mod route;
mod status;
mod watch;
mod worker;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch as channel};

use crate::config::Config;
use crate::limit::Store;
use crate::limit::book::Book;
use crate::limit::memory::Written;
use crate::record::metrics::Metrics;
use crate::record::writer::Recorder;
use crate::upstream::Upstreams;
pub use ingress::{Program, Waiting};
pub use watch::Source;
use worker::{Accepted, Entry, Worker, Workers};

/// A gateway that can be served.
pub struct Gateway {
    snapshot: RwLock<Arc<Config>>,
    limits: Store,
    upstreams: Upstreams,
    recorder: Recorder,
    metrics: Metrics,
    requests: AtomicU64,
    /// Locked while it is written, so that nobody ends in the middle of that.
    book: Option<Book>,
    /// The program that fronts stand before.
    program: Option<Arc<dyn Program>>,
    /// The digest of the flags that are served.
    flags: channel::Sender<String>,
    /// A random number, so that two gateways do not give the same names to requests.
    seed: u64,
    began: Instant,
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
            began: Instant::now(),
            program: None,
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

    /// The same, with fronts before a program's ports, which hold what comes in to the configuration's limits.
    #[must_use]
    pub fn before(mut self, program: Arc<dyn Program>) -> Self {
        self.program = Some(program);
        self
    }

    /// Writes budgets down where they have changed.
    fn keep_budgets(&self) {
        let (Some(book), Store::Memory(memory)) = (&self.book, &self.limits) else {
            return;
        };
        if book.write(|| memory.changed(memory.now())).is_err() {
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
    /// How long requests under way may go on after the signal to end.
    const GRACE: Duration = Duration::from_secs(20);
    // A sender that stays is one that never says that it is over.
    let (_stays, over) = oneshot::channel();
    serve(listener, gateway, source, (over, GRACE))
}

/// The same for one program alone: `over` is called in a thread of its own, and when it returns the program is gone, and the gateway
/// ends, too. Nobody waits for what is still under way then.
///
/// # Errors
/// Where the system gives no threads, timers or signals.
pub fn run_for(
    listener: TcpListener,
    gateway: Gateway,
    source: Box<dyn Source>,
    over: impl FnOnce() + Send + 'static,
) -> Result<(), ServeError> {
    /// For what a program that is gone has left under way: time to be settled.
    const GRACE: Duration = Duration::from_millis(500);
    let (sender, is_over) = oneshot::channel();
    let thread = std::thread::Builder::new().name("life".to_owned());
    thread.spawn(move || {
        over();
        // Where the gateway has ended before, nobody listens.
        let _ = sender.send(());
    })?;
    serve(listener, gateway, source, (is_over, GRACE))
}

fn serve(
    listener: TcpListener,
    gateway: Gateway,
    source: Box<dyn Source>,
    (over, grace): (oneshot::Receiver<()>, Duration),
) -> Result<(), ServeError> {
    listener.set_nonblocking(true)?;
    let gateway = Arc::new(gateway);
    let mut workers = Workers::start(&gateway, grace)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let accepting = accept_all(listener, &gateway, source, &mut workers);
    let served = runtime.block_on(async {
        tokio::select! {
            served = accepting => served,
            _ = over => Ok(()),
        }
    });
    gateway.flags.send_replace(flags::END.to_owned());
    workers.end();
    gateway.keep_budgets();
    gateway.recorder.close();
    served
}

async fn accept_all(
    listener: TcpListener,
    gateway: &Arc<Gateway>,
    source: Box<dyn Source>,
    workers: &mut Workers,
) -> Result<(), ServeError> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let watch = watch::start(Arc::clone(gateway), source)?;
    let mut end = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut fronts = fronts(gateway);
    loop {
        tokio::select! {
            accepted = accept(&listener, &places) => {
                if let Some((stream, place)) = accepted {
                    workers.take((stream, place, Entry::Own));
                }
            }
            Some(accepted) = fronts.recv() => workers.take(accepted),
            _ = hang_up.recv() => watch.reload(),
            _ = end.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

/// Connections that come in at the program's ports, where it has any.
fn fronts(gateway: &Gateway) -> Receiver<Accepted> {
    /// Accepted and not yet handed on.
    const WAITING: usize = 64;
    let (sender, receiver) = mpsc::channel(WAITING);
    if let Some(program) = &gateway.program {
        tokio::spawn(ingress::accept_all(Arc::clone(program), sender));
    }
    receiver
}

/// The next connection, when there is a place for it.
async fn accept(
    listener: &tokio::net::TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(std::net::TcpStream, OwnedSemaphorePermit)> {
    /// Out of descriptors, accepting fails at once; others may close theirs meanwhile.
    const PAUSE: Duration = Duration::from_millis(50);
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener
        .accept()
        .await
        .and_then(|(stream, _)| stream.into_std())
    {
        Ok(stream) => Some((stream, place)),
        Err(_) => {
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}
