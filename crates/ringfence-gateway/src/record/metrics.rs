//! Counts in Prometheus' text format (exposition format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::tally::{Tallies, Tally, Told};

/// Upper bounds of the durations' histogram, in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.005, 0.02, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 120.0];

/// All counts since the start.
#[derive(Default)]
pub(crate) struct Metrics {
    counts: Mutex<Counts>,
    /// Requests that are being answered.
    pub(crate) under_way: UnderWay,
    /// Streams among them.
    pub(crate) streams: UnderWay,
}

/// What is counted while it lasts.
#[derive(Default)]
pub(crate) struct UnderWay(AtomicU64);

impl UnderWay {
    pub(crate) fn begin(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
struct Counts {
    requests: BTreeMap<(String, u16), u64>,
    tokens: BTreeMap<(String, &'static str), u64>,
    refused: BTreeMap<(String, String), u64>,
    durations: BTreeMap<String, Histogram>,
    reloads: BTreeMap<&'static str, u64>,
    /// Why the newest configuration is not the one that is served.
    refused_because: Option<String>,
    budgets_not_kept: u64,
    tallies: Tallies,
}

/// What was counted so far, for whoever looks on.
pub(crate) struct Look {
    /// Resource, model and caller, and their counts.
    pub(crate) tallies: Vec<([String; 3], Tally)>,
    pub(crate) under_way: u64,
    pub(crate) streams: u64,
    pub(crate) taken: u64,
    pub(crate) refused: u64,
    pub(crate) refused_because: Option<String>,
    pub(crate) budgets_not_kept: u64,
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
    /// A request has ended.
    pub(crate) fn request(&self, resource: &str, status: u16, took: Duration) {
        let mut counts = self.counts();
        add(&mut counts.requests, (resource.to_owned(), status), 1);
        let histogram = counts.durations.entry(resource.to_owned()).or_default();
        let seconds = took.as_secs_f64();
        histogram.count += 1;
        histogram.seconds += seconds;
        for (bound, count) in BOUNDS.iter().zip(&mut histogram.buckets) {
            *count += u64::from(seconds <= *bound);
        }
    }

    /// Counts it by who asked for what, and its tokens.
    pub(crate) fn told(&self, told: &Told<'_>) {
        let mut counts = self.counts();
        if let Some(usage) = told.usage {
            let resource = || told.resource.to_owned();
            add(&mut counts.tokens, (resource(), "input"), usage.input);
            add(&mut counts.tokens, (resource(), "output"), usage.output);
        }
        counts.tallies.add(told);
    }

    pub(crate) fn refused(&self, resource: &str, rule: &str) {
        add(
            &mut self.counts().refused,
            (resource.to_owned(), rule.to_owned()),
            1,
        );
    }

    pub(crate) fn reload(&self, result: &'static str, refused_because: Option<String>) {
        let mut counts = self.counts();
        add(&mut counts.reloads, result, 1);
        counts.refused_because = refused_because;
    }

    /// The part of a status that is counted here.
    pub(crate) fn look(&self) -> Look {
        let counts = self.counts();
        let reloads = |result| counts.reloads.get(result).copied().unwrap_or(0);
        let tallies = counts.tallies.all();
        let tallies = tallies.map(|(resource, model, caller, tally)| {
            let names = [resource, model, caller].map(str::to_owned);
            (names, tally.clone())
        });
        Look {
            tallies: tallies.collect(),
            under_way: self.under_way.count(),
            streams: self.streams.count(),
            taken: reloads("taken"),
            refused: reloads("refused"),
            refused_because: counts.refused_because.clone(),
            budgets_not_kept: counts.budgets_not_kept,
        }
    }

    pub(crate) fn budgets_not_kept(&self) {
        self.counts().budgets_not_kept += 1;
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it as text.
    pub(crate) fn text(&self, state: &State<'_>) -> String {
        let counts = self.counts();
        let mut page = Page {
            text: String::new(),
            environment: state.environment,
        };
        page.about();
        counts.write_requests(&mut page);
        for (name, count, help) in [
            (
                "under_way",
                &self.under_way,
                "Requests that are being answered.",
            ),
            ("streams", &self.streams, "Streams among them."),
        ] {
            let name = page.family(name, "gauge", help);
            page.sample(&name, &[], &count.count());
        }
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
    /// Whose counts these are, in the names that OpenTelemetry's resource attributes have in Prometheus.
    fn about(&mut self) {
        let environment = escaped(self.environment);
        // A string takes everything.
        let _ = writeln!(
            self.text,
            "# TYPE target_info gauge\ntarget_info{{deployment_environment_name=\"{environment}\",service_name=\"ringfence-gateway\"}} 1"
        );
    }

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
