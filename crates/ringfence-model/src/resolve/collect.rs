//! What each layer says about each setting.

use std::collections::BTreeMap;

use ringfence_diagnostic::{Diagnostic, Place};
use ringfence_syntax::dotenv::{self, Quote, template};
use ringfence_syntax::manifest::{Spanned, ValueSource};

use super::Inputs;
use super::interpolate::Input;
use crate::document::{Document, Unreadable};
use crate::environment::{Environment, Files};
use crate::layer::{Layer, Origin};
use crate::select;
use crate::setting::Declaration;

/// What one layer says about one setting.
pub(super) struct Candidate<'a> {
    pub(super) layer: Layer,
    pub(super) origin: Origin,
    raw: Raw<'a>,
}

/// A value as its layer has it.
enum Raw<'a> {
    /// In an `.env` file, with the file's text.
    File(dotenv::Value, &'a str),
    /// In the manifest: references count, backslashes do not.
    Manifest(&'a str),
    /// From outside the project's files: taken as it is.
    Literal(&'a str),
    /// From a sealed file, or from elsewhere: taken as it is, and a secret.
    Opened(&'a str),
    /// Encrypted, or elsewhere, and not opened.
    Closed,
}

/// By setting, lowest rank first.
pub(super) type Candidates<'a> = BTreeMap<&'a str, Vec<Candidate<'a>>>;

/// The candidates, and what is wrong with how they are written.
pub(super) struct Collected<'a> {
    pub(super) candidates: Candidates<'a>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl<'a> Candidate<'a> {
    /// The value for interpolation.
    pub(super) fn input(&self) -> Input<'a> {
        match &self.raw {
            Raw::Literal(text) | Raw::Opened(text) => Input::Literal(text),
            Raw::Closed => Input::Closed,
            Raw::Manifest(text) => Input::Pieces(template::unquoted(text)),
            Raw::File(value, text)
                if value.quote == Quote::None && !value.inner.of(text).contains("${") =>
            {
                Input::Literal(value.inner.of(text))
            }
            Raw::File(value, text) => Input::Pieces(value.pieces(text)),
        }
    }

    /// The value as written in a file, where a `$` counts; for others nothing.
    pub(super) fn text_with_dollars(&self) -> &'a str {
        match &self.raw {
            Raw::File(value, text) if value.quote != Quote::Single => value.inner.of(text),
            Raw::Manifest(text) => text,
            Raw::File(..) | Raw::Literal(_) | Raw::Opened(_) | Raw::Closed => "",
        }
    }

    /// Whether the value was sealed or kept elsewhere.
    pub(super) fn was_closed(&self) -> bool {
        matches!(self.raw, Raw::Opened(_) | Raw::Closed)
    }
}

/// All layers of `environment`.
pub(super) fn candidates<'a>(inputs: Inputs<'a>, environment: &'a Environment) -> Collected<'a> {
    let mut collector = Collector {
        inputs,
        collected: Collected {
            candidates: BTreeMap::new(),
            diagnostics: Vec::new(),
        },
    };
    let declarations = inputs.project.declarations.as_ref();
    let declared = || declarations.into_iter().flat_map(BTreeMap::values);
    declared().for_each(|declaration| {
        collector.manifest(
            declaration,
            Layer::Default,
            declaration.values(environment).default,
        );
    });
    collector.files(inputs.project.shared.as_deref().into_iter(), Layer::Shared);
    declared().for_each(|declaration| {
        let values = declaration.values(environment);
        collector.manifest(declaration, Layer::Tier, values.tier);
        collector.manifest(declaration, Layer::Environment, values.environment);
    });
    collector.files(environment.paths().into_iter(), Layer::File);
    collector.files(environment.sealed_file().into_iter(), Layer::File);
    collector.files(environment.personal.as_deref().into_iter(), Layer::Personal);
    declared().for_each(|declaration| match declaration.from(environment) {
        Some((ValueSource::Host, _)) => collector.host(declaration),
        Some((_, place)) => collector.reference(declaration, environment, place),
        None if environment.from_host => collector.host(declaration),
        None => {}
    });
    for (name, value) in inputs.arguments {
        collector.push(name, Layer::Argument, Origin::Argument, Raw::Literal(value));
    }
    collector.collected
}

/// Whether a value in a plain file is one that another tool encrypted: it is opened, or refused, and never passed on.
#[must_use]
pub fn is_encrypted(value: &str) -> bool {
    value.starts_with("encrypted:") || value.starts_with("ENC[AES256_GCM,")
}

struct Collector<'a> {
    inputs: Inputs<'a>,
    collected: Collected<'a>,
}

impl<'a> Collector<'a> {
    fn push(&mut self, name: &'a str, layer: Layer, origin: Origin, raw: Raw<'a>) {
        self.collected
            .candidates
            .entry(name)
            .or_default()
            .push(Candidate { layer, origin, raw });
    }

    fn manifest(
        &mut self,
        declaration: &'a Declaration,
        layer: Layer,
        value: Option<&'a Spanned<String>>,
    ) {
        let Some(value) = value else { return };
        let place = Place::new(declaration.place.source, value.span);
        self.collected
            .diagnostics
            .extend(template::unquoted_diagnostics(
                &value.value,
                place,
                &declaration.name,
            ));
        self.push(
            &declaration.name,
            layer,
            Origin::Place(place),
            Raw::Manifest(&value.value),
        );
    }

    fn files(&mut self, paths: impl Iterator<Item = &'a str>, layer: Layer) {
        for path in paths {
            let Ok(document) = self.inputs.documents.get(path) else {
                continue;
            };
            self.document(document, layer);
        }
    }

    fn document(&mut self, document: &'a Document, layer: Layer) {
        let text = self.inputs.sources.text(document.source);
        for assignment in document.tree.assignments() {
            let origin = Origin::Place(Place::new(document.source, assignment.value.span));
            let name = assignment.name.of(text);
            let raw = match document.opened.get(name) {
                Some(value) => Raw::Opened(value.expose()),
                None if is_encrypted(assignment.value.inner.of(text)) => Raw::Closed,
                None => Raw::File(assignment.value, text),
            };
            self.push(name, layer, origin, raw);
        }
        for (name, span) in document.sealed.iter().flatten() {
            let origin = Origin::Place(Place::new(document.source, *span));
            let value = document.opened.get(name);
            let raw = value.map_or(Raw::Closed, |value| Raw::Opened(value.expose()));
            self.push(name, Layer::Sealed, origin, raw);
        }
    }

    fn reference(&mut self, declaration: &'a Declaration, environment: &Environment, place: Place) {
        let value = self.inputs.documents;
        let value = value.reference(&environment.name, &declaration.name);
        let raw = value.map_or(Raw::Closed, |value| Raw::Opened(value.expose()));
        let origin = Origin::Place(place);
        self.push(&declaration.name, Layer::Reference, origin, raw);
    }

    fn host(&mut self, declaration: &'a Declaration) {
        let Some(value) = self.inputs.host.get(&declaration.name) else {
            return;
        };
        match value.to_str() {
            Some(value) => self.push(
                &declaration.name,
                Layer::Host,
                Origin::Host,
                Raw::Literal(value),
            ),
            None => self
                .collected
                .diagnostics
                .push(host_value_not_utf_8(declaration)),
        }
    }
}

/// What is wrong with the environment's files: missing, several, unreadable, or with errors in them.
pub(super) fn file_diagnostics(inputs: Inputs<'_>, environment: &Environment) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<Diagnostic> = select::file_problem(environment).into_iter().collect();
    let shared = inputs.project.shared.as_deref().into_iter();
    let paths = shared
        .chain(environment.paths())
        .chain(environment.sealed_file())
        .chain(environment.personal.as_deref());
    for path in paths {
        match inputs.documents.get(path) {
            Ok(document) => diagnostics.extend(document.diagnostics.iter().cloned()),
            Err(why) => diagnostics.push(unreadable(environment, path, &why)),
        }
    }
    diagnostics
}

fn unreadable(environment: &Environment, path: &str, why: &Unreadable) -> Diagnostic {
    let name = &environment.name;
    let diagnostic = match why {
        Unreadable::Missing => Diagnostic::error(
            "missing-environment-file",
            format!("`{path}` of environment `{name}` is missing"),
        )
        .help(format!(
            "create `{path}`, or correct `files` of `{name}` in the manifest"
        )),
        Unreadable::Refused(reason) => Diagnostic::error(
            "unreadable-file",
            format!("`{path}` of environment `{name}` cannot be read: {reason}"),
        )
        .help(format!("make `{path}` a regular file that you may read")),
    };
    let diagnostic = diagnostic.because("nothing was started: no other file is used in its place");
    let listed = match &environment.files {
        Files::Listed(files) => files.iter().find(|(file, _)| file == path),
        _ => None,
    };
    match listed {
        Some((_, place)) => diagnostic.at(*place, "listed here"),
        None => diagnostic,
    }
}

fn host_value_not_utf_8(declaration: &Declaration) -> Diagnostic {
    let name = &declaration.name;
    Diagnostic::error(
        "not-utf-8",
        format!("the host's variable `{name}` is not UTF-8"),
    )
    .at(declaration.place, "declared here")
    .because("its value cannot be checked, so nothing starts")
    .help(format!(
        "set `{name}` to valid UTF-8 where the process is started"
    ))
}
