//! Escapes in double quotes: those of Go's one-letter set and octal ones; any other backslash stands for itself.

use crate::cursor::Cursor;

/// The text with its escapes expanded; `\$` becomes `$$`, which the template reads as a dollar sign.
pub(super) fn expanded(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut cursor = Cursor::new(text);
    while let Some(char) = cursor.bump() {
        match (char, cursor.peek()) {
            ('\\', Some('0')) => octal(&mut cursor, &mut result),
            ('\\', Some('$')) => {
                cursor.bump();
                result.push_str("$$");
            }
            ('\\', Some(letter)) => match of_letter(letter) {
                Some(meant) => {
                    cursor.bump();
                    result.push(meant);
                }
                None => result.push('\\'),
            },
            _ => result.push(char),
        }
    }
    result
}

const fn of_letter(letter: char) -> Option<char> {
    Some(match letter {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '"' | '\\' => letter,
        _ => return None,
    })
}

/// `\0` and up to three digits: three octal digits name a character below 256; of others only the zero is lost.
fn octal(cursor: &mut Cursor, result: &mut String) {
    cursor.bump();
    let mut digits = String::new();
    while digits.len() < 3
        && let Some(digit) = cursor.peek().filter(char::is_ascii_digit)
    {
        digits.push(digit);
        cursor.bump();
    }
    match u8::from_str_radix(&digits, 8) {
        Ok(code) if digits.len() == 3 => result.push(char::from(code)),
        _ => {
            result.push('\\');
            result.push_str(&digits);
        }
    }
}
