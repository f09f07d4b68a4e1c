//! A project as its files show it: which environments there are, what each of them is told, and by which file.
//!
//! [`Survey::of`] reads every file once. A *part* is a set of settings that belong together: a `.env` file, a section of
//! `database.yml`, the `environment` of a Compose service. A *family* is the set of parts that stand for the same program
//! in its environments (`.env.dev` and `.env.prod`; `application.yml` and `application-prod.yml`), and an
//! [`Environment`] of a family sees its own parts on top of those that the family shares.

mod family;
mod ignored;
mod platform;
mod read;
mod sealed;
mod wiring;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use ringfence_diagnostic::{Place, SourceId, Sources, Span};
use ringfence_model::tier::Tier;
use ringfence_syntax::{dockerfile, dotenv, script};

use crate::about::{About, Names};
use crate::finding::Finding;
use crate::layout::{Format, Role};
use crate::posture::Guard;
use crate::sealed::{Sealed, is_issued};
use crate::value::{self, Strength};
use crate::vendor::Class;

pub use family::{Environment, Family, Setting};
pub use wiring::{ComposeService, SecretGroups, Wiring};

/// A file of the project, or why its text is not there.
#[derive(Debug)]
pub struct RawFile {
    /// From the project's root, with `/` between its parts.
    pub path: String,
    /// Its text, or why there is none, in a few words.
    pub text: Result<String, String>,
}

/// Everything that a survey is made from.
#[derive(Debug, Default)]
pub struct Input {
    /// The files that [`is_looked_at`] chose.
    pub files: Vec<RawFile>,
    /// Paths of links that [`is_looked_at`] chose: what they lead to is read where it is.
    pub links: HashSet<String>,
    /// Patterns of git that stand above the project's root, nearest last: the way from their folder to the root, `""` or
    /// ending in `/`, and their text.
    pub outer_ignores: Vec<(String, String)>,
    /// The paths that git tracks; `None` where there is no git, or its index cannot be read.
    pub tracked: Option<HashSet<String>>,
    /// The environments that a manifest declares: every name and alias, and the tier.
    pub declared: Vec<(String, Tier)>,
    /// The settings that a manifest declares; `None` without a `[settings]` table.
    pub settings: Option<Vec<Declared>>,
    /// The environment that a manifest makes the default.
    pub default: Option<(String, Place)>,
    /// What a manifest allows production's gateway, and where each word stands.
    pub allowances: Vec<(String, Place)>,
    /// What is known of sealed files; those of them that are among the files.
    pub sealed: Vec<Sealed>,
}

/// A setting that a manifest declares.
#[derive(Debug)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub place: Place,
    /// What its values may look like.
    pub kind: ringfence_model::value::kind::Kind,
}

/// Whether a survey wants to see the file at that path.
#[must_use]
pub fn is_looked_at(path: &str) -> bool {
    crate::layout::of(path).is_some()
}

/// Whether a survey wants to see the file at that path where it is sealed, and only then.
#[must_use]
pub fn is_looked_at_when_sealed(path: &str) -> bool {
    crate::layout::sealed(path).is_some()
}

/// One setting as one file says it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The name; in nested files the keys joined with `.`.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// The value without its quotes, references as they are.
    pub value: String,
    /// Where the value stands, quotes included.
    pub value_span: Span,
    /// Whether it is one item of a list.
    pub is_item: bool,
    /// What the name says.
    pub about: Rc<About>,
    /// What the secret in it is worth; `None` where there is none.
    pub strength: Option<Strength>,
    /// The vendor of a key or mode, and whether real users stand behind it.
    pub vendor: Option<(&'static str, Class)>,
    /// What the secret in it has in common with equal ones, sealed ones included; see [`Survey::mark`].
    pub mark: Option<String>,
}

impl Entry {
    /// The text that lets somebody in: the value of a credential, the password of an address.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        self.about.secret(&self.value)
    }

    /// What the secret is called in a message: the setting, or the password in its address.
    #[must_use]
    pub fn secret_in_words(&self) -> String {
        match self.about.credential {
            Some(_) => format!("`{}`", self.name),
            None => format!("the password in `{}`", self.name),
        }
    }

    /// What the setting guards, and whether its value is the careless one.
    #[must_use]
    pub fn posture(&self) -> Option<(Guard, bool)> {
        let rule = self
            .about
            .rule
            .filter(|_| !value::is_encrypted(&self.value))?;
        Some((rule.guard, rule.is_careless(&self.value)?))
    }

    /// The hosts that the value names.
    #[must_use]
    pub fn hosts(&self) -> Vec<&str> {
        if value::is_encrypted(&self.value) {
            return Vec::new();
        }
        value::hosts(self.value.trim(), self.about.is_host)
    }
}

/// Settings that belong together.
#[derive(Debug)]
pub struct Part {
    /// The file, as an index into [`Survey::files`].
    pub file: usize,
    /// For whom it is.
    pub role: Role,
    /// What they are called together where the file has several: a section, a service.
    pub name: Option<String>,
    /// The settings, in the order of the file.
    pub entries: Vec<Entry>,
}

/// What a file holds besides its parts.
#[derive(Debug)]
pub enum Content {
    /// The lines of a `.env` file.
    Dotenv(dotenv::Tree),
    /// The instructions of a Dockerfile.
    Dockerfile(Vec<dockerfile::Instruction>),
    /// What a script does with `.env` files.
    Script(Vec<script::Action>),
    /// Where the sealed copies of a sealed file's data key stand, one for each of its readers.
    Sealed(Vec<Span>),
    /// Patterns, or nothing more than parts.
    Plain,
}

/// A file that was read.
#[derive(Debug)]
pub struct File {
    /// From the project's root.
    pub path: String,
    /// Its text.
    pub source: SourceId,
    /// How it was read.
    pub format: Format,
    /// For whom it is.
    pub role: Role,
    /// The family's key.
    pub family: String,
    /// What it holds.
    pub content: Content,
    /// Its parts, as indices into [`Survey::parts`].
    parts: std::ops::Range<usize>,
    /// Keys that are there twice.
    pub repeated: Vec<(String, Span, Span)>,
    ignores: Vec<ignored::Ignore>,
}

/// A project as its files show it.
pub struct Survey {
    /// The files' texts.
    pub sources: Sources,
    /// The files, by path.
    pub files: Vec<File>,
    /// What could not be read, and why.
    pub unread: Vec<(String, String)>,
    /// Templates of another language's, such as ERB or Jinja, that could not be read to their end, and need not be.
    pub templated: Vec<String>,
    /// The settings that belong together.
    pub parts: Vec<Part>,
    /// The programs and their environments.
    pub families: Vec<Family>,
    /// How files are put to use.
    pub wiring: Wiring,
    /// Names, in one spelling, that a platform's file sets for production, with and without their first words.
    pub supplied: HashSet<String>,
    /// Words of the languages in use: `node`, `python`, `rust`, `php`, `ruby`, `go`.
    pub languages: HashSet<&'static str>,
    /// What a manifest declares.
    pub settings: Option<Vec<Declared>>,
    /// The environment that a manifest makes the default.
    pub default: Option<(String, Place)>,
    /// What a manifest allows production's gateway.
    pub allowances: Vec<(String, Place)>,
    /// What is known of sealed files, by path.
    pub sealed: BTreeMap<String, Sealed>,
    names: Names,
    links: HashSet<String>,
    by_path: BTreeMap<String, usize>,
    by_source: HashMap<SourceId, usize>,
    by_folder: HashMap<String, Vec<usize>>,
    tracked: Option<HashSet<String>>,
    declared: Vec<(String, Tier)>,
    gitignore: ignored::Patterns,
    dockerignore: ignored::Patterns,
}

impl Survey {
    /// Reads the files. `sources` may hold other texts already, such as the manifest's.
    #[must_use]
    pub fn of(input: Input, sources: Sources) -> Self {
        let mut survey = Self::empty(input.tracked, input.declared, sources);
        survey.settings = input.settings;
        survey.default = input.default;
        survey.allowances = input.allowances;
        survey.links = input.links;
        let sealed = input.sealed.into_iter();
        survey.sealed = sealed.map(|one| (one.path.clone(), one)).collect();
        let mut files = input.files;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        for file in files {
            match file.text {
                Ok(text) => read::file(&mut survey, file.path, text),
                Err(why) => survey.unread.push((file.path, why)),
            }
        }
        survey.gitignore =
            ignored::Patterns::of(&survey, Format::Gitignore).below(&input.outer_ignores);
        survey.dockerignore = ignored::Patterns::of(&survey, Format::Dockerignore);
        family::assemble(&mut survey);
        wiring::assemble(&mut survey);
        survey
    }

    fn empty(
        tracked: Option<HashSet<String>>,
        declared: Vec<(String, Tier)>,
        sources: Sources,
    ) -> Self {
        Self {
            sources,
            files: Vec::new(),
            unread: Vec::new(),
            templated: Vec::new(),
            parts: Vec::new(),
            families: Vec::new(),
            wiring: Wiring::default(),
            supplied: HashSet::new(),
            languages: HashSet::new(),
            settings: None,
            default: None,
            allowances: Vec::new(),
            sealed: BTreeMap::new(),
            names: Names::default(),
            links: HashSet::new(),
            by_path: BTreeMap::new(),
            by_source: HashMap::new(),
            by_folder: HashMap::new(),
            tracked,
            declared,
            gitignore: ignored::Patterns::default(),
            dockerignore: ignored::Patterns::default(),
        }
    }

    /// Marks the secrets that stand in the clear as those were that keys opened, so that both can be compared.
    pub fn mark(&mut self, mark: impl Fn(&str) -> String) {
        for entry in self.parts.iter_mut().flat_map(|part| &mut part.entries) {
            if entry.mark.is_none() && is_issued(entry.strength) {
                entry.mark = entry.about.secret(&entry.value).map(&mark);
            }
        }
    }

    /// The sealed files, and what is known of each.
    pub fn sealed_files(&self) -> impl Iterator<Item = (&File, &Sealed)> {
        let known = self.sealed.values();
        known.filter_map(|sealed| Some((self.file(&sealed.path)?, sealed)))
    }

    /// The sealed files that nothing at hand opened, so that nobody could compare their values.
    pub fn closed_files(&self) -> impl Iterator<Item = &File> {
        let is_told = |sealed: &Sealed| sealed.values.is_some() || sealed.damage.is_some();
        let sealed = self.files.iter().filter(|file| file.is_sealed());
        sealed.filter(move |file| !self.sealed.get(&file.path).is_some_and(is_told))
    }

    /// Whether every file was read to its end, so that what was not found is not there.
    #[must_use]
    pub fn is_read_whole(&self) -> bool {
        self.unread.is_empty() && self.templated.is_empty()
    }

    /// Whether the file at that path was read to its end.
    #[must_use]
    pub fn is_file_read_whole(&self, path: &str) -> bool {
        let unread = self.unread.iter().map(|(unread, _)| unread);
        !unread.chain(&self.templated).any(|other| other == path)
    }

    /// The tier that a word means here: what the manifest says, else what the word says.
    #[must_use]
    pub fn tier(&self, word: &str) -> Option<Tier> {
        let declared = self
            .declared
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word));
        declared
            .map(|(_, tier)| *tier)
            .or_else(|| Tier::of_word(word))
    }

    /// Whether a manifest declares an environment of that tier.
    #[must_use]
    pub fn declares(&self, tier: Tier) -> bool {
        self.declared.iter().any(|(_, declared)| *declared == tier)
    }

    /// The file at that path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.get(*self.by_path.get(path)?)
    }

    /// Whether something is at that path: a file that was read, or a link.
    #[must_use]
    pub fn is_there(&self, path: &str) -> bool {
        self.by_path.contains_key(path)
            || self.links.contains(path)
            || self.is_tracked(path) == Some(true)
            || self.unread.iter().any(|(unread, _)| unread == path)
    }

    /// The files of a folder.
    pub fn in_folder(&self, folder: &str) -> impl Iterator<Item = &File> {
        let files = self.by_folder.get(folder).into_iter().flatten();
        files.filter_map(|index| self.files.get(*index))
    }

    /// The files of a format.
    pub fn of_format(&self, format: Format) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.format == format)
    }

    /// The file that a part is in.
    #[must_use]
    pub fn file_of(&self, part: &Part) -> Option<&File> {
        self.files.get(part.file)
    }

    /// The parts of a file.
    pub fn parts_of(&self, file: &File) -> impl Iterator<Item = &Part> {
        self.parts.get(file.parts.clone()).into_iter().flatten()
    }

    /// Whether git tracks the file; `None` where that cannot be told.
    #[must_use]
    pub fn is_tracked(&self, path: &str) -> Option<bool> {
        Some(self.tracked.as_ref()?.contains(path))
    }

    /// Whether a `.gitignore` of the project keeps git from adding the file.
    #[must_use]
    pub fn is_git_ignored(&self, path: &str) -> bool {
        self.gitignore.matches(path)
    }

    /// Whether a `.dockerignore` keeps the file out of images.
    #[must_use]
    pub fn is_docker_ignored(&self, path: &str) -> bool {
        self.dockerignore.matches(path)
    }

    /// Whether the file is in the repository, or will be with the next `git add`.
    #[must_use]
    pub fn is_shared_by_git(&self, path: &str) -> bool {
        self.is_tracked(path) == Some(true) || !self.is_git_ignored(path)
    }

    /// Whether the place, or the file, asks to leave a finding out.
    #[must_use]
    pub fn ignores(&self, finding: &Finding) -> bool {
        finding
            .labels
            .iter()
            .any(|label| self.ignore_at(finding.check, label.place).is_some())
    }

    /// The line of the comment that asks to leave a check's findings at this place out.
    fn ignore_at(&self, check: &str, place: Place) -> Option<usize> {
        let file = self.files.iter().find(|file| file.source == place.source);
        let read;
        let ignores = match file {
            Some(file) => &file.ignores,
            // The manifest is no file of the survey, and seldom has a finding.
            None => {
                read = ignored::comments(self.sources.text(place.source));
                &read
            }
        };
        if ignores.is_empty() {
            return None;
        }
        let line = self
            .sources
            .get(place.source)?
            .position(place.span.start)
            .line;
        ignored::line(ignores, check, line)
    }
}

impl File {
    /// The place of a span in this file.
    #[must_use]
    pub const fn place(&self, span: Span) -> Place {
        Place::new(self.source, span)
    }

    /// The folder that the file is in; `""` for the root.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The file's name without its folder.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether it is to be copied and filled in.
    #[must_use]
    pub const fn is_template(&self) -> bool {
        matches!(self.role, Role::Template(_))
    }

    /// Whether its values are encrypted, by SOPS.
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        matches!(self.content, Content::Sealed(_))
    }
}
