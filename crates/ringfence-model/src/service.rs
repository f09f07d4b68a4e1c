//! What a resource's traffic goes through on its way: keys, models, limits, records; and how the gateway is served.

use ringfence_diagnostic::{Diagnostic, Place, SourceId};
use ringfence_syntax::manifest::{
    GatewayEntry, ModelEntry, PerEnvironment, ServiceEntry, Spanned,
};

use crate::environment::Environment;
use crate::setting::chosen;

/// The traffic of a resource, in all environments.
#[derive(Debug)]
pub struct Service {
    source: SourceId,
    entry: ServiceEntry,
}

/// How the gateway is served, in all environments.
#[derive(Debug, Default)]
pub struct Gateway {
    source: Option<SourceId>,
    entry: GatewayEntry,
}

/// A text of the manifest, and where it stands.
pub type Written<'a> = (&'a str, Place);

/// One of the models behind a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its name at the upstream.
    pub model: String,
    /// Another resource that has it.
    pub at: Option<String>,
    /// What a million tokens cost, of prompts and of answers, as written.
    pub price: Option<(String, String)>,
    /// Where it stands.
    pub place: Place,
}

impl Service {
    /// Reads the entry of a resource; what is wrong with it goes to `diagnostics`.
    pub(crate) fn read(
        source: SourceId,
        entry: ServiceEntry,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let all = entry.models.iter().flat_map(|(_, models)| {
            let within = models.within.iter().map(|(_, models)| models);
            models.default.iter().chain(within).flatten()
        });
        let nameless = all.filter(|model| model.model.is_none());
        diagnostics.extend(nameless.map(|model| no_model(Place::new(source, model.span))));
        Self { source, entry }
    }

    /// The setting that holds the key.
    #[must_use]
    pub fn key(&self) -> Option<Written<'_>> {
        self.written(self.entry.key.as_ref())
    }

    /// The header that carries the key.
    #[must_use]
    pub fn header(&self) -> Option<Written<'_>> {
        self.written(self.entry.header.as_ref())
    }

    /// Response headers that are passed on.
    pub fn headers(&self) -> impl Iterator<Item = Written<'_>> {
        let headers = self.entry.headers.iter();
        headers.filter_map(|header| self.written(Some(header)))
    }

    /// The models of an environment, by the name that the program asks for. A name that means nothing there is left out.
    #[must_use]
    pub fn models(&self, environment: &Environment) -> Vec<(&str, Vec<Model>)> {
        let rows = self.entry.models.iter();
        rows.filter_map(|(name, models)| {
            let entries = chosen(models, environment)?.iter();
            let models = entries.filter_map(|entry| self.model(entry));
            Some((name.value.as_str(), models.collect()))
        })
        .collect()
    }

    /// The limits of an environment.
    #[must_use]
    pub fn limits(&self, environment: &Environment) -> Option<Written<'_>> {
        self.written(chosen(&self.entry.limits, environment))
    }

    /// What is recorded in an environment.
    #[must_use]
    pub fn record(&self, environment: &Environment) -> Option<Written<'_>> {
        self.written(chosen(&self.entry.record, environment))
    }

    /// How long an upstream may be silent.
    #[must_use]
    pub fn timeout(&self, environment: &Environment) -> Option<Written<'_>> {
        self.written(chosen(&self.entry.timeout, environment))
    }

    /// The environments and tiers that it speaks of.
    pub(crate) fn named_environments(&self) -> impl Iterator<Item = &Spanned<String>> {
        let entry = &self.entry;
        let models = entry.models.iter().flat_map(|(_, models)| names(models));
        let texts = [&entry.limits, &entry.record, &entry.timeout];
        models.chain(texts.into_iter().flat_map(names))
    }

    fn model(&self, entry: &ModelEntry) -> Option<Model> {
        let text = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.value.clone());
        let price = entry.price.as_ref().map(|price| {
            let or_nothing = |part| text(part).unwrap_or_else(|| "0".to_owned());
            (or_nothing(&price.input), or_nothing(&price.output))
        });
        Some(Model {
            model: text(&entry.model)?,
            at: text(&entry.at),
            price,
            place: Place::new(self.source, entry.span),
        })
    }

    fn written<'a>(&self, text: Option<&'a Spanned<String>>) -> Option<Written<'a>> {
        text.map(|text| (text.value.as_str(), Place::new(self.source, text.span)))
    }
}

impl Gateway {
    pub(crate) const fn new(source: SourceId, entry: GatewayEntry) -> Self {
        Self {
            source: Some(source),
            entry,
        }
    }

    /// Where it listens in an environment.
    #[must_use]
    pub fn listen(&self, environment: &Environment) -> Option<Written<'_>> {
        self.written(chosen(&self.entry.listen, environment))
    }

    /// The setting that holds the key of callers' tokens.
    #[must_use]
    pub fn secret(&self) -> Option<Written<'_>> {
        self.written(self.entry.secret.as_ref())
    }

    /// Whether a production gateway may do that against the rules.
    #[must_use]
    pub fn allows(&self, what: &str) -> bool {
        self.entry.allow.iter().any(|word| word.value == what)
    }

    /// The environments and tiers that it speaks of.
    pub(crate) fn named_environments(&self) -> impl Iterator<Item = &Spanned<String>> {
        names(&self.entry.listen)
    }

    fn written<'a>(&self, text: Option<&'a Spanned<String>>) -> Option<Written<'a>> {
        let source = self.source?;
        text.map(|text| (text.value.as_str(), Place::new(source, text.span)))
    }
}

fn names<T>(value: &PerEnvironment<T>) -> impl Iterator<Item = &Spanned<String>> {
    value.within.iter().map(|(name, _)| name)
}

fn no_model(place: Place) -> Diagnostic {
    Diagnostic::error("missing-model", "a model has no name")
        .at(place, "this one")
        .because("there would be nothing to ask the upstream for")
        .help("write `{ model = \"…\" }`")
}
