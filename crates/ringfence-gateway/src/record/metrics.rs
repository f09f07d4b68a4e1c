//! Counts in Prometheus' text format (exposition format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the durations' histogram, in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.005, 0.02, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 120.0];

/// All counts since the start.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    requests: BTreeMap<(String, u16), u64>,
    tokens: BTreeMap<(String, &'static str), u64>,
    refused: BTreeMap<(String, String), u64>,
    durations: BTreeMap<String, Histogram>,
    reloads: BTreeMap<&'static str, u64>,
}

#[derive(Default)]
struct Histogram {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    seconds: f64,
}

/// What is not counted here.
pub(crate) struct State<'a> {
    pub(crate) environment: &'a str,
    pub(crate) generation: u64,
    pub(crate) lost_records: u64,
}

impl Metrics {
    pub(crate) fn request(&self, resource: &str, status: u16, took: Duration) {
        let mut counts = self.counts();
        add(&mut counts.requests, (resource.to_owned(), status), 1);
        let histogram = counts.durations.entry(resource.to_owned()).or_default();
        histogram.count += 1;
        histogram.seconds += took.as_secs_f64();
        for (bound, count) in BOUNDS.iter().zip(&mut histogram.buckets) {
            *count += u64::from(took.as_secs_f64() <= *bound);
        }
    }

    pub(crate) fn tokens(&self, resource: &str, input: u64, output: u64) {
        let mut counts = self.counts();
        add(&mut counts.tokens, (resource.to_owned(), "input"), input);
        add(&mut counts.tokens, (resource.to_owned(), "output"), output);
    }

    pub(crate) fn refused(&self, resource: &str, rule: &str) {
        add(&mut self.counts().refused, (resource.to_owned(), rule.to_owned()), 1);
    }

    pub(crate) fn reload(&self, result: &'static str) {
        add(&mut self.counts().reloads, result, 1);
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it as text.
    pub(crate) fn text(&self, state: &State<'_>) -> String {
        let counts = self.counts();
        let mut text = String::new();
        let environment = state.environment;
        let mut page = Page {
            text: &mut text,
            environment,
        };
        page.family("ringfence_gateway_requests_total", "counter", "Requests by resource and status.");
        for ((resource, status), count) in &counts.requests {
            let labels = [("resource", resource.as_str()), ("status", &status.to_string())];
            page.sample("ringfence_gateway_requests_total", &labels, &count.to_string());
        }
        page.family("ringfence_gateway_tokens_total", "counter", "Tokens by resource and direction.");
        for ((resource, direction), count) in &counts.tokens {
            let labels = [("resource", resource.as_str()), ("direction", direction)];
            page.sample("ringfence_gateway_tokens_total", &labels, &count.to_string());
        }
        page.family("ringfence_gateway_refused_total", "counter", "Requests that a limit refused.");
        for ((resource, rule), count) in &counts.refused {
            let labels = [("resource", resource.as_str()), ("rule", rule.as_str())];
            page.sample("ringfence_gateway_refused_total", &labels, &count.to_string());
        }
        page.family("ringfence_gateway_request_duration_seconds", "histogram", "From the request's head to the answer's end.");
        for (resource, histogram) in &counts.durations {
            page.histogram("ringfence_gateway_request_duration_seconds", resource, histogram);
        }
        page.family("ringfence_gateway_reloads_total", "counter", "Reloads by result.");
        for (result, count) in &counts.reloads {
            page.sample("ringfence_gateway_reloads_total", &[("result", result)], &count.to_string());
        }
        page.family("ringfence_gateway_generation", "gauge", "The configuration that is served.");
        page.sample("ringfence_gateway_generation", &[], &state.generation.to_string());
        page.family("ringfence_gateway_records_lost_total", "counter", "Records that could not be written.");
        page.sample("ringfence_gateway_records_lost_total", &[], &state.lost_records.to_string());
        text
    }
}

fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, more: u64) {
    *counts.entry(key).or_default() += more;
}

struct Page<'a> {
    text: &'a mut String,
    environment: &'a str,
}

impl Page<'_> {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // A string takes everything.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        let _ = write!(self.text, "{name}{{environment=\"{}\"", escaped(self.environment));
        for (label, value) in labels {
            let _ = write!(self.text, ",{label}=\"{}\"", escaped(value));
        }
        let _ = writeln!(self.text, "}} {value}");
    }

    fn histogram(&mut self, name: &str, resource: &str, histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in BOUNDS.iter().zip(histogram.buckets) {
            let labels = [("resource", resource), ("le", &bound.to_string())];
            self.sample(&bucket, &labels, &count.to_string());
        }
        self.sample(&bucket, &[("resource", resource), ("le", "+Inf")], &histogram.count.to_string());
        self.sample(&format!("{name}_count"), &[("resource", resource)], &histogram.count.to_string());
        self.sample(&format!("{name}_sum"), &[("resource", resource)], &histogram.seconds.to_string());
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
