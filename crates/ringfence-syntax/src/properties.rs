//! Java's `.properties` files (`application-prod.properties`): names and values with spans.
//!
//! ```text
//! file     = [ UTF-8 byte order mark ] { blank | comment | entry }
//! comment  = spaces , ( "#" | "!" ) , any text , line end
//! entry    = spaces , key , separator , value , line end
//! key      = { character that is no space, "=" or ":" | escape }
//! separator = spaces , [ "=" | ":" ] , spaces
//! value    = { any character | escape }
//! escape   = "\t" | "\n" | "\r" | "\f" | "\uXXXX" | "\" , any other character, which stands for itself
//! ```
//!
//! Spaces are U+0020, U+0009 and U+000C; a line ends with LF, CR or CRLF. A backslash at the end of a line joins the
//! next to it, without its leading spaces; a comment is never joined. White space at the end of a value belongs to the
//! value, as in Java, but not to its span. The grammar is the one of `java.util.Properties.load(Reader)` in the Java
//! API documentation. Two things differ, because a reader of strangers' files should not stop: a `\u` without four
//! hexadecimal digits is the letter `u`, and a line without a key is left out. A surrogate without its other half is
//! U+FFFD.
//!
//! Spring Boot divides a file into documents with lines of `#---` or `!---` ("Working With Multi-Document Files" in
//! its reference); every entry says which document it is in, so that a name in two documents is no repetition.
//!
//! ```
//! use ringfence_syntax::properties;
//!
//! let text = "# the database\nspring.datasource.url = jdbc\\:h2:mem\n";
//! let entries = properties::parse(text);
//! assert_eq!(entries[0].key, "spring.datasource.url");
//! assert_eq!(entries[0].value, "jdbc:h2:mem");
//! assert_eq!(entries[0].value_span.of(text), "jdbc\\:h2:mem");
//! ```

use ringfence_diagnostic::Span;

/// One name and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, escapes resolved; never empty.
    pub key: String,
    /// The name as written.
    pub key_span: Span,
    /// The value, escapes resolved and lines joined.
    pub value: String,
    /// The value as written, without white space at its ends; it may span several lines.
    pub value_span: Span,
    /// In which document of the file it stands, from 0.
    pub document: usize,
}

/// The entries of a file, in order; text that is none is passed over.
#[must_use]
pub fn parse(text: &str) -> Vec<Entry> {
    let mut reader = Reader { text, offset: 0 };
    let mut entries = Vec::new();
    let mut document = 0;
    if text.starts_with('\u{feff}') {
        reader.offset = '\u{feff}'.len_utf8();
    }
    while reader.offset < text.len() {
        let start = reader.offset;
        reader.skip_spaces();
        match reader.byte() {
            Some(b'#' | b'!') => {
                let begins_line = reader.offset == start;
                let comment = reader.comment();
                if begins_line && divides(comment.of(text)) {
                    document += 1;
                }
            }
            _ => entries.extend(reader.entry(document)),
        }
        reader.skip_line_end();
    }
    entries
}

/// Whether a comment at the very beginning of a line ends a document.
fn divides(comment: &str) -> bool {
    matches!(comment.trim_end(), "#---" | "!---")
}

/// A character of the joined, unescaped line, and where it was written.
#[derive(Clone, Copy)]
struct Unit {
    character: char,
    escaped: bool,
    span: Span,
}

impl Unit {
    fn is_space(self) -> bool {
        !self.escaped && matches!(self.character, ' ' | '\t' | '\u{c}')
    }

    fn is_sign(self) -> bool {
        !self.escaped && matches!(self.character, '=' | ':')
    }
}

struct Reader<'t> {
    text: &'t str,
    offset: usize,
}

impl Reader<'_> {
    fn entry(&mut self, document: usize) -> Option<Entry> {
        let (key, key_span) = self.collect(|unit| !unit.is_space() && !unit.is_sign());
        self.collect(Unit::is_space);
        if let Some(unit) = self.peek().filter(|unit| unit.is_sign()) {
            self.offset = unit.span.end;
        }
        self.collect(Unit::is_space);
        let (value, value_span) = self.collect(|_| true);
        (!key.is_empty()).then_some(Entry {
            key,
            key_span,
            value,
            value_span,
            document,
        })
    }

    /// The characters from here on that are `wanted`; the span leaves out white space at the end.
    fn collect(&mut self, wanted: impl Fn(Unit) -> bool) -> (String, Span) {
        let mut text = String::new();
        let mut span = None;
        while let Some(unit) = self.peek().filter(|unit| wanted(*unit)) {
            self.offset = unit.span.end;
            text.push(unit.character);
            let known = span.get_or_insert(Span::at(unit.span.start));
            if !unit.is_space() {
                known.end = unit.span.end;
            }
        }
        (text, span.unwrap_or(Span::at(self.offset)))
    }

    /// The next character of the logical line; moves over joined line ends, but not over the character.
    fn peek(&mut self) -> Option<Unit> {
        loop {
            let mut characters = self.text.get(self.offset..)?.chars();
            let character = characters.next()?;
            let start = self.offset;
            let unit = |character: char, escaped, length: usize| {
                Some(Unit {
                    character,
                    escaped,
                    span: Span::new(start, start + length),
                })
            };
            match (character, characters.next()) {
                ('\n' | '\r', _) => return None,
                ('\\', None) => {
                    self.offset = self.text.len();
                    return None;
                }
                ('\\', Some('\n' | '\r')) => {
                    self.offset += 1;
                    self.skip_line_end();
                    self.skip_spaces();
                }
                ('\\', Some('u')) => {
                    let (character, length) = self.unicode();
                    return unit(character, true, length);
                }
                ('\\', Some(escaped)) => {
                    return unit(unescaped(escaped), true, 1 + escaped.len_utf8());
                }
                _ => return unit(character, false, character.len_utf8()),
            }
        }
    }

    /// The character that the `\uXXXX` here means, and the escape's length; two escapes can make one character.
    fn unicode(&self) -> (char, usize) {
        const LENGTH: usize = "\\uXXXX".len();
        let Some(first) = self.code_unit(self.offset) else {
            return ('u', "\\u".len());
        };
        let second = self.code_unit(self.offset + LENGTH);
        let pair = [first, second.unwrap_or(0)];
        match char::decode_utf16(pair).next() {
            Some(Ok(character)) if character.len_utf16() == 2 => (character, 2 * LENGTH),
            Some(Ok(character)) => (character, LENGTH),
            _ => (char::REPLACEMENT_CHARACTER, LENGTH),
        }
    }

    /// The number in the `\uXXXX` at `offset`, if there is one.
    fn code_unit(&self, offset: usize) -> Option<u16> {
        let escape = self.text.get(offset..)?;
        let digits = escape.strip_prefix("\\u")?.get(..4)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| is_number)
    }

    fn comment(&mut self) -> Span {
        let rest = self.text.as_bytes().get(self.offset..).unwrap_or_default();
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let comment = Span::new(self.offset, self.offset + length);
        self.offset = comment.end;
        comment
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    fn skip_spaces(&mut self) {
        while let Some(b' ' | b'\t' | 0xc) = self.byte() {
            self.offset += 1;
        }
    }

    fn skip_line_end(&mut self) {
        let is_return = self.byte() == Some(b'\r');
        self.offset += usize::from(is_return);
        self.offset += usize::from(self.byte() == Some(b'\n'));
    }
}

/// What the character after a backslash stands for.
fn unescaped(character: char) -> char {
    match character {
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        'f' => '\u{c}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every entry as `key=value`, with the text of the value's span where it differs.
    fn check(input: &str, expected: &str) {
        let entries: Vec<String> = parse(input)
            .iter()
            .map(|entry| {
                let raw = entry.value_span.of(input);
                let written = if raw == entry.value {
                    String::new()
                } else {
                    format!("<{raw}>")
                };
                format!("{}={}{written}", entry.key, entry.value)
            })
            .collect();
        assert_eq!(entries.join(" | "), expected, "{input:?}");
    }

    #[test]
    fn separators() {
        check("a=1\nb: 2\nc 3\nd\t=\t4\ne", "a=1 | b=2 | c=3 | d=4 | e=");
        check("a==b\nc=:d\ne f = g", "a==b | c=:d | e=f = g");
        check("\u{feff}a=1\r\nb=2\rc=3", "a=1 | b=2 | c=3");
        check("= nobody\n\n:x", "");
    }

    #[test]
    fn comments() {
        check("# a=1\n  ! b=2 \\\nc=3 # not one", "c=3 # not one");
    }

    #[test]
    fn white_space_at_the_end_belongs_to_the_value() {
        check("a = b  \nc=\\ ", "a=b  <b> | c= <\\ >");
    }

    #[test]
    fn joined_lines() {
        check("a=1,\\\n   2,\\\r\n\t3", "a=1,2,3<1,\\\n   2,\\\r\n\t3>");
        check("a\\\n b=1", "ab=1");
        check("a=b\\\n# c", "a=b# c<b\\\n# c>");
        check("a=b\\\\\nc=d", "a=b\\<b\\\\> | c=d");
        check("a=b\\\n\nc=d", "a=b | c=d");
        check("a=b\\", "a=b");
    }

    #[test]
    fn escapes() {
        check("a\\ b\\:c\\=d=e", "a b:c=d=e");
        check(
            "a=\\u00e9\\ud83d\\ude00\\q",
            "a=é😀q<\\u00e9\\ud83d\\ude00\\q>",
        );
        check("a=\\ud83d\\u00ZZ", "a=\u{fffd}u00ZZ<\\ud83d\\u00ZZ>");
        check("a=\\u+123", "a=u+123<\\u+123>");
    }

    #[test]
    fn documents() {
        let text = "a=1\n#---\na=2\n !---\na=3\n!--- \na=4\n#--- x\na=5";
        let documents: Vec<usize> = parse(text).iter().map(|entry| entry.document).collect();
        assert_eq!(documents, [0, 1, 1, 2, 2]);
    }

    #[test]
    fn a_line_of_ten_million_characters() {
        let text = "\\\\\\:\\\n".repeat(2_000_000);
        assert_eq!(parse(&text).len(), 1);
    }

    proptest! {
        #[test]
        fn spans_lie_on_character_boundaries(text in "[ab=: \\\\#!u0d8\n\ré😀\u{c}]{0,60}") {
            for entry in parse(&text) {
                prop_assert!(text.get(entry.key_span.start..entry.key_span.end).is_some());
                prop_assert!(text.get(entry.value_span.start..entry.value_span.end).is_some());
                if !entry.key_span.of(&text).contains('\\') {
                    prop_assert_eq!(entry.key_span.of(&text), entry.key);
                }
                if !entry.value_span.of(&text).contains('\\') {
                    let trimmed = entry.value.trim_end_matches([' ', '\t', '\u{c}']);
                    prop_assert_eq!(entry.value_span.of(&text), trimmed);
                }
            }
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
