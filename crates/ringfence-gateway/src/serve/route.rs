//! From a path to a resource, and from a token to a caller.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use ringfence_flag::ofrep;

use super::account::Account;
use super::connection::Asking;
use super::page::Page;
use super::path::has_dots;
use super::{Gateway, Worker, flags, forward, relay, status};
use crate::answer::{Body, BodyError, Refusal, whole};
use crate::caller::{PREFIX, TokenError};
use crate::config::{Config, Kind, Resource};
use crate::key::InjectedKey;
use crate::record::Line;
use crate::record::metrics::State;

/// An answer on its way.
pub(super) type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, BodyError>> + Send>>;

/// Headers that may hold a caller's token besides `Authorization`.
pub(super) static TOKEN_HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
];

pub(super) fn answer(worker: Arc<Worker>, request: Request<Asking>) -> Answering {
    let config = worker.gateway.snapshot();
    // Few are asked for by a page, and none of the rest is to be larger for it.
    let Some(page) = Page::of(&config, &request) else {
        return Box::pin(routed(worker, config, request));
    };
    Box::pin(async move {
        let mut response = match page.preflight(&request) {
            Some(response) => response,
            None => routed(worker, config, request).await?,
        };
        page.label(&mut response);
        Ok(response)
    })
}

/// What a path means.
enum Route<'a> {
    Health,
    Metrics,
    Status,
    Flags,
    /// The resource's place in the configuration, and the path below it.
    Resource(usize, &'a str),
}

async fn routed(
    worker: Arc<Worker>,
    config: Arc<Config>,
    request: Request<Asking>,
) -> Result<Response<Body>, BodyError> {
    let gateway = &worker.gateway;
    let uri = request.uri().clone();
    // One asks for a tunnel, the other for a copy of the request, key and all.
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        let why = "the gateway makes neither tunnels nor traces";
        let refusal = Refusal::invalid("method_not_allowed", why);
        return Ok(refusal.status(StatusCode::METHOD_NOT_ALLOWED).response());
    }
    let route = match route(&config, uri.path()) {
        Ok(route) => route,
        Err(refusal) => return Ok(refusal.response()),
    };
    if matches!(route, Route::Health) {
        return Ok(Response::new(whole("ok\n")));
    }
    let resource = match &route {
        Route::Resource(index, _) => config.resources.get(*index),
        _ => None,
    };
    let caller = match flags::listener(&config, &request) {
        Some(caller) => Ok(caller),
        None => caller(&config, request.headers(), resource),
    };
    let caller = match caller {
        Ok(caller) => caller,
        Err(refusal) => return Ok(refusal.response()),
    };
    Ok(match route {
        Route::Health => Response::new(whole("ok\n")),
        Route::Metrics => metrics(gateway, &config),
        Route::Status => Box::pin(status::answer(gateway, &config)).await,
        // In boxes what is rare or large: a request's memory is that of the largest that it could become.
        Route::Flags => {
            let request = request.map(Asking::into_incoming);
            let subscription = gateway.flags.subscribe();
            Box::pin(flags::answer(&config, subscription, &caller, request)).await
        }
        Route::Resource(index, below) => {
            let account = account(&worker, config, index, caller, &request);
            let is_llm = account
                .resource()
                .is_some_and(|r| matches!(r.kind, Kind::OpenAi { .. }));
            if is_llm {
                let below = below
                    .strip_prefix("/v1")
                    .filter(|rest| rest.starts_with('/'))
                    .unwrap_or(below);
                relay::answer(account, request, below).await
            } else {
                Box::pin(forward::answer(account, request, below)).await
            }
        }
    })
}

fn account(
    worker: &Worker,
    config: Arc<Config>,
    index: usize,
    caller: String,
    request: &Request<Asking>,
) -> Account {
    let resent = request.headers().get("x-stainless-retry-count");
    let resource = config.resources.get(index);
    let line = Line {
        environment: config.environment.clone(),
        generation: config.generation,
        request_id: worker.gateway.request_id(),
        caller,
        resource: resource
            .map(|resource| resource.name.clone())
            .unwrap_or_default(),
        server: resource.map(|resource| resource.upstream.host().to_owned()),
        port: resource.and_then(|resource| resource.upstream.port()),
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        resend: resent.and_then(|count| count.to_str().ok()?.parse().ok()),
        ..Line::default()
    };
    Account::open(worker, config, index, line)
}

fn route<'a>(config: &Config, path: &'a str) -> Result<Route<'a>, Refusal> {
    if has_dots(path) {
        return Err(Refusal::invalid(
            "invalid_path",
            "the path has dots for a segment",
        ));
    }
    let (name, below) = match path.strip_prefix('/').and_then(|path| path.find('/')) {
        Some(end) => path.split_at(end + 1),
        None => (path, ""),
    };
    let named = |wanted: &Resource| {
        config
            .resources
            .iter()
            .position(|resource| std::ptr::eq(resource, wanted))
    };
    match (name, below) {
        ("/-", "/health") => Ok(Route::Health),
        ("/-", "/metrics") => Ok(Route::Metrics),
        ("/-", _) if path == crate::status::PATH => Ok(Route::Status),
        ("/ofrep", _) if path == flags::EVENTS || ofrep::is_ofrep(path) => Ok(Route::Flags),
        ("/v1", _) => {
            let only = config.only_openai().and_then(named);
            let only = only.ok_or_else(|| {
                unknown(
                    config,
                    "/v1 stands for the one resource of kind `openai`, and here is not exactly one",
                )
            })?;
            Ok(Route::Resource(only, below))
        }
        _ => {
            let resource = config
                .resource(name.trim_start_matches('/'))
                .and_then(named);
            let resource = resource.ok_or_else(|| unknown(config, "no resource has that name"))?;
            Ok(Route::Resource(resource, below))
        }
    }
}

fn unknown(config: &Config, why: &str) -> Refusal {
    let names: Vec<String> = config
        .resources
        .iter()
        .map(|resource| format!("/{}", resource.name))
        .collect();
    let message = format!("{why}; known: {}", names.join(", "));
    Refusal::invalid("unknown_path", message).status(StatusCode::NOT_FOUND)
}

/// Who asks. The token stands where the client library puts its key.
fn caller(
    config: &Config,
    headers: &HeaderMap,
    resource: Option<&Resource>,
) -> Result<String, Refusal> {
    let environment = &config.environment;
    let own = resource.and_then(|resource| resource.key.as_ref());
    let token = token(headers, own.map(InjectedKey::header));
    let is_open = resource.is_some() && own.is_none();
    if let Some(stranger) = config.callers.stranger().filter(|_| is_open)
        && !token
            .as_ref()
            .is_some_and(|token| token.starts_with(PREFIX))
    {
        return Ok(stranger.to_owned());
    }
    let Some(token) = token else {
        let message = format!(
            "no token: send the token of `{environment}` as the API key (`ringfence gateway token {environment}`)"
        );
        return Err(unauthorized("missing_token", message));
    };
    match config.callers.caller(&token) {
        Ok(caller) => Ok(caller.to_owned()),
        Err(error) => {
            let code = match error {
                TokenError::OtherEnvironment { .. } => "wrong_environment",
                _ => "invalid_token",
            };
            let message = format!(
                "{error}: send the token of `{environment}` as the API key (`ringfence gateway token {environment}`)"
            );
            Err(unauthorized(code, message))
        }
    }
}

fn unauthorized(code: &'static str, message: String) -> Refusal {
    Refusal {
        // LiteLLM takes `invalid_request_error` for the body's fault, whatever the status.
        kind: "authentication_error",
        ..Refusal::invalid(code, message).status(StatusCode::UNAUTHORIZED)
    }
}

fn token<'a>(headers: &'a HeaderMap, own: Option<&HeaderName>) -> Option<Cow<'a, str>> {
    let plain = |name: &HeaderName| headers.get(name)?.to_str().ok();
    if let Some(authorization) = plain(&AUTHORIZATION) {
        let (scheme, rest) = authorization.split_once(' ')?;
        let is = |name| scheme.eq_ignore_ascii_case(name);
        return match rest.trim() {
            token if is("bearer") => Some(token.into()),
            encoded if is("basic") => basic(encoded).map(Cow::from),
            _ => None,
        };
    }
    let mut names = TOKEN_HEADERS.iter().chain(own);
    names.find_map(plain).map(Cow::from)
}

/// The token as the user name or the password of basic authentication (RFC 7617).
fn basic(encoded: &str) -> Option<String> {
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    let token = if password.is_empty() { user } else { password };
    Some(token.to_owned())
}

fn metrics(gateway: &Gateway, config: &Config) -> Response<Body> {
    let state = State {
        environment: &config.environment,
        generation: config.generation,
        lost_records: gateway.recorder.lost(),
    };
    let mut response = Response::new(whole(gateway.metrics.text(&state)));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
