//! What may come in at the program's ports, and whose word about a client's address is taken.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::limit::rule::Rule;

/// Limits of what comes in.
#[derive(Debug, Clone, Default)]
pub struct Ingress {
    /// What a request takes from; where there are none, everything passes.
    pub limits: Vec<Arc<Rule>>,
    /// Proxies that say truly from where a request came.
    pub proxies: Vec<Network>,
    /// Why nothing passes at all, where the limits cannot be held.
    pub closed: Option<String>,
}

/// An address, or all that begin with the same bits (RFC 4632, RFC 4291).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// Why a text is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// It does not read as one.
    #[error("`{0}` is neither an address nor a network")]
    Unreadable(String),
    /// It holds every address, so that anybody could say that they are somebody else.
    #[error("`{0}` is every address there is")]
    Everybody(String),
}

impl Network {
    /// Reads `10.0.0.1`, `10.0.0.0/8`, `::1` or `2001:db8::/32`.
    ///
    /// # Errors
    /// Where it is neither, or everything.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let unreadable = || NetworkError::Unreadable(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| unreadable())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits: u32 = match bits {
            None => most,
            Some(bits) => bits.parse().map_err(|_| unreadable())?,
        };
        match bits {
            0 => Err(NetworkError::Everybody(text.to_owned())),
            _ if bits > most => Err(unreadable()),
            // One address of IPv4, as IPv6 writes it (RFC 4291, section 2.5.5.2).
            128 if address.to_canonical().is_ipv4() => Ok(Self {
                address: address.to_canonical(),
                bits: 32,
            }),
            _ => Ok(Self { address, bits }),
        }
    }

    /// Whether the address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits())
                    .checked_shr(32 - self.bits)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits())
                    .checked_shr(128 - self.bits)
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

impl Ingress {
    /// Whether the address is a proxy's.
    pub(crate) fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|proxy| proxy.contains(address))
    }

    /// From where a request came: the connection's other end; where that is a proxy, the last address of `forwarded` that is none.
    /// `forwarded` are the values of `X-Forwarded-For`, in the order in which they came.
    pub(crate) fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a str>,
    ) -> Client {
        let mut client = peer;
        let told = forwarded.rev().flat_map(|value| value.rsplit(','));
        for text in told {
            if !self.is_proxy(client) {
                break;
            }
            // What is no address was not written by a proxy that knows its own client.
            let Some(address) = address(text.trim()) else {
                break;
            };
            client = address;
        }
        Client(client.to_canonical())
    }
}

/// An address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse().ok().map(|socket: SocketAddr| socket.ip());
    plain.parse().ok().or_else(with_port)
}

/// Who is counted as one: an address, and of IPv6 a network of 64 bits, within which anybody can take another address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client(IpAddr);

impl fmt::Display for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(formatter, "{address}"),
            IpAddr::V6(address) if address.is_loopback() => write!(formatter, "{address}"),
            IpAddr::V6(address) => {
                let network = std::net::Ipv6Addr::from_bits(address.to_bits() >> 64 << 64);
                write!(formatter, "{network}/64")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn ingress(proxies: &[&str]) -> Ingress {
        let proxies = proxies.iter().map(|text| Network::parse(text).unwrap());
        Ingress {
            proxies: proxies.collect(),
            ..Ingress::default()
        }
    }

    #[track_caller]
    fn check(proxies: &[&str], peer: &str, forwarded: &[&str], expected: &str) {
        let client = ingress(proxies).client(peer.parse().unwrap(), forwarded.iter().copied());
        assert_eq!(client.to_string(), expected, "{forwarded:?}");
    }

    #[test]
    fn networks_hold_what_begins_with_their_bits() {
        for (network, address, is_in) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("192.168.4.0/22", "192.168.7.255", true),
            ("192.168.4.0/22", "192.168.8.0", false),
            ("::1", "::1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("2001:db8::/128", "2001:db8::", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("::/1", "1.2.3.4", false),
        ] {
            let network = Network::parse(network).unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                is_in,
                "{address}"
            );
        }
        for bad in [
            "",
            "localhost",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/-1",
            "10.0.0.0/",
        ] {
            let unreadable = NetworkError::Unreadable(bad.to_owned());
            assert_eq!(Network::parse(bad), Err(unreadable), "{bad}");
        }
        for all in ["0.0.0.0/0", "::/0"] {
            assert_eq!(
                Network::parse(all),
                Err(NetworkError::Everybody(all.to_owned()))
            );
        }
    }

    #[test]
    fn a_client_is_the_other_end_unless_a_proxy_says_more() {
        // Nobody is trusted: what a client says of itself is nothing.
        check(&[], "127.0.0.1", &["9.9.9.9"], "127.0.0.1");
        check(&["10.0.0.1"], "127.0.0.1", &["9.9.9.9"], "127.0.0.1");
        let proxies = &["127.0.0.1", "10.0.0.0/8"];
        check(proxies, "127.0.0.1", &[], "127.0.0.1");
        check(proxies, "127.0.0.1", &["9.9.9.9"], "9.9.9.9");
        // The client wrote the first of them itself.
        check(proxies, "127.0.0.1", &["1.1.1.1, 9.9.9.9"], "9.9.9.9");
        check(
            proxies,
            "127.0.0.1",
            &["1.1.1.1", "9.9.9.9, 10.0.0.7"],
            "9.9.9.9",
        );
        check(proxies, "127.0.0.1", &["10.0.0.9, 10.0.0.7"], "10.0.0.9");
        check(proxies, "127.0.0.1", &["9.9.9.9, unknown"], "127.0.0.1");
        check(proxies, "127.0.0.1", &["9.9.9.9:4711"], "9.9.9.9");
        check(
            proxies,
            "127.0.0.1",
            &["[2001:db8:1:2:3::4]:80"],
            "2001:db8:1:2::/64",
        );
        check(proxies, "::ffff:127.0.0.1", &["::ffff:9.9.9.9"], "9.9.9.9");
    }

    proptest! {
        #[test]
        fn nobody_is_somebody_else_by_saying_so(values in vec(".*", 0..4), text in ".*") {
            let told = values.iter().map(String::as_str);
            let client = ingress(&["10.0.0.0/8"]).client([192, 0, 2, 1].into(), told);
            prop_assert_eq!(client.to_string(), "192.0.2.1");
            // Whatever is written there, it is read to an end.
            let _ = Network::parse(&text);
        }

        #[test]
        fn a_network_holds_what_begins_like_its_address(address: u128, other: u128, bits in 1..=128_u32) {
            let [own, other] = [address, other].map(|bits| IpAddr::V6(bits.into()));
            let network = Network::parse(&format!("{own}/{bits}")).unwrap();
            prop_assume!(own.to_canonical().is_ipv6() && other.to_canonical().is_ipv6());
            prop_assert!(network.contains(own));
            let begins = |address: IpAddr| match address {
                IpAddr::V6(address) => address.to_bits() >> (128 - bits),
                IpAddr::V4(_) => 0,
            };
            prop_assert_eq!(network.contains(other), begins(own) == begins(other));
        }
    }

    #[test]
    fn who_can_take_another_address_is_still_one() {
        check(&[], "2001:db8:1:2:3:4:5:6", &[], "2001:db8:1:2::/64");
        check(&[], "::1", &[], "::1");
        check(&[], "127.0.0.2", &[], "127.0.0.2");
    }
}
