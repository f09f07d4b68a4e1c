//! The crate dotenvy 0.15.7: quotes and escapes work anywhere in a value, as in a shell; `$NAME` and `${NAME}` are
//! references outside single quotes; a text with one line that cannot be read is refused. The caller's variables win,
//! and so does the first of two lines with the same name.

use crate::cursor::Cursor;
use crate::growth::Growth;
use crate::outcome::{Outcome, Stop, Variables};
use crate::process::{BYTE_ORDER_MARK, keep_callers};

const UNREADABLE: Stop = Stop::Refused("a line cannot be read");

/// Reads `text` as the command line `dotenvy` does.
pub(crate) fn read(text: &str, environment: &Variables) -> Outcome {
    let mut growth = Growth::for_text(text);
    let mut variables = Variables::new();
    let mut cursor = Cursor::new(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text));
    while !cursor.is_empty() {
        let line = logical_line(&mut cursor)?;
        let known = |name: &str| {
            environment
                .get(name)
                .or_else(|| variables.get(name))
                .map(String::as_str)
        };
        let Some((name, value)) = assignment(line.trim_end(), known, &mut growth)? else {
            continue;
        };
        if environment.contains_key(&name) || variables.contains_key(&name) {
            variables.entry(name).or_insert(value);
        } else if value.contains('\0') {
            return Err(Stop::Refused("a value holds a NUL character"));
        } else {
            variables.insert(name, value);
        }
    }
    Ok(keep_callers(variables, environment))
}

/// Where the search for the end of a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    Escape,
    Space,
    Quoted(char),
    QuotedEscape(char),
}

impl State {
    fn after(self, char: char) -> Self {
        match (self, char) {
            (Self::Plain | Self::Space, '\\') => Self::Escape,
            (Self::Plain | Self::Space, '"' | '\'') => Self::Quoted(char),
            (Self::Plain, '\n' | '\r') => Self::Plain,
            (Self::Plain, _) if char.is_whitespace() => Self::Space,
            // After two white spaces a `#` is no comment: so the tool counts them.
            (Self::Plain | Self::Space | Self::Escape, _) => Self::Plain,
            (Self::Quoted(quote), '\\') => Self::QuotedEscape(quote),
            (Self::Quoted(quote), _) if char == quote => Self::Plain,
            (Self::Quoted(quote) | Self::QuotedEscape(quote), _) => Self::Quoted(quote),
        }
    }
}

/// Reads up to the first line end outside quotes, and past it; a comment does not belong to what is returned.
fn logical_line<'t>(cursor: &mut Cursor<'t>) -> Result<&'t str, Stop> {
    let start = cursor.rest();
    let first = Cursor::new(start).take_line();
    if first.trim_start().starts_with('#') {
        cursor.take_line();
        return Ok("");
    }
    let mut state = State::Plain;
    loop {
        let length = start.len() - cursor.rest().len();
        if state == State::Space && cursor.peek() == Some('#') {
            cursor.take_line();
            return Ok(start.get(..length).unwrap_or_default());
        }
        let Some(char) = cursor.bump() else {
            return match state {
                State::Plain => Ok(start),
                _ => Err(Stop::Refused("the last line does not end")),
            };
        };
        state = state.after(char);
        if char == '\n' && state == State::Plain {
            return Ok(start.get(..length).unwrap_or_default());
        }
    }
}

fn assignment<'k>(
    line: &str,
    known: impl Fn(&str) -> Option<&'k str>,
    growth: &mut Growth,
) -> Result<Option<(String, String)>, Stop> {
    let mut cursor = Cursor::new(line);
    cursor.take_while(char::is_whitespace);
    if matches!(cursor.peek(), None | Some('#')) {
        return Ok(None);
    }
    let mut name = take_name(&mut cursor)?;
    if !cursor.eat("=") {
        if name != "export" {
            return Err(UNREADABLE);
        }
        name = take_name(&mut cursor)?;
        if !cursor.eat("=") {
            return Err(UNREADABLE);
        }
    }
    cursor.take_while(char::is_whitespace);
    let mut value = Value::new(known, growth);
    if cursor.peek() != Some('#') {
        value.read(cursor.rest())?;
    }
    Ok(Some((name.to_owned(), value.text)))
}

/// Reads a name and the white space after it.
fn take_name<'t>(cursor: &mut Cursor<'t>) -> Result<&'t str, Stop> {
    let name = cursor.take_while(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.'));
    cursor.take_while(char::is_whitespace);
    match name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_') {
        true => Ok(name),
        false => Err(UNREADABLE),
    }
}

/// A value as far as it has been read.
struct Value<'g, K> {
    text: String,
    known: K,
    growth: &'g mut Growth,
    quote: Option<char>,
}

impl<'g, 'k, K: Fn(&str) -> Option<&'k str>> Value<'g, K> {
    const fn new(known: K, growth: &'g mut Growth) -> Self {
        Self {
            text: String::new(),
            known,
            growth,
            quote: None,
        }
    }

    fn read(&mut self, source: &str) -> Result<(), Stop> {
        let mut cursor = Cursor::new(source);
        while let Some(char) = cursor.bump() {
            match (self.quote, char) {
                (Some('\''), '\'') | (Some('"'), '"') => self.quote = None,
                (Some('\''), _) => self.text.push(char),
                (_, '$') => self.reference(&mut cursor)?,
                (_, '\\') => self.escape(&mut cursor)?,
                (None, '\'' | '"') => self.quote = Some(char),
                (None, ' ' | '\t') => return end_of_value(cursor),
                _ => self.text.push(char),
            }
        }
        match self.quote {
            None => Ok(()),
            Some(_) => Err(UNREADABLE),
        }
    }

    fn escape(&mut self, cursor: &mut Cursor) -> Result<(), Stop> {
        match cursor.bump() {
            Some('n') => self.text.push('\n'),
            Some(char @ ('\\' | '\'' | '"' | '$' | ' ')) => self.text.push(char),
            None => {}
            Some(_) => return Err(UNREADABLE),
        }
        Ok(())
    }

    /// A reference, its `$` read already. The character that ends a name without braces is always taken as it is, even
    /// a quote: so the tool does.
    fn reference(&mut self, cursor: &mut Cursor) -> Result<(), Stop> {
        if cursor.eat("{") {
            let name = cursor.take_until('}').ok_or(UNREADABLE)?;
            return self.append(name);
        }
        loop {
            let name = cursor.take_while(char::is_alphanumeric);
            self.append(name)?;
            match cursor.bump() {
                Some('$') if cursor.eat("{") => {
                    let name = cursor.take_until('}').ok_or(UNREADABLE)?;
                    return self.append(name);
                }
                Some('$') => {}
                Some(char) => {
                    self.text.push(char);
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    fn append(&mut self, name: &str) -> Result<(), Stop> {
        let value = (self.known)(name).unwrap_or_default();
        self.growth.append(value, &mut self.text)
    }
}

/// After white space outside quotes only a comment may come.
fn end_of_value(mut cursor: Cursor) -> Result<(), Stop> {
    cursor.take_while(|char| matches!(char, ' ' | '\t'));
    match cursor.peek() {
        None | Some('#') => Ok(()),
        Some(_) => Err(UNREADABLE),
    }
}
