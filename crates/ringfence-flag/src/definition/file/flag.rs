//! One flag of a file.

use std::collections::BTreeMap;
use std::mem::discriminant;

use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::super::spelling::{Kind, compact, kind};
use super::super::{DefinitionError, Flag};
use super::{Reader, escaped, find, object, served, unknown};
use crate::rule::{Rule, near};

const KEYS: &[&str] = &[
    "state",
    "variants",
    "defaultVariant",
    "targeting",
    "metadata",
    "source",
    "selector",
    "description",
];

/// One flag of a file.
pub(super) struct FlagReader<'r, 'a> {
    pub(super) reader: &'r Reader<'a>,
    pub(super) key: &'r str,
    pub(super) raw: &'a RawValue,
    /// The metadata of its file.
    pub(super) set: &'r [(String, String)],
}

impl<'a> FlagReader<'_, 'a> {
    fn pointer(&self, rest: &str) -> String {
        format!("/flags/{}{rest}", escaped(self.key))
    }

    fn error(&self, raw: &RawValue, rest: &str, problem: &str, mend: &str) -> DefinitionError {
        let pointer = self.pointer(rest);
        self.reader
            .error(raw, &pointer, Some(self.key), problem, mend)
    }

    fn of_flag(&self, error: DefinitionError) -> DefinitionError {
        DefinitionError {
            flag: Some(self.key.to_owned()),
            ..error
        }
    }

    /// Members of the flag that nothing reads. The flag is served all the same.
    pub(super) fn strangers(&self) -> Vec<DefinitionError> {
        let members = self.reader.members(self.raw, "").unwrap_or_default();
        let strangers = members
            .iter()
            .filter(|(name, _)| !KEYS.contains(&name.as_str()));
        strangers
            .map(|(name, raw)| {
                let rest = format!("/{}", escaped(name));
                served(self.error(raw, &rest, &unknown(name, KEYS), "take it out"))
            })
            .collect()
    }

    pub(super) fn read(
        &self,
        evaluators: &BTreeMap<String, Json>,
    ) -> Result<Flag, DefinitionError> {
        let members = self.reader.members(self.raw, &self.pointer(""));
        let members = members.map_err(|error| self.of_flag(error))?;
        let variants = self.variants(find(&members, "variants"))?;
        let metadata = find(&members, "metadata");
        let metadata = self.reader.metadata(metadata, &self.pointer("/metadata"));
        let metadata = metadata.map_err(|error| self.of_flag(error))?;
        Ok(Flag {
            is_enabled: self.is_enabled(find(&members, "state"))?,
            default: self.default(find(&members, "defaultVariant"), &variants)?,
            rule: self.rule(find(&members, "targeting"), evaluators)?,
            metadata: self.merged(&metadata),
            variants,
        })
    }

    /// The set's metadata and the flag's, of which the flag's go before.
    fn merged(&self, own: &[(String, String)]) -> String {
        let is_own = |name: &str| own.iter().any(|(other, _)| other == name);
        let set = self.set.iter().filter(|(name, _)| !is_own(name));
        object(
            set.chain(own)
                .map(|(name, text)| (name.as_str(), text.as_str())),
        )
    }

    fn is_enabled(&self, raw: Option<&RawValue>) -> Result<bool, DefinitionError> {
        match raw.map(RawValue::get) {
            Some("\"ENABLED\"") => Ok(true),
            Some("\"DISABLED\"") => Ok(false),
            _ => Err(self.error(
                raw.unwrap_or(self.raw),
                "/state",
                "its `state` is neither `ENABLED` nor `DISABLED`",
                "write `\"state\": \"ENABLED\"`",
            )),
        }
    }

    fn variants(
        &self,
        raw: Option<&'a RawValue>,
    ) -> Result<BTreeMap<String, String>, DefinitionError> {
        let Some(raw) = raw else {
            let mend = "write `\"variants\": {\"on\": true, \"off\": false}`";
            return Err(self.error(self.raw, "/variants", "it has no `variants`", mend));
        };
        let members = self.reader.members(raw, &self.pointer("/variants"));
        let members = members.map_err(|error| self.of_flag(error))?;
        for (name, raw) in &members {
            let rest = format!("/variants/{}", escaped(name));
            self.reader
                .json(raw, &self.pointer(&rest))
                .map_err(|error| self.of_flag(error))?;
            if kind(raw.get()) == Kind::Null {
                let problem = format!("its variant `{name}` has no value");
                return Err(self.error(
                    raw,
                    &rest,
                    &problem,
                    "write a value, or take the variant out",
                ));
            }
        }
        self.of_one_kind(&members)?;
        Ok(members
            .into_iter()
            .map(|(name, raw)| (name, compact(raw.get())))
            .collect())
    }

    /// The program asks for one kind of value.
    fn of_one_kind(&self, members: &[(String, &RawValue)]) -> Result<(), DefinitionError> {
        let Some((first, raw)) = members.first() else {
            return Ok(());
        };
        let expected = kind(raw.get());
        let is_other = |raw: &RawValue| discriminant(&kind(raw.get())) != discriminant(&expected);
        match members.iter().find(|(_, raw)| is_other(raw)) {
            None => Ok(()),
            Some((name, raw)) => {
                let problem = format!(
                    "its variant `{first}` is {expected} and `{name}` is {}",
                    kind(raw.get())
                );
                let rest = format!("/variants/{}", escaped(name));
                Err(self.error(
                    raw,
                    &rest,
                    &problem,
                    "write values of one kind: the program asks for one",
                ))
            }
        }
    }

    fn default(
        &self,
        raw: Option<&RawValue>,
        variants: &BTreeMap<String, String>,
    ) -> Result<Option<String>, DefinitionError> {
        let Some(raw) = raw else {
            return Ok(None);
        };
        let name = match serde_json::from_str(raw.get()) {
            Ok(Json::String(name)) => name,
            Ok(Json::Bool(truth)) => truth.to_string(),
            _ => {
                let problem = format!("its `defaultVariant` is {}", kind(raw.get()));
                let mend = "write a variant's name, or `null` for the program's own default";
                return Err(self.error(raw, "/defaultVariant", &problem, mend));
            }
        };
        if name.is_empty() {
            return Ok(None);
        }
        if variants.contains_key(&name) {
            return Ok(Some(name));
        }
        let near = near(&name, variants.keys().map(String::as_str));
        let near = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
        let problem =
            format!("its `defaultVariant` names `{name}`, which `variants` does not have{near}");
        Err(self.error(raw, "/defaultVariant", &problem, "name one of the variants"))
    }

    fn rule(
        &self,
        raw: Option<&RawValue>,
        evaluators: &BTreeMap<String, Json>,
    ) -> Result<Option<Rule>, DefinitionError> {
        let Some(raw) = raw else {
            return Ok(None);
        };
        let pointer = self.pointer("/targeting");
        let json = self
            .reader
            .json(raw, &pointer)
            .map_err(|error| self.of_flag(error))?;
        match &json {
            Json::Object(map) if map.is_empty() => Ok(None),
            Json::Object(_) => Rule::compile(&json, evaluators).map(Some).map_err(|error| {
                let rest = format!("/targeting{}", error.pointer());
                self.error(raw, &rest, &error.to_string(), error.mend())
            }),
            _ => {
                let problem = format!("its `targeting` is {}", kind(raw.get()));
                Err(self.error(
                    raw,
                    "/targeting",
                    &problem,
                    "write a JsonLogic rule, or leave it out",
                ))
            }
        }
    }
}
