//! bash 5.2, `set -a; . ./.env`: the text is a program. What sets variables is carried out; any command word, command
//! substitution or redirection ends the reading.
//!
//! Left out, and told as [`crate::outcome::Stop::Refused`]: arithmetic, patterns and substrings in `${…}`, and the parameters that only
//! the running shell knows (`$$`, `$0`, `$-`, `$_`). The shell's own variables (`$RANDOM`, `$PWD`) count as unset
//! unless the caller has them, and the caller's script has no arguments. Compound commands (`if`, `{`, `(`) are commands
//! whatever stands in them.

mod expand;
mod grammar;
mod name;
mod nesting;
mod shell;
mod word;

use crate::outcome::{Outcome, Variables};

/// Reads `text` as bash does when it sources it.
pub(crate) fn read(text: &str, environment: &Variables) -> Outcome {
    // The shell drops NUL characters of a text that it sources.
    let text = text.replace('\0', "");
    let mut grammar = grammar::Grammar::new(&text);
    let mut shell = shell::Shell::new(&text, environment);
    while let Some(line) = grammar.line()? {
        shell.run(&line)?;
    }
    Ok(shell.exported())
}
