//! Passes over text between brackets whose inside is not read: a command, arithmetic, a pattern.

use crate::cursor::Cursor;
use crate::outcome::Stop;

/// The syntax error that most broken texts end in.
pub(super) const UNCLOSED: Stop = Stop::Refused("a quote or a bracket is not closed");

/// Reads up to the closing bracket `close` and past it, and returns what stands before it.
pub(super) fn inside<'t>(cursor: &mut Cursor<'t>, close: char) -> Result<&'t str, Stop> {
    let text = cursor.rest();
    let mut open = vec![close];
    while let Some(innermost) = open.last().copied() {
        let char = cursor.bump().ok_or(UNCLOSED)?;
        if char == innermost {
            open.pop();
        } else if char == '\\' && innermost != '\'' {
            cursor.bump();
        } else if let Some(close) = opened(char, innermost, cursor) {
            open.push(close);
        }
    }
    let length = text.len() - cursor.rest().len() - close.len_utf8();
    Ok(text.get(..length).unwrap_or_default())
}

/// The bracket that closes what `char` opens.
fn opened(char: char, innermost: char, cursor: &mut Cursor) -> Option<char> {
    match (char, innermost) {
        (_, '\'' | '`') => None,
        ('$', _) if cursor.eat("{") => Some('}'),
        ('$', _) if cursor.eat("(") => Some(')'),
        ('`', _) => Some('`'),
        (_, '"') => None,
        ('\'' | '"', _) => Some(char),
        ('(', ')') => Some(')'),
        _ => None,
    }
}

/// Whether text that is not read would run a command when it is expanded.
pub(super) fn runs_command(text: &str) -> bool {
    text.contains("$(") || text.contains('`')
}
