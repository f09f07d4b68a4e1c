//! Docker Compose files: what a service's container sees of its variables, and from where.
//!
//! [`read`] takes what matters here out of a file's tree; [`Service::merged`] lays an override file over another as
//! `docker compose -f a -f b` does; [`precedence::winner`] says which of a variable's sources a container sees;
//! [`interpolation`] knows `${NAME:-default}`. The format is that of the Compose Specification.

pub mod interpolation;
pub mod precedence;

use std::collections::HashSet;

use ringfence_diagnostic::Span;

use crate::tree::{Kind, Node};

/// The services of a file, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compose {
    /// The services.
    pub services: Vec<Service>,
}

/// A service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name, which is also its host name in the containers' network.
    pub name: String,
    /// Where it is named.
    pub name_span: Span,
    /// The image that it runs.
    pub image: Option<String>,
    /// The image that is built for it.
    pub build: Option<Build>,
    /// `environment`.
    pub environment: Vec<Variable>,
    /// `env_file`, lowest rank first.
    pub env_files: Vec<EnvFile>,
    /// Folders of the host that it sees, as written before the first `:`.
    pub mounts: Vec<String>,
}

/// How an image is built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Build {
    /// The folder, `.` where none is said.
    pub context: String,
    /// The Dockerfile in it.
    pub dockerfile: Option<String>,
    /// `args`.
    pub arguments: Vec<Variable>,
}

/// An entry of `environment` or `args`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// The value, not interpolated; `None` where the name stands alone and the caller's value is passed on.
    pub value: Option<String>,
    /// Where the value stands; at the name's end where there is none.
    pub value_span: Span,
}

/// An entry of `env_file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    /// The path from the Compose file's folder, not interpolated.
    pub path: String,
    /// Where it stands.
    pub span: Span,
    /// Whether the service may not start without it.
    pub required: bool,
}

/// Reads what a Compose file says of its services.
///
/// `text` is the file's text, for the places inside `NAME=value`.
#[must_use]
pub fn read(document: &Node, text: &str) -> Compose {
    let services = document.get("services").map_or(&[][..], Node::entries);
    Compose {
        services: services
            .iter()
            .map(|entry| Service {
                name: entry.key.clone(),
                name_span: entry.key_span,
                ..service(&entry.value, text)
            })
            .collect(),
    }
}

fn service(node: &Node, text: &str) -> Service {
    Service {
        image: node.text("image").map(str::to_owned),
        build: node.get("build").map(|build| read_build(build, text)),
        environment: node
            .get("environment")
            .map(|it| variables(it, text))
            .unwrap_or_default(),
        env_files: node.get("env_file").map(env_files).unwrap_or_default(),
        mounts: node.get("volumes").map(mounts).unwrap_or_default(),
        ..Service::default()
    }
}

fn read_build(node: &Node, text: &str) -> Build {
    let context = node.as_str().or_else(|| node.text("context"));
    Build {
        context: context.unwrap_or(".").to_owned(),
        dockerfile: node.text("dockerfile").map(str::to_owned),
        arguments: node
            .get("args")
            .map(|it| variables(it, text))
            .unwrap_or_default(),
    }
}

/// The entries of a map `NAME: value` or a list of `NAME=value`.
#[must_use]
pub fn variables(node: &Node, text: &str) -> Vec<Variable> {
    let of_map = node.entries().iter().filter_map(|entry| {
        let value = match &entry.value.kind {
            Kind::Null => None,
            Kind::Scalar(value, _) => Some(value.clone()),
            Kind::List(_) | Kind::Map(_) => return None,
        };
        Some(Variable {
            name: entry.key.clone(),
            name_span: entry.key_span,
            value,
            value_span: entry.value.span,
        })
    });
    let of_list = node
        .items()
        .iter()
        .filter_map(|item| assignment(item, text));
    of_map.chain(of_list).collect()
}

/// `NAME=value` in one scalar, quoted or not.
fn assignment(item: &Node, text: &str) -> Option<Variable> {
    let (name, value) = match item.as_str()?.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (item.as_str()?, None),
    };
    let written = item.span.of(text);
    let start = item.span.start + usize::from(written.starts_with(['"', '\'']));
    let name_span = Span::new(start, (start + name.len()).min(item.span.end));
    let quote = usize::from(start > item.span.start);
    let value_span = match value {
        None => Span::at(name_span.end),
        Some(_) => {
            let end = item.span.end.saturating_sub(quote);
            Span::new((name_span.end + 1).min(end), end)
        }
    };
    Some(Variable {
        name: name.to_owned(),
        name_span,
        value,
        value_span,
    })
}

fn env_files(node: &Node) -> Vec<EnvFile> {
    let one = |node: &Node| {
        let path = node.as_str().or_else(|| node.text("path"))?;
        Some(EnvFile {
            path: path.to_owned(),
            span: node.get("path").unwrap_or(node).span,
            required: node.text("required") != Some("false"),
        })
    };
    match &node.kind {
        Kind::List(items) => items.iter().filter_map(one).collect(),
        _ => one(node).into_iter().collect(),
    }
}

fn mounts(node: &Node) -> Vec<String> {
    let of = |node: &Node| match node.as_str() {
        Some(short) => short.split_once(':').map(|(host, _)| host.to_owned()),
        None => (node.text("type") == Some("bind"))
            .then(|| node.text("source").map(str::to_owned))
            .flatten(),
    };
    let is_folder = |host: &String| host.starts_with(['.', '/', '~', '$']);
    node.items()
        .iter()
        .filter_map(of)
        .filter(is_folder)
        .collect()
}

impl Service {
    /// This service with `over` laid on it, as a later file's: its variables win by name, its env files come after.
    #[must_use]
    pub fn merged(&self, over: &Self) -> Self {
        let mut environment = self.environment.clone();
        let replaced: HashSet<&str> = over.environment.iter().map(|it| it.name.as_str()).collect();
        environment.retain(|own| !replaced.contains(own.name.as_str()));
        environment.extend(over.environment.iter().cloned());
        Self {
            name: self.name.clone(),
            name_span: self.name_span,
            image: over.image.clone().or_else(|| self.image.clone()),
            build: over.build.clone().or_else(|| self.build.clone()),
            environment,
            env_files: [self.env_files.clone(), over.env_files.clone()].concat(),
            mounts: [self.mounts.clone(), over.mounts.clone()].concat(),
        }
    }
}

#[cfg(test)]
mod tests;
