//! What a resource's traffic goes through on its way: keys, models, limits, records; and how the gateway is served.

use ringfence_diagnostic::{Diagnostic, Place, SourceId};
use ringfence_syntax::manifest::{
    DrivenEntry, GatewayEntry, ModelEntry, PerEnvironment, ResourceEntry, ServiceEntry, Spanned,
};

use crate::environment::Environment;
use crate::setting::chosen;

/// The traffic of a resource, in all environments.
#[derive(Debug)]
pub struct Service {
    /// The resource's name.
    pub name: String,
    /// Where the manifest declares it.
    pub place: Place,
    /// How it is spoken to.
    pub kind: Kind,
    /// The setting that holds its address.
    pub setting: Option<String>,
    source: SourceId,
    entry: ServiceEntry,
}

/// How a resource is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `openai`: as OpenAI's API.
    OpenAi,
    /// `http`: as any HTTP API.
    Http,
}

/// How the gateway is served, in all environments.
#[derive(Debug, Default)]
pub struct Gateway {
    source: Option<SourceId>,
    entry: GatewayEntry,
}

/// A text of the manifest, and where it stands.
pub type Written<'a> = (&'a str, Place);

/// A word of the manifest, or the flag that says it; and where either stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driven<'a> {
    /// The word.
    Text(Written<'a>),
    /// The flag's key.
    Flag(Written<'a>),
}

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
    /// Reads the entry of a resource; `None` where its kind has no traffic that the gateway carries. What is wrong with it goes to
    /// `diagnostics`.
    pub(crate) fn read(
        source: SourceId,
        resource: &ResourceEntry,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let entry = resource.service.clone();
        let place = Place::new(source, resource.name.span);
        let kind = match resource.kind.as_ref().map(|kind| kind.value.as_str()) {
            Some("openai") => Kind::OpenAi,
            Some("http") => Kind::Http,
            _ => {
                diagnostics.extend(
                    entry
                        .first_key()
                        .map(|(key, span)| misplaced(key, Place::new(source, span))),
                );
                return None;
            }
        };
        if kind == Kind::Http
            && let Some((name, _)) = entry.models.first()
        {
            diagnostics.push(misplaced("models", Place::new(source, name.span)));
        }
        if kind == Kind::OpenAi
            && let Some(name) = entry.headers.first()
        {
            diagnostics.push(misplaced("headers", Place::new(source, name.span)));
        }
        let all = entry.models.iter().flat_map(|(_, models)| {
            let within = models.within.iter().map(|(_, models)| models);
            models.default.iter().chain(within).flatten()
        });
        let nameless = all.filter(|model| model.model.is_none());
        diagnostics.extend(nameless.map(|model| no_model(Place::new(source, model.span))));
        Some(Self {
            name: resource.name.value.clone(),
            place,
            kind,
            setting: resource
                .setting
                .as_ref()
                .map(|setting| setting.value.clone()),
            source,
            entry,
        })
    }

    /// Whether there is anything that only a gateway does for it: a key, models, limits, records. Another API without any of it is as
    /// well spoken to directly.
    #[must_use]
    pub fn needs_gateway(&self) -> bool {
        let entry = &self.entry;
        self.kind == Kind::OpenAi || entry.key.is_some() || entry.first_key().is_some()
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
    pub fn limits(&self, environment: &Environment) -> Option<Driven<'_>> {
        self.driven(chosen(&self.entry.limits, environment)?)
    }

    /// What is recorded in an environment.
    #[must_use]
    pub fn record(&self, environment: &Environment) -> Option<Driven<'_>> {
        self.driven(chosen(&self.entry.record, environment)?)
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
        let driven = [&entry.limits, &entry.record];
        let driven = driven.into_iter().flat_map(names);
        models.chain(driven).chain(names(&entry.timeout))
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

    fn driven<'a>(&self, entry: &'a DrivenEntry) -> Option<Driven<'a>> {
        match entry {
            DrivenEntry::Text(text) => self.written(Some(text)).map(Driven::Text),
            DrivenEntry::Flag(key) => self.written(Some(key)).map(Driven::Flag),
        }
    }
}

impl Gateway {
    pub(crate) const fn new(source: SourceId, entry: GatewayEntry) -> Self {
        Self {
            source: Some(source),
            entry,
        }
    }

    /// Whether `run` and `shell` start one in an environment.
    #[must_use]
    pub fn starts(&self, environment: &Environment) -> bool {
        chosen(&self.entry.start, environment)
            .copied()
            .unwrap_or(true)
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

    /// The setting that holds the address of a shared store.
    #[must_use]
    pub fn store(&self) -> Option<Written<'_>> {
        self.written(self.entry.store.as_ref())
    }

    /// How many gateways count their own share while that store cannot be asked; `None` where nothing passes then.
    #[must_use]
    pub fn share(&self, environment: &Environment) -> Option<u64> {
        let word = chosen(&self.entry.store_lost, environment)?;
        let replicas = chosen(&self.entry.replicas, environment).copied();
        (word.value == "share").then_some(replicas.unwrap_or(1))
    }

    /// Pages whose scripts may ask for flags, by their origin.
    pub fn origins(&self, environment: &Environment) -> impl Iterator<Item = Written<'_>> {
        let origins = chosen(&self.entry.origins, environment).into_iter();
        origins
            .flatten()
            .filter_map(|origin| self.written(Some(origin)))
    }

    /// Whether a production gateway may do that against the rules.
    #[must_use]
    pub fn allows(&self, what: &str) -> bool {
        self.entry.allow.iter().any(|word| word.value == what)
    }

    /// The limits of what comes in at the program's ports.
    #[must_use]
    pub fn ingress(&self, environment: &Environment) -> Option<Written<'_>> {
        self.written(chosen(&self.entry.ingress, environment))
    }

    /// The proxies whose word about a client's address is taken.
    pub fn ingress_proxies(&self, environment: &Environment) -> impl Iterator<Item = Written<'_>> {
        let proxies = chosen(&self.entry.ingress_proxies, environment);
        let proxies = proxies.into_iter().flatten();
        proxies.filter_map(|proxy| self.written(Some(proxy)))
    }

    /// Everything that `allow` names, and where.
    pub fn allowances(&self) -> impl Iterator<Item = (String, Place)> {
        let words = self.entry.allow.iter();
        words.filter_map(|word| Some((word.value.clone(), self.written(Some(word))?.1)))
    }

    /// The environments and tiers that it speaks of.
    pub(crate) fn named_environments(&self) -> impl Iterator<Item = &Spanned<String>> {
        let entry = &self.entry;
        let texts = [&entry.listen, &entry.store_lost, &entry.ingress];
        texts
            .into_iter()
            .flat_map(names)
            .chain(names(&entry.replicas))
            .chain(names(&entry.ingress_proxies))
            .chain(names(&entry.start))
            .chain(names(&entry.origins))
    }

    fn written<'a>(&self, text: Option<&'a Spanned<String>>) -> Option<Written<'a>> {
        let source = self.source?;
        text.map(|text| (text.value.as_str(), Place::new(source, text.span)))
    }
}

fn names<T>(value: &PerEnvironment<T>) -> impl Iterator<Item = &Spanned<String>> {
    value.within.iter().map(|(name, _)| name)
}

fn misplaced(key: &str, place: Place) -> Diagnostic {
    Diagnostic::error("misplaced-key", format!("`{key}` means nothing for a resource of this kind"))
        .at(place, "here")
        .because("what it says would not hold, because the gateway does not carry this traffic so")
        .help("`models` goes with `kind = \"openai\"`, `headers` with `\"http\"`, limits and records with both")
}

fn no_model(place: Place) -> Diagnostic {
    Diagnostic::error("missing-model", "a model has no name")
        .at(place, "this one")
        .because("there would be nothing to ask the upstream for")
        .help("write `{ model = \"…\" }`")
}
