//! References: `$NAME`, `${NAME}`, and `${NAME` with `-`, `?` or `+` (a colon before treats empty as unset), a text that
//! may hold references again, and `}`. `$$` is a dollar sign.
//!
//! The closing brace is searched on the same line: the one that balances, or the last one where none does.

use crate::cursor::Cursor;
use crate::growth::{DEPTH, Growth, too_deep};
use crate::outcome::Stop;

const INVALID: Stop = Stop::Refused("a reference cannot be read");

type Known<'a, 'k> = &'a dyn Fn(&str) -> Option<&'k str>;

/// `text` with its references resolved.
pub(super) fn resolved(text: &str, known: Known, growth: &mut Growth) -> Result<String, Stop> {
    Template { known, growth }.resolve(text, DEPTH + 1)
}

struct Template<'a, 'k, 'g> {
    known: Known<'a, 'k>,
    growth: &'g mut Growth,
}

impl Template<'_, '_, '_> {
    fn resolve(&mut self, text: &str, depth: usize) -> Result<String, Stop> {
        let depth = depth.checked_sub(1).ok_or(too_deep())?;
        let mut result = String::with_capacity(text.len());
        let mut cursor = Cursor::new(text);
        loop {
            result.push_str(cursor.take_while(|char| char != '$'));
            if cursor.bump().is_none() {
                return Ok(result);
            }
            match cursor.peek() {
                Some('$') => {
                    cursor.bump();
                    result.push('$');
                }
                Some('{') => {
                    cursor.bump();
                    self.braced(&mut cursor, depth, &mut result)?;
                }
                Some(char) if begins_name(char) => {
                    let value = (self.known)(name(&mut cursor)).unwrap_or_default();
                    self.growth.append(value, &mut result)?;
                }
                _ => result.push('$'),
            }
        }
    }

    /// A reference whose `${` has been read.
    fn braced(
        &mut self,
        cursor: &mut Cursor,
        depth: usize,
        result: &mut String,
    ) -> Result<(), Stop> {
        if !cursor.peek().is_some_and(begins_name) {
            return Err(INVALID);
        }
        let value = (self.known)(name(cursor));
        if cursor.eat("}") {
            return self.growth.append(value.unwrap_or_default(), result);
        }
        let value = match cursor.eat(":") {
            true => value.filter(|value| !value.is_empty()),
            false => value,
        };
        let operator = cursor
            .bump()
            .filter(|char| "-?+".contains(*char))
            .ok_or(INVALID)?;
        // Read even where it is not needed: an error in it is an error.
        let other = self.resolve(up_to_brace(cursor)?, depth)?;
        match (operator, value) {
            ('+', Some(_)) => result.push_str(&other),
            ('+', None) => {}
            ('-', None) => result.push_str(&other),
            (_, Some(value)) => self.growth.append(value, result)?,
            (_, None) => return Err(Stop::Refused("a variable is required and has no value")),
        }
        Ok(())
    }
}

/// Reads up to the closing brace and past it.
fn up_to_brace<'t>(cursor: &mut Cursor<'t>) -> Result<&'t str, Stop> {
    let text = cursor.rest();
    let mut after = *cursor;
    let mut open = 1_usize;
    let mut last = None;
    while let Some(char) = after.bump() {
        match char {
            '\n' => break,
            '$' if after.eat("{") => open += 1,
            '}' => {
                last = Some(after);
                open -= 1;
                if open == 0 {
                    break;
                }
            }
            _ => {}
        }
    }
    let last = last.ok_or(INVALID)?;
    *cursor = last;
    let length = text.len() - last.rest().len() - "}".len();
    Ok(text.get(..length).unwrap_or_default())
}

fn name<'t>(cursor: &mut Cursor<'t>) -> &'t str {
    cursor.take_while(|char| begins_name(char) || char.is_ascii_digit())
}

const fn begins_name(char: char) -> bool {
    char.is_ascii_alphabetic() || char == '_'
}
