//! Threads that answer, each with connections and a loop of its own: nothing that a request needs wakes another thread.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::connection::{self, Server};
use super::{Gateway, ingress};
use crate::upstream::Clients;

/// Threads at most: more would not be busy before the network is.
const MOST: usize = 8;

/// What a thread answers with.
pub(super) struct Worker {
    pub(super) gateway: Arc<Gateway>,
    pub(super) clients: Arc<Clients>,
    pub(super) server: Server,
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
        let threads = processors.min(MOST);
        for _ in 0..threads {
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
                    server: Server::new(threads),
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
    let (ending, ended) = watch::channel(false);
    while let Some((stream, place, entry)) = streams.recv().await {
        let Ok(stream) = tokio::net::TcpStream::from_std(stream) else {
            continue;
        };
        let worker = Arc::clone(worker);
        match entry {
            Entry::Own => {
                let connection = connection::serve(worker, stream, ended.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Entry::Program(port) => {
                let held = (place, ended.clone());
                tokio::spawn(ingress::serve(worker, stream, port, held));
            }
        }
    }
    drop(ended);
    ending.send_replace(true);
    // What is not done by then is cut off.
    let _ = tokio::time::timeout(grace, ending.closed()).await;
}
