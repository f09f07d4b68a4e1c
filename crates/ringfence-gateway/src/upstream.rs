//! Calls to upstreams: connections, time limits, retries within a budget, a breaker for each address.

mod breaker;
mod budget;
mod mock;

use std::sync::OnceLock;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, HOST, HeaderMap, HeaderValue};
use http::{Method, Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use crate::answer::{Body, BodyError, Refusal};
use crate::config::{Address, Resource, Upstream};
use breaker::Breakers;
use budget::Budget;

type Connections<C> = Client<C, Body>;

/// What is known of all upstreams; it outlives a reload.
#[derive(Default)]
pub(crate) struct Upstreams {
    breakers: Breakers,
    retries: Budget,
}

/// Connections of one thread: a call that woke another thread's connection would cost more than the call.
pub(crate) struct Clients {
    plain: Connections<HttpConnector>,
    /// Speaks HTTP/2 where the upstream offers it while TLS begins (ALPN, RFC 7301).
    /// Made when the first upstream needs it: reading the system's roots takes longer than all the rest of a start.
    tls: OnceLock<Option<Connections<HttpsConnector<HttpConnector>>>>,
}

/// A request to an upstream.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// Below the upstream's base.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("`{0}` cannot be reached: {1}")]
    Unreachable(String, String),
    #[error("`{0}` did not answer within {1:?}")]
    Late(String, Duration),
    #[error("`{0}` broke off before it answered")]
    Broken(String),
    #[error("`{0}` has failed several times in a row and is left alone for some seconds")]
    Resting(String),
    #[error("the system's certificates cannot be read, so that `{0}` cannot be verified")]
    NoRoots(String),
    #[error("{0}")]
    Closed(String),
    #[error("the path cannot stand below `{0}`")]
    Path(String),
}

impl CallError {
    /// The error as the caller reads it.
    pub(crate) fn refusal(&self) -> Refusal {
        let (code, status) = match self {
            Self::Late(..) => ("upstream_timeout", http::StatusCode::GATEWAY_TIMEOUT),
            Self::Resting(_) => (
                "upstream_unavailable",
                http::StatusCode::SERVICE_UNAVAILABLE,
            ),
            Self::Path(_) => return Refusal::invalid("invalid_path", self.to_string()),
            Self::Closed(_) => {
                let refusal = Refusal::invalid("resource_closed", self.to_string());
                return refusal.status(http::StatusCode::FORBIDDEN);
            }
            _ => ("upstream_unreachable", http::StatusCode::BAD_GATEWAY),
        };
        Refusal::upstream(code, self.to_string()).status(status)
    }

    /// Whether another upstream could do better.
    pub(crate) const fn is_of_the_upstream(&self) -> bool {
        !matches!(self, Self::Path(_))
    }
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            plain: client(connector()),
            tls: OnceLock::new(),
        }
    }
}

impl Upstreams {
    /// Counts a request that is not a retry; each earns a part of one.
    pub(crate) fn earn_retry(&self) {
        self.retries.earn();
    }

    /// Whether one more retry is within the budget.
    pub(crate) fn may_retry(&self) -> bool {
        self.retries.spend()
    }

    /// Each address that was called, its failures in a row, and how long it is still left alone.
    pub(crate) fn states(&self) -> Vec<(String, u32, Duration)> {
        self.breakers.states()
    }

    /// Sends a call with the resource's key. The answer's head has come when this returns.
    pub(crate) async fn send(
        &self,
        clients: &Clients,
        resource: &Resource,
        mut call: Call<'_>,
    ) -> Result<Response<Body>, CallError> {
        match &resource.upstream {
            Upstream::Mock(script) => Ok(Box::pin(mock::answer(script, call)).await),
            Upstream::Closed(why) => Err(CallError::Closed(why.clone())),
            Upstream::Server(address) => {
                if let Some(key) = &resource.key {
                    key.put_into(&mut call.headers);
                }
                // What is compressed could not be looked through for the key.
                call.headers
                    .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
                self.send_to(clients, address, resource.timeout, call).await
            }
        }
    }

    async fn send_to(
        &self,
        clients: &Clients,
        address: &Address,
        most: Duration,
        call: Call<'_>,
    ) -> Result<Response<Body>, CallError> {
        let name = || address.to_string();
        let uri = address
            .uri(call.path, call.query)
            .ok_or_else(|| CallError::Path(name()))?;
        let probe = self.breakers.enter(address.authority().as_str());
        let probe = probe.ok_or_else(|| CallError::Resting(name()))?;
        let request = request(uri, call);
        let answer = if address.is_tls() {
            let tls = clients.tls.get_or_init(tls_client).as_ref();
            let tls = tls.ok_or_else(|| CallError::NoRoots(name()))?;
            timeout(most, tls.request(request)).await
        } else {
            timeout(most, clients.plain.request(request)).await
        };
        let answer = match answer {
            Err(_) => Err(CallError::Late(name(), most)),
            Ok(Err(error)) => Err(why(&error, name())),
            Ok(Ok(response)) => Ok(response),
        };
        let is_well = answer
            .as_ref()
            .is_ok_and(|response| !response.status().is_server_error());
        probe.leave(is_well);
        let response = answer?;
        Ok(response.map(|body| body.map_err(|_| BodyError::Broken).boxed_unsync()))
    }
}

/// Sends a request that is none of a program's, and says why there is no answer.
pub(crate) async fn look(
    clients: &Clients,
    address: &Address,
    request: Request<Body>,
) -> Result<Response<Incoming>, String> {
    let answer = if address.is_tls() {
        let tls = clients.tls.get_or_init(tls_client).as_ref();
        let tls = tls.ok_or("the system's certificates cannot be read")?;
        tls.request(request).await
    } else {
        clients.plain.request(request).await
    };
    answer.map_err(|error| cause(&error))
}

fn why(error: &ClientError, name: String) -> CallError {
    if !error.is_connect() {
        return CallError::Broken(name);
    }
    CallError::Unreachable(name, cause(error))
}

/// The innermost cause is the one that says something: refused, unknown host, certificate.
fn cause(error: &ClientError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn request(uri: Uri, call: Call<'_>) -> Request<Body> {
    let mut request = Request::new(call.body);
    *request.method_mut() = call.method;
    *request.uri_mut() = uri;
    *request.headers_mut() = call.headers;
    request.headers_mut().remove(HOST);
    request
}

fn connector() -> HttpConnector {
    const CONNECT: Duration = Duration::from_secs(5);
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    connector.enforce_http(false);
    connector
}

fn client<C>(connector: C) -> Connections<C>
where
    C: hyper_util::client::legacy::connect::Connect + Clone,
{
    const IDLE: Duration = Duration::from_secs(30);
    /// A connection of HTTP/2 carries many calls, so that one which has died unseen is found out.
    const ANSWER: Duration = Duration::from_secs(10);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .timer(TokioTimer::new())
        .http2_keep_alive_interval(IDLE)
        .http2_keep_alive_timeout(ANSWER)
        .build(connector)
}

fn tls_client() -> Option<Connections<HttpsConnector<HttpConnector>>> {
    let provider = rustls::crypto::ring::default_provider();
    let tls = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)
        .ok()?;
    Some(client(
        tls.https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(connector()),
    ))
}
