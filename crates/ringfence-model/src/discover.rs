//! Which of a folder's files belong to which environment, told by their names alone.

use crate::tier::Tier;

/// What the name of a file in the `.env` family says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileRole {
    /// `.env`: shared by all environments, or the one file of a project that has no other.
    Shared,
    /// `.env.<word>`: an environment's file, where the word names one.
    Environment(String),
    /// `.env.<word>.enc`, `secrets/<word>.env`, `secrets/<word>.json`: an environment's sealed file, where it is sealed.
    Sealed(String),
    /// `.env.local`, `.env.<word>.local`: one person's own, on top of `.env` or the word's file.
    Personal(Option<String>),
    /// `.env.example` and the like: to be copied, never read.
    Template,
    /// Vaults, keys, schemas, editor's and backup files: other tools' business.
    Foreign,
}

/// The file that people would write for an environment of that name. `.env.local` is one person's, so `local` has
/// the file of the word that means the same.
#[must_use]
pub fn usual_file(name: &str) -> String {
    let file = format!(".env.{}", name.to_ascii_lowercase());
    match role(&file) {
        Some(FileRole::Environment(_)) => file,
        _ => ".env.dev".to_owned(),
    }
}

/// The folder in which sealed files are looked for, besides the root.
pub const SEALED_FOLDER: &str = "secrets/";

const TEMPLATES: &[&str] = &["example", "sample", "template", "dist", "defaults", "tpl"];
const FOREIGN: &[&str] = &[
    "vault", "keys", "schema", "me", "previous", "age", "enc", "gpg", "sops",
];
const BACKUPS: &[&str] = &[
    "bak", "backup", "orig", "old", "save", "swp", "swo", "tmp", "rej", "seal", "lock",
];

/// The role of a file name; `None` where it is not in the `.env` family.
#[must_use]
pub fn role(file_name: &str) -> Option<FileRole> {
    if let Some(name) = file_name.strip_prefix(SEALED_FOLDER) {
        let word = name.strip_suffix(".env").or(name.strip_suffix(".json"))?;
        let plain = !word.is_empty() && !word.contains(['/', '.']);
        return plain.then(|| FileRole::Sealed(word.to_ascii_lowercase()));
    }
    let rest = file_name.strip_prefix(".env")?;
    if rest.is_empty() {
        return Some(FileRole::Shared);
    }
    if rest.starts_with('~') || rest.ends_with('~') {
        return Some(FileRole::Foreign);
    }
    let parts: Vec<String> = rest
        .strip_prefix('.')?
        .split('.')
        .map(str::to_ascii_lowercase)
        .collect();
    let last = parts.last().map_or("", String::as_str);
    let any = |words: &[&str]| parts.iter().any(|part| words.contains(&part.as_str()));
    let role = match parts.as_slice() {
        [word, last] if last == "enc" && !any(BACKUPS) && !word.is_empty() => {
            FileRole::Sealed(word.clone())
        }
        _ if any(BACKUPS) || any(FOREIGN) => FileRole::Foreign,
        _ if any(TEMPLATES) => FileRole::Template,
        [only] if only == "local" => FileRole::Personal(None),
        [word] if !word.is_empty() => FileRole::Environment(word.clone()),
        [word, _] if last == "local" => FileRole::Personal(Some(word.clone())),
        _ => FileRole::Foreign,
    };
    Some(role)
}

/// Well-known variables that name an environment, besides `APP_ENV`.
pub const OTHER_SELECTORS: &[&str] = &[
    "ENVIRONMENT",
    "ENV",
    "APP_ENVIRONMENT",
    "DJANGO_ENV",
    "FASTAPI_ENV",
    "RAILS_ENV",
    "SPRING_PROFILES_ACTIVE",
];

/// The selector where nothing else is said.
pub const DEFAULT_SELECTOR: &str = "APP_ENV";

/// The variable by which a project's own files name the environment: `APP_ENV` unless they set exactly one other.
#[must_use]
pub fn selector<'a>(names: impl IntoIterator<Item = &'a str>) -> &'static str {
    let mut found: Vec<&'static str> = Vec::new();
    for name in names {
        if name == DEFAULT_SELECTOR {
            return DEFAULT_SELECTOR;
        }
        let known = OTHER_SELECTORS.iter().find(|known| **known == name);
        found.extend(known.filter(|known| !found.contains(known)));
    }
    match found.as_slice() {
        [only] => only,
        _ => DEFAULT_SELECTOR,
    }
}

/// The words of all environment files among `file_names`, by tier, one for each spelling group, and the file names.
#[must_use]
pub fn environments(file_names: &[String]) -> Vec<(String, Tier)> {
    let mut found: Vec<(String, Tier)> = Vec::new();
    for name in file_names {
        let Some(FileRole::Environment(word) | FileRole::Sealed(word)) = role(name) else {
            continue;
        };
        let Some(tier) = Tier::of_word(&word) else {
            continue;
        };
        if !found
            .iter()
            .any(|(known, _)| crate::tier::same_word(known, &word))
        {
            found.push((word, tier));
        }
    }
    if has_one_file(file_names) {
        found.push(("dev".to_owned(), Tier::Development));
    }
    found.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
    found
}

/// Whether there is `.env` and no file of an environment: then it is the file of the one environment, `dev`.
#[must_use]
pub fn has_one_file(file_names: &[String]) -> bool {
    let environment = |name: &String| matches!(role(name), Some(FileRole::Environment(word) | FileRole::Sealed(word)) if Tier::of_word(&word).is_some());
    file_names
        .iter()
        .any(|name| role(name) == Some(FileRole::Shared))
        && !file_names.iter().any(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: impl Into<Option<FileRole>>) {
        assert_eq!(role(name), expected.into(), "{name}");
    }

    #[test]
    fn roles_follow_from_names() {
        check(".env", Some(FileRole::Shared));
        check(".env.Prod", Some(FileRole::Environment("prod".into())));
        check(".env.local", Some(FileRole::Personal(None)));
        check(
            ".env.test.local",
            Some(FileRole::Personal(Some("test".into()))),
        );
        for template in [
            ".env.example",
            ".env.prod.example",
            ".env.dist",
            ".env.sample",
        ] {
            check(template, Some(FileRole::Template));
        }
        for foreign in [
            ".env.vault",
            ".env.keys",
            ".env.schema",
            ".env~",
            ".env.prod~",
            ".env.prod.bak",
            ".env.prod.swp",
        ] {
            check(foreign, Some(FileRole::Foreign));
        }
        for sealed in [".env.prod.enc", "secrets/prod.env", "secrets/prod.json"] {
            check(sealed, Some(FileRole::Sealed("prod".into())));
        }
        check("secrets/a.b.json", None);
        check(".envrc", None);
        check("env.prod", None);
    }

    #[test]
    fn one_other_selector_is_taken_two_are_not() {
        assert_eq!(
            selector(["DEBUG", "ENVIRONMENT", "ENVIRONMENT"]),
            "ENVIRONMENT"
        );
        assert_eq!(selector(["ENVIRONMENT", "DJANGO_ENV"]), "APP_ENV");
        assert_eq!(selector(["ENVIRONMENT", "APP_ENV"]), "APP_ENV");
        assert_eq!(selector(["NODE_ENV"]), "APP_ENV");
    }
}
