//! Where a resource is, from the value of the setting that holds its address, and what may be shown of it.

mod s3;

use std::path::{Path, PathBuf};
use std::time::Duration;

use postgres::config::{Host, SslMode};
use zeroize::Zeroizing;

pub(crate) use s3::{Login, S3Address, s3};
pub use s3::{endpoints, settings};

/// Kinds of resources that can hold a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL, and what speaks its protocol and keeps its catalogs.
    Postgres,
    /// A file of SQLite.
    Sqlite,
    /// Redis, Valkey, and what speaks their protocol.
    Redis,
    /// A Qdrant server, by its REST interface.
    Qdrant,
    /// A bucket of S3, and of what speaks its interface.
    S3,
    /// Anything that serves a reserved path over HTTP.
    Http,
}

const WORDS: &[(&str, Kind)] = &[
    ("postgres", Kind::Postgres),
    ("postgresql", Kind::Postgres),
    ("pgvector", Kind::Postgres),
    ("sqlite", Kind::Sqlite),
    ("sqlite3", Kind::Sqlite),
    ("sqlite-vec", Kind::Sqlite),
    ("redis", Kind::Redis),
    ("rediss", Kind::Redis),
    ("valkey", Kind::Redis),
    ("valkeys", Kind::Redis),
    ("qdrant", Kind::Qdrant),
    ("s3", Kind::S3),
    ("http", Kind::Http),
    ("https", Kind::Http),
];

impl Kind {
    /// The kind of that name, or that a URL's scheme means; `None` where a resource of the kind can hold no marker.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let found = WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, kind)| *kind)
    }

    /// The kind that a value's scheme means: `postgresql+asyncpg://…`, `jdbc:postgresql://…`.
    #[must_use]
    pub fn of_value(value: &str) -> Option<Self> {
        let value = value.strip_prefix("jdbc:").unwrap_or(value);
        let (scheme, _) = value.split_once(':')?;
        Self::named(scheme.split('+').next()?)
    }

    /// The kind's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
            Self::Redis => "redis",
            Self::Qdrant => "qdrant",
            Self::S3 => "s3",
            Self::Http => "http",
        }
    }
}

/// A resource to be asked. It holds a secret, so it cannot be printed.
pub struct Target {
    /// The resource's name in the manifest.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The value of the setting that holds its address.
    pub value: Zeroizing<String>,
    /// The value of the setting that holds its key.
    pub key: Option<Zeroizing<String>>,
    /// What relative paths begin at.
    pub root: PathBuf,
    /// Other settings that say how it is reached, of those that [`settings`] names.
    pub settings: Vec<(String, Zeroizing<String>)>,
}

/// A target's address without what is secret, as [`crate::marker::Found::address`] has it.
///
/// # Errors
///
/// Where the value is no address.
pub fn shown(target: &Target) -> Result<String, AddressError> {
    Ok(match target.kind {
        Kind::Postgres => postgres(&target.value, Duration::from_secs(1))?.shown,
        Kind::Sqlite => sqlite(&target.value, &target.root)?.display().to_string(),
        Kind::Redis => redis(&target.value)?.shown(),
        Kind::Qdrant | Kind::Http => http(&target.value)?,
        Kind::S3 => s3(target)?.shown(),
    })
}

/// Why a value is no address that can be asked. It never quotes the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It cannot be read as an address of the kind.
    #[error("the setting's value is no address of this kind")]
    Unreadable,
    /// The database lives in memory.
    #[error("a database in memory cannot hold a marker")]
    InMemory,
    /// The file that the roots of trust are in cannot be read.
    #[error("the file that `sslrootcert` names cannot be read")]
    Roots,
}

/// How much of a server's certificate is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Nothing: the connection is encrypted against listeners alone, as `sslmode=require` says.
    Anyone,
    /// The chain, against the system's roots or those of a file; not the name, as `sslmode=verify-ca` says.
    Authority(Option<PathBuf>),
    /// The chain and the name.
    Verified(Option<PathBuf>),
}

/// Parameters of libpq that its Rust counterpart reads, too; others belong to other clients and are left out.
const PARAMETERS: &[&str] = &[
    "user",
    "password",
    "dbname",
    "options",
    "sslmode",
    "host",
    "hostaddr",
    "port",
    "target_session_attrs",
    "channel_binding",
];

/// A PostgreSQL server as it is connected to.
pub(crate) struct PostgresAddress {
    pub(crate) config: postgres::Config,
    pub(crate) trust: Trust,
    pub(crate) shown: String,
}

/// Reads an address of PostgreSQL: a URL in the spelling of any client, or `host=… dbname=…` as libpq has it.
pub(crate) fn postgres(value: &str, patience: Duration) -> Result<PostgresAddress, AddressError> {
    let value = value.strip_prefix("jdbc:").unwrap_or(value);
    let mut parameters = Parameters::default();
    let text = if let Some((_, rest)) = value.split_once("://") {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let kept = parameters.kept(query.split('&'));
        Zeroizing::new(format!("postgresql://{rest}?{}", kept.join("&")))
    } else if value.contains('=') {
        Zeroizing::new(parameters.kept(value.split_whitespace()).join(" "))
    } else {
        return Err(AddressError::Unreadable);
    };
    let mut config: postgres::Config = text.parse().map_err(|_| AddressError::Unreadable)?;
    config.connect_timeout(patience);
    config.application_name("ringfence");
    let shown = shown_postgres(&config);
    Ok(PostgresAddress {
        config,
        trust: parameters.trust(),
        shown,
    })
}

/// `sslmode`, as far as certificates are concerned.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    #[default]
    Usual,
    Require,
    Authority,
    Full,
}

/// What parameters say of certificates.
#[derive(Default)]
struct Parameters {
    mode: Mode,
    roots: Option<PathBuf>,
}

impl Parameters {
    /// The parameters that are passed on, of `name=value` each.
    fn kept<'a>(&mut self, pairs: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let kept = pairs.filter_map(|pair| match pair.split_once('=')? {
            ("sslmode", "verify-full") => {
                self.mode = Mode::Full;
                Some("sslmode=require")
            }
            // With roots of its own, libpq takes one for the other.
            ("sslmode", "verify-ca" | "require") => {
                self.mode = match pair {
                    "sslmode=require" => Mode::Require,
                    _ => Mode::Authority,
                };
                Some("sslmode=require")
            }
            ("sslmode", "allow") => Some("sslmode=prefer"),
            ("ssl", "true") => Some("sslmode=require"),
            ("sslrootcert", path) => {
                self.roots = Some(PathBuf::from(path));
                None
            }
            (name, _) => PARAMETERS.contains(&name).then_some(pair),
        });
        kept.collect()
    }

    fn trust(self) -> Trust {
        let is_own = self.roots.is_some();
        let roots = self.roots.filter(|path| path != Path::new("system"));
        match self.mode {
            Mode::Full => Trust::Verified(roots),
            Mode::Authority => Trust::Authority(roots),
            Mode::Require if is_own => Trust::Authority(roots),
            Mode::Require | Mode::Usual => Trust::Anyone,
        }
    }
}

fn shown_postgres(config: &postgres::Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or("");
    format!("{host}:{port}/{database}")
}

impl PostgresAddress {
    pub(crate) fn is_encrypted(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Disable
    }
}

/// The file that a value names: `sqlite:///data/app.db`, `sqlite:data/app.db`, `file:data/app.db` or a path.
pub(crate) fn sqlite(value: &str, root: &Path) -> Result<PathBuf, AddressError> {
    let known = value
        .split_once(':')
        .filter(|(scheme, _)| scheme.starts_with("sqlite") || *scheme == "file");
    let path = match known {
        // In `sqlite:///data/app.db` the third slash only ends the empty authority; a fourth one begins the path.
        Some((scheme, rest)) => match rest.strip_prefix("//") {
            Some(rest) if scheme.starts_with("sqlite") => rest.strip_prefix('/').unwrap_or(rest),
            Some(rest) => rest,
            None => rest,
        },
        None => value,
    };
    let path = path.split(['?', '#']).next().unwrap_or(path);
    if path == ":memory:" || path.is_empty() {
        return Err(AddressError::InMemory);
    }
    Ok(root.join(path))
}

/// A Redis server as it is connected to.
pub(crate) struct RedisAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: Option<Zeroizing<String>>,
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) database: u32,
    pub(crate) is_tls: bool,
}

/// Reads a URL of Redis, as its IANA registration says: `redis://user:password@host:port/database`.
pub(crate) fn redis(value: &str) -> Result<RedisAddress, AddressError> {
    let unreadable = || AddressError::Unreadable;
    let (scheme, rest) = value.split_once("://").ok_or_else(unreadable)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, host) = match authority.rsplit_once('@') {
        Some((login, host)) => (Some(login), host),
        None => (None, authority),
    };
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => {
            (host, port.parse().map_err(|_| AddressError::Unreadable)?)
        }
        _ => (host, 6379),
    };
    let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
        Some((user, password)) => (
            (!user.is_empty()).then(|| decoded(user)),
            (!password.is_empty()).then(|| decoded(password)),
        ),
        None => (None, None),
    };
    let database = path.split(['?', '#']).next().unwrap_or("");
    Ok(RedisAddress {
        host: host.trim_matches(['[', ']']).to_owned(),
        port,
        user,
        password,
        database: if database.is_empty() {
            0
        } else {
            database.parse().map_err(|_| AddressError::Unreadable)?
        },
        is_tls: scheme.contains("rediss") || scheme.contains("valkeys"),
    })
}

impl RedisAddress {
    pub(crate) fn shown(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.database)
    }
}

/// Percent-decoding, as RFC 3986, section 2.1, has it; what is not well formed stays as it is.
fn decoded(text: &str) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| after.split_at_checked(2))
            .flatten()
            .and_then(|(digits, after)| {
                let digits = std::str::from_utf8(digits).ok()?;
                Some((u8::from_str_radix(digits, 16).ok()?, after))
            });
        let (byte, after) = escaped.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
}

/// Percent-encoding of a part of a path: all but RFC 3986's unreserved characters, as AWS's signatures want it, too.
pub(crate) fn encoded(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

/// The base of an HTTP resource without a login, which no message may show, and without a slash at its end.
pub(crate) fn http(value: &str) -> Result<String, AddressError> {
    let (scheme, rest) = value.split_once("://").ok_or(AddressError::Unreadable)?;
    let scheme = match scheme {
        "https" => "https",
        "http" | "qdrant" => "http",
        _ => return Err(AddressError::Unreadable),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if host.is_empty() {
        return Err(AddressError::Unreadable);
    }
    let base = format!("{scheme}://{host}/{path}");
    Ok(base.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: &str) {
        let target = Target {
            name: String::new(),
            kind: Kind::of_value(value).unwrap_or(Kind::Sqlite),
            value: Zeroizing::new(value.to_owned()),
            key: None,
            root: "/srv/app".into(),
            settings: Vec::new(),
        };
        assert_eq!(shown(&target).unwrap(), expected, "{value}");
    }

    #[test]
    fn addresses_are_shown_without_what_is_secret() {
        check("postgres://app:hunter2@db/app", "db:5432/app");
        check(
            "postgresql+asyncpg://app:hunter2@db:6000/app?schema=x&sslmode=verify-full",
            "db:6000/app",
        );
        check("jdbc:postgresql://db.internal/app", "db.internal:5432/app");
        check("redis://:hunter2@[::1]:6380/2", "::1:6380/2");
        check("valkey://cache", "cache:6379/0");
        check(
            "https://u:p@api.example.com/v1/?k=x",
            "https://api.example.com/v1",
        );
        check("sqlite:///data/app.db", "/srv/app/data/app.db");
        check("sqlite:////var/app.db", "/var/app.db");
        check("file:data/app.db?mode=ro", "/srv/app/data/app.db");
        check("data/app.db", "/srv/app/data/app.db");
    }

    #[test]
    fn trust_is_what_the_url_says() {
        let trust = |value: &str| postgres(value, Duration::from_secs(1)).unwrap().trust;
        assert_eq!(trust("postgres://h/d?sslmode=require"), Trust::Anyone);
        assert_eq!(
            trust("postgres://h/d?sslrootcert=/ca.pem&sslmode=require"),
            Trust::Authority(Some("/ca.pem".into()))
        );
        assert_eq!(
            trust("postgres://h/d?sslmode=verify-ca"),
            Trust::Authority(None)
        );
        assert_eq!(
            trust("postgres://h/d?sslmode=verify-full&sslrootcert=/ca.pem"),
            Trust::Verified(Some("/ca.pem".into()))
        );
        let words =
            "host=db dbname=app user=u password=hunter2 sslmode=verify-full connect_timeout=3";
        let address = postgres(words, Duration::from_secs(1)).unwrap();
        assert_eq!(address.trust, Trust::Verified(None));
        assert_eq!(address.shown, "db:5432/app");
        assert!(postgres("hunter2", Duration::from_secs(1)).is_err());
    }

    #[test]
    fn passwords_are_decoded() {
        let address = redis("redis://ana:p%40ss%2@h").unwrap();
        assert_eq!(*address.password.unwrap(), "p@ss%2");
        assert_eq!(*address.user.unwrap(), "ana");
    }
}
