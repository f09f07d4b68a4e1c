//! What a caller gets for a flag.
//!
//! The environment that a rule sees is the set's: [`Subject::new`] writes `environment` and `tier` over whatever the caller
//! says about them, so that no program can claim to be in another environment.

use std::cell::Cell;

use serde_json::{Map, Value as Json};

use crate::definition::{Flag, FlagSet};
use crate::rule::{ApplyError, Question, Rule, Value};

/// How many steps all rules may take for one subject: a large context makes every rule of a set slow.
const MAX_STEPS: usize = 5_000_000;

/// Who asks: the caller's context, in an environment, at a time. One subject asks once for each flag.
#[derive(Debug, Clone)]
pub struct Subject {
    fields: Map<String, Json>,
    at: u64,
    steps: Cell<usize>,
}

impl Subject {
    /// A caller of a set. `at` is in seconds since 1970.
    #[must_use]
    pub fn new(mut context: Map<String, Json>, set: &FlagSet, at: u64) -> Self {
        let environment = set.environment();
        context.insert("environment".to_owned(), environment.name.as_str().into());
        context.insert("tier".to_owned(), environment.tier.as_str().into());
        Self {
            fields: context,
            at,
            steps: Cell::new(MAX_STEPS),
        }
    }
}

/// Why a flag has the value that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It has no rule.
    Static,
    /// Its rule named the variant.
    TargetingMatch,
    /// Its rule named none, or it has no variant for this case.
    Default,
    /// It is switched off.
    Disabled,
}

impl Reason {
    /// The word that OpenFeature has for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Static => "STATIC",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Default => "DEFAULT",
            Self::Disabled => "DISABLED",
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation<'a> {
    /// The flag's key.
    pub key: &'a str,
    /// The value as JSON text, as it is written in the definition; nothing where the program's own default holds.
    pub value: Option<&'a str>,
    /// The variant's name; empty where the program's own default holds.
    pub variant: &'a str,
    /// Why.
    pub reason: Reason,
    /// What is said about the flag and its set, as a JSON object's text.
    pub metadata: &'a str,
}

/// Why there is no answer. [`EvaluateError::code`] is OpenFeature's word for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// There is no such flag.
    #[error("flag `{0}` is not defined in environment `{1}`")]
    Unknown(String, String),
    /// The flag is written wrongly.
    #[error("{0}")]
    Definition(String),
    /// The rule came to no end.
    #[error("flag `{0}`: {1}")]
    Apply(String, ApplyError),
    /// The rule named something that is no variant.
    #[error("flag `{0}`: its rule names the variant `{1}`, which it does not have")]
    Variant(String, String),
    /// The rule said something that is no name.
    #[error("flag `{0}`: its rule says {1} in place of a variant's name")]
    Result(String, &'static str),
    /// The value is of another kind than the one that was asked for.
    #[error("flag `{0}`: its value is not {1}")]
    Kind(String, &'static str),
}

impl EvaluateError {
    /// OpenFeature's word for it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown(..) => "FLAG_NOT_FOUND",
            Self::Definition(_) => "PARSE_ERROR",
            Self::Kind(..) => "TYPE_MISMATCH",
            Self::Apply(..) | Self::Variant(..) | Self::Result(..) => "GENERAL",
        }
    }
}

impl FlagSet {
    /// What a caller gets for a flag.
    ///
    /// # Errors
    /// If there is no such flag, it is written wrongly, or its rule names no variant of it.
    pub fn evaluate<'a>(
        &'a self,
        key: &str,
        subject: &Subject,
    ) -> Result<Evaluation<'a>, EvaluateError> {
        let Some((key, flag)) = self.flag(key) else {
            let environment = self.environment().name.clone();
            return Err(EvaluateError::Unknown(key.to_owned(), environment));
        };
        let flag = flag.map_err(|problem| EvaluateError::Definition(problem.to_owned()))?;
        evaluate(key, flag, subject)
    }
}

/// A variant's name and value.
type Variant<'a> = (&'a String, &'a String);

fn evaluate<'a>(
    key: &'a str,
    flag: &'a Flag,
    subject: &Subject,
) -> Result<Evaluation<'a>, EvaluateError> {
    let (reason, variant) = if !flag.is_enabled {
        (Reason::Disabled, None)
    } else if let Some(rule) = &flag.rule {
        match targeted(key, flag, rule, subject)? {
            Some(variant) => (Reason::TargetingMatch, Some(variant)),
            None => (Reason::Default, default(key, flag)?),
        }
    } else {
        let variant = default(key, flag)?;
        (variant.map_or(Reason::Default, |_| Reason::Static), variant)
    };
    Ok(Evaluation {
        key,
        value: variant.map(|(_, value)| value.as_str()),
        variant: variant.map_or("", |(name, _)| name),
        reason,
        metadata: &flag.metadata,
    })
}

fn default<'a>(key: &str, flag: &'a Flag) -> Result<Option<Variant<'a>>, EvaluateError> {
    let name = flag.default.as_deref();
    name.map(|name| variant(key, flag, name)).transpose()
}

fn variant<'a>(key: &str, flag: &'a Flag, name: &str) -> Result<Variant<'a>, EvaluateError> {
    let found = flag.variants.get_key_value(name);
    found.ok_or_else(|| EvaluateError::Variant(key.to_owned(), name.to_owned()))
}

/// The variant that a rule names; nothing where it says nothing.
fn targeted<'a>(
    key: &str,
    flag: &'a Flag,
    rule: &Rule,
    subject: &Subject,
) -> Result<Option<Variant<'a>>, EvaluateError> {
    let question = Question {
        fields: &subject.fields,
        flag: key,
        at: subject.at,
        steps: &subject.steps,
    };
    let value = rule
        .apply(&question)
        .map_err(|error| EvaluateError::Apply(key.to_owned(), error))?;
    match value {
        Value::Null => Ok(None),
        Value::List(_) | Value::Items(_) => Err(EvaluateError::Result(key.to_owned(), "a list")),
        Value::Map(_) | Value::Reduction(_) => {
            Err(EvaluateError::Result(key.to_owned(), "an object"))
        }
        name => variant(key, flag, &name.spelled()).map(Some),
    }
}

impl Evaluation<'_> {
    /// The value as a truth value; nothing where the program's own default holds.
    ///
    /// # Errors
    /// If it is of another kind.
    pub fn boolean(&self) -> Result<Option<bool>, EvaluateError> {
        self.read("a truth value")
    }

    /// The value as a number; nothing where the program's own default holds.
    ///
    /// # Errors
    /// If it is of another kind.
    pub fn number(&self) -> Result<Option<f64>, EvaluateError> {
        self.read("a number")
    }

    /// The value as a text; nothing where the program's own default holds.
    ///
    /// # Errors
    /// If it is of another kind.
    pub fn text(&self) -> Result<Option<String>, EvaluateError> {
        self.read("a text")
    }

    fn read<T: serde::de::DeserializeOwned>(
        &self,
        kind: &'static str,
    ) -> Result<Option<T>, EvaluateError> {
        let read = self.value.map(serde_json::from_str).transpose();
        read.map_err(|_| EvaluateError::Kind(self.key.to_owned(), kind))
    }
}

#[cfg(test)]
mod tests;
