//! Where an upstream is, as the setting that names it says.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use http::Uri;
use http::uri::{Authority, Parts, PathAndQuery, Scheme};

use super::script::{Script, ScriptError};

/// What answers.
#[derive(Debug)]
pub enum Upstream {
    /// A server.
    Server(Address),
    /// The gateway itself, by a script: `mock://`.
    Mock(Script),
    /// Nothing, for this reason: each request is refused with it.
    Closed(String),
}

/// A server's base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    scheme: Scheme,
    authority: Authority,
    /// Without a slash at its end; empty for the root.
    path: String,
}

/// Why a value is no address of an upstream. It says nothing of the value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not `http`, `https` or `mock`.
    #[error("it is no URL that begins with `https://`, `http://` or `mock://`")]
    Scheme,
    /// User and password in it.
    #[error("it has a user name or password in it; name the setting of the key with `key`")]
    Credentials,
    /// A query or fragment.
    #[error("it has a query or fragment")]
    Query,
    /// A script that cannot be followed.
    #[error("the mock's script cannot be followed: {0}")]
    Script(#[from] ScriptError),
}

impl Upstream {
    /// Reads the value of a setting.
    ///
    /// # Errors
    /// Where it is no address.
    pub fn parse(value: &str) -> Result<Self, AddressError> {
        if let Some(script) = value.strip_prefix("mock://") {
            return Ok(Self::Mock(Script::parse(script)?));
        }
        let uri: Uri = value.parse().map_err(|_| AddressError::Scheme)?;
        let parts = uri.into_parts();
        let scheme = parts
            .scheme
            .filter(|s| *s == Scheme::HTTP || *s == Scheme::HTTPS);
        let (Some(scheme), Some(authority)) = (scheme, parts.authority) else {
            return Err(AddressError::Scheme);
        };
        if authority.as_str().contains('@') {
            return Err(AddressError::Credentials);
        }
        let path = parts
            .path_and_query
            .unwrap_or(PathAndQuery::from_static("/"));
        if path.query().is_some() || value.contains('#') {
            return Err(AddressError::Query);
        }
        Ok(Self::Server(Address {
            scheme,
            authority,
            path: path.path().trim_end_matches('/').to_owned(),
        }))
    }
}

impl Upstream {
    /// The server's name or address; `mock` or `closed` where there is none.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Server(address) => address.authority.host(),
            Self::Mock(_) => "mock",
            Self::Closed(_) => "closed",
        }
    }

    /// The server's port, also where the address leaves it to the scheme.
    pub(crate) fn port(&self) -> Option<u16> {
        let Self::Server(address) = self else {
            return None;
        };
        let usual = if address.is_tls() { 443 } else { 80 };
        Some(address.authority.port_u16().unwrap_or(usual))
    }
}

impl Address {
    /// The URI of a path below the base.
    pub(crate) fn uri(&self, path: &str, query: Option<&str>) -> Option<Uri> {
        let mark = if query.is_some() { "?" } else { "" };
        let text = [&self.path, path, mark, query.unwrap_or_default()].concat();
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(Bytes::from(text)).ok()?);
        Uri::from_parts(parts).ok()
    }

    /// Host and port as written.
    pub(crate) const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The path of the base.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether the same server answers at that URI.
    pub(crate) fn is_same_server(&self, uri: &Uri) -> bool {
        let port = |scheme: Option<&Scheme>, port: Option<u16>| {
            port.unwrap_or(if scheme == Some(&Scheme::HTTPS) {
                443
            } else {
                80
            })
        };
        let same_host = uri
            .host()
            .is_some_and(|host| host.eq_ignore_ascii_case(self.authority.host()));
        same_host
            && uri.scheme() == Some(&self.scheme)
            && port(uri.scheme(), uri.port_u16())
                == port(Some(&self.scheme), self.authority.port_u16())
    }

    /// Whether what is sent there can be read on the way: `http` to another machine.
    #[must_use]
    pub fn is_cleartext(&self) -> bool {
        self.scheme == Scheme::HTTP && !self.is_loopback()
    }

    /// Whether TLS is spoken.
    pub(crate) fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Whether it leads to this machine itself.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.authority.host();
        let address = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>();
        address.map_or_else(
            |_| host.eq_ignore_ascii_case("localhost"),
            |ip| ip.is_loopback(),
        )
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.authority)
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(address) => write!(formatter, "{address}"),
            Self::Mock(_) => formatter.write_str("mock"),
            Self::Closed(_) => formatter.write_str("closed"),
        }
    }
}
