//! The inner network: a loopback, the addresses of the endpoints on it, and sockets that listen there for the broker.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, netlink, socket_with, sockopt};

use super::{During, Failed, answerer};
use crate::wire::{self, Kind, MOST_DESCRIPTORS};
use ringfence_reach::plan::{Host, Plan};

/// How an environment's endpoints are laid out inside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inside {
    /// Names and the address that each has inside.
    pub(crate) names: BTreeMap<String, Ipv4Addr>,
    /// Addresses of endpoints that are written as addresses.
    pub(crate) addresses: Vec<IpAddr>,
    /// Where the broker listens, and for which endpoint of the plan.
    pub(crate) listeners: Vec<(SocketAddr, usize)>,
}

impl Inside {
    /// Lays the endpoints out; `answered` are the ports on which somebody listens on the host's loopback now.
    pub(crate) fn of(plan: &Plan, answered: &[u16]) -> Self {
        let mut inside = Self::default();
        for (index, endpoint) in plan.endpoints.iter().enumerate() {
            match &endpoint.host {
                Host::Name(name) => {
                    let address = inside.address_of(name);
                    inside
                        .listeners
                        .push((SocketAddr::from((address, endpoint.port)), index));
                }
                Host::Address(address) => {
                    if !inside.addresses.contains(address) {
                        inside.addresses.push(*address);
                    }
                    inside
                        .listeners
                        .push((SocketAddr::from((*address, endpoint.port)), index));
                }
                Host::Local
                    if answered.contains(&endpoint.port)
                        && !plan.ports.contains(&endpoint.port) =>
                {
                    inside
                        .listeners
                        .extend(local(endpoint.port).map(|address| (address, index)));
                }
                // Nobody is there yet; and it may be the program itself that will be.
                Host::Local => {}
            }
        }
        inside
    }

    /// 127.77.0.1 and on, one for each name.
    fn address_of(&mut self, name: &str) -> Ipv4Addr {
        let next = u16::try_from(self.names.len() + 1).unwrap_or(u16::MAX);
        let [high, low] = next.to_be_bytes();
        *self
            .names
            .entry(name.to_owned())
            .or_insert(Ipv4Addr::new(127, 77, high, low))
    }

    /// The `hosts` file.
    pub(crate) fn hosts(&self, machine: &str) -> String {
        let mut text =
            String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
        if !machine.is_empty() {
            text.push_str(&format!("127.0.0.1 {machine}\n"));
        }
        for (name, address) in &self.names {
            text.push_str(&format!("{address} {name}\n"));
        }
        text
    }
}

/// Both loopback addresses with a port.
pub(crate) fn local(port: u16) -> impl Iterator<Item = SocketAddr> {
    [
        SocketAddr::from(([127, 0, 0, 1], port)),
        SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)),
    ]
    .into_iter()
}

/// Brings the network up and hands its sockets to the supervisor.
pub(super) fn build(inside: &Inside, control: &OwnedFd) -> Result<(), Failed> {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .during("loopback")?;
    crate::sys::loopback_up(socket.as_fd()).during("loopback")?;
    // Lets the program listen on 80 and 443; where it cannot be said, it stays as everywhere.
    let _ = std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    add_addresses(inside)?;
    let mut sockets = Vec::new();
    for (address, _) in &inside.listeners {
        let listening = match listen(*address) {
            // A machine without IPv6 has no `::1`; 127.0.0.1 is enough then.
            Err(error) if is_absent(&error, *address) => placeholder(),
            result => result,
        };
        sockets.push(listening.on("listener", address)?);
    }
    for batch in sockets.chunks(MOST_DESCRIPTORS) {
        let batch: Vec<BorrowedFd<'_>> = batch.iter().map(AsFd::as_fd).collect();
        wire::send(control, Kind::Listeners, 0, "", &batch).during("listener")?;
    }
    let answers = UdpSocket::bind(answerer()).during("name answerer")?;
    let stream = TcpListener::bind(answerer()).during("name answerer")?;
    let lister = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )
    .during("list of listeners")?;
    let services = [answers.as_fd(), stream.as_fd(), lister.as_fd()];
    wire::send(control, Kind::Services, 0, "", &services).during("name answerer")
}

fn is_absent(error: &io::Error, address: SocketAddr) -> bool {
    let absent = matches!(
        error.raw_os_error(),
        Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT)
    );
    absent && address.is_ipv6() && address.ip().is_loopback()
}

/// A socket that listens nowhere that anybody asks for, in the place of one that cannot be had.
fn placeholder() -> io::Result<OwnedFd> {
    listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

/// A socket that listens at an address.
pub(super) fn listen(address: SocketAddr) -> io::Result<OwnedFd> {
    const BACKLOG: i32 = 4096;
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let socket = socket_with(
        family,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Gives the loopback the addresses of the endpoints (`rtnetlink(7)`, RTM_NEWADDR).
fn add_addresses(inside: &Inside) -> Result<(), Failed> {
    if inside.addresses.is_empty() {
        return Ok(());
    }
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // Protocol 0 is NETLINK_ROUTE.
        None,
    )
    .on("address", "rtnetlink")?;
    for address in &inside.addresses {
        add_address(&socket, *address).on("address", address)?;
    }
    Ok(())
}

fn add_address(socket: &OwnedFd, address: IpAddr) -> io::Result<()> {
    const LOOPBACK: u32 = 1;
    // No search for other holders of an address: the loopback has no neighbours, and a tentative one cannot be bound.
    const NO_DAD: u8 = 0x02;
    let (family, bytes) = match address {
        IpAddr::V4(address) => (libc::AF_INET, address.octets().to_vec()),
        IpAddr::V6(address) => (libc::AF_INET6, address.octets().to_vec()),
    };
    let prefix = u8::try_from(bytes.len() * 8).unwrap_or(0);
    let mut body = vec![u8::try_from(family).unwrap_or(0), prefix, NO_DAD, 0];
    body.extend(LOOPBACK.to_ne_bytes());
    for kind in [libc::IFA_LOCAL, libc::IFA_ADDRESS] {
        let length = u16::try_from(4 + bytes.len()).unwrap_or(0);
        body.extend(length.to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(&bytes);
    }
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    let message = wire::netlink_message(libc::RTM_NEWADDR, flags, &body);
    rustix::net::send(socket, &message, rustix::net::SendFlags::empty())?;
    let mut answer = [0_u8; 512];
    let (length, _) = rustix::net::recv(socket, &mut answer, rustix::net::RecvFlags::empty())?;
    // A header of 16 bytes, then the error's number, negative or 0.
    let number = answer
        .get(..length)
        .and_then(|answer| answer.get(16..20)?.first_chunk::<4>());
    match number.map(|bytes| i32::from_ne_bytes(*bytes)) {
        Some(0) => Ok(()),
        Some(number) => Err(io::Error::from_raw_os_error(-number)),
        None => Err(io::Error::other("rtnetlink gave no answer")),
    }
}
