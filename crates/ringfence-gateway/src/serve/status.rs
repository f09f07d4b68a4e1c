//! The answer to whoever looks on: counts, budgets, upstreams.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::Gateway;
use crate::answer::{Body, whole};
use crate::config::{Config, Occasion, Resource};
use crate::limit::rule::{Period, Rule, Unit};
use crate::limit::{Cost, Demand, Standing, claim};
use crate::record::metrics::Look;
use crate::record::tally::Tally;
use crate::status::{Budget, Reloads, Status, Traffic, Upstream};

/// Buckets that are told: each is a question to a shared store.
const MOST_BUDGETS: usize = 64;

pub(super) async fn answer(gateway: &Gateway, config: &Config) -> Response<Body> {
    let status = status(gateway, config).await;
    let text = serde_json::to_string(&status).unwrap_or_default();
    let mut response = Response::new(whole(text));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

async fn status(gateway: &Gateway, config: &Config) -> Status {
    let look = gateway.metrics.look();
    Status {
        environment: config.environment.clone(),
        production: config.production,
        generation: config.generation,
        uptime_seconds: gateway.began.elapsed().as_secs_f64(),
        under_way: look.under_way,
        streams: look.streams,
        listeners: gateway.flags.receiver_count(),
        resources: by(&look, |[resource, _, _]| resource),
        models: by(&look, |[_, model, _]| model),
        callers: by(&look, |[_, _, caller]| caller),
        budgets: budgets(gateway, config, &look).await,
        upstreams: upstreams(gateway),
        reloads: Reloads {
            taken: look.taken,
            refused: look.refused,
            refused_because: look.refused_because,
        },
        records_lost: gateway.recorder.lost(),
        budgets_not_kept: look.budgets_not_kept,
    }
}

/// Sums by one of the names; what has none is left out.
fn by(look: &Look, name: impl Fn(&[String; 3]) -> &String) -> Vec<Traffic> {
    let mut sums: BTreeMap<&str, Tally> = BTreeMap::new();
    for (names, tally) in &look.tallies {
        let name = name(names).as_str();
        if !name.is_empty() {
            sums.entry(name).or_default().join(tally);
        }
    }
    let sums = sums.into_iter();
    sums.map(|(name, tally)| traffic(name, &tally)).collect()
}

fn traffic(name: &str, tally: &Tally) -> Traffic {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    Traffic {
        name: name.to_owned(),
        requests: tally.requests,
        errors: tally.errors,
        limited: tally.limited,
        input_tokens: tally.input,
        output_tokens: tally.output,
        p50_ms: tally.quantile(0.5).map(milliseconds),
        p95_ms: tally.quantile(0.95).map(milliseconds),
    }
}

/// A bucket, and whose it is.
struct Bucket<'a> {
    resource: &'a Resource,
    rule: Arc<Rule>,
    caller: &'a str,
    model: &'a str,
}

async fn budgets(gateway: &Gateway, config: &Config, look: &Look) -> Vec<Budget> {
    let mut told = BTreeSet::new();
    let mut budgets = Vec::new();
    for bucket in buckets(config, look) {
        let demand = Demand {
            environment: &config.environment,
            resource: &bucket.resource.name,
            caller: bucket.caller,
            model: bucket.model,
            cost: Cost::default(),
        };
        let claim = claim(&bucket.rule, demand);
        if budgets.len() < MOST_BUDGETS
            && told.insert(claim.key.clone())
            && let Some(standing) = gateway.limits.standing(&claim).await
        {
            budgets.push(budget(&bucket, standing));
        }
    }
    budgets
}

/// Those of limits by the calendar: what all share, and what belongs to who has asked.
fn buckets<'a>(config: &'a Config, look: &'a Look) -> Vec<Bucket<'a>> {
    let mut buckets = Vec::new();
    for resource in &config.resources {
        let seen = look.tallies.iter().map(|(names, _)| names);
        let seen = seen.filter(|[name, _, _]| *name == resource.name);
        let pairs = seen.map(|[_, model, caller]| (caller.as_str(), model.as_str()));
        for (caller, model) in std::iter::once(("", "")).chain(pairs) {
            let occasion = Occasion {
                caller,
                resource: &resource.name,
                model,
            };
            let rules = resource.limits.on(occasion, &config.flags);
            let rules = rules.into_iter().flatten();
            let has_bucket = |rule: &&Arc<Rule>| {
                matches!(rule.period, Period::Calendar(_))
                    && !(rule.per_caller && caller.is_empty())
                    && !(rule.per_model && model.is_empty())
            };
            buckets.extend(rules.filter(has_bucket).map(|rule| Bucket {
                resource,
                rule: Arc::clone(rule),
                caller,
                model,
            }));
        }
    }
    buckets
}

fn budget(bucket: &Bucket<'_>, standing: Standing) -> Budget {
    let rule = &bucket.rule;
    let scale = if rule.unit == Unit::Money { 1e6 } else { 1.0 };
    let amount = |amount: u64| amount as f64 / scale;
    let unit = rule.name.split('/').next().unwrap_or_default();
    Budget {
        resource: bucket.resource.name.clone(),
        limit: rule.text.clone(),
        caller: rule.per_caller.then(|| bucket.caller.to_owned()),
        model: rule.per_model.then(|| bucket.model.to_owned()),
        unit: unit.to_owned(),
        most: amount(standing.limit),
        used: amount(standing.limit.saturating_sub(standing.remaining)),
        left: amount(standing.remaining),
        resets_in_seconds: standing.reset.as_secs(),
    }
}

fn upstreams(gateway: &Gateway) -> Vec<Upstream> {
    let states = gateway.upstreams.states().into_iter();
    states
        .map(|(address, failures, rest)| Upstream {
            address,
            failures,
            rests_ms: u64::try_from(rest.as_millis()).unwrap_or(u64::MAX),
        })
        .collect()
}
