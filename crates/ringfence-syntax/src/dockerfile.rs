//! Dockerfiles: the images, variables and copied files they name.
//!
//! ```text
//! file        = [ UTF-8 byte order mark ] { directive } { blank | comment | instruction }
//! directive   = "#" , name , "=" , value                    `# escape=` chooses the escape character, "\" or "`"
//! comment     = spaces , "#" , any text , line end          between the lines of an instruction too
//! instruction = spaces , keyword , { flag } , arguments     keywords in any case
//! flag        = "--" , text without white space
//! FROM        = image , [ "AS" , stage ]
//! ENV         = pair , { pair } | name , white space , value to the end
//! ARG         = name , [ "=" , value ] , { … }
//! COPY, ADD   = source , { source } , target | JSON array of these
//! RUN         = any text
//! ```
//!
//! An escape character at the end of a line joins the next to it; comments and blank lines in between are dropped.
//! After `RUN`, `COPY` and `ADD`, `<<NAME`, `<<-NAME` and `<<"NAME"` begin here-documents, which are passed over as
//! text; one that never ends reaches to the end of the file. In values, quotes and escapes are resolved, references
//! such as `$HOME` and `${NAME:-x}` stay as text. The grammar is the one of the Dockerfile reference
//! (docs.docker.com) and, where that is silent, of BuildKit's parser. Reading takes time and memory linear in the
//! input's length; text that is no instruction is passed over.
//!
//! ```
//! use ringfence_syntax::dockerfile::{self, Kind};
//!
//! let text = "FROM node:22 AS build\nENV NODE_ENV=production PORT=\"80\"\n";
//! let instructions = dockerfile::parse(text);
//! let Kind::Env { name, value, .. } = &instructions[2].kind else { panic!() };
//! assert_eq!((name.as_str(), value.as_str()), ("PORT", "80"));
//! ```

mod characters;
mod line;
mod word;

use ringfence_diagnostic::Span;

use characters::Characters;
use line::{Line, Lines};
use word::Word;

/// One instruction, or one variable of an instruction that sets several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub kind: Kind,
    /// The whole instruction, from its keyword to its last line's text, here-documents included.
    pub span: Span,
}

/// What an instruction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `FROM image AS stage`
    From {
        /// The image or earlier stage, as written.
        image: String,
        /// The name of the stage that begins here.
        stage: Option<String>,
    },
    /// One variable of `ENV`.
    Env {
        /// Its name.
        name: String,
        /// The name as written.
        name_span: Span,
        /// Its value, quotes and escapes resolved.
        value: String,
        /// The value as written, quotes included.
        value_span: Span,
    },
    /// One argument of `ARG`.
    Arg {
        /// Its name.
        name: String,
        /// The name as written.
        name_span: Span,
        /// Its default, quotes and escapes resolved.
        value: Option<String>,
        /// The default as written, quotes included.
        value_span: Option<Span>,
    },
    /// `COPY` or `ADD`.
    Copy {
        /// What is copied from the build context, and where it is written (in a JSON array: inside its quotes).
        /// Without here-documents, and none where `--from=` copies from another stage or image.
        sources: Vec<(String, Span)>,
        /// Where it goes.
        target: String,
    },
    /// `RUN`
    Run {
        /// The flags and the command, here-documents included.
        text_span: Span,
    },
    /// Any other.
    Other,
}

/// The instructions of a file, in order.
#[must_use]
pub fn parse(text: &str) -> Vec<Instruction> {
    let mut lines = Lines::new(text);
    let mut instructions = Vec::new();
    while let Some(line) = lines.next_line() {
        let kinds = match line.keyword.as_str() {
            "FROM" => from(&line),
            "ENV" => env(&line),
            "ARG" => arg(&line),
            "COPY" | "ADD" => copy(&line),
            "RUN" => vec![run(&line)],
            _ => vec![Kind::Other],
        };
        let span = line.span;
        instructions.extend(kinds.into_iter().map(|kind| Instruction { kind, span }));
    }
    instructions
}

fn run(line: &Line) -> Kind {
    let start = line.arguments.offset.min(line.span.end);
    Kind::Run {
        text_span: Span::new(start, line.span.end),
    }
}

/// The instruction of a line that has not what its keyword asks for.
fn other_if_none(kinds: Vec<Kind>) -> Vec<Kind> {
    if kinds.is_empty() {
        return vec![Kind::Other];
    }
    kinds
}

fn from(line: &Line) -> Vec<Kind> {
    let mut words = word::plain(&line.arguments).skip_while(|word| word.text.starts_with("--"));
    let image = words.next().map(|word| word.text);
    let is_named = words
        .next()
        .is_some_and(|word| word.text.eq_ignore_ascii_case("as"));
    let stage = words.next().filter(|_| is_named).map(|word| word.text);
    let from = image.map(|image| Kind::From { image, stage });
    other_if_none(from.into_iter().collect())
}

fn env(line: &Line) -> Vec<Kind> {
    let escape = line.arguments.escape;
    let Some(first) = word::quoted(&line.arguments).next() else {
        return vec![Kind::Other];
    };
    if first.equals.is_none() {
        return legacy_env(line, first);
    }
    let pairs = word::quoted(&line.arguments).filter_map(|word| {
        let pair = Pair::of(&word, escape)?;
        Some(Kind::Env {
            name: pair.name,
            name_span: pair.name_span,
            value: pair.value,
            value_span: pair.value_span,
        })
    });
    other_if_none(pairs.collect())
}

/// `ENV name value to the end of the line`
fn legacy_env(line: &Line, name: Word) -> Vec<Kind> {
    let Some(value) = word::whole(&line.arguments.after(name.span.end)) else {
        return vec![Kind::Other];
    };
    vec![Kind::Env {
        value: word::decoded(&value.text, line.arguments.escape),
        value_span: value.span,
        name: name.text,
        name_span: name.span,
    }]
}

fn arg(line: &Line) -> Vec<Kind> {
    let escape = line.arguments.escape;
    let arguments = word::quoted(&line.arguments).map(|word| match Pair::of(&word, escape) {
        Some(pair) => Kind::Arg {
            name: pair.name,
            name_span: pair.name_span,
            value: Some(pair.value),
            value_span: Some(pair.value_span),
        },
        None => Kind::Arg {
            name: word.text,
            name_span: word.span,
            value: None,
            value_span: None,
        },
    });
    other_if_none(arguments.collect())
}

/// `name=value`
struct Pair {
    name: String,
    name_span: Span,
    value: String,
    value_span: Span,
}

impl Pair {
    fn of(word: &Word, escape: char) -> Option<Self> {
        let (name, value) = word.text.split_once('=')?;
        let equals = word.equals?;
        Some(Self {
            name: name.to_owned(),
            name_span: Span::new(word.span.start, equals),
            value: word::decoded(value, escape),
            value_span: Span::new(equals + 1, word.span.end),
        })
    }
}

fn copy(line: &Line) -> Vec<Kind> {
    let flags = word::plain(&line.arguments).take_while(|word| word.text.starts_with("--"));
    let mut is_from_elsewhere = false;
    let mut paths = line.arguments.clone();
    for flag in flags {
        is_from_elsewhere |= flag.text.starts_with("--from=");
        paths = line.arguments.after(flag.span.end);
    }
    let mut words = word::json(&paths).unwrap_or_else(|| shell_words(&paths));
    let Some(target) = words.pop() else {
        return vec![Kind::Other];
    };
    if is_from_elsewhere {
        words.clear();
    }
    vec![Kind::Copy {
        sources: words
            .into_iter()
            .map(|word| (word.text, word.span))
            .collect(),
        target: target.text,
    }]
}

/// The words of a `COPY` that is no JSON array: divided at white space even inside quotes, as Docker does.
fn shell_words(paths: &Characters) -> Vec<Word> {
    word::plain(paths)
        .filter(|word| line::here_document(&word.text).is_none())
        .map(|word| Word {
            text: word::decoded(&word.text, paths.escape),
            ..word
        })
        .collect()
}

#[cfg(test)]
mod tests;
