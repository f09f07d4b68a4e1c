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
    budgets_not_kept: u64,
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
        add(
            &mut self.counts().refused,
            (resource.to_owned(), rule.to_owned()),
            1,
        );
    }

    pub(crate) fn reload(&self, result: &'static str) {
        add(&mut self.counts().reloads, result, 1);
    }

    pub(crate) fn budgets_not_kept(&self) {
        self.counts().budgets_not_kept += 1;
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it as text.
    pub(crate) fn text(&self, state: &State<'_>) -> String {
        let counts = self.counts();
        let mut page = Page {
            text: String::new(),
            environment: state.environment,
        };
        counts.write_requests(&mut page);
        counts.write_gateway(&mut page, state);
        page.text
    }
}

impl Counts {
    fn write_requests(&self, page: &mut Page<'_>) {
        let name = page.family(
            "requests_total",
            "counter",
            "Requests by resource and status.",
        );
        for ((resource, status), count) in &self.requests {
            let status = status.to_string();
            page.sample(&name, &[("resource", resource), ("status", &status)], count);
        }
        let name = page.family(
            "tokens_total",
            "counter",
            "Tokens by resource and direction.",
        );
        for ((resource, direction), count) in &self.tokens {
            page.sample(
                &name,
                &[("resource", resource), ("direction", direction)],
                count,
            );
        }
        let name = page.family("refused_total", "counter", "Requests that a limit refused.");
        for ((resource, rule), count) in &self.refused {
            page.sample(&name, &[("resource", resource), ("rule", rule)], count);
        }
        let help = "From the request's head to the answer's end.";
        let name = page.family("request_duration_seconds", "histogram", help);
        for (resource, histogram) in &self.durations {
            page.histogram(&name, resource, histogram);
        }
    }

    fn write_gateway(&self, page: &mut Page<'_>, state: &State<'_>) {
        let name = page.family("reloads_total", "counter", "Reloads by result.");
        for (result, count) in &self.reloads {
            page.sample(&name, &[("result", result)], count);
        }
        let help = "Times that budgets could not be written to disk.";
        let name = page.family("budgets_not_kept_total", "counter", help);
        page.sample(&name, &[], &self.budgets_not_kept);
        let name = page.family("generation", "gauge", "The configuration that is served.");
        page.sample(&name, &[], &state.generation);
        let help = "Records that could not be written.";
        let name = page.family("records_lost_total", "counter", help);
        page.sample(&name, &[], &state.lost_records);
    }
}

fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, more: u64) {
    *counts.entry(key).or_default() += more;
}

struct Page<'a> {
    text: String,
    environment: &'a str,
}

impl Page<'_> {
    /// Begins with a family; its whole name.
    fn family(&mut self, name: &str, kind: &str, help: &str) -> String {
        let name = format!("ringfence_gateway_{name}");
        // A string takes everything.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        name
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: &impl std::fmt::Display) {
        let environment = escaped(self.environment);
        let _ = write!(self.text, "{name}{{environment=\"{environment}\"");
        for (label, value) in labels {
            let _ = write!(self.text, ",{label}=\"{}\"", escaped(value));
        }
        let _ = writeln!(self.text, "}} {value}");
    }

    fn histogram(&mut self, name: &str, resource: &str, histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in BOUNDS.iter().zip(histogram.buckets) {
            let labels = [("resource", resource), ("le", &bound.to_string())];
            self.sample(&bucket, &labels, &count);
        }
        let whole = [("resource", resource), ("le", "+Inf")];
        self.sample(&bucket, &whole, &histogram.count);
        let labels = [("resource", resource)];
        self.sample(&format!("{name}_count"), &labels, &histogram.count);
        self.sample(&format!("{name}_sum"), &labels, &histogram.seconds);
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
