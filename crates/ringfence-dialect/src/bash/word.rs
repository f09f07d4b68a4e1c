//! Words: text, quotes and expansions, up to white space or an operator.

use super::name::{assigned, begins_name, in_name};
use super::nesting::{UNCLOSED, inside, runs_command};
use crate::cursor::Cursor;
use crate::growth::{DEPTH, too_deep};
use crate::outcome::Stop;

/// The pieces of a word, in order.
pub(super) type Word = Vec<Piece>;

/// A piece of a word.
#[derive(Debug)]
pub(super) enum Piece {
    /// Text as it is.
    Text { text: String, quoted: bool },
    /// `$NAME` or `${…}`.
    Parameter {
        name: String,
        operation: Operation,
        quoted: bool,
    },
    /// A command or process substitution.
    Command,
    /// Something whose value is not reproduced.
    Unread,
    /// `${…}` that the shell rejects when it gets there.
    BadSubstitution,
    /// `(…)` after `NAME=`: the words of an array.
    Array(Vec<Word>),
}

/// What `${NAME…}` does with the parameter; `colon` treats empty as unset.
#[derive(Debug)]
pub(super) enum Operation {
    Value,
    Length,
    Default { colon: bool, other: Word },
    Assign { colon: bool, other: Word },
    Require { colon: bool },
    Alternative { colon: bool, other: Word },
}

/// What surrounds the text that is read: this decides what ends it and what is special in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A word between white space and operators.
    Open,
    /// The same among the words of an array, which hold no further array.
    Element,
    /// `"…"`
    Quotes,
    /// The text after an operation in `${…}`, outside quotes or inside.
    Braces { quoted: bool },
}

/// Reads a word that begins here; it is empty where none does.
pub(super) fn read(cursor: &mut Cursor) -> Result<Word, Stop> {
    read_at(cursor, Place::Open)
}

fn read_at(cursor: &mut Cursor, place: Place) -> Result<Word, Stop> {
    let mut word = Vec::new();
    Reader {
        cursor,
        depth: DEPTH,
    }
    .pieces(place, &mut word)?;
    Ok(word)
}

/// Whether `char` ends a word.
pub(super) const fn ends_word(char: char) -> bool {
    matches!(
        char,
        ' ' | '\t' | '\n' | '|' | '&' | ';' | '(' | ')' | '<' | '>'
    )
}

struct Reader<'c, 't> {
    cursor: &'c mut Cursor<'t>,
    depth: usize,
}

impl Reader<'_, '_> {
    fn pieces(&mut self, place: Place, word: &mut Word) -> Result<(), Stop> {
        // In braces inside quotes single quotes hide a brace, must come in pairs, and stay.
        let mut hidden = false;
        loop {
            match (place, self.cursor.peek()) {
                (Place::Open | Place::Element, None) => return Ok(()),
                (Place::Quotes | Place::Braces { .. }, None) => return Err(UNCLOSED),
                (Place::Quotes, Some('"')) | (Place::Braces { .. }, Some('}')) if !hidden => {
                    self.cursor.bump();
                    return Ok(());
                }
                (Place::Open | Place::Element, Some(char))
                    if ends_word(char) && !self.is_continued(place, word) =>
                {
                    return Ok(());
                }
                (Place::Braces { quoted: true }, Some('\'')) => hidden = !hidden,
                _ => {}
            }
            self.next(place, word)?;
        }
    }

    /// Reads what comes next, which belongs to the word.
    fn next(&mut self, place: Place, word: &mut Word) -> Result<(), Stop> {
        let quoted = matches!(place, Place::Quotes | Place::Braces { quoted: true });
        let open = matches!(place, Place::Open | Place::Element);
        match self.cursor.bump() {
            Some('\\') => self.escape(place, word),
            Some('$') => self.dollar(quoted, word)?,
            Some('`') => {
                inside(self.cursor, '`')?;
                word.push(Piece::Command);
            }
            Some('"') if place != Place::Quotes => {
                push_text(word, "", true);
                self.pieces(Place::Quotes, word)?;
            }
            Some('\'') if !quoted => {
                push_text(word, self.cursor.take_until('\'').ok_or(UNCLOSED)?, true);
            }
            Some('(') if open => self.array(word)?,
            Some('<' | '>') if open => {
                self.cursor.bump();
                inside(self.cursor, ')')?;
                word.push(Piece::Command);
            }
            Some(char) => push_char(word, char, quoted),
            None => {}
        }
        Ok(())
    }

    /// Whether what looks like an operator belongs to the word: `NAME=(` begins an array, `<(` a substitution.
    fn is_continued(&self, place: Place, word: &[Piece]) -> bool {
        match self.cursor.peek() {
            Some('(') if place == Place::Open => match word {
                [
                    Piece::Text {
                        text,
                        quoted: false,
                    },
                ] => assigned(text).is_some_and(|assigned| {
                    assigned.value.is_empty() && assigned.subscript.is_none()
                }),
                _ => false,
            },
            Some('<' | '>') => self.cursor.peek_second() == Some('('),
            _ => false,
        }
    }

    fn escape(&mut self, place: Place, word: &mut Word) {
        let Some(char) = self.cursor.peek() else {
            return push_char(word, '\\', true);
        };
        let special = match place {
            Place::Open | Place::Element | Place::Braces { quoted: false } => true,
            Place::Quotes => matches!(char, '$' | '`' | '"' | '\\' | '\n'),
            Place::Braces { quoted: true } => matches!(char, '$' | '`' | '"' | '\\' | '\n' | '}'),
        };
        if !special {
            push_char(word, '\\', true);
        }
        if special || char == '\'' {
            self.cursor.bump();
            if char != '\n' {
                push_char(word, char, true);
            }
        }
    }

    /// What a dollar sign begins, itself read already.
    fn dollar(&mut self, quoted: bool, word: &mut Word) -> Result<(), Stop> {
        let piece = match self.cursor.peek() {
            Some('(') => self.substitution()?,
            Some('{') => self.braced(quoted)?,
            Some('[') => {
                self.cursor.bump();
                unread(inside(self.cursor, ']')?)
            }
            Some('\'') if !quoted => {
                let text = ansi_c(self.cursor)?;
                push_text(word, &text, true);
                return Ok(());
            }
            // A text to translate; without a catalogue it is what it is.
            Some('"') if !quoted => return Ok(()),
            _ => match parameter(self.cursor, false) {
                Some(name) => Piece::Parameter {
                    name,
                    operation: Operation::Value,
                    quoted,
                },
                None => {
                    push_char(word, '$', true);
                    return Ok(());
                }
            },
        };
        word.push(piece);
        Ok(())
    }

    fn substitution(&mut self) -> Result<Piece, Stop> {
        self.cursor.bump();
        let text = inside(self.cursor, ')')?;
        let arithmetic = text
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'));
        Ok(arithmetic.map_or(Piece::Command, unread))
    }

    /// `${…}`, its dollar sign read already.
    fn braced(&mut self, quoted: bool) -> Result<Piece, Stop> {
        self.cursor.bump();
        let length = self.cursor.peek() == Some('#') && self.cursor.peek_second() != Some('}');
        if length {
            self.cursor.bump();
        }
        if self.cursor.peek() == Some('!') && self.cursor.peek_second() != Some('}') {
            // The name is the value of another variable.
            return Ok(unread(inside(self.cursor, '}')?));
        }
        let nested = ["${", "$("];
        if nested
            .iter()
            .any(|start| self.cursor.rest().starts_with(start))
        {
            inside(self.cursor, '}')?;
            return Ok(Piece::BadSubstitution);
        }
        let Some(name) = parameter(self.cursor, true) else {
            inside(self.cursor, '}')?;
            return Ok(Piece::BadSubstitution);
        };
        if self.cursor.eat("}") {
            let operation = if length {
                Operation::Length
            } else {
                Operation::Value
            };
            return Ok(Piece::Parameter {
                name,
                operation,
                quoted,
            });
        }
        if length {
            return self.rejected_or_unread();
        }
        self.operation(quoted)?.map_or_else(
            || self.rejected_or_unread(),
            |operation| {
                Ok(Piece::Parameter {
                    name,
                    operation,
                    quoted,
                })
            },
        )
    }

    /// The operation after the name, where it is one that is reproduced; else nothing is read.
    fn operation(&mut self, quoted: bool) -> Result<Option<Operation>, Stop> {
        let mut after = *self.cursor;
        let colon = after.eat(":");
        let Some(operator) = after.bump().filter(|char| "-=?+".contains(*char)) else {
            return Ok(None);
        };
        *self.cursor = after;
        self.depth = self.depth.checked_sub(1).ok_or(too_deep())?;
        let mut other = Vec::new();
        self.pieces(Place::Braces { quoted }, &mut other)?;
        self.depth += 1;
        Ok(Some(match operator {
            '-' => Operation::Default { colon, other },
            '=' => Operation::Assign { colon, other },
            '+' => Operation::Alternative { colon, other },
            _ => Operation::Require { colon },
        }))
    }

    fn rejected_or_unread(&mut self) -> Result<Piece, Stop> {
        let known = matches!(
            self.cursor.peek(),
            Some('#' | '%' | '/' | ':' | '^' | ',' | '@' | '[' | '*')
        );
        let text = inside(self.cursor, '}')?;
        Ok(if known {
            unread(text)
        } else {
            Piece::BadSubstitution
        })
    }

    fn array(&mut self, word: &mut Word) -> Result<(), Stop> {
        let mut words = Vec::new();
        loop {
            self.cursor
                .take_while(|char| matches!(char, ' ' | '\t' | '\n'));
            match self.cursor.peek() {
                None => return Err(UNCLOSED),
                Some(')') => break,
                Some('#') => _ = self.cursor.take_line(),
                Some('\\') if self.cursor.eat("\\\n") => {}
                Some(_) => {
                    let element = read_at(self.cursor, Place::Element)?;
                    if element.is_empty() {
                        return Err(Stop::Refused("an operator stands where none may"));
                    }
                    words.push(element);
                }
            }
        }
        self.cursor.bump();
        word.push(Piece::Array(words));
        Ok(())
    }
}

fn unread(text: &str) -> Piece {
    match runs_command(text) {
        true => Piece::Command,
        false => Piece::Unread,
    }
}

/// Reads the name of a parameter; only braces make several digits one name.
fn parameter(cursor: &mut Cursor, braces: bool) -> Option<String> {
    let first = cursor.peek()?;
    if begins_name(first) {
        return Some(cursor.take_while(in_name).to_owned());
    }
    if first.is_ascii_digit() && braces {
        return Some(cursor.take_while(|char| char.is_ascii_digit()).to_owned());
    }
    if first.is_ascii_digit() || "@*#?-$!".contains(first) {
        cursor.bump();
        return Some(first.to_string());
    }
    None
}

/// The text of `$'…'`, its dollar sign read already.
fn ansi_c(cursor: &mut Cursor) -> Result<String, Stop> {
    cursor.bump();
    let mut text = String::new();
    loop {
        match cursor.bump().ok_or(UNCLOSED)? {
            '\'' => return Ok(text),
            '\\' => ansi_c_escape(cursor, &mut text)?,
            char => text.push(char),
        }
    }
}

fn ansi_c_escape(cursor: &mut Cursor, text: &mut String) -> Result<(), Stop> {
    let char = cursor.bump().ok_or(UNCLOSED)?;
    let meant = match char {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'e' | 'E' => '\u{1b}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' | '\'' | '"' | '?' => char,
        'x' | 'u' | 'U' | 'c' | '0'..='7' => {
            return Err(Stop::Refused("an escape by number is not reproduced"));
        }
        _ => {
            text.push('\\');
            char
        }
    };
    text.push(meant);
    Ok(())
}

fn push_char(word: &mut Word, char: char, quoted: bool) {
    push_text(word, char.encode_utf8(&mut [0; 4]), quoted);
}

fn push_text(word: &mut Word, new: &str, is_quoted: bool) {
    match word.last_mut() {
        Some(Piece::Text { text, quoted }) if *quoted == is_quoted => text.push_str(new),
        _ => word.push(Piece::Text {
            text: new.to_owned(),
            quoted: is_quoted,
        }),
    }
}
