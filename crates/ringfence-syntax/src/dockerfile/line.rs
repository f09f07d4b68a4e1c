//! Logical lines: joined by escape characters, without comments, here-documents passed over.

use ringfence_diagnostic::Span;

use super::characters::Characters;
use super::word;

/// One instruction.
pub(super) struct Line<'t> {
    /// The keyword, in capitals.
    pub(super) keyword: String,
    /// All that follows it, without the white space before.
    pub(super) arguments: Characters<'t>,
    /// From the keyword to the end of the text, here-documents included.
    pub(super) span: Span,
}

/// The instructions of a file, one after the other.
pub(super) struct Lines<'t> {
    characters: Characters<'t>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            characters: Characters::new(text),
        }
    }

    pub(super) fn next_line(&mut self) -> Option<Line<'t>> {
        self.characters.skip_blank_and_comments();
        let mut rest = self.characters.after(self.characters.offset);
        let start = rest.offset;
        if rest.is_at_end() {
            return None;
        }
        let keyword = word::plain(&rest).next();
        let keyword_end = keyword.as_ref().map_or(start, |word| word.span.end);
        let keyword = keyword.map_or(String::new(), |word| word.text.to_ascii_uppercase());
        let mut arguments = rest.after(keyword_end);
        let mut end = keyword_end;
        for (offset, character) in rest.by_ref() {
            if !character.is_whitespace() {
                end = end.max(offset + character.len_utf8());
            }
        }
        arguments.limit = end;
        rest.raw_line();
        if matches!(keyword.as_str(), "RUN" | "COPY" | "ADD") {
            for word in word::quoted(&arguments) {
                if let Some(here_document) = here_document(&word.text) {
                    end = here_document.skip(&mut rest).max(end);
                }
            }
        }
        self.characters.offset = rest.offset;
        Some(Line {
            keyword,
            arguments,
            span: Span::new(start, end),
        })
    }
}

/// The end of a here-document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HereDocument {
    terminator: String,
    /// `<<-`: tabs at the beginning of lines do not count.
    is_indented: bool,
}

/// The here-document that a word begins: `<<NAME`, with a number before or quotes around the name.
pub(super) fn here_document(word: &str) -> Option<HereDocument> {
    let rest = word
        .trim_start_matches(|character: char| character.is_ascii_digit())
        .strip_prefix("<<")?;
    let (rest, is_indented) = match rest.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let terminator: String = rest.chars().filter(|c| !matches!(c, '"' | '\'')).collect();
    let is_one = !terminator.is_empty() && !rest.contains('<');
    is_one.then_some(HereDocument {
        terminator,
        is_indented,
    })
}

impl HereDocument {
    /// Moves behind this here-document, whose first line is next, and gives where its last line's text ends.
    fn skip(&self, characters: &mut Characters) -> usize {
        loop {
            let (line, end) = characters.raw_line();
            let content = if self.is_indented {
                line.trim_start_matches('\t')
            } else {
                line
            };
            if content == self.terminator || characters.is_at_end() {
                return end;
            }
        }
    }
}
