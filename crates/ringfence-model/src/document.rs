//! The project's files as they were read, once, at the top.

use std::collections::BTreeMap;

use ringfence_diagnostic::{Diagnostic, SourceId, Sources};
use ringfence_syntax::dotenv::{self, Tree};

/// One `.env` file.
#[derive(Debug)]
pub struct Document {
    /// Its text.
    pub source: SourceId,
    /// Its lines.
    pub tree: Tree,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// Why a file's content is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// There is no such file.
    Missing,
    /// The system refused, in its own words.
    Refused(String),
}

/// All `.env` files that were read or tried, by path from the project's root.
#[derive(Debug, Default)]
pub struct Documents {
    documents: BTreeMap<String, Result<Document, Unreadable>>,
}

impl Documents {
    /// Takes in a file's bytes; from here on, excerpts of it show names only. `path` is from the project's root,
    /// `shown` is what people are told.
    pub fn add(&mut self, sources: &mut Sources, path: &str, shown: &str, bytes: &[u8]) {
        let source = sources.add(shown, String::from_utf8_lossy(bytes));
        let parsed = dotenv::parse(source, bytes);
        if let Some(source) = sources.get_mut(source) {
            source.reveal(parsed.tree.shown());
        }
        let document = Document {
            source,
            tree: parsed.tree,
            diagnostics: parsed.diagnostics,
        };
        self.documents.insert(path.to_owned(), Ok(document));
    }

    /// Remembers why a file could not be read.
    pub fn add_unreadable(&mut self, path: &str, why: Unreadable) {
        self.documents.insert(path.to_owned(), Err(why));
    }

    /// The document at `path`; a path that was never tried counts as missing.
    ///
    /// # Errors
    /// Why there is none.
    pub fn get(&self, path: &str) -> Result<&Document, Unreadable> {
        match self.documents.get(path) {
            Some(Ok(document)) => Ok(document),
            Some(Err(why)) => Err(why.clone()),
            None => Err(Unreadable::Missing),
        }
    }

    /// The documents that could be read, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Document)> {
        self.documents
            .iter()
            .filter_map(|(path, document)| Some((path.as_str(), document.as_ref().ok()?)))
    }
}
