//! Who may read and edit an environment's secrets: the manifest's `[people]`, `[access]` and `[secrets]`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use ringfence_diagnostic::{Diagnostic, Place, SourceId, spelling};
use ringfence_syntax::manifest::{Manifest, SecretsEntry, Spanned};

use crate::environment::Environment;
use crate::tier::Tier;

/// People and what they may do.
#[derive(Debug, Default)]
pub struct People {
    /// Public keys of age and ssh, by name.
    pub keys: BTreeMap<String, Vec<(String, Place)>>,
    environments: BTreeMap<String, Keeping>,
}

/// How one environment's secrets are kept.
#[derive(Debug, Clone, Default)]
pub struct Keeping {
    /// Who can open the sealed file; `None` where the manifest does not say.
    pub readers: Option<Vec<String>>,
    /// Whose seal counts; `None` where the manifest does not say.
    pub editors: Option<Vec<String>>,
    /// The sealed file, where the manifest names it.
    pub file: Option<(String, Place)>,
    seal_required: Option<bool>,
}

impl Keeping {
    /// Whether a sealed file without a seal is refused.
    #[must_use]
    pub fn requires_seal(&self, tier: Tier) -> bool {
        self.seal_required.unwrap_or(tier >= Tier::Staging)
    }
}

impl People {
    /// How an environment's secrets are kept.
    #[must_use]
    pub fn keeping(&self, environment: &str) -> Keeping {
        self.environments
            .get(environment)
            .cloned()
            .unwrap_or_default()
    }

    /// Reads the three tables; what is wrong with them goes to `diagnostics`.
    pub(crate) fn read(
        source: SourceId,
        manifest: &Manifest,
        environments: &[Environment],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let place = |written: &Spanned<String>| Place::new(source, written.span);
        let keys = manifest.people.iter().map(|(name, keys)| {
            let keys = keys.iter().map(|key| (key.value.clone(), place(key)));
            (name.value.clone(), keys.collect())
        });
        let mut people = Self {
            keys: keys.collect(),
            environments: BTreeMap::new(),
        };
        let mut names = Names {
            source,
            manifest,
            diagnostics,
        };
        for entry in &manifest.access.environments {
            let Some(environment) = names.known(&entry.environment, environments) else {
                continue;
            };
            let readers = entry.read_secret.as_deref();
            let readers = readers.map(|written| names.members(written));
            let editors = entry.edit.as_deref();
            let editors = editors.map(|written| names.members(written));
            let keeping = people.environments.entry(environment).or_default();
            keeping.readers = readers;
            keeping.editors = editors;
        }
        for entry in &manifest.secrets {
            let Some(environment) = names.known(&entry.environment, environments) else {
                continue;
            };
            names.diagnostics.extend(outside(entry, place));
            let keeping = people.environments.entry(environment).or_default();
            keeping.apply(entry, place);
        }
        people
    }
}

impl Keeping {
    fn apply(&mut self, entry: &SecretsEntry, place: impl Fn(&Spanned<String>) -> Place) {
        self.seal_required = entry.seal_required;
        let file = entry.file.as_ref();
        self.file = file.map(|file| (file.value.clone(), place(file)));
    }
}

/// A sealed file that would lie outside the project: changes of it are written, and its seal beside it.
fn outside(entry: &SecretsEntry, place: impl Fn(&Spanned<String>) -> Place) -> Option<Diagnostic> {
    let file = entry.file.as_ref()?;
    let leaves = |part: Component<'_>| !matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(&file.value).components().any(leaves) {
        return None;
    }
    let diagnostic = Diagnostic::error(
        "file-outside",
        format!("`{}` leads out of the project", file.value),
    )
    .at(place(file), "this path")
    .because("a change of a secret would write there, and git would not have it")
    .help("name a file below the folder of `ringfence.toml`");
    Some(diagnostic)
}

struct Names<'a> {
    source: SourceId,
    manifest: &'a Manifest,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Names<'_> {
    fn known(&mut self, name: &Spanned<String>, environments: &[Environment]) -> Option<String> {
        let own = |environment: &&Environment| environment.name == name.value;
        if environments.iter().any(|environment| own(&environment)) {
            return Some(name.value.clone());
        }
        let known = environments
            .iter()
            .map(|environment| environment.name.as_str());
        let known: Vec<&str> = known.collect();
        let diagnostic = Diagnostic::error(
            "unknown-environment-name",
            format!("`{}` is no environment of this project", name.value),
        )
        .at(Place::new(self.source, name.span), "this name")
        .because("what is said for it would never hold");
        self.diagnostics
            .push(near(diagnostic, &name.value, &known, "environments"));
        None
    }

    /// The people that names stand for, those of groups included, each once.
    fn members(&mut self, written: &[Spanned<String>]) -> Vec<String> {
        let mut members = BTreeSet::new();
        for name in written {
            let group = self.manifest.access.groups.iter();
            let group = group.clone().find(|(group, _)| group.value == name.value);
            match group {
                Some((_, people)) => {
                    for person in people {
                        members.extend(self.person(person));
                    }
                }
                None => members.extend(self.person(name)),
            }
        }
        members.into_iter().collect()
    }

    fn person(&mut self, name: &Spanned<String>) -> Option<String> {
        let people = || self.manifest.people.iter().map(|(name, _)| name);
        if people().any(|person| person.value == name.value) {
            return Some(name.value.clone());
        }
        let groups = self.manifest.access.groups.iter().map(|(name, _)| name);
        let known: Vec<&str> = people()
            .chain(groups)
            .map(|name| name.value.as_str())
            .collect();
        let diagnostic = Diagnostic::error(
            "unknown-person",
            format!("`{}` is nobody under `[people]`, and no group", name.value),
        )
        .at(Place::new(self.source, name.span), "this name")
        .because("nobody could use the right that is given here")
        .help(format!("add `{} = \"age1…\"` to `[people]`", name.value));
        let diagnostic = near(diagnostic, &name.value, &known, "people");
        self.diagnostics.push(diagnostic);
        None
    }
}

fn near(diagnostic: Diagnostic, name: &str, known: &[&str], what: &str) -> Diagnostic {
    match spelling::closest(name, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => diagnostic,
        None => diagnostic.help(format!("{what}: {}", known.join(", "))),
    }
}
