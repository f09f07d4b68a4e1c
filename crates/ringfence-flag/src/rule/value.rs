//! What a rule works on: values of the rule and of the caller's context, borrowed, and those made on the way.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::apply::ApplyError;
use super::text;

/// How many lists may be inside each other in a value that a rule makes: dropping it takes the stack.
const MAX_NESTING: usize = 64;

/// A value during and after the application of a rule.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A whole number that was written as one, of at most 64 bits.
    Whole(i128),
    /// Any other number.
    Float(f64),
    /// A text of the rule or the context.
    Text(&'a str),
    /// A text that the rule made.
    Made(Rc<str>),
    /// A list of the rule or the context.
    List(&'a [Json]),
    /// A list that the rule made.
    Items(Rc<Items<'a>>),
    /// An object of the rule or the context.
    Map(&'a Map<String, Json>),
    /// What `reduce` shows to its rule.
    Reduction(Rc<Reduction<'a>>),
}

/// A list that a rule made.
#[derive(Debug)]
pub struct Items<'a> {
    values: Vec<Value<'a>>,
    nesting: usize,
}

/// What `reduce` shows to its rule: `{"var": "current"}` and `{"var": "accumulator"}`.
#[derive(Debug)]
pub struct Reduction<'a> {
    current: Value<'a>,
    accumulator: Value<'a>,
    nesting: usize,
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(truth) => Self::Boolean(*truth),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(whole), _) => Self::Whole(whole.into()),
                (None, Some(whole)) => Self::Whole(whole.into()),
                (None, None) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Text(text),
            Json::Array(items) => Self::List(items),
            Json::Object(map) => Self::Map(map),
        }
    }
}

impl<'a> Value<'a> {
    pub(super) fn text(text: String) -> Self {
        Self::Made(text.into())
    }

    pub(super) fn items(values: Vec<Self>) -> Result<Self, ApplyError> {
        let nesting = bounded(values.iter().map(Self::nesting).max().unwrap_or(0))?;
        Ok(Self::Items(Rc::new(Items { values, nesting })))
    }

    pub(super) fn reduction(current: Self, accumulator: Self) -> Result<Self, ApplyError> {
        let nesting = bounded(current.nesting().max(accumulator.nesting()))?;
        Ok(Self::Reduction(Rc::new(Reduction {
            current,
            accumulator,
            nesting,
        })))
    }

    fn nesting(&self) -> usize {
        match self {
            Self::Items(items) => items.nesting,
            Self::Reduction(reduction) => reduction.nesting,
            _ => 0,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Made(text) => Some(text),
            _ => None,
        }
    }

    /// How many items a list has; nothing of anything else.
    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Self::List(items) => Some(items.len()),
            Self::Items(items) => Some(items.values.len()),
            _ => None,
        }
    }

    /// An item of a list.
    pub(super) fn item(&self, index: usize) -> Option<Self> {
        match self {
            Self::List(items) => items.get(index).map(Self::from),
            Self::Items(items) => items.values.get(index).cloned(),
            _ => None,
        }
    }

    /// The items of a list; nothing of anything else.
    pub(super) fn each(&self) -> Option<impl Iterator<Item = Self> + '_> {
        self.length()
            .map(|length| (0..length).filter_map(|index| self.item(index)))
    }

    /// What stands under a name or a number, as JavaScript's `value[name]` finds it.
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        match self {
            Self::Map(map) => map.get(name).map(Self::from),
            Self::Reduction(reduction) => match name {
                "current" => Some(reduction.current.clone()),
                "accumulator" => Some(reduction.accumulator.clone()),
                _ => None,
            },
            _ if name == "length" => self.size().map(|size| Self::Whole(size as i128)),
            _ => self.item(index(name)?),
        }
    }

    fn size(&self) -> Option<usize> {
        let letters = || Some(self.as_text()?.encode_utf16().count());
        self.length().or_else(letters)
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Boolean(truth) => *truth,
            Self::Whole(number) => *number != 0,
            Self::Float(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(_) | Self::Made(_) => self.as_text() != Some(""),
            Self::List(_) | Self::Items(_) => self.length() != Some(0),
            Self::Map(_) | Self::Reduction(_) => true,
        }
    }

    /// JavaScript's `Number(value)`.
    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Boolean(truth) => f64::from(u8::from(*truth)),
            #[expect(
                clippy::cast_precision_loss,
                reason = "numbers of the rule language are doubles"
            )]
            Self::Whole(number) => *number as f64,
            Self::Float(number) => *number,
            Self::Text(_) | Self::Made(_) => self.as_text().map_or(f64::NAN, text::number),
            Self::List(_) | Self::Items(_) => text::number(&self.spelled()),
            Self::Map(_) | Self::Reduction(_) => f64::NAN,
        }
    }

    /// JavaScript's `String(value)`.
    pub(crate) fn spelled(&self) -> Cow<'_, str> {
        match self {
            Self::Null => "null".into(),
            Self::Boolean(truth) => if *truth { "true" } else { "false" }.into(),
            Self::Whole(number) => number.to_string().into(),
            Self::Float(number) => text::spelled(*number).into(),
            Self::Text(text) => (*text).into(),
            Self::Made(text) => (&**text).into(),
            Self::List(_) | Self::Items(_) => self.joined(",").into(),
            Self::Map(_) | Self::Reduction(_) => "[object Object]".into(),
        }
    }

    /// JavaScript's `join`: nothing is an empty text.
    fn joined(&self, separator: &str) -> String {
        let items = self.each().into_iter().flatten();
        let texts: Vec<String> = items
            .map(|item| match item {
                Self::Null => String::new(),
                item => item.spelled().into_owned(),
            })
            .collect();
        texts.join(separator)
    }

    /// Pays for reading all of the value; objects are read by `fractional` alone.
    pub(super) fn charge(
        &self,
        with_objects: bool,
        spend: &mut impl FnMut(usize) -> Result<(), ApplyError>,
    ) -> Result<(), ApplyError> {
        match self {
            Self::Text(_) | Self::Made(_) => spend(self.as_text().map_or(0, str::len) / 16),
            Self::List(_) | Self::Items(_) => {
                spend(1 + self.length().unwrap_or(0))?;
                let mut items = self.each().into_iter().flatten();
                items.try_for_each(|item| item.charge(with_objects, spend))
            }
            Self::Map(map) if with_objects => {
                spend(1 + map.len())?;
                let mut values = map.values();
                values.try_for_each(|value| Value::from(value).charge(true, spend))
            }
            _ => Ok(()),
        }
    }

    /// JavaScript's `===`, for which no two lists or objects are the same.
    pub(super) fn is_same(&self, other: &Value<'_>) -> bool {
        match (self, other) {
            (Self::Null, Value::Null) => true,
            (Self::Boolean(one), Value::Boolean(two)) => one == two,
            (Self::Whole(one), Value::Whole(two)) => one == two,
            _ if self.is_number() && other.is_number() => is_equal(self.number(), other.number()),
            _ => matches!((self.as_text(), other.as_text()), (Some(one), Some(two)) if one == two),
        }
    }

    /// JavaScript's `==`.
    pub(super) fn is_equal(&self, other: &Value<'_>) -> bool {
        if self.is_null() || other.is_null() {
            return self.is_null() && other.is_null();
        }
        if self.is_compound() || other.is_compound() {
            return self.is_equal_compound(other);
        }
        let are_alike = self.as_text().is_some() == other.as_text().is_some()
            && matches!(self, Self::Boolean(_)) == matches!(other, Value::Boolean(_));
        if are_alike {
            self.is_same(other)
        } else {
            is_equal(self.number(), other.number())
        }
    }

    fn is_equal_compound(&self, other: &Value<'_>) -> bool {
        if self.is_compound() && other.is_compound() {
            return false;
        }
        let (one, two) = (self.primitive(), other.primitive());
        one.is_equal(&two)
    }

    /// How two values compare; nothing where a number is none.
    pub(super) fn order(&self, other: &Value<'_>) -> Option<Ordering> {
        if let (Self::Whole(one), Value::Whole(two)) = (self, other) {
            return Some(one.cmp(two));
        }
        let (one, two) = (self.primitive(), other.primitive());
        match (one.as_text(), two.as_text()) {
            (Some(one), Some(two)) => Some(one.encode_utf16().cmp(two.encode_utf16())),
            _ => one.number().partial_cmp(&two.number()),
        }
    }

    /// A list or object as the text that it becomes when it is compared.
    fn primitive(&self) -> Value<'_> {
        if self.is_compound() {
            Value::text(self.spelled().into_owned())
        } else {
            self.clone()
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Whole(_) | Self::Float(_))
    }

    pub(super) fn is_compound(&self) -> bool {
        matches!(
            self,
            Self::List(_) | Self::Items(_) | Self::Map(_) | Self::Reduction(_)
        )
    }
}

#[expect(
    clippy::float_cmp,
    reason = "the rule language compares doubles exactly"
)]
fn is_equal(one: f64, two: f64) -> bool {
    one == two
}

fn bounded(nesting: usize) -> Result<usize, ApplyError> {
    if nesting >= MAX_NESTING {
        return Err(ApplyError::Nesting);
    }
    Ok(nesting + 1)
}

/// The index that a name spells: `0`, `12`, not `01`.
fn index(name: &str) -> Option<usize> {
    let index: usize = name.parse().ok()?;
    (index.to_string() == name).then_some(index)
}
