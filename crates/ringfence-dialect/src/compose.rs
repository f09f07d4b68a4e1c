//! docker compose 2.40.3, a service's `env_file`: `:` separates as well as `=`, a bare name takes the caller's value,
//! `$NAME` and `${NAME:-default}` are references outside single quotes (the caller's variables before the file's), and
//! the file's values win over the caller's.

mod escape;
mod template;

use crate::cursor::Cursor;
use crate::growth::Growth;
use crate::outcome::{Outcome, Stop, Variables};
use crate::process::BYTE_ORDER_MARK;

/// Reads `text` as docker compose does.
pub(crate) fn read(text: &str, environment: &Variables) -> Outcome {
    let mut growth = Growth::for_text(text);
    let mut variables = Variables::new();
    let mut cursor = Cursor::new(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text));
    while skip_to_statement(&mut cursor) {
        let (name, kind) = name(&mut cursor)?;
        let value = match kind {
            Kind::Inherited => environment.get(&name).cloned(),
            Kind::Assigned => {
                let known = |name: &str| {
                    environment
                        .get(name)
                        .or_else(|| variables.get(name))
                        .map(String::as_str)
                };
                Some(value(&mut cursor, &known, &mut growth)?)
            }
        };
        if let Some(value) = value {
            variables.insert(name, value);
        }
    }
    Ok(variables)
}

/// What follows a name.
enum Kind {
    /// A value.
    Assigned,
    /// The end of the line.
    Inherited,
}

fn skip_to_statement(cursor: &mut Cursor) -> bool {
    loop {
        cursor.take_while(char::is_whitespace);
        if cursor.peek() != Some('#') {
            return !cursor.is_empty();
        }
        cursor.take_line();
    }
}

/// Reads a name, what separates it from its value, and the white space after that.
fn name(cursor: &mut Cursor) -> Result<(String, Kind), Stop> {
    skip_export(cursor);
    let mut after = *cursor;
    let raw = after.take_while(|char| is_inline_space(char) || is_name(char));
    let kind = match after.bump() {
        Some('=' | ':') => Kind::Assigned,
        Some('\n') => Kind::Inherited,
        Some(_) => {
            return Err(Stop::Refused(
                "a name holds a character that it must not hold",
            ));
        }
        None if cursor.is_empty() => return Err(Stop::Refused("a line holds no name")),
        // The last line, without its end and without a separator, is the value of a variable without a name: so the
        // tool does.
        None => return Ok((String::new(), Kind::Assigned)),
    };
    let name = raw.trim_end();
    if name.contains(' ') {
        return Err(Stop::Refused("a name holds a space"));
    }
    after.take_while(is_inline_space);
    *cursor = after;
    Ok((name.to_owned(), kind))
}

fn skip_export(cursor: &mut Cursor) {
    let mut after = *cursor;
    if after.eat("export")
        && after
            .peek()
            .is_some_and(|char| matches!(char, '\t' | '\n' | '\u{c}' | '\r' | ' '))
    {
        after.take_while(is_inline_space);
        *cursor = after;
    }
}

fn value<'k>(
    cursor: &mut Cursor,
    known: &dyn Fn(&str) -> Option<&'k str>,
    growth: &mut Growth,
) -> Result<String, Stop> {
    match cursor.peek() {
        Some('\'') => quoted(cursor, '\''),
        Some('"') => {
            let text = escape::expanded(&quoted(cursor, '"')?);
            template::resolved(&text, known, growth)
        }
        _ => {
            let line = cursor.take_line();
            let value = line.split_once(" #").map_or(line, |(before, _)| before);
            template::resolved(value.trim_end(), known, growth)
        }
    }
}

/// The text between quotes; a backslash stays, except before the quote.
fn quoted(cursor: &mut Cursor, quote: char) -> Result<String, Stop> {
    cursor.bump();
    let mut text = String::new();
    while let Some(char) = cursor.bump() {
        if char == quote {
            return Ok(text);
        }
        if char != '\\' {
            text.push(char);
            continue;
        }
        match cursor.bump() {
            Some(escaped) if escaped == quote => text.push(quote),
            Some(other) => text.extend(['\\', other]),
            None => break,
        }
    }
    Err(Stop::Refused("a quoted value does not end"))
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '.' | '-' | '[' | ']')
}

const fn is_inline_space(char: char) -> bool {
    matches!(
        char,
        '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}'
    )
}
