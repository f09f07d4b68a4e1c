//! The texts that diagnostics point into, and which parts of them may be shown.

use crate::span::{Place, Position, SourceId, Span};

/// What stands in an excerpt for text that must not be shown.
pub const MASK: &str = "…";

/// One text with the name under which people know it.
#[derive(Clone)]
pub struct Source {
    name: String,
    text: String,
    line_starts: Vec<usize>,
    /// What an excerpt may show: nothing, until the source's reader has said otherwise.
    shown: Vec<Span>,
}

impl Source {
    /// The name, as given: a path relative to the project's root.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text, secrets included: for readers, never for output.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Marks the spans that an excerpt may show; they must be sorted and must not overlap.
    pub fn reveal(&mut self, spans: Vec<Span>) {
        self.shown = spans;
    }

    /// The line and column of a byte offset; an offset past the end counts as the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = line
            .checked_sub(1)
            .and_then(|index| self.line_starts.get(index).copied())
            .unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or("");
        Position {
            line: line.max(1),
            column: before.chars().count() + 1,
        }
    }

    /// The whole lines that `span` touches, without the last line's end.
    #[must_use]
    pub fn lines_of(&self, span: Span) -> Span {
        let first = self.position(span.start).line;
        let last = self.position(span.end.max(span.start)).line;
        let start = self.line_start(first);
        let end = self
            .line_starts
            .get(last)
            .copied()
            .unwrap_or(self.text.len());
        let lines = self.text.get(start..end).unwrap_or("");
        Span::new(start, start + lines.trim_end_matches(['\n', '\r']).len())
    }

    fn line_start(&self, line: usize) -> usize {
        line.checked_sub(1)
            .and_then(|index| self.line_starts.get(index).copied())
            .unwrap_or(0)
    }

    /// An excerpt of `window` with everything masked that may not be shown, and `spans` moved to where their text
    /// stands in it. A span that lies inside masked text covers the mask.
    #[must_use]
    pub fn excerpt(&self, window: Span, spans: &[Span]) -> (String, Vec<Span>) {
        let masked = Masked::new(&self.text, window, &self.shown);
        let moved = spans.iter().map(|span| masked.moved(*span)).collect();
        (masked.text, moved)
    }
}

/// A masked copy of part of a text that still knows which of its parts came from where.
struct Masked {
    text: String,
    /// In order and without gaps.
    parts: Vec<Part>,
}

/// A piece of a masked copy.
struct Part {
    /// Where it stands in the original.
    original: Span,
    /// Where it, or what stands for it, is in the copy.
    copy: Span,
    /// Whether it was copied as it is; otherwise its insides have no place of their own.
    kept: bool,
}

impl Masked {
    fn new(text: &str, window: Span, shown: &[Span]) -> Self {
        let mut masked = Self {
            text: String::new(),
            parts: Vec::new(),
        };
        let first = shown.partition_point(|span| span.end <= window.start);
        let mut offset = window.start;
        for span in shown
            .iter()
            .skip(first)
            .take_while(|span| span.start < window.end)
        {
            let clipped = Span::new(span.start.max(offset), span.end.min(window.end));
            masked.hide(text, Span::new(offset, clipped.start));
            masked.keep(clipped.of(text), clipped);
            offset = clipped.end.max(offset);
        }
        masked.hide(text, Span::new(offset, window.end));
        masked
    }

    /// Puts a mask on each line of the hidden text; line ends stay, so that line numbers do.
    fn hide(&mut self, text: &str, hidden: Span) {
        let mut start = hidden.start;
        for line in hidden.of(text).split_inclusive('\n') {
            let body = line.trim_end_matches(['\n', '\r']);
            if !body.is_empty() {
                self.push(MASK, Span::new(start, start + body.len()), false);
            }
            let end = start + line.len();
            if end > start + body.len() {
                self.push("\n", Span::new(start + body.len(), end), false);
            }
            start = end;
        }
    }

    fn keep(&mut self, shown: &str, span: Span) {
        if !span.is_empty() {
            self.push(shown, span, true);
        }
    }

    fn push(&mut self, text: &str, original: Span, kept: bool) {
        let start = self.text.len();
        self.text.push_str(text);
        self.parts.push(Part {
            original,
            copy: Span::new(start, self.text.len()),
            kept,
        });
    }

    fn moved(&self, span: Span) -> Span {
        let start = self.moved_offset(span.start, false);
        let end = self.moved_offset(span.end, true);
        Span::new(start, end.max(start))
    }

    fn moved_offset(&self, offset: usize, is_end: bool) -> usize {
        let index = self.parts.partition_point(|part| {
            part.original.end < offset || (!is_end && part.original.end == offset)
        });
        let Some(Part {
            original,
            copy,
            kept,
        }) = self.parts.get(index)
        else {
            return self.text.len();
        };
        if *kept {
            copy.start + offset.clamp(original.start, original.end) - original.start
        } else if is_end && offset > original.start {
            copy.end
        } else {
            copy.start
        }
    }
}

/// All texts of one run, in the order in which they were read.
#[derive(Default, Clone)]
pub struct Sources {
    sources: Vec<Source>,
}

impl Sources {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a text in, wholly masked, and gives its id.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let text = text.into();
        let line_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0)
            .chain(line_ends.map(|(offset, _)| offset + 1))
            .collect();
        let id = SourceId::new(self.sources.len());
        self.sources.push(Source {
            name: name.into(),
            text,
            line_starts,
            shown: Vec::new(),
        });
        id
    }

    /// The source of that id, or `None` for an id of another set.
    #[must_use]
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(id.index())
    }

    /// The same, to mark what may be shown.
    pub fn get_mut(&mut self, id: SourceId) -> Option<&mut Source> {
        self.sources.get_mut(id.index())
    }

    /// The text of a source; `""` for an id of another set.
    #[must_use]
    pub fn text(&self, id: SourceId) -> &str {
        self.get(id).map_or("", Source::text)
    }

    /// `file:line:column` of a place.
    #[must_use]
    pub fn locate(&self, place: Place) -> String {
        self.get(place.source).map_or_else(String::new, |source| {
            let Position { line, column } = source.position(place.span.start);
            format!("{}:{line}:{column}", source.name())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn source(text: &str, shown: &[(usize, usize)]) -> Source {
        let mut sources = Sources::new();
        let id = sources.add("f", text);
        let source = sources.get_mut(id).unwrap();
        source.reveal(
            shown
                .iter()
                .map(|(start, end)| Span::new(*start, *end))
                .collect(),
        );
        sources.sources.remove(0)
    }

    fn check(text: &str, shown: &[(usize, usize)], span: (usize, usize), expected: (&str, &str)) {
        let source = source(text, shown);
        let (excerpt, moved) =
            source.excerpt(Span::new(0, text.len()), &[Span::new(span.0, span.1)]);
        assert_eq!((excerpt.as_str(), moved[0].of(&excerpt)), expected);
    }

    #[test]
    fn unrevealed_text_is_masked_line_by_line() {
        check("A=secret\nB=x\n", &[], (0, 8), ("…\n…\n", "…"));
        check(
            "A=secret\nB=x\n",
            &[(0, 2), (9, 11)],
            (0, 1),
            ("A=…\nB=…\n", "A"),
        );
        check(
            "A=secret\nB=x\n",
            &[(0, 2), (9, 11)],
            (2, 8),
            ("A=…\nB=…\n", "…"),
        );
        check(
            "A=secret\nB=x\n",
            &[(0, 2), (9, 11)],
            (4, 5),
            ("A=…\nB=…\n", "…"),
        );
        check(
            "A=secret\nB=x\n",
            &[(0, 2), (9, 11)],
            (0, 11),
            ("A=…\nB=…\n", "A=…\nB="),
        );
    }

    #[test]
    fn a_mask_as_long_as_what_it_hides_has_no_insides() {
        for length in 1..6 {
            let text = format!("A={}\n", "x".repeat(length));
            for start in 2..2 + length {
                check(&text, &[(0, 2)], (start, start + 1), ("A=…\n", "…"));
            }
        }
    }

    #[test]
    fn a_carriage_return_does_not_count_as_text() {
        check("A=1\r\nB\r\n", &[(0, 2)], (5, 6), ("A=…\n…\n", "…"));
    }

    #[test]
    fn positions_count_characters_from_one() {
        let source = source("é=1\nab", &[]);
        assert_eq!(source.position(2), Position { line: 1, column: 2 });
        assert_eq!(source.position(5), Position { line: 2, column: 1 });
        assert_eq!(source.position(99), Position { line: 2, column: 3 });
    }

    proptest! {
        #[test]
        fn a_hidden_character_never_shows(names in proptest::collection::vec("[A-Z]{1,6}", 1..8), hidden in "[a-z ]{1,20}") {
            let mut text = String::new();
            let mut shown = Vec::new();
            for name in &names {
                shown.push(Span::new(text.len(), text.len() + name.len() + 1));
                text.push_str(&format!("{name}={hidden}\n"));
            }
            let mut sources = Sources::new();
            let id = sources.add("f", text.clone());
            sources.get_mut(id).unwrap().reveal(shown.clone());
            let (excerpt, moved) = sources.get(id).unwrap().excerpt(Span::new(0, text.len()), &shown);
            prop_assert!(!excerpt.chars().any(|c| c.is_lowercase()));
            for (span, moved) in shown.iter().zip(moved) {
                prop_assert_eq!(span.of(&text), moved.of(&excerpt));
            }
        }
    }
}
