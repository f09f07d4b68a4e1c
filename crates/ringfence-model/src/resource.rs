//! What the manifest declares about a resource: something outside the program that it talks to.

use ringfence_diagnostic::{Place, SourceId};
use ringfence_syntax::manifest::{
    IndexEntry, PerEnvironment, ResourceEntry, SampleEntry, Spanned, TableEntry,
};

use crate::environment::Environment;
use crate::setting::within;

/// A declared resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The name.
    pub name: String,
    /// Where the manifest declares it.
    pub place: Place,
    /// What it is.
    pub kind: Option<String>,
    /// The setting that holds its address.
    pub setting: Option<String>,
    /// The setting that holds its key.
    pub key: Option<String>,
    /// The setting that holds the address of the role that may change it.
    pub owner: Option<String>,
    /// Tables that never travel, and that a copy is emptied of.
    pub drop: Vec<String>,
    /// The command that makes its schema.
    pub migrate: Vec<String>,
    /// The setting with the address that makes vectors, and the one with the key for it.
    pub embeddings: Option<(String, Option<String>)>,
    /// What of each table travels, as written.
    pub tables: Vec<TableEntry>,
    index: Option<IndexEntry>,
    marked: PerEnvironment<bool>,
    sample: PerEnvironment<SampleEntry>,
}

impl Resource {
    pub(crate) fn read(source: SourceId, entry: &ResourceEntry) -> Self {
        let text = |written: Option<&Spanned<String>>| written.map(|written| written.value.clone());
        Self {
            name: entry.name.value.clone(),
            place: Place::new(source, entry.name.span),
            kind: text(entry.kind.as_ref()),
            setting: text(entry.setting.as_ref()),
            key: text(entry.key.as_ref()),
            owner: text(entry.owner.as_ref()),
            drop: entry.drop.iter().map(|table| table.value.clone()).collect(),
            migrate: entry
                .migrate
                .iter()
                .map(|word| word.value.clone())
                .collect(),
            tables: entry.tables.clone(),
            embeddings: entry
                .index
                .as_ref()
                .and_then(|index| Some((text(index.endpoint.as_ref())?, text(index.key.as_ref())))),
            index: entry.index.clone(),
            marked: entry.marked.clone(),
            sample: entry.sample.clone(),
        }
    }

    /// Whether it carries a marker in `environment`; `None` where the manifest does not say.
    #[must_use]
    pub fn is_marked(&self, environment: &Environment) -> Option<bool> {
        let (tier, own) = within(&self.marked.within, environment);
        own.or(tier).or(self.marked.default.as_ref()).copied()
    }

    /// Of which embeddings its vectors are in `environment`: model, dimension and metric, as far as the manifest says.
    #[must_use]
    pub fn index(
        &self,
        environment: &Environment,
    ) -> Option<(Option<&str>, Option<i64>, Option<&str>)> {
        let index = self.index.as_ref()?;
        let (tier, own) = within(&index.model.within, environment);
        let model = own.or(tier).or(index.model.default.as_ref());
        let (tier, own) = within(&index.dimension.within, environment);
        let dimension = own.or(tier).or(index.dimension.default.as_ref());
        Some((
            model.map(String::as_str),
            dimension.copied(),
            index.metric.as_deref(),
        ))
    }

    /// Where its data comes from in `environment`.
    #[must_use]
    pub fn sample(&self, environment: &Environment) -> Option<&SampleEntry> {
        let (tier, own) = within(&self.sample.within, environment);
        own.or(tier).or(self.sample.default.as_ref())
    }
}

/// The environments and tiers that an entry speaks of.
pub(crate) fn named_environments(entry: &ResourceEntry) -> impl Iterator<Item = &Spanned<String>> {
    let index = entry.index.iter().flat_map(|index| {
        let models = index.model.within.iter().map(|(name, _)| name);
        models.chain(index.dimension.within.iter().map(|(name, _)| name))
    });
    let samples = entry
        .sample
        .within
        .iter()
        .map(|(name, _)| name)
        .chain(index);
    entry
        .marked
        .within
        .iter()
        .map(|(name, _)| name)
        .chain(samples)
}
