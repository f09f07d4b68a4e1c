//! Qdrant: a collection is a table, each point a row, each field of a payload a column.
//!
//! A point's own columns are `id`, and `vector` or `vector.NAME`; a field of the payload that has such a name is `payload.NAME` here. Which
//! fields there are, and of which type, no schema says: all payloads are looked through once. There is no snapshot: points that go away
//! between being chosen and being read end the sample.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ringfence_mask::schema::{Column, Kind, Table, Value};
use serde_json::{Value as Json, json};

use super::super::SampleError;
use super::{Key, Row, Scan, Source};
use crate::address::Target;
use crate::store::StoreError;
use crate::store::qdrant::point::{Part, id, vectors};
use crate::store::qdrant::{self, Names, unreadable};

/// A server.
pub(super) struct Qdrant {
    store: qdrant::Qdrant,
    names: Names,
}

/// How many points are asked for at once.
const AT_ONCE: usize = 128;

/// What is asked for of a point.
struct Asked<'a> {
    columns: Vec<(Part<'a>, Kind)>,
    payload: Json,
    vector: Json,
}

/// Which types a field was seen with.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    booleans: bool,
    whole: bool,
    fractions: bool,
    texts: bool,
    others: bool,
}

impl Seen {
    fn see(&mut self, value: &Json) {
        match value {
            Json::Null => {}
            Json::Bool(_) => self.booleans = true,
            Json::Number(number) if number.is_f64() => self.fractions = true,
            Json::Number(_) => self.whole = true,
            Json::String(_) => self.texts = true,
            Json::Array(_) | Json::Object(_) => self.others = true,
        }
    }

    fn kind(self) -> Kind {
        match (
            self.booleans,
            self.whole,
            self.fractions,
            self.texts,
            self.others,
        ) {
            (true, false, false, false, false) => Kind::Boolean,
            (false, true, false, false, false) => Kind::Integer(64),
            (false, _, true, false, false) => Kind::Real,
            (false, false, false, _, false) => Kind::TEXT,
            _ => Kind::Json,
        }
    }
}

impl Qdrant {
    pub(super) fn open(target: &Target) -> Result<Self, SampleError> {
        const PATIENCE: Duration = Duration::from_secs(60);
        let store = qdrant::Qdrant::open(target, PATIENCE)?;
        let names = store.names()?;
        Ok(Self { store, names })
    }

    fn table(&self, name: &str) -> Result<Table, SampleError> {
        let info = self
            .store
            .get(&qdrant::Qdrant::collection(self.names.real(name)))?;
        let info = info.ok_or_else(unreadable)?;
        let mut ids = Seen::default();
        let mut fields: BTreeMap<String, Seen> = BTreeMap::new();
        let asked = json!({ "with_payload": true });
        let mut rows = 0;
        self.scroll(name, asked, &mut |point| {
            rows += 1;
            ids.see(point.get("id").unwrap_or(&Json::Null));
            let payload = point.get("payload").and_then(Json::as_object);
            for (field, value) in payload.into_iter().flatten() {
                match fields.get_mut(field) {
                    Some(seen) => seen.see(value),
                    None => fields.entry(field.clone()).or_default().see(value),
                }
            }
            Ok(())
        })?;
        let id = match ids.kind() {
            Kind::Text { .. } => Kind::Uuid,
            Kind::Integer(bits) => Kind::Integer(bits),
            // Numbers and UUIDs in one collection.
            _ => Kind::TEXT,
        };
        let mut columns = vec![Column::new("id", id)];
        let vectors = vectors(&info).into_iter();
        columns.extend(vectors.map(|name| {
            let part = Part::Vector(&name);
            Column::new(&part.column(), Kind::Vector).nullable()
        }));
        columns.extend(fields.iter().map(|(field, seen)| {
            let path = format!(
                "/payload_schema/{}/data_type",
                field.replace('~', "~0").replace('/', "~1")
            );
            let kind = match info.pointer(&path).and_then(Json::as_str) {
                Some("datetime") => Kind::Timestamp,
                Some("uuid") => Kind::Uuid,
                _ => seen.kind(),
            };
            Column::new(&Part::Field(field).column(), kind).nullable()
        }));
        Ok(Table {
            name: name.to_owned(),
            columns,
            primary_key: vec!["id".to_owned()],
            rows: Some(rows),
            ..Table::default()
        })
    }

    /// The points that have one of these values in a field, for links that do not point to `id`.
    fn by_field(
        &self,
        table: &Table,
        (by, keys): (&[String], &[&Key]),
        columns: &[String],
        row: &mut Row<'_>,
    ) -> Result<(), SampleError> {
        let field = match by {
            [column] => Some((Part::read(column), table.column(column))),
            _ => None,
        };
        // Its filters compare no other values.
        let is_comparable =
            |kind: &Kind| matches!(kind, Kind::Integer(_) | Kind::Text { .. } | Kind::Uuid);
        let field = field.filter(|(_, column)| column.is_some_and(|own| is_comparable(&own.kind)));
        let Some((Part::Field(field), Some(column))) = field else {
            let message = format!(
                "points of `{}` are found by their `id`, or by one field of whole numbers, texts or UUIDs",
                table.name
            );
            return Err(SampleError::Target(message));
        };
        let asked = Asked::new(table, columns);
        for keys in keys.chunks(AT_ONCE) {
            let request = asked.with(json!({ "filter": one_of(field, &column.kind, keys) }));
            self.scroll(&table.name, request, &mut |point| asked.row(point, row))?;
        }
        Ok(())
    }

    /// Calls `each` with every point that is asked for, in the order of their ids.
    fn scroll(
        &self,
        name: &str,
        mut asked: Json,
        each: &mut dyn FnMut(&Json) -> Result<(), SampleError>,
    ) -> Result<(), SampleError> {
        let name = self.names.real(name);
        let path = format!("{}/points/scroll", qdrant::Qdrant::collection(name));
        set(&mut asked, "limit", json!(AT_ONCE));
        loop {
            let page = self.store.post(&path, &asked)?;
            let points = page.get("points").and_then(Json::as_array);
            for point in points.ok_or_else(unreadable)? {
                each(point)?;
            }
            match page.get("next_page_offset") {
                None | Some(Json::Null) => return Ok(()),
                Some(next) => set(&mut asked, "offset", next.clone()),
            }
        }
    }
}

fn set(object: &mut Json, name: &str, value: Json) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

impl<'a> Asked<'a> {
    fn new(table: &Table, columns: &'a [String]) -> Self {
        let kind = |name: &String| table.column(name).map(|column| column.kind.clone());
        let columns: Vec<(Part<'a>, Kind)> = columns
            .iter()
            .map(|name| (Part::read(name), kind(name).unwrap_or(Kind::Other)))
            .collect();
        let parts = || columns.iter().map(|(part, _)| *part);
        let fields = parts().filter_map(|part| match part {
            Part::Field(name) => Some(name),
            _ => None,
        });
        let fields: Vec<&str> = fields.collect();
        // A name is read as a path there: one that could be taken for several steps is looked for here.
        let is_plain = |name: &&str| {
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let payload = match fields.as_slice() {
            [] => json!(false),
            names if names.iter().all(is_plain) => json!(names),
            _ => json!(true),
        };
        let named = parts().filter_map(|part| match part {
            Part::Vector(name) => Some(name),
            _ => None,
        });
        let named: Vec<&str> = named.collect();
        let vector = match named.as_slice() {
            [] => json!(false),
            [""] => json!(true),
            names => json!(names),
        };
        Self {
            columns,
            payload,
            vector,
        }
    }

    fn with(&self, mut request: Json) -> Json {
        set(&mut request, "with_payload", self.payload.clone());
        set(&mut request, "with_vector", self.vector.clone());
        request
    }

    /// Hands a point over as a row.
    fn row(&self, point: &Json, row: &mut Row<'_>) -> Result<(), SampleError> {
        let texts = self.columns.iter().map(|(part, kind)| {
            let found = match part {
                Part::Id => point.get("id"),
                Part::Vector("") => point.get("vector"),
                Part::Vector(name) => point.get("vector").and_then(|named| named.get(name)),
                Part::Field(name) => point.get("payload").and_then(|fields| fields.get(name)),
            };
            text(found?, kind)
        });
        let texts: Vec<Option<String>> = texts.collect();
        let values = texts.iter().map(|text| match text {
            Some(text) => Value::Text(text),
            None => Value::Null,
        });
        row(&values.collect::<Vec<_>>())
    }
}

/// A value in the text form of its column's type; null has none.
fn text(value: &Json, kind: &Kind) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) if *kind != Kind::Json => Some(text.clone()),
        // A point whose vectors have names, asked for without one, has none of that name.
        Json::Object(named) if *kind == Kind::Vector && named.is_empty() => None,
        other => Some(other.to_string()),
    }
}

impl Source for Qdrant {
    fn tables(&mut self) -> Result<Vec<Table>, SampleError> {
        let names = self.names.tables();
        names.into_iter().map(|name| self.table(name)).collect()
    }

    fn snapshot(&self) -> &str {
        ""
    }

    /// None: which links there could be is not told of a store without a schema.
    fn distinct(&mut self, _: &Table, _: &str, _: u32) -> Result<Vec<String>, SampleError> {
        Ok(Vec::new())
    }

    fn scan(&mut self, scan: &Scan<'_>, row: &mut Row<'_>) -> Result<(), SampleError> {
        let asked = Asked::new(scan.table, scan.columns);
        let mut request = asked.with(json!({}));
        if let Some(filter) = scan.filter {
            let filter: Json = serde_json::from_str(filter).map_err(|_| no_filter(scan.table))?;
            set(&mut request, "filter", filter);
        }
        self.scroll(&scan.table.name, request, &mut |point| {
            asked.row(point, row)
        })
    }

    fn fetch(
        &mut self,
        table: &Table,
        (by, keys): (&[String], &[&Key]),
        columns: &[String],
        row: &mut Row<'_>,
    ) -> Result<(), SampleError> {
        if by != ["id"] {
            return self.by_field(table, (by, keys), columns, row);
        }
        let asked = Asked::new(table, columns);
        let name = self.names.real(&table.name);
        let path = format!("{}/points", qdrant::Qdrant::collection(name));
        for keys in keys.chunks(AT_ONCE) {
            let ids = keys.iter().filter_map(|key| key.first());
            let ids: Vec<Json> = ids.map(|text| id(text)).collect();
            let found = self.store.post(&path, &asked.with(json!({ "ids": ids })))?;
            let points = found.as_array().ok_or_else(unreadable)?.iter();
            let points: HashMap<String, &Json> = points
                .filter_map(|point| Some((point.get("id")?.to_string(), point)))
                .collect();
            for point in ids.iter().filter_map(|id| points.get(&id.to_string())) {
                asked.row(point, row)?;
            }
        }
        Ok(())
    }
}

/// A filter for points whose field has one of these values. What is no plain name stands between quotes in a path.
fn one_of(field: &str, kind: &Kind, keys: &[&Key]) -> Json {
    let texts = keys.iter().filter_map(|key| key.first());
    let values: Vec<Json> = texts
        .filter_map(|text| match kind {
            Kind::Integer(_) => text.parse::<i64>().ok().map(Json::from),
            _ => Some(json!(text)),
        })
        .collect();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let path = match field.chars().all(is_plain) {
        true => field.to_owned(),
        false => format!("\"{field}\""),
    };
    json!({ "must": [{ "key": path, "match": { "any": values } }] })
}

fn no_filter(table: &Table) -> SampleError {
    let message = format!(
        "the condition of `{}` is no filter of Qdrant's, which is JSON: `{{\"must\": […]}}`",
        table.name
    );
    StoreError::Refused(message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_of_the_type_that_all_its_values_have() {
        let check = |values: Json, expected: Kind| {
            let mut seen = Seen::default();
            for value in values.as_array().unwrap() {
                seen.see(value);
            }
            assert_eq!(seen.kind(), expected, "{values}");
        };
        check(json!([1, 2, null]), Kind::Integer(64));
        check(json!([1, 2.5]), Kind::Real);
        check(json!([true]), Kind::Boolean);
        check(json!(["a", null]), Kind::TEXT);
        check(json!([null]), Kind::TEXT);
        check(json!(["a", 1]), Kind::Json);
        check(json!([["a"]]), Kind::Json);
    }
}
