//! A project: its environments in the order of the chain, and what its manifest declares.

mod assembly;

use std::collections::{BTreeMap, BTreeSet};

use ringfence_diagnostic::{Diagnostic, Place, SourceId};
use ringfence_syntax::manifest::{FlagEntry, Manifest};

use crate::egress::Egress;
use crate::environment::{Environment, Named, named};
use crate::people::People;
use crate::resource::Resource;
use crate::service::{Gateway, Service};
use crate::setting::Declaration;

/// A directory tree with one set of environments.
#[derive(Debug)]
pub struct Project {
    /// The project's name, where the manifest gives one.
    pub name: Option<String>,
    /// The manifest's choice of the variable that names the environment.
    pub declared_selector: Option<String>,
    /// The environment where none is named.
    pub default: Option<(String, Place)>,
    /// Host variables that the child may see besides the ordinary ones.
    pub pass: Vec<String>,
    /// The program's own ports.
    pub ports: Vec<u16>,
    /// In the order of the chain.
    pub environments: Vec<Environment>,
    /// The declared settings, by name; `None` without a `[settings]` table.
    pub declarations: Option<BTreeMap<String, Declaration>>,
    /// Hosts that no setting names, by environment.
    pub egress: BTreeMap<String, Egress>,
    /// Who may read and edit secrets.
    pub people: People,
    /// Named resources and the settings that hold their addresses.
    pub resources: Vec<Resource>,
    /// What goes through the gateway: resources of the kinds `openai` and `http`.
    pub services: Vec<Service>,
    /// The rows of `[flags]`, and the source they stand in.
    pub flags: Vec<(Place, FlagEntry)>,
    /// How the gateway is served.
    pub gateway: Gateway,
    /// `.env`, where it is a file that all environments share.
    pub shared: Option<String>,
    /// Files of the `.env` family that no environment reads, and why.
    pub unread: Vec<(String, Unread)>,
    /// Whether it is a Node project.
    pub is_node: bool,
    /// Whether there is a manifest.
    pub has_manifest: bool,
}

/// Why a file of the `.env` family is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// The word in its name names no environment.
    UnknownWord,
    /// One person's file where no environment of its name allows one.
    Personal,
    /// A template, to be copied.
    Template,
    /// Another tool's file.
    Foreign,
}

impl Unread {
    /// In words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::UnknownWord => "names no environment",
            Self::Personal => {
                "personal files count in development and testing only, beside the environment's own file"
            }
            Self::Template => "a template",
            Self::Foreign => "another tool's file",
        }
    }
}

/// The files and the manifest that a project is assembled from.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// Names of the files in the project's root.
    pub file_names: &'a [String],
    /// The manifest and its source.
    pub manifest: Option<(SourceId, &'a Manifest)>,
}

impl Project {
    /// Finds the environments. What is wrong with the manifest comes beside the project, not instead of it.
    #[must_use]
    pub fn assemble(parts: Parts<'_>) -> (Self, Vec<Diagnostic>) {
        assembly::assemble(parts)
    }

    /// The paths of all files that any environment reads, shared and personal ones included.
    #[must_use]
    pub fn paths(&self) -> BTreeSet<&str> {
        let own = self.environments.iter().flat_map(|environment| {
            environment
                .paths()
                .into_iter()
                .chain(environment.sealed.iter().map(String::as_str))
                .chain(environment.personal.as_deref())
        });
        own.chain(self.shared.as_deref()).collect()
    }

    /// The environment that a word names.
    #[must_use]
    pub fn named(&self, word: &str) -> Named<'_> {
        named(&self.environments, word)
    }

    /// The declaration of a setting.
    #[must_use]
    pub fn declaration(&self, name: &str) -> Option<&Declaration> {
        self.declarations.as_ref()?.get(name)
    }
}

/// The names of environments, for messages.
pub(crate) fn list(environments: &[Environment]) -> String {
    environments
        .iter()
        .map(|environment| environment.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}
