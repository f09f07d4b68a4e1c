//! What will be enforced around a process, worked out from plain data: no file is looked at, nothing is resolved.
//!
//! ```
//! use ringfence_reach::plan::{Input, plan};
//! let plan = plan(&Input { environment: "dev", settings: vec![("DB_URL", "postgres://u:p@db:5432/app")], ..Input::default() });
//! assert_eq!(plan.endpoints[0].to_string(), "db:5432");
//! ```
//!
//! A plan holds names, hosts, ports and paths; it never holds a value of a setting.

mod address;
mod files;
pub mod implied;
pub mod preset;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Serialize;

pub use files::{Files, Hidden, Home, MADE, Places};

/// What is known about the environment, the project and the caller.
#[derive(Default)]
pub struct Input<'a> {
    /// The environment's name.
    pub environment: &'a str,
    /// Names and values of its settings.
    pub settings: Vec<(&'a str, &'a str)>,
    /// The other environments, and names and values of their settings.
    pub others: Vec<(&'a str, Vec<(&'a str, &'a str)>)>,
    /// Settings in whose place the process gets others, with the values that it does not get: what they name is carried to it.
    pub carried: Vec<(&'a str, &'a str)>,
    /// Hosts and ports that the manifest allows besides.
    pub egress: Vec<(String, u16)>,
    /// Names of presets that the manifest allows besides.
    pub presets: Vec<String>,
    /// What becomes of a connection that nothing names.
    pub unnamed: Unnamed,
    /// The program's own ports.
    pub ports: Vec<u16>,
    /// Folders and files.
    pub places: Places<'a>,
}

/// What becomes of a connection that neither a setting nor the manifest names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unnamed {
    /// It is refused.
    #[default]
    Closed,
    /// It is let through unless it belongs to another environment, and noted.
    Learn,
    /// It is let through unless it belongs to another environment.
    Open,
}

/// What will be enforced.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The environment's name.
    pub environment: String,
    /// Where the process may connect to.
    pub endpoints: Vec<Endpoint>,
    /// What is reached for the process by a gateway, and not by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<Endpoint>,
    /// Sockets of the host, by path, that stay reachable.
    pub sockets: Vec<PathBuf>,
    /// What becomes of other connections.
    pub unnamed: Unnamed,
    /// What belongs to other environments and not to this one.
    pub foreign: Vec<Foreign>,
    /// The program's own ports, which the host's loopback always shows.
    pub ports: Vec<u16>,
    /// Files and folders.
    pub files: Files,
}

/// Where a process may connect to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// What names it: a setting, what a setting implies, the manifest.
    pub because: Vec<String>,
    /// Whether TLS to it must name the host (SNI).
    pub is_tls: bool,
}

/// A host as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Host {
    /// This machine.
    Local,
    /// An address.
    Address(IpAddr),
    /// A name.
    Name(String),
}

/// What belongs to another environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Foreign {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// Whose it is.
    pub environment: String,
}

impl Host {
    /// The host that a text names.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let name = text.trim_end_matches('.').to_ascii_lowercase();
        if name == "localhost" || name.ends_with(".localhost") || name == "localhost.localdomain" {
            return Self::Local;
        }
        match name.parse::<IpAddr>() {
            Ok(address) if address.to_canonical().is_loopback() => Self::Local,
            Ok(address) => Self::Address(address.to_canonical()),
            Err(_) => Self::Name(name),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => formatter.write_str("localhost"),
            Self::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]"),
            Self::Address(address) => write!(formatter, "{address}"),
            Self::Name(name) => formatter.write_str(name),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}:{}", self.host, self.port))
    }
}

/// Works out what will be enforced.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan {
    let endpoints = address::endpoints(input);
    let carried = address::carried(input, &endpoints);
    let foreign = address::foreign(input, &[endpoints.as_slice(), &carried].concat());
    Plan {
        environment: input.environment.to_owned(),
        sockets: files::sockets(input),
        files: files::files(input),
        endpoints,
        carried,
        foreign,
        unnamed: input.unnamed,
        ports: input.ports.clone(),
    }
}

impl Plan {
    /// The environment that a host and port belong to, where it is another one's and not this one's.
    #[must_use]
    pub fn owner(&self, host: &Host, port: u16) -> Option<&str> {
        let own = |endpoint: &Endpoint| endpoint.host == *host && endpoint.port == port;
        if self.endpoints.iter().any(own) {
            return None;
        }
        let found = self
            .foreign
            .iter()
            .find(|foreign| foreign.host == *host && foreign.port == port);
        found.map(|foreign| foreign.environment.as_str())
    }

    /// The environment that a host's name belongs to, whatever the port.
    #[must_use]
    pub fn owner_of_name(&self, name: &str) -> Option<&str> {
        let found = self
            .foreign
            .iter()
            .find(|foreign| matches!(&foreign.host, Host::Name(theirs) if theirs == name));
        found.map(|foreign| foreign.environment.as_str())
    }
}

/// The name of the preset that has a host.
#[must_use]
pub fn preset_of(host: &str) -> Option<&'static str> {
    let has = |preset: &&preset::Preset| preset.hosts.iter().any(|(own, _)| *own == host);
    let found = preset::PRESETS.iter().find(has);
    found.map(|preset| preset.name)
}

#[cfg(test)]
mod tests;
