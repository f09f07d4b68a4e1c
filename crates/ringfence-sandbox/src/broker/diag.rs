//! Who listens: the kernel's own list of listening sockets of a network namespace (`sock_diag(7)`).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use crate::wire::netlink_message;

/// A socket that answers who listens in the namespace that it was made in.
pub(crate) struct Lister(OwnedFd);

impl Lister {
    /// One for the namespace of this process.
    pub(crate) fn here() -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        Ok(Self(socket))
    }

    /// One whose socket was made elsewhere.
    pub(crate) const fn of(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// Addresses and ports at which somebody listens for TCP.
    pub(crate) fn listening(&self) -> io::Result<Vec<SocketAddr>> {
        let mut all = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            self.list(family, &mut all)?;
        }
        Ok(all)
    }

    fn list(&self, family: i32, all: &mut Vec<SocketAddr>) -> io::Result<()> {
        const BY_FAMILY: u16 = 20;
        // `struct inet_diag_req_v2`: family, protocol, extensions, padding, states (bit 10: TCP_LISTEN), an empty socket id.
        let mut body = vec![u8::try_from(family).unwrap_or(0), 6, 0, 0];
        body.extend((1_u32 << 10).to_ne_bytes());
        body.extend([0; 48]);
        let request = netlink_message(BY_FAMILY, libc::NLM_F_REQUEST | libc::NLM_F_DUMP, &body);
        send(&self.0, &request, SendFlags::empty())?;
        let mut buffer = vec![0; 32 << 10];
        loop {
            let (length, _) = recv(&self.0, &mut buffer, RecvFlags::empty())?;
            let mut rest = buffer.get(..length).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
            while let Some((kind, body, after)) = split(rest) {
                match i32::from(kind) {
                    libc::NLMSG_DONE => return Ok(()),
                    libc::NLMSG_ERROR => {
                        return Err(io::Error::other("the kernel does not list sockets"));
                    }
                    _ => all.extend(address(body)),
                }
                rest = after;
            }
        }
    }
}

/// The first message of a buffer: its type, its body, what follows.
fn split(buffer: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    const HEADER: usize = 16;
    let length = usize::try_from(u32::from_ne_bytes(*buffer.first_chunk()?)).ok()?;
    let kind = u16::from_ne_bytes(*buffer.get(4..)?.first_chunk()?);
    let body = buffer.get(HEADER..length)?;
    let after = buffer.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, body, after))
}

/// The address in a `struct inet_diag_msg`: family, state, timer, retransmits, then ports and addresses in network order.
fn address(body: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(*body.get(4..)?.first_chunk()?);
    let source = body.get(8..)?;
    let address = match i32::from(*body.first()?) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(*source.first_chunk::<4>()?)),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(*source.first_chunk::<16>()?)),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_listed_and_a_closed_one_is_not() {
        let lister = Lister::here().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(lister.listening().unwrap().contains(&address));
        drop(listener);
        assert!(!lister.listening().unwrap().contains(&address));
    }
}
