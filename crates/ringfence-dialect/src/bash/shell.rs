//! What running a line does to the shell's variables.

use std::collections::BTreeMap;

use super::grammar::{Command, Line, List};
use super::name::{Assigned, assigned};
use super::word::{Piece, Word};
use crate::growth::Growth;
use crate::outcome::{Stop, Variables};

/// Variables that bash does not let anyone assign.
const READ_ONLY: [&str; 6] = [
    "BASHOPTS",
    "BASH_VERSINFO",
    "EUID",
    "PPID",
    "SHELLOPTS",
    "UID",
];

/// Why a command ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// The reading ends.
    Stop(Stop),
    /// The shell drops the rest of the line and goes on with the next one.
    Line,
}

impl From<Stop> for Interrupt {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// A variable that the text has set.
#[derive(Debug)]
struct Variable {
    value: String,
    /// Arrays are variables of the shell, and of no program that it starts.
    array: bool,
}

/// The variables of a shell: those that the text has set, before those of its caller.
pub(super) struct Scope<'e> {
    environment: &'e Variables,
    set: BTreeMap<String, Variable>,
}

impl Scope<'_> {
    /// The value of a variable.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        match self.set.get(name) {
            Some(variable) => Some(&variable.value),
            None => self.environment.get(name).map(String::as_str),
        }
    }
}

/// A shell that sources the text.
pub(super) struct Shell<'e> {
    pub(super) scope: Scope<'e>,
    pub(super) growth: Growth,
    /// Whether assignments are lost: in a shell of its own, or before a command.
    losing: bool,
}

impl<'e> Shell<'e> {
    pub(super) fn new(text: &str, environment: &'e Variables) -> Self {
        Self {
            scope: Scope {
                environment,
                set: BTreeMap::new(),
            },
            growth: Growth::for_text(text),
            losing: false,
        }
    }

    /// The variables that the text has set, as a program sees them that the shell starts.
    pub(super) fn exported(self) -> Variables {
        let seen = self
            .scope
            .set
            .into_iter()
            .filter(|(_, variable)| !variable.array);
        seen.map(|(name, variable)| (name, variable.value))
            .collect()
    }

    /// Runs a line.
    pub(super) fn run(&mut self, line: &Line) -> Result<(), Stop> {
        for list in line {
            match self.list(list) {
                Ok(()) => {}
                // In a shell of its own only that one ends.
                Err(Interrupt::Line) if list.background => {}
                Err(Interrupt::Line) => break,
                Err(Interrupt::Stop(stop)) => return Err(stop),
            }
        }
        self.losing = false;
        Ok(())
    }

    fn list(&mut self, list: &List) -> Result<(), Interrupt> {
        // Nothing that is reproduced fails, so that what comes after `||` does not run.
        for pipeline in list.pipelines.iter().filter(|pipeline| !pipeline.otherwise) {
            self.losing = list.background || pipeline.commands.len() > 1;
            for command in &pipeline.commands {
                self.command(command)?;
            }
        }
        Ok(())
    }

    fn command(&mut self, command: &Command) -> Result<(), Interrupt> {
        if command.redirects {
            return Err(Stop::RunsCommand.into());
        }
        let export = matches!(
            command.words.first().map(Vec::as_slice),
            Some([Piece::Text { text, .. }]) if text == "export"
        );
        if export {
            let lost = std::mem::replace(&mut self.losing, true);
            self.assign_all(&command.assignments)?;
            self.losing = lost;
            return self.export(command.words.get(1..).unwrap_or_default());
        }
        for word in &command.words {
            if !self.fields(word)?.is_empty() {
                return Err(Stop::RunsCommand.into());
            }
        }
        self.assign_all(&command.assignments)
    }

    fn assign_all(&mut self, words: &[Word]) -> Result<(), Interrupt> {
        for word in words {
            self.assign_word(word)?;
        }
        Ok(())
    }

    /// Carries out an assignment.
    fn assign_word(&mut self, word: &Word) -> Result<(), Interrupt> {
        match self.assignment(word)? {
            Some((target, value)) => self.assign(target, &value),
            None => Ok(()),
        }
    }

    /// What a word assigns, where it is an assignment.
    fn assignment<'w>(
        &mut self,
        word: &'w Word,
    ) -> Result<Option<(Assigned<'w>, String)>, Interrupt> {
        let Some((
            Piece::Text {
                text,
                quoted: false,
            },
            rest,
        )) = word.split_first()
        else {
            return Ok(None);
        };
        let Some(target) = assigned(text) else {
            return Ok(None);
        };
        let [Piece::Array(words), ..] = rest else {
            let value = self.assigned_value(target.value, rest)?;
            return Ok(Some((target, value)));
        };
        let mut first = None;
        for word in words {
            let value = self.joined(word)?;
            first.get_or_insert(value);
        }
        // The first word is what the variable is without a subscript, unless there was one before.
        let subscript = Some(if target.appends { "end" } else { "0" });
        let target = Assigned {
            subscript,
            ..target
        };
        Ok(Some((target, first.unwrap_or_default())))
    }

    fn assign(&mut self, target: Assigned, value: &str) -> Result<(), Interrupt> {
        let mut new = String::new();
        let whole = target.subscript.is_none_or(|subscript| subscript == "0");
        if target.appends || !whole {
            let old = self.scope.value(target.name).unwrap_or_default();
            self.growth.append(old, &mut new)?;
        }
        if whole {
            new.push_str(value);
        }
        self.store(target.name, new, target.subscript.is_some())
    }

    /// Sets a variable.
    pub(super) fn store(
        &mut self,
        name: &str,
        value: String,
        array: bool,
    ) -> Result<(), Interrupt> {
        if READ_ONLY.contains(&name) {
            return Err(Interrupt::Line);
        }
        if !self.losing {
            let array = array || self.scope.set.get(name).is_some_and(|old| old.array);
            self.scope
                .set
                .insert(name.to_owned(), Variable { value, array });
        }
        Ok(())
    }

    /// The command `export`: its words are all expanded before the first is carried out, and what is wrong with one of
    /// them does not keep it from the next.
    fn export(&mut self, words: &[Word]) -> Result<(), Interrupt> {
        let mut exports = Vec::new();
        for word in words {
            match self.assignment(word)? {
                Some((target, value)) => exports.push(Export::Assignment(target, value)),
                None => exports.extend(self.fields(word)?.into_iter().map(Export::Field)),
            }
        }
        let mut options = true;
        for export in exports {
            options &= match &export {
                Export::Assignment(target, value) => self.export_assignment(*target, value)?,
                Export::Field(field) if options && field.starts_with('-') && field.len() > 1 => {
                    option(field)?
                }
                Export::Field(field) => match assigned(field) {
                    Some(target) if target.subscript.is_none() => {
                        self.export_assignment(target, target.value)?
                    }
                    _ => false,
                },
            };
        }
        Ok(())
    }

    /// Assigns what may be assigned; no option follows it.
    fn export_assignment(&mut self, target: Assigned, value: &str) -> Result<bool, Interrupt> {
        if !READ_ONLY.contains(&target.name) {
            self.assign(target, value)?;
        }
        Ok(false)
    }
}

/// A word after `export`.
enum Export<'w> {
    Assignment(Assigned<'w>, String),
    Field(String),
}

/// Whether further options may follow this one.
fn option(field: &str) -> Result<bool, Stop> {
    match field {
        "-p" => Ok(true),
        "--" => Ok(false),
        _ => Err(Stop::Refused("an option of `export` is not reproduced")),
    }
}
