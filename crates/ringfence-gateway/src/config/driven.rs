//! What the manifest says as it is, or leaves to a flag: then it may be another for each caller, and change while the gateway runs.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use ringfence_flag::definition::FlagSet;
use ringfence_flag::evaluate::{EvaluateError, Subject};
use serde_json::{Map, Value as Json};

/// A value, or the flag that says which of several it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Driven<T> {
    /// Always this one.
    Fixed(T),
    /// The one of the variant that the flag answers.
    Flag {
        /// The flag's key.
        key: String,
        /// The values by variant.
        variants: BTreeMap<String, T>,
    },
}

/// What a flag's rule sees of a request, besides environment and tier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion<'a> {
    pub(crate) caller: &'a str,
    pub(crate) resource: &'a str,
    /// The model as the caller names it; empty where there is none.
    pub(crate) model: &'a str,
}

/// Why a flag does not say which value it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DrivenError {
    /// It cannot be evaluated for this request.
    #[error("{0}")]
    Evaluate(#[from] EvaluateError),
    /// It answers something that nobody has looked at before.
    #[error("flag `{0}` has no value")]
    Silent(String),
}

impl<T> Driven<T> {
    /// Every value that it may have.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        let (fixed, variants) = match self {
            Self::Fixed(value) => (Some(value), None),
            Self::Flag { variants, .. } => (None, Some(variants.values())),
        };
        fixed.into_iter().chain(variants.into_iter().flatten())
    }

    /// Which variant has a value of that kind, in words for the end of a sentence; nothing where no flag says it.
    pub(crate) fn variant_with(&self, is_wanted: impl Fn(&T) -> bool) -> String {
        let Self::Flag { key, variants } = self else {
            return String::new();
        };
        let found = variants.iter().find(|(_, value)| is_wanted(value));
        found.map_or_else(String::new, |(variant, _)| {
            format!(" where the flag `{key}` says `{variant}`")
        })
    }

    /// The value for a request.
    pub(crate) fn on(&self, occasion: Occasion<'_>, flags: &FlagSet) -> Result<&T, DrivenError> {
        let (key, variants) = match self {
            Self::Fixed(value) => return Ok(value),
            Self::Flag { key, variants } => (key, variants),
        };
        let evaluation = flags.evaluate(key, &occasion.subject(flags))?;
        let value = variants.get(evaluation.variant);
        value.ok_or_else(|| DrivenError::Silent(key.clone()))
    }
}

impl<T> From<T> for Driven<T> {
    fn from(value: T) -> Self {
        Self::Fixed(value)
    }
}

impl Occasion<'_> {
    fn subject(self, flags: &FlagSet) -> Subject {
        let fields = [
            ("targetingKey", self.caller),
            ("caller", self.caller),
            ("resource", self.resource),
            ("model", self.model),
        ];
        let fields = fields.map(|(name, text)| (name.to_owned(), Json::from(text)));
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let at = since.map_or(0, |time| time.as_secs());
        Subject::new(Map::from_iter(fields), flags, at)
    }
}
