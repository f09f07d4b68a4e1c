//! How files are put to use: which Compose service loads which `.env` file, which service gets which group of secrets.

use std::collections::HashMap;

use ringfence_diagnostic::Span;
use ringfence_model::tier::Tier;
use ringfence_syntax::compose::interpolation::interpolate;
use ringfence_syntax::compose::{self, Service};
use ringfence_syntax::tree::{Node, yaml};

use super::Survey;
use crate::layout::{Format, Role};

/// What the project's files do with each other.
#[derive(Debug, Default)]
pub struct Wiring {
    /// Compose services, one for each file that has a word about them, laid on the base file's.
    pub compose: Vec<ComposeService>,
    /// Services of `render.yaml` and the groups of variables that each gets.
    pub groups: Vec<SecretGroups>,
}

/// A service as Compose would start it from one file, or from the base file and one more.
#[derive(Debug)]
pub struct ComposeService {
    /// The file with the service's last word, as an index into [`Survey::files`].
    pub file: usize,
    /// The base file, where the service is a merge of two.
    pub base: Option<usize>,
    /// The environment that the file's name says.
    pub tier: Option<Tier>,
    /// The service.
    pub service: Service,
}

/// A service of `render.yaml` and the groups of variables that it gets.
#[derive(Debug)]
pub struct SecretGroups {
    /// The file, as an index into [`Survey::files`].
    pub file: usize,
    /// The service.
    pub service: String,
    /// The groups' names and where they stand.
    pub groups: Vec<(String, Span)>,
}

impl ComposeService {
    /// The path of an env file from the project's root, where nothing but defaults is known of its variables.
    #[must_use]
    pub fn env_file_path(&self, survey: &Survey, path: &str) -> Option<String> {
        let file = survey.files.get(self.file)?;
        let path = interpolate(path, &|_| None)?;
        Some(joined(file.folder(), &path))
    }
}

/// A path from a folder, without `.` and `..`.
#[must_use]
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let all = folder.split('/').chain(path.split('/'));
    for part in all.filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

pub(super) fn assemble(survey: &mut Survey) {
    let compose = compose_services(survey);
    let groups = groups(survey);
    survey.wiring = Wiring { compose, groups };
}

fn compose_services(survey: &Survey) -> Vec<ComposeService> {
    let files = survey.files.iter().enumerate();
    let read: Vec<(usize, Vec<Service>)> = files
        .filter(|(_, file)| file.format == Format::Compose)
        .filter_map(|(index, file)| {
            let text = survey.sources.text(file.source);
            let document = yaml::parse(file.source, text)
                .documents
                .into_iter()
                .next()?;
            Some((index, compose::read(&document, text).services))
        })
        .collect();
    let mut services = Vec::new();
    for (index, own) in &read {
        let Some(file) = survey.files.get(*index) else {
            continue;
        };
        let base = base_of(survey, &read, *index);
        let tier = match &file.role {
            Role::Environment(word) => survey.tier(word),
            Role::Other(word) if word == "override" => Some(Tier::Development),
            _ => None,
        };
        let by_name: HashMap<&str, &Service> = base
            .into_iter()
            .flat_map(|(_, services)| services)
            .map(|service| (service.name.as_str(), service))
            .collect();
        for service in own {
            let below = base.and_then(|(base, _)| {
                Some((base, by_name.get(service.name.as_str())?.merged(service)))
            });
            services.push(ComposeService {
                file: *index,
                base: below.as_ref().map(|(base, _)| *base),
                tier,
                service: below.map_or_else(|| service.clone(), |(_, merged)| merged),
            });
        }
    }
    services
}

/// The base file that a file is laid on: the one of its family that is for all.
fn base_of<'a>(
    survey: &Survey,
    read: &'a [(usize, Vec<Service>)],
    index: usize,
) -> Option<(usize, &'a [Service])> {
    let own = survey.files.get(index)?;
    if own.role == Role::Shared {
        return None;
    }
    read.iter().find_map(|(other, services)| {
        let file = survey.files.get(*other)?;
        let is_base = file.role == Role::Shared && file.family == own.family;
        is_base.then_some((*other, services.as_slice()))
    })
}

fn groups(survey: &Survey) -> Vec<SecretGroups> {
    let files = survey.files.iter().enumerate();
    files
        .filter(|(_, file)| file.format == Format::Render)
        .filter_map(|(index, file)| {
            let text = survey.sources.text(file.source);
            let document = yaml::parse(file.source, text)
                .documents
                .into_iter()
                .next()?;
            Some(render_groups(index, &document))
        })
        .flatten()
        .collect()
}

fn render_groups(file: usize, document: &Node) -> Vec<SecretGroups> {
    let services = document.get("services").map_or(&[][..], Node::items);
    let of = |service: &Node| {
        let variables = service.get("envVars").map_or(&[][..], Node::items).iter();
        let groups = variables.filter_map(|item| {
            let group = item.get("fromGroup")?;
            Some((group.as_str()?.to_owned(), group.span))
        });
        SecretGroups {
            file,
            service: service.text("name").unwrap_or("").to_owned(),
            groups: groups.collect(),
        }
    };
    services.iter().map(of).collect()
}
