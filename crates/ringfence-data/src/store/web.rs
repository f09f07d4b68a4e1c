//! What is asked over HTTP: a reserved path of any resource, and a reserved collection of Qdrant.
//!
//! Neither has a place for a mark that would not travel. Qdrant's requests are those of its documented REST interface
//! (<https://api.qdrant.tech/api-reference>): collections, points, payloads.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, RequestBuilder};
use zeroize::Zeroizing;

use super::{Store, StoreError};
use crate::address::{self, Target};
use crate::marker::{Found, Marker, Place};
use crate::tls;

/// Where any HTTP resource says whose it is.
const PATH: &str = "/.well-known/ringfence";

/// The reserved collection.
const COLLECTION: &str = "/collections/ringfence_marker";

/// The longest answer that is read.
const MOST: u64 = 1 << 16;

/// A resource that serves a reserved path.
pub(super) struct Http {
    agent: Agent,
    base: String,
}

/// A Qdrant server.
pub(super) struct Qdrant {
    http: Http,
    key: Option<Zeroizing<String>>,
}

impl Http {
    pub(super) fn open(target: &Target, patience: Duration) -> Result<Self, StoreError> {
        let base = address::http(&target.value)?;
        Ok(Self {
            agent: agent(patience)?,
            base,
        })
    }

    fn found(&self, marker: Option<Marker>) -> Found {
        Found {
            marker,
            place: Place::NotKept,
            address: self.base.clone(),
            ..Found::default()
        }
    }
}

/// A client that trusts whom the system does, follows nobody elsewhere, and goes through no proxy.
pub(crate) fn agent(patience: Duration) -> Result<Agent, StoreError> {
    let roots = tls::certificates(None)?;
    let roots = roots.iter().map(|root| Certificate::from_der(root));
    let roots: Vec<Certificate<'static>> = roots.map(|root| root.to_owned()).collect();
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(tls::provider())
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .build();
    let config = Agent::config_builder()
        .timeout_global(Some(patience))
        .max_redirects(0)
        .http_status_as_error(false)
        .proxy(None)
        .tls_config(tls)
        .build();
    Ok(config.into())
}

/// What was answered: nothing for 404.
pub(crate) fn answer(
    result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    most: u64,
) -> Result<Option<String>, StoreError> {
    let mut response = result.map_err(|error| StoreError::Unreachable(error.to_string()))?;
    let status = response.status();
    if status == 404 {
        return Ok(None);
    }
    if !status.is_success() {
        return Err(StoreError::Refused(format!("HTTP status {status}")));
    }
    let body = response.body_mut().with_config().limit(most);
    let text = body
        .read_to_string()
        .map_err(|error| StoreError::Unreadable(error.to_string()))?;
    Ok(Some(text))
}

fn parsed(text: &str) -> Result<Marker, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable(error.to_string()))
}

impl Store for Http {
    fn read(&mut self) -> Result<Found, StoreError> {
        let text = answer(self.agent.get(format!("{}{PATH}", self.base)).call(), MOST)?;
        let marker = text.as_deref().map(parsed).transpose()?;
        Ok(self.found(marker))
    }

    fn mark(&mut self, marker: &Marker) -> Result<(), StoreError> {
        let marker = Marker {
            cluster: String::new(),
            database: String::new(),
            ..marker.clone()
        };
        let text = serde_json::to_string(&marker)
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        Err(StoreError::NotWritable(format!(
            "let it serve this text at `{PATH}`: {text}"
        )))
    }
}

impl Qdrant {
    pub(super) fn open(target: &Target, patience: Duration) -> Result<Self, StoreError> {
        Ok(Self {
            http: Http::open(target, patience)?,
            key: target.key.clone(),
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{COLLECTION}{path}", self.http.base)
    }

    fn authorized<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.key {
            Some(key) => request.header("api-key", key.as_str()),
            None => request,
        }
    }

    fn put(&self, path: &str, body: &Value) -> Result<(), StoreError> {
        let request = self.authorized(self.http.agent.put(self.url(path)));
        let sent = request
            .header("content-type", "application/json")
            .send(body.to_string());
        match answer(sent, MOST)? {
            Some(_) => Ok(()),
            None => Err(StoreError::Refused("there is no such collection".into())),
        }
    }
}

impl Store for Qdrant {
    fn read(&mut self) -> Result<Found, StoreError> {
        let request = self.authorized(self.http.agent.get(self.url("/points/1")));
        let marker = match answer(request.call(), MOST)? {
            Some(text) => {
                let reply: Value = serde_json::from_str(&text)
                    .map_err(|error| StoreError::Unreadable(error.to_string()))?;
                let payload = reply.pointer("/result/payload").cloned();
                let payload = payload.ok_or_else(|| {
                    StoreError::Unreadable("the reserved point has no payload".into())
                })?;
                Some(
                    serde_json::from_value(payload)
                        .map_err(|error| StoreError::Unreadable(error.to_string()))?,
                )
            }
            None => None,
        };
        Ok(self.http.found(marker))
    }

    fn mark(&mut self, marker: &Marker) -> Result<(), StoreError> {
        let request = self.authorized(self.http.agent.get(self.url("")));
        if answer(request.call(), MOST)?.is_none() {
            self.put("", &json!({ "vectors": { "size": 1, "distance": "Dot" } }))?;
        }
        let marker = Marker {
            cluster: String::new(),
            database: String::new(),
            ..marker.clone()
        };
        let point = json!({ "points": [{ "id": 1, "vector": [1.0], "payload": marker }] });
        self.put("/points?wait=true", &point)
    }
}
