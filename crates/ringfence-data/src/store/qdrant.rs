//! Qdrant, by its documented REST interface (<https://api.qdrant.tech/api-reference>): collections, points, payloads, aliases.
//!
//! The marker is the one point of a reserved collection. There is no place for a mark that would not travel.

pub(crate) mod point;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::{Agent, RequestBuilder};
use zeroize::Zeroizing;

use super::web::{agent, answer};
use super::{Store, StoreError};
use crate::address::{self, Target, encoded};
use crate::marker::{Found, Marker};

/// The reserved collection.
pub(crate) const RESERVED: &str = "ringfence_marker";

/// What the name of a collection goes on with while a sample is loaded into it, before 16 hexadecimal digits.
pub(crate) const STAGED: &str = "-ringfence-";

/// The longest answer that is read: a page of points with their vectors.
const MOST: u64 = 256 << 20;

/// A Qdrant server.
pub(crate) struct Qdrant {
    agent: Agent,
    base: String,
    key: Option<Zeroizing<String>>,
}

/// What a server has, by the names that programs use.
pub(crate) struct Names {
    /// The collections.
    pub(crate) collections: Vec<String>,
    /// The aliases, and the collection that each stands for.
    pub(crate) aliases: BTreeMap<String, String>,
}

impl Qdrant {
    /// `patience` bounds each request.
    pub(crate) fn open(target: &Target, patience: Duration) -> Result<Self, StoreError> {
        Ok(Self {
            agent: agent(patience)?,
            base: address::http(&target.value)?,
            key: target.key.clone(),
        })
    }

    /// The path of a collection.
    pub(crate) fn collection(name: &str) -> String {
        format!("/collections/{}", encoded(name))
    }

    fn authorized<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.key {
            Some(key) => request.header("api-key", key.as_str()),
            None => request,
        }
    }

    /// What is at a path; nothing for 404.
    pub(crate) fn get(&self, path: &str) -> Result<Option<Value>, StoreError> {
        let request = self.agent.get(format!("{}{path}", self.base));
        result(self.authorized(request).call())
    }

    /// Asks or changes something by a document.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, StoreError> {
        let request = self.agent.post(format!("{}{path}", self.base));
        self.send(request, body)
    }

    /// Puts a document at a path.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<Value, StoreError> {
        let request = self.agent.put(format!("{}{path}", self.base));
        self.send(request, body)
    }

    /// Takes a collection away, whether or not there is one.
    pub(crate) fn delete(&self, name: &str) -> Result<(), StoreError> {
        let request = self
            .agent
            .delete(format!("{}{}", self.base, Self::collection(name)));
        result(self.authorized(request).call()).map(|_| ())
    }

    fn send(
        &self,
        request: RequestBuilder<ureq::typestate::WithBody>,
        body: &Value,
    ) -> Result<Value, StoreError> {
        let request = self.authorized(request);
        let request = request.header("content-type", "application/json");
        let found = result(request.send(body.to_string()))?;
        found.ok_or_else(|| StoreError::Refused("there is no such collection".into()))
    }

    /// The collections and aliases that are there.
    pub(crate) fn names(&self) -> Result<Names, StoreError> {
        let text = |value: &Value, name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let rows = |path: &str, list: &str| -> Result<Vec<Value>, StoreError> {
            let found = self.get(path)?.unwrap_or_default();
            let rows = found.get(list).and_then(Value::as_array);
            rows.cloned().ok_or_else(unreadable)
        };
        let collections = rows("/collections", "collections")?;
        let aliases = rows("/aliases", "aliases")?;
        let pair = |row: &Value| Some((text(row, "alias_name")?, text(row, "collection_name")?));
        Ok(Names {
            collections: collections
                .iter()
                .filter_map(|row| text(row, "name"))
                .collect(),
            aliases: aliases.iter().filter_map(pair).collect(),
        })
    }

    /// How many points a collection has.
    pub(crate) fn count(&self, name: &str) -> Result<u64, StoreError> {
        let path = format!("{}/points/count", Self::collection(name));
        let found = self.post(&path, &json!({ "exact": true }))?;
        found
            .get("count")
            .and_then(Value::as_u64)
            .ok_or_else(unreadable)
    }

    /// The marker.
    pub(crate) fn marker(&self) -> Result<Option<Marker>, StoreError> {
        let path = format!("{}/points/1", Self::collection(RESERVED));
        let Some(point) = self.get(&path)? else {
            return Ok(None);
        };
        let payload = point
            .get("payload")
            .cloned()
            .ok_or_else(|| StoreError::Unreadable("the reserved point has no payload".into()))?;
        let marker = serde_json::from_value(payload);
        marker
            .map(Some)
            .map_err(|error| StoreError::Unreadable(error.to_string()))
    }

    /// Writes the marker over the one that is there; the collection has to be.
    pub(crate) fn write(&self, marker: &Marker) -> Result<(), StoreError> {
        let point = json!({ "points": [{ "id": 1, "vector": [1.0], "payload": marker }] });
        let path = format!("{}/points?wait=true", Self::collection(RESERVED));
        self.put(&path, &point).map(|_| ())
    }
}

impl Names {
    /// Whether a collection is one that a load has begun, and that nothing stands for yet.
    pub(crate) fn is_left_over(&self, name: &str) -> bool {
        is_staged(name) && !self.aliases.values().any(|of| of == name)
    }

    /// The collection that a name stands for.
    pub(crate) fn real<'a>(&'a self, name: &'a str) -> &'a str {
        self.aliases.get(name).map_or(name, String::as_str)
    }

    /// The names by which rules speak of what is there: aliases, and collections that have none.
    pub(crate) fn tables(&self) -> Vec<&str> {
        let own = self.collections.iter().filter(|name| {
            let has_alias = self.aliases.values().any(|of| of == *name);
            !has_alias && !is_staged(name) && *name != RESERVED
        });
        let mut names: Vec<&str> = own.chain(self.aliases.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

/// Whether a collection's name is one that a load gives.
fn is_staged(name: &str) -> bool {
    let digits = name.rsplit_once(STAGED).map(|(_, digits)| digits);
    digits.is_some_and(|digits| {
        digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// The result that an answer holds. What a server says of a request may quote it, so its status alone is told.
fn result(
    sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Option<Value>, StoreError> {
    let Some(text) = answer(sent, MOST)? else {
        return Ok(None);
    };
    let mut reply: Value = serde_json::from_str(&text).map_err(|_| unreadable())?;
    let found = reply.get_mut("result").map(Value::take);
    found.map(Some).ok_or_else(unreadable)
}

pub(crate) fn unreadable() -> StoreError {
    StoreError::Unreadable("its answer is none of Qdrant's".into())
}

impl Store for Qdrant {
    fn read(&mut self) -> Result<Found, StoreError> {
        let marker = self.marker()?;
        Ok(Found::without_place(marker, &self.base))
    }

    fn mark(&mut self, marker: &Marker) -> Result<(), StoreError> {
        let path = Self::collection(RESERVED);
        if self.get(&path)?.is_none() {
            let body = json!({ "vectors": { "size": 1, "distance": "Dot" } });
            self.put(&path, &body)?;
        }
        self.write(&marker.without_place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_speak_of_aliases_and_of_collections_without_one() {
        let names = Names {
            collections: [
                "notes",
                "chunks_v2",
                RESERVED,
                "chunks-ringfence-0123456789abcdef",
                "a-ringfence-b",
            ]
            .map(str::to_owned)
            .to_vec(),
            aliases: [("chunks".to_owned(), "chunks_v2".to_owned())].into(),
        };
        assert_eq!(names.tables(), ["a-ringfence-b", "chunks", "notes"]);
        assert!(names.is_left_over("chunks-ringfence-0123456789abcdef"));
        assert!(!names.is_left_over("a-ringfence-b"));
    }
}
