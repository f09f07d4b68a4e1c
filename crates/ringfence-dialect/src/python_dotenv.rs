//! python-dotenv 1.2.4: a line that cannot be read is left out, `${NAME}` and `${NAME:-default}` are references in
//! every kind of value, quoted ones too, and the caller's variables win.

use std::collections::BTreeMap;

use crate::cursor::Cursor;
use crate::growth::Growth;
use crate::outcome::{Outcome, Stop, Variables};
use crate::process::{BYTE_ORDER_MARK, with_line_feeds};

/// A statement that cannot be read: the rest of its line is left out.
struct Malformed;

/// A name, and its value unless the line is the bare name.
type Binding = (String, Option<String>);

/// Reads `text` as `load_dotenv` does.
pub(crate) fn read(text: &str, environment: &Variables) -> Outcome {
    let text = with_line_feeds(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text));
    let mut cursor = Cursor::new(&text);
    let mut growth = Growth::for_text(&text);
    let mut bound: BTreeMap<String, Option<String>> = BTreeMap::new();
    while !cursor.is_empty() {
        match statement(&mut cursor) {
            Ok(None) => {}
            Ok(Some((name, None))) => _ = bound.insert(name, None),
            Ok(Some((name, Some(value)))) => {
                let known = |name: &str| match environment.get(name) {
                    Some(value) => Some(value.as_str()),
                    None => Some(bound.get(name)?.as_deref().unwrap_or_default()),
                };
                let value = resolved(&value, known, &mut growth)?;
                bound.insert(name, Some(value));
            }
            Err(Malformed) => _ = cursor.take_line(),
        }
    }
    exported(bound, environment)
}

/// What Python's `os.environ` takes of the bindings; it raises on what the system cannot hold.
fn exported(bound: BTreeMap<String, Option<String>>, environment: &Variables) -> Outcome {
    let mut variables = Variables::new();
    for (name, value) in bound {
        let Some(value) = value else { continue };
        let value = match environment.get(&name) {
            Some(callers) => callers.clone(),
            None if name.contains(['\0', '=']) => {
                return Err(Stop::Refused(
                    "a name holds a character that no variable can have",
                ));
            }
            None if value.contains('\0') => {
                return Err(Stop::Refused("a value holds a NUL character"));
            }
            None => value,
        };
        variables.insert(name, value);
    }
    Ok(variables)
}

fn statement(cursor: &mut Cursor) -> Result<Option<Binding>, Malformed> {
    cursor.take_while(is_space);
    if cursor.is_empty() {
        return Ok(None);
    }
    skip_export(cursor);
    let name = match cursor.peek() {
        Some('#') => None,
        Some('\'') => Some(quoted_name(cursor)?),
        _ => Some(plain_name(cursor)?),
    };
    cursor.take_while(is_inline_space);
    let value = match cursor.eat("=") {
        true => Some(value(cursor)?),
        false => None,
    };
    end_of_statement(cursor)?;
    Ok(name.map(|name| (name, value)))
}

fn skip_export(cursor: &mut Cursor) {
    let mut after = *cursor;
    if after.eat("export") && !after.take_while(is_inline_space).is_empty() {
        *cursor = after;
    }
}

fn quoted_name(cursor: &mut Cursor) -> Result<String, Malformed> {
    let mut after = *cursor;
    after.bump();
    match after.take_until('\'') {
        Some(name) if !name.is_empty() => {
            *cursor = after;
            Ok(name.to_owned())
        }
        _ => Err(Malformed),
    }
}

fn plain_name(cursor: &mut Cursor) -> Result<String, Malformed> {
    let name = cursor.take_while(|char| !matches!(char, '=' | '#') && !is_space(char));
    match name.is_empty() {
        true => Err(Malformed),
        false => Ok(name.to_owned()),
    }
}

/// The value after the equals sign. `#` begins a comment only after white space.
fn value(cursor: &mut Cursor) -> Result<String, Malformed> {
    let spaced = !cursor.take_while(is_inline_space).is_empty();
    match cursor.peek() {
        Some('#') if spaced => Ok(String::new()),
        Some('\'') => quoted_value(cursor, '\''),
        Some('"') => quoted_value(cursor, '"'),
        _ => Ok(plain_value(cursor.take_while(|char| char != '\n')).to_owned()),
    }
}

fn plain_value(line: &str) -> &str {
    let comment = line.char_indices().zip(line.chars().skip(1));
    let end = comment
        .into_iter()
        .find(|((_, before), char)| is_space(*before) && *char == '#');
    let kept = match end {
        Some(((at, _), _)) => line.get(..at).unwrap_or(line),
        None => line,
    };
    kept.trim_end_matches(is_space)
}

fn quoted_value(cursor: &mut Cursor, quote: char) -> Result<String, Malformed> {
    let mut after = *cursor;
    after.bump();
    let mut value = String::new();
    while let Some(char) = after.bump() {
        if char == quote {
            *cursor = after;
            return Ok(value);
        }
        if char != '\\' {
            value.push(char);
            continue;
        }
        let Some(escaped) = after.bump() else { break };
        match unescaped(escaped, quote) {
            Some(char) => value.push(char),
            None => value.extend(['\\', escaped]),
        }
    }
    Err(Malformed)
}

fn unescaped(char: char, quote: char) -> Option<char> {
    match char {
        '\\' | '\'' => Some(char),
        _ if quote == '\'' => None,
        '"' => Some('"'),
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        _ => None,
    }
}

fn end_of_statement(cursor: &mut Cursor) -> Result<(), Malformed> {
    cursor.take_while(is_inline_space);
    if cursor.peek() == Some('#') {
        cursor.take_while(|char| char != '\n');
    }
    match cursor.eat("\n") || cursor.is_empty() {
        true => Ok(()),
        false => Err(Malformed),
    }
}

/// The value with its references resolved; defaults are literal.
fn resolved<'k>(
    value: &str,
    known: impl Fn(&str) -> Option<&'k str>,
    growth: &mut Growth,
) -> Result<String, Stop> {
    let mut result = String::with_capacity(value.len());
    let mut cursor = Cursor::new(value);
    loop {
        let place = cursor;
        let Some((before, after)) = cursor.rest().split_once("${") else {
            break;
        };
        cursor = Cursor::new(after);
        let name = cursor.take_while(|char| !matches!(char, '}' | ':'));
        let default = match cursor.eat(":-") {
            true => cursor.take_while(|char| char != '}'),
            false => "",
        };
        if cursor.eat("}") {
            result.push_str(before);
            growth.append(known(name).unwrap_or(default), &mut result)?;
        } else {
            // Whatever begins with `${` before this place ends here too, so that none of it is a reference.
            cursor.bump();
            let length = place.rest().len() - cursor.rest().len();
            result.push_str(place.rest().get(..length).unwrap_or_default());
        }
    }
    result.push_str(cursor.rest());
    Ok(result)
}

/// White space as Python's regular expressions know it.
fn is_space(char: char) -> bool {
    char.is_whitespace() || matches!(char, '\u{1c}'..='\u{1f}')
}

fn is_inline_space(char: char) -> bool {
    is_space(char) && char != '\n'
}
