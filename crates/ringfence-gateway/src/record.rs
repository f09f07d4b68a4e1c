//! What is written down: a line of JSON for each request, and counts for Prometheus.
//!
//! Names are those of OpenTelemetry's semantic conventions for generative AI (`gen_ai.*`), HTTP and deployments where there is one,
//! `ringfence.*` elsewhere. A line is scrubbed of the environment's secrets as a whole, after it has been put together.

pub(crate) mod metrics;
pub(crate) mod tally;
pub mod writer;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ringfence_secret::redact::Patterns;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::config::Level;

/// A request as it is written down.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Line {
    pub(crate) time: String,
    #[serde(rename = "deployment.environment.name")]
    pub(crate) environment: String,
    #[serde(rename = "ringfence.generation")]
    pub(crate) generation: u64,
    #[serde(rename = "ringfence.request_id")]
    pub(crate) request_id: String,
    #[serde(rename = "ringfence.caller")]
    pub(crate) caller: String,
    #[serde(rename = "ringfence.resource")]
    pub(crate) resource: String,
    #[serde(rename = "http.request.method")]
    pub(crate) method: String,
    #[serde(rename = "url.path")]
    pub(crate) path: String,
    #[serde(rename = "http.response.status_code")]
    pub(crate) status: u16,
    #[serde(rename = "error.type", skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(rename = "server.address", skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    #[serde(
        rename = "http.request.resend_count",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) resend: Option<u64>,
    #[serde(rename = "ringfence.attempts")]
    pub(crate) attempts: u32,
    #[serde(rename = "ringfence.duration_ms")]
    pub(crate) duration_ms: f64,
    #[serde(
        rename = "ringfence.first_byte_ms",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) first_byte_ms: Option<f64>,
    #[serde(flatten)]
    pub(crate) model: Option<ModelLine>,
    #[serde(flatten)]
    pub(crate) texts: Option<Texts>,
}

/// The part about a model.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ModelLine {
    #[serde(rename = "gen_ai.operation.name")]
    pub(crate) operation: &'static str,
    #[serde(rename = "gen_ai.provider.name")]
    pub(crate) provider: &'static str,
    /// As the caller names it.
    #[serde(rename = "ringfence.model")]
    pub(crate) asked: String,
    #[serde(
        rename = "gen_ai.request.model",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) sent: Option<String>,
    #[serde(
        rename = "gen_ai.request.max_tokens",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) max_tokens: Option<u64>,
    #[serde(rename = "ringfence.stream")]
    pub(crate) is_stream: bool,
    #[serde(
        rename = "gen_ai.response.model",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) answered: Option<String>,
    #[serde(rename = "gen_ai.response.id", skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    #[serde(
        rename = "gen_ai.response.finish_reasons",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) finish_reasons: Vec<String>,
    #[serde(
        rename = "gen_ai.usage.input_tokens",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) input: Option<u64>,
    #[serde(
        rename = "gen_ai.usage.output_tokens",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) output: Option<u64>,
    /// Whether the tokens are the gateway's estimate, because the upstream told none.
    #[serde(
        rename = "ringfence.usage_estimated",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub(crate) is_estimated: bool,
    /// In millionths.
    #[serde(
        rename = "ringfence.cost_micros",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) cost: Option<u64>,
}

/// The texts, where everything is recorded.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Texts {
    #[serde(
        rename = "gen_ai.input.messages",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) input: Option<Box<RawValue>>,
    #[serde(
        rename = "gen_ai.output.messages",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) output: Option<String>,
}

impl Line {
    /// The line with its end, without secrets; `None` where nothing is to be written down.
    pub(crate) fn written(mut self, level: Level, secrets: &Patterns) -> Option<String> {
        match level {
            Level::None => return None,
            Level::Metadata => self.texts = None,
            Level::Full => {}
        }
        self.time = timestamp(SystemTime::now());
        let text = serde_json::to_string(&self).ok()?;
        let mut clean = Vec::with_capacity(text.len() + 1);
        let mut stream = secrets.stream();
        stream.pass(text.as_bytes(), &mut clean);
        stream.finish(&mut clean);
        clean.push(b'\n');
        String::from_utf8(clean).ok()
    }
}

/// A time in UTC as RFC 3339 writes it, to the millisecond.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60,
        since.subsec_millis()
    )
}

/// The date of a day since 1970: years are counted from March, in eras of 400.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + days / 146_097 * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Milliseconds with their fraction.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_208_000, "2024-02-29T12:00:00.000Z"),
            (4_102_444_799, "2099-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(
                timestamp(UNIX_EPOCH + Duration::from_secs(seconds)),
                expected
            );
        }
    }

    #[test]
    fn secrets_stay_out_of_full_records_too() {
        let secrets = Patterns::new([("PASSWORD", "hunter2/Hunter2")]);
        let line = |level| {
            let line = Line {
                path: "/x?hunter2/Hunter2".to_owned(),
                texts: Some(Texts {
                    input: None,
                    output: Some("my password is hunter2/Hunter2".to_owned()),
                }),
                ..Line::default()
            };
            line.written(level, &secrets)
        };
        let full = line(Level::Full).unwrap();
        assert!(
            full.contains("my password is [redacted:PASSWORD]") && !full.contains("unter2"),
            "{full}"
        );
        assert!(!line(Level::Metadata).unwrap().contains("password"));
        assert_eq!(line(Level::None), None);
    }
}
