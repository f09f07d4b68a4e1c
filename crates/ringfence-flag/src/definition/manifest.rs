//! A row of the manifest's `[flags]`: a value for each environment.

use std::collections::BTreeMap;
use std::mem::discriminant;

use serde_json::Value as Json;

use super::{DefinitionError, Environment, Flag, Place, spelling};

/// A row of the manifest's `[flags]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The flag's key.
    pub name: String,
    /// Where the row stands.
    pub place: Place,
    /// The value where no environment says another.
    pub default: Option<Written>,
    /// Values by environment or tier. An environment's name goes before its tier's.
    pub within: Vec<(String, Written)>,
}

/// A value as the manifest has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// A truth value.
    Boolean(bool),
    /// A number in TOML's spelling.
    Number(String),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<Self>),
    /// Names and values in order.
    Object(Vec<(String, Self)>),
}

/// The flag in one environment. Its variant says which value it is: the environment's, the tier's, or `default`.
pub(super) fn flag(row: &Row, environment: &Environment) -> Result<Flag, DefinitionError> {
    let all = row
        .within
        .iter()
        .map(|(name, written)| (name.as_str(), written));
    let mut variants = BTreeMap::new();
    for (name, written) in all.chain(row.default.as_ref().map(|value| ("default", value))) {
        variants.insert(name.to_owned(), text(row, written)?);
    }
    of_one_kind(row, &variants)?;
    let names = [
        environment.name.as_str(),
        environment.tier.as_str(),
        "default",
    ];
    let chosen = names.into_iter().find(|name| variants.contains_key(*name));
    variants.retain(|name, _| Some(name.as_str()) == chosen);
    Ok(Flag {
        is_enabled: true,
        variants,
        default: chosen.map(str::to_owned),
        rule: None,
        metadata: "{}".to_owned(),
    })
}

fn error(row: &Row, problem: String, mend: &str) -> DefinitionError {
    DefinitionError {
        place: Box::new(row.place.clone()),
        flag: Some(row.name.clone()),
        problem,
        mend: mend.to_owned(),
        is_served: false,
    }
}

/// The value as JSON text.
fn text(row: &Row, written: &Written) -> Result<String, DefinitionError> {
    match written {
        Written::Boolean(truth) => Ok(truth.to_string()),
        Written::Text(text) => Ok(Json::from(text.as_str()).to_string()),
        Written::Number(number) => spelling::of_toml(number).ok_or_else(|| {
            let problem = format!("`{number}` is no number that JSON has");
            error(row, problem, "write a finite number")
        }),
        Written::List(items) => {
            let items: Result<Vec<String>, _> = items.iter().map(|item| text(row, item)).collect();
            Ok(format!("[{}]", items?.join(",")))
        }
        Written::Object(members) => {
            let member = |(name, value): &(String, Written)| {
                Ok(format!(
                    "{}:{}",
                    Json::from(name.as_str()),
                    text(row, value)?
                ))
            };
            let members: Result<Vec<String>, _> = members.iter().map(member).collect();
            Ok(format!("{{{}}}", members?.join(",")))
        }
    }
}

/// A flag is of one kind in all environments, because the program asks for one.
fn of_one_kind(row: &Row, variants: &BTreeMap<String, String>) -> Result<(), DefinitionError> {
    let mut kinds = variants
        .iter()
        .map(|(name, text)| (name, spelling::kind(text)));
    let Some((first, kind)) = kinds.next() else {
        return Ok(());
    };
    match kinds.find(|(_, other)| discriminant(other) != discriminant(&kind)) {
        None => Ok(()),
        Some((name, other)) => Err(error(
            row,
            format!("its value is {kind} in `{first}` and {other} in `{name}`"),
            "write values of one kind: the program asks for one",
        )),
    }
}
