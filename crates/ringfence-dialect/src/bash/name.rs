//! Names of variables, and what makes a word an assignment.

use crate::cursor::Cursor;

/// `NAME=`, `NAME+=` or `NAME[…]=` at the beginning of an unquoted text, and the text after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Assigned<'t> {
    pub(super) name: &'t str,
    pub(super) subscript: Option<&'t str>,
    pub(super) appends: bool,
    pub(super) value: &'t str,
}

/// The assignment that `text` begins with.
pub(super) fn assigned(text: &str) -> Option<Assigned<'_>> {
    let mut cursor = Cursor::new(text);
    let name = cursor.take_while(in_name);
    if !is_name(name) {
        return None;
    }
    let subscript = match cursor.eat("[") {
        true => Some(cursor.take_until(']')?),
        false => None,
    };
    let appends = cursor.eat("+");
    cursor.eat("=").then(|| Assigned {
        name,
        subscript,
        appends,
        value: cursor.rest(),
    })
}

/// Whether a variable can have this name.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(begins_name) && name.chars().all(in_name)
}

/// Whether a name may begin with `char`.
pub(super) const fn begins_name(char: char) -> bool {
    char.is_ascii_alphabetic() || char == '_'
}

/// Whether `char` may stand in a name.
pub(super) const fn in_name(char: char) -> bool {
    begins_name(char) || char.is_ascii_digit()
}
