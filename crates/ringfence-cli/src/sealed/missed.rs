//! Sealed files that must be there and are not, or cannot be read: without them, an environment would start with what is left.

use ringfence_diagnostic::Diagnostic;
use ringfence_model::discover::{self, FileRole};
use ringfence_model::environment::Environment;

use crate::ambient;
use crate::load::Loaded;

/// A sealed file that nobody can open as it is.
pub(crate) struct Missed {
    /// Its path from the root.
    pub(crate) path: String,
    /// What is wrong with it.
    pub(crate) why: String,
}

impl Missed {
    /// Why nothing starts.
    pub(super) fn diagnostic(&self, environment: &str) -> Diagnostic {
        Diagnostic::error(
            "sealed-file-damaged",
            format!("`{}` {}", self.path, self.why),
        )
        .because("nothing was done: no other value is used in the place of a sealed one")
        .help("take it from git again, or from whoever sealed it")
        .help(format!(
            "or, if `{environment}` is to go without it, remove it together with its seal"
        ))
    }
}

/// The first file that has a sealed file's name, or the seal of one beside it, and is none. What is whole and only has the name is
/// another tool's.
pub(crate) fn find(loaded: &Loaded, environment: &Environment) -> Option<Missed> {
    let is_own = |path: &String| {
        let Some(FileRole::Sealed(word)) = discover::role(path) else {
            return false;
        };
        let found = loaded.find(&word);
        found.is_ok_and(|found| found.name == environment.name)
    };
    let mut paths: Vec<String> = candidates(loaded).into_iter().filter(is_own).collect();
    paths.sort_unstable();
    paths.retain(|path| !loaded.sealed.contains_key(path));
    paths.into_iter().find_map(|path| {
        let why = what_is_wrong(loaded, &path)?;
        Some(Missed { path, why })
    })
}

/// Paths with a name that sealed files have, or of which there is a seal.
fn candidates(loaded: &Loaded) -> Vec<String> {
    let mut paths = Vec::new();
    for folder in ["", discover::SEALED_FOLDER] {
        let is_sealed = |name: &str| {
            let path = format!("{folder}{}", without_seal(name));
            matches!(discover::role(&path), Some(FileRole::Sealed(_)))
        };
        let names = ambient::file_names(&loaded.root.join(folder), is_sealed);
        let names = names.unwrap_or_default().into_iter();
        paths.extend(names.map(|name| format!("{folder}{}", without_seal(&name))));
    }
    paths
}

fn without_seal(name: &str) -> &str {
    name.strip_suffix(".seal").unwrap_or(name)
}

fn what_is_wrong(loaded: &Loaded, path: &str) -> Option<String> {
    const ENCRYPTED: &[u8] = b"ENC[AES256_GCM,";
    let whole = loaded.root.join(path);
    let has_seal = ambient::exists(&loaded.root.join(format!("{path}.seal")));
    match ambient::read_file(&whole) {
        Err(_) if !ambient::exists(&whole) => {
            has_seal.then(|| "is missing, and its seal is there".to_owned())
        }
        Err(error) => Some(format!("cannot be read: {error}")),
        Ok(bytes) => {
            let encrypted = bytes.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED);
            encrypted.then(|| {
                "was cut off: its values are sealed, and what opens them is gone".to_owned()
            })
        }
    }
}
