//! What the manifest declares about a setting.

use ringfence_diagnostic::{Diagnostic, Place, SourceId};
use ringfence_syntax::manifest::{PerEnvironment, SettingEntry, Spanned, ValueSource};

use crate::environment::Environment;
use crate::tier::Tier;
use crate::value::kind::Kind;

/// A declared setting.
#[derive(Debug)]
pub struct Declaration {
    /// The name.
    pub name: String,
    /// Where the manifest declares it.
    pub place: Place,
    /// What its value must be.
    pub kind: Kind,
    /// Whether it is a secret; `None` where the manifest leaves it to be told from name and value.
    pub secret: Option<bool>,
    /// Whether no two environments may have the same value.
    pub distinct: bool,

    /// `as = "file"`: where it is said.
    pub as_file: Option<Place>,
    from: PerEnvironment<Spanned<ValueSource>>,
    required: PerEnvironment<bool>,
    value: PerEnvironment<Spanned<String>>,
}

/// Which of three kinds of value the manifest gives.
pub(crate) struct ManifestValues<'a> {
    pub(crate) default: Option<&'a Spanned<String>>,
    pub(crate) tier: Option<&'a Spanned<String>>,
    pub(crate) environment: Option<&'a Spanned<String>>,
}

impl Declaration {
    /// Reads an entry of `[settings]`; what is wrong with it goes to `diagnostics`.
    pub(crate) fn read(
        source: SourceId,
        entry: &SettingEntry,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let values: Vec<String> = entry.values.iter().map(|word| word.value.clone()).collect();
        let kind = entry
            .kind
            .as_ref()
            .and_then(|kind| Kind::named(&kind.value, values.clone()))
            .unwrap_or_default();
        let place = Place::new(source, entry.name.span);
        if matches!(&kind, Kind::Enum(words) if words.is_empty()) {
            diagnostics.push(enum_without_values(&entry.name.value, place));
        }
        if !values.is_empty() && !matches!(kind, Kind::Enum(_)) {
            diagnostics.push(values_without_enum(&entry.name.value, place));
        }
        Self {
            name: entry.name.value.clone(),
            place,
            kind,
            secret: entry.secret,
            distinct: entry.distinct,
            from: entry.from.clone(),
            as_file: entry.as_file.map(|span| Place::new(source, span)),
            required: entry.required.clone(),
            value: entry.value.clone(),
        }
    }

    /// Where else its value comes from in `environment`.
    #[must_use]
    pub fn from(&self, environment: &Environment) -> Option<(&ValueSource, Place)> {
        let (tier, own) = within(&self.from.within, environment);
        let from = own.or(tier).or(self.from.default.as_ref())?;
        Some((&from.value, Place::new(self.place.source, from.span)))
    }

    /// The commands that give its value in any environment, as their words.
    pub fn commands(&self) -> impl Iterator<Item = &[String]> {
        let within = self.from.within.iter().map(|(_, from)| from);
        let all = self.from.default.iter().chain(within);
        all.filter_map(|from| match &from.value {
            ValueSource::Command(words) => Some(words.as_slice()),
            _ => None,
        })
    }

    /// Whether the setting must have a value in `environment`.
    #[must_use]
    pub fn is_required(&self, environment: &Environment) -> bool {
        let (tier, own) = within(&self.required.within, environment);
        own.or(tier)
            .or(self.required.default.as_ref())
            .copied()
            .unwrap_or(true)
    }

    pub(crate) fn values(&self, environment: &Environment) -> ManifestValues<'_> {
        let (tier, own) = within(&self.value.within, environment);
        ManifestValues {
            default: self.value.default.as_ref(),
            tier,
            environment: own,
        }
    }

    /// The environments and tiers that the declaration speaks of.
    pub(crate) fn named_environments(&self) -> impl Iterator<Item = &Spanned<String>> {
        let values = self.value.within.iter().map(|(name, _)| name);
        values
            .chain(self.required.within.iter().map(|(name, _)| name))
            .chain(self.from.within.iter().map(|(name, _)| name))
    }
}

/// What is said for the tier and for the environment; a name that both have is the environment's.
pub(crate) fn within<'a, T>(
    entries: &'a [(Spanned<String>, T)],
    environment: &Environment,
) -> (Option<&'a T>, Option<&'a T>) {
    let find = |name: &str| {
        entries
            .iter()
            .find(|(key, _)| key.value == name)
            .map(|(_, value)| value)
    };
    (find(environment.tier.name()), find(&environment.name))
}

/// What is said for an environment: for itself, else for its tier, else for all.
pub(crate) fn chosen<'a, T>(
    value: &'a PerEnvironment<T>,
    environment: &Environment,
) -> Option<&'a T> {
    let (tier, own) = within(&value.within, environment);
    own.or(tier).or(value.default.as_ref())
}

fn enum_without_values(name: &str, place: Place) -> Diagnostic {
    Diagnostic::error(
        "enum-without-values",
        format!("`{name}` is an enum without values"),
    )
    .at(place, "declared here")
    .because("no value could ever be right")
    .help("add `values = [\"…\", \"…\"]`")
}

fn values_without_enum(name: &str, place: Place) -> Diagnostic {
    Diagnostic::error(
        "values-without-enum",
        format!("`{name}` has `values` but is no enum"),
    )
    .at(place, "declared here")
    .because("the values would not be checked")
    .help("add `type = \"enum\"`, or remove `values`")
}

/// Whether `name` can stand after `in.`: an environment of the project or a tier.
pub(crate) fn is_environment_or_tier(name: &str, environments: &[Environment]) -> bool {
    Tier::named(name).is_some()
        || environments
            .iter()
            .any(|environment| environment.name == name)
}
