//! What is left out: files by `.gitignore` and `.dockerignore`, findings by comments.

use std::collections::BTreeMap;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::Survey;
use crate::layout::Format;

/// How many lines of one file count: each pattern becomes part of an automaton.
const MOST: usize = 5000;

/// The patterns of all files of one kind.
#[derive(Default)]
pub(super) struct Patterns {
    /// By the folder that they stand in.
    inside: BTreeMap<String, Gitignore>,
    /// Those above the root, nearest last, with the way from their folder to the root.
    outside: Vec<(String, Gitignore)>,
}

impl Patterns {
    pub(super) fn of(survey: &Survey, format: Format) -> Self {
        let files = survey.of_format(format).filter_map(|file| {
            let patterns = compiled(survey.sources.text(file.source))?;
            Some((file.folder().to_owned(), patterns))
        });
        Self {
            inside: files.collect(),
            outside: Vec::new(),
        }
    }

    /// The same with patterns that stand above the root.
    pub(super) fn below(mut self, outer: &[(String, String)]) -> Self {
        let outside = outer
            .iter()
            .filter_map(|(way, text)| Some((way.clone(), compiled(text)?)));
        self.outside = outside.collect();
        self
    }

    /// Whether the patterns match; those of the nearest folder that says anything count.
    pub(super) fn matches(&self, path: &str) -> bool {
        let inside = folders_above(path).find_map(|folder| {
            let below = path.strip_prefix(folder)?.trim_start_matches('/');
            says(self.inside.get(folder)?, below)
        });
        let outside = || {
            let nearest_first = self.outside.iter().rev();
            nearest_first
                .filter_map(|(way, patterns)| says(patterns, &format!("{way}{path}")))
                .next()
        };
        inside.or_else(outside).unwrap_or(false)
    }
}

/// The folders that a file is in, the nearest first, the root (`""`) last.
fn folders_above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(folder_of(path), |folder| folder_of(folder)).chain(std::iter::once(""))
}

fn folder_of(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(folder, _)| folder)
}

fn compiled(text: &str) -> Option<Gitignore> {
    let mut builder = GitignoreBuilder::new("/");
    for line in text.lines().take(MOST) {
        // A pattern that is no pattern matches nothing, as git has it.
        let _ = builder.add_line(None, line);
    }
    builder.build().ok()
}

/// What patterns say of a path from their own folder; `None` where they say nothing.
fn says(patterns: &Gitignore, path: &str) -> Option<bool> {
    let found = patterns.matched_path_or_any_parents(format!("/{path}"), false);
    (!found.is_none()).then(|| found.is_ignore())
}

/// `# ringfence: ignore[check-id] reason`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ignore {
    /// The comment's line, from 1.
    line: usize,
    /// Whether nothing but the comment is in the line: then the next line is meant.
    is_alone: bool,
    /// Whether the whole file is meant: `ringfence: ignore-file[…]`.
    is_file: bool,
    /// The checks; none means nothing is ignored, because a blanket hides what nobody has seen.
    checks: Vec<String>,
}

const MARK: &str = "ringfence: ignore";

/// The comments of a text that ask to leave findings out.
pub(super) fn comments(text: &str) -> Vec<Ignore> {
    if !text.contains(MARK) {
        return Vec::new();
    }
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(index, line)| {
            let (before, after) = line.split_once(MARK)?;
            let (is_file, after) = match after.strip_prefix("-file") {
                Some(after) => (true, after),
                None => (false, after),
            };
            let (checks, reason) = after.strip_prefix('[')?.split_once(']')?;
            let is_comment = before.contains(['#', '/', ';', '!', '<']);
            let says_why = reason.chars().any(char::is_alphanumeric);
            (is_comment && says_why).then(|| Ignore {
                line: index + 1,
                is_alone: !before.contains(|c: char| c.is_alphanumeric()),
                is_file,
                checks: checks
                    .split(',')
                    .map(|check| check.trim().to_owned())
                    .collect(),
            })
        })
        .collect()
}

/// The line of the comment that leaves a check's findings at `line` out.
pub(super) fn line(ignores: &[Ignore], check: &str, line: usize) -> Option<usize> {
    let meant = |ignore: &&Ignore| {
        let here = ignore.line == line || (ignore.is_alone && ignore.line + 1 == line);
        (ignore.is_file || here) && ignore.checks.iter().any(|own| own == check)
    };
    ignores.iter().find(meant).map(|ignore| ignore.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_names_checks_and_says_why() {
        let text = "A=1 # ringfence: ignore[weak-secret] local only\n# ringfence: ignore[shared-secret, weak-secret] rotated\nB=2\nC=3 # ringfence: ignore[weak-secret]\n# ringfence: ignore-file[empty-environment] not used\n";
        let ignores = comments(text);
        assert_eq!(line(&ignores, "weak-secret", 1), Some(1));
        assert_eq!(line(&ignores, "shared-secret", 3), Some(2));
        assert_eq!(
            line(&ignores, "weak-secret", 4),
            None,
            "a reason is asked for"
        );
        assert_eq!(line(&ignores, "empty-environment", 99), Some(5));
        assert_eq!(line(&ignores, "shared-secret", 1), None);
    }
}
