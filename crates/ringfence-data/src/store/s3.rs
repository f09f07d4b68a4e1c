//! S3 and what speaks its interface: a reserved object below the prefix that the address names. There is no place for a mark that would
//! not travel with a copy of the bucket.
//!
//! Two requests are made, `GetObject` and `PutObject`, signed by [`signature`]. The crates that sign for AWS bring more packages along
//! than the rest of this one has, so that its algorithm stands here, against the vectors that AWS publishes.

mod signature;

use std::time::{Duration, SystemTime};

use ureq::{Agent, RequestBuilder};
use zeroize::Zeroizing;

use super::web::agent;
use super::{Store, StoreError};
use crate::address::{self, S3Address, Target};
use crate::marker::{Found, Marker};
use signature::{Headers, Request};

/// The reserved object.
const OBJECT: &str = "ringfence-marker.json";

/// The longest answer that is read.
const MOST: u64 = 1 << 16;

/// A bucket, or what of it begins with a prefix.
pub(super) struct S3 {
    agent: Agent,
    address: S3Address,
}

impl S3 {
    pub(super) fn open(target: &Target, patience: Duration) -> Result<Self, StoreError> {
        Ok(Self {
            address: address::s3(target)?,
            agent: agent(patience)?,
        })
    }

    /// What signs a request for the reserved object, and its URL.
    fn signed(&self, method: &str, body: &[u8]) -> Result<(String, Headers), StoreError> {
        let login = self.address.login.as_ref().ok_or(StoreError::Unsigned)?;
        let (base, host, path) = self.address.object(OBJECT);
        let request = Request {
            method,
            host: &host,
            path: &path,
            query: "",
            headers: &[],
            body,
        };
        let signed = request.signed(login, &self.address.region, SystemTime::now());
        Ok((format!("{base}{path}"), signed))
    }
}

fn with<B>(request: RequestBuilder<B>, headers: Headers) -> RequestBuilder<B> {
    let add = |request: RequestBuilder<B>, (name, value): (String, Zeroizing<String>)| {
        request.header(name, value.as_str())
    };
    headers.into_iter().fold(request, add)
}

/// What was answered: nothing where there is no such object.
fn answered(
    result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Option<String>, StoreError> {
    let mut response = result.map_err(|error| StoreError::Unreachable(error.to_string()))?;
    let status = response.status();
    let body = response.body_mut().with_config().limit(MOST);
    let text = body
        .read_to_string()
        .map_err(|error| StoreError::Unreadable(error.to_string()))?;
    if status.is_success() {
        return Ok(Some(text));
    }
    let code = code(&text);
    if status == 404 && matches!(code, Some("NoSuchKey")) {
        return Ok(None);
    }
    let code = code.map_or_else(String::new, |code| format!(", {code}"));
    let more = match (status.as_u16(), code.as_str()) {
        (
            301 | 307 | 400,
            ", PermanentRedirect" | ", TemporaryRedirect" | ", AuthorizationHeaderMalformed",
        ) => "; `AWS_REGION` is to name the bucket's own region",
        // Who may not list a bucket is not told that an object is missing.
        (403, ", AccessDenied") => {
            "; its role needs `s3:GetObject` and `s3:ListBucket`, and `s3:PutObject` to mark it"
        }
        (403, ", RequestTimeTooSkewed") => "; this machine's clock is wrong",
        _ => "",
    };
    Err(StoreError::Refused(format!(
        "HTTP status {status}{code}{more}"
    )))
}

/// The code of an error as S3 describes it in XML; letters alone.
fn code(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then_some(code)
}

impl Store for S3 {
    fn read(&mut self) -> Result<Found, StoreError> {
        let (url, headers) = self.signed("GET", b"")?;
        let text = answered(with(self.agent.get(url), headers).call())?;
        let unreadable = |error: serde_json::Error| StoreError::Unreadable(error.to_string());
        let marker = text.map(|text| serde_json::from_str(&text)).transpose();
        let marker = marker.map_err(unreadable)?;
        Ok(Found::without_place(marker, self.address.shown()))
    }

    fn mark(&mut self, marker: &Marker) -> Result<(), StoreError> {
        let marker = marker.without_place();
        let text = serde_json::to_string(&marker)
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let (url, headers) = self.signed("PUT", text.as_bytes())?;
        let request = with(self.agent.put(url), headers).header("content-type", "application/json");
        match answered(request.send(&text))? {
            Some(_) => Ok(()),
            None => Err(StoreError::Refused("there is no such bucket".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_letters_alone() {
        let said = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><BucketName>b</BucketName></Error>";
        assert_eq!(code(said), Some("NoSuchBucket"));
        assert_eq!(code("<Code>\u{1b}[31m</Code>"), None);
        assert_eq!(code("<html>"), None);
    }
}
