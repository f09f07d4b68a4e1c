//! The npm package dotenv 16.6.1: no references; `#` ends an unquoted value anywhere; only `\n` and `\r` mean something
//! in double quotes; a quoted value may begin on a later line than its name. The caller's variables win.
//!
//! The package describes a line by one regular expression, which gives up a closing quote again where other text than
//! a comment follows it: then the line is an unquoted value.

use crate::cursor::Cursor;
use crate::outcome::Variables;
use crate::process::{BYTE_ORDER_MARK, as_c_strings, keep_callers, with_line_feeds};

/// Reads `text` as `config` does.
pub(crate) fn read(text: &str, environment: &Variables) -> Variables {
    let text = with_line_feeds(text);
    let mut variables = Variables::new();
    let mut cursor = Cursor::new(&text);
    loop {
        cursor.take_while(is_space);
        if cursor.is_empty() {
            break;
        }
        if let Some((name, value)) = assignment(&mut cursor) {
            variables.insert(name.to_owned(), value);
        }
        cursor.take_while(|char| !ends_line(char));
    }
    keep_callers(as_c_strings(variables), environment)
}

fn assignment<'t>(cursor: &mut Cursor<'t>) -> Option<(&'t str, String)> {
    let mut after = *cursor;
    let exported = after.eat("export") && !after.take_while(is_space).is_empty();
    let name = match exported.then(|| name(&mut after)).flatten() {
        Some(name) => name,
        None => {
            // `export` alone is a name like any other.
            after = *cursor;
            name(&mut after)?
        }
    };
    let value = unquoted(value(&mut after));
    *cursor = after;
    Some((name, value))
}

/// Reads a name and what separates it from its value: `=`, with white space before, or `:` and one white space.
fn name<'t>(cursor: &mut Cursor<'t>) -> Option<&'t str> {
    let name = cursor.take_while(|char| char.is_ascii_alphanumeric() || "_.-".contains(char));
    let mut after = *cursor;
    after.take_while(is_space);
    if after.eat("=") {
        *cursor = after;
    } else if !(cursor.eat(":") && cursor.bump().is_some_and(is_space)) {
        return None;
    }
    (!name.is_empty()).then_some(name)
}

/// The value with its quotes, no white space around.
fn value<'t>(cursor: &mut Cursor<'t>) -> &'t str {
    let mut after = *cursor;
    after.take_while(is_space);
    let quote = after.peek().filter(|char| matches!(char, '\'' | '"' | '`'));
    if let Some(quote) = quote
        && let Some(end) = closed(after, quote)
    {
        *cursor = end;
        let length = after.rest().len() - end.rest().len();
        return after.rest().get(..length).unwrap_or_default();
    }
    cursor
        .take_while(|char| !matches!(char, '#' | '\n'))
        .trim_matches(is_space)
}

/// The place after the closing quote: the first that has no backslash before it, else the last that has one, whatever
/// comes first in this order and has nothing but a comment after it.
fn closed(mut cursor: Cursor, quote: char) -> Option<Cursor> {
    cursor.bump();
    let mut escaped = Vec::new();
    while let Some(char) = cursor.bump() {
        if char == '\\' && cursor.peek() == Some(quote) {
            cursor.bump();
            escaped.push(cursor);
        } else if char == quote {
            if line_may_end(cursor) {
                return Some(cursor);
            }
            break;
        }
    }
    escaped.into_iter().rfind(|place| line_may_end(*place))
}

/// Whether nothing but white space comes before the end of the line or a comment.
fn line_may_end(mut cursor: Cursor) -> bool {
    let space = cursor.take_while(is_space);
    space.contains(ends_line) || matches!(cursor.peek(), None | Some('#'))
}

fn unquoted(value: &str) -> String {
    let quote = value
        .chars()
        .next()
        .filter(|char| matches!(char, '\'' | '"' | '`'));
    let Some(quote) = quote else {
        return value.to_owned();
    };
    let inner = value
        .strip_prefix(quote)
        .and_then(|rest| rest.strip_suffix(quote));
    let inner = inner.unwrap_or(value);
    match quote {
        '"' => inner.replace("\\n", "\n").replace("\\r", "\r"),
        _ => inner.to_owned(),
    }
}

/// White space as JavaScript's regular expressions know it.
fn is_space(char: char) -> bool {
    (char.is_whitespace() && char != '\u{85}') || char == BYTE_ORDER_MARK
}

const fn ends_line(char: char) -> bool {
    matches!(char, '\n' | '\u{2028}' | '\u{2029}')
}
