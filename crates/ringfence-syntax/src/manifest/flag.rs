//! `[flags]`: values by environment, numbers in the spelling that they have in the text.

use toml_edit::{Item, TableLike, Value};

use super::read::{per_environment, rows};
use super::{PerEnvironment, Spanned};

/// A line of `[flags]`.
#[derive(Debug, Clone)]
pub struct FlagEntry {
    /// The flag's key.
    pub name: Spanned<String>,
    /// Its values.
    pub value: PerEnvironment<FlagValue>,
}

/// A flag's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A number as it is written: `1.0`, `1_000`, `0xff`.
    Number(String),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<Self>),
}

pub(super) fn flags(root: &dyn TableLike, text: &str) -> Vec<FlagEntry> {
    let table = root.get("flags").and_then(Item::as_table_like);
    let flags = table.into_iter().flat_map(rows);
    flags
        .map(|(name, item)| FlagEntry {
            name,
            value: per_environment(item, |item| value(item.as_value()?, text)),
        })
        .collect()
}

fn value(written: &Value, text: &str) -> Option<FlagValue> {
    match written {
        Value::Boolean(truth) => Some(FlagValue::Boolean(*truth.value())),
        Value::String(text) => Some(FlagValue::Text(text.value().clone())),
        Value::Integer(_) | Value::Float(_) => {
            Some(FlagValue::Number(text.get(written.span()?)?.to_owned()))
        }
        Value::Datetime(time) => Some(FlagValue::Text(time.value().to_string())),
        Value::Array(items) => {
            let items = items.iter().map(|item| value(item, text));
            items.collect::<Option<_>>().map(FlagValue::List)
        }
        Value::InlineTable(_) => None,
    }
}
