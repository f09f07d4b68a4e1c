//! Into Qdrant: each collection is made anew beside the one that is there, filled, counted, and then takes over its name, which from then on
//! is an alias. All aliases change in one request.
//!
//! A load that ends before that leaves collections that nothing stands for; the next one takes them away. Where the name is that of
//! a collection and not yet an alias, the collection has to go first: between these two requests there is nothing by that name.

mod filling;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Duration;

use ringfence_mask::schema::Kind;
use serde_json::{Value as Json, json};

use super::super::artifact::{Fields, Part as Line, Reader};
use super::super::{Manifest, Progress, SampleError, Step, TableManifest, Work};
use super::{Present, Vectors, corpus, in_the_way, kept, same_embeddings};
use crate::address::Target;
use crate::store::qdrant::point::{Part, vectors as named_vectors};
use crate::store::qdrant::{Names, Qdrant, STAGED, unreadable};
use crate::store::{StoreError, new_mark};
use crate::vectors::Index;
use filling::{Filling, vector_of};

pub(super) fn load(
    target: &Target,
    artifact: impl BufRead,
    (present, vectors): (Present, Vectors<'_>),
    progress: &mut Progress<'_>,
) -> Result<Manifest, SampleError> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let (mut reader, begun) = Reader::new(artifact)?;
    same_embeddings(&vectors, &begun)?;
    let store = Qdrant::open(target, PATIENCE)?;
    let marker = store.marker()?;
    let mut marker =
        marker.ok_or_else(|| SampleError::Target("the target has no marker".to_owned()))?;
    let names = store.names()?;
    let mut loading = Loading {
        store: &store,
        names: &names,
        vectors,
        staged: Vec::new(),
    };
    let whole = loading
        .prepare(&begun, present)
        .and_then(|()| loading.rows(&mut reader, &begun, progress))
        .and_then(|manifest| loading.counted(manifest));
    let manifest = match whole {
        Ok(manifest) => manifest,
        Err(error) => {
            loading.take_away();
            return Err(error);
        }
    };
    loading.switch(&begun)?;
    marker.sample = kept(&manifest)?;
    if let Some(corpus) = corpus(&vectors, &manifest) {
        marker.vectors = corpus;
    }
    store.write(&marker)?;
    loading.clear(&begun)?;
    Ok(manifest)
}

/// A load at work.
struct Loading<'a> {
    store: &'a Qdrant,
    names: &'a Names,
    vectors: Vectors<'a>,
    /// The collections that are filled, in the order of the manifest's tables.
    staged: Vec<String>,
}

impl Loading<'_> {
    /// Makes the collections that are filled, like those that are there.
    fn prepare(&mut self, manifest: &Manifest, present: Present) -> Result<(), SampleError> {
        let left = left_over(self.names, manifest);
        for table in &manifest.tables {
            let name = self.names.real(&table.name);
            let mut info = self.store.get(&Qdrant::collection(name))?;
            if info.is_some() && present == Present::Refuses && self.store.count(name)? > 0 {
                return Err(in_the_way(&table.name));
            }
            let begun = left.iter().find(|(of, _)| *of == table.name);
            if let (None, Some((_, name))) = (&info, begun) {
                info = self.store.get(&Qdrant::collection(name))?;
            }
            let (body, indices) = match &info {
                Some(info) => (like(info)?, indices(info)),
                None => (self.declared(table)?, Vec::new()),
            };
            let mark = new_mark();
            let mark = mark.ok_or_else(|| {
                StoreError::Unreachable("the system gives no random bytes".to_owned())
            })?;
            let staged = format!("{}{STAGED}{mark}", table.name);
            let path = Qdrant::collection(&staged);
            self.staged.push(staged);
            self.store.put(&path, &body)?;
            for index in indices {
                self.store.put(&format!("{path}/index?wait=true"), &index)?;
            }
        }
        for (_, name) in left {
            self.store.delete(name)?;
        }
        Ok(())
    }

    /// A collection that is not there is made where the manifest of the project says what its vectors are.
    fn declared(&self, table: &TableManifest) -> Result<Json, SampleError> {
        let index = self.vectors.index;
        let known = distance(index).map(|distance| (index.dimension, distance));
        let own = table
            .columns
            .iter()
            .chain(self.remade(table).map(|(column, _)| column));
        let parts: Vec<Part<'_>> = own.map(|column| Part::read(column)).collect();
        let is_single = !parts
            .iter()
            .any(|part| matches!(part, Part::Vector(name) if !name.is_empty()));
        match known {
            Some((size, distance)) if size > 0 && is_single => {
                Ok(json!({ "vectors": { "size": size, "distance": distance } }))
            }
            _ => Err(SampleError::Target(format!(
                "the target has no collection `{}`",
                table.name
            ))),
        }
    }

    /// The columns of vectors that are made again in a table, and those of their texts.
    fn remade(&self, table: &TableManifest) -> impl Iterator<Item = (&String, &String)> {
        let name = table.name.clone();
        let own = self
            .vectors
            .columns
            .iter()
            .filter(move |remade| remade.table == name);
        own.map(|remade| (&remade.column, &remade.of))
    }

    fn rows(
        &self,
        reader: &mut Reader<impl BufRead>,
        manifest: &Manifest,
        progress: &mut Progress<'_>,
    ) -> Result<Manifest, SampleError> {
        let mut filling: Option<Filling<'_>> = None;
        let (mut fields, mut count) = (Fields::default(), 0);
        loop {
            match reader.part()? {
                Line::End(whole) => {
                    if let Some(filling) = &mut filling {
                        filling.send()?;
                    }
                    return Ok(*whole);
                }
                Line::Table(place) => {
                    if let Some(filling) = &mut filling {
                        filling.send()?;
                    }
                    filling = Some(self.filling(manifest, place)?);
                }
                Line::Row(line) => {
                    let filling = filling
                        .as_mut()
                        .ok_or(SampleError::Artifact("a row of it is of no table"))?;
                    fields.read(line)?;
                    filling.add(&fields, line.len())?;
                    count += 1;
                    progress(Step {
                        work: Work::Loading,
                        table: &filling.table.name,
                        rows: count,
                        of: None,
                    });
                }
            }
        }
    }

    fn filling<'t>(
        &'t self,
        manifest: &'t Manifest,
        place: usize,
    ) -> Result<Filling<'t>, SampleError> {
        let damaged = SampleError::Artifact("a table of it is damaged");
        let (Some(table), Some(staged)) = (manifest.tables.get(place), self.staged.get(place))
        else {
            return Err(damaged);
        };
        let columns = self.vectors.columns;
        let mut elsewhere = columns.iter().filter(|remade| remade.table == table.name);
        if let Some(remade) = elsewhere
            .find(|remade| remade.elsewhere.is_some() || !table.columns.contains(&remade.of))
        {
            return Err(SampleError::Target(format!(
                "`{}.{}` is made of `{}`, which does not travel with it",
                table.name,
                remade.column,
                remade.source()
            )));
        }
        let info = self.store.get(&Qdrant::collection(staged))?;
        let known = named_vectors(&info.ok_or_else(unreadable)?);
        let of = |column: &str| {
            let missing = || {
                let message = format!("`{}` of the target has no vector `{column}`", table.name);
                SampleError::Target(message)
            };
            vector_of(column, &known).ok_or_else(missing)
        };
        let kinds: Vec<Kind> = table.kinds.iter().map(|kind| Kind::read(kind)).collect();
        let mut vectors = BTreeMap::new();
        for (column, kind) in table.columns.iter().zip(&kinds) {
            if *kind == Kind::Vector || matches!(Part::read(column), Part::Vector(_)) {
                vectors.insert(column.as_str(), of(column)?);
            }
        }
        let remade = self.remade(table);
        let remade: Result<Vec<_>, SampleError> = remade
            .map(|(column, text)| Ok((of(column)?, text.as_str())))
            .collect();
        Ok(Filling {
            store: self.store,
            embedder: self.vectors.embedder,
            remade: remade?,
            vectors,
            path: format!("{}/points?wait=true", Qdrant::collection(staged)),
            kinds,
            points: Vec::new(),
            bytes: 0,
            table,
        })
    }

    /// Two rows of one id would be one point.
    fn counted(&self, manifest: Manifest) -> Result<Manifest, SampleError> {
        for (table, staged) in manifest.tables.iter().zip(&self.staged) {
            let count = self.store.count(staged)?;
            if count != table.rows {
                return Err(SampleError::Target(format!(
                    "`{}` has {count} points after {} rows: some have the same `id`",
                    table.name, table.rows
                )));
            }
        }
        Ok(manifest)
    }

    fn take_away(&self) {
        for staged in &self.staged {
            // The next load takes away what stays.
            let _ = self.store.delete(staged);
        }
    }

    /// Lets the names stand for what was loaded.
    fn switch(&self, manifest: &Manifest) -> Result<(), SampleError> {
        let mut actions = Vec::new();
        for (table, staged) in manifest.tables.iter().zip(&self.staged) {
            let name = &table.name;
            if self.names.aliases.contains_key(name) {
                actions.push(json!({ "delete_alias": { "alias_name": name } }));
            } else if self.names.collections.contains(name) {
                self.store.delete(name)?;
            }
            actions
                .push(json!({ "create_alias": { "alias_name": name, "collection_name": staged } }));
        }
        self.store
            .post("/collections/aliases", &json!({ "actions": actions }))?;
        Ok(())
    }

    /// Takes away what the names stood for before, unless another name stands for it, too.
    fn clear(&self, manifest: &Manifest) -> Result<(), SampleError> {
        for table in &manifest.tables {
            let Some(old) = self.names.aliases.get(&table.name) else {
                continue;
            };
            let mut others = self.names.aliases.iter();
            if !others.any(|(alias, of)| of == old && *alias != table.name) {
                self.store.delete(old)?;
            }
        }
        Ok(())
    }
}

/// What loads before this one have begun and not ended, by the name that it was to have.
fn left_over<'n>(names: &'n Names, manifest: &Manifest) -> Vec<(&'n str, &'n str)> {
    let collections = names.collections.iter();
    let left = collections.filter(|name| names.is_left_over(name));
    let pairs = left.filter_map(|name| {
        let (of, _) = name.rsplit_once(STAGED)?;
        let is_meant = manifest.tables.iter().any(|table| table.name == of);
        is_meant.then_some((of, name.as_str()))
    });
    pairs.collect()
}

/// Qdrant's word for a metric.
fn distance(index: &Index) -> Option<&'static str> {
    match index.metric.as_str() {
        "cosine" => Some("Cosine"),
        "l2" => Some("Euclid"),
        "dot" => Some("Dot"),
        _ => None,
    }
}

/// What makes a collection like another one: that which its own description and the request for a new one have in common.
fn like(info: &Json) -> Result<Json, SampleError> {
    const PARAMS: &[&str] = &[
        "vectors",
        "sparse_vectors",
        "shard_number",
        "sharding_method",
        "replication_factor",
        "write_consistency_factor",
        "on_disk_payload",
    ];
    const CONFIG: &[(&str, &str)] = &[
        ("hnsw_config", "hnsw_config"),
        ("optimizer_config", "optimizers_config"),
        ("wal_config", "wal_config"),
        ("quantization_config", "quantization_config"),
        ("strict_mode_config", "strict_mode_config"),
        ("metadata", "metadata"),
    ];
    let config = info.get("config").ok_or_else(unreadable)?;
    let params = config.get("params").ok_or_else(unreadable)?;
    let params = PARAMS.iter().map(|name| (*name, params.get(*name)));
    let config = CONFIG.iter().map(|(from, to)| (*to, config.get(*from)));
    let given = params.chain(config).filter_map(|(name, value)| {
        let value = value.filter(|value| !value.is_null())?;
        Some((name.to_owned(), value.clone()))
    });
    Ok(Json::Object(given.collect()))
}

/// The requests that make the indices over its payloads again.
fn indices(info: &Json) -> Vec<Json> {
    let schema = info.get("payload_schema").and_then(Json::as_object);
    let index = |(field, known): (&String, &Json)| {
        let params = known.get("params").filter(|params| !params.is_null());
        let kind = params.or_else(|| known.get("data_type"))?;
        Some(json!({ "field_name": field, "field_schema": kind }))
    };
    schema.into_iter().flatten().filter_map(index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_is_made_like_another() {
        let info = json!({
            "config": {
                "params": { "vectors": { "size": 3, "distance": "Dot" }, "shard_number": 2, "sparse_vectors": null, "read_fan_out_factor": 1 },
                "hnsw_config": { "m": 8 }, "optimizer_config": { "flush_interval_sec": 5 }, "quantization_config": null,
            },
            "payload_schema": { "lang": { "data_type": "keyword", "points": 4 }, "n": { "data_type": "integer", "params": { "type": "integer", "range": true } } },
        });
        assert_eq!(
            like(&info).unwrap(),
            json!({ "vectors": { "size": 3, "distance": "Dot" }, "shard_number": 2, "hnsw_config": { "m": 8 }, "optimizers_config": { "flush_interval_sec": 5 } })
        );
        assert_eq!(
            indices(&info),
            [
                json!({ "field_name": "lang", "field_schema": "keyword" }),
                json!({ "field_name": "n", "field_schema": { "type": "integer", "range": true } }),
            ]
        );
    }
}
