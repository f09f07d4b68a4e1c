//! A stream of server-sent events (HTML Living Standard, section 9.2), event by event.
//!
//! What always holds: an event leaves whole or not at all; what is not JSON, breaks off or is too long ends the stream with an
//! event that carries an error, and `[DONE]` is only passed on when the upstream said it.

use bytes::{Buf, Bytes, BytesMut};

use super::usage::{Answer, Usage};
use crate::answer::error_json;
use crate::key::Scrubber;

/// The longest event that is taken.
const LONGEST: usize = 8 << 20;
/// How much text of an answer is kept for the record.
const KEPT: usize = 256 << 10;
/// How many reasons to finish are kept: an answer has one, and a stream without end must not grow.
const MOST_REASONS: usize = 128;

/// Reads a stream as it passes.
pub struct Events {
    buffer: BytesMut,
    /// How far the buffer has been searched for an event's end.
    searched: usize,
    /// Whether a chunk that carries nothing but usage is kept back.
    drops_usage: bool,
    /// Whether the texts are wanted.
    keeps_text: bool,
    /// What was learned.
    pub(crate) seen: Seen,
}

/// What a stream said.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) usage: Option<Usage>,
    pub(crate) id: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) finish_reasons: Vec<String>,
    pub(crate) text: String,
    /// Events that were passed on, which is about as many tokens.
    pub(crate) events: u64,
    /// The upstream told of a failure itself.
    pub(crate) has_error: bool,
    pub(crate) is_done: bool,
}

/// Why a stream cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// An event is neither JSON nor `[DONE]`.
    #[error("the upstream sent an event that is no JSON")]
    NoJson,
    /// An event is longer than 8 MiB.
    #[error("the upstream sent an event of more than 8 MiB")]
    TooLong,
    /// The stream ended within an event.
    #[error("the upstream's stream broke off within an event")]
    CutOff,
}

impl Events {
    /// At a stream's beginning. `drops_usage` keeps back a chunk that carries nothing but the usage; `keeps_text` collects the text for
    /// the record.
    #[must_use]
    pub fn new(drops_usage: bool, keeps_text: bool) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            drops_usage,
            keeps_text,
            seen: Seen::default(),
        }
    }

    /// What can be passed on after a piece has come, and why nothing more can, where that is so.
    pub fn push(&mut self, piece: &[u8], scrubber: &Scrubber) -> (Bytes, Result<(), EventError>) {
        self.buffer.extend_from_slice(piece);
        let mut ready = BytesMut::new();
        while let Some(end) = self.end_of_event() {
            let event = self.buffer.split_to(end).freeze();
            self.searched = 0;
            match self.read(&event) {
                Ok(false) => {}
                Ok(true) => {
                    self.seen.events += 1;
                    let clean = scrubber.scrub(event);
                    if ready.is_empty() && self.buffer.is_empty() {
                        return (clean, Ok(()));
                    }
                    ready.extend_from_slice(&clean);
                }
                Err(error) => return (ready.freeze(), Err(error)),
            }
        }
        let is_too_long = self.buffer.len() > LONGEST;
        let result = is_too_long.then_some(Err(EventError::TooLong));
        (ready.freeze(), result.unwrap_or(Ok(())))
    }

    /// At the end of the stream: nothing may be left.
    ///
    /// # Errors
    /// Where it ended within an event.
    pub fn finish(&self) -> Result<(), EventError> {
        if self.buffer.chunk().iter().all(u8::is_ascii_whitespace) {
            Ok(())
        } else {
            Err(EventError::CutOff)
        }
    }

    /// Behind the blank line that ends the first event of the buffer.
    fn end_of_event(&mut self) -> Option<usize> {
        let bytes: &[u8] = &self.buffer;
        let mut from = self.searched;
        while let Some(found) = memchr::memchr2(b'\n', b'\r', bytes.get(from..)?) {
            let first = from + found;
            let second = first + line_end(bytes.get(first..)?)?;
            if let Some(length) = line_end(bytes.get(second..)?) {
                return Some(second + length);
            }
            if second >= bytes.len() {
                self.searched = first;
                return None;
            }
            from = second;
        }
        self.searched = bytes.len();
        None
    }

    /// Whether the event is to be passed on.
    fn read(&mut self, event: &[u8]) -> Result<bool, EventError> {
        if event.len() > LONGEST {
            return Err(EventError::TooLong);
        }
        let Some(data) = data(event) else {
            return Ok(true);
        };
        if data.as_ref() == b"[DONE]" {
            self.seen.is_done = true;
            return Ok(true);
        }
        let answer = Answer::read(&data).ok_or(EventError::NoJson)?;
        let only_usage =
            answer.usage.is_some() && answer.choices.as_ref().is_some_and(Vec::is_empty);
        self.learn(answer);
        Ok(!(only_usage && self.drops_usage))
    }

    fn learn(&mut self, answer: Answer) {
        let seen = &mut self.seen;
        seen.usage = answer.usage().or(seen.usage);
        seen.has_error |= answer.error.is_some();
        let inner = answer.response.map(|inner| *inner).unwrap_or_default();
        if seen.model.is_none() {
            seen.model = answer.model.or(inner.model);
        }
        if seen.id.is_none() {
            seen.id = answer.id.or(inner.id);
        }
        let mut texts = Vec::from_iter(answer.delta.and_then(|delta| delta.0));
        for choice in answer.choices.into_iter().flatten() {
            if seen.finish_reasons.len() < MOST_REASONS {
                seen.finish_reasons.extend(choice.finish_reason);
            }
            texts.extend(choice.delta.and_then(|delta| delta.content));
            texts.extend(choice.text);
        }
        for text in texts.into_iter().filter(|_| self.keeps_text) {
            if seen.text.len() < KEPT {
                seen.text.push_str(&text);
            }
        }
    }
}

/// The length of a line's end: CR LF, LF, or a CR that is not the last byte so far, because an LF may still follow.
fn line_end(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\r', b'\n', ..] => Some(2),
        [b'\n', ..] | [b'\r', _, ..] => Some(1),
        _ => None,
    }
}

/// The data of an event: of one line as it stands, of several joined; `None` where there is none, as in a comment.
fn data(event: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    let lines = event.split(|byte| *byte == b'\n' || *byte == b'\r');
    let mut data = lines
        .filter_map(|line| line.strip_prefix(b"data:"))
        .map(|line| line.strip_prefix(b" ").unwrap_or(line));
    let first = data.next()?;
    let mut joined: Option<Vec<u8>> = None;
    for line in data {
        let all = joined.get_or_insert_with(|| first.to_vec());
        all.push(b'\n');
        all.extend_from_slice(line);
    }
    Some(joined.map_or(first.into(), Into::into))
}

/// The event that ends a stream which failed.
pub(crate) fn failure(code: &str, message: &str) -> Bytes {
    format!("data: {}\n\n", error_json("upstream_error", code, message)).into()
}

#[cfg(test)]
mod tests;
