//! The project's files as they were read, once, at the top.

use std::collections::BTreeMap;

use ringfence_diagnostic::{Diagnostic, SourceId, Sources, Span};
use ringfence_syntax::dotenv::{self, Tree};

use crate::value::Value;

/// One `.env` file.
#[derive(Debug)]
pub struct Document {
    /// Its text.
    pub source: SourceId,
    /// Its lines.
    pub tree: Tree,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
    /// The names in a sealed file and where they stand; `None` for any other.
    pub sealed: Option<Vec<(String, Span)>>,
    /// Values that were encrypted in the file, as far as they were opened.
    pub(crate) opened: BTreeMap<String, Value>,
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
    /// What references gave, by environment and setting.
    references: BTreeMap<(String, String), Value>,
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
            sealed: None,
            opened: BTreeMap::new(),
        };
        self.documents.insert(path.to_owned(), Ok(document));
    }

    /// Takes in a sealed file: its bytes, of which nothing is secret, and the names in it.
    pub fn add_sealed(
        &mut self,
        sources: &mut Sources,
        path: &str,
        shown: &str,
        (bytes, names): (&[u8], Vec<(String, Span)>),
    ) {
        let source = sources.add(shown, String::from_utf8_lossy(bytes));
        let shown: Vec<Span> = names.iter().map(|(_, span)| *span).collect();
        if let Some(source) = sources.get_mut(source) {
            source.reveal(shown);
        }
        let document = Document {
            source,
            tree: Tree::default(),
            diagnostics: Vec::new(),
            sealed: Some(names),
            opened: BTreeMap::new(),
        };
        self.documents.insert(path.to_owned(), Ok(document));
    }

    /// Takes in what an encrypted value stands for.
    pub fn open(&mut self, path: &str, name: &str, value: Value) {
        if let Some(Ok(document)) = self.documents.get_mut(path) {
            document.opened.insert(name.to_owned(), value);
        }
    }

    /// Takes in what a reference gave.
    pub fn refer(&mut self, environment: &str, name: &str, value: Value) {
        self.references
            .insert((environment.to_owned(), name.to_owned()), value);
    }

    pub(crate) fn reference(&self, environment: &str, name: &str) -> Option<&Value> {
        self.references
            .get(&(environment.to_owned(), name.to_owned()))
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
