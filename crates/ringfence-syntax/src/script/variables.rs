//! What a script assigned so far.

use std::collections::HashMap;

use super::Word;
use super::command::Assignment;
use super::token;

/// The values that are known at one place of a script, references to earlier ones resolved.
pub(super) struct Variables {
    values: HashMap<String, String>,
    /// How many bytes resolving may still add to the words of the script: `A=$B$B` doubles with every line.
    budget: usize,
}

/// A resolved word is at most so long; a path is never longer.
const MAX_LENGTH: usize = 4096;

impl Variables {
    /// For a script of `length` bytes.
    pub(super) fn new(length: usize) -> Self {
        const FOR_SHORT_SCRIPTS: usize = 64 * 1024;
        Self {
            values: HashMap::new(),
            budget: length.saturating_add(FOR_SHORT_SCRIPTS),
        }
    }

    pub(super) fn assign(&mut self, assignment: &Assignment) {
        let value = assignment.value.as_ref();
        let value = value.filter(|value| value.text.len() <= MAX_LENGTH && !value.is_literal);
        match value.map(|value| self.resolved(value)) {
            Some(value) => self.values.insert(assignment.name.clone(), value.text),
            None => self.values.remove(&assignment.name),
        };
    }

    /// The variable's value cannot be told from here on.
    pub(super) fn forget(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// Takes `bytes` from what may be added to the script's words, if there is so much left.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        let left = self.budget.checked_sub(bytes);
        self.budget = left.unwrap_or(self.budget);
        left.is_some()
    }

    /// The word with the references replaced whose values are known; as written where that grows too long.
    pub(super) fn resolved(&mut self, word: &token::Word) -> Word {
        let text = match self.replaced(word) {
            Some(text) => {
                self.budget -= text.len();
                text
            }
            None => word.text.clone(),
        };
        Word {
            text,
            span: word.span,
        }
    }

    /// Nothing where nothing is to be replaced, or it would grow too long.
    fn replaced(&self, word: &token::Word) -> Option<String> {
        if word.is_literal || !word.text.contains('$') {
            return None;
        }
        let limit = self.budget.min(MAX_LENGTH);
        let mut text = String::new();
        let mut rest = word.text.as_str();
        while let Some((before, reference)) = rest.split_once('$') {
            let (replacement, after) = self.reference(reference);
            if text.len() + before.len() + replacement.len() + after.len() > limit {
                return None;
            }
            text.push_str(before);
            text.push_str(replacement);
            rest = after;
        }
        text.push_str(rest);
        (text.len() <= limit).then_some(text)
    }

    /// What the reference stands for whose `$` was just read, and the text after it.
    fn reference<'t>(&self, text: &'t str) -> (&str, &'t str) {
        let in_braces = text.strip_prefix('{');
        let inside = in_braces.unwrap_or(text);
        let length = inside
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(inside.len());
        let (name, after) = inside.split_at_checked(length).unwrap_or((inside, ""));
        let after = match in_braces {
            Some(_) => after.strip_prefix('}'),
            None => Some(after),
        };
        match (self.values.get(name), after) {
            (Some(value), Some(after)) => (value, after),
            _ => ("$", text),
        }
    }
}
