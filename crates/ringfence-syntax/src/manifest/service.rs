//! What the manifest says of traffic: models, limits, records and keys of a resource, and `[gateway]`.

use toml_edit::{Item, TableLike};

use super::read::{per_environment, rows, strings, text, texts};
use super::validate::span_of;
use super::{PerEnvironment, Spanned};

/// What a `[resources.NAME]` table says of the gateway.
#[derive(Debug, Clone, Default)]
pub struct ServiceEntry {
    /// `key`: the setting that holds its key.
    pub key: Option<Spanned<String>>,
    /// `header`: the header that carries the key.
    pub header: Option<Spanned<String>>,
    /// `headers`: response headers that are passed on.
    pub headers: Vec<Spanned<String>>,
    /// `models`, by the name that the program asks for.
    pub models: Vec<(Spanned<String>, PerEnvironment<Vec<ModelEntry>>)>,
    /// `limits`.
    pub limits: PerEnvironment<DrivenEntry>,
    /// `record`.
    pub record: PerEnvironment<DrivenEntry>,
    /// `timeout`.
    pub timeout: PerEnvironment<Spanned<String>>,
}

/// A word of the manifest, or the flag that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrivenEntry {
    /// The word.
    Text(Spanned<String>),
    /// The flag's key.
    Flag(Spanned<String>),
}

impl DrivenEntry {
    /// Where it stands.
    #[must_use]
    pub const fn span(&self) -> ringfence_diagnostic::Span {
        match self {
            Self::Text(text) | Self::Flag(text) => text.span,
        }
    }
}

impl ServiceEntry {
    /// The first key that only the gateway carries out, and where it stands.
    #[must_use]
    pub fn first_key(&self) -> Option<(&'static str, ringfence_diagnostic::Span)> {
        let found = [
            ("models", self.models.first().map(|(name, _)| name.span)),
            ("limits", first_span(&self.limits, DrivenEntry::span)),
            ("record", first_span(&self.record, DrivenEntry::span)),
            ("timeout", first_span(&self.timeout, |text| text.span)),
            ("header", self.header.as_ref().map(|header| header.span)),
            ("headers", self.headers.first().map(|header| header.span)),
        ];
        found.into_iter().find_map(|(key, span)| Some((key, span?)))
    }
}

fn first_span<T>(
    value: &PerEnvironment<T>,
    span: impl Fn(&T) -> ringfence_diagnostic::Span,
) -> Option<ringfence_diagnostic::Span> {
    let within = value.within.first().map(|(name, _)| name.span);
    value.default.as_ref().map(span).or(within)
}

/// One of the models behind a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEntry {
    /// Its name at the upstream; `None` where a table has no `model`.
    pub model: Option<Spanned<String>>,
    /// `at`: another resource that has it.
    pub at: Option<Spanned<String>>,
    /// `price`.
    pub price: Option<PriceEntry>,
    /// Where it stands.
    pub span: ringfence_diagnostic::Span,
}

/// What a million tokens cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceEntry {
    /// `input`.
    pub input: Option<Spanned<String>>,
    /// `output`.
    pub output: Option<Spanned<String>>,
}

/// The table `[gateway]`.
#[derive(Debug, Clone, Default)]
pub struct GatewayEntry {
    /// `start`.
    pub start: PerEnvironment<bool>,
    /// `listen`.
    pub listen: PerEnvironment<Spanned<String>>,
    /// `secret`.
    pub secret: Option<Spanned<String>>,
    /// `store`.
    pub store: Option<Spanned<String>>,
    /// `store-lost`.
    pub store_lost: PerEnvironment<Spanned<String>>,
    /// `replicas`.
    pub replicas: PerEnvironment<u64>,
    /// `origins`.
    pub origins: PerEnvironment<Vec<Spanned<String>>>,
    /// `allow`.
    pub allow: Vec<Spanned<String>>,
    /// `ingress`.
    pub ingress: PerEnvironment<Spanned<String>>,
    /// `ingress-proxies`.
    pub ingress_proxies: PerEnvironment<Vec<Spanned<String>>>,
}

pub(super) fn service(table: &dyn TableLike) -> ServiceEntry {
    let models = table.get("models").and_then(Item::as_table_like);
    let models = models.into_iter().flat_map(rows);
    ServiceEntry {
        key: text(table, "key"),
        header: text(table, "header"),
        headers: texts(table, "headers").unwrap_or_default(),
        models: models
            .map(|(name, item)| (name, per_environment(item, several_models)))
            .collect(),
        limits: driven(table, "limits"),
        record: driven(table, "record"),
        timeout: varying(table, "timeout"),
    }
}

pub(super) fn gateway(root: &dyn TableLike) -> GatewayEntry {
    let Some(table) = root.get("gateway").and_then(Item::as_table_like) else {
        return GatewayEntry::default();
    };
    let number = |item: &Item| u64::try_from(item.as_integer()?).ok();
    let replicas = table
        .get("replicas")
        .map(|item| per_environment(item, number));
    let proxies = table
        .get("ingress-proxies")
        .map(|item| per_environment(item, |item| item.as_array().map(strings)));
    let start = table.get("start");
    let origins = table
        .get("origins")
        .map(|item| per_environment(item, |item| item.as_array().map(strings)));
    GatewayEntry {
        start: start
            .map(|item| per_environment(item, Item::as_bool))
            .unwrap_or_default(),
        listen: varying(table, "listen"),
        secret: text(table, "secret"),
        store: text(table, "store"),
        store_lost: varying(table, "store-lost"),
        replicas: replicas.unwrap_or_default(),
        origins: origins.unwrap_or_default(),
        allow: texts(table, "allow").unwrap_or_default(),
        ingress: varying(table, "ingress"),
        ingress_proxies: proxies.unwrap_or_default(),
    }
}

/// A text that may differ by environment.
fn varying(table: &dyn TableLike, key: &str) -> PerEnvironment<Spanned<String>> {
    let item = table.get(key);
    item.map(|item| per_environment(item, spanned))
        .unwrap_or_default()
}

/// A text that may differ by environment, or be a flag's.
fn driven(table: &dyn TableLike, key: &str) -> PerEnvironment<DrivenEntry> {
    let read = |item: &Item| match item.as_table_like() {
        Some(table) => text(table, "flag").map(DrivenEntry::Flag),
        None => spanned(item).map(DrivenEntry::Text),
    };
    let item = table.get(key);
    item.map(|item| per_environment(item, read))
        .unwrap_or_default()
}

fn spanned(item: &Item) -> Option<Spanned<String>> {
    Some(Spanned {
        value: item.as_str()?.to_owned(),
        span: span_of(item).unwrap_or_default(),
    })
}

/// One model, or a list of them.
fn several_models(item: &Item) -> Option<Vec<ModelEntry>> {
    match item.as_array() {
        Some(array) => {
            let items = array.iter().map(|value| Item::Value(value.clone()));
            items.map(|item| model(&item)).collect()
        }
        None => model(item).map(|model| vec![model]),
    }
}

fn model(item: &Item) -> Option<ModelEntry> {
    let span = span_of(item).unwrap_or_default();
    let Some(table) = item.as_table_like() else {
        return Some(ModelEntry {
            model: Some(spanned(item)?),
            at: None,
            price: None,
            span,
        });
    };
    let price = table.get("price").and_then(Item::as_table_like);
    Some(ModelEntry {
        model: text(table, "model"),
        at: text(table, "at"),
        price: price.map(|price| PriceEntry {
            input: text(price, "input"),
            output: text(price, "output"),
        }),
        span,
    })
}
