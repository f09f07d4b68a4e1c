//! What a running gateway says of itself, for whoever looks on: `GET /-/status`, with a caller's token.
//!
//! Counts are since its start, durations of the last one to two minutes, budgets as they stand.

mod ask;

use serde::{Deserialize, Serialize};

pub use ask::{AskError, Gateway, Seen, watch};

/// The path of it.
pub const PATH: &str = "/-/status";

/// A running gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its environment.
    pub environment: String,
    /// Whether that is of tier production.
    pub production: bool,
    /// Which configuration is served.
    pub generation: u64,
    /// Seconds since its start.
    pub uptime_seconds: f64,
    /// Requests that are being answered.
    pub under_way: u64,
    /// Streams among them.
    pub streams: u64,
    /// Programs that listen for changes of flags.
    pub listeners: usize,
    /// By resource.
    pub resources: Vec<Traffic>,
    /// By model, as callers name it.
    pub models: Vec<Traffic>,
    /// By caller.
    pub callers: Vec<Traffic>,
    /// Limits with a window of the calendar, by bucket.
    pub budgets: Vec<Budget>,
    /// Addresses of upstreams that were called.
    pub upstreams: Vec<Upstream>,
    /// Loads of another configuration.
    pub reloads: Reloads,
    /// Records that could not be written.
    pub records_lost: u64,
    /// Times that budgets could not be written to disk.
    pub budgets_not_kept: u64,
}

/// What was counted under one name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// The name.
    pub name: String,
    /// Requests that have ended.
    pub requests: u64,
    /// Those that failed, or were refused for another reason than a limit.
    pub errors: u64,
    /// Those that a limit refused.
    pub limited: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// How long half of the requests took at most, in milliseconds.
    pub p50_ms: Option<f64>,
    /// How long nineteen of twenty took at most, in milliseconds.
    pub p95_ms: Option<f64>,
}

/// One bucket of a limit by the calendar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// The resource.
    pub resource: String,
    /// The limit as it is written.
    pub limit: String,
    /// Whose, where each caller has one.
    pub caller: Option<String>,
    /// Of which model, where each has one.
    pub model: Option<String>,
    /// What is counted: `requests`, `tokens`, or a currency.
    pub unit: String,
    /// The most in a window; money in the currency's unit.
    pub most: f64,
    /// What is used or reserved of it.
    pub used: f64,
    /// What is left of it.
    pub left: f64,
    /// Seconds until the next window.
    pub resets_in_seconds: u64,
}

/// An upstream's address, and whether it is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// Host and port.
    pub address: String,
    /// Failures in a row.
    pub failures: u32,
    /// For how many milliseconds more it is left alone; 0 where it is called.
    pub rests_ms: u64,
}

/// Loads of another configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloads {
    /// Those that were swapped in.
    pub taken: u64,
    /// Those that were refused.
    pub refused: u64,
    /// Why the newest one is not served; nothing where it is.
    pub refused_because: Option<String>,
}
