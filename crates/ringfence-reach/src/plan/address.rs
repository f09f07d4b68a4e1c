//! Hosts and ports: what settings name, what they imply, what the manifest adds; and the same of other environments.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ringfence_model::value::endpoint::{self, Url, host_and_port};

use super::{Endpoint, Foreign, Host, Input, implied, preset};

/// What an environment may connect to, each host and port once, in the order of the settings.
pub(super) fn endpoints(input: &Input<'_>) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for named in named(&input.settings, &input.carried) {
        add(&mut endpoints, named);
    }
    for (host, port) in &input.egress {
        add(
            &mut endpoints,
            Named::new(host, *port, "[egress]".to_owned()),
        );
    }
    for name in &input.presets {
        let hosts = preset::preset(name).map(|preset| preset.hosts);
        for (host, port) in hosts.into_iter().flatten() {
            add(
                &mut endpoints,
                Named::new(host, *port, format!("preset:{name}")),
            );
        }
    }
    endpoints
}

/// What is named or implied by the values that the process does not get, and by nothing else.
pub(super) fn carried(input: &Input<'_>, own: &[Endpoint]) -> Vec<Endpoint> {
    let mut values: BTreeMap<&str, &str> = input.settings.iter().copied().collect();
    values.extend(input.carried.iter().copied());
    let mut carried = Vec::new();
    for (name, value) in &input.carried {
        let named = of_value(name, value)
            .into_iter()
            .chain(implied_by(name, value, &values));
        named.for_each(|named| add(&mut carried, named));
    }
    let is_own = |endpoint: &Endpoint| {
        let mut own = own.iter();
        own.any(|own| own.host == endpoint.host && own.port == endpoint.port)
    };
    carried.retain(|endpoint| !is_own(endpoint));
    carried
}

/// What the others may connect to and this one may not.
pub(super) fn foreign(input: &Input<'_>, own: &[Endpoint]) -> Vec<Foreign> {
    let mut foreign: Vec<Foreign> = Vec::new();
    for (environment, settings) in &input.others {
        for named in named(settings, &[]) {
            let host = Host::read(&named.host);
            let is_own = own
                .iter()
                .any(|endpoint| endpoint.host == host && endpoint.port == named.port);
            let known = foreign
                .iter()
                .any(|other| other.host == host && other.port == named.port);
            if !is_own && !known {
                foreign.push(Foreign {
                    host,
                    port: named.port,
                    environment: (*environment).to_owned(),
                });
            }
        }
    }
    foreign
}

/// Paths of sockets and files that values name.
pub(super) fn paths(settings: &[(&str, &str)]) -> Vec<PathBuf> {
    let paths = settings.iter().flat_map(|(_, value)| path_of(value));
    paths.map(PathBuf::from).collect()
}

fn path_of(value: &str) -> Vec<String> {
    if let Some(url) = Url::parse(value) {
        // `postgresql:///app?host=/run/postgresql` and MySQL's `?socket=/run/mysqld/mysqld.sock`.
        let query = url.rest.split_once('?').map_or("", |(_, query)| query);
        let from_query = query.split('&').filter_map(|pair| {
            let (name, path) = pair.split_once('=')?;
            let path = path.replace("%2F", "/").replace("%2f", "/");
            (matches!(name, "host" | "socket" | "unix_socket") && path.starts_with('/'))
                .then_some(path)
        });
        let mut paths: Vec<String> = from_query.collect();
        let escaped = url.hosts.replace("%2F", "/").replace("%2f", "/");
        if escaped.starts_with('/') {
            paths.push(escaped);
        } else if let Some(endpoint::Endpoint::File(path)) = url.endpoint() {
            paths.push(path);
        }
        return paths;
    }
    let is_path = (value.starts_with('/') || value.starts_with("./") || value.starts_with("~/"))
        && !value.contains(['\n', '\0', ':']);
    is_path.then(|| value.to_owned()).into_iter().collect()
}

/// A host and port, and what names it.
struct Named {
    host: String,
    port: u16,
    because: String,
    is_tls: bool,
}

impl Named {
    fn new(host: &str, port: u16, because: String) -> Self {
        Self {
            host: host.to_owned(),
            port,
            because,
            is_tls: port == 443,
        }
    }
}

/// Everything that the settings name or imply. Those that are carried imply nothing: what the process gets is no key of the vendor's.
fn named(settings: &[(&str, &str)], carried: &[(&str, &str)]) -> Vec<Named> {
    let mut all = Vec::new();
    for (name, value) in settings {
        all.extend(of_value(name, value));
    }
    let values: BTreeMap<&str, &str> = settings.iter().copied().collect();
    let is_carried = |name: &str| carried.iter().any(|(carried, _)| *carried == name);
    for (name, value) in settings.iter().filter(|(name, _)| !is_carried(name)) {
        all.extend(implied_by(name, value, &values));
    }
    all.extend(pairs(settings));
    // What a server binds to is nowhere that one could connect to.
    all.retain(|named| !matches!(named.host.as_str(), "0.0.0.0" | "::"));
    all
}

fn implied_by(name: &str, value: &str, settings: &BTreeMap<&str, &str>) -> Vec<Named> {
    let implied = implied::implied(name, value, &|name| settings.get(name).copied());
    let named = implied.into_iter().map(|implied| {
        let because = format!("{name} implies {}", implied.vendor);
        Named::new(&implied.host, implied.port, because)
    });
    named.collect()
}

/// Hosts and ports inside one value: a URL with all its hosts, a DSN of `key=value` words, or `host:port` lists.
fn of_value(name: &str, value: &str) -> Vec<Named> {
    if let Some(url) = Url::parse(value) {
        return of_url(name, url);
    }
    if let Some((host, port)) = words(value) {
        return vec![Named::new(&host, port, name.to_owned())];
    }
    let mut named = Vec::new();
    for part in value.split(',') {
        match host_and_port(part.trim()) {
            Some((host, Some(port))) if looks_like_host(host) => {
                named.push(Named::new(host, port, name.to_owned()));
            }
            _ => return Vec::new(),
        }
    }
    named
}

fn of_url(name: &str, url: Url<'_>) -> Vec<Named> {
    let base = url.scheme.split('+').next().unwrap_or(url.scheme);
    let base = base.to_ascii_lowercase();
    // An `@` after the authority means a password that was not encoded: its end is the host's beginning.
    let is_web = matches!(base.as_str(), "http" | "https");
    let hosts = match url.rest.rsplit_once('@') {
        Some((_, after)) if !is_web => after.split(['/', '?', '#']).next().unwrap_or(after),
        _ => url.hosts,
    };
    let implied = match base.as_str() {
        "libsql" | "grpcs" | "turso" => Some(443),
        "grpc" => Some(50051),
        "kafka" => Some(9092),
        "bolt" | "neo4j" => Some(7687),
        "mqtt" => Some(1883),
        "mqtts" => Some(8883),
        "memcached" | "memcache" => Some(11211),
        "cassandra" => Some(9042),
        "sqlserver" | "mssql" => Some(1433),
        "oracle" => Some(1521),
        "git" => Some(9418),
        "socks5" | "socks" => Some(1080),
        "mysqls" | "mysqlx" => Some(3306),
        "elasticsearch" | "es" => Some(9200),
        "otlp" => Some(4317),
        other => endpoint::implied_port(other),
    };
    // `mongodb+srv` and the like find hosts through DNS records, which nobody answers inside.
    let secure = [
        "https", "wss", "rediss", "amqps", "ldaps", "smtps", "grpcs", "mqtts", "libsql", "turso",
    ];
    hosts
        .split(',')
        .filter_map(|part| {
            let (host, port) = host_and_port(part)?;
            let port = port.or(implied)?;
            Some(Named {
                host: host.to_owned(),
                port,
                because: name.to_owned(),
                is_tls: secure.contains(&base.as_str()) || port == 443,
            })
        })
        .collect()
}

/// `host=db port=5432 dbname=app`, as libpq writes it, and `Server=db,1433;Database=app`, as .NET does.
fn words(value: &str) -> Option<(String, u16)> {
    if !value.contains('=') {
        return None;
    }
    let separator = if value.contains(';') { ';' } else { ' ' };
    let (mut host, mut port, mut is_database) = (None, None, false);
    for word in value.split(separator) {
        let (name, text) = word.split_once('=')?;
        let text = text.trim().trim_matches('\'');
        match name.trim().to_ascii_lowercase().as_str() {
            "host" | "server" | "data source" | "addr" | "address" => {
                host = Some(text.trim_start_matches("tcp:").to_owned());
            }
            "port" => port = endpoint::port_number(text),
            "dbname" | "database" | "initial catalog" | "user" | "user id" | "username" => {
                is_database = true;
            }
            _ => {}
        }
    }
    let host = host.filter(|_| is_database)?;
    let (host, written) = match host.split_once(',') {
        Some((host, port)) => (host.to_owned(), endpoint::port_number(port)),
        None => (host, None),
    };
    let usual = if separator == ';' && port.is_none() {
        1433
    } else {
        5432
    };
    endpoint::is_host_name(&host).then(|| (host, port.or(written).unwrap_or(usual)))
}

/// `DB_HOST=db` beside `DB_PORT=5432`: two settings of one stem.
fn pairs(settings: &[(&str, &str)]) -> Vec<Named> {
    let mut named = Vec::new();
    for (name, value) in settings {
        let upper = name.to_ascii_uppercase();
        let Some(stem) = ["HOSTNAME", "HOST", "SERVER", "ADDR", "ADDRESS"]
            .iter()
            .find_map(|word| upper.strip_suffix(word))
        else {
            continue;
        };
        // `HOST` alone is what a server binds to.
        if stem.is_empty() || !endpoint::is_host_name(value) {
            continue;
        }
        let port = settings.iter().find_map(|(other, port)| {
            (other.to_ascii_uppercase() == format!("{stem}PORT"))
                .then(|| endpoint::port_number(port))?
        });
        let port = port.or_else(|| usual_port(stem));
        if let Some(port) = port {
            named.push(Named::new(value, port, (*name).to_owned()));
        }
    }
    named
}

/// The port of a kind of server whose setting names the host alone.
fn usual_port(stem: &str) -> Option<u16> {
    const USUAL: &[(&str, u16)] = &[
        ("PG", 5432),
        ("POSTGRES", 5432),
        ("MYSQL", 3306),
        ("MARIADB", 3306),
        ("REDIS", 6379),
        ("VALKEY", 6379),
        ("MONGO", 27017),
        ("RABBITMQ", 5672),
        ("AMQP", 5672),
        ("ELASTIC", 9200),
        ("OPENSEARCH", 9200),
        ("MEMCACHED", 11211),
        ("KAFKA", 9092),
        ("SMTP", 587),
        ("QDRANT", 6333),
    ];
    let found = USUAL.iter().find(|(word, _)| stem.starts_with(word));
    found.map(|(_, port)| *port)
}

/// A word with a number behind it is no host: `retries:3`, `12:30`.
fn looks_like_host(host: &str) -> bool {
    host.contains('.') || host.contains(':') || host == "localhost" || host.contains('-') || {
        host.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && host.bytes().any(|byte| byte.is_ascii_alphabetic())
    }
}

fn add(endpoints: &mut Vec<Endpoint>, named: Named) {
    let host = Host::read(&named.host);
    let known = endpoints
        .iter_mut()
        .find(|endpoint| endpoint.host == host && endpoint.port == named.port);
    match known {
        Some(endpoint) => {
            endpoint.is_tls |= named.is_tls;
            if !endpoint.because.contains(&named.because) {
                endpoint.because.push(named.because);
            }
        }
        None => endpoints.push(Endpoint {
            host,
            port: named.port,
            because: vec![named.because],
            is_tls: named.is_tls,
        }),
    }
}
