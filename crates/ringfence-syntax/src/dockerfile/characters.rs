//! The characters of one logical line: joined by escape characters, without the comments between.

/// The characters of a logical line with their offsets: what joins two lines, and the comments between, are left out.
#[derive(Clone)]
pub(super) struct Characters<'t> {
    text: &'t str,
    pub(super) offset: usize,
    /// Where the line's text ends at the latest: white space after it is none of an unclosed quote's.
    pub(super) limit: usize,
    pub(super) escape: char,
    /// Whether the character before was an escape character: then this one does not join lines.
    after_escape: bool,
}

impl<'t> Characters<'t> {
    /// The characters of a file's first logical line.
    pub(super) fn new(text: &'t str) -> Self {
        let content = text.strip_prefix('\u{feff}').unwrap_or(text);
        let escape = if has_back_quote_as_escape(content) {
            '`'
        } else {
            '\\'
        };
        Self {
            text,
            offset: text.len() - content.len(),
            limit: text.len(),
            escape,
            after_escape: false,
        }
    }

    /// Whether nothing of the file is left.
    pub(super) const fn is_at_end(&self) -> bool {
        self.offset >= self.text.len()
    }

    /// Moves over the rest of this physical line, and gives its text and where that ends.
    pub(super) fn raw_line(&mut self) -> (&'t str, usize) {
        let rest = self.rest();
        let start = self.offset;
        self.skip_to_line_end();
        let line = rest
            .get(..self.offset - start)
            .unwrap_or("")
            .trim_end_matches('\r');
        self.skip_line_end();
        (line, start + line.len())
    }

    /// The characters from the first at or after `offset` that is no white space.
    pub(super) fn after(&self, offset: usize) -> Self {
        let mut from = Self {
            offset,
            after_escape: false,
            ..self.clone()
        };
        let mut next = from.clone();
        while next
            .next()
            .is_some_and(|(_, character)| character.is_whitespace())
        {
            from = next.clone();
        }
        from.skip_joints();
        from
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.offset..).unwrap_or("")
    }

    /// Moves over everything that joins this line to the next, and to the one after.
    fn skip_joints(&mut self) {
        while let Some(length) = self.joint() {
            self.offset += length;
            self.skip_blank_and_comments();
        }
    }

    /// Length of the escape character, the spaces and the line end here.
    fn joint(&self) -> Option<usize> {
        if self.after_escape {
            return None;
        }
        let rest = self.rest().strip_prefix(self.escape)?;
        let after = rest.trim_start_matches([' ', '\t', '\r']);
        let is_last = after.is_empty();
        let length = self.escape.len_utf8() + rest.len() - after.len();
        (is_last || after.starts_with('\n')).then_some(length + usize::from(!is_last))
    }

    /// From the beginning of a line to the first that is neither blank nor a comment; its indentation is kept, because
    /// it divides words.
    pub(super) fn skip_blank_and_comments(&mut self) {
        loop {
            let rest = self.rest();
            let text = rest.trim_start_matches(|c: char| c.is_whitespace() && c != '\n');
            if !text.is_empty() && !text.starts_with(['#', '\n']) {
                return;
            }
            self.offset += rest.len() - text.len();
            self.skip_to_line_end();
            self.skip_line_end();
            if self.rest().is_empty() {
                return;
            }
        }
    }

    fn skip_to_line_end(&mut self) {
        let rest = self.rest();
        self.offset += memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
    }

    fn skip_line_end(&mut self) {
        self.offset += usize::from(self.rest().starts_with('\n'));
    }
}

impl Iterator for Characters<'_> {
    type Item = (usize, char);

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_joints();
        if self.offset >= self.limit {
            return None;
        }
        let character = self.rest().chars().next().filter(|c| *c != '\n')?;
        let offset = self.offset;
        self.offset += character.len_utf8();
        self.after_escape = character == self.escape;
        Some((offset, character))
    }
}

/// Whether a directive before everything else says so.
fn has_back_quote_as_escape(text: &str) -> bool {
    let directives = text.lines().map_while(|line| {
        let (name, value) = line.trim().strip_prefix('#')?.split_once('=')?;
        let name = name.trim();
        let is_known = ["syntax", "escape", "check"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known));
        is_known.then_some((name, value.trim()))
    });
    directives
        .filter(|(name, _)| name.eq_ignore_ascii_case("escape"))
        .any(|(_, value)| value == "`")
}
