//! Requests that are passed on as they are, with the key put in: other APIs, and paths that are not read.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, COOKIE, HOST, HeaderMap,
    HeaderName, HeaderValue, LOCATION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;

use super::account::{Account, LABELS};
use super::body::ScrubbedBody;
use super::connection::Asking;
use super::relay::{answered, is_rate_limit};
use super::route::TOKEN_HEADERS;
use crate::answer::{Body, BodyError, Refusal, Retry};
use crate::config::{Kind, Resource, Upstream};
use crate::limit::Cost;
use crate::llm::usage::estimate;
use crate::upstream::Call;

/// Response headers that are passed on, in the order of their letters: what describes a body, caches it, pages through it or asks for patience.
const PASSED: &[&str] = &[
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "content-disposition",
    "content-language",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "deprecation",
    "etag",
    "expires",
    "last-modified",
    "link",
    "location",
    "ratelimit",
    "ratelimit-limit",
    "ratelimit-policy",
    "ratelimit-remaining",
    "ratelimit-reset",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "sunset",
    "vary",
    "warning",
    "x-should-retry",
    "x-total-count",
];

pub(super) async fn answer(
    mut account: Account,
    request: Request<Asking>,
    path: &str,
) -> Response<Body> {
    let length = http_body::Body::size_hint(request.body())
        .exact()
        .unwrap_or(0);
    let cost = Cost {
        tokens: estimate(usize::try_from(length).unwrap_or(usize::MAX)),
        money: 0,
    };
    if let Err(refusal) = account.take("", cost).await {
        return account.refuse(&refusal);
    }
    let (head, body) = request.into_parts();
    let Some(resource) = account.resource() else {
        return Refusal::upstream("unknown_path", "the resource is gone").response();
    };
    let call = Call {
        method: head.method,
        path,
        query: head.uri.query(),
        headers: request_headers(&head.headers, resource),
        body: body.map_err(|_| BodyError::Broken).boxed_unsync(),
    };
    let gateway = std::sync::Arc::clone(&account.gateway);
    let answer = gateway
        .upstreams
        .send(&account.clients, resource, call)
        .await;
    account.line.attempts = 1;
    match answer {
        Ok(response) => passed(account, response),
        Err(error) => account.refuse(&error.refusal()),
    }
}

/// The upstream's answer without the key, and without what is not allowed.
fn passed(account: Account, response: Response<Body>) -> Response<Body> {
    let (head, body) = response.into_parts();
    let Some(resource) = account.resource() else {
        return Refusal::upstream("unknown_path", "the resource is gone").response();
    };
    let encoding = head.headers.get(CONTENT_ENCODING);
    if resource.key.is_some() && encoding.is_some_and(|encoding| encoding != "identity") {
        let message = "the upstream's answer is compressed though nobody asked for it, and cannot be looked through for the key";
        return account.refuse(&Refusal::upstream("upstream_compressed", message));
    }
    let mut headers = answer_headers(&head.headers, resource);
    if let Some(location) = headers.get(LOCATION) {
        match local(location, resource) {
            Some(location) => {
                headers.insert(LOCATION, location);
            }
            None => {
                let message = format!(
                    "`{}` redirects to another host; its key goes to no other",
                    resource.name
                );
                let refusal = Refusal {
                    retry: Retry::Never,
                    ..Refusal::upstream("foreign_redirect", message)
                };
                return account.refuse(&refusal);
            }
        }
    }
    let silence = resource.timeout;
    account.label(&mut headers);
    let body = ScrubbedBody::new(body, silence, account, head.status);
    answered(head.status, headers, body.boxed_unsync())
}

/// Where a redirect leads within the gateway; `None` where it leads elsewhere.
fn local(location: &HeaderValue, resource: &Resource) -> Option<HeaderValue> {
    let uri: Uri = location.to_str().ok()?.parse().ok()?;
    let Upstream::Server(address) = &resource.upstream else {
        return None;
    };
    if uri.authority().is_some() && !address.is_same_server(&uri) {
        return None;
    }
    let path = uri.path_and_query()?.as_str();
    let below = path
        .strip_prefix(address.path())
        .filter(|below| below.starts_with('/'))?;
    HeaderValue::from_str(&format!("/{}{below}", resource.name)).ok()
}

/// A caller's headers without those of the connection, its credentials and its cookies.
pub(super) fn request_headers(headers: &HeaderMap, resource: &Resource) -> HeaderMap {
    static DROPPED: [HeaderName; 13] = [
        AUTHORIZATION,
        CONNECTION,
        CONTENT_LENGTH,
        COOKIE,
        HOST,
        HeaderName::from_static("keep-alive"),
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("expect"),
    ];
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let own = resource.key.as_ref().map(crate::key::InjectedKey::header);
    let is_kept = |name: &HeaderName| {
        !DROPPED.contains(name)
            && !TOKEN_HEADERS.contains(name)
            && own != Some(name)
            && !named.iter().any(|dropped| dropped == name.as_str())
    };
    let kept = headers.iter().filter(|(name, _)| is_kept(name));
    copied(kept, headers.len() + ADDED)
}

/// Headers that are put into a request on its way.
const ADDED: usize = 3;

/// A map that does not grow while it is filled.
fn copied<'a>(
    headers: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    most: usize,
) -> HeaderMap {
    let mut copy = HeaderMap::with_capacity(most);
    copy.extend(headers.map(|(name, value)| (name.clone(), value.clone())));
    copy
}

/// An upstream's headers, as far as they are allowed and the key is not in them.
pub(super) fn answer_headers(headers: &HeaderMap, resource: &Resource) -> HeaderMap {
    let own: &[HeaderName] = match &resource.kind {
        Kind::Http { headers } => headers,
        Kind::OpenAi { .. } => &[],
    };
    let is_openai = matches!(resource.kind, Kind::OpenAi { .. });
    let has_limits = !resource.limits.all().all(Vec::is_empty);
    let is_allowed = |name: &HeaderName| {
        PASSED.binary_search(&name.as_str()).is_ok()
            || own.contains(name)
            || is_openai
                && (name.as_str().starts_with("openai-") || is_rate_limit(name) && !has_limits)
    };
    let kept = headers
        .iter()
        .filter(|(name, value)| is_allowed(name) && !resource.scrubber.finds(value.as_bytes()));
    let mut allowed = copied(kept, headers.len() + LABELS);
    if let Some(id) = headers
        .get("x-request-id")
        .filter(|id| !resource.scrubber.finds(id.as_bytes()))
    {
        allowed.insert(HeaderName::from_static("x-upstream-request-id"), id.clone());
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_that_are_passed_can_be_searched() {
        assert!(PASSED.is_sorted());
    }
}
