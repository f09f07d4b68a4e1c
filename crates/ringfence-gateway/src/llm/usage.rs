//! What an answer says of the tokens that it took.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// Tokens of a request and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    pub(crate) output: u64,
}

/// What is read of an answer or a chunk of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    pub(crate) id: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) usage: Option<RawUsage>,
    pub(crate) choices: Option<Vec<Choice>>,
    /// In the Responses API, events carry the answer.
    pub(crate) response: Option<Box<Answer>>,
    pub(crate) error: Option<IgnoredAny>,
    /// The delta of an event of the Responses API, where it is text.
    pub(crate) delta: Option<TextOrOther>,
}

/// A string, or anything else, which is left alone.
#[derive(Debug)]
pub(crate) struct TextOrOther(pub(crate) Option<String>);

impl<'de> Deserialize<'de> for TextOrOther {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(value.as_str().map(str::to_owned)))
    }
}

/// One of the answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Choice {
    pub(crate) finish_reason: Option<String>,
    pub(crate) delta: Option<Delta>,
    pub(crate) text: Option<String>,
}

/// A piece of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Delta {
    pub(crate) content: Option<String>,
}

/// As the three APIs spell it.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(crate) struct RawUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

impl RawUsage {
    /// The tokens; `None` where nothing is said.
    pub(crate) fn usage(self) -> Option<Usage> {
        let input = self.prompt_tokens.or(self.input_tokens);
        let output = self.completion_tokens.or(self.output_tokens);
        let total = self.total_tokens;
        if input.is_none() && output.is_none() && total.is_none() {
            return None;
        }
        let input = input.or(total).unwrap_or(0);
        Some(Usage {
            input,
            output: output
                .or_else(|| total.map(|total| total.saturating_sub(input)))
                .unwrap_or(0),
        })
    }
}

impl Answer {
    /// Reads an answer, or a chunk of one. JSON of another make is nobody's fault, and nothing is learned from it.
    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        match serde_json::from_slice(json) {
            Ok(answer) => Some(answer),
            Err(_) => serde_json::from_slice::<IgnoredAny>(json)
                .is_ok()
                .then(Self::default),
        }
    }

    /// The usage, of the answer itself or of the one that an event carries.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let inner = || self.response.as_ref()?.usage();
        self.usage.and_then(RawUsage::usage).or_else(inner)
    }
}

/// How many tokens a text of so many bytes has at most, nearly always: a token of English is about four bytes long.
pub(crate) const fn estimate(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}
