//! One connection: from a socket of the inner network to the endpoint, bytes as they are.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::Broker;
use super::leave::Sending;
use crate::refusal::{Event, Refused};
use crate::sys;
use ringfence_reach::hello::{self, Hello};
use ringfence_reach::plan::{Endpoint, Host};

/// How long to wait after the system had no descriptor left.
const BREATH: Duration = Duration::from_millis(20);

/// Accepts connections for an endpoint, for as long as the task lives.
pub(super) async fn serve(broker: Broker, listener: TcpListener, endpoint: Endpoint) {
    loop {
        let Ok(permit) = broker.inner.connections.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (broker, endpoint) = (broker.clone(), endpoint.clone());
                let sending = broker.sending();
                tokio::task::spawn_local(async move {
                    carry(&broker, stream, &endpoint, sending).await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

/// Accepts connections for a socket of the host.
pub(super) async fn serve_path(broker: Broker, listener: UnixListener, path: std::path::PathBuf) {
    loop {
        let Ok(permit) = broker.inner.connections.clone().acquire_owned().await else {
            return;
        };
        let Ok((mut inner, _)) = listener.accept().await else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let (broker, path) = (broker.clone(), path.clone());
        let sending = broker.sending();
        tokio::task::spawn_local(async move {
            match UnixStream::connect(&path).await {
                Ok(mut outer) => {
                    // Either side's end is the other's too.
                    let _ = exchange(inner.split(), outer.split(), sending).await;
                }
                Err(error) => broker.tell(unreachable(&path.display().to_string(), &error)),
            }
            drop(permit);
        });
    }
}

fn unreachable(target: &str, error: &io::Error) -> Event {
    Event::Unreachable {
        target: target.to_owned(),
        reason: reason(error),
    }
}

/// The system's reason without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

async fn carry(broker: &Broker, mut inner: TcpStream, endpoint: &Endpoint, sending: Sending) {
    let result = connected(broker, &mut inner, endpoint, sending).await;
    if let Err(error) = result {
        broker.tell(unreachable(&endpoint.to_string(), &error));
    }
}

async fn connected(
    broker: &Broker,
    inner: &mut TcpStream,
    endpoint: &Endpoint,
    sending: Sending,
) -> io::Result<()> {
    // Where it cannot be set the connection is only slower.
    let _ = inner.set_nodelay(true);
    let outer = tokio::select! {
        outer = connect(broker, endpoint) => outer,
        () = nothing_to_send(broker, inner) => return Ok(()),
    };
    let outer = match outer {
        Ok(outer) => outer,
        Err(error) => {
            sys::reset_on_close(inner.as_fd());
            return Err(error);
        }
    };
    pass(broker, inner, outer, (endpoint, sending)).await;
    Ok(())
}

/// Comes back when the program has ended and has sent nothing on a connection: nobody waits for one that is still being made.
async fn nothing_to_send(broker: &Broker, inner: &TcpStream) {
    broker.ended().await;
    if matches!(inner.peek(&mut [0]).await, Ok(1..)) {
        std::future::pending::<()>().await;
    }
}

/// Connects to the first address of the endpoint that answers.
async fn connect(broker: &Broker, endpoint: &Endpoint) -> io::Result<TcpStream> {
    let mut last = io::Error::new(
        io::ErrorKind::NotFound,
        "the name has no address on this machine",
    );
    for address in broker.resolve(endpoint).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Passes bytes both ways until both sides have ended, or one is reset: then so is the other.
pub(super) async fn pass_streams(inner: &mut TcpStream, outer: &mut TcpStream, sending: Sending) {
    let _ = outer.set_nodelay(true);
    if exchange(inner.split(), outer.split(), sending)
        .await
        .is_err()
    {
        sys::reset_on_close(inner.as_fd());
        sys::reset_on_close(outer.as_fd());
    }
}

/// The same between any two streams, which are given as their halves for reading and for writing; `sending` ends with what comes
/// from inside.
async fn exchange<A, B, C, D>(
    (mut from_inner, mut to_inner): (A, B),
    (mut from_outer, mut to_outer): (C, D),
    sending: Sending,
) -> io::Result<()>
where
    A: AsyncRead + Unpin,
    B: AsyncWrite + Unpin,
    C: AsyncRead + Unpin,
    D: AsyncWrite + Unpin,
{
    let out = async {
        copy(&mut from_inner, &mut to_outer).await?;
        to_outer.shutdown().await?;
        drop(sending);
        Ok(())
    };
    let back = async {
        copy(&mut from_outer, &mut to_inner).await?;
        to_inner.shutdown().await
    };
    tokio::try_join!(out, back).map(|_| ())
}

async fn pass(
    broker: &Broker,
    inner: &mut TcpStream,
    mut outer: TcpStream,
    (endpoint, sending): (&Endpoint, Sending),
) {
    let _ = outer.set_nodelay(true);
    if let Host::Name(name) = &endpoint.host
        && endpoint.is_tls
        && let Err(named) = greet(broker, inner, &mut outer, (name, endpoint.port)).await
    {
        sys::reset_on_close(inner.as_fd());
        sys::reset_on_close(outer.as_fd());
        if let Some(named) = named {
            let owner = broker.plan().owner_of_name(&named).map(str::to_owned);
            broker.refuse(
                Refused::ServerName,
                format!("{named} through {endpoint}"),
                owner.as_deref(),
            );
        }
        return;
    }
    pass_streams(inner, &mut outer, sending).await;
}

/// The first byte of a TLS greeting (RFC 8446, section 5.1: a record of type handshake).
const HANDSHAKE: u8 = 22;

/// The port of the web's TLS.
const HTTPS: u16 = 443;

impl Broker {
    /// Whether another environment's host is behind the address too, or may be: then only the server's name tells the two apart.
    async fn is_shared(&self, outer: &TcpStream) -> bool {
        let Ok(address) = outer.peer_addr() else {
            return true;
        };
        for foreign in &self.plan().foreign {
            let is_there = match &foreign.host {
                Host::Name(name) if foreign.port == address.port() => {
                    match tokio::net::lookup_host((name.as_str(), foreign.port)).await {
                        Ok(mut found) => found.any(|found| found == address),
                        // Not known here: it may be anywhere.
                        Err(_) => true,
                    }
                }
                Host::Address(ip) => *ip == address.ip() && foreign.port == address.port(),
                _ => false,
            };
            if is_there {
                return true;
            }
        }
        false
    }
}

/// Reads the first bytes of a TLS connection, and passes them on if they name the endpoint's host. What the server says
/// meanwhile is passed too: some speak first. The error is the name that was asked for, where it was another one.
async fn greet(
    broker: &Broker,
    inner: &mut TcpStream,
    outer: &mut TcpStream,
    wanted: (&str, u16),
) -> Result<(), Option<String>> {
    const MOST: usize = 64 << 10;
    let mut begun: Vec<u8> = Vec::new();
    let mut from_inner = [0; 4096];
    let mut from_outer = [0; 4096];
    loop {
        let (read_inner, read_outer) = tokio::select! {
            read = inner.read(&mut from_inner) => (Some(read), None),
            read = outer.read(&mut from_outer) => (None, Some(read)),
        };
        if let Some(read) = read_outer {
            let bytes = from_outer
                .get(..read.map_err(|_| None)?)
                .unwrap_or_default();
            if bytes.is_empty() {
                return Err(None);
            }
            inner.write_all(bytes).await.map_err(|_| None)?;
            continue;
        }
        let bytes = from_inner
            .get(..read_inner.transpose().map_err(|_| None)?.unwrap_or(0))
            .unwrap_or_default();
        begun.extend(bytes);
        let verdict = hello::read(&begun);
        let is_whole =
            !matches!(verdict, Hello::Incomplete) || bytes.is_empty() || begun.len() > MOST;
        if !is_whole {
            continue;
        }
        let is_tls = begun.first() == Some(&HANDSHAKE);
        if is_tls && !matches!(verdict, Hello::Tls { .. }) {
            // Too long, broken, or read by two servers in two ways.
            return Err(Some("a greeting that cannot be read".to_owned()));
        }
        check(&verdict, wanted)?;
        if matches!(
            verdict,
            Hello::Tls {
                encrypted: true,
                ..
            }
        ) && broker.is_shared(outer).await
        {
            return Err(Some("an encrypted server name".to_owned()));
        }
        let is_request = hello::is_postgres_ssl_request(&begun);
        outer.write_all(&begun).await.map_err(|_| None)?;
        begun.clear();
        // PostgreSQL asks first whether TLS is spoken; the greeting comes after the answer.
        if !is_request {
            return Ok(());
        }
    }
}

/// Holds a TLS greeting against the endpoint; the error is what it asked for instead.
fn check(hello: &Hello, (name, port): (&str, u16)) -> Result<(), Option<String>> {
    match hello {
        Hello::Tls {
            server_name: Some(named),
            ..
        } if named != name => Err(Some(named.clone())),
        // Clients of databases may leave the name out; those of the web never do.
        Hello::Tls {
            server_name: None, ..
        } if port == HTTPS => Err(Some("no server name".to_owned())),
        _ => Ok(()),
    }
}
