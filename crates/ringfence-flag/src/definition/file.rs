//! flagd's flag files: JSON, as <https://flagd.dev/schema/v0/flags.json> describes it.

mod flag;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::spelling::{Kind, kind};
use super::{DefinitionError, Flag, Place};
use crate::rule::{Rule, near};
use flag::FlagReader;

/// How many bytes a file may have.
pub const MAX_BYTES: usize = 16 << 20;
/// How many flags a file may have.
pub const MAX_FLAGS: usize = 50_000;
/// How many operators and values its rules may hold together, evaluators counted wherever they are referred to.
pub const MAX_NODES: usize = 2_000_000;

/// A file of flags as it was read.
#[derive(Debug, Clone)]
pub struct FlagFile {
    pub(super) flags: Vec<(String, Place, Result<Flag, DefinitionError>)>,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) errors: Vec<DefinitionError>,
}

impl FlagFile {
    /// Reads a file; `name` is what messages call it.
    ///
    /// A flag that is written wrongly is an error of [`build`](super::build), not of this.
    ///
    /// # Errors
    /// If it is no JSON, too large, or has no object `flags`: nothing of it can be served.
    pub fn read(name: &str, text: &str) -> Result<Self, DefinitionError> {
        let reader = Reader::new(name, text);
        let whole = reader.whole()?;
        let top = reader.members(whole, "")?;
        let flags = find(&top, "flags").ok_or_else(|| {
            reader.error(
                whole,
                "",
                None,
                "the file has no `flags`",
                "write `{\"flags\": {}}`",
            )
        })?;
        let flags = reader.members(flags, "/flags")?;
        if flags.len() > MAX_FLAGS {
            let problem = format!("the file has more than {MAX_FLAGS} flags");
            return Err(reader.error(whole, "/flags", None, &problem, "split the file"));
        }
        let mut file = Self {
            flags: Vec::new(),
            metadata: Vec::new(),
            errors: reader.strangers(&top),
        };
        match reader.metadata(find(&top, "metadata"), "/metadata") {
            Ok(metadata) => file.metadata = metadata,
            Err(error) => file.errors.push(error),
        }
        let evaluators = reader.evaluators(find(&top, "$evaluators"))?;
        file.add(&reader, &flags, &evaluators)?;
        Ok(file)
    }

    fn add(
        &mut self,
        reader: &Reader<'_>,
        flags: &[(String, &RawValue)],
        evaluators: &BTreeMap<String, Json>,
    ) -> Result<(), DefinitionError> {
        let mut nodes = 0;
        for (key, raw) in flags {
            let place = reader.place(raw, &format!("/flags/{}", escaped(key)));
            let flag = FlagReader {
                reader,
                key,
                raw,
                set: &self.metadata,
            };
            self.errors.extend(flag.strangers());
            let flag = flag.read(evaluators);
            nodes += flag
                .iter()
                .filter_map(|flag| flag.rule.as_ref())
                .map(Rule::nodes)
                .sum::<usize>();
            if nodes > MAX_NODES {
                let problem = format!("the rules hold more than {MAX_NODES} operators and values");
                return Err(reader.error(raw, &place.pointer, None, &problem, "split the file"));
            }
            self.flags.push((key.clone(), place, flag));
        }
        Ok(())
    }
}

/// What the files say about themselves; of a name that is there twice, the first.
pub(super) fn metadata(files: &[FlagFile]) -> String {
    let mut seen = BTreeSet::new();
    let all = files.iter().flat_map(|file| &file.metadata);
    let first = all.filter(|(name, _)| seen.insert(name.as_str()));
    object(first.map(|(name, text)| (name.as_str(), text.as_str())))
}

fn object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let members: Vec<String> = members
        .map(|(name, text)| format!("{}:{text}", Json::from(name)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// The members of an object in their order, their values not yet read.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

fn find<'a>(members: &[(String, &'a RawValue)], name: &str) -> Option<&'a RawValue> {
    let found = members.iter().find(|(key, _)| key == name);
    found
        .map(|(_, raw)| *raw)
        .filter(|raw| kind(raw.get()) != Kind::Null)
}

/// A step of a JSON pointer.
fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn new(name: &'a str, text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            name,
            text,
            lines: std::iter::once(0).chain(ends).collect(),
        }
    }

    fn whole(&self) -> Result<&'a RawValue, DefinitionError> {
        if self.text.len() > MAX_BYTES {
            let problem = format!("the file is larger than {MAX_BYTES} bytes");
            return Err(self.error_at((1, 1), &problem, "split the file"));
        }
        serde_json::from_str(self.text).map_err(|error| self.no_json((1, 1), &error))
    }

    fn no_json(
        &self,
        (line, column): (usize, usize),
        error: &serde_json::Error,
    ) -> DefinitionError {
        // Positions of the error are those of the part that was read.
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        let at = (line + error.line().max(1) - 1, column.max(error.column()));
        let problem = format!("it is no JSON, so none of its flags is served: {message}");
        self.error_at(at, &problem, "mend the line")
    }

    fn error_at(
        &self,
        (line, column): (usize, usize),
        problem: &str,
        mend: &str,
    ) -> DefinitionError {
        DefinitionError {
            place: Box::new(Place {
                file: self.name.to_owned(),
                line,
                column,
                pointer: String::new(),
            }),
            flag: None,
            problem: problem.to_owned(),
            mend: mend.to_owned(),
            is_served: false,
        }
    }

    fn error(
        &self,
        raw: &RawValue,
        pointer: &str,
        flag: Option<&str>,
        problem: &str,
        mend: &str,
    ) -> DefinitionError {
        DefinitionError {
            place: Box::new(self.place(raw, pointer)),
            flag: flag.map(str::to_owned),
            problem: problem.to_owned(),
            mend: mend.to_owned(),
            is_served: false,
        }
    }

    /// Where a part of the text begins.
    fn place(&self, raw: &RawValue, pointer: &str) -> Place {
        let begin = (raw.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let line = self.lines.partition_point(|start| *start <= begin);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        Place {
            file: self.name.to_owned(),
            line,
            column: begin - start + 1,
            pointer: pointer.to_owned(),
        }
    }

    /// The members of an object, each there once.
    fn members(
        &self,
        raw: &'a RawValue,
        pointer: &str,
    ) -> Result<Vec<(String, &'a RawValue)>, DefinitionError> {
        if kind(raw.get()) != Kind::Object {
            let problem = format!("here stands {} in place of an object", kind(raw.get()));
            return Err(self.error(raw, pointer, None, &problem, "write an object: `{…}`"));
        }
        let Members(members) = serde_json::from_str(raw.get()).map_err(|error| {
            let place = self.place(raw, pointer);
            self.no_json((place.line, place.column), &error)
        })?;
        let mut seen = BTreeSet::new();
        match members.iter().find(|(name, _)| !seen.insert(name.as_str())) {
            None => Ok(members),
            Some((name, raw)) => {
                let pointer = format!("{pointer}/{}", escaped(name));
                let problem =
                    format!("`{name}` is there twice, and readers differ in which they take");
                Err(self.error(raw, &pointer, None, &problem, "leave one of the two"))
            }
        }
    }

    fn json(&self, raw: &RawValue, pointer: &str) -> Result<Json, DefinitionError> {
        serde_json::from_str(raw.get())
            .map_err(|error| self.error(raw, pointer, None, &error.to_string(), "make it flatter"))
    }

    fn evaluators(
        &self,
        raw: Option<&'a RawValue>,
    ) -> Result<BTreeMap<String, Json>, DefinitionError> {
        let Some(raw) = raw else {
            return Ok(BTreeMap::new());
        };
        let members = self.members(raw, "/$evaluators")?.into_iter();
        members
            .map(|(name, raw)| {
                let json = self.json(raw, &format!("/$evaluators/{}", escaped(&name)))?;
                Ok((name, json))
            })
            .collect()
    }

    /// Names and values that are a text, a number or a truth value each.
    fn metadata(
        &self,
        raw: Option<&'a RawValue>,
        pointer: &str,
    ) -> Result<Vec<(String, String)>, DefinitionError> {
        let Some(raw) = raw else {
            return Ok(Vec::new());
        };
        let mut metadata = Vec::new();
        for (name, raw) in self.members(raw, pointer)? {
            if !matches!(kind(raw.get()), Kind::Text | Kind::Number | Kind::Boolean) {
                let pointer = format!("{pointer}/{}", escaped(&name));
                let problem = format!("`{name}` is {}", kind(raw.get()));
                let mend = "metadata are texts, numbers and truth values";
                return Err(self.error(raw, &pointer, None, &problem, mend));
            }
            metadata.push((name, raw.get().to_owned()));
        }
        Ok(metadata)
    }

    fn strangers(&self, top: &[(String, &RawValue)]) -> Vec<DefinitionError> {
        let known = ["flags", "$evaluators", "metadata", "$schema"];
        let strangers = top
            .iter()
            .filter(|(name, _)| !known.contains(&name.as_str()));
        strangers
            .map(|(name, raw)| {
                let pointer = format!("/{}", escaped(name));
                served(self.error(raw, &pointer, None, &unknown(name, &known), "take it out"))
            })
            .collect()
    }
}

fn unknown(name: &str, known: &[&str]) -> String {
    match near(name, known.iter().copied()) {
        Some(near) => format!("nothing reads `{name}`: did you mean `{near}`?"),
        None => format!("nothing reads `{name}`"),
    }
}

fn served(error: DefinitionError) -> DefinitionError {
    DefinitionError {
        is_served: true,
        ..error
    }
}
