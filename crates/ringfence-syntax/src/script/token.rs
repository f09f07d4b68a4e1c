//! Words, redirections and what ends a command.

use ringfence_diagnostic::Span;

use super::here_document::{self, HereDocument};

/// A word with its quotes removed.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
    /// Where its first `=` stands, unless something before that is quoted or escaped.
    pub(super) equals: Option<usize>,
    /// Whether a `$` in it is quoted or escaped: then no `$` of the text is taken for a reference.
    pub(super) is_literal: bool,
}

/// What a script is made of.
#[derive(Debug)]
pub(super) enum Token {
    Word(Word),
    /// `>`, `>>`, `<` and the like: the next word is a file and no argument.
    Redirection(Redirection),
    /// `(`, which begins here.
    Open(usize),
    /// A line end, `)`, `;`, `&`, `|` or several of these.
    End,
}

/// A redirection, with what matters about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirection {
    /// `>` or `>|`: the file is what the command prints.
    Replace,
    /// Any other.
    Other,
}

/// The tokens of a script.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Token> {
    let mut reader = Reader {
        text,
        offset: 0,
        here_documents: Vec::new(),
    };
    std::iter::from_fn(move || reader.token())
}

struct Reader<'t> {
    text: &'t str,
    offset: usize,
    /// Those whose lines begin after this line.
    here_documents: Vec<HereDocument>,
}

impl<'t> Reader<'t> {
    fn token(&mut self) -> Option<Token> {
        loop {
            self.skip_blank();
            let byte = self.byte(0)?;
            match byte {
                b'#' => self.skip_comment(),
                b'\n' => {
                    self.line_end();
                    return Some(Token::End);
                }
                b'(' if self.byte(1) != Some(b'(') => {
                    self.offset += 1;
                    return Some(Token::Open(self.offset - 1));
                }
                b';' | b'|' | b')' => {
                    self.offset += 1;
                    return Some(Token::End);
                }
                b'&' if self.byte(1) != Some(b'>') => {
                    self.offset += 1;
                    return Some(Token::End);
                }
                b'<' if self.here_document() => {}
                b'<' | b'>' | b'&' => return Some(Token::Redirection(self.redirection())),
                b'0'..=b'9' if self.is_redirected_number() => {
                    self.offset += 1;
                    if !self.here_document() {
                        self.redirection();
                        return Some(Token::Redirection(Redirection::Other));
                    }
                }
                _ => return Some(Token::Word(self.word())),
            }
        }
    }

    /// Spaces and joined lines; a carriage return counts as a space, for scripts with CRLF.
    fn skip_blank(&mut self) {
        loop {
            match (self.byte(0), self.byte(1), self.byte(2)) {
                (Some(b' ' | b'\t' | b'\r'), ..) => self.offset += 1,
                (Some(b'\\'), Some(b'\n'), _) => self.offset += 2,
                (Some(b'\\'), Some(b'\r'), Some(b'\n')) => self.offset += 3,
                _ => return,
            }
        }
    }

    fn skip_comment(&mut self) {
        let rest = self.rest();
        self.offset += memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
    }

    fn line_end(&mut self) {
        self.offset += 1;
        for here_document in std::mem::take(&mut self.here_documents) {
            self.offset += here_document.length(self.rest());
        }
    }

    /// Moves over the announcement of a here-document, if that is what is here.
    fn here_document(&mut self) -> bool {
        let Some((here_document, length)) = here_document::announced(self.rest()) else {
            return false;
        };
        self.offset += length;
        self.here_documents.push(here_document);
        true
    }

    /// `2>`: a file descriptor of one digit.
    fn is_redirected_number(&self) -> bool {
        matches!(self.byte(1), Some(b'<' | b'>'))
    }

    fn redirection(&mut self) -> Redirection {
        let start = self.offset;
        while let Some(b'<' | b'>' | b'&' | b'|') = self.byte(0) {
            self.offset += 1;
        }
        match Span::new(start, self.offset).of(self.text) {
            ">" | ">|" => Redirection::Replace,
            _ => Redirection::Other,
        }
    }

    fn word(&mut self) -> Word {
        let start = self.offset;
        let mut builder = Builder {
            start,
            text: String::new(),
            nesting: Vec::new(),
            equals: None,
            is_literal: false,
        };
        while let Some(byte) = self.byte(0) {
            if builder.nesting.is_empty() && ends_word(byte, self.offset == start) {
                break;
            }
            self.part(byte, &mut builder);
        }
        Word {
            text: builder.text,
            span: Span::new(start, self.offset),
            equals: builder.equals,
            is_literal: builder.is_literal,
        }
    }

    /// Reads one character of a word, or an escape, or what begins or ends a nesting.
    fn part(&mut self, byte: u8, builder: &mut Builder) {
        let innermost = builder.nesting.last().copied();
        if innermost == Some(Nesting::Single) {
            return self.single_quoted(builder);
        }
        match byte {
            b'\\' => self.escape(builder),
            b'\n' if builder.runs_commands() => {
                let before = self.offset;
                self.line_end();
                builder
                    .text
                    .push_str(Span::new(before, self.offset).of(self.text));
            }
            b'<' if builder.runs_commands() => {
                let before = self.offset;
                if !self.here_document() {
                    self.offset += 1;
                    self.offset += usize::from(self.rest().starts_with("<<")) * 2;
                }
                builder
                    .text
                    .push_str(Span::new(before, self.offset).of(self.text));
            }
            b'"' if innermost == Some(Nesting::Double) => self.close(builder),
            b'"' => self.open(builder, Nesting::Double, 1),
            b'\'' if !innermost.is_some_and(Nesting::is_in_double_quotes) => {
                self.open(builder, Nesting::Single, 1);
            }
            b'`' if innermost == Some(Nesting::BackQuote) => self.close(builder),
            b'`' => self.open(builder, Nesting::BackQuote, 1),
            b'$' if self.rest().starts_with("$((") => self.open(builder, Nesting::Arithmetic, 3),
            b'$' if self.byte(1) == Some(b'(') => self.open(builder, Nesting::Command, 2),
            b'$' if self.byte(1) == Some(b'{') => {
                let is_quoted = innermost.is_some_and(Nesting::is_in_double_quotes);
                let brace = if is_quoted {
                    Nesting::QuotedBrace
                } else {
                    Nesting::Brace
                };
                self.open(builder, brace, 2);
            }
            b'}' if matches!(innermost, Some(Nesting::Brace | Nesting::QuotedBrace)) => {
                self.close(builder);
            }
            b'(' if innermost.is_none() => self.open(builder, Nesting::Arithmetic, 2),
            b'(' if innermost.is_some_and(Nesting::is_parenthesis) => {
                self.open(builder, Nesting::Parenthesis, 1);
            }
            b')' if innermost == Some(Nesting::Arithmetic) && self.byte(1) == Some(b')') => {
                self.copy(builder, 1);
                self.close(builder);
            }
            b')' if innermost.is_some_and(Nesting::is_parenthesis) => self.close(builder),
            _ => self.copy(builder, 1),
        }
    }

    /// Begins a nesting; the quotes of the word itself are dropped, all others kept.
    fn open(&mut self, builder: &mut Builder, nesting: Nesting, length: usize) {
        if builder.is_outside() && nesting.is_quote() {
            self.offset += length;
        } else {
            self.copy(builder, length);
        }
        builder.nesting.push(nesting);
    }

    fn close(&mut self, builder: &mut Builder) {
        let closed = builder.nesting.pop();
        if builder.is_outside() && closed.is_some_and(Nesting::is_quote) {
            self.offset += 1;
        } else {
            self.copy(builder, 1);
        }
    }

    fn single_quoted(&mut self, builder: &mut Builder) {
        let rest = self.rest();
        let length = memchr::memchr(b'\'', rest.as_bytes()).unwrap_or(rest.len());
        let quoted = rest.get(..length).unwrap_or("");
        builder.is_literal |= quoted.contains('$');
        builder.text.push_str(quoted);
        self.offset += length;
        if self.byte(0).is_some() {
            self.close(builder);
        }
    }

    /// A backslash: kept inside substitutions, where they will be read again.
    fn escape(&mut self, builder: &mut Builder) {
        let Some(escaped) = self.rest().chars().nth(1) else {
            return self.copy(builder, 1);
        };
        let is_word = matches!(builder.nesting.as_slice(), [] | [Nesting::Double]);
        let length = 1 + escaped.len_utf8();
        let counts = builder.nesting.is_empty() || matches!(escaped, '"' | '$' | '`' | '\\');
        if is_word && escaped == '\n' {
            self.offset += length;
        } else if is_word && counts {
            builder.is_literal |= escaped == '$';
            builder.text.push(escaped);
            self.offset += length;
        } else {
            self.copy(builder, length);
        }
    }

    /// Takes the next `length` bytes as they are, and the rest of the character that they end in.
    fn copy(&mut self, builder: &mut Builder, length: usize) {
        let is_unquoted = self.offset - builder.start == builder.text.len();
        if self.byte(0) == Some(b'=') && builder.nesting.is_empty() && is_unquoted {
            builder.equals.get_or_insert(self.offset);
        }
        let end = self.text.ceil_char_boundary(self.offset + length);
        builder
            .text
            .push_str(Span::new(self.offset, end).of(self.text));
        self.offset = end;
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.offset + ahead).copied()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.offset..).unwrap_or("")
    }
}

/// Whether an unquoted byte ends the word before it; `((` at a word's beginning is a part of it.
fn ends_word(byte: u8, is_first: bool) -> bool {
    match byte {
        b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b')' => true,
        b'(' => !is_first,
        _ => false,
    }
}

/// A word while it is read.
struct Builder {
    start: usize,
    text: String,
    /// The quotes and substitutions around the next character, outermost first.
    nesting: Vec<Nesting>,
    equals: Option<usize>,
    is_literal: bool,
}

impl Builder {
    /// Whether a quote that begins or ends here is one of the word itself.
    fn is_outside(&self) -> bool {
        self.nesting.is_empty()
    }

    /// Whether the next character is a part of commands, which can have here-documents.
    fn runs_commands(&self) -> bool {
        matches!(self.nesting.last(), Some(Nesting::Command))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nesting {
    Single,
    Double,
    BackQuote,
    /// `${ … }`
    Brace,
    /// `${ … }` inside double quotes, where a single quote is an ordinary character.
    QuotedBrace,
    /// `$( … )`
    Command,
    /// `$(( … ))` and `(( … ))`
    Arithmetic,
    /// `( … )` inside one of these two.
    Parenthesis,
}

impl Nesting {
    fn is_quote(self) -> bool {
        matches!(self, Self::Single | Self::Double)
    }

    fn is_in_double_quotes(self) -> bool {
        matches!(self, Self::Double | Self::QuotedBrace)
    }

    fn is_parenthesis(self) -> bool {
        matches!(self, Self::Command | Self::Arithmetic | Self::Parenthesis)
    }
}
