//! What one request took, cost and came to: settled and written down exactly once, also where the caller leaves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::{Gateway, Worker};
use crate::answer::{Body, Refusal, Retry};
use crate::config::{Config, Level, Occasion, Price, Resource};
use crate::limit::rule::Unit;
use crate::limit::{Cost, Demand, Denied, Grant, Standing, TakeError, claim};
use crate::llm::usage::Usage;
use crate::record::tally::Told;
use crate::record::{Line, milliseconds};
use crate::upstream::Clients;

/// The account of one request.
pub(super) struct Account {
    pub(super) gateway: Arc<Gateway>,
    /// Connections of the thread that answers.
    pub(super) clients: Arc<Clients>,
    pub(super) config: Arc<Config>,
    /// Which of the configuration's resources.
    index: usize,
    /// In a box: an account is moved often, and a line is long.
    pub(super) line: Box<Line>,
    began: Instant,
    grant: Option<Grant>,
    standings: Vec<Standing>,
    /// What was used, as far as it is known.
    pub(super) usage: Option<Usage>,
    pub(super) price: Option<Price>,
    /// What is written down, once it has been looked up: a request is recorded by one word from its beginning to its end.
    level: Option<Level>,
    is_stream: bool,
    is_closed: bool,
}

/// The status in a record of a caller who left (nginx's number for it).
const LEFT: u16 = 499;

impl Account {
    pub(super) fn open(worker: &Worker, config: Arc<Config>, index: usize, line: Line) -> Self {
        worker.gateway.metrics.under_way.begin();
        Self {
            gateway: Arc::clone(&worker.gateway),
            clients: Arc::clone(&worker.clients),
            config,
            index,
            line: Box::new(Line {
                status: LEFT,
                error: Some("client_gone"),
                ..line
            }),
            began: Instant::now(),
            grant: None,
            standings: Vec::new(),
            usage: None,
            price: None,
            level: None,
            is_stream: false,
            is_closed: false,
        }
    }

    pub(super) fn resource(&self) -> Option<&Resource> {
        self.config.resources.get(self.index)
    }

    /// The same in a configuration that the caller keeps; it is the account's own.
    pub(super) fn resource_of<'a>(&self, config: &'a Config) -> Option<&'a Resource> {
        config.resources.get(self.index)
    }

    /// What is written down of this request. Where a flag should say it and cannot, it is the least that it could say.
    pub(super) fn level(&mut self) -> Level {
        if let Some(level) = self.level {
            return level;
        }
        let level = self.resource().map_or(Level::None, |resource| {
            let model = self.line.model.as_ref();
            let occasion = Occasion {
                caller: &self.line.caller,
                resource: &resource.name,
                model: model.map_or("", |model| &model.asked),
            };
            let said = resource.record.on(occasion, &self.config.flags);
            let least = || resource.record.all().min().copied();
            said.ok().copied().or_else(least).unwrap_or(Level::None)
        });
        self.level = Some(level);
        level
    }

    /// Takes what the request needs from all buckets.
    pub(super) async fn take(&mut self, model: &str, cost: Cost) -> Result<(), Refusal> {
        let Some(resource) = self.resource() else {
            return Ok(());
        };
        let occasion = Occasion {
            caller: &self.line.caller,
            resource: &resource.name,
            model,
        };
        let limits = resource.limits.on(occasion, &self.config.flags);
        let limits = limits.map_err(|error| limits_unsaid(&error.to_string()))?;
        if limits.is_empty() {
            return Ok(());
        }
        let demand = Demand {
            environment: &self.config.environment,
            resource: &resource.name,
            caller: &self.line.caller,
            model,
            cost,
        };
        let claims = limits.iter().map(|rule| claim(rule, demand)).collect();
        match self.gateway.limits.take(claims).await {
            Ok(grant) => {
                self.standings.clone_from(&grant.standings);
                self.grant = Some(grant);
                Ok(())
            }
            Err(TakeError::Lost) => {
                self.gateway.metrics.refused(&resource.name, "store lost");
                Err(store_lost())
            }
            Err(TakeError::Denied(denied)) => {
                self.gateway.metrics.refused(&resource.name, &denied.rule);
                Err(refusal(&denied))
            }
        }
    }

    /// The answer is a stream.
    pub(super) fn mark_stream(&mut self) {
        if !std::mem::replace(&mut self.is_stream, true) {
            self.gateway.metrics.streams.begin();
        }
    }

    /// The first byte of the answer has come.
    pub(super) fn mark_first_byte(&mut self) {
        if self.line.first_byte_ms.is_none() {
            self.line.first_byte_ms = Some(milliseconds(self.began.elapsed()));
        }
    }

    /// How the request ended.
    pub(super) fn outcome(&mut self, status: StatusCode, error: Option<&'static str>) {
        self.line.status = status.as_u16();
        self.line.error = error;
    }

    /// Ends the request with a refusal; nothing was used but the request itself.
    pub(super) fn refuse(mut self, refusal: &Refusal) -> Response<Body> {
        self.usage = Some(Usage {
            input: 0,
            output: 0,
        });
        self.outcome(refusal.status, Some(refusal.code));
        let mut response = refusal.response();
        self.label(response.headers_mut());
        response
    }

    /// Headers of every answer: which request, which configuration, how the buckets stand.
    pub(super) fn label(&self, headers: &mut HeaderMap) {
        headers.reserve(LABELS);
        let id = &self.line.request_id;
        insert(headers, &REQUEST_ID, id.as_bytes().to_vec());
        insert(headers, &GENERATION, digits(self.config.generation, ""));
        for (unit, names) in [(Unit::Requests, &REQUESTS), (Unit::Tokens, &TOKENS)] {
            let tightest = self
                .standings
                .iter()
                .filter(|standing| standing.unit == unit);
            if let Some(standing) = tightest.min_by_key(|standing| standing.remaining) {
                let reset = u64::try_from(standing.reset.as_millis()).unwrap_or(u64::MAX);
                insert(headers, &names.limit, digits(standing.limit, ""));
                insert(headers, &names.remaining, digits(standing.remaining, ""));
                insert(headers, &names.reset, digits(reset, "ms"));
            }
        }
    }

    fn close(&mut self) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        let took = self.began.elapsed();
        let money = |usage: Usage| self.price.map(|price| price.of(usage.input, usage.output));
        let cost = self.usage.map(|usage| Cost {
            tokens: usage.input + usage.output,
            money: money(usage).unwrap_or(0),
        });
        if let Some(grant) = self.grant.take() {
            self.gateway.limits.settle(grant, cost);
        }
        let cost = self.usage.and_then(money);
        let level = self.level();
        let mut line = std::mem::take(&mut self.line);
        line.duration_ms = milliseconds(took);
        let Some(resource) = self.config.resources.get(self.index) else {
            return;
        };
        self.count(&resource.name, &line, took);
        if let (Some(model), Some(usage)) = (&mut line.model, self.usage) {
            model.input = Some(usage.input);
            model.output = Some(usage.output);
            model.cost = cost;
        }
        if let Some(text) = line.written(level, &self.config.secrets) {
            self.gateway.recorder.record(&text);
        }
    }
}

impl Account {
    fn count(&self, resource: &str, line: &Line, took: Duration) {
        let metrics = &self.gateway.metrics;
        let model = line.model.as_ref();
        metrics.request(resource, line.status, took);
        metrics.told(&Told {
            resource,
            model: model.map_or("", |model| &model.asked),
            caller: &line.caller,
            status: line.status,
            has_failed: line.error.is_some() && line.status != StatusCode::TOO_MANY_REQUESTS,
            took,
            usage: self.usage.filter(|_| model.is_some()),
        });
        metrics.under_way.end();
        if self.is_stream {
            metrics.streams.end();
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.close();
    }
}

fn insert(headers: &mut HeaderMap, name: &HeaderName, text: Vec<u8>) {
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(text)) {
        headers.insert(name.clone(), value);
    }
}

/// A number in a buffer of its own size; `HeaderValue::from` takes two, and `format!` the long way.
fn digits(number: u64, unit: &str) -> Vec<u8> {
    [itoa::Buffer::new().format(number), unit]
        .concat()
        .into_bytes()
}

/// How many headers [`Account::label`] adds at most.
pub(super) const LABELS: usize = 8;

struct Names {
    limit: HeaderName,
    remaining: HeaderName,
    reset: HeaderName,
}

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static GENERATION: HeaderName = HeaderName::from_static("x-ringfence-generation");
static REQUESTS: Names = Names {
    limit: HeaderName::from_static("x-ratelimit-limit-requests"),
    remaining: HeaderName::from_static("x-ratelimit-remaining-requests"),
    reset: HeaderName::from_static("x-ratelimit-reset-requests"),
};
static TOKENS: Names = Names {
    limit: HeaderName::from_static("x-ratelimit-limit-tokens"),
    remaining: HeaderName::from_static("x-ratelimit-remaining-tokens"),
    reset: HeaderName::from_static("x-ratelimit-reset-tokens"),
};

fn store_lost() -> Refusal {
    let wait = Duration::from_secs(1);
    Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        kind: "server_error",
        code: "limits_unavailable",
        message: "the store of the limits cannot be asked, and without it no request passes here"
            .to_owned(),
        retry: Retry::After(wait),
    }
}

/// The flag that says the limits says nothing: without them no request passes.
fn limits_unsaid(why: &str) -> Refusal {
    Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        kind: "server_error",
        code: "limits_unavailable",
        message: format!(
            "the limits are those of a flag, and without them no request passes: {why}"
        ),
        retry: Retry::Never,
    }
}

/// What a caller reads whose request does not fit. A budget is not worth waiting for, and is told as OpenAI tells an empty account.
fn refusal(denied: &Denied) -> Refusal {
    let rule = &denied.rule;
    let (message, retry) = match denied.retry_after {
        None => {
            let message = format!(
                "the limit `{rule}` holds {} at most, and this request may need {}: send a smaller `max_tokens`",
                denied.most, denied.cost
            );
            (message, Retry::Never)
        }
        Some(wait) if denied.is_budget => {
            let message = format!(
                "the budget `{rule}` is used up; its next window begins in {} s",
                wait.as_secs()
            );
            (message, Retry::Never)
        }
        Some(wait) => {
            let message = format!(
                "the limit `{rule}` is reached; try again in {} ms",
                wait.as_millis().max(1)
            );
            (message, Retry::After(wait))
        }
    };
    let (kind, code) = match (denied.is_budget, denied.retry_after) {
        (true, _) => ("insufficient_quota", "insufficient_quota"),
        (false, None) => ("invalid_request_error", "request_too_large"),
        (false, Some(_)) => ("rate_limit_error", "rate_limit_exceeded"),
    };
    Refusal {
        status: StatusCode::TOO_MANY_REQUESTS,
        kind,
        code,
        message,
        retry,
    }
}
