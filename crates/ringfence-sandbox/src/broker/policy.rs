//! What becomes of a connection where the supervisor makes it: in a run that learns or whose egress is open, and where there are
//! no namespaces.

use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path};

use super::{Broker, is_metadata};
use crate::connect::{Decision, Policy, Wanted};
use crate::refusal::{Event, Refused};
use ringfence_reach::plan::{Host, Unnamed};

/// Decides by the plan.
pub(super) struct ByPlan {
    pub(super) broker: Broker,
}

impl Policy for ByPlan {
    fn decide(&self, wanted: &Wanted) -> Decision {
        match wanted {
            Wanted::Stream(address) => self.stream(*address),
            Wanted::UnixPath(path) if !self.has_own_network() => self.path(path),
            Wanted::Datagram(_)
            | Wanted::UnixPath(_)
            | Wanted::UnixAbstract(_)
            | Wanted::Other(_)
                if self.has_own_network() =>
            {
                Decision::Inside
            }
            Wanted::Other(_) => Decision::Refuse(libc::EACCES),
            _ => Decision::Refuse(libc::ECONNREFUSED),
        }
    }
}

impl ByPlan {
    fn has_own_network(&self) -> bool {
        self.broker.inner.has_own_network
    }

    fn stream(&self, address: SocketAddr) -> Decision {
        let broker = &self.broker;
        let (ip, port) = (address.ip(), address.port());
        if self.has_own_network()
            && (broker.is_served_inside(address)
                || (ip.is_loopback() && broker.listens_inside(port)))
        {
            return Decision::Inside;
        }
        if !self.has_own_network() && port == 53 && !own_endpoint(broker, address) {
            // The program asks by TCP (`RES_OPTIONS`), and is answered here.
            return broker
                .answerer()
                .map_or(Decision::Refuse(libc::ECONNREFUSED), |own| {
                    Decision::Connect(vec![own])
                });
        }
        let host = if ip.is_loopback() {
            Host::Local
        } else {
            Host::Address(ip)
        };
        let named = broker.name_of(ip);
        let target = format!(
            "{}:{port}",
            named
                .as_deref()
                .map_or_else(|| host.to_string(), str::to_owned)
        );
        let own = |host: &Host| {
            broker
                .plan()
                .endpoints
                .iter()
                .any(|endpoint| endpoint.host == *host && endpoint.port == port)
        };
        let named_host = named.map(Host::Name);
        if own(&host) || named_host.as_ref().is_some_and(own) {
            return Decision::Connect(vec![address]);
        }
        let owner = broker.plan().owner(&host, port).map(str::to_owned);
        let owner = owner.or_else(|| broker.owner_of_address(address));
        if owner.is_some() || !broker.lets_through() {
            broker.refuse(Refused::Connection, target, owner.as_deref());
            return Decision::Refuse(libc::ECONNREFUSED);
        }
        if is_metadata(ip) {
            broker.refuse(Refused::Metadata, target, None);
            return Decision::Refuse(libc::ENETUNREACH);
        }
        if ip.is_loopback() && !broker.listens_outside(port) {
            return if self.has_own_network() {
                Decision::Inside
            } else {
                Decision::Refuse(libc::ECONNREFUSED)
            };
        }
        if broker.plan().unnamed == Unnamed::Learn {
            broker.tell(Event::Needed { target });
        }
        Decision::Connect(vec![address])
    }

    /// Sockets in the file system: those that the environment's own settings name, and the program's own.
    fn path(&self, path: &Path) -> Decision {
        let plan = self.broker.plan();
        // A path that goes up again leads anywhere, whatever it begins with.
        let goes_up = path.components().any(|part| part == Component::ParentDir);
        let in_project = !goes_up && path.starts_with(&plan.files.root);
        let own = plan.sockets.iter().any(|own| own == path) || in_project;
        if own {
            Decision::ConnectUnix(path.to_owned())
        } else {
            self.broker
                .refuse(Refused::Connection, path.display().to_string(), None);
            Decision::Refuse(libc::ECONNREFUSED)
        }
    }
}

fn own_endpoint(broker: &Broker, address: SocketAddr) -> bool {
    let host = Host::Address(address.ip());
    broker
        .plan()
        .endpoints
        .iter()
        .any(|endpoint| endpoint.host == host && endpoint.port == address.port())
}

impl Broker {
    fn is_served_inside(&self, address: SocketAddr) -> bool {
        self.inside()
            .listeners
            .iter()
            .any(|(known, _)| *known == address)
    }

    /// The name for which the program was given an address.
    fn name_of(&self, ip: IpAddr) -> Option<String> {
        let inside = self.inside().names.iter();
        let mut own = inside
            .filter(|(_, address)| IpAddr::V4(**address) == ip)
            .map(|(name, _)| name.clone());
        own.next().or_else(|| self.resolved_name(ip))
    }
}
