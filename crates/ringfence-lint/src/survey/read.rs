//! From one file's text to its parts.

use ringfence_diagnostic::{SourceId, Span};
use ringfence_syntax::tree::{self, Kind, Node, Quoted};
use ringfence_syntax::{compose, dockerfile, dotenv, phpunit, properties, script};

use super::{Content, Entry, File, Part, Survey, ignored, platform, sealed};
use crate::layout::{self, Format, Layout, Role};
use crate::vendor;

/// Reads a file and takes it in.
pub(super) fn file(survey: &mut Survey, path: String, text: String) {
    let Some(layout) = sealed::layout(survey, &path).or_else(|| layout::of(&path)) else {
        return;
    };
    if layout.format == Format::Marker {
        survey.languages.extend(language(&path));
        return;
    }
    let source = survey.sources.add(&path, text);
    let reading = match survey.sealed.get(&path) {
        Some(facts) => sealed::reading(survey, source, &layout, facts),
        None => sealed::noticed(Reading::of(survey, source, &layout)),
    };
    let index = survey.files.len();
    survey.by_path.insert(path.clone(), index);
    survey.by_source.insert(source, index);
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    survey
        .by_folder
        .entry(folder.to_owned())
        .or_default()
        .push(index);
    let first = survey.parts.len();
    for section in reading.parts {
        let entries = section.entries.into_iter();
        let mut entries: Vec<Entry> = entries.map(|written| entry(survey, written)).collect();
        if let Some(facts) = survey.sealed.get(&path) {
            sealed::value(&mut entries, facts);
        }
        survey.parts.push(Part {
            file: index,
            role: section.role,
            name: section.name,
            entries,
        });
    }
    if let Some(source) = survey.sources.get_mut(source) {
        let margins = margins(source.text());
        source.reveal(sorted(reading.shown.into_iter().chain(margins)));
    }
    match reading.problem {
        Some(Problem::Unreadable(why)) => survey.unread.push((path.clone(), why)),
        Some(Problem::Templated) => survey.templated.push(path.clone()),
        None => {}
    }
    let ignores = ignored::comments(survey.sources.text(source));
    survey.files.push(File {
        path,
        source,
        format: layout.format,
        role: layout.role,
        family: layout.family,
        content: reading.content,
        parts: first..survey.parts.len(),
        repeated: reading.repeated,
        ignores,
    });
}

/// The white space and dashes that lines begin with, so that an excerpt keeps its columns.
fn margins(text: &str) -> Vec<Span> {
    let mut start = 0;
    let mut margins = Vec::new();
    for line in text.split_inclusive('\n') {
        let content = line.trim_start_matches([' ', '\t']);
        let content = content.strip_prefix("- ").unwrap_or(content);
        let length = line.len() - content.len();
        if length > 0 && !content.is_empty() {
            margins.push(Span::new(start, start + length));
        }
        start += line.len();
    }
    margins
}

/// The language that a file's presence shows.
fn language(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    Some(match name.as_str() {
        "package.json" | "deno.json" | "bun.lockb" => "node",
        "pyproject.toml" | "requirements.txt" | "pipfile" | "setup.py" | "manage.py" => "python",
        "cargo.toml" => "rust",
        "composer.json" => "php",
        "gemfile" => "ruby",
        "go.mod" => "go",
        _ => return None,
    })
}

/// What reading one file gives.
pub(super) struct Reading {
    pub(super) parts: Vec<Section>,
    pub(super) content: Content,
    pub(super) shown: Vec<Span>,
    pub(super) repeated: Vec<(String, Span, Span)>,
    pub(super) problem: Option<Problem>,
}

/// Why a nested file was not read to its end.
pub(super) enum Problem {
    /// There is a mistake in it, in a few words.
    Unreadable(String),
    /// It is a template of another language's, and not meant to be read as it stands.
    Templated,
}

impl Reading {
    pub(super) fn of(survey: &Survey, source: SourceId, layout: &Layout) -> Self {
        let text = survey.sources.text(source);
        match layout.format {
            Format::Dotenv => dotenv_file(source, text, &layout.role),
            Format::Yaml => nested(survey, &tree::yaml::parse(source, text), text, &layout.role),
            Format::Json => nested(survey, &tree::json::parse(source, text), text, &layout.role),
            Format::Toml => nested(survey, &tree::toml::parse(source, text), text, &layout.role),
            Format::Properties => properties_file(text, &layout.role),
            Format::Phpunit => phpunit_file(text),
            Format::Compose => compose_file(&tree::yaml::parse(source, text), text, &layout.role),
            Format::Fly => with_tree(&tree::toml::parse(source, text), text, |node| {
                platform::fly(node, &layout.role)
            }),
            Format::Render => with_tree(&tree::yaml::parse(source, text), text, platform::render),
            Format::AppSpec => {
                with_tree(&tree::yaml::parse(source, text), text, platform::app_spec)
            }
            Format::Workflow => {
                with_tree(&tree::yaml::parse(source, text), text, platform::workflow)
            }
            Format::Dockerfile => dockerfile_file(text),
            Format::Script => script_file(text),
            Format::Gitignore | Format::Dockerignore | Format::Marker => Self::plain(Vec::new()),
        }
    }

    pub(super) fn plain(parts: Vec<Section>) -> Self {
        Self {
            parts,
            content: Content::Plain,
            shown: Vec::new(),
            repeated: Vec::new(),
            problem: None,
        }
    }
}

/// A setting as it is written, before anybody has asked what its name says.
pub(super) struct Written {
    pub(super) name: String,
    pub(super) name_span: Span,
    pub(super) value: String,
    pub(super) value_span: Span,
}

impl Written {
    pub(super) fn new(name: (&str, Span), value: (&str, Span)) -> Self {
        Self {
            name: name.0.to_owned(),
            name_span: name.1,
            value: value.0.to_owned(),
            value_span: value.1,
        }
    }
}

/// A part that does not know its file yet.
pub(super) struct Section {
    role: Role,
    name: Option<String>,
    pub(super) entries: Vec<Written>,
}

pub(super) fn part(role: Role, name: Option<String>, entries: Vec<Written>) -> Section {
    Section {
        role,
        name,
        entries,
    }
}

fn entry(survey: &mut Survey, written: Written) -> Entry {
    let about = survey.names.about(&written.name);
    Entry {
        strength: about.strength(&written.name, &written.value),
        vendor: vendor::class(&about.canonical, about.mode_of, written.value.trim()),
        about,
        is_item: written.name.ends_with("[]"),
        name: written.name,
        name_span: written.name_span,
        value: written.value,
        value_span: written.value_span,
        mark: None,
    }
}

fn dotenv_file(source: SourceId, text: &str, role: &Role) -> Reading {
    let parsed = dotenv::parse(source, text.as_bytes());
    let mut first = std::collections::HashMap::new();
    let mut repeated = Vec::new();
    let mut entries = Vec::new();
    for assignment in parsed.tree.assignments() {
        let (name, value) = (assignment.name, assignment.value);
        let literal = value.literal(text);
        let literal = literal.as_deref().unwrap_or_else(|| value.inner.of(text));
        let entry = Written::new((name.of(text), name), (literal, value.span));
        let before = first.insert(entry.name.clone(), (entry.name_span, entry.value.clone()));
        if let Some((span, _)) = before.filter(|(_, other)| *other != entry.value) {
            repeated.push((entry.name.clone(), span, entry.name_span));
        }
        entries.push(entry);
    }
    Reading {
        shown: parsed.tree.shown(),
        content: Content::Dotenv(parsed.tree),
        repeated,
        ..Reading::plain(vec![part(role.clone(), None, entries)])
    }
}

/// One part for each document that Spring's `#---` separates; one that names a profile is for that environment.
fn properties_file(text: &str, role: &Role) -> Reading {
    let mut documents: Vec<Vec<Written>> = Vec::new();
    for entry in properties::parse(text) {
        if documents.len() <= entry.document {
            documents.resize_with(entry.document + 1, Vec::new);
        }
        if let Some(document) = documents.get_mut(entry.document) {
            let (key, value) = (&entry.key, &entry.value);
            document.push(Written::new(
                (key, entry.key_span),
                (value, entry.value_span),
            ));
        }
    }
    if documents.is_empty() {
        documents.push(Vec::new());
    }
    let shown = documents.iter().flat_map(|entries| heads(entries, text));
    Reading {
        shown: sorted(shown),
        ..Reading::plain(
            documents
                .into_iter()
                .map(|entries| document(role, entries))
                .collect(),
        )
    }
}

fn document(role: &Role, entries: Vec<Written>) -> Section {
    let profile = entries
        .iter()
        .find(|entry| entry.name == "spring.config.activate.on-profile");
    let own = profile.map(|profile| Role::Environment(profile.value.trim().to_owned()));
    part(own.unwrap_or_else(|| role.clone()), None, entries)
}

fn phpunit_file(text: &str) -> Reading {
    let entries: Vec<Written> = phpunit::parse(text)
        .into_iter()
        .map(|one| Written::new((&one.name, one.name_span), (&one.value, one.value_span)))
        .collect();
    let role = Role::Environment("testing".to_owned());
    Reading {
        shown: sorted(entries.iter().map(|entry| entry.name_span)),
        ..Reading::plain(vec![part(role, None, entries)])
    }
}

/// The names with what stands between them and their values.
fn heads(entries: &[Written], text: &str) -> Vec<Span> {
    sorted(entries.iter().map(|entry| {
        let head = Span::new(entry.name_span.start, entry.value_span.start);
        if head.of(text).contains('\n') || head.len() < entry.name_span.len() {
            entry.name_span
        } else {
            head
        }
    }))
}

fn sorted(spans: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut spans: Vec<Span> = spans.collect();
    spans.sort_unstable();
    spans.dedup_by(|next, previous| next.start < previous.end);
    spans
}

fn with_tree(parsed: &tree::Parsed, text: &str, parts: impl Fn(&Node) -> Vec<Section>) -> Reading {
    Reading {
        shown: with_names(tree::shown(&parsed.documents, text), &parsed.documents),
        problem: problem(parsed, text),
        ..Reading::plain(parsed.documents.first().map(parts).unwrap_or_default())
    }
}

/// Why a nested file could not be read to its end.
fn problem(parsed: &tree::Parsed, text: &str) -> Option<Problem> {
    let unreadable = parsed
        .diagnostics
        .iter()
        .find(|one| one.code == "unreadable-file")?;
    if ["<%", "{{", "{%"].iter().any(|mark| text.contains(mark)) {
        return Some(Problem::Templated);
    }
    let label = unreadable.labels.first()?;
    Some(Problem::Unreadable(label.text.clone()))
}

/// Besides the keys, an excerpt may show the names in lists of names and values.
fn with_names(shown: Vec<Span>, documents: &[Node]) -> Vec<Span> {
    let mut names = Vec::new();
    let mut open: Vec<&Node> = documents.iter().collect();
    while let Some(node) = open.pop() {
        open.extend(node.items());
        open.extend(node.entries().iter().map(|entry| &entry.value));
        names.extend(
            node.items()
                .iter()
                .filter_map(named_item)
                .map(|(name, _)| name.span),
        );
        names.extend(node.get("fromGroup").map(|group| group.span));
    }
    sorted(shown.into_iter().chain(names))
}

/// The name and the value of an item such as `{name: A, value: b}`.
pub(super) fn named_item(item: &Node) -> Option<(&Node, Option<&Node>)> {
    let name = item.get("name").or_else(|| item.get("key"))?;
    let is_name = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    name.as_str().filter(|text| is_name(text))?;
    let value = item.get("value");
    (value.is_some() || item.entries().len() > 1).then_some((name, value))
}

/// The settings below a node, their paths beginning with `way`.
pub(super) fn entries(node: &Node, way: &str) -> Vec<Written> {
    let mut entries = Vec::new();
    collect(node, way, None, &mut entries);
    entries.retain(|entry| !entry.name.is_empty());
    entries
}

fn collect(node: &Node, way: &str, key: Option<Span>, entries: &mut Vec<Written>) {
    let entry = |value: &str| Written::new((way, key.unwrap_or(node.span)), (value, node.span));
    match &node.kind {
        Kind::Null => entries.push(entry("")),
        Kind::Scalar(text, Quoted::No | Quoted::Yes) => entries.push(entry(text)),
        Kind::List(items) => {
            for item in items {
                let named = named_item(item).and_then(|(name, value)| {
                    let value = (value?.as_str()?, value?.span);
                    Some(Written::new((name.as_str()?, name.span), value))
                });
                match named {
                    Some(written) => entries.push(written),
                    None => collect(item, &format!("{way}[]"), key, entries),
                }
            }
        }
        Kind::Map(inner) => {
            let separator = if way.is_empty() { "" } else { "." };
            for one in inner {
                let way = format!("{way}{separator}{}", one.key);
                collect(&one.value, &way, Some(one.key_span), entries);
            }
        }
    }
}

fn nested(survey: &Survey, parsed: &tree::Parsed, text: &str, role: &Role) -> Reading {
    let several = parsed.documents.len() > 1;
    let mut parts: Vec<Section> = parsed
        .documents
        .iter()
        .flat_map(|document| {
            let profile = several.then(|| profile_of(document)).flatten();
            let role = profile.map_or_else(|| role.clone(), Role::Environment);
            sections(survey, document, &role)
        })
        .collect();
    for part in &mut parts {
        part.entries.retain(|entry| is_setting(entry, text));
    }
    // A file with nothing in it still stands for its environment.
    if parts.is_empty() {
        parts.push(part(role.clone(), None, Vec::new()));
    }
    let duplicate = parsed
        .diagnostics
        .iter()
        .filter(|one| one.code == "duplicate-key");
    let repeated = duplicate.filter_map(|one| {
        let [again, first] = one.labels.as_slice() else {
            return None;
        };
        let name = again
            .place
            .span
            .of(text)
            .trim_matches(['"', '\''])
            .to_owned();
        Some((name, first.place.span, again.place.span))
    });
    Reading {
        shown: with_names(tree::shown(&parsed.documents, text), &parsed.documents),
        problem: problem(parsed, text),
        repeated: repeated.collect(),
        ..Reading::plain(parts)
    }
}

/// Whether a name is one: in `token: {hunter2}`, where neither sign nor value stands after it, it may be the value.
fn is_setting(written: &Written, text: &str) -> bool {
    !written.value_span.of(text).is_empty() || tree::has_sign(written.name_span, text)
}

/// The environment that one document of several is for, as Spring writes it.
fn profile_of(document: &Node) -> Option<String> {
    let spring = document.get("spring")?;
    let activate = spring
        .get("config")
        .and_then(|config| config.get("activate"));
    let profile = activate
        .and_then(|activate| activate.text("on-profile"))
        .or_else(|| spring.text("profiles"))?;
    Some(profile.to_owned())
}

/// One part for the whole document, or one for each environment where the top level is a list of them
/// (`config/database.yml`).
fn sections(survey: &Survey, document: &Node, role: &Role) -> Vec<Section> {
    const SHARED: &[&str] = &["default", "defaults", "base", "shared", "common", "*"];
    let top = document.entries();
    let is_environment = |key: &str| survey.tier(key).is_some() && key != "local";
    let environments = top
        .iter()
        .filter(|entry| is_environment(&entry.key))
        .count();
    let all_known = top.iter().all(|entry| {
        is_environment(&entry.key)
            || SHARED.contains(&entry.key.as_str())
            || entry.key.starts_with(['.', 'x'])
    });
    let all_maps = top
        .iter()
        .all(|entry| matches!(entry.value.kind, Kind::Map(_) | Kind::Null));
    if *role != Role::Shared || environments < 2 || !all_known || !all_maps {
        return vec![part(role.clone(), None, entries(document, ""))];
    }
    top.iter()
        .map(|entry| {
            let role = if is_environment(&entry.key) {
                Role::Environment(entry.key.clone())
            } else {
                // What merge keys do not bring in reaches nobody.
                Role::Template(None)
            };
            part(role, Some(entry.key.clone()), entries(&entry.value, ""))
        })
        .collect()
}

fn compose_file(parsed: &tree::Parsed, text: &str, role: &Role) -> Reading {
    let read = parsed
        .documents
        .first()
        .map(|document| compose::read(document, text));
    let services = read.unwrap_or_default().services;
    let names: Vec<Span> = services
        .iter()
        .flat_map(|service| &service.environment)
        .chain(
            services
                .iter()
                .filter_map(|service| service.build.as_ref())
                .flat_map(|build| &build.arguments),
        )
        .map(|variable| variable.name_span)
        .filter(|name| tree::has_sign(*name, text))
        .collect();
    let files = services
        .iter()
        .flat_map(|service| &service.env_files)
        .map(|file| file.span);
    let shown = sorted(
        tree::shown(&parsed.documents, text)
            .into_iter()
            .chain(names)
            .chain(files),
    );
    let parts = services.iter().map(|service| {
        let entries = service.environment.iter().filter_map(|variable| {
            let value = (variable.value.as_deref()?, variable.value_span);
            Some(Written::new((&variable.name, variable.name_span), value))
        });
        part(role.clone(), Some(service.name.clone()), entries.collect())
    });
    Reading {
        shown,
        problem: problem(parsed, text),
        ..Reading::plain(parts.collect())
    }
}

fn dockerfile_file(text: &str) -> Reading {
    let instructions = dockerfile::parse(text);
    let names = instructions
        .iter()
        .flat_map(|instruction| match &instruction.kind {
            dockerfile::Kind::Env { name_span, .. } | dockerfile::Kind::Arg { name_span, .. } => {
                vec![*name_span]
            }
            dockerfile::Kind::Copy { sources, .. } => {
                sources.iter().map(|(_, span)| *span).collect()
            }
            _ => Vec::new(),
        });
    Reading {
        shown: sorted(names),
        content: Content::Dockerfile(instructions),
        ..Reading::plain(Vec::new())
    }
}

fn script_file(text: &str) -> Reading {
    let actions = script::parse(text);
    let words = actions.iter().flat_map(|action| match &action.kind {
        script::Kind::CopyEnvFile { from, to } => vec![from.span, to.span],
        script::Kind::SourceEnvFile { file } => vec![file.span],
        script::Kind::Assign { name_span, .. } => vec![*name_span],
    });
    Reading {
        shown: sorted(words),
        content: Content::Script(actions),
        ..Reading::plain(Vec::new())
    }
}
