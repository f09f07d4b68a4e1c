//! What comes in: fronts before the program's ports, which count requests and pass on what fits.
//!
//! A connection of a client has one to the program, which is made when the first request has passed its limits, so that who is
//! refused costs the program nothing. Bodies stream both ways and are not looked at; an upgrade (WebSocket) is counted as one
//! request and then passed as bytes. What does not read as HTTP/1 is answered with 400 and never reaches the program.

mod admission;
mod forwarded;
mod passage;

use std::future::Future;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::Worker;
use super::patient::Patient;
use super::worker::{Accepted, Entry};
use passage::Passage;

/// The program whose ports the fronts stand before.
pub trait Program: Send + Sync {
    /// The next listening socket at which the program's port is to be shown, with the port; `None` when there will be no more.
    fn shown(&self) -> Waiting<'_, Option<(u16, TcpListener)>>;

    /// A stream to the program's port.
    ///
    /// # Errors
    /// Those of connecting: nobody listens there, or the program has ended.
    fn connect(&self, port: u16) -> Waiting<'_, io::Result<TcpStream>>;
}

/// Something that comes later.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Connections of clients at a time; the next one waits.
const CONNECTIONS: usize = 4096;

/// How long a request's head may take, and a connection be idle between two requests.
const HEAD: Duration = Duration::from_secs(30);

/// Accepts at every port that the program shows, for as long as the task lives.
pub(super) async fn accept_all(program: Arc<dyn Program>, accepted: mpsc::Sender<Accepted>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Some((port, listener)) = program.shown().await {
        let listener = listener
            .set_nonblocking(true)
            .and_then(|()| tokio::net::TcpListener::from_std(listener));
        // A socket that is none is not served: nothing behind it can be reached either.
        let Ok(listener) = listener else { continue };
        let (accepted, places) = (accepted.clone(), Arc::clone(&places));
        tokio::spawn(async move {
            while !accepted.is_closed() {
                if let Some((stream, place)) = super::accept(&listener, &places).await {
                    // Who takes connections is gone only when all ends.
                    let _ = accepted.send((stream, place, Entry::Program(port))).await;
                }
            }
        });
    }
}

/// What a connection holds until its last byte, tunnels included: its place, and that it is still under way. What it hears is whether
/// the gateway ends.
pub(super) type Held = (OwnedSemaphorePermit, watch::Receiver<bool>);

/// Serves one connection of a client to the program's port.
pub(super) async fn serve(
    worker: Arc<Worker>,
    stream: tokio::net::TcpStream,
    port: u16,
    held: Held,
) {
    // Without it each small chunk of a stream waits for the acknowledgement of the one before; where it fails, it is only slow.
    let _ = stream.set_nodelay(true);
    let Ok(peer) = stream.peer_addr() else {
        return;
    };
    let mut ending = held.1.clone();
    let passage = Passage::new(worker, port, peer.ip(), held);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .preserve_header_case(true)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(Patient::new(stream)), passage)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        // A connection that broke has nobody left to tell.
        _ = connection.as_mut() => return,
        _ = ending.wait_for(|ending| *ending) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

#[cfg(test)]
mod tests;
