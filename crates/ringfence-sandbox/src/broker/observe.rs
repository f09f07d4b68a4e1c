//! Hears of each `connect` and `listen` inside, and lets the kernel go on with it: nothing is decided here, because the inner network
//! holds by itself. So refusals can be told by name, and a port is known the moment the program listens.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::rc::Rc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SocketType, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use tokio::sync::Notify;

use super::Broker;
use crate::refusal::Refused;
use crate::sys::notify::{read_memory, watch_readable};
use crate::sys::observe::{Call, proceed, receive};
use ringfence_reach::plan::Host;

/// Observes until nobody is left who could call.
pub(super) async fn observe(
    broker: Broker,
    listener: OwnedFd,
    listens: Rc<Notify>,
) -> io::Result<()> {
    let listener = watch_readable(listener)?;
    loop {
        let mut ready = listener.readable().await?;
        // Receiving waits where there is nothing, and readiness is remembered: it is asked anew.
        let mut descriptors = [PollFd::new(listener.get_ref(), PollFlags::IN)];
        poll(
            &mut descriptors,
            Some(&Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            }),
        )?;
        let events = descriptors
            .first()
            .map_or(PollFlags::empty(), PollFd::revents);
        if events.contains(PollFlags::IN) {
            // A caller that has gone meanwhile, or was killed, leaves nothing to answer.
            if let Ok(call) = receive(listener.get_ref().as_fd()) {
                let address = address(&call)
                    .filter(|address| broker.is_refused(*address) && is_meant(&call, *address));
                let listens_now = i64::from(call.number) == libc::SYS_listen;
                proceed(listener.get_ref().as_fd(), call.id);
                match address {
                    Some(address) => broker.note(address),
                    None if listens_now => listens.notify_one(),
                    None => {}
                }
            }
        } else if events.intersects(PollFlags::HUP | PollFlags::ERR) {
            return Ok(());
        } else {
            ready.clear_ready();
        }
    }
}

/// Where a call wants to connect to, where that is an address of the internet.
fn address(call: &Call) -> Option<SocketAddr> {
    if i64::from(call.number) != libc::SYS_connect {
        return None;
    }
    let [_, pointer, length, ..] = call.arguments;
    let mut bytes = [0; 28];
    let wanted = usize::try_from(length).ok()?.min(bytes.len());
    let read = read_memory(call.thread, pointer, bytes.get_mut(..wanted)?).ok()?;
    parse(bytes.get(..read)?)
}

/// The address in a `struct sockaddr_in` or `sockaddr_in6`.
fn parse(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(*bytes.first_chunk()?);
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    let address = match i32::from(family) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?)),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?)),
        _ => return None,
    };
    Some(SocketAddr::new(address.to_canonical(), port))
}

/// Whether a refusal is worth telling: many programs connect a datagram socket to some address only to learn their own, and send
/// nothing. Questions of DNS are meant.
fn is_meant(call: &Call, address: SocketAddr) -> bool {
    const DNS: u16 = 53;
    let socket_type = || {
        let process = pidfd_open(Pid::from_raw(call.thread)?, PidfdFlags::empty()).ok()?;
        let number = RawFd::try_from(call.arguments.first()? & u64::from(u32::MAX)).ok()?;
        let socket = pidfd_getfd(process, number, PidfdGetfdFlags::empty()).ok()?;
        sockopt::socket_type(socket).ok()
    };
    address.port() == DNS || socket_type() != Some(SocketType::DGRAM)
}

impl Broker {
    /// Whether the inner network has nothing at an address, or what is there would be another environment's outside.
    fn is_refused(&self, address: SocketAddr) -> bool {
        let is_served = self
            .inside()
            .listeners
            .iter()
            .any(|(known, _)| *known == address);
        !is_served && !address.ip().is_unspecified() && address.port() != 0
    }

    /// Tells of an attempt that the inner network refuses.
    fn note(&self, address: SocketAddr) {
        let (ip, port) = (address.ip(), address.port());
        if ip.is_loopback() {
            // What nobody declares on the loopback is the program's own business, unless it is another environment's.
            let owner = self.plan().owner(&Host::Local, port);
            if let Some(owner) = owner.filter(|_| ip == Ipv4Addr::LOCALHOST) {
                self.refuse(
                    Refused::Connection,
                    format!("localhost:{port}"),
                    Some(owner),
                );
            }
            return;
        }
        let owner = self.plan().owner(&Host::Address(ip), port);
        self.refuse(Refused::Connection, address.to_string(), owner);
    }
}
