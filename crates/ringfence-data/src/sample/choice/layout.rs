//! The columns that are read of a table to choose its rows, and what one row says in them.

use ringfence_mask::closure::Edge;
use ringfence_mask::schema::{Kind, Table, Value, key_bytes};

use super::super::SampleError;
use super::super::source::Key;

/// The canonical bytes of a key, by which keys are equal and in order.
pub(super) type Canonical = Box<[u8]>;

/// A key: its canonical bytes, and its columns as the store wrote them.
pub(super) type Named = (Canonical, Key);

/// The columns: first those of the identity, then those of followed references.
pub(super) struct Layout<'a> {
    pub(super) columns: Vec<String>,
    identity: usize,
    kinds: Vec<Kind>,
    /// For each followed reference, the places of its columns.
    edges: Vec<(&'a Edge, Vec<usize>)>,
    /// The place of the column that says of which document a row is.
    document: Option<usize>,
}

/// One row as far as it matters here.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub(super) identity: Named,
    /// What it points to, in the order of the layout's references.
    pub(super) needs: Vec<Option<Named>>,
}

/// The columns by which rows of a table are told apart: its primary key, else the first set of columns that is unique.
#[must_use]
pub fn identity(table: &Table) -> &[String] {
    if table.primary_key.is_empty() {
        table.unique.first().map_or(&[], Vec::as_slice)
    } else {
        &table.primary_key
    }
}

/// The kinds of columns.
pub(super) fn kinds(table: &Table, columns: &[String]) -> Result<Vec<Kind>, SampleError> {
    let kind = |name: &String| {
        let column = table.column(name);
        let missing = || SampleError::Target(format!("`{}` has no column `{name}`", table.name));
        column.map(|column| column.kind.clone()).ok_or_else(missing)
    };
    columns.iter().map(kind).collect()
}

/// The canonical bytes of values.
pub(super) fn canonical<'v>(values: impl Iterator<Item = (Value<'v>, &'v Kind)>) -> Canonical {
    let mut bytes = Vec::with_capacity(16);
    for pair in values {
        key_bytes(&[pair], &mut bytes);
    }
    bytes.into_boxed_slice()
}

/// A value in the text form of its type; null has none.
pub(crate) fn text(value: Value<'_>) -> Option<Box<str>> {
    Some(match value {
        Value::Null => return None,
        Value::Integer(number) => number.to_string().into(),
        Value::Real(number) => number.to_string().into(),
        Value::Text(text) => text.into(),
        Value::Bytes(bytes) => {
            let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
            format!("\\x{}", digits.collect::<String>()).into()
        }
    })
}

impl<'a> Layout<'a> {
    pub(super) fn new(
        table: &'a Table,
        followed: impl Iterator<Item = &'a Edge>,
        document: Option<&str>,
    ) -> Result<Self, SampleError> {
        let mut columns = identity(table).to_vec();
        let identity = columns.len();
        let mut edges = Vec::new();
        let mut place = |column: &str| {
            let known = columns.iter().position(|own| own == column);
            known.unwrap_or_else(|| {
                columns.push(column.to_owned());
                columns.len() - 1
            })
        };
        let document = document.map(&mut place);
        for edge in followed {
            let mut place = |column: &String| place(column);
            let places = edge.columns.iter().map(&mut place).collect();
            edges.push((edge, places));
        }
        Ok(Self {
            kinds: kinds(table, &columns)?,
            columns,
            identity,
            edges,
            document,
        })
    }

    pub(super) fn edges(&self) -> impl Iterator<Item = &'a Edge> {
        self.edges.iter().map(|(edge, _)| *edge)
    }

    /// The row's identity, for its rank.
    pub(super) fn key<'v>(&'v self, values: &[Value<'v>]) -> Vec<(Value<'v>, &'v Kind)> {
        let pairs = values.iter().copied().zip(&self.kinds);
        pairs.take(self.identity).collect()
    }

    /// What decides whether a row is chosen: its document, or itself where it is of none.
    pub(super) fn document<'v>(&'v self, values: &[Value<'v>]) -> Vec<(Value<'v>, &'v Kind)> {
        let of = self.document.and_then(|place| {
            let pair = (*values.get(place)?, self.kinds.get(place)?);
            (pair.0 != Value::Null).then_some(pair)
        });
        of.map_or_else(|| self.key(values), |pair| vec![pair])
    }

    /// What a row says.
    pub(super) fn seen(&self, values: &[Value<'_>]) -> Seen {
        let places: Vec<usize> = (0..self.identity).collect();
        let needs = self.edges.iter();
        Seen {
            identity: self.named(&places, values).unwrap_or_default(),
            needs: needs
                .map(|(_, places)| self.named(places, values))
                .collect(),
        }
    }

    /// What a row points to by one reference; nothing where that is null.
    pub(super) fn need(&self, edge: &Edge, values: &[Value<'_>]) -> Option<Named> {
        let (_, places) = self
            .edges
            .iter()
            .find(|(own, _)| std::ptr::eq(*own, edge))?;
        self.named(places, values)
    }

    fn named(&self, places: &[usize], values: &[Value<'_>]) -> Option<Named> {
        let mut bytes = Vec::with_capacity(16);
        let mut key = Vec::with_capacity(places.len());
        for place in places {
            let (value, kind) = (*values.get(*place)?, self.kinds.get(*place)?);
            key.push(text(value)?);
            key_bytes(&[(value, kind)], &mut bytes);
        }
        Some((bytes.into_boxed_slice(), key))
    }
}
