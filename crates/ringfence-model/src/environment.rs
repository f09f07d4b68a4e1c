//! One environment: its name, its tier, its files, and how it is recognised.

use ringfence_diagnostic::Place;

use crate::discover;
use crate::tier::{Tier, same_word};

/// A named reality of the project.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The one name.
    pub name: String,
    /// What kind of reality it is.
    pub tier: Tier,
    /// Other names, from the manifest.
    pub aliases: Vec<String>,
    /// Its own files, by path from the project's root.
    pub files: Files,
    /// One person's own file on top of them.
    pub personal: Option<String>,
    /// Its sealed file, besides its own files; several where it cannot be told which one is meant.
    pub sealed: Vec<String>,
    /// Whether the platform's variables supply the declared settings.
    pub from_host: bool,
    /// The barrier's level that must be reached, and where that is said.
    pub barrier: Option<(String, Place)>,
    /// What the child may do in the home directory, where the manifest says so.
    pub home: Option<String>,
    /// Whether what is in it may be destroyed.
    pub disposable: bool,
    /// Where the manifest declares it.
    pub declared: Option<Place>,
}

/// The files that belong to one environment alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Files {
    /// Found by name.
    Found(String),
    /// Listed in the manifest, later ones above earlier ones.
    Listed(Vec<(String, Place)>),
    /// None, where one must be.
    Missing,
    /// Several that claim to be the one.
    Ambiguous(Vec<String>),
}

impl Environment {
    /// The paths to read, lowest rank first.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        match &self.files {
            Files::Found(path) => vec![path],
            Files::Listed(paths) => paths.iter().map(|(path, _)| path.as_str()).collect(),
            Files::Missing | Files::Ambiguous(_) => Vec::new(),
        }
    }

    /// Its sealed file, besides its own files.
    #[must_use]
    pub fn sealed_file(&self) -> Option<&str> {
        match self.sealed.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The file that people would write for it.
    #[must_use]
    pub fn usual_file(&self) -> String {
        let own = self.paths().last().map(|path| (*path).to_owned());
        own.unwrap_or_else(|| discover::usual_file(&self.name))
    }

    /// How closely `word` names this environment.
    #[must_use]
    pub(crate) fn closeness(&self, word: &str) -> Option<Closeness> {
        if self.name.eq_ignore_ascii_case(word) {
            Some(Closeness::Name)
        } else if self
            .aliases
            .iter()
            .any(|alias| alias.eq_ignore_ascii_case(word))
        {
            Some(Closeness::Alias)
        } else if same_word(&self.name, word) {
            Some(Closeness::Spelling)
        } else if Tier::of_word(word) == Some(self.tier) {
            Some(Closeness::Tier)
        } else {
            None
        }
    }
}

/// How closely a word names an environment, closest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closeness {
    Name,
    Alias,
    Spelling,
    Tier,
}

/// What a word means among environments.
#[derive(Debug)]
pub enum Named<'a> {
    /// This one.
    One(&'a Environment),
    /// Any of these, all of the tier that the word means.
    Several(Vec<&'a Environment>),
    /// None of them.
    None,
}

/// The environment that a word names: the closest kind of match counts, and only if it is the only one of its kind.
#[must_use]
pub fn named<'a>(environments: &'a [Environment], word: &str) -> Named<'a> {
    let mut matches: Vec<(Closeness, &Environment)> = environments
        .iter()
        .filter_map(|environment| Some((environment.closeness(word)?, environment)))
        .collect();
    matches.sort_by_key(|(closeness, _)| *closeness);
    let Some((closest, environment)) = matches.first() else {
        return Named::None;
    };
    let equals: Vec<_> = matches
        .iter()
        .filter(|(closeness, _)| closeness == closest)
        .map(|(_, environment)| *environment)
        .collect();
    if equals.len() == 1 {
        Named::One(environment)
    } else {
        Named::Several(equals)
    }
}
