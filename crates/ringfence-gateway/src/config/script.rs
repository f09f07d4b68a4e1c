//! What a mock does: `mock://?latency=20ms&chunks=4&pause=5ms&fail=503x2&cut=3`.

use std::time::Duration;

use http::StatusCode;

/// The script of a mock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// `latency`: until an answer begins.
    pub latency: Duration,
    /// `pause`: between two chunks of a stream.
    pub pause: Duration,
    /// `chunks`: into how many a stream is cut; by words where absent.
    pub chunks: Option<usize>,
    /// `fail`: a status instead of an answer.
    pub fail: Option<Failure>,
    /// `cut`: after how many chunks a stream breaks off.
    pub cut: Option<usize>,
}

/// A status instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// The status.
    pub status: StatusCode,
    /// How many requests fail, from the first on; all where absent.
    pub times: Option<u64>,
}

/// Why a script cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// A name that no script has.
    #[error("`{0}` is not one of latency, pause, chunks, fail, cut")]
    Unknown(String),
    /// A value that does not fit its name.
    #[error("`{0}` has a value that does not fit")]
    Value(&'static str),
}

impl Script {
    /// Reads what follows `mock://`: a name of the user's choice, and the script after `?`.
    pub(super) fn parse(text: &str) -> Result<Self, ScriptError> {
        let (_, query) = text.split_once('?').unwrap_or((text, ""));
        let mut script = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            script.set(name, value)?;
        }
        Ok(script)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), ScriptError> {
        let count = |name| value.parse().map_err(|_| ScriptError::Value(name));
        match name {
            "latency" => self.latency = duration(value).ok_or(ScriptError::Value("latency"))?,
            "pause" => self.pause = duration(value).ok_or(ScriptError::Value("pause"))?,
            "chunks" => self.chunks = Some(count("chunks")?),
            "cut" => self.cut = Some(count("cut")?),
            "fail" => self.fail = Some(failure(value).ok_or(ScriptError::Value("fail"))?),
            other => return Err(ScriptError::Unknown(other.chars().take(40).collect())),
        }
        Ok(())
    }
}

/// `503`, or `503x2` for the first two requests.
fn failure(text: &str) -> Option<Failure> {
    let (status, times) = text
        .split_once('x')
        .map_or((text, None), |(s, t)| (s, Some(t)));
    let status = StatusCode::from_bytes(status.as_bytes()).ok()?;
    let is_failure = status.is_client_error() || status.is_server_error();
    let times = match times {
        Some(times) => Some(times.parse().ok()?),
        None => None,
    };
    is_failure.then_some(Failure { status, times })
}

/// A time such as `250ms`, `30s` or `5m`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(end);
    let number: u64 = digits.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" | "min" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    }
}
