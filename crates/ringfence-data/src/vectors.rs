//! Of which embeddings a store's vectors are, and how they are made again from text that has been masked.
//!
//! A vector can be turned back into its text, so it never travels beside a masked one; and vectors of two models cannot be compared,
//! so an index says of which model it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ureq::Agent;
use zeroize::Zeroizing;

use crate::store::{self, StoreError};

/// Of which embeddings an index is; empty is not known. Written beside the marker as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Index {
    /// The model.
    pub model: String,
    /// How many numbers a vector has; 0 is not known.
    pub dimension: u32,
    /// How vectors are compared.
    pub metric: String,
    /// The digest of the sample that its texts came with.
    pub corpus: String,
}

impl Index {
    /// As it is written beside a marker.
    #[must_use]
    pub fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What was written beside a marker; `None` where nothing was, or nothing that is understood.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The first thing that two indices do not have in common, and what each says; what one does not know is no difference.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let dimension = |index: &Self| match index.dimension {
            0 => String::new(),
            known => known.to_string(),
        };
        let pairs = [
            ("model", self.model.clone(), other.model.clone()),
            ("dimension", dimension(self), dimension(other)),
            ("metric", self.metric.clone(), other.metric.clone()),
        ];
        pairs
            .into_iter()
            .find(|(_, one, other)| !one.is_empty() && !other.is_empty() && one != other)
    }
}

/// Makes vectors, by an interface that speaks as OpenAI's does (`POST …/embeddings`).
pub struct Embedder {
    agent: Agent,
    url: String,
    key: Option<Zeroizing<String>>,
    index: Index,
}

/// How many texts are asked for at once.
pub const AT_ONCE: usize = 64;

impl Embedder {
    /// By the interface at this address, such as `https://llm.dev.internal/v1`.
    ///
    /// # Errors
    ///
    /// Where the address is none.
    pub fn new(
        address: &str,
        key: Option<Zeroizing<String>>,
        index: Index,
    ) -> Result<Self, StoreError> {
        const PATIENCE: Duration = Duration::from_secs(60);
        let base = crate::address::http(address)?;
        Ok(Self {
            agent: store::web::agent(PATIENCE)?,
            url: format!("{base}/embeddings"),
            key,
            index,
        })
    }

    /// The vectors of texts, in their order.
    ///
    /// # Errors
    ///
    /// Where the interface does not answer, or not with a vector of the right size for each text.
    pub fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, StoreError> {
        const MOST: u64 = 64 << 20;
        let mut request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {}", key.as_str()));
        }
        let body = json!({ "model": self.index.model, "input": texts, "encoding_format": "float" });
        let text = store::web::answer(request.send(body.to_string()), MOST)?
            .ok_or_else(|| StoreError::Refused("it makes no embeddings: HTTP status 404".into()))?;
        let unreadable = || StoreError::Unreadable("its answer holds no vectors".into());
        let reply: Value = serde_json::from_str(&text).map_err(|_| unreadable())?;
        let rows = reply.pointer("/data").and_then(Value::as_array);
        let rows = rows.ok_or_else(unreadable)?;
        let mut vectors = vec![Vec::new(); texts.len()];
        for (place, row) in rows.iter().enumerate() {
            let said = row.get("index").and_then(Value::as_u64);
            let place = said
                .and_then(|said| usize::try_from(said).ok())
                .unwrap_or(place);
            let vector = row.get("embedding").cloned().ok_or_else(unreadable)?;
            let slot = vectors.get_mut(place).ok_or_else(unreadable)?;
            *slot = serde_json::from_value(vector).map_err(|_| unreadable())?;
        }
        self.sized(vectors)
    }

    fn sized(&self, vectors: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>, StoreError> {
        let wanted = usize::try_from(self.index.dimension).unwrap_or(0);
        let fits =
            |vector: &Vec<f32>| !vector.is_empty() && (wanted == 0 || vector.len() == wanted);
        match vectors.iter().find(|vector| !fits(vector)) {
            None => Ok(vectors),
            Some(vector) => Err(StoreError::Unreadable(format!(
                "it gives vectors of {} numbers, and the index has {wanted}",
                vector.len()
            ))),
        }
    }
}

/// A column of vectors that is made again, and the column that its texts are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remade {
    /// The table.
    pub table: String,
    /// The column of vectors.
    pub column: String,
    /// The column of texts.
    pub of: String,
    /// Where that is a column of another table: which one, and the column that points to its key.
    pub elsewhere: Option<(String, String)>,
}

impl Remade {
    /// Reads what a column of vectors is made of: `body`, or `chunks.body by chunk_id`.
    #[must_use]
    pub fn read(table: &str, column: &str, of: &str) -> Self {
        let other = of.split_once(" by ").and_then(|(of, by)| {
            let (table, of) = of.trim().rsplit_once('.')?;
            Some((table.to_owned(), of.to_owned(), by.trim().to_owned()))
        });
        let (of, elsewhere) = match other {
            Some((table, of, by)) => (of, Some((table, by))),
            None => (of.to_owned(), None),
        };
        Self {
            table: table.to_owned(),
            column: column.to_owned(),
            of,
            elsewhere,
        }
    }

    /// What it is made of, in words.
    pub(crate) fn source(&self) -> String {
        match &self.elsewhere {
            Some((table, _)) => format!("{table}.{}", self.of),
            None => format!("{}.{}", self.table, self.of),
        }
    }
}

/// A vector as a column of that type reads it: `[1,2]`, an array, or bytes; `None` where the type holds no vectors.
#[must_use]
pub fn spelled(vector: &[f32], kind: &str) -> Option<String> {
    let numbers: Vec<String> = vector.iter().map(ToString::to_string).collect();
    let numbers = numbers.join(",");
    let kind = kind.to_ascii_lowercase();
    if kind.ends_with("[]") {
        Some(format!("{{{numbers}}}"))
    } else if kind.starts_with("vector")
        || kind.starts_with("halfvec")
        || kind.starts_with("json")
        || kind == "text"
    {
        Some(format!("[{numbers}]"))
    } else if kind == "bytea" {
        let digits = bytes(vector).into_iter().map(|byte| format!("{byte:02x}"));
        Some(format!("\\x{}", digits.collect::<String>()))
    } else {
        None
    }
}

/// Four bytes for each number, the lowest first, as `sqlite-vec` and others keep them.
#[must_use]
pub fn bytes(vector: &[f32]) -> Vec<u8> {
    vector
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_differ_in_what_both_know() {
        let index = |model: &str, dimension| Index {
            model: model.into(),
            dimension,
            ..Index::default()
        };
        assert_eq!(index("a", 3).difference(&index("a", 0)), None);
        assert_eq!(index("", 3).difference(&index("b", 3)), None);
        let differs = |one: &Index, other: &Index| one.difference(other).map(|(what, ..)| what);
        assert_eq!(differs(&index("a", 3), &index("b", 3)), Some("model"));
        assert_eq!(differs(&index("a", 3), &index("a", 4)), Some("dimension"));
        let written = index("a", 3).written();
        assert_eq!(Index::read(&written), Some(index("a", 3)));
        assert_eq!(Index::read(""), None);
    }

    #[test]
    fn vectors_are_spelled_as_their_column_reads_them() {
        let vector = [1.0, -0.5];
        assert_eq!(spelled(&vector, "vector(2)").as_deref(), Some("[1,-0.5]"));
        assert_eq!(spelled(&vector, "real[]").as_deref(), Some("{1,-0.5}"));
        assert_eq!(
            spelled(&vector, "bytea").as_deref(),
            Some("\\x0000803f000000bf")
        );
        assert_eq!(spelled(&vector, "integer"), None);
    }
}
