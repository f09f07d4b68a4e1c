//! The run's end of what [`crate::ingress`] says: sockets that listen go to the front, and streams to the program where it asks.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;

use tokio::net::TcpListener;
use tokio::task::spawn_local;

use super::publish::Factory;
use super::{Broker, locked};
use crate::ingress::{Inlet, next};
use crate::sys;
use crate::wire::{self, Kind, Message};

/// What is shown through a front.
pub(super) struct Fronted {
    inlet: Inlet,
    ports: Mutex<Ports>,
}

#[derive(Default)]
struct Ports {
    /// Where the program listens inside, by port.
    targets: BTreeMap<u16, SocketAddr>,
    /// Ports whose listening sockets the front has.
    handed: BTreeSet<u16>,
}

impl Fronted {
    pub(super) fn new(inlet: Inlet) -> Self {
        Self {
            inlet,
            ports: Mutex::default(),
        }
    }

    /// Whether the front listens at the port since the program did so for the first time.
    pub(super) fn has(&self, port: u16) -> bool {
        locked(&self.ports).handed.contains(&port)
    }

    /// Hands listening sockets over.
    pub(super) fn hand(&self, port: u16, listeners: Vec<TcpListener>) -> io::Result<()> {
        for listener in listeners {
            let listener = OwnedFd::from(listener.into_std()?);
            let number = i32::from(port);
            wire::send(&self.inlet.0, Kind::Shown, number, "", &[listener.as_fd()])?;
        }
        locked(&self.ports).handed.insert(port);
        Ok(())
    }

    /// The program listens at the port, inside at that address.
    pub(super) fn open(&self, port: u16, target: SocketAddr) {
        locked(&self.ports).targets.insert(port, target);
    }

    /// Only these ports are still listened at.
    pub(super) fn keep(&self, wanted: impl Fn(u16) -> bool) {
        locked(&self.ports).targets.retain(|port, _| wanted(*port));
    }

    fn target(&self, port: i32) -> Option<SocketAddr> {
        let port = u16::try_from(port).ok()?;
        locked(&self.ports).targets.get(&port).copied()
    }
}

/// Gives the front a stream to the program whenever it asks, for as long as the task lives.
pub(super) async fn serve(broker: Broker, factory: Factory) {
    let Some(fronted) = broker.fronted() else {
        return;
    };
    let socket = fronted.inlet.0.try_clone().and_then(sys::asynchronous);
    let Ok(socket) = socket else { return };
    while let Ok(Some(message)) = next(&socket).await {
        let (broker, factory) = (broker.clone(), factory.clone());
        spawn_local(async move { answer(&broker, &factory, message).await });
    }
}

async fn answer(broker: &Broker, factory: &Factory, message: Message) {
    let target = broker
        .fronted()
        .and_then(|fronted| fronted.target(message.number));
    let (Kind::AskStream, Some(back)) = (message.kind, message.descriptors.first()) else {
        return;
    };
    let stream = match target {
        Some(target) => factory.connect(target).await,
        None => Err(io::Error::from_raw_os_error(libc::ECONNREFUSED)),
    };
    let stream = stream
        .and_then(|stream| stream.into_std())
        .map(OwnedFd::from);
    // A front that is gone has nobody waiting.
    let _ = match &stream {
        Ok(stream) => wire::send(back, Kind::Stream, 0, "", &[stream.as_fd()]),
        Err(error) => {
            let number = error.raw_os_error().unwrap_or(libc::ECONNREFUSED);
            wire::send(back, Kind::Stream, number, "", &[])
        }
    };
}
