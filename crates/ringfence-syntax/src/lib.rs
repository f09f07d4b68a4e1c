//! Turns the text of a project's files into trees with spans; never fails and never reads a file.
//!
//! The readers of `dotenv`, `manifest` and `tree` take a source's id and its text and give a tree together with
//! diagnostics: a tree for what could be read, a diagnostic for what could not. The others give what they understood of a
//! text, with spans, and pass over the rest: nothing is started by what they read. What a value means, and which of two
//! values wins, is decided above (`ringfence-model`, `ringfence-lint`).

pub mod compose;
pub mod dockerfile;
pub mod dotenv;
pub mod git_index;
pub mod manifest;
pub mod phpunit;
pub mod properties;
pub mod script;
pub mod tree;
