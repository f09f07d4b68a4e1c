//! From parts to programs and their environments.

use std::collections::BTreeMap;

use ringfence_diagnostic::Place;
use ringfence_model::tier::{Tier, same_word};

use super::{Entry, File, Part, Survey};
use crate::layout::{Format, Role};
use crate::name::Selector;

/// One program in its environments.
#[derive(Debug)]
pub struct Family {
    /// What its files have in common: `backend/.env*`.
    pub name: String,
    /// How its files are read.
    pub format: Format,
    /// Its environments, lowest tier first.
    pub environments: Vec<Environment>,
    /// Parts that all its environments see.
    pub shared: Vec<usize>,
    /// Parts that are copied and filled in, for no environment in particular.
    pub templates: Vec<usize>,
    /// Parts that are for no environment: `.env.docker`.
    pub others: Vec<usize>,
}

/// One program in one environment.
#[derive(Debug)]
pub struct Environment {
    /// The word of its files.
    pub name: String,
    /// What kind of reality it is.
    pub tier: Tier,
    /// Its own parts, lowest rank first; those of a family with one file for all are that file's.
    pub own: Vec<usize>,
    /// Whether its files are templates.
    pub is_template: bool,
    /// Part and entry of every setting that it sees, by name; items of one list stand together.
    settings: Vec<Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    part: usize,
    entry: usize,
    inherited: bool,
}

/// A setting as an environment sees it.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// What its file says.
    pub entry: &'a Entry,
    /// The file.
    pub file: &'a File,
    /// The part of the file.
    pub part: &'a Part,
    /// Whether it comes from what all environments share.
    pub inherited: bool,
}

impl Setting<'_> {
    /// Where the name stands.
    #[must_use]
    pub fn place(&self) -> Place {
        self.file.place(self.entry.name_span)
    }
}

impl Family {
    /// The environment of a tier above all others: production, where there is one.
    pub fn of_tier(&self, tier: Tier) -> impl Iterator<Item = &Environment> {
        self.environments.iter().filter(move |one| one.tier == tier)
    }

    /// Every pair of environments of different tiers, the lower one first.
    pub fn pairs(&self) -> impl Iterator<Item = (&Environment, &Environment)> {
        self.environments
            .iter()
            .enumerate()
            .flat_map(|(index, lower)| {
                let above = self.environments.iter().skip(index + 1);
                above
                    .filter(move |upper| upper.tier > lower.tier)
                    .map(move |upper| (lower, upper))
            })
    }
}

impl Survey {
    /// Every setting that an environment sees, by name.
    pub fn settings<'a>(
        &'a self,
        environment: &'a Environment,
    ) -> impl Iterator<Item = Setting<'a>> {
        environment
            .settings
            .iter()
            .filter_map(|seen| self.seen(*seen))
    }

    /// The setting of that name as an environment sees it; of a list, its first item.
    #[must_use]
    pub fn setting<'a>(&'a self, environment: &'a Environment, name: &str) -> Option<Setting<'a>> {
        let found = self.from(environment, name).next()?;
        (found.entry.name == name).then_some(found)
    }

    /// The items of a list as an environment sees it; of anything else the one setting of that name.
    pub fn items<'a>(
        &'a self,
        environment: &'a Environment,
        name: &'a str,
    ) -> impl Iterator<Item = Setting<'a>> {
        self.from(environment, name)
            .take_while(move |setting| setting.entry.name == name)
    }

    /// The settings of an environment from the first of that name on.
    fn from<'a>(
        &'a self,
        environment: &'a Environment,
        name: &str,
    ) -> impl Iterator<Item = Setting<'a>> + use<'a> {
        let before = |seen: &Seen| self.name_of(*seen).is_some_and(|own| own < name);
        let first = environment.settings.partition_point(before);
        let rest = environment.settings.get(first..).unwrap_or_default();
        rest.iter().map_while(|seen| self.seen(*seen))
    }

    fn name_of(&self, seen: Seen) -> Option<&str> {
        let entry = self.parts.get(seen.part)?.entries.get(seen.entry)?;
        Some(&entry.name)
    }

    fn seen(&self, seen: Seen) -> Option<Setting<'_>> {
        let part = self.parts.get(seen.part)?;
        Some(Setting {
            entry: part.entries.get(seen.entry)?,
            file: self.files.get(part.file)?,
            part,
            inherited: seen.inherited,
        })
    }

    /// All environments of all families.
    pub fn environments(&self) -> impl Iterator<Item = (&Family, &Environment)> {
        let of = |family| std::iter::repeat(family);
        self.families
            .iter()
            .flat_map(move |family| of(family).zip(&family.environments))
    }

    /// What production's own files say, CI's workflows left out: their variables steer a deployment, not the program.
    pub fn production_settings(&self) -> impl Iterator<Item = (&Environment, Setting<'_>)> {
        let programs = self
            .productions()
            .filter(|(family, _)| family.format != Format::Workflow);
        programs.flat_map(|(_, production)| {
            let own = self
                .settings(production)
                .filter(|setting| !setting.inherited);
            own.map(move |setting| (production, setting))
        })
    }

    /// The environments where real users are.
    pub fn productions(&self) -> impl Iterator<Item = (&Family, &Environment)> {
        self.environments()
            .filter(|(_, environment)| environment.tier == Tier::Production)
    }
}

/// Puts the parts together.
pub(super) fn assemble(survey: &mut Survey) {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, part) in survey.parts.iter().enumerate() {
        if let Some(file) = survey.file_of(part) {
            groups.entry(key(file, part)).or_default().push(index);
        }
    }
    let families = groups
        .into_iter()
        .filter_map(|(key, parts)| family(survey, key, &parts))
        .collect();
    survey.families = families;
    let supplied = supplied(survey);
    survey.supplied = supplied;
}

/// What a part's family is called: sections of one file are environments of one program, services are programs.
fn key(file: &File, part: &Part) -> String {
    match (file.format, &part.name) {
        (
            Format::Compose | Format::Render | Format::Fly | Format::AppSpec | Format::Workflow,
            Some(name),
        ) => {
            format!("{} ({name})", file.family)
        }
        _ => file.family.clone(),
    }
}

/// Names that a platform's file sets for production.
fn supplied(survey: &Survey) -> std::collections::HashSet<String> {
    let platforms = [Format::Render, Format::Fly, Format::AppSpec];
    let parts = survey.parts.iter().filter(|part| {
        let from_platform = survey.file_of(part).is_some_and(|file| {
            platforms.contains(&file.format) || (file.format == Format::Compose && file.role != Role::Shared)
        });
        let is_production =
            matches!(&part.role, Role::Environment(word) if survey.tier(word) == Some(Tier::Production));
        from_platform && is_production
    });
    let names = parts
        .flat_map(|part| &part.entries)
        .map(|entry| entry.about.words.as_slice());
    // A prefix such as `APP_` is the platform's way to say whose setting it is.
    names
        .flat_map(|words| (0..words.len()).filter_map(|first| Some(words.get(first..)?.join("_"))))
        .collect()
}

/// Where the parts of a family go, by role.
#[derive(Default)]
struct Sorted {
    shared: Vec<usize>,
    templates: Vec<usize>,
    others: Vec<usize>,
    /// By the word as its files spell it first.
    own: Vec<(String, Vec<usize>)>,
    own_templates: Vec<(String, Vec<usize>)>,
}

fn family(survey: &Survey, name: String, parts: &[usize]) -> Option<Family> {
    let format = survey.file_of(survey.parts.get(*parts.first()?)?)?.format;
    let sorted = sort(survey, format, parts);
    let mut environments: Vec<Environment> = Vec::new();
    for (word, own) in &sorted.own {
        environments.extend(environment(survey, word, own, &sorted.shared, false));
    }
    for (word, own) in &sorted.own_templates {
        let has_file = sorted.own.iter().any(|(other, _)| same_word(other, word));
        if !has_file {
            environments.extend(environment(survey, word, own, &sorted.shared, true));
        }
    }
    if environments.is_empty() {
        environments.extend(only_environment(survey, format, &sorted.shared));
    }
    environments.sort_by(|one, other| (one.tier, &one.name).cmp(&(other.tier, &other.name)));
    let is_any = !environments.is_empty() || !sorted.templates.is_empty();
    is_any.then_some(Family {
        name,
        format,
        environments,
        shared: sorted.shared,
        templates: sorted.templates,
        others: sorted.others,
    })
}

fn sort(survey: &Survey, format: Format, parts: &[usize]) -> Sorted {
    let mut sorted = Sorted::default();
    for index in parts {
        let Some(part) = survey.parts.get(*index) else {
            continue;
        };
        match &part.role {
            Role::Shared => sorted.shared.push(*index),
            Role::Environment(word) => push(&mut sorted.own, word, *index),
            Role::Template(Some(word)) => push(&mut sorted.own_templates, word, *index),
            Role::Template(None) => sorted.templates.push(*index),
            // Compose lays `compose.override.yml` on top by itself, which people use on their own machines.
            Role::Other(word) if format == Format::Compose && word == "override" => {
                push(&mut sorted.own, "dev", *index);
            }
            Role::Other(word) if survey.tier(word).is_some() => push(&mut sorted.own, word, *index),
            Role::Other(_) => sorted.others.push(*index),
            Role::Personal(_) => {}
        }
    }
    sorted
}

fn push(groups: &mut Vec<(String, Vec<usize>)>, word: &str, part: usize) {
    match groups.iter_mut().find(|(other, _)| same_word(other, word)) {
        Some((_, parts)) => parts.push(part),
        None => groups.push((word.to_owned(), vec![part])),
    }
}

fn environment(
    survey: &Survey,
    word: &str,
    own: &[usize],
    shared: &[usize],
    is_template: bool,
) -> Option<Environment> {
    Some(Environment {
        name: word.to_owned(),
        tier: survey.tier(word)?,
        own: own.to_vec(),
        is_template,
        settings: seen(survey, shared, own),
    })
}

/// The environment of a family with one file for all: what the file's own selector says, else development for a `.env`.
fn only_environment(survey: &Survey, format: Format, shared: &[usize]) -> Option<Environment> {
    let parts = || shared.iter().filter_map(|index| survey.parts.get(*index));
    let selected = parts().flat_map(|part| &part.entries).find_map(|entry| {
        let is_selector = entry.about.selector == Some(Selector::Environment);
        let tier = survey.tier(&entry.value).filter(|_| is_selector)?;
        Some((entry.value.clone(), tier))
    });
    let has_settings = parts().any(|part| !part.entries.is_empty());
    let (name, tier) = match (selected, format) {
        (Some(selected), Format::Dotenv | Format::Compose) => selected,
        (None, Format::Dotenv) if has_settings => ("dev".to_owned(), Tier::Development),
        _ => return None,
    };
    Some(Environment {
        name,
        tier,
        own: shared.to_vec(),
        is_template: false,
        settings: seen(survey, &[], shared),
    })
}

/// Every setting of the shared parts and of the own ones, those of later parts in the place of those of earlier ones.
fn seen(survey: &Survey, shared: &[usize], own: &[usize]) -> Vec<Seen> {
    let layers = shared
        .iter()
        .map(|part| (*part, true))
        .chain(own.iter().map(|part| (*part, false)));
    let mut settings: Vec<(usize, Seen)> = Vec::new();
    for (rank, (part, inherited)) in layers.enumerate() {
        let entries = survey.parts.get(part).map_or(0, |part| part.entries.len());
        let of = |entry| Seen {
            part,
            entry,
            inherited,
        };
        settings.extend((0..entries).map(|entry| (rank, of(entry))));
    }
    settings.sort_by(|one, other| {
        (survey.name_of(one.1), one.0, one.1.entry).cmp(&(
            survey.name_of(other.1),
            other.0,
            other.1.entry,
        ))
    });
    winners(survey, &settings)
}

/// Of each name, what the highest rank says: all items of a list, of anything else the last.
fn winners(survey: &Survey, sorted: &[(usize, Seen)]) -> Vec<Seen> {
    let same_name = |one: &(usize, Seen), other: &(usize, Seen)| {
        survey.name_of(one.1) == survey.name_of(other.1)
    };
    let mut winners = Vec::with_capacity(sorted.len());
    for group in sorted.chunk_by(same_name) {
        let Some((highest, last)) = group.last() else {
            continue;
        };
        let is_item = survey
            .seen(*last)
            .is_some_and(|setting| setting.entry.is_item);
        if is_item {
            let items = group.iter().filter(|(rank, _)| rank == highest);
            winners.extend(items.map(|(_, seen)| *seen));
        } else {
            winners.push(*last);
        }
    }
    winners
}
