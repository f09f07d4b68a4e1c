//! One environment's flags, from the manifest's rows and from files in flagd's format.
//!
//! A flag that is written wrongly is not left out: it stays in the set and every question about it is answered with what
//! is wrong, so that the program falls back on its own default and says so. The caller of [`build`] decides whether an
//! error in a definition keeps an environment from starting.
//!
//! A value's text is kept as it is written, without the space between its parts: `1.0` stays `1.0`, because some clients
//! take `1` for an integer and refuse it where they want a float.

mod file;
mod manifest;
mod spelling;

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::rule::Rule;

pub use file::{FlagFile, MAX_BYTES, MAX_FLAGS, MAX_NODES};
pub use manifest::{Row, Written};

/// The environment that flags are served in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name, such as `prod`.
    pub name: String,
    /// Its tier, such as `production`.
    pub tier: String,
}

/// Where flags are defined.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sources<'a> {
    /// The rows of the manifest's `[flags]`.
    pub rows: &'a [Row],
    /// Files in flagd's format.
    pub files: &'a [FlagFile],
    /// Names that flags once had and must not have again.
    pub retired: &'a [String],
}

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The file, as its reader calls it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1.
    pub column: usize,
    /// In a JSON file, the pointer (RFC 6901) to the value.
    pub pointer: String,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)?;
        if self.pointer.is_empty() {
            return Ok(());
        }
        write!(formatter, " ({})", self.pointer)
    }
}

/// What is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {}{problem}", of_flag(flag.as_deref()))]
pub struct DefinitionError {
    /// Where.
    pub place: Box<Place>,
    /// The flag, where it is about one.
    pub flag: Option<String>,
    /// What.
    pub problem: String,
    /// What mends it.
    pub mend: String,
    /// Whether what it is about is served all the same: nothing reads the part that is wrong.
    pub is_served: bool,
}

fn of_flag(flag: Option<&str>) -> String {
    flag.map_or_else(String::new, |flag| format!("flag `{flag}`: "))
}

/// A flag as it is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// Whether it is switched on; a flag that is not has no value.
    pub(crate) is_enabled: bool,
    /// Its values as JSON text, by variant.
    pub(crate) variants: BTreeMap<String, String>,
    /// The variant without a rule, or where the rule names none.
    pub(crate) default: Option<String>,
    /// Its targeting.
    pub(crate) rule: Option<Rule>,
    /// What is said about it and its set, as a JSON object's text.
    pub(crate) metadata: String,
}

/// Everything that a flag may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcomes<'a> {
    /// Where the flag stands.
    pub place: &'a Place,
    /// Values as JSON text, by variant.
    pub values: &'a BTreeMap<String, String>,
    /// Whether it may answer nothing, so that the asker's own default holds.
    pub may_be_silent: bool,
}

/// All flags of one environment. Flags that are written wrongly are in it, with what is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct FlagSet {
    environment: Environment,
    flags: BTreeMap<String, Result<Flag, String>>,
    places: BTreeMap<String, Place>,
    metadata: String,
    digest: String,
}

impl FlagSet {
    /// The environment.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// All keys, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.flags.keys().map(String::as_str)
    }

    /// What the files say about themselves, as a JSON object's text.
    #[must_use]
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// A digest of the environment and of every definition: another one means that some caller may get another answer.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What a flag may answer, or what is wrong with it; nothing if there is none. A gateway that obeys a flag looks at all of it first.
    #[must_use]
    pub fn outcomes(&self, key: &str) -> Option<Result<Outcomes<'_>, &str>> {
        let place = self.places.get(key)?;
        let (_, flag) = self.flag(key)?;
        Some(flag.map(|flag| Outcomes {
            place,
            values: &flag.variants,
            may_be_silent: !flag.is_enabled || flag.default.is_none(),
        }))
    }

    /// A flag, or what is wrong with it; nothing if there is none.
    pub(crate) fn flag(&self, key: &str) -> Option<(&str, Result<&Flag, &str>)> {
        let (key, flag) = self.flags.get_key_value(key)?;
        Some((key, flag.as_ref().map_err(String::as_str)))
    }
}

/// One environment's flags, and all that is wrong in the sources.
///
/// A flag that two sources define, and one with a retired name, is written wrongly.
#[must_use]
pub fn build(sources: &Sources<'_>, environment: &Environment) -> (FlagSet, Vec<DefinitionError>) {
    let mut builder = Builder {
        retired: sources.retired,
        flags: BTreeMap::new(),
        errors: Vec::new(),
    };
    for row in sources.rows {
        builder.add(&row.name, &row.place, manifest::flag(row, environment));
    }
    for file in sources.files {
        builder.errors.extend(file.errors.iter().cloned());
        for (key, place, flag) in &file.flags {
            builder.add(key, place, flag.clone());
        }
    }
    let metadata = file::metadata(sources.files);
    let (flags, places) = builder.finish();
    let set = FlagSet {
        environment: environment.clone(),
        digest: digest(environment, &flags, &metadata),
        flags,
        places,
        metadata,
    };
    (set, builder.errors)
}

struct Builder<'a> {
    retired: &'a [String],
    flags: BTreeMap<String, (Place, Result<Flag, DefinitionError>)>,
    errors: Vec<DefinitionError>,
}

impl Builder<'_> {
    fn add(&mut self, key: &str, place: &Place, flag: Result<Flag, DefinitionError>) {
        if let Err(error) = &flag {
            self.errors.push(error.clone());
        }
        let clash = self.clash(key, place);
        let flag = match clash {
            Some(error) => {
                self.errors.push(error.clone());
                Err(error)
            }
            None => flag,
        };
        self.flags.insert(key.to_owned(), (place.clone(), flag));
    }

    fn clash(&self, key: &str, place: &Place) -> Option<DefinitionError> {
        let error = |problem: String, mend: &str| DefinitionError {
            place: Box::new(place.clone()),
            flag: Some(key.to_owned()),
            problem,
            mend: mend.to_owned(),
            is_served: false,
        };
        if let Some((first, _)) = self.flags.get(key) {
            return Some(error(
                format!("it is also defined at {first}, and neither definition is served"),
                "leave one of the two definitions",
            ));
        }
        self.retired.iter().any(|name| name == key).then(|| {
            error(
                "its name is retired: a program that still asks for the old flag would get this one's value".to_owned(),
                "give the flag a new name, or take the old one off the list of retired names",
            )
        })
    }

    fn finish(
        &mut self,
    ) -> (
        BTreeMap<String, Result<Flag, String>>,
        BTreeMap<String, Place>,
    ) {
        let flags = std::mem::take(&mut self.flags).into_iter();
        flags
            .map(|(key, (place, flag))| {
                let flag = flag.map_err(|error| error.to_string());
                ((key.clone(), flag), (key, place))
            })
            .unzip()
    }
}

fn digest(
    environment: &Environment,
    flags: &BTreeMap<String, Result<Flag, String>>,
    metadata: &str,
) -> String {
    let all = format!("{environment:?}{flags:?}{metadata:?}");
    Sha256::digest(all.as_bytes())
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests;
