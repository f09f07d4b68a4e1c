//! One pass over the text, line by line.

use ringfence_diagnostic::{Diagnostic, Place, SourceId, Span};

use super::{Assignment, Line, LineKind, Parsed, Quote, Tree, Value, repeated, template};

/// Reads `text`, whose first `mark` bytes are a byte order mark.
pub(super) fn read(source: SourceId, text: &str, mark: usize) -> Parsed {
    let mut reader = Reader {
        source,
        text,
        lines: Vec::with_capacity(text.len() / 32),
        diagnostics: Vec::new(),
        unreported: 0,
        has_carriage_return: memchr::memchr(b'\r', text.as_bytes()).is_some(),
    };
    if mark > 0 {
        reader.lines.push(Line {
            span: Span::new(0, mark),
            kind: LineKind::Mark,
        });
    }
    let mut offset = mark;
    while offset < text.len() {
        offset = reader.line(offset);
    }
    let tree = Tree {
        lines: std::mem::take(&mut reader.lines),
    };
    for diagnostic in repeated::names(source, text, &tree) {
        reader.report(diagnostic);
    }
    let mut diagnostics = reader.diagnostics;
    diagnostics.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.place));
    if reader.unreported > 0 {
        diagnostics.push(too_many(source, reader.unreported));
    }
    Parsed { tree, diagnostics }
}

/// A file with more errors than this is no `.env` file; the others are counted.
const MAX_DIAGNOSTICS: usize = 50;

fn too_many(source: SourceId, more: usize) -> Diagnostic {
    Diagnostic::error(
        "too-many-errors",
        format!("the file has {more} more errors"),
    )
    .at(Place::new(source, Span::at(0)), "this file")
    .because("nothing that it says can be relied on")
    .help("look at whether it is an `.env` file at all")
}

struct Reader<'t> {
    source: SourceId,
    text: &'t str,
    lines: Vec<Line>,
    diagnostics: Vec<Diagnostic>,
    /// How many more there are.
    unreported: usize,
    has_carriage_return: bool,
}

/// Why a line cannot be read, and where the line after it begins.
type Refused = Box<(Diagnostic, usize)>;

impl Reader<'_> {
    /// Reads the line at `start` and gives the offset of the next.
    fn line(&mut self, start: usize) -> usize {
        let first = self.skip_spaces(start);
        let end = self.line_end(first);
        let kind = match self.byte(first) {
            _ if first >= end.text => LineKind::Blank,
            Some(b'#') => LineKind::Comment,
            _ => match self.assignment(start, first, end) {
                Ok((assignment, next)) => {
                    self.push(start, next, LineKind::Assignment(assignment));
                    return next;
                }
                Err(refused) => {
                    let (diagnostic, next) = *refused;
                    self.report(diagnostic);
                    self.push(start, next, LineKind::Invalid);
                    return next;
                }
            },
        };
        self.push(start, end.next, kind);
        end.next
    }

    /// Keeps a diagnostic, or counts it where there are enough.
    fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MAX_DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        } else {
            self.unreported += 1;
        }
    }

    fn push(&mut self, start: usize, end: usize, kind: LineKind) {
        self.lines.push(Line {
            span: Span::new(start, end),
            kind,
        });
    }

    fn assignment(
        &mut self,
        start: usize,
        first: usize,
        end: LineEnd,
    ) -> Result<(Assignment, usize), Refused> {
        let name = self.name(self.skip_export(first));
        let equals = self.skip_spaces(name.end);
        if name.is_empty() || self.byte(equals) != Some(b'=') {
            return Err(Box::new((
                self.no_assignment(Span::new(first, end.text)),
                end.next,
            )));
        }
        let head = Span::new(start, equals + 1);
        let begin = self.skip_spaces(equals + 1);
        let (value, comment, next) = match self.byte(begin) {
            Some(b'\'') => self.quoted(name, begin, Quote::Single)?,
            Some(b'"') => self.quoted(name, begin, Quote::Double)?,
            Some(b'`') => return Err(Box::new((self.back_quote(name, begin), end.next))),
            _ => self.unquoted(equals + 1, begin, end)?,
        };
        if value.quote != Quote::Single {
            for problem in template::problems(self.text, value.inner, value.quote) {
                self.report(problem.diagnostic(self.source, name.of(self.text)));
            }
        }
        Ok((
            Assignment {
                name,
                head,
                value,
                comment,
            },
            next,
        ))
    }

    /// `export` counts as such only before white space and something that is not the `=`.
    fn skip_export(&self, first: usize) -> usize {
        const EXPORT: &str = "export";
        let rest = self.text.get(first..).unwrap_or("");
        let after = first + EXPORT.len();
        if rest.starts_with(EXPORT) && matches!(self.byte(after), Some(b' ' | b'\t')) {
            let name = self.skip_spaces(after);
            if self.byte(name) != Some(b'=') {
                return name;
            }
        }
        first
    }

    fn name(&self, start: usize) -> Span {
        let bytes = self.text.as_bytes().get(start..).unwrap_or_default();
        let length = bytes
            .iter()
            .take_while(|byte| template::is_name_byte(**byte))
            .count();
        let begins_well = bytes
            .first()
            .is_some_and(|byte| template::begins_name(*byte));
        Span::new(start, if begins_well { start + length } else { start })
    }

    fn unquoted(
        &mut self,
        after_equals: usize,
        begin: usize,
        end: LineEnd,
    ) -> Result<(Value, Option<Span>, usize), Refused> {
        let line = self.text.get(after_equals..end.text).unwrap_or("");
        let comment = comment_in(line).map(|offset| after_equals + offset);
        let until = comment.unwrap_or(end.text);
        let raw = self.text.get(begin..until).unwrap_or("");
        let inner = Span::new(begin, begin + raw.trim_end_matches([' ', '\t']).len());
        if self.has_carriage_return
            && let Some(offset) = memchr::memchr(b'\r', inner.of(self.text).as_bytes())
        {
            return Err(Box::new((self.carriage_return(begin + offset), end.next)));
        }
        if has_invisible_end(inner.of(self.text)) {
            return Err(Box::new((self.invisible_white_space(inner), end.next)));
        }
        let value = Value {
            span: inner,
            inner,
            quote: Quote::None,
        };
        Ok((
            value,
            comment.map(|offset| Span::new(offset, end.text)),
            end.next,
        ))
    }

    fn quoted(
        &mut self,
        name: Span,
        open: usize,
        quote: Quote,
    ) -> Result<(Value, Option<Span>, usize), Refused> {
        let rest = self.text.as_bytes().get(open + 1..).unwrap_or_default();
        let Some(length) = closing(rest, quote) else {
            return Err(Box::new((self.unterminated(name, open), self.text.len())));
        };
        let inner = Span::new(open + 1, open + 1 + length);
        let value = Value {
            span: Span::new(open, inner.end + 1),
            inner,
            quote,
        };
        let end = self.line_end(value.span.end);
        let after = self.skip_spaces(value.span.end);
        if after >= end.text {
            return Ok((value, None, end.next));
        }
        if self.byte(after) == Some(b'#') && after > value.span.end {
            return Ok((value, Some(Span::new(after, end.text)), end.next));
        }
        Err(Box::new((
            self.text_after_quote(name, value, Span::new(after, end.text)),
            end.next,
        )))
    }

    fn byte(&self, offset: usize) -> Option<u8> {
        self.text.as_bytes().get(offset).copied()
    }

    fn skip_spaces(&self, mut offset: usize) -> usize {
        while let Some(b' ' | b'\t') = self.byte(offset) {
            offset += 1;
        }
        offset
    }

    fn line_end(&self, offset: usize) -> LineEnd {
        let rest = self.text.as_bytes().get(offset..).unwrap_or_default();
        match memchr::memchr(b'\n', rest) {
            Some(length) => {
                let end = offset + length;
                let carriage_return = length > 0 && self.byte(end - 1) == Some(b'\r');
                LineEnd {
                    text: end - usize::from(carriage_return),
                    next: end + 1,
                }
            }
            None => LineEnd {
                text: self.text.len(),
                next: self.text.len(),
            },
        }
    }

    fn place(&self, span: Span) -> Place {
        Place::new(self.source, span)
    }
}

/// Where a line's text ends, and where the next line begins.
#[derive(Clone, Copy)]
struct LineEnd {
    text: usize,
    next: usize,
}

/// The `#` that begins a comment: the first one after white space.
fn comment_in(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    memchr::memchr_iter(b'#', bytes).find(|offset| {
        let before = offset.checked_sub(1).and_then(|index| bytes.get(index));
        matches!(before, Some(b' ' | b'\t'))
    })
}

/// Length of the text before the closing quote.
fn closing(rest: &[u8], quote: Quote) -> Option<usize> {
    if quote == Quote::Single {
        return memchr::memchr(b'\'', rest);
    }
    let mut offset = 0;
    loop {
        let found = offset + memchr::memchr2(b'"', b'\\', rest.get(offset..)?)?;
        if rest.get(found) == Some(&b'"') {
            return Some(found);
        }
        offset = found + 2;
    }
}

/// White space other than space and tab, or a character without width, at either end.
fn has_invisible_end(value: &str) -> bool {
    let invisible = |character: Option<char>| {
        character.is_some_and(|c| {
            c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
        })
    };
    let ends = (value.as_bytes().first(), value.as_bytes().last());
    let plain = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_graphic);
    !(plain(ends.0) && plain(ends.1))
        && (invisible(value.chars().next()) || invisible(value.chars().next_back()))
}

/// The diagnostics of the reader: each names the thing, the place, the consequence and the way out.
impl Reader<'_> {
    fn no_assignment(&self, line: Span) -> Diagnostic {
        let text = line.of(self.text);
        let diagnostic = match text.split_once('=') {
            Some((before, _)) if !before.trim().is_empty() => {
                Diagnostic::error("invalid-name", "the text before `=` is no name of a setting")
                    .help("a name has letters, digits, `_` and `.`, and begins with a letter or `_`")
            }
            _ => Diagnostic::error("not-an-assignment", "the line is no assignment")
                .help("write `NAME=value`, begin a note with `#`, or put quotes around a value of several lines"),
        };
        diagnostic.at(self.place(line), "this line").because(
            "some loaders skip such a line in silence, others join it to the next or stop reading",
        )
    }

    fn back_quote(&self, name: Span, open: usize) -> Diagnostic {
        let name_text = name.of(self.text);
        Diagnostic::error("back-quote", format!("the value of `{name_text}` begins with a back quote"))
            .at(self.place(Span::new(open, open + 1)), "this back quote")
            .because("to some loaders it is a quotation mark, to others a part of the value, and a shell runs what it encloses")
            .help("use single quotes: they keep every character as it is, back quotes too")
    }

    fn carriage_return(&self, offset: usize) -> Diagnostic {
        Diagnostic::error(
            "stray-carriage-return",
            "a carriage return stands inside the line",
        )
        .at(self.place(Span::new(offset, offset + 1)), "here")
        .because("to some loaders it ends the line, to others it is a part of the value")
        .help("end every line with LF or CRLF; `dos2unix` or an editor's line-end setting does it")
    }

    fn invisible_white_space(&self, value: Span) -> Diagnostic {
        Diagnostic::error(
            "invisible-white-space",
            "the value begins or ends with an invisible character",
        )
        .at(
            self.place(value),
            "a no-break space, a zero-width character or the like",
        )
        .because("half of the loaders keep it and half cut it off, and nobody can see it")
        .help("delete it, or put quotes around the value to keep it")
    }

    fn unterminated(&self, name: Span, open: usize) -> Diagnostic {
        let name_text = name.of(self.text);
        Diagnostic::error("unterminated-quote", format!("the quoted value of `{name_text}` does not end"))
            .at(self.place(Span::new(open, open + 1)), "the quote that is never closed")
            .because("nothing after it can be read; other loaders take the quote as part of the value")
            .help("close the quote, or use the other kind of quote around a value that has this one in it")
    }

    fn text_after_quote(&self, name: Span, value: Value, after: Span) -> Diagnostic {
        let name_text = name.of(self.text);
        let close = Span::new(value.span.end - 1, value.span.end);
        Diagnostic::error("text-after-quote", format!("text follows the quoted value of `{name_text}`"))
            .at(self.place(after), "this text")
            .at(self.place(close), "the value ended here")
            .because("loaders drop the text, join it to the value, or keep the quotes as part of the value")
            .help("put the whole value inside one pair of quotes; a comment needs white space before its `#`")
    }
}
