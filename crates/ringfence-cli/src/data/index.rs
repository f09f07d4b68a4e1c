//! Of which embeddings a store's vectors are to be in an environment, and what makes them there.

use ringfence_data::store::StoreError;
use ringfence_data::vectors::{Embedder, Index, Remade};
use ringfence_model::environment::Environment;
use ringfence_model::resolve::Resolution;
use ringfence_model::resource::Resource;
use zeroize::Zeroizing;

/// What the manifest says; `None` where it says nothing of vectors.
pub(crate) fn declared(resource: &Resource, environment: &Environment) -> Option<Index> {
    let (model, dimension, metric) = resource.index(environment)?;
    Some(Index {
        model: model.unwrap_or_default().to_owned(),
        dimension: dimension
            .and_then(|numbers| u32::try_from(numbers).ok())
            .unwrap_or(0),
        metric: metric.unwrap_or_default().to_owned(),
        corpus: String::new(),
    })
}

/// The columns that are made again from masked text.
pub(crate) fn remade(resource: &Resource) -> Vec<Remade> {
    let tables = resource.tables.iter();
    let columns = tables.flat_map(|table| {
        let vectors = table.vectors.iter();
        vectors.map(|(column, of)| Remade::read(&table.name.value, &column.value, &of.value))
    });
    columns.collect()
}

/// What makes an environment's vectors; `None` where its settings name nothing that does.
pub(crate) fn embedder(
    resource: &Resource,
    environment: &Environment,
    resolution: &Resolution,
) -> Result<Option<Embedder>, StoreError> {
    let value = |name: &str| {
        let setting = resolution.settings.get(name)?;
        Some(Zeroizing::new(setting.value.expose().to_owned()))
    };
    let Some((endpoint, key)) = &resource.embeddings else {
        return Ok(None);
    };
    let (Some(address), Some(index)) = (value(endpoint), declared(resource, environment)) else {
        return Ok(None);
    };
    let key = key.as_deref().and_then(value);
    Embedder::new(&address, key, index).map(Some)
}
