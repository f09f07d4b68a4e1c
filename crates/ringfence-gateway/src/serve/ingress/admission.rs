//! What one request to the program takes, for as long as it is under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{HeaderName, RETRY_AFTER};
use http::{Response, StatusCode};

use super::super::Gateway;
use crate::answer::{Body, Refusal, Retry};
use crate::config::{Client, Config};
use crate::limit::{Cost, Demand, Denied, Grant, TakeError, claim};

/// What ingress is called among resources, in keys and counts; no resource has a name with such a character.
const NAME: &str = "@ingress";

/// What a request has taken; given back, and counted, when it is dropped.
pub(super) struct Admission {
    gateway: Arc<Gateway>,
    grant: Option<Grant>,
    pub(super) status: StatusCode,
    began: Instant,
}

impl Admission {
    /// Takes from all buckets or from none; the error is the answer.
    pub(super) async fn take(
        gateway: &Arc<Gateway>,
        config: &Config,
        client: Client,
    ) -> Result<Self, Response<Body>> {
        let client = client.to_string();
        let demand = Demand {
            environment: &config.environment,
            resource: NAME,
            caller: &client,
            model: "",
            cost: Cost::default(),
        };
        let limits = config.ingress.limits.iter();
        let claims: Vec<_> = limits.map(|rule| claim(rule, demand)).collect();
        let mut admission = Self {
            gateway: Arc::clone(gateway),
            grant: None,
            status: StatusCode::TOO_MANY_REQUESTS,
            began: Instant::now(),
        };
        if let Some(why) = &config.ingress.closed {
            admission.status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(closed(why).response());
        }
        if claims.is_empty() {
            return Ok(admission);
        }
        match gateway.limits.take(claims).await {
            Ok(grant) => {
                admission.grant = Some(grant);
                Ok(admission)
            }
            Err(TakeError::Lost) => {
                gateway.metrics.refused(NAME, "store lost");
                admission.status = StatusCode::SERVICE_UNAVAILABLE;
                Err(lost().response())
            }
            Err(TakeError::Denied(denied)) => {
                gateway.metrics.refused(NAME, &denied.rule);
                Err(refused(&denied))
            }
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some(grant) = self.grant.take() {
            self.gateway.limits.settle(grant, None);
        }
        let (status, took) = (self.status.as_u16(), self.began.elapsed());
        self.gateway.metrics.request(NAME, status, took);
    }
}

fn lost() -> Refusal {
    Refusal {
        retry: Retry::After(Duration::from_secs(1)),
        ..closed("requests cannot be counted at the moment, and without that none passes here")
    }
}

fn closed(why: &str) -> Refusal {
    Refusal {
        status: StatusCode::SERVICE_UNAVAILABLE,
        kind: "server_error",
        code: "limits_unavailable",
        message: why.to_owned(),
        retry: Retry::AsUsual,
    }
}

/// What a client reads whose request does not fit. Times are in whole seconds, rounded up.
fn refused(denied: &Denied) -> Response<Body> {
    let wait = denied.retry_after.unwrap_or(Duration::from_secs(1));
    let seconds = u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
    let refusal = Refusal {
        status: StatusCode::TOO_MANY_REQUESTS,
        kind: "rate_limit_error",
        code: "rate_limit_exceeded",
        message: format!(
            "the limit `{}` is reached; try again in {seconds} s",
            denied.rule
        ),
        retry: Retry::After(wait),
    };
    let mut response = refusal.response();
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, seconds.max(1).into());
    headers.insert(LIMIT, denied.most.into());
    headers.insert(REMAINING, denied.remaining.into());
    headers.insert(RESET, seconds.into());
    response
}

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
