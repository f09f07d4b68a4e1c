//! What is written down: a line of JSON for each request, and counts for Prometheus.
//!
//! Names are those of OpenTelemetry's semantic conventions where there is one: for generative AI (`gen_ai.*`, as the repository
//! `semantic-conventions-genai` has them), HTTP, servers and deployments; `ringfence.*` elsewhere. A line is scrubbed of the environment's secrets as a whole, after it has been put together.

pub(crate) mod message;
pub(crate) mod metrics;
pub(crate) mod tally;
pub mod writer;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ringfence_secret::redact::Patterns;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::config::Level;
use message::Message;

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
    pub(crate) error: Option<&'static str>,
    #[serde(rename = "server.address", skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    #[serde(rename = "server.port", skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<u16>,
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
    /// Its members stand among the others.
    #[serde(skip)]
    pub(crate) model: Option<ModelLine>,
    /// As the caller and the upstream wrote them.
    #[serde(skip)]
    pub(crate) texts: Option<Texts>,
    /// What becomes of them; its members stand among the others, too.
    #[serde(skip)]
    pub(crate) contents: Option<Contents>,
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
    #[serde(
        rename = "gen_ai.request.stream",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub(crate) is_stream: bool,
    /// In seconds, of a stream.
    #[serde(
        rename = "gen_ai.response.time_to_first_chunk",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) first_chunk: Option<f64>,
    #[serde(
        rename = "gen_ai.request.choice.count",
        skip_serializing_if = "is_one_or_none"
    )]
    pub(crate) choices: u64,
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
#[derive(Debug, Default)]
pub(crate) struct Texts {
    /// `messages`, `input` or `prompt`, as they were sent.
    pub(crate) input: Option<Box<RawValue>>,
    /// `choices` or `output`, as they came.
    pub(crate) answer: Option<Box<RawValue>>,
    /// The text of a stream.
    pub(crate) output: Option<String>,
}

/// The texts as they are written down.
#[derive(Debug, Serialize)]
pub(crate) struct Contents {
    #[serde(
        rename = "gen_ai.input.messages",
        skip_serializing_if = "Vec::is_empty"
    )]
    input: Vec<Message>,
    #[serde(
        rename = "gen_ai.output.messages",
        skip_serializing_if = "Vec::is_empty"
    )]
    output: Vec<Message>,
}

impl Texts {
    fn contents(self, model: Option<&ModelLine>) -> Contents {
        let reasons = model.map_or(&[][..], |model| &model.finish_reasons);
        let streamed = self.output.filter(|text| !text.is_empty());
        let output = match (&self.answer, streamed) {
            (Some(answer), _) => message::answered(answer),
            (None, Some(text)) => message::streamed(&text, reasons),
            (None, None) => Vec::new(),
        };
        Contents {
            input: self.input.as_deref().map(message::sent).unwrap_or_default(),
            output,
        }
    }
}

/// One choice is what everybody wants, and is not told.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_one_or_none(choices: &u64) -> bool {
    *choices <= 1
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
        self.contents = self
            .texts
            .take()
            .map(|texts| texts.contents(self.model.as_ref()));
        if let Some(model) = self.model.as_mut().filter(|model| model.is_stream) {
            model.first_chunk = self.first_byte_ms.map(|milliseconds| milliseconds / 1000.0);
        }
        let mut text = Vec::with_capacity(USUAL);
        serde_json::to_writer(&mut text, &self).ok()?;
        join(&mut text, &self.model)?;
        join(&mut text, &self.contents)?;
        text.push(b'\n');
        let clean = secrets.redacted(text);
        String::from_utf8(clean).ok()
    }
}

/// Bytes of a line, nearly always.
const USUAL: usize = 1024;

/// Puts the members of another object behind those of the first. `flatten` would do the same through a map, which takes longer than
/// all the rest of the line.
fn join(object: &mut Vec<u8>, members: &Option<impl Serialize>) -> Option<()> {
    let Some(members) = members else {
        return Some(());
    };
    let end = object.len().checked_sub(1)?;
    object.truncate(end);
    serde_json::to_writer(&mut *object, members).ok()?;
    match object.get_mut(end..)? {
        // Without a member there is nothing to part.
        [_, only] => {
            *only = b'}';
            object.remove(end);
        }
        [first, ..] => *first = b',',
        [] => {}
    }
    Some(())
}

/// A time in UTC as RFC 3339 writes it, to the millisecond.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let mut text = String::with_capacity("0000-00-00T00:00:00.000Z".len());
    let parts = [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (of_day / 3600, 2, ':'),
        (of_day / 60 % 60, 2, ':'),
        (of_day % 60, 2, '.'),
        (u64::from(since.subsec_millis()), 3, 'Z'),
    ];
    for (number, digits, end) in parts {
        for place in (0..digits).rev() {
            let digit = number / 10_u64.pow(place) % 10;
            text.push(char::from(b'0' + (digit as u8)));
        }
        text.push(end);
    }
    text
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
                    output: Some("my password is hunter2/Hunter2".to_owned()),
                    ..Texts::default()
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
