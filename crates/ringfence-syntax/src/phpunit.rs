//! `phpunit.xml`: the environment variables that PHPUnit sets before it runs a project's tests.
//!
//! ```text
//! <php>
//!     <env name="APP_ENV" value="testing" force="true"/>
//!     <server name="DB_DATABASE" value="test"/>
//! </php>
//! ```
//!
//! Read are the elements `env` and `server` inside `php`, as the chapter "The XML Configuration File" of PHPUnit's
//! manual has them. Attributes stand in any order and in either kind of quotes; the five entities of XML and numeric
//! character references are resolved; comments, CDATA sections, processing instructions and the document type are
//! passed over. This is a scanner of tags and attributes and no XML library, on purpose: without entity definitions
//! and external documents there is nothing to expand and nothing to fetch, and a document that is not well-formed
//! still gives what can be read of it. A tag that does not end before the next `<` is passed over.
//!
//! ```
//! use ringfence_syntax::phpunit;
//!
//! let text = r#"<phpunit><php><env name="APP_NAME" value="Q&amp;A"/></php></phpunit>"#;
//! let entries = phpunit::parse(text);
//! assert_eq!(entries[0].name, "APP_NAME");
//! assert_eq!(entries[0].value, "Q&A");
//! assert_eq!(entries[0].value_span.of(text), "Q&amp;A");
//! ```

use ringfence_diagnostic::Span;

/// One variable that PHPUnit sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, entities resolved; never empty.
    pub name: String,
    /// The name as written, inside its quotes.
    pub name_span: Span,
    /// The value, entities resolved; empty where the attribute is missing.
    pub value: String,
    /// The value as written, inside its quotes; empty, after the tag's name, where the attribute is missing.
    pub value_span: Span,
    /// Whether the value replaces one that the environment already has.
    pub force: bool,
}

/// The `env` and `server` elements inside `php`, in order.
#[must_use]
pub fn parse(text: &str) -> Vec<Entry> {
    let mut scanner = Scanner { text, offset: 0 };
    let mut entries = Vec::new();
    let mut inside = false;
    while let Some(tag) = scanner.tag() {
        match tag.name.of(text) {
            "php" => inside = !tag.closes && !tag.is_empty,
            "env" | "server" if inside && !tag.closes => entries.extend(tag.entry(text)),
            _ => {}
        }
    }
    entries
}

/// `<name attribute="value">`, `<name/>` or `</name>`.
struct Tag {
    name: Span,
    /// The three attributes that are of interest: the inside of their quotes.
    variable: Option<Span>,
    value: Option<Span>,
    force: Option<Span>,
    closes: bool,
    is_empty: bool,
}

impl Tag {
    fn entry(&self, text: &str) -> Option<Entry> {
        let name_span = self.variable.filter(|span| !span.is_empty())?;
        let value_span = self.value.unwrap_or(Span::at(self.name.end));
        Some(Entry {
            name: decoded(name_span.of(text)),
            name_span,
            value: decoded(value_span.of(text)),
            value_span,
            force: self.force.is_some_and(|span| {
                let force = span.of(text);
                force.eq_ignore_ascii_case("true")
            }),
        })
    }
}

struct Scanner<'t> {
    text: &'t str,
    offset: usize,
}

impl Scanner<'_> {
    /// The next complete tag.
    fn tag(&mut self) -> Option<Tag> {
        loop {
            self.offset += memchr::memchr(b'<', self.rest().as_bytes())?;
            let rest = self.rest();
            let end = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")]
                .iter()
                .find(|(begin, _)| rest.starts_with(begin))
                .map(|(_, end)| *end);
            if let Some(end) = end {
                self.offset += rest.find(end)? + end.len();
            } else if rest.starts_with("<!") {
                self.skip_document_type()?;
            } else {
                self.offset += 1;
                if let Some(tag) = self.inside_tag() {
                    return Some(tag);
                }
            }
        }
    }

    /// `<!DOCTYPE phpunit [ … ]>`: to its end; with definitions in brackets, to the end of these.
    fn skip_document_type(&mut self) -> Option<()> {
        let rest = self.rest();
        let end = match rest.find(['>', '['])? {
            bracket if rest.as_bytes().get(bracket) == Some(&b'[') => rest.find(']')?,
            end => end,
        };
        self.offset += end + 1;
        Some(())
    }

    /// The tag whose `<` was just read; nothing where it does not end.
    fn inside_tag(&mut self) -> Option<Tag> {
        let closes = self.take(b'/');
        let mut tag = Tag {
            name: self.name(),
            variable: None,
            value: None,
            force: None,
            closes,
            is_empty: false,
        };
        loop {
            self.skip_spaces();
            match self.byte()? {
                b'>' => {
                    self.offset += 1;
                    return Some(tag);
                }
                b'<' => return None,
                b'/' => {
                    self.offset += 1;
                    tag.is_empty = self.byte() == Some(b'>');
                }
                _ => self.attribute(&mut tag)?,
            }
        }
    }

    /// `name="value"`; a name without a value, or a stray character, is passed over.
    fn attribute(&mut self, tag: &mut Tag) -> Option<()> {
        let name = self.name();
        if name.is_empty() {
            self.offset += self.rest().chars().next()?.len_utf8();
            return Some(());
        }
        self.skip_spaces();
        if !self.take(b'=') {
            return Some(());
        }
        self.skip_spaces();
        let quote = self.byte().filter(|byte| matches!(byte, b'"' | b'\''));
        let Some(quote) = quote else {
            return Some(());
        };
        let start = self.offset + 1;
        let rest = self.text.as_bytes().get(start..)?;
        // No `<` may stand in a value: one that does is the next tag, after a quote that was never closed.
        let length = memchr::memchr2(quote, b'<', rest)?;
        self.offset = start + length;
        if !self.take(quote) {
            return None;
        }
        let value = Span::new(start, start + length);
        match name.of(self.text) {
            "name" => tag.variable.get_or_insert(value),
            "value" => tag.value.get_or_insert(value),
            "force" => tag.force.get_or_insert(value),
            _ => return Some(()),
        };
        Some(())
    }

    fn name(&mut self) -> Span {
        let start = self.offset;
        let length = self.rest().find(|character: char| {
            character.is_whitespace()
                || matches!(character, '=' | '>' | '/' | '<' | '"' | '\'' | '&')
        });
        self.offset += length.unwrap_or(self.rest().len());
        Span::new(start, self.offset)
    }

    fn skip_spaces(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.byte() {
            self.offset += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> bool {
        let is_there = self.byte() == Some(wanted);
        self.offset += usize::from(is_there);
        is_there
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.offset..).unwrap_or("")
    }
}

/// The value that an attribute's text stands for: entities resolved, tabs and line ends as spaces.
fn decoded(raw: &str) -> String {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(character) = rest.chars().next() {
        let (character, length) = match character {
            '&' => entity(rest).unwrap_or(('&', 1)),
            '\r' if rest.starts_with("\r\n") => (' ', 2),
            '\t' | '\n' | '\r' => (' ', 1),
            other => (other, other.len_utf8()),
        };
        value.push(character);
        rest = rest.get(length..).unwrap_or("");
    }
    value
}

/// The character that the entity at the beginning of `text` stands for, and its length.
fn entity(text: &str) -> Option<(char, usize)> {
    // The longest is `&#x10ffff;`, with room for leading zeros.
    const LONGEST: usize = 16;
    let end = text.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let name = text.get(1..end)?;
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => char::from_u32(number(name.strip_prefix('#')?)?)?,
    };
    Some((character, end + 1))
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix('x') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u32::from_str_radix(digits, 16).ok()
        }
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every entry as `name=value`, with `!` where it is forced; `input` stands inside `<php>`.
    fn check(input: &str, expected: &str) {
        check_document(&format!("<phpunit><php>{input}</php></phpunit>"), expected);
    }

    fn check_document(input: &str, expected: &str) {
        let entries: Vec<String> = parse(input)
            .iter()
            .map(|entry| {
                let force = if entry.force { "!" } else { "" };
                format!("{}={}{force}", entry.name, entry.value)
            })
            .collect();
        assert_eq!(entries.join(" | "), expected, "{input:?}");
    }

    #[test]
    fn a_usual_document() {
        check_document(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE phpunit [ <!ENTITY a "<php><env name='X'/></php>"> ]>
<phpunit xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" bootstrap="vendor/autoload.php" colors="true">
    <testsuites><testsuite name="Unit"><directory>tests/Unit</directory></testsuite></testsuites>
    <php>
        <ini name="error_reporting" value="-1"/>
        <!-- <env name="DB_CONNECTION" value="sqlite"/> -->
        <env name="APP_ENV" value="testing" force="true"/>
        <server
            value='array'
            name='CACHE_DRIVER'
        />
        <env name="EMPTY"></env>
    </php>
    <env name="OUTSIDE" value="1"/>
</phpunit>"#,
            "APP_ENV=testing! | CACHE_DRIVER=array | EMPTY=",
        );
    }

    #[test]
    fn entities() {
        check(
            r#"<env name="A" value="&lt;&amp;amp;&#65;&#x42;&quot;&nope;&#xd800;&"/>"#,
            "A=<&amp;AB\"&nope;&#xd800;&",
        );
        check("<env name='A' value='a>b\r\n\tc'/>", "A=a>b  c");
    }

    #[test]
    fn what_is_not_well_formed() {
        check(r#"<env name="A" value="1><env name="B" value="2"/>"#, "B=2");
        check(r#"<env name="A" value=1 & force /><env value="x"/>"#, "A=");
        check(r#"<env name="A" name="B" value="1"#, "");
        check_document("<php><env name='A' value='1'/><!-- <env name='B'/>", "A=1");
        check_document("<php/><env name='A'/><php><env name='B'/", "");
    }

    #[test]
    fn spans_are_inside_the_quotes() {
        let text = "<php><env value='&lt;' name=\"A\"/></php>";
        let entries = parse(text);
        let entry = entries.first().unwrap();
        assert_eq!(entry.name_span.of(text), "A");
        assert_eq!(entry.value_span.of(text), "&lt;");
    }

    #[test]
    fn long_documents() {
        for part in ["<", "<env ", "&", "<!--", "<php a='", "<![CDATA[", "/"] {
            assert!(parse(&part.repeat(1_000_000)).is_empty());
        }
        let value = "&-------".repeat(1_250_000);
        check(
            &format!("<env name='A' value='{value}'/>"),
            &format!("A={value}"),
        );
    }

    proptest! {
        #[test]
        fn spans_lie_on_character_boundaries(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "<", ">", "/", "env", "php", " ", "name", "value", "=", "\"", "'", "é", "&amp;", "<!--", "-->",
                    "<php>", "<env name='A'", "<!D[", "]",
                ]),
                0..40,
            )
        ) {
            let text = parts.concat();
            for entry in parse(&text) {
                prop_assert!(!entry.name.is_empty());
                prop_assert_eq!(decoded(entry.name_span.of(&text)), entry.name);
                prop_assert_eq!(decoded(entry.value_span.of(&text)), entry.value);
                prop_assert!(text.get(entry.value_span.start..entry.value_span.end).is_some());
            }
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
