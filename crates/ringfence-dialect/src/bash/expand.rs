//! What words become: parameters replaced, `~` at the beginning of a path replaced, fields split.

use super::name::is_name;
use super::shell::{Interrupt, Scope, Shell};
use super::word::{Operation, Piece, Word};
use crate::outcome::Stop;

impl Shell<'_> {
    /// The value of an assignment: `text` is the rest of the piece that the name stands in.
    pub(super) fn assigned_value(
        &mut self,
        text: &str,
        rest: &[Piece],
    ) -> Result<String, Interrupt> {
        let mut value = String::new();
        self.add_with_home(text, true, rest.is_empty(), &mut value)?;
        for (index, piece) in rest.iter().enumerate() {
            match piece {
                Piece::Text {
                    text,
                    quoted: false,
                } => {
                    let first = index == 0 && value.is_empty();
                    self.add_with_home(text, first, index + 1 == rest.len(), &mut value)?;
                }
                _ => self.piece(piece, &mut value)?,
            }
        }
        Ok(value)
    }

    /// The word as one text.
    pub(super) fn joined(&mut self, word: &Word) -> Result<String, Interrupt> {
        self.assigned_value("", word)
    }

    /// The fields that the word is split into: none where nothing is left of it.
    pub(super) fn fields(&mut self, word: &Word) -> Result<Vec<String>, Interrupt> {
        let mut fields = Vec::new();
        let mut field: Option<String> = None;
        for piece in word {
            let mut text = String::new();
            self.piece(piece, &mut text)?;
            if !matches!(piece, Piece::Parameter { quoted: false, .. }) {
                field.get_or_insert_default().push_str(&text);
                continue;
            }
            for (index, part) in text.split([' ', '\t', '\n']).enumerate() {
                if index > 0 {
                    fields.extend(field.take());
                }
                if !part.is_empty() {
                    field.get_or_insert_default().push_str(part);
                }
            }
        }
        fields.extend(field);
        Ok(fields)
    }

    fn piece(&mut self, piece: &Piece, value: &mut String) -> Result<(), Interrupt> {
        match piece {
            Piece::Text { text, .. } => {
                value.push_str(text);
                Ok(())
            }
            Piece::Parameter {
                name, operation, ..
            } => self.parameter(name, operation, value),
            Piece::Command => Err(Stop::RunsCommand.into()),
            Piece::Unread => Err(Stop::Refused("an expansion is not reproduced").into()),
            Piece::BadSubstitution => Err(Interrupt::Line),
            Piece::Array(_) => Err(Stop::Refused("an array stands where none may").into()),
        }
    }

    fn parameter(
        &mut self,
        name: &str,
        operation: &Operation,
        value: &mut String,
    ) -> Result<(), Interrupt> {
        let current = self.scope.parameter(name)?;
        match operation {
            Operation::Default { colon, other } if is_missing(current, *colon) => {
                self.add_other(other, value)
            }
            Operation::Assign { colon, other } if is_missing(current, *colon) => {
                self.assign_default(name, other, value)
            }
            Operation::Require { colon } if is_missing(current, *colon) => {
                Err(Stop::Refused("a variable is required and has no value").into())
            }
            Operation::Alternative { colon, other } => match is_missing(current, *colon) {
                true => Ok(()),
                false => self.add_other(other, value),
            },
            Operation::Length => {
                let current = current.unwrap_or_default();
                self.growth.spend(current.len())?;
                value.push_str(&current.chars().count().to_string());
                Ok(())
            }
            _ => Ok(self.growth.append(current.unwrap_or_default(), value)?),
        }
    }

    fn add_other(&mut self, other: &Word, value: &mut String) -> Result<(), Interrupt> {
        let other = self.joined(other)?;
        value.push_str(&other);
        Ok(())
    }

    fn assign_default(
        &mut self,
        name: &str,
        other: &Word,
        value: &mut String,
    ) -> Result<(), Interrupt> {
        let other = self.joined(other)?;
        if !is_name(name) {
            return Err(Interrupt::Line);
        }
        self.growth.append(&other, value)?;
        self.store(name, other, false)
    }

    /// Appends a text, with the caller's home directory for `~` at its beginning and after colons, before a slash, a
    /// colon or the end of the value.
    fn add_with_home(
        &mut self,
        text: &str,
        first: bool,
        last: bool,
        value: &mut String,
    ) -> Result<(), Stop> {
        let mut parts = text.split(':').peekable();
        let mut begins = first;
        while let Some(part) = parts.next() {
            let ends = parts.peek().is_some() || last;
            let home = self.scope.value("HOME");
            match (part.strip_prefix('~').filter(|_| begins), home) {
                (Some(path), Some(home)) if path.starts_with('/') || (path.is_empty() && ends) => {
                    self.growth.append(home, value)?;
                    value.push_str(path);
                }
                _ => value.push_str(part),
            }
            if parts.peek().is_some() {
                value.push(':');
            }
            begins = true;
        }
        Ok(())
    }
}

impl Scope<'_> {
    /// What a parameter stands for now.
    fn parameter(&self, name: &str) -> Result<Option<&str>, Stop> {
        Ok(match name {
            "#" | "?" => Some("0"),
            "@" | "*" | "!" => None,
            "$" | "-" | "_" | "0" => {
                return Err(Stop::Refused(
                    "a parameter is known to the running shell alone",
                ));
            }
            _ => self.value(name),
        })
    }
}

/// Whether a parameter counts as unset.
fn is_missing(value: Option<&str>, colon: bool) -> bool {
    match value {
        None => true,
        Some(value) => colon && value.is_empty(),
    }
}
