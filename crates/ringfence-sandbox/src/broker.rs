//! The part of a run that carries the process's traffic: it listens on sockets of the inner network and connects from the host's.
//!
//! One thread. Names are resolved for every connection, so that a fail-over is followed; bytes are passed as they are, so that TLS
//! stays between the program and its endpoint.

mod answer;
mod diag;
mod ingress;
mod leave;
mod observe;
mod policy;
mod publish;
mod relay;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

use crate::connect;
use crate::enforce::Inside;
use crate::ingress::Inlet;
use crate::level::Level;
use crate::refusal::{Event, Once, Refusal, Refused};
use ingress::Fronted;
use leave::{Leaving, Sending};
use ringfence_reach::plan::{Endpoint, Host, Plan, Unnamed};

pub(crate) use diag::Lister;
pub(crate) use publish::{Factory, keep};
pub(crate) use relay::reason;

/// How long it is looked for what belongs to others before a run that lets things through may connect.
const LOOK_UP: Duration = Duration::from_secs(2);

/// What all parts of the broker share.
#[derive(Clone)]
pub(crate) struct Broker {
    inner: Arc<Shared>,
}

/// Hears of each event.
pub(crate) type Teller = Box<dyn FnMut(&Event) + Send>;

struct Shared {
    plan: Plan,
    inside: Inside,
    /// Whether the program has a network of its own.
    has_own_network: bool,
    /// Who hears of events, which were told, and all of them in order.
    told: Mutex<(Teller, Once, Vec<Event>)>,
    /// One permit a connection: two descriptors each.
    connections: Arc<Semaphore>,
    /// One permit a question about a name, or a connection on which some are asked.
    questions: Arc<Semaphore>,
    /// Addresses that names were resolved to for the program, where it connects to real ones.
    resolved: Mutex<BTreeMap<IpAddr, String>>,
    /// Who listens, as it was last looked at: inside, and on the host's loopback.
    listening: Mutex<(Vec<u16>, Vec<u16>)>,
    /// Addresses of other environments' hosts, where that had to be found out.
    foreign: Mutex<BTreeMap<IpAddr, String>>,
    /// Where names are answered for a program without a network of its own.
    answerer: Mutex<Option<SocketAddr>>,
    /// What is still to be sent when the program ends.
    leaving: Arc<Leaving>,
    /// What is shown through a front, where there is one.
    fronted: OnceLock<Fronted>,
}

/// A lock that no panic leaves in pieces: what it guards is only ever replaced whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Broker {
    /// A broker for a plan; `tell` hears of each event once.
    pub(crate) fn new(
        plan: Plan,
        inside: Inside,
        level: Level,
        descriptors: usize,
        tell: Teller,
    ) -> Self {
        const QUESTIONS: usize = 128;
        // What the supervisor itself, listeners, questions and the runtime hold.
        const RESERVED: usize = 64 + QUESTIONS;
        let spare = descriptors.saturating_sub(RESERVED + 2 * inside.listeners.len());
        Self {
            inner: Arc::new(Shared {
                plan,
                inside,
                has_own_network: level >= Level::NoPidns,
                told: Mutex::new((tell, Once::default(), Vec::new())),
                connections: Arc::new(Semaphore::new((spare / 2).clamp(8, Semaphore::MAX_PERMITS))),
                questions: Arc::new(Semaphore::new(QUESTIONS)),
                resolved: Mutex::default(),
                listening: Mutex::default(),
                foreign: Mutex::default(),
                answerer: Mutex::default(),
                leaving: Leaving::new(),
                fronted: OnceLock::new(),
            }),
        }
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.inner.plan
    }

    /// From now on the program's ports are shown through a front alone, and only those that the plan names.
    pub(crate) fn show_through(&self, inlet: Inlet) {
        // There is one front a run.
        let _ = self.inner.fronted.set(Fronted::new(inlet));
    }

    fn fronted(&self) -> Option<&Fronted> {
        self.inner.fronted.get()
    }

    fn inside(&self) -> &Inside {
        &self.inner.inside
    }

    /// Whether connections that nothing names are let through.
    fn lets_through(&self) -> bool {
        self.plan().unnamed != Unnamed::Closed
    }

    /// Tells an event, once.
    pub(crate) fn tell(&self, event: Event) {
        let mut told = locked(&self.inner.told);
        let (tell, once, events) = &mut *told;
        if once.is_new(&event) {
            tell(&event);
            events.push(event);
        }
    }

    /// Everything that was told.
    pub(crate) fn events(&self) -> Vec<Event> {
        locked(&self.inner.told).2.clone()
    }

    fn refuse(&self, kind: Refused, target: String, environment: Option<&str>) {
        self.tell(Event::Refused(Refusal {
            kind,
            target,
            environment: environment.map(str::to_owned),
        }));
    }

    /// Remembers which name an address was given for.
    fn remember(&self, address: IpAddr, name: &str) {
        locked(&self.inner.resolved).insert(address, name.to_owned());
    }

    fn resolved_name(&self, address: IpAddr) -> Option<String> {
        locked(&self.inner.resolved).get(&address).cloned()
    }

    /// Notes who listens now.
    fn saw(&self, inside: &[SocketAddr], outside: &[SocketAddr]) {
        let ports = |addresses: &[SocketAddr]| addresses.iter().map(SocketAddr::port).collect();
        *locked(&self.inner.listening) = (ports(inside), ports(outside));
    }

    fn listens_inside(&self, port: u16) -> bool {
        locked(&self.inner.listening).0.contains(&port)
    }

    fn listens_outside(&self, port: u16) -> bool {
        locked(&self.inner.listening).1.contains(&port)
    }

    fn owner_of_address(&self, address: SocketAddr) -> Option<String> {
        locked(&self.inner.foreign).get(&address.ip()).cloned()
    }

    /// Answers for the connections that wait for the supervisor: where it makes them itself, by the plan; else they go on, and
    /// what comes of them is only told.
    pub(crate) fn decide(&self, filter: OwnedFd, listens: Rc<Notify>) {
        let broker = self.clone();
        if self.inner.has_own_network && !self.lets_through() {
            // Ends with the last process inside.
            tokio::task::spawn_local(observe::observe(broker, filter, listens));
            return;
        }
        let policy = policy::ByPlan {
            broker: broker.clone(),
        };
        tokio::task::spawn_local(async move {
            if broker.lets_through() {
                // Until it is known what is others', connections wait.
                let _ = tokio::time::timeout(LOOK_UP, broker.find_foreign()).await;
            }
            connect::serve(filter, policy).await
        });
    }

    /// Finds out which addresses other environments' names have: nothing else tells them apart where anything may be connected to.
    async fn find_foreign(&self) {
        let mut lookups = tokio::task::JoinSet::new();
        for foreign in self.plan().foreign.clone() {
            if let Host::Name(name) = foreign.host {
                lookups.spawn(async move {
                    let found = tokio::net::lookup_host((name.as_str(), foreign.port)).await;
                    (
                        foreign.environment,
                        found.map(|found| found.collect::<Vec<_>>()),
                    )
                });
            }
        }
        while let Some(found) = lookups.join_next().await {
            if let Ok((environment, Ok(addresses))) = found {
                let owned = addresses
                    .into_iter()
                    .map(|address| (address.ip(), environment.clone()));
                locked(&self.inner.foreign).extend(owned);
            }
        }
    }

    /// A connection that the program made, until what it has sent is on its way.
    fn sending(&self) -> Sending {
        self.inner.leaving.sending()
    }

    /// Comes back when the program has ended.
    async fn ended(&self) {
        self.inner.leaving.ended().await;
    }

    /// The program has ended: lets what it has sent leave.
    pub(crate) async fn finish(&self) {
        self.inner.leaving.finish().await;
    }

    /// Starts to serve the endpoints on the sockets that init made; gives the tasks of those on the host's loopback, by port.
    pub(crate) fn serve(&self, sockets: Vec<OwnedFd>) -> Locals {
        let mut locals = Locals::new();
        for ((address, index), socket) in self.inside().listeners.iter().zip(sockets) {
            let task = self.serve_endpoint(socket, *index);
            if address.ip().is_loopback() && is_local(self.plan(), *index) {
                locals.entry(address.port()).or_default().extend(task);
            }
        }
        locals
    }

    /// Starts to serve sockets of the host that stay reachable.
    pub(crate) fn serve_paths(&self, paths: Vec<(PathBuf, OwnedFd)>) {
        for (path, socket) in paths {
            if let Ok(listener) = tokio::net::UnixListener::from_std(socket.into()) {
                tokio::task::spawn_local(relay::serve_path(self.clone(), listener, path));
            }
        }
    }

    /// Serves one endpoint on one socket until the task is aborted.
    fn serve_endpoint(&self, socket: OwnedFd, index: usize) -> Option<tokio::task::JoinHandle<()>> {
        let endpoint = self.plan().endpoints.get(index)?.clone();
        let listener = tokio::net::TcpListener::from_std(socket.into()).ok()?;
        Some(tokio::task::spawn_local(relay::serve(
            self.clone(),
            listener,
            endpoint,
        )))
    }

    /// The addresses of an endpoint, asked for now.
    async fn resolve(&self, endpoint: &Endpoint) -> std::io::Result<Vec<SocketAddr>> {
        let port = endpoint.port;
        match &endpoint.host {
            Host::Local => Ok(crate::enforce::local(port).collect()),
            Host::Address(address) => Ok(vec![SocketAddr::new(*address, port)]),
            Host::Name(name) => {
                let found = tokio::net::lookup_host((name.as_str(), port)).await?;
                let (given, refused): (Vec<_>, Vec<_>) =
                    found.partition(|address| !is_metadata(address.ip()));
                if given.is_empty() && !refused.is_empty() {
                    self.refuse(Refused::Metadata, endpoint.to_string(), None);
                }
                Ok(given)
            }
        }
    }
}

/// The tasks that serve ports of the host's loopback, by port.
pub(crate) type Locals = BTreeMap<u16, Vec<tokio::task::JoinHandle<()>>>;

fn is_local(plan: &Plan, index: usize) -> bool {
    plan.endpoints
        .get(index)
        .is_some_and(|endpoint| endpoint.host == Host::Local)
}

/// Addresses at which clouds give a machine's credentials to whoever asks: link-local ones (RFC 3927, RFC 4291), and those that
/// Amazon (fd00:ec2::/32), Alibaba (100.100.100.200), Azure (168.63.129.16) and Oracle (192.0.0.192) document.
fn is_metadata(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_link_local()
                || matches!(
                    address.octets(),
                    [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192]
                )
        }
        IpAddr::V6(address) => {
            let [first, second, ..] = address.segments();
            first & 0xffc0 == 0xfe80 || (first, second) == (0xfd00, 0x0ec2)
        }
    }
}
