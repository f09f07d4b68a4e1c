//! The way to an environment's first sealed file: which command comes next, in the words to type.

use ringfence_model::environment::Environment;

use crate::ambient::{self, Ambient};
use crate::failure::{Error, Failure, exit};
use crate::load::Loaded;
use crate::sealed::About;
use crate::sealed::keys::Keys;

/// Nobody is named whom a file could be sealed for.
pub(super) fn nobody_yet(about: &About<'_>, ambient: &Ambient) -> Error {
    let name = &about.environment.name;
    let message = format!("nobody may read the secrets of `{name}` yet; nothing was written");
    Failure::error(exit::REFUSED, message).hint(steps(about.loaded, about.environment, ambient))
}

/// What is still missing, in order.
pub(super) fn steps(loaded: &Loaded, environment: &Environment, ambient: &Ambient) -> String {
    let mut steps = Vec::new();
    if !loaded.project.has_manifest {
        steps.push("`ringfence init` writes the manifest".to_owned());
    }
    let own = Keys::new(ambient)
        .publics()
        .into_iter()
        .find(|key| key.starts_with("age1"));
    if own.is_none() {
        steps.push("`ringfence secret keygen` makes a key".to_owned());
    }
    let key = own.unwrap_or_else(|| "AGE-KEY".to_owned());
    let grant = grant(loaded, environment, &key, ambient);
    steps.push(format!("{grant} lets you in"));
    steps.join(", then ")
}

/// The command that lets its caller read, and edit where files need a seal.
fn grant(loaded: &Loaded, environment: &Environment, key: &str, ambient: &Ambient) -> String {
    let name = &environment.name;
    let keeping = loaded.project.people.keeping(name);
    let line = format!(
        "ringfence secret grant {name} {} --key {key}",
        caller(ambient)
    );
    if keeping.requires_seal(environment.tier) {
        return with_ssh_key(&line, ambient);
    }
    format!("`{line}`")
}

/// How somebody becomes an editor.
pub(super) fn editor(environment: &str, ambient: &Ambient) -> String {
    let line = format!("ringfence secret grant {environment} {}", caller(ambient));
    format!("{} says it", with_ssh_key(&line, ambient))
}

fn with_ssh_key(line: &str, ambient: &Ambient) -> String {
    let whole = format!("`{line} --edit --key \"$(cat ~/.ssh/id_ed25519.pub)\"`");
    let public = ambient.home().map(|home| home.join(".ssh/id_ed25519.pub"));
    if public.is_some_and(|path| ambient::exists(&path)) {
        return whole;
    }
    format!("`ssh-keygen -t ed25519` makes a key that seals, then {whole}")
}

/// The caller's name, where it can stand in a manifest.
fn caller(ambient: &Ambient) -> &str {
    let named = ambient.host.get("USER").and_then(|name| name.to_str());
    let plain = |name: &&str| {
        let letters = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        !name.is_empty() && *name != "root" && name.chars().all(letters)
    };
    named.filter(plain).unwrap_or("YOUR-NAME")
}
