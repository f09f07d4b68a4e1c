//! Turns the text of a project's files into trees with spans; never fails and never reads a file.
//!
//! Every reader takes a source's id and its bytes and gives a tree together with diagnostics: a tree for what could be
//! read, a diagnostic for what could not. What a value means, and which of two values wins, is decided above
//! (`ringfence-model`).

pub mod dotenv;
pub mod manifest;
