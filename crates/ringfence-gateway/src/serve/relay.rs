//! Requests to models: read, limited, mapped, sent, told.

mod plan;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use serde_json::json;
use serde_json::value::RawValue;

use super::account::Account;
use super::body::{EventBody, answer_body, request_body};
use super::connection::Asking;
use super::forward;
use crate::answer::{Body, Refusal, Retry, SHOULD_RETRY, whole};
use crate::config::{Config, Kind, Level, Resource, Target};
use crate::limit::Cost;
use crate::limit::rule::Unit;
use crate::llm::events::Events;
use crate::llm::request::RequestBody;
use crate::llm::usage::{Answer, Usage};
use crate::record::{ModelLine, Texts};
use crate::upstream::{Call, CallError};
use plan::{Operation, Plan};

/// The largest answer that is not a stream.
const LARGEST_ANSWER: usize = 64 << 20;
/// Between two tries at one upstream.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn answer(
    mut account: Account,
    request: Request<Asking>,
    path: &str,
) -> Response<Body> {
    if request.method() == Method::GET
        && let Some(response) = models(&mut account, path)
    {
        return response;
    }
    let operation = match Operation::of(request.method(), path) {
        Ok(Some(operation)) => operation,
        Ok(None) => {
            if let Some(refusal) = unpriced(&account, request.method(), path) {
                return account.refuse(&refusal);
            }
            return Box::pin(forward::answer(account, request, path)).await;
        }
        Err(refusal) => return account.refuse(&refusal),
    };
    let (head, body) = request.into_parts();
    let body = match request_body(body).await {
        Ok(body) => body,
        Err(refusal) => return account.refuse(&refusal),
    };
    let config = Arc::clone(&account.config);
    let plan = match planned(&mut account, &config, operation, body).await {
        Ok(plan) => plan,
        Err(refusal) => return account.refuse(&refusal),
    };
    match send(&mut account, &plan, &head, path).await {
        Ok(response) => told(account, &plan, response).await,
        Err(error) => account.refuse(&error.refusal()),
    }
}

/// In production a budget of money lets nothing pass that may cost what nobody can tell, as no model without a price does.
fn unpriced(account: &Account, method: &Method, path: &str) -> Option<Refusal> {
    if method.is_safe() || method == Method::DELETE || !account.config.production {
        return None;
    }
    let resource = account.resource()?;
    let mut rules = resource.limits.all().flatten();
    let rule = rules.find(|rule| rule.unit == Unit::Money)?;
    let message = format!(
        "what `{path}` costs cannot be told, and `{}` has the budget `{}` in `{}`; ask for it through a resource without a budget of money",
        resource.name, rule.text, account.config.environment
    );
    Some(Refusal::invalid("path_without_price", message).status(StatusCode::FORBIDDEN))
}

/// `/models` and `/models/NAME`, where the manifest says what there is.
fn models(account: &mut Account, path: &str) -> Option<Response<Body>> {
    let wanted = path
        .strip_prefix("/models")?
        .trim_start_matches('/')
        .to_owned();
    let resource = account.resource()?;
    let Kind::OpenAi { models } = &resource.kind else {
        return None;
    };
    if models.is_empty() {
        return None;
    }
    let row = |name: &String| json!({ "id": name, "object": "model", "created": 0, "owned_by": resource.name });
    let (status, text) = if wanted.is_empty() {
        let rows: Vec<_> = models.keys().map(row).collect();
        (
            StatusCode::OK,
            json!({ "object": "list", "data": rows }).to_string(),
        )
    } else if models.contains_key(&wanted) {
        (StatusCode::OK, row(&wanted).to_string())
    } else {
        let refusal = plan::unknown_model(&account.config, resource, &wanted);
        (refusal.status, refusal.json())
    };
    account.usage = Some(Usage {
        input: 0,
        output: 0,
    });
    account.outcome(status, (!status.is_success()).then_some("model_not_found"));
    Some(json_response(account, status, text))
}

/// Reads the body, says which models may answer, and takes what it needs from the buckets.
async fn planned<'a>(
    account: &mut Account,
    config: &'a Config,
    operation: Operation,
    body: Bytes,
) -> Result<Plan<'a>, Refusal> {
    let read = RequestBody::read(&body)
        .map_err(|error| Refusal::invalid("invalid_json", error.to_string()))?;
    let resource = account
        .resource_of(config)
        .ok_or_else(|| Refusal::invalid("unknown_path", "the resource is gone"))?;
    let plan = Plan::new(config, resource, operation, read, body)?;
    account.line.model = Some(ModelLine {
        operation: operation.name(),
        provider: "openai",
        asked: plan.asked.clone(),
        max_tokens: plan.request.max_tokens,
        is_stream: plan.request.is_stream,
        choices: plan.request.answers,
        ..ModelLine::default()
    });
    account.line.texts = (account.level() == Level::Full).then(|| Texts {
        input: input_texts(&plan.body),
        ..Texts::default()
    });
    let cost = Cost {
        tokens: plan.input + plan.output,
        money: plan
            .dearest()
            .map_or(0, |price| price.of(plan.input, plan.output)),
    };
    account.take(&plan.asked, cost).await?;
    account.usage = Some(Usage {
        input: plan.input,
        output: 0,
    });
    Ok(plan)
}

/// `messages`, `input` or `prompt`, as it stands in the body.
fn input_texts(body: &[u8]) -> Option<Box<RawValue>> {
    #[derive(serde::Deserialize)]
    struct Input {
        #[serde(alias = "input", alias = "prompt")]
        messages: Option<Box<RawValue>>,
    }
    serde_json::from_slice::<Input>(body).ok()?.messages
}

/// Sends to one target after the other until one answers; the last one's answer is the answer.
async fn send(
    account: &mut Account,
    plan: &Plan<'_>,
    head: &http::request::Parts,
    path: &str,
) -> Result<Response<Body>, CallError> {
    account.gateway.upstreams.earn_retry();
    let config = Arc::clone(&account.config);
    let gateway = Arc::clone(&account.gateway);
    let clients = Arc::clone(&account.clients);
    let asked = account
        .resource()
        .map(|resource| resource.name.clone())
        .unwrap_or_default();
    let mut targets = plan.targets.iter().peekable();
    while let Some(target) = targets.next() {
        let Some(resource) = config.resource(target.resource.as_deref().unwrap_or(&asked)) else {
            continue;
        };
        note_target(account, resource, target);
        let mut has_retried = false;
        loop {
            account.line.attempts += 1;
            let call = Call {
                method: Method::POST,
                path,
                query: head.uri.query(),
                headers: forward::request_headers(&head.headers, resource),
                body: whole(plan.body_for(target)),
            };
            let answer = gateway.upstreams.send(&clients, resource, call).await;
            let (is_worth_another_try, is_another_matter) = judge(&answer);
            if is_worth_another_try && !has_retried && gateway.upstreams.may_retry() {
                has_retried = true;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            if is_another_matter && targets.peek().is_some() {
                break;
            }
            return answer;
        }
    }
    Err(CallError::Path(asked))
}

/// Whether the same upstream may do better at once, and whether another one may.
fn judge(answer: &Result<Response<Body>, CallError>) -> (bool, bool) {
    match answer {
        Err(CallError::Unreachable(..) | CallError::Broken(_)) => (true, true),
        Err(error) => (false, error.is_of_the_upstream()),
        Ok(response) => {
            let status = response.status();
            let is_passing = matches!(status.as_u16(), 500 | 502 | 503 | 504);
            (
                is_passing,
                is_passing || matches!(status.as_u16(), 401 | 403 | 404 | 408 | 429),
            )
        }
    }
}

fn note_target(account: &mut Account, resource: &Resource, target: &Target) {
    account.price = target.price;
    account.line.server = Some(resource.upstream.host().to_owned());
    account.line.port = resource.upstream.port();
    if let Some(model) = &mut account.line.model {
        model.sent = Some(target.model.clone());
        model.provider = if matches!(resource.upstream, crate::config::Upstream::Mock(_)) {
            "mock"
        } else {
            "openai"
        };
    }
}

/// The upstream's answer as the caller gets it.
async fn told(mut account: Account, plan: &Plan<'_>, response: Response<Body>) -> Response<Body> {
    let (head, body) = response.into_parts();
    let Some(resource) = account.resource() else {
        return Refusal::upstream("unknown_path", "the resource is gone").response();
    };
    let silence = resource.timeout;
    let is_events = head
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let is_events = is_events.is_some_and(|kind| kind.starts_with("text/event-stream"));
    let mut headers = forward::answer_headers(&head.headers, resource);
    if head.status.is_success() && is_events {
        account.mark_stream();
        account.label(&mut headers);
        let events = Events::new(plan.asks_usage(), account.line.texts.is_some());
        let body = EventBody::new(body, events, silence, account, plan.input);
        return answered(
            head.status,
            headers,
            http_body_util::BodyExt::boxed_unsync(body),
        );
    }
    account.mark_first_byte();
    let bytes = match answer_body(body, LARGEST_ANSWER, silence).await {
        Ok(bytes) => bytes,
        Err(error) => {
            return account.refuse(&Refusal::upstream("upstream_broken", error.to_string()));
        }
    };
    if !head.status.is_success() {
        return failed(account, head.status, headers, bytes);
    }
    let Some(answer) = Answer::read(&bytes) else {
        let refusal = Refusal::upstream("upstream_invalid", "the upstream's answer is no JSON");
        return account.refuse(&refusal);
    };
    learn(&mut account, plan, answer, &bytes);
    account.outcome(head.status, None);
    account.label(&mut headers);
    let clean = account
        .resource()
        .map(|resource| resource.scrubber.scrub(bytes))
        .unwrap_or_default();
    answered(head.status, headers, whole(clean))
}

/// Usage and names of an answer; without usage the reserve stands.
fn learn(account: &mut Account, plan: &Plan<'_>, answer: Answer, bytes: &[u8]) {
    let told = answer.usage();
    account.usage = told.or(Some(Usage {
        input: plan.input,
        output: plan.output,
    }));
    if let Some(texts) = &mut account.line.texts {
        texts.answer = output_texts(bytes);
    }
    if let Some(model) = &mut account.line.model {
        model.is_estimated = told.is_none();
        model.answered = answer.model;
        model.id = answer.id;
        let choices = answer.choices.into_iter().flatten();
        model.finish_reasons = choices.filter_map(|choice| choice.finish_reason).collect();
    }
}

/// `choices` or `output`, as it stands in the answer.
fn output_texts(bytes: &[u8]) -> Option<Box<RawValue>> {
    #[derive(serde::Deserialize)]
    struct Output {
        #[serde(alias = "output")]
        choices: Option<Box<RawValue>>,
    }
    serde_json::from_slice::<Output>(bytes).ok()?.choices
}

/// An answer that is an error: in the shape that clients read, and never one that blames the caller's token for the gateway's key.
fn failed(
    mut account: Account,
    status: StatusCode,
    mut headers: HeaderMap,
    bytes: Bytes,
) -> Response<Body> {
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        let name = &account.line.resource;
        let message = format!("the upstream refuses the key that the gateway puts in for `{name}`");
        let refusal = Refusal {
            retry: Retry::Never,
            ..Refusal::upstream("upstream_refuses_key", message)
        };
        return account.refuse(&refusal);
    }
    let is_json =
        serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).is_ok();
    account.usage = Some(Usage {
        input: 0,
        output: 0,
    });
    account.outcome(status, Some("upstream_error"));
    account.label(&mut headers);
    let body = if is_json {
        account
            .resource()
            .map(|resource| resource.scrubber.scrub(bytes))
            .unwrap_or_default()
    } else {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let message = format!("the upstream answered {status}");
        Refusal::upstream("upstream_error", message).json().into()
    };
    answered(status, headers, whole(body))
}

fn json_response(account: &Account, status: StatusCode, text: String) -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !status.is_success() {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    account.label(&mut headers);
    answered(status, headers, whole(text))
}

pub(super) fn answered(status: StatusCode, mut headers: HeaderMap, body: Body) -> Response<Body> {
    // hyper writes the length of what is sent, which an error in another shape changes.
    headers.remove(CONTENT_LENGTH);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The names by which a resource's models are known.
fn known(resource: &Resource) -> Vec<&str> {
    match &resource.kind {
        Kind::OpenAi { models } => models.keys().map(String::as_str).collect(),
        Kind::Http { .. } => Vec::new(),
    }
}

/// Headers of OpenAI's that a limit of ours stands in for.
pub(super) fn is_rate_limit(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-ratelimit-")
}

/// Whether a configuration has prices for what is asked.
fn targets_of<'a>(
    config: &Config,
    resource: &'a Resource,
    asked: &str,
) -> Result<Cow<'a, [Target]>, Refusal> {
    let Kind::OpenAi { models } = &resource.kind else {
        return Ok(Cow::default());
    };
    if let Some(targets) = models.get(asked) {
        return Ok(targets.into());
    }
    if !models.is_empty() {
        return Err(plan::unknown_model(config, resource, asked));
    }
    let only = Target {
        resource: None,
        model: asked.to_owned(),
        price: None,
    };
    Ok(vec![only].into())
}
