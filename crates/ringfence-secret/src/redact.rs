//! Secrets in the output of a program: each is replaced by `[redacted:NAME]` as the output passes, in whatever chunks it comes.
//!
//! ```
//! use ringfence_secret::redact::Patterns;
//!
//! let patterns = Patterns::new([("API_KEY", "sk-4fJ2/x9Qm"), ("MODE", "fast")]);
//! let (mut stream, mut out) = (patterns.stream(), Vec::new());
//! stream.pass(b"key=sk-4fJ2", &mut out);
//! assert_eq!(out, b"key=");
//! stream.pass(b"%2Fx9Qm mode=fast", &mut out);
//! stream.finish(&mut out);
//! assert_eq!(out, b"key=[redacted:API_KEY] mode=fast");
//! assert_eq!(patterns.left_alone(), ["MODE"]);
//! ```
//!
//! Looked for are a secret's value, the value without white space around it, its lines (of a private key), and the password of a URL;
//! each as it is, in base64 (both alphabets, at all three alignments), percent-encoded and escaped in JSON, in the ways of writing
//! that are listed in `spelling`.
//!
//! What always holds: no byte of what is found gets through, where two findings overlap, too; at each place the longest is found; what
//! comes out does not depend on the chunks; only what may be the beginning of a secret waits for the next chunk.
//!
//! What does not get through is what is written in one of these ways: a program that wants to give a secret away can spell it
//! otherwise. Not looked for are base64 that is broken into lines, escapes within escapes, and text in other alphabets of any kind.
//!
//! What is kept of secrets is cleared when the last stream is gone. No crate of automata is used: they keep copies in memory that
//! nobody clears, and do not tell how much of the text may still become a match.

mod search;
mod spelling;
#[cfg(test)]
mod tests;
mod worth;

use std::sync::Arc;

use zeroize::Zeroizing;

use search::Search;
pub use worth::SHORTEST_CHARACTERS;

/// What to look for: the secrets of one run.
pub struct Patterns {
    search: Arc<Search>,
    left_alone: Vec<String>,
}

/// One output on its way.
pub struct Stream {
    search: Arc<Search>,
    /// What waits, because it may be the beginning of a secret.
    held: Zeroizing<Vec<u8>>,
    /// So many bytes of `held` belong to a finding that was replaced already.
    covered: usize,
    /// Whose the last finding was.
    last: Option<usize>,
}

impl Patterns {
    /// Takes secrets in, each with its name. What several have in common is the first one's, and a value is rather its own name's than
    /// that of a URL which has it inside.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let secrets = secrets.into_iter().filter(|(_, value)| !value.is_empty());
        let (sought, left): (Vec<_>, Vec<_>) =
            secrets.partition(|(_, value)| worth::is_sought(value));
        let mut spellings = Vec::new();
        for (name, (_, value)) in sought.iter().enumerate() {
            spelling::add(value, name, &mut spellings);
        }
        for (name, (_, value)) in sought.iter().enumerate() {
            for part in worth::parts(value) {
                spelling::add(&part, name, &mut spellings);
            }
        }
        let labels = sought
            .iter()
            .map(|(name, _)| format!("[redacted:{name}]"))
            .collect();
        Self {
            search: Arc::new(Search::new(spellings, labels)),
            left_alone: left.into_iter().map(|(name, _)| name.to_owned()).collect(),
        }
    }

    /// The names of secrets that are not looked for, because their value is so common that a program's output would be full of holes:
    ///
    /// - fewer than [`SHORTEST_CHARACTERS`] characters, or fewer than 4 different ones;
    /// - fewer than 16 digits with `.`, `-`, `+`, `:`, `,`, `_`, `/` or spaces between them: numbers, addresses, dates;
    /// - fewer than 12 characters that are words: letters of one case (a capital may begin) and whole numbers with `-`, `_`, `.`, `:`,
    ///   `/`, `@` or spaces between them, as in `localhost`, `production`, `us-east-1`.
    ///
    /// An empty value is neither looked for nor named here.
    #[must_use]
    pub fn left_alone(&self) -> &[String] {
        &self.left_alone
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.search.is_empty()
    }

    /// All ways of writing that are looked for, in no order. They are secrets: for measurements and tests alone.
    pub fn spellings(&self) -> impl Iterator<Item = &[u8]> {
        self.search.patterns()
    }

    /// A whole text without the secrets.
    #[must_use]
    pub fn redacted(&self, text: Vec<u8>) -> Vec<u8> {
        if self.search.candidate(&text, 0).is_none() {
            return text;
        }
        let mut clean = Vec::with_capacity(text.len());
        let mut stream = self.stream();
        stream.pass(&text, &mut clean);
        stream.finish(&mut clean);
        clean
    }

    /// Begins with one output. It is cheap: the patterns are shared.
    #[must_use]
    pub fn stream(&self) -> Stream {
        Stream {
            search: Arc::clone(&self.search),
            held: Zeroizing::new(Vec::new()),
            covered: 0,
            last: None,
        }
    }
}

impl Stream {
    /// Appends to `out` what is certain after the next bytes of the output.
    pub fn pass(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if self.search.is_empty() {
            out.extend_from_slice(chunk);
            return;
        }
        self.hold(chunk);
        self.replace(false, out);
    }

    /// Appends to `out` what waited: the output has ended, or nothing may wait any longer.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.replace(true, out);
    }

    /// Appends to what waits. Memory is never left behind uncleared, as a growing vector would.
    fn hold(&mut self, chunk: &[u8]) {
        let needed = self.held.len() + chunk.len();
        if needed > self.held.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.next_power_of_two()));
            larger.extend_from_slice(&self.held);
            self.held = larger;
        }
        self.held.extend_from_slice(chunk);
    }

    fn replace(&mut self, ends: bool, out: &mut Vec<u8>) {
        let text = &*self.held;
        let mut done = self.covered;
        let mut from = 0;
        let mut kept = None;
        while let Some(at) = self.search.candidate(text, from) {
            let found = self.search.at(text.get(at..).unwrap_or_default());
            if found.may_grow && !ends {
                kept = Some(at);
                break;
            }
            if let Some((length, name)) = found.longest {
                let end = at + length;
                out.extend_from_slice(text.get(done..at).unwrap_or_default());
                if at >= done || (end > done && self.last != Some(name)) {
                    out.extend_from_slice(self.search.label(name));
                    self.last = Some(name);
                }
                done = done.max(end);
            }
            from = at + 1;
        }
        let kept = kept.unwrap_or_else(|| match ends {
            true => text.len(),
            false => self.search.beginning(text),
        });
        out.extend_from_slice(text.get(done..kept).unwrap_or_default());
        self.covered = done.saturating_sub(kept);
        self.held.drain(..kept);
    }
}
