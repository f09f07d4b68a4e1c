//! The columns that are read of a table to choose its rows, and what one row says in them.

use ringfence_mask::closure::{Declared, Edge};
use ringfence_mask::schema::{Kind, Table, Value, key_bytes};

use super::super::SampleError;
use super::super::source::Key;

/// The canonical bytes of a key, by which keys are equal and in order.
pub(in crate::sample) type Canonical = Box<[u8]>;

/// A key: its canonical bytes, and its columns as the store wrote them.
pub(in crate::sample) type Named = (Canonical, Key);

/// The columns: first those of the identity, then those of followed references.
pub(super) struct Layout<'a> {
    pub(super) columns: Vec<String>,
    identity: usize,
    kinds: Vec<Kind>,
    edges: Vec<Way<'a>>,
    /// The place of the column that says of which document a row is.
    document: Option<usize>,
}

/// A followed reference, and how a row is asked for what it points to.
struct Way<'a> {
    edge: &'a Edge,
    pointer: Pointer,
}

/// How a row says what it points to.
pub(in crate::sample) struct Pointer {
    /// The places of its columns.
    places: Vec<usize>,
    /// What the columns that are pointed to hold.
    kinds: Vec<Kind>,
    /// The place of a column and the value that it has in the rows that point there.
    when: Option<(usize, String)>,
}

impl Pointer {
    /// How rows that have their columns at these places point by a reference.
    pub(in crate::sample) fn new(
        edge: &Edge,
        kinds: Vec<Kind>,
        mut place: impl FnMut(&String) -> Option<usize>,
    ) -> Option<Self> {
        let places: Option<Vec<usize>> = edge.columns.iter().map(&mut place).collect();
        let when = match &edge.declared {
            Declared::Link(Some(when)) => Some((place(&when.column)?, when.value.clone())),
            Declared::Link(None) | Declared::Schema => None,
        };
        Some(Self {
            places: places?,
            kinds,
            when,
        })
    }

    /// Whether a row points this way, be it to something or to nothing.
    pub(in crate::sample) fn points(&self, values: &[Value<'_>]) -> bool {
        let value = |place: &usize| values.get(*place).copied();
        let is_null = |place: &usize| value(place).is_none_or(|value| value == Value::Null);
        let is_meant = match &self.when {
            Some((place, word)) => value(place).and_then(text).as_deref() == Some(word.as_str()),
            None => true,
        };
        is_meant && !self.places.iter().any(is_null)
    }

    /// What a row points to; nothing where it points nowhere, or at what no row can be.
    pub(in crate::sample) fn need(&self, values: &[Value<'_>]) -> Option<Named> {
        if !self.points(values) {
            return None;
        }
        named(&self.places, &self.kinds, values).filter(|(_, key)| {
            key.iter()
                .zip(&self.kinds)
                .all(|(key, kind)| can_be(key, kind))
        })
    }
}

/// Whether a text can be a value of a kind at all: a store refuses to look for the integer `x`.
fn can_be(text: &str, kind: &Kind) -> bool {
    match kind {
        Kind::Integer(bits @ (16 | 32)) => text
            .parse::<i64>()
            .is_ok_and(|number| number >> (bits - 1) == 0 || number >> (bits - 1) == -1),
        Kind::Integer(_) => text.parse::<i64>().is_ok(),
        Kind::Uuid => {
            let digits = text.bytes().filter(|byte| *byte != b'-');
            digits.clone().count() == 32 && digits.clone().all(|byte| byte.is_ascii_hexdigit())
        }
        _ => true,
    }
}

fn named(places: &[usize], kinds: &[Kind], values: &[Value<'_>]) -> Option<Named> {
    let mut bytes = Vec::with_capacity(16);
    let mut key = Vec::with_capacity(places.len());
    for (place, kind) in places.iter().zip(kinds) {
        let value = *values.get(*place)?;
        key.push(text(value)?);
        key_bytes(&[(value, kind)], &mut bytes);
    }
    Some((bytes.into_boxed_slice(), key))
}

/// One row as far as it matters here.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub(super) identity: Named,
    /// What it points to, in the order of the layout's references.
    pub(super) needs: Vec<Option<Named>>,
}

/// The columns by which rows of a table are told apart: its primary key, else the first set of columns that is unique, rather one
/// whose columns must have values.
#[must_use]
pub fn identity(table: &Table) -> &[String] {
    if !table.primary_key.is_empty() {
        return &table.primary_key;
    }
    let must = |name: &String| table.column(name).is_some_and(|column| !column.nullable);
    let mut sets = table.unique.iter();
    let set = sets.find(|set| set.iter().all(must));
    set.or(table.unique.first()).map_or(&[], Vec::as_slice)
}

/// The kinds of columns.
pub(in crate::sample) fn kinds(
    table: &Table,
    columns: &[String],
) -> Result<Vec<Kind>, SampleError> {
    let kind = |name: &String| {
        let column = table.column(name);
        let missing = || SampleError::Target(format!("`{}` has no column `{name}`", table.name));
        column.map(|column| column.kind.clone()).ok_or_else(missing)
    };
    columns.iter().map(kind).collect()
}

/// The canonical bytes of values.
pub(in crate::sample) fn canonical<'v>(
    values: impl Iterator<Item = (Value<'v>, &'v Kind)>,
) -> Canonical {
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
    /// Of a table, and its followed references with what the columns hold that each points to.
    pub(super) fn new(
        table: &'a Table,
        followed: impl Iterator<Item = Result<(&'a Edge, Vec<Kind>), SampleError>>,
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
        for way in followed {
            let (edge, kinds) = way?;
            if let Some(pointer) = Pointer::new(edge, kinds, |column| Some(place(column))) {
                edges.push(Way { edge, pointer });
            }
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
        self.edges.iter().map(|way| way.edge)
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
            identity: named(&places, &self.kinds, values).unwrap_or_default(),
            needs: needs.map(|way| way.pointer.need(values)).collect(),
        }
    }

    /// What a row points to by one reference; nothing where that is null.
    pub(super) fn need(&self, edge: &Edge, values: &[Value<'_>]) -> Option<Named> {
        let mut ways = self.edges.iter();
        let way = ways.find(|way| std::ptr::eq(way.edge, edge))?;
        way.pointer.need(values)
    }
}
