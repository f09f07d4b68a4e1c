//! Node.js 24.19.0, `--env-file`: carriage returns are dropped, `#` ends an unquoted value anywhere, the first quote of
//! the same kind ends a quoted one, and whatever follows it on its line is dropped. The caller's variables win.

use crate::cursor::Cursor;
use crate::outcome::Variables;
use crate::process::{as_c_strings, keep_callers};

/// Reads `text` as Node.js does.
pub(crate) fn read(text: &str, environment: &Variables) -> Variables {
    let text = text.replace('\r', "");
    let mut variables = Variables::new();
    let mut cursor = Cursor::new(trimmed(&text));
    while let Some(char) = cursor.peek() {
        if matches!(char, '\n' | '#') {
            cursor.take_line();
        } else if let Some((name, value)) = assignment(&mut cursor) {
            variables.insert(name, value);
        }
    }
    keep_callers(as_c_strings(variables), environment)
}

/// Reads one assignment, or passes over what is none.
fn assignment(cursor: &mut Cursor) -> Option<(String, String)> {
    let name = trimmed(cursor.take_while(|char| !matches!(char, '=' | '\n')));
    if !cursor.eat("=") {
        cursor.bump();
        skip_space(cursor);
        return None;
    }
    if matches!(cursor.peek(), None | Some('\n')) {
        // `export` stays in the name where no value follows: so the tool does.
        return Some((name.to_owned(), String::new()));
    }
    skip_space(cursor);
    if name.is_empty() {
        return None;
    }
    let name = name.strip_prefix("export ").map_or(name, trimmed);
    Some((name.to_owned(), value(cursor)))
}

fn value(cursor: &mut Cursor) -> String {
    let quote = cursor
        .peek()
        .filter(|char| matches!(char, '"' | '\'' | '`'));
    let Some(quote) = quote else {
        return plain_value(cursor);
    };
    let mut after = *cursor;
    after.bump();
    match after.take_until(quote) {
        Some(value) => {
            // The white space at the beginning of the next line stays: a comment there that is indented is not seen.
            after.take_line();
            *cursor = after;
            match quote {
                '"' => value.replace("\\n", "\n"),
                _ => value.to_owned(),
            }
        }
        None => {
            let value = cursor.take_line().to_owned();
            skip_space(cursor);
            value
        }
    }
}

fn plain_value(cursor: &mut Cursor) -> String {
    let line = cursor.take_line();
    skip_space(cursor);
    let value = line.split_once('#').map_or(line, |(before, _)| before);
    trimmed(value).to_owned()
}

fn skip_space(cursor: &mut Cursor) {
    cursor.take_while(is_space);
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(is_space)
}

const fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n')
}
