//! Shell scripts: what they do with `.env` files, and what they assign.
//!
//! ```text
//! cp [ flags ] a b      ln [ flags ] a b      cat a > b          a copy, where `a` or `b` is a `.env` file
//! source f              . f              include f (make)        read, where `f` is one
//! NAME=value            export NAME=value     NAME=value command
//! ```
//!
//! Commands are found in lists and conditions (`;`, `&&`, `||`, `|`, `if … then`, `{ … }`, `( … )`), not inside
//! `$( … )`. Quotes, comments, joined lines and here-documents are read as POSIX has them (XCU chapter 2, "Shell
//! Command Language"); nothing is run and no file is looked at. A Makefile can be given too: tabs, `@`, `-` and `+`
//! before a command do not count.
//!
//! A word is a `.env` file where its last path component begins with `.env` and no letter or digit follows: `.env`,
//! `.env.$APP_ENV`, `"$ROOT/.env.example"`, and also `${ENV_FILE:-.env}`, but not `.envrc` and not
//! `.env/bin/activate`. `$NAME` and `${NAME}` in the words of a copy stand for what the script assigned last, further
//! up, in whichever branch; other references stay as text. What resolving adds to the text is limited, so that memory
//! stays linear in the input's length; beyond the limit, words stay as written and further sources are left out.
//!
//! ```
//! use ringfence_syntax::script::{self, Kind};
//!
//! let text = "FILE=.env.example\n[ -f .env ] || cp \"$FILE\" .env\n";
//! let actions = script::parse(text);
//! let Kind::CopyEnvFile { from, to } = &actions[1].kind else { panic!() };
//! assert_eq!((from.text.as_str(), to.text.as_str()), (".env.example", ".env"));
//! assert_eq!(from.span.of(text), "\"$FILE\"");
//! ```

mod command;
mod here_document;
mod token;
mod variables;

use ringfence_diagnostic::Span;

use command::Command;
use token::Token;
use variables::Variables;

/// One thing that a script does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What it is.
    pub kind: Kind,
    /// The command: from its first word, or a file it prints to before that, to its last word.
    pub span: Span,
}

/// What a script does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Makes one file from another; at least one of the two is a `.env` file. A command with several sources gives one
    /// of these for each.
    CopyEnvFile {
        /// The file that is read, or that the link points to.
        from: Word,
        /// The file or folder that is written.
        to: Word,
    },
    /// Reads a `.env` file into the shell.
    SourceEnvFile {
        /// The file.
        file: Word,
    },
    /// Assigns a variable.
    Assign {
        /// Its name.
        name: String,
        /// The name as written.
        name_span: Span,
        /// The value, references kept as text.
        value: Word,
        /// Whether other processes get it: after `export` or `declare -x`, or before a command, where that command
        /// alone gets it.
        export: bool,
    },
}

/// A word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its text without quotes; references such as `$APP_ENV` and `${APP_ENV:-dev}` are kept as text.
    pub text: String,
    /// The word as written, quotes included.
    pub span: Span,
}

/// What a script does, in order.
#[must_use]
pub fn parse(text: &str) -> Vec<Action> {
    let mut interpreter = Interpreter {
        variables: Variables::new(text.len()),
        actions: Vec::new(),
    };
    let mut command = Command::default();
    for token in token::tokens(text) {
        match token {
            Token::Word(word) => command.push(word),
            Token::Redirection(redirection) => command.redirect(redirection),
            Token::Open(offset) if command.begins_array(offset) => {
                command.drop_array_assignment();
            }
            Token::Open(_) | Token::End => interpreter.run(&std::mem::take(&mut command)),
        }
    }
    interpreter.run(&command);
    interpreter.actions
}

struct Interpreter {
    variables: Variables,
    actions: Vec<Action>,
}

impl Interpreter {
    fn run(&mut self, command: &Command) {
        let Some(span) = command.span() else {
            return;
        };
        for name in command.forgotten() {
            self.variables.forget(name);
        }
        for assignment in command.assignments() {
            if assignment.is_kept {
                self.variables.assign(&assignment);
            }
            let Some(value) = assignment.value else {
                continue;
            };
            self.push(
                span,
                Kind::Assign {
                    name: assignment.name,
                    name_span: assignment.name_span,
                    value: Word {
                        text: value.text,
                        span: value.span,
                    },
                    export: assignment.export,
                },
            );
        }
        match command.copied() {
            Some((sources, target)) => self.copy(span, &sources, target),
            None => self.source(span, command.sourced()),
        }
    }

    fn copy(&mut self, span: Span, sources: &[&token::Word], target: &token::Word) {
        let to = self.variables.resolved(target);
        for source in sources {
            let from = self.variables.resolved(source);
            let concerns = is_env_file(&from.text) || is_env_file(&to.text);
            if concerns && self.variables.spend(to.text.len()) {
                let to = to.clone();
                self.push(span, Kind::CopyEnvFile { from, to });
            }
        }
    }

    fn source(&mut self, span: Span, file: Option<&token::Word>) {
        let file = file.map(|file| self.variables.resolved(file));
        if let Some(file) = file.filter(|file| is_env_file(&file.text)) {
            self.push(span, Kind::SourceEnvFile { file });
        }
    }

    fn push(&mut self, span: Span, kind: Kind) {
        self.actions.push(Action { kind, span });
    }
}

/// Whether a path's last component begins with `.env`, itself or as the default of a reference.
fn is_env_file(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.match_indices(".env").any(|(offset, found)| {
        let before = file.get(..offset).unwrap_or("");
        let after = file.get(offset + found.len()..).unwrap_or("");
        let begins = before.is_empty() || (before.starts_with("${") && before.ends_with('-'));
        begins && !after.starts_with(|c: char| c.is_alphanumeric())
    })
}

#[cfg(test)]
mod tests;
