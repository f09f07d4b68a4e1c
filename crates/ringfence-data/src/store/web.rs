//! What is asked over HTTP: a reserved path of any resource. It has no place for a mark that would not travel.

use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::{Store, StoreError};
use crate::address::{self, Target};
use crate::marker::{Found, Marker};
use crate::tls;

/// Where any HTTP resource says whose it is.
const PATH: &str = "/.well-known/ringfence";

/// The longest answer that is read.
const MOST: u64 = 1 << 16;

/// A resource that serves a reserved path.
pub(super) struct Http {
    agent: Agent,
    base: String,
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
        Found::without_place(marker, &self.base)
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
        let marker = marker.without_place();
        let text = serde_json::to_string(&marker)
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        Err(StoreError::NotWritable(format!(
            "let it serve this text at `{PATH}`: {text}"
        )))
    }
}
