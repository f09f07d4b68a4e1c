//! One simple command: which words are assignments, which is its name, which are its operands.

use ringfence_diagnostic::Span;

use super::token::{Redirection, Word};

/// The words of a command, and the file that it prints to.
#[derive(Default)]
pub(super) struct Command {
    words: Vec<Word>,
    printed_to: Option<Word>,
    /// The redirection whose file the next word is.
    redirection: Option<Redirection>,
}

/// An assignment, or what makes a variable's value unknown.
pub(super) struct Assignment {
    pub(super) name: String,
    pub(super) name_span: Span,
    /// Nothing where the value cannot be told: `NAME+=value`.
    pub(super) value: Option<Word>,
    pub(super) export: bool,
    /// Whether it lasts longer than the command.
    pub(super) is_kept: bool,
}

/// Words that stand before a command and are none.
const BEFORE_A_COMMAND: [&str; 15] = [
    "if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "sudo", "command",
    "builtin", "exec", "nohup",
];

/// Commands whose operands are assignments.
const DECLARATIONS: [&str; 5] = ["export", "readonly", "local", "declare", "typeset"];

impl Command {
    pub(super) fn push(&mut self, word: Word) {
        match self.redirection.take() {
            Some(Redirection::Replace) => self.printed_to = Some(word),
            Some(Redirection::Other) => {}
            None if self.words.is_empty() && is_before_a_command(&word.text) => {}
            None => self.words.push(word),
        }
    }

    pub(super) fn redirect(&mut self, redirection: Redirection) {
        self.redirection = Some(redirection);
    }

    /// Whether a `(` at `offset` begins the value of `NAME=(…)`.
    pub(super) fn begins_array(&self, offset: usize) -> bool {
        self.words.last().is_some_and(|word| {
            word.span.end == offset && word.equals.is_some() && word.text.ends_with('=')
        })
    }

    /// Forgets the `NAME=` of an array: its value is a list. The elements become operands.
    pub(super) fn drop_array_assignment(&mut self) {
        if let Some(word) = self.words.last_mut() {
            word.equals = None;
        }
    }

    /// From the first word to the last, or from the file that is printed to where that stands before the command;
    /// nothing where there is no word.
    pub(super) fn span(&self) -> Option<Span> {
        let (first, last) = (self.words.first()?, self.words.last()?);
        let printed_to = self.printed_to.as_ref();
        let start = printed_to.map_or(first.span.start, |word| {
            word.span.start.min(first.span.start)
        });
        Some(Span::new(start, last.span.end))
    }

    /// The assignments before the command's name, or the operands of `export` and the like.
    pub(super) fn assignments(&self) -> Vec<Assignment> {
        let (before, command) = self.words.split_at(self.name_index());
        let is_alone = command.is_empty();
        let mut found: Vec<Assignment> = before
            .iter()
            .filter_map(|word| assignment(word, !is_alone, is_alone))
            .collect();
        let (name, operands) = self.name_and_arguments();
        if DECLARATIONS.contains(&name) {
            let export = name == "export" || operands.iter().any(|word| is_export_flag(&word.text));
            let declared = operands
                .iter()
                .filter_map(|word| assignment(word, export, true));
            found.extend(declared);
        }
        found
    }

    /// The sources and the target of a command that makes files from files.
    pub(super) fn copied(&self) -> Option<(Vec<&Word>, &Word)> {
        let (name, arguments) = self.name_and_arguments();
        let has_target_flag = arguments
            .iter()
            .any(|word| word.text.starts_with("-t") || word.text.starts_with("--target"));
        let mut operands = operands(arguments);
        match name {
            "cp" | "ln" if !has_target_flag => {
                let target = operands.pop()?;
                Some((operands, target))
            }
            "cat" => Some((operands, self.printed_to.as_ref()?)),
            _ => None,
        }
    }

    /// The file that the command reads into the shell.
    pub(super) fn sourced(&self) -> Option<&Word> {
        let (name, arguments) = self.name_and_arguments();
        if !matches!(name, "source" | "." | "include") {
            return None;
        }
        operands(arguments).first().copied()
    }

    /// The variables whose value the command changes to what cannot be told.
    pub(super) fn forgotten(&self) -> impl Iterator<Item = &str> {
        let (name, arguments) = self.name_and_arguments();
        let forgets = matches!(name, "for" | "select" | "read" | "unset" | "getopts");
        let variables = arguments
            .iter()
            .take(if forgets { arguments.len() } else { 0 });
        variables
            .map(|word| word.text.as_str())
            .take_while(|name| *name != "in")
    }

    fn name_index(&self) -> usize {
        let name = self
            .words
            .iter()
            .position(|word| assignment(word, false, false).is_none());
        name.unwrap_or(self.words.len())
    }

    /// The command's name without its folder, and what follows it.
    fn name_and_arguments(&self) -> (&str, &[Word]) {
        let mut words = self.words.get(self.name_index()..).unwrap_or_default();
        while let [first, rest @ ..] = words {
            if !is_before_a_command(&first.text) {
                let name = unprefixed(&first.text);
                return (name.rsplit('/').next().unwrap_or(name), rest);
            }
            words = rest;
        }
        ("", words)
    }
}

/// The words that are no flags.
fn operands(arguments: &[Word]) -> Vec<&Word> {
    let mut are_flags_over = false;
    let is_operand = |word: &&Word| {
        let is_flag = !are_flags_over && word.text.starts_with('-') && word.text.len() > 1;
        are_flags_over |= word.text == "--";
        !is_flag
    };
    arguments.iter().filter(is_operand).collect()
}

fn is_before_a_command(word: &str) -> bool {
    let word = unprefixed(word);
    word.is_empty() || BEFORE_A_COMMAND.contains(&word)
}

/// Without what make takes from the beginning of a recipe's line.
fn unprefixed(word: &str) -> &str {
    word.trim_start_matches(['@', '-', '+'])
}

/// `-x`, also among other flags.
fn is_export_flag(word: &str) -> bool {
    word.starts_with('-') && word.contains('x')
}

/// The assignment that a word is, if it is one.
fn assignment(word: &Word, export: bool, is_kept: bool) -> Option<Assignment> {
    let equals = word.equals?;
    let (before, value) = word.text.split_once('=')?;
    let (written, is_added) = match before.strip_suffix('+') {
        Some(written) => (written, true),
        None => (before, false),
    };
    let name = unprefixed(written);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.chars().all(is_name) || !name.starts_with(|c: char| !c.is_ascii_digit()) {
        return None;
    }
    let value = Word {
        text: value.to_owned(),
        span: Span::new(equals + 1, word.span.end),
        equals: None,
        is_literal: word.is_literal,
    };
    let name_end = word.span.start + written.len();
    Some(Assignment {
        name: name.to_owned(),
        name_span: Span::new(name_end - name.len(), name_end),
        value: (!is_added).then_some(value),
        export,
        is_kept,
    })
}
