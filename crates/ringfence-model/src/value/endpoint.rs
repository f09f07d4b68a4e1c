//! Addresses inside values: where a setting points to, without its credentials.

use std::fmt;

/// Where a resource is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Host and port on a network.
    Network {
        /// A name or an address; IPv6 without brackets.
        host: String,
        /// The port, written or implied by the scheme.
        port: Option<u16>,
    },
    /// A file or socket on this machine.
    File(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { host, port } => {
                if host.contains(':') {
                    write!(formatter, "[{host}]")?;
                } else {
                    write!(formatter, "{host}")?;
                }
                port.map_or(Ok(()), |port| write!(formatter, ":{port}"))
            }
            Self::File(path) => write!(formatter, "{path}"),
        }
    }
}

/// A URL or DSN taken apart as RFC 3986, section 3, says, with lists of hosts as databases write them.
///
/// It borrows from the value; the parts are not decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Url<'a> {
    /// Before `://`.
    pub scheme: &'a str,
    /// Before the last `@` of the authority.
    pub userinfo: Option<&'a str>,
    /// `host:port`, several separated by commas; empty for a file.
    pub hosts: &'a str,
    /// From the authority's end on: path, query and fragment.
    pub rest: &'a str,
}

/// Ports that a scheme implies (IANA service names and ports).
const PORTS: &[(&str, u16)] = &[
    ("amqp", 5672),
    ("amqps", 5671),
    ("clickhouse", 9000),
    ("ftp", 21),
    ("http", 80),
    ("https", 443),
    ("ldap", 389),
    ("ldaps", 636),
    ("mariadb", 3306),
    ("mongodb", 27017),
    ("mysql", 3306),
    ("nats", 4222),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("redis", 6379),
    ("rediss", 6379),
    ("sftp", 22),
    ("smtp", 25),
    ("smtps", 465),
    ("ssh", 22),
    ("ws", 80),
    ("wss", 443),
];

impl<'a> Url<'a> {
    /// The parts of `value`; `None` where it has no scheme and `://`, or white space in it.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        // Java puts a scheme before the scheme.
        let (scheme, after) = value
            .strip_prefix("jdbc:")
            .unwrap_or(value)
            .split_once("://")?;
        let mut characters = scheme.bytes();
        let well_begun = characters
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic());
        let well_formed = characters
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        if !(well_begun && well_formed)
            || value.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            return None;
        }
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let (authority, rest) = after.split_at_checked(end)?;
        let (userinfo, hosts) = match authority.rsplit_once('@') {
            Some((userinfo, hosts)) => (Some(userinfo), hosts),
            None => (None, authority),
        };
        Some(Self {
            scheme,
            userinfo,
            hosts,
            rest,
        })
    }

    /// Where it points to: the first host, or the path of a file.
    ///
    /// `None` where it cannot be told without showing what may belong to a password: an unencoded `/` in it makes the
    /// authority end too soon, and an `@` then stands in the rest.
    #[must_use]
    pub fn endpoint(self) -> Option<Endpoint> {
        if self.rest.contains('@') {
            return None;
        }
        let base = self
            .scheme
            .split('+')
            .next()
            .unwrap_or(self.scheme)
            .to_ascii_lowercase();
        if self.hosts.is_empty() || matches!(base.as_str(), "sqlite" | "sqlite3" | "file" | "unix")
        {
            let path = self.rest.split(['?', '#']).next().unwrap_or("");
            // In `sqlite:///data/app.db` the third slash only ends the empty authority.
            let relative = base
                .starts_with("sqlite")
                .then(|| path.strip_prefix('/'))
                .flatten();
            let path = relative.unwrap_or(path);
            return (!path.is_empty()).then(|| Endpoint::File(format!("{}{path}", self.hosts)));
        }
        let implied = implied_port(&base);
        let (host, port) = host_and_port(self.hosts.split(',').next()?)?;
        Some(Endpoint::Network {
            host: host.to_owned(),
            port: port.or(implied),
        })
    }

    /// Whether every host is well formed.
    #[must_use]
    pub fn hosts_are_well_formed(self) -> bool {
        self.hosts.is_empty()
            || self
                .hosts
                .split(',')
                .all(|host| host_and_port(host).is_some())
    }
}

/// The port that a scheme, in lower case, implies.
#[must_use]
pub fn implied_port(scheme: &str) -> Option<u16> {
    let found = PORTS.iter().find(|(known, _)| *known == scheme);
    found.map(|(_, port)| *port)
}

/// The endpoint that a value names, as a URL or as `host:port`.
#[must_use]
pub fn of_value(value: &str) -> Option<Endpoint> {
    if let Some(url) = Url::parse(value) {
        return url.endpoint();
    }
    let (host, port) = host_and_port(value)?;
    let named = host.contains('.') || host.contains(':') || host == "localhost";
    (named && port.is_some()).then(|| Endpoint::Network {
        host: host.to_owned(),
        port,
    })
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`; `None` where it is none of these.
#[must_use]
pub fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some(after) = text.strip_prefix('[') {
        let (address, port) = after.split_once(']')?;
        address.parse::<std::net::Ipv6Addr>().ok()?;
        return match port.strip_prefix(':') {
            Some(port) => Some((address, Some(port_number(port)?))),
            None => port.is_empty().then_some((address, None)),
        };
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port_number(port)?)),
        None => (text, None),
    };
    is_host_name(host).then_some((host, port))
}

/// A port from 1 to 65535, in decimal digits alone.
#[must_use]
pub fn port_number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// A DNS name (RFC 1123, section 2.1; underscores allowed, as container names have them) or an IPv4 address.
#[must_use]
pub fn is_host_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        let bytes = label.as_bytes();
        let inner = bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        inner && (1..=63).contains(&bytes.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    !text.is_empty() && text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: Option<&str>) {
        assert_eq!(
            of_value(value)
                .map(|endpoint| endpoint.to_string())
                .as_deref(),
            expected,
            "{value}"
        );
    }

    #[test]
    fn endpoints_have_no_credentials() {
        check(
            "postgres://app:hunter2@db.internal/app",
            Some("db.internal:5432"),
        );
        check("postgresql+asyncpg://u:p@h:6000/x", Some("h:6000"));
        check("mongodb://u:p@h1:1,h2:2/x", Some("h1:1"));
        check("redis://:p%40ss@[::1]:6380/0", Some("[::1]:6380"));
        check("https://api.example.com/v1", Some("api.example.com:443"));
        check("sqlite:///data/app.db", Some("data/app.db"));
        check("sqlite:////var/app.db", Some("/var/app.db"));
        check("unix:///run/app.sock", Some("/run/app.sock"));
        check(
            "jdbc:postgresql://db.internal/app",
            Some("db.internal:5432"),
        );
        check("localhost:9000", Some("localhost:9000"));
        check("hello", None);
        check("12:30", None);
    }

    #[test]
    fn an_unencoded_password_is_never_taken_for_a_host() {
        check("postgres://app:p/w@db.internal/app", None);
        check("postgres://app:p#w@db.internal/app", None);
        check(
            "postgres://app:p@w@db.internal/app",
            Some("db.internal:5432"),
        );
        check("postgres://app:p?w@db/app", None);
    }
}
