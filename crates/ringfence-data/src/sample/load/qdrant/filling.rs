//! The points of one collection on their way, some at a time.

use std::collections::BTreeMap;

use ringfence_mask::schema::Kind;
use serde_json::{Map, Value as Json, json};

use super::super::super::artifact::Fields;
use super::super::super::{SampleError, TableManifest};
use crate::store::qdrant::Qdrant;
use crate::store::qdrant::point::{Part, id};
use crate::vectors::{self, Embedder};

/// One collection that is filled.
pub(super) struct Filling<'a> {
    pub(super) store: &'a Qdrant,
    pub(super) embedder: Option<&'a Embedder>,
    /// The columns that are vectors, and the vector of the point that each is.
    pub(super) vectors: BTreeMap<&'a str, String>,
    /// The vectors that are made again, and the columns of their texts.
    pub(super) remade: Vec<(String, &'a str)>,
    pub(super) path: String,
    pub(super) kinds: Vec<Kind>,
    pub(super) points: Vec<Point>,
    /// How much the points have taken in the artifact.
    pub(super) bytes: usize,
    pub(super) table: &'a TableManifest,
}

/// A point that is not written yet.
#[derive(Default)]
pub(super) struct Point {
    id: Json,
    vectors: Map<String, Json>,
    payload: Map<String, Json>,
}

impl Filling<'_> {
    /// Takes a row that had so many bytes, and sends what there is where it is enough.
    pub(super) fn add(&mut self, fields: &Fields, bytes: usize) -> Result<(), SampleError> {
        const AT_ONCE: usize = 256;
        // A server takes 32 MiB at once where nobody says otherwise.
        const BYTES: usize = 8 << 20;
        self.points.push(self.point(fields));
        self.bytes += bytes;
        if self.points.len() < AT_ONCE && self.bytes < BYTES {
            return Ok(());
        }
        self.send()
    }

    fn point(&self, fields: &Fields) -> Point {
        let mut point = Point::default();
        let columns = self.table.columns.iter().zip(fields.texts());
        for (place, (column, text)) in columns.enumerate() {
            let Some(text) = text else { continue };
            let kind = self.kinds.get(place).unwrap_or(&Kind::TEXT);
            if let Some(name) = self.vectors.get(column.as_str()) {
                point.vectors.insert(name.clone(), json_of(text));
                continue;
            }
            match Part::read(column) {
                Part::Id => point.id = id(text),
                Part::Vector(_) => {}
                Part::Field(name) => {
                    point.payload.insert(name.to_owned(), value(text, kind));
                }
            }
        }
        // Tables of other stores have keys of other names.
        if let ([key], true) = (self.table.key.as_slice(), point.id.is_null()) {
            let place = self.table.columns.iter().position(|column| column == key);
            let text = place.and_then(|place| fields.texts().nth(place).flatten());
            point.id = text.map_or(Json::Null, id);
        }
        point
    }

    /// Sends what there is.
    pub(super) fn send(&mut self) -> Result<(), SampleError> {
        let mut points = std::mem::take(&mut self.points);
        self.bytes = 0;
        if points.is_empty() {
            return Ok(());
        }
        if let Some(embedder) = self.embedder {
            for (vector, of) in &self.remade {
                make(embedder, (vector, of), &mut points)?;
            }
        }
        let points: Vec<Json> = points.into_iter().map(Point::written).collect();
        self.store.put(&self.path, &json!({ "points": points }))?;
        Ok(())
    }
}

impl Point {
    fn written(mut self) -> Json {
        let vector = match self.vectors.remove("") {
            Some(vector) => vector,
            None => Json::Object(self.vectors),
        };
        json!({ "id": self.id, "vector": vector, "payload": self.payload })
    }
}

/// The name of the vector that a column is, among those that the target's points have: a column of another store is the only one.
pub(super) fn vector_of(column: &str, known: &[String]) -> Option<String> {
    let named = match Part::read(column) {
        Part::Vector(name) | Part::Field(name) => known.iter().find(|own| *own == name),
        Part::Id => return None,
    };
    match (named, known, Part::read(column)) {
        (Some(name), ..) => Some(name.clone()),
        (None, [only], Part::Field(_)) => Some(only.clone()),
        _ => None,
    }
}

/// Makes a vector again of each point that has a text.
fn make(
    embedder: &Embedder,
    (name, of): (&str, &str),
    points: &mut [Point],
) -> Result<(), SampleError> {
    let Part::Field(of) = Part::read(of) else {
        return Ok(());
    };
    for points in points.chunks_mut(vectors::AT_ONCE) {
        let mut with_text: Vec<(&mut Point, String)> = points
            .iter_mut()
            .filter_map(|point| {
                let text = point.payload.get(of)?.as_str()?.to_owned();
                Some((point, text))
            })
            .collect();
        if with_text.is_empty() {
            continue;
        }
        let texts: Vec<String> = with_text.iter().map(|(_, text)| text.clone()).collect();
        let made = embedder.embed(&texts)?;
        for ((point, _), vector) in with_text.iter_mut().zip(made) {
            point.vectors.insert(name.to_owned(), json!(vector));
        }
    }
    Ok(())
}

fn json_of(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// A field as a payload has it.
fn value(text: &str, kind: &Kind) -> Json {
    match kind {
        Kind::Boolean => json!(matches!(text, "t" | "true" | "1")),
        Kind::Integer(_) | Kind::Real | Kind::Decimal { .. } | Kind::Json => json_of(text),
        _ => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_the_type_they_came_with() {
        let check =
            |text: &str, kind: Kind, expected: Json| assert_eq!(value(text, &kind), expected);
        check("7", Kind::Integer(64), json!(7));
        check("7", Kind::TEXT, json!("7"));
        check("0.5", Kind::Real, json!(0.5));
        check("t", Kind::Boolean, json!(true));
        check("[\"a\",1]", Kind::Json, json!(["a", 1]));
        check("2024-01-01", Kind::Date, json!("2024-01-01"));
    }
}
