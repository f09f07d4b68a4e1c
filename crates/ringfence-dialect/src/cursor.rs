//! A place in a text that only moves forward; a copy of it remembers the place.

/// The part of a text that has not been read yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'t> {
    rest: &'t str,
}

impl<'t> Cursor<'t> {
    /// A cursor at the beginning of `text`.
    pub(crate) const fn new(text: &'t str) -> Self {
        Self { rest: text }
    }

    /// What has not been read.
    pub(crate) const fn rest(&self) -> &'t str {
        self.rest
    }

    /// Whether everything has been read.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next character, not yet read.
    pub(crate) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// The character after the next one.
    pub(crate) fn peek_second(&self) -> Option<char> {
        self.rest.chars().nth(1)
    }

    /// Reads one character.
    pub(crate) fn bump(&mut self) -> Option<char> {
        count(1);
        let mut chars = self.rest.chars();
        let char = chars.next();
        self.rest = chars.as_str();
        char
    }

    /// Reads `expected` where it comes next, and says whether it did.
    pub(crate) fn eat(&mut self, expected: &str) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Reads as long as `wanted` holds.
    pub(crate) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|char| !wanted(char));
        self.take(end.unwrap_or(self.rest.len()))
    }

    /// Reads what stands before `end`, and `end`; reads nothing where it does not come.
    pub(crate) fn take_until(&mut self, end: char) -> Option<&'t str> {
        let found = self.rest.split_once(end);
        count(found.map_or(self.rest.len(), |(before, _)| before.len()));
        let (before, after) = found?;
        self.rest = after;
        Some(before)
    }

    /// Reads the rest of the line and its line feed, and returns it without.
    pub(crate) fn take_line(&mut self) -> &'t str {
        match self.take_until('\n') {
            Some(line) => line,
            None => self.take(self.rest.len()),
        }
    }

    fn take(&mut self, length: usize) -> &'t str {
        count(length);
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }
}

/// Counts bytes that were looked at, for the tests that hold the readings to a number of them.
#[cfg(not(test))]
const fn count(_: usize) {}

#[cfg(test)]
pub(crate) use steps::count;

#[cfg(test)]
pub(crate) mod steps {
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn count(bytes: usize) {
        STEPS.set(STEPS.get() + bytes);
    }

    /// How many bytes `work` looks at.
    pub(crate) fn of(work: impl FnOnce()) -> usize {
        STEPS.set(0);
        work();
        STEPS.get()
    }
}
