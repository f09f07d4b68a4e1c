//! As much of Redis' protocol (RESP2, redis.io/docs/latest/develop/reference/protocol-spec) as two scripts need, in the clear or over TLS.
//!
//! The crate for it would bring some twenty others, and a licence that is not ours, for four kinds of reply.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::super::Claim;
use super::reply::{self, Reply};
use super::script::Script;
use super::tls::{Tls, Trust};

/// Where a server is, and who one is there.
pub struct Server {
    address: String,
    user: Option<String>,
    password: Option<Zeroizing<String>>,
    database: u32,
    trust: Option<Trust>,
}

/// Why a value is no address of a server. It says nothing of the value, which holds a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not of the form redis[s]://[[USER]:PASSWORD@]HOST[:PORT][/NUMBER][?ssl_ca_certs=FILE]"
)]
pub struct ServerError;

impl Server {
    /// Reads a `redis://` URL, or a `rediss://` one, which is spoken to over TLS: `ssl_ca_certs`, as Redis' clients for Python have it,
    /// names a file with the roots of trust.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(value: &str) -> Result<Self, ServerError> {
        let (scheme, rest) = value.split_once("://").ok_or(ServerError)?;
        let is_tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return Err(ServerError),
        };
        let (rest, roots) = roots(rest, is_tls)?;
        let (login, place) = rest
            .rsplit_once('@')
            .map_or((None, rest), |(login, place)| (Some(login), place));
        let (address, database) = place.split_once('/').unwrap_or((place, ""));
        let database = if database.is_empty() {
            0
        } else {
            database.parse().map_err(|_| ServerError)?
        };
        if address.is_empty() || address.contains(['/', '?', '#', ' ']) {
            return Err(ServerError);
        }
        let has_port = address
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address = if has_port {
            address.to_owned()
        } else {
            format!("{address}:6379")
        };
        let host = name(&address)?;
        let (user, password) = match login
            .map(|login| login.split_once(':').ok_or(ServerError))
            .transpose()?
        {
            Some((user, password)) => (
                Some(decoded(user)?).filter(|user| !user.is_empty()),
                Some(decoded(password)?),
            ),
            None => (None, None),
        };
        Ok(Self {
            address,
            user,
            password: password.map(Zeroizing::new),
            database,
            trust: is_tls.then_some(Trust { host, roots }),
        })
    }
}

/// What stands before the query, and the file that it names.
fn roots(rest: &str, is_tls: bool) -> Result<(&str, Option<PathBuf>), ServerError> {
    let Some((rest, query)) = rest.rsplit_once("?ssl_ca_certs=") else {
        return Ok((rest, None));
    };
    let file = decoded(query)?;
    let is_file = is_tls && !file.is_empty() && !query.contains('&');
    is_file
        .then(|| (rest, Some(file.into())))
        .ok_or(ServerError)
}

/// The name that a certificate has to carry.
fn name(address: &str) -> Result<ServerName<'static>, ServerError> {
    let (host, _) = address.rsplit_once(':').ok_or(ServerError)?;
    let host = host.trim_matches(['[', ']']).to_owned();
    ServerName::try_from(host).map_err(|_| ServerError)
}

/// Percent-encoding taken away (RFC 3986, section 2.1).
fn decoded(text: &str) -> Result<String, ServerError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [
            rest.next().ok_or(ServerError)?,
            rest.next().ok_or(ServerError)?,
        ];
        let digits = std::str::from_utf8(&digits).map_err(|_| ServerError)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| ServerError)?);
    }
    String::from_utf8(bytes).map_err(|_| ServerError)
}

/// Bytes both ways, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Connection = BufReader<Box<dyn Stream>>;

/// Connections to the server, as many as are used at once.
pub(super) struct Wire {
    server: Server,
    tls: Option<Tls>,
    idle: Mutex<Vec<Connection>>,
}

/// How long a call may take before the server counts as lost.
const PATIENCE: Duration = Duration::from_millis(500);
/// Connections that are kept.
const KEPT: usize = 32;

impl Wire {
    /// Reads the roots of trust, where they are needed.
    pub(super) fn new(server: Server) -> io::Result<Self> {
        Ok(Self {
            tls: server.trust.as_ref().map(Tls::new).transpose()?,
            server,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Closes what is idle.
    pub(super) fn forget(&self) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// A script over the buckets of claims.
    pub(super) async fn evaluate(
        &self,
        script: &Script,
        claims: &[Claim],
        arguments: &[String],
    ) -> io::Result<Reply> {
        let count = claims.len().to_string();
        let keys = claims.iter().map(|claim| claim.key.as_str());
        let rest: Vec<&str> = [count.as_str()]
            .into_iter()
            .chain(keys)
            .chain(arguments.iter().map(String::as_str))
            .collect();
        if let Some(digest) = script.digest.get() {
            let reply = self
                .call(&[&["EVALSHA", digest], rest.as_slice()].concat())
                .await;
            // After a restart the server has forgotten it.
            let is_forgotten = reply
                .as_ref()
                .is_err_and(|error| error.to_string() == "NOSCRIPT");
            if !is_forgotten {
                return reply;
            }
        } else if let Reply::Text(digest) = self.call(&["SCRIPT", "LOAD", &script.text]).await? {
            // Somebody else may have been first.
            let _ = script.digest.set(digest);
        }
        self.call(&[&["EVAL", script.text.as_str()], rest.as_slice()].concat())
            .await
    }

    pub(super) async fn call(&self, words: &[&str]) -> io::Result<Reply> {
        timeout(PATIENCE, self.called(words))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn called(&self, words: &[&str]) -> io::Result<Reply> {
        let kept = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let reply = ask(&mut connection, words).await?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(connection);
        }
        Ok(reply)
    }

    async fn connect(&self) -> io::Result<Connection> {
        let server = &self.server;
        let stream = TcpStream::connect(&server.address).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &self.tls {
            Some(tls) => Box::new(tls.over(stream).await?),
            None => Box::new(stream),
        };
        let mut connection = BufReader::new(stream);
        if let Some(password) = &server.password {
            let user = server.user.as_deref().into_iter();
            let words: Vec<&str> = ["AUTH"]
                .into_iter()
                .chain(user)
                .chain([password.as_str()])
                .collect();
            ask(&mut connection, &words).await?;
        }
        if server.database > 0 {
            ask(&mut connection, &["SELECT", &server.database.to_string()]).await?;
        }
        Ok(connection)
    }
}

async fn ask(connection: &mut Connection, words: &[&str]) -> io::Result<Reply> {
    let mut request = Zeroizing::new(format!("*{}\r\n", words.len()));
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    connection.write_all(request.as_bytes()).await?;
    // What is encrypted may wait in a buffer.
    connection.flush().await?;
    reply::read(connection).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_errors_hold_no_password() {
        let read = |value| {
            let server = Server::parse(value).unwrap();
            let password = server.password.map(|password| password.to_string());
            (server.address, server.user, password, server.database)
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            read("redis://cache"),
            ("cache:6379".to_owned(), None, None, 0)
        );
        assert_eq!(
            read("redis://:p%40ss@[::1]:7000/3"),
            ("[::1]:7000".to_owned(), None, text("p@ss"), 3)
        );
        assert_eq!(
            read("redis://me:a:b@c:1/"),
            ("c:1".to_owned(), text("me"), text("a:b"), 0)
        );
        let trust = |value| Server::parse(value).unwrap().trust;
        assert_eq!(trust("redis://cache"), None);
        assert_eq!(trust("valkey://cache"), None);
        let over_tls = |host: &str, roots: Option<&str>| {
            Some(Trust {
                host: ServerName::try_from(host.to_owned()).unwrap(),
                roots: roots.map(PathBuf::from),
            })
        };
        assert_eq!(trust("rediss://:a@cache:1/2"), over_tls("cache", None));
        assert_eq!(trust("valkeys://[::1]"), over_tls("::1", None));
        let file = "rediss://u:p@10.0.0.1/0?ssl_ca_certs=/etc/a%20b.pem";
        assert_eq!(trust(file), over_tls("10.0.0.1", Some("/etc/a b.pem")));
        for bad in [
            "",
            "redis://",
            "rediss://hunter2@x",
            "redis://x?ssl_ca_certs=/a",
            "rediss://x?ssl_ca_certs=",
            "rediss://x?ssl_cert_reqs=none",
            "rediss://x?ssl_ca_certs=/a&b=c",
            "rediss://a b",
            "redis://hunter2@x",
            "redis://x/y",
            "redis://:%4@x",
            "http://x",
        ] {
            let error = Server::parse(bad).err().map(|error| error.to_string());
            assert!(
                error.is_some_and(|error| !error.contains("hunter2")),
                "{bad}"
            );
        }
    }
}
