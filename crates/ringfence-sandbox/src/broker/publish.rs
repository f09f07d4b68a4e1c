//! Ports: those of the program on the host's loopback, and those of the host's loopback that the environment names inside.
//!
//! Nobody has to say which they are: the kernel's lists of listening sockets are looked at ten times a second, and whenever the program listens.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinHandle, spawn_local};

use super::ingress;
use super::relay::{pass_streams, reason};
use super::{Broker, Lister, Locals};
use crate::enforce::local;
use crate::refusal::Event;
use crate::wire::{self, Kind, Message};
use ringfence_reach::plan::Host;

/// How often the lists are looked at.
const PERIOD: Duration = Duration::from_millis(100);

/// Most ports of the program that are shown.
const MOST_PORTS: usize = 128;

/// How long `listen` takes.
const MOMENT: Duration = Duration::from_millis(1);

/// What init answers.
type Answer = io::Result<Vec<OwnedFd>>;

/// Asks init for sockets of the inner network.
#[derive(Clone)]
pub(crate) struct Factory {
    control: Rc<OwnedFd>,
    waiting: Rc<RefCell<VecDeque<oneshot::Sender<Answer>>>>,
}

impl Factory {
    pub(crate) fn new(control: Rc<OwnedFd>) -> Self {
        Self {
            control,
            waiting: Rc::default(),
        }
    }

    /// Hands an answer to who has waited longest: init answers in order.
    pub(crate) fn answer(&self, message: Message) {
        let answer = match message.number {
            0 => Ok(message.descriptors),
            number => Err(io::Error::from_raw_os_error(number)),
        };
        if let Some(waiting) = self.waiting.borrow_mut().pop_front() {
            // Who asked may have left.
            let _ = waiting.send(answer);
        }
    }

    async fn ask(&self, kind: Kind, number: i32, text: &str) -> io::Result<OwnedFd> {
        let (sender, receiver) = oneshot::channel();
        wire::send(&*self.control, kind, number, text, &[])?;
        self.waiting.borrow_mut().push_back(sender);
        let sockets = receiver.await.map_err(io::Error::other)??;
        sockets
            .into_iter()
            .next()
            .ok_or_else(|| io::Error::other("init gave no socket"))
    }

    /// A stream to an address of the inner network.
    pub(super) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let family = if address.is_ipv4() { 4 } else { 6 };
        let socket = self.ask(Kind::AskSockets, family, "1").await?;
        TcpSocket::from_std_stream(socket.into())
            .connect(address)
            .await
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<OwnedFd> {
        self.ask(Kind::AskListener, 0, &address.to_string()).await
    }
}

/// Tasks that serve a port, which end with it.
struct Served(Vec<JoinHandle<()>>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Keeps the ports of both sides in step, for as long as the task lives.
pub(crate) async fn keep(
    broker: Broker,
    factory: Factory,
    inner: Lister,
    locals: Locals,
    listens: Rc<Notify>,
) {
    let Ok(outer) = Lister::here() else {
        return;
    };
    spawn_local(ingress::serve(broker.clone(), factory.clone()));
    let mut ports = Ports {
        locals: locals
            .into_iter()
            .map(|(port, tasks)| (port, Served(tasks)))
            .collect(),
        published: BTreeMap::new(),
        taken: BTreeSet::new(),
        initial: broker
            .inside()
            .listeners
            .iter()
            .map(|(address, _)| *address)
            .collect(),
        broker,
        factory,
    };
    loop {
        if let (Ok(inside), Ok(outside)) = (inner.listening(), outer.listening()) {
            ports.broker.saw(&inside, &outside);
            ports.publish(&inside).await;
            ports.bring_in(&inside, &outside).await;
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            // The kernel goes on with the call when it has been noticed, so that it is done a moment later.
            () = listens.notified() => tokio::time::sleep(MOMENT).await,
        }
    }
}

struct Ports {
    broker: Broker,
    factory: Factory,
    /// Addresses at which init made the broker listen from the start.
    initial: BTreeSet<SocketAddr>,
    /// Ports of the host's loopback that are served inside since they appeared.
    locals: BTreeMap<u16, Served>,
    published: BTreeMap<u16, Served>,
    taken: BTreeSet<u16>,
}

impl Ports {
    /// Shows the program's ports on the host's loopback.
    async fn publish(&mut self, inside: &[SocketAddr]) {
        let own = |address: &&SocketAddr| {
            let ip = address.ip().to_canonical();
            let is_reachable = ip.is_unspecified()
                || ip == IpAddr::from([127, 0, 0, 1])
                || ip == IpAddr::from([0_u16, 0, 0, 0, 0, 0, 0, 1]);
            is_reachable
                && !self.initial.contains(address)
                && !self.locals.contains_key(&address.port())
        };
        let mut wanted: BTreeMap<u16, SocketAddr> = BTreeMap::new();
        for address in inside.iter().filter(own) {
            wanted.entry(address.port()).or_insert(*address);
        }
        self.published.retain(|port, _| wanted.contains_key(port));
        if let Some(fronted) = self.broker.fronted() {
            fronted.keep(|port| wanted.contains_key(&port));
        }
        self.taken.retain(|port| wanted.contains_key(port));
        for (port, address) in wanted {
            let is_new = !self.published.contains_key(&port) && !self.taken.contains(&port);
            if is_new && self.published.len() < MOST_PORTS {
                self.show(port, address).await;
            }
        }
    }

    async fn show(&mut self, port: u16, inside: SocketAddr) {
        let target = match inside.ip() {
            IpAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], port)),
            IpAddr::V6(_) => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)),
        };
        if let Some(environment) = self.broker.plan().owner(&Host::Local, port) {
            // Its programs would take this one for their own server, and tell it their passwords.
            let environment = environment.to_owned();
            self.taken.insert(port);
            self.broker.tell(Event::PortOfAnother { port, environment });
            return;
        }
        let fronted = self.broker.fronted();
        if fronted.is_some() && !self.broker.plan().ports.contains(&port) {
            // It would be a way round the limits of those that are named.
            self.taken.insert(port);
            self.broker.tell(Event::PortUndeclared { port });
            return;
        }
        let is_new = !fronted.is_some_and(|fronted| fronted.has(port));
        let listeners = if is_new {
            listeners(port).await
        } else {
            Ok(Vec::new())
        };
        let shown = listeners.and_then(|listeners| self.serve_at(port, listeners, target));
        match shown {
            Ok(served) => {
                self.broker.tell(Event::Published { port });
                self.published.insert(port, served);
            }
            Err(error) => {
                self.taken.insert(port);
                let reason = reason(&error);
                self.broker.tell(Event::PortTaken { port, reason });
            }
        }
    }

    /// Serves the program's port on sockets of the host, or lets the front serve it.
    fn serve_at(
        &self,
        port: u16,
        listeners: Vec<TcpListener>,
        target: SocketAddr,
    ) -> io::Result<Served> {
        if let Some(fronted) = self.broker.fronted() {
            fronted.hand(port, listeners)?;
            fronted.open(port, target);
            return Ok(Served(Vec::new()));
        }
        let served = listeners.into_iter().map(|listener| {
            let sides = (self.broker.clone(), self.factory.clone());
            spawn_local(serve(sides, listener, target))
        });
        Ok(Served(served.collect()))
    }

    /// Serves inside what the environment names on the host's loopback, while somebody listens there.
    async fn bring_in(&mut self, inside: &[SocketAddr], outside: &[SocketAddr]) {
        let endpoints: Vec<(usize, u16)> = self
            .broker
            .plan()
            .endpoints
            .iter()
            .enumerate()
            .filter(|(_, endpoint)| endpoint.host == Host::Local)
            .map(|(index, endpoint)| (index, endpoint.port))
            .collect();
        for (index, port) in endpoints {
            let is_there = outside.iter().any(|address| address.port() == port)
                && !self.published.contains_key(&port);
            let is_free = !inside.iter().any(|address| address.port() == port);
            if is_there
                && is_free
                && !self.locals.contains_key(&port)
                && !self.broker.plan().ports.contains(&port)
            {
                let mut tasks = Vec::new();
                for address in local(port) {
                    if let Ok(socket) = self.factory.listen(address).await {
                        tasks.extend(self.broker.serve_endpoint(socket, index));
                    }
                }
                self.locals.insert(port, Served(tasks));
            } else if !is_there {
                self.locals.remove(&port);
            }
        }
    }
}

/// Sockets that listen at a port of the host's loopback.
async fn listeners(port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in local(port) {
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            // A machine without IPv6, or a port that somebody has on one of the two.
            Err(_) if address.is_ipv6() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

async fn serve((broker, factory): (Broker, Factory), listener: TcpListener, target: SocketAddr) {
    loop {
        let Ok((mut outer, _)) = listener.accept().await else {
            tokio::time::sleep(PERIOD).await;
            continue;
        };
        let (broker, factory) = (broker.clone(), factory.clone());
        spawn_local(async move {
            if let Ok(mut inner) = factory.connect(target).await {
                let _ = outer.set_nodelay(true);
                pass_streams(&mut inner, &mut outer, broker.sending()).await;
            }
        });
    }
}
