//! Lines: commands and the operators between them.

use super::name::assigned;
use super::nesting::inside;
use super::word::{self, Piece, Word};
use crate::cursor::Cursor;
use crate::outcome::Stop;

const MISPLACED: Stop = Stop::Refused("an operator stands where none may");

/// A complete line: lists that run one after the other.
pub(super) type Line = Vec<List>;

/// Pipelines joined by `&&` and `||`.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) pipelines: Vec<Pipeline>,
    /// Whether `&` follows: then it runs in a shell of its own.
    pub(super) background: bool,
}

/// Commands joined by `|`.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    /// Whether it comes after `||`, and therefore runs only where the one before fails.
    pub(super) otherwise: bool,
    pub(super) commands: Vec<Command>,
}

/// Assignments, then the words of a command.
#[derive(Debug, Default)]
pub(super) struct Command {
    pub(super) assignments: Vec<Word>,
    pub(super) words: Vec<Word>,
    /// Whether it opens a file.
    pub(super) redirects: bool,
}

/// Reads a program line by line.
pub(super) struct Grammar<'t> {
    cursor: Cursor<'t>,
}

/// What comes after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    LineEnd,
    Sequence,
    Background,
    And,
    Or,
    Pipe,
}

impl<'t> Grammar<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self {
            cursor: Cursor::new(text),
        }
    }

    /// The next line that holds a command.
    pub(super) fn line(&mut self) -> Result<Option<Line>, Stop> {
        self.skip_empty_lines();
        if self.cursor.is_empty() {
            return Ok(None);
        }
        let mut line = vec![List::default()];
        let mut pipeline = Pipeline::default();
        loop {
            pipeline.commands.push(self.command()?);
            let operator = self.operator()?;
            if operator == Operator::Pipe {
                self.skip_empty_lines();
                continue;
            }
            let joined = matches!(operator, Operator::And | Operator::Or);
            if let Some(list) = line.last_mut() {
                list.pipelines.push(std::mem::take(&mut pipeline));
                list.background = operator == Operator::Background;
            }
            pipeline.otherwise = operator == Operator::Or;
            if joined {
                self.skip_empty_lines();
            } else if operator == Operator::LineEnd || self.at_line_end() {
                return Ok(Some(line));
            } else {
                line.push(List::default());
            }
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            self.cursor.take_while(|char| matches!(char, ' ' | '\t'));
            if !self.cursor.eat("\\\n") {
                break;
            }
        }
        if self.cursor.peek() == Some('#') {
            self.cursor.take_while(|char| char != '\n');
        }
    }

    fn skip_empty_lines(&mut self) {
        self.skip_blanks();
        while self.cursor.eat("\n") {
            self.skip_blanks();
        }
    }

    fn at_line_end(&mut self) -> bool {
        self.skip_blanks();
        self.cursor.is_empty() || self.cursor.eat("\n")
    }

    fn operator(&mut self) -> Result<Operator, Stop> {
        const OPERATORS: [(&str, Operator); 8] = [
            ("\n", Operator::LineEnd),
            ("&&", Operator::And),
            ("||", Operator::Or),
            ("|&", Operator::Pipe),
            ("|", Operator::Pipe),
            ("&", Operator::Background),
            (";;", Operator::LineEnd),
            (";", Operator::Sequence),
        ];
        if self.cursor.is_empty() {
            return Ok(Operator::LineEnd);
        }
        let found = OPERATORS.iter().find(|(text, _)| self.cursor.eat(text));
        match found {
            Some((";;", _)) | None => Err(MISPLACED),
            Some((_, operator)) => Ok(*operator),
        }
    }

    fn command(&mut self) -> Result<Command, Stop> {
        let mut command = Command::default();
        loop {
            self.skip_blanks();
            if self.redirection()? {
                command.redirects = true;
                continue;
            }
            if self.cursor.peek() == Some('(') {
                return Err(self.parenthesis(&command));
            }
            let word = word::read(&mut self.cursor)?;
            let first = command.words.is_empty();
            if word.is_empty() {
                break;
            } else if first && is_assignment(&word) {
                command.assignments.push(word);
            } else {
                if first && command.assignments.is_empty() {
                    reserved(&word)?;
                }
                command.words.push(word);
            }
        }
        match command.redirects || !command.words.is_empty() || !command.assignments.is_empty() {
            true => Ok(command),
            false => Err(MISPLACED),
        }
    }

    /// A parenthesis: a program in a shell of its own, the definition of a function, or an error.
    fn parenthesis(&mut self, command: &Command) -> Stop {
        self.cursor.bump();
        match (command.assignments.as_slice(), command.words.as_slice()) {
            ([], []) => {
                inside(&mut self.cursor, ')').map_or_else(|stop| stop, |_| Stop::RunsCommand)
            }
            ([], [_]) => {
                self.skip_blanks();
                match self.cursor.peek() {
                    Some(')') => Stop::RunsCommand,
                    _ => MISPLACED,
                }
            }
            _ => MISPLACED,
        }
    }

    /// Reads a redirection and its target.
    fn redirection(&mut self) -> Result<bool, Stop> {
        const OPERATORS: [&str; 12] = [
            "&>>", "&>", "<<<", "<<-", "<<", "<&", "<>", "<", ">>", ">&", ">|", ">",
        ];
        let substitution =
            self.cursor.peek_second() == Some('(') && self.cursor.peek() != Some('&');
        if substitution || !OPERATORS.iter().any(|operator| self.cursor.eat(operator)) {
            return Ok(false);
        }
        self.skip_blanks();
        match word::read(&mut self.cursor)?.is_empty() {
            true => Err(MISPLACED),
            false => Ok(true),
        }
    }
}

fn is_assignment(word: &[Piece]) -> bool {
    matches!(word.first(), Some(Piece::Text { text, quoted: false }) if assigned(text).is_some())
}

/// The words that begin a compound command, or that must not stand where none is open.
fn reserved(word: &[Piece]) -> Result<(), Stop> {
    let [
        Piece::Text {
            text,
            quoted: false,
        },
    ] = word
    else {
        return Ok(());
    };
    match text.as_str() {
        "if" | "while" | "until" | "for" | "case" | "select" | "function" | "{" | "[[" | "!"
        | "time" | "coproc" => Err(Stop::RunsCommand),
        "then" | "elif" | "else" | "fi" | "do" | "done" | "esac" | "}" => Err(MISPLACED),
        _ => Ok(()),
    }
}
