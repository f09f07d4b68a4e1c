//! What a file is, told by its path alone: its format, which environment it is for, and which files it stands beside.

use ringfence_model::discover::{self, FileRole, SEALED_FOLDER};
use ringfence_model::tier::Tier;

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// `NAME=value`.
    Dotenv,
    /// Nested configuration.
    Yaml,
    /// Nested configuration.
    Json,
    /// Nested configuration.
    Toml,
    /// `name=value` as Java reads it.
    Properties,
    /// Docker Compose.
    Compose,
    /// `Dockerfile`.
    Dockerfile,
    /// A shell script or a Makefile.
    Script,
    /// `phpunit.xml`.
    Phpunit,
    /// A GitHub workflow.
    Workflow,
    /// `render.yaml`.
    Render,
    /// `fly.toml`.
    Fly,
    /// A list of services with `envs`: DigitalOcean's app spec.
    AppSpec,
    /// `.gitignore`.
    Gitignore,
    /// `.dockerignore`.
    Dockerignore,
    /// A file whose presence says which language, and so which loaders, a project uses.
    Marker,
}

/// Whom a file is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// One environment, named by this word.
    Environment(String),
    /// All environments of its family.
    Shared,
    /// One person.
    Personal(Option<String>),
    /// Nobody: it is copied and filled in, for the environment of this word or for any.
    Template(Option<String>),
    /// Neither: a word that is no environment's (`.env.docker`).
    Other(String),
}

/// What a path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// How to read it.
    pub format: Format,
    /// Whom it is for.
    pub role: Role,
    /// What it has in common with the files that stand for the same thing in other environments.
    pub family: String,
}

const TEMPLATE_WORDS: &[&str] = &[
    "example", "sample", "template", "dist", "defaults", "tpl", "tmpl", "skel",
];
const FOREIGN_WORDS: &[&str] = &[
    "vault", "keys", "schema", "me", "previous", "age", "enc", "gpg", "sops", "bak", "backup",
    "orig", "old", "save", "swp", "swo", "tmp", "rej", "seal", "lock", "py", "rb", "ts", "js",
    "mjs", "rs", "go", "php", "d", "md", "txt", "json", "yml", "yaml", "toml", "sh", "j2", "erb",
    "tsx",
];
/// Folders whose files are nobody's configuration.
const UNREAD_FOLDERS: &[&str] = &[
    "fixtures",
    "fixture",
    "__fixtures__",
    "testdata",
    "test-data",
    "test_data",
    "__mocks__",
    "mocks",
    "snapshots",
    "__snapshots__",
    "locales",
    "locale",
    "i18n",
    "translations",
    "node_modules",
    "vendor",
    "third_party",
];
const CONFIG_FOLDERS: &[&str] = &[
    "config",
    "configs",
    "configuration",
    "configurations",
    "conf",
    "settings",
    "env",
    "envs",
    "environment",
    "environments",
    "cfg",
    "etc",
    "properties",
    "resources",
];
const CONFIG_STEMS: &[&str] = &[
    "application",
    "appsettings",
    "settings",
    "config",
    "configuration",
    "conf",
    "values",
    "secrets",
    "environment",
    "env",
    "bootstrap",
    "app",
    "database",
    "parameters",
    "params",
    "server",
    "log4j2",
    "runtime",
];
const SHARED_STEMS: &[&str] = &[
    "base",
    "default",
    "defaults",
    "common",
    "shared",
    "global",
    "application",
    "config",
    "settings",
    "_default",
    "all",
];

/// What the path of a file says; `None` for a file that is no configuration.
///
/// `path` is from the project's root, with `/` between its parts.
#[must_use]
pub fn of(path: &str) -> Option<Layout> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if folder.split('/').any(|part| UNREAD_FOLDERS.contains(&part)) {
        return None;
    }
    let lowered = name.to_ascii_lowercase();
    well_known(folder, &lowered)
        .or_else(|| compose(folder, &lowered))
        .or_else(|| dotenv(folder, &lowered))
        .or_else(|| nested(folder, &lowered))
}

/// What the path of a sealed file says: `.env.prod.enc`, `secrets/prod.env` and `secrets/prod.json` go on top of the `.env.prod` that
/// they stand beside. `None` for a file that is the same whether it is sealed or not.
#[must_use]
pub fn sealed(path: &str) -> Option<Layout> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let kept = SEALED_FOLDER.trim_end_matches('/');
    let (above, last) = folder.rsplit_once('/').unwrap_or(("", folder));
    if last != kept && !name.starts_with(".env") {
        return None;
    }
    let (folder, name) = if last == kept {
        (above, format!("{SEALED_FOLDER}{name}"))
    } else {
        (folder, name.to_owned())
    };
    let Some(FileRole::Sealed(word)) = discover::role(&name) else {
        return None;
    };
    if folder.split('/').any(|part| UNREAD_FOLDERS.contains(&part)) {
        return None;
    }
    let role = match Tier::of_word(&word) {
        Some(_) => Role::Environment(word),
        None => Role::Other(word),
    };
    Some(Layout {
        format: Format::Dotenv,
        role,
        family: join(folder, ".env*"),
    })
}

/// Whether the file at that path may be one that SOPS wrote in its dotenv or JSON form.
#[must_use]
pub fn is_of_sops_kind(path: &str) -> bool {
    of(path).is_some_and(|layout| matches!(layout.format, Format::Dotenv | Format::Json))
}

fn alone(format: Format, folder: &str, name: &str) -> Layout {
    Layout {
        format,
        role: Role::Shared,
        family: join(folder, name),
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// Files whose name says everything.
fn well_known(folder: &str, name: &str) -> Option<Layout> {
    let stem = name.split('.').next().unwrap_or(name);
    let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
    let format = match name {
        ".gitignore" => Format::Gitignore,
        ".dockerignore" => Format::Dockerignore,
        "package.json" | "pyproject.toml" | "requirements.txt" | "cargo.toml" | "pipfile"
        | "setup.py" | "manage.py" | "composer.json" | "gemfile" | "go.mod" | "deno.json"
        | "bun.lockb" => Format::Marker,
        "phpunit.xml" | "phpunit.xml.dist" | "phpunit.dist.xml" => Format::Phpunit,
        "makefile" | "gnumakefile" | "justfile" => Format::Script,
        "render.yaml" | "render.yml" => Format::Render,
        _ if is_yaml && (folder == ".do" || name == "spec.yaml" || name == "app.yaml") => {
            Format::AppSpec
        }
        _ if is_yaml && folder.ends_with(".github/workflows") => Format::Workflow,
        _ if stem == "fly" && name.ends_with(".toml") => {
            return Some(suffixed(Format::Fly, folder, name));
        }
        _ if stem == "dockerfile" || stem == "containerfile" || name.ends_with(".dockerfile") => {
            Format::Dockerfile
        }
        _ if [".sh", ".bash", ".zsh"]
            .iter()
            .any(|end| name.ends_with(end)) =>
        {
            Format::Script
        }
        _ => return None,
    };
    Some(alone(format, folder, name))
}

/// `docker-compose.yml`, `compose.prod.yaml` and their kin.
fn compose(folder: &str, name: &str) -> Option<Layout> {
    let stem = name
        .strip_suffix(".yml")
        .or_else(|| name.strip_suffix(".yaml"))?;
    let rest = stem
        .strip_prefix("docker-compose")
        .or_else(|| stem.strip_prefix("compose"))?;
    let words: Vec<&str> = rest
        .split(['.', '-', '_'])
        .filter(|word| !word.is_empty())
        .collect();
    let template = words.iter().any(|word| TEMPLATE_WORDS.contains(word));
    let environment = words.iter().find(|word| Tier::of_word(word).is_some());
    let role = match (environment, words.as_slice()) {
        _ if template => Role::Template(environment.map(|word| (*word).to_owned())),
        (Some(word), _) => Role::Environment((*word).to_owned()),
        (None, []) => Role::Shared,
        (None, _) => Role::Other(words.join("-")),
    };
    Some(Layout {
        format: Format::Compose,
        role,
        family: join(folder, "compose"),
    })
}

fn suffixed(format: Format, folder: &str, name: &str) -> Layout {
    let words: Vec<&str> = name.split(['.', '-', '_']).collect();
    let environment = words.iter().find(|word| Tier::of_word(word).is_some());
    Layout {
        format,
        role: environment.map_or(Role::Shared, |word| Role::Environment((*word).to_owned())),
        family: join(folder, words.first().copied().unwrap_or(name)),
    }
}

/// `.env`, `.env.prod`, `prod.env`, `env.prod`, `.envs/.production/.django`, `env/prod/.env`.
fn dotenv(folder: &str, name: &str) -> Option<Layout> {
    if let Some(layout) = in_environment_folder(folder, name) {
        return Some(layout);
    }
    let rest = name
        .strip_prefix(".env")
        .or_else(|| name.strip_prefix("env."))
        .or_else(|| name.strip_suffix(".env"))
        .or_else(|| before_env(name))?;
    if name.starts_with(".envrc")
        || rest.ends_with('~')
        || name.starts_with(".env") && !rest.is_empty() && !rest.starts_with(['.', '-', '_'])
    {
        return None;
    }
    let words: Vec<&str> = rest
        .split(['.', '-', '_'])
        .filter(|word| !word.is_empty())
        .collect();
    if words.iter().any(|word| FOREIGN_WORDS.contains(word))
        || (name.starts_with("env.") && !knows(&words))
    {
        return None;
    }
    let (role, variant) = role_of(&words);
    let family = join(folder, &format!("{variant}.env*"));
    Some(Layout {
        format: Format::Dotenv,
        role,
        family,
    })
}

/// `prod.env.example` without its `.env.`.
fn before_env(name: &str) -> Option<&str> {
    let (before, after) = name.split_once(".env.")?;
    TEMPLATE_WORDS
        .contains(&after)
        .then_some(before)
        .filter(|before| !before.is_empty())
}

fn knows(words: &[&str]) -> bool {
    words.iter().all(|word| {
        Tier::of_word(word).is_some() || TEMPLATE_WORDS.contains(word) || *word == "local"
    })
}

/// Whom the words of a name speak of, and what is left of them: `.env.prod.worker` is `worker`'s in production.
fn role_of(words: &[&str]) -> (Role, String) {
    let template = words.iter().any(|word| TEMPLATE_WORDS.contains(word));
    let rest: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| !TEMPLATE_WORDS.contains(word))
        .collect();
    let personal = rest.last() == Some(&"local");
    let environment = rest
        .iter()
        .copied()
        .find(|word| Tier::of_word(word).is_some() && *word != "local");
    let others: Vec<&str> = rest
        .iter()
        .copied()
        .filter(|word| Some(*word) != environment && *word != "local")
        .collect();
    let word = environment.map(str::to_owned);
    let role = match (word, others.as_slice()) {
        (word, _) if template => {
            Role::Template(word.or_else(|| personal.then(|| "local".to_owned())))
        }
        (word, _) if personal => Role::Personal(word),
        (Some(word), _) => Role::Environment(word),
        (None, []) => Role::Shared,
        (None, _) => return (Role::Other(others.join("-")), String::new()),
    };
    (role, others.join("-"))
}

/// A folder for each environment: `.envs/.production/.django`, `environments/prod/.env`.
fn in_environment_folder(folder: &str, name: &str) -> Option<Layout> {
    let (above, word) = folder.rsplit_once('/')?;
    let word = word.trim_start_matches('.');
    Tier::of_word(word)?;
    let parent = above.rsplit('/').next().unwrap_or(above);
    let all_are_env_files = parent == ".envs";
    let is_env = name == ".env" || name.ends_with(".env");
    let is_place = all_are_env_files
        || [
            "env",
            "envs",
            "environment",
            "environments",
            "deploy",
            "deployments",
            "config",
        ]
        .contains(&parent);
    if !is_place
        || !(is_env || all_are_env_files)
        || TEMPLATE_WORDS
            .iter()
            .any(|template| name.ends_with(template))
    {
        return None;
    }
    Some(Layout {
        format: Format::Dotenv,
        role: Role::Environment(word.to_owned()),
        family: format!("{above}/*/{name}"),
    })
}

/// YAML, JSON, TOML and properties whose name, or whose folder's name, says that they are configuration.
fn nested(folder: &str, name: &str) -> Option<Layout> {
    let (stem, extension) = name.rsplit_once('.')?;
    let format = match extension {
        "yml" | "yaml" => Format::Yaml,
        "json" => Format::Json,
        "toml" => Format::Toml,
        "properties" => Format::Properties,
        _ => return None,
    };
    let parent = folder.rsplit('/').next().unwrap_or(folder);
    let in_config = CONFIG_FOLDERS.contains(&parent);
    let layout = |role, what: &str| {
        Some(Layout {
            format,
            role,
            family: join(folder, &format!("{what}*.{extension}")),
        })
    };
    if in_config && Tier::of_word(stem).is_some() {
        return layout(Role::Environment(stem.to_owned()), "");
    }
    if in_config && SHARED_STEMS.contains(&stem) && !CONFIG_STEMS.contains(&stem) {
        return layout(Role::Shared, "");
    }
    let words: Vec<&str> = stem.split(['.', '-', '_']).collect();
    let (first, rest) = words.split_first()?;
    if rest.is_empty() {
        let known = CONFIG_STEMS.contains(first) || in_config;
        return if known {
            layout(Role::Shared, first)
        } else {
            None
        };
    }
    let template = rest.iter().any(|word| TEMPLATE_WORDS.contains(word));
    let environment = rest
        .iter()
        .copied()
        .find(|word| Tier::of_word(word).is_some());
    let is_config = CONFIG_STEMS.contains(first);
    match (environment, rest.len()) {
        (word, _) if template && is_config => {
            layout(Role::Template(word.map(str::to_owned)), first)
        }
        (Some(word), 1) if is_config => layout(Role::Environment(word.to_owned()), first),
        (None, 1) if is_config => layout(Role::Other(rest.join("-")), first),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Option<(Format, Role, &str)>) {
        let found = of(path).map(|layout| (layout.format, layout.role, layout.family));
        let expected = expected.map(|(format, role, family)| (format, role, family.to_owned()));
        assert_eq!(found, expected, "{path}");
    }

    fn environment(word: &str) -> Role {
        Role::Environment(word.to_owned())
    }

    #[test]
    fn env_files_of_all_shapes() {
        check(".env", Some((Format::Dotenv, Role::Shared, ".env*")));
        check(
            "web/.env.Prod",
            Some((Format::Dotenv, environment("prod"), "web/.env*")),
        );
        check(
            "prod.env",
            Some((Format::Dotenv, environment("prod"), ".env*")),
        );
        check(
            ".env.prod.worker",
            Some((Format::Dotenv, environment("prod"), "worker.env*")),
        );
        check(
            ".env.local",
            Some((Format::Dotenv, Role::Personal(None), ".env*")),
        );
        check(
            ".env.prod.example",
            Some((Format::Dotenv, Role::Template(Some("prod".into())), ".env*")),
        );
        check(
            ".env.docker",
            Some((Format::Dotenv, Role::Other("docker".into()), ".env*")),
        );
        check(
            ".envs/.production/.django",
            Some((Format::Dotenv, environment("production"), ".envs/*/.django")),
        );
        check(
            "environments/dev/.env",
            Some((Format::Dotenv, environment("dev"), "environments/*/.env")),
        );
        for other in [
            ".envrc",
            ".env.vault",
            ".env.prod.bak",
            "src/env.ts",
            "env.d.ts",
            "tests/fixtures/.env.prod",
        ] {
            check(other, None);
        }
    }

    #[test]
    fn nested_files_of_frameworks() {
        check(
            "config/prod.yml",
            Some((Format::Yaml, environment("prod"), "config/*.yml")),
        );
        check(
            "configuration/base.yaml",
            Some((Format::Yaml, Role::Shared, "configuration/*.yaml")),
        );
        check(
            "settings-test.yaml",
            Some((Format::Yaml, environment("test"), "settings*.yaml")),
        );
        check(
            "settings.yaml",
            Some((Format::Yaml, Role::Shared, "settings*.yaml")),
        );
        check(
            "appsettings.Production.json",
            Some((Format::Json, environment("production"), "appsettings*.json")),
        );
        check(
            "src/main/resources/application-prod.properties",
            Some((
                Format::Properties,
                environment("prod"),
                "src/main/resources/application*.properties",
            )),
        );
        check(
            "config/database.yml",
            Some((Format::Yaml, Role::Shared, "config/database*.yml")),
        );
        check("docs/demo.yml", None);
        check("openapi-dev.yaml", None);
    }

    #[test]
    fn sealed_files_go_on_top_of_the_plain_one_beside_them() {
        for (path, family) in [
            (".env.prod.enc", ".env*"),
            ("secrets/prod.json", ".env*"),
            ("web/secrets/prod.env", "web/.env*"),
        ] {
            let found = sealed(path).map(|layout| (layout.role, layout.family));
            assert_eq!(
                found,
                Some((environment("prod"), family.to_owned())),
                "{path}"
            );
        }
        for other in [
            ".env.prod",
            "prod.env",
            "secrets.yaml",
            "fixtures/.env.prod.enc",
        ] {
            assert_eq!(sealed(other), None, "{other}");
        }
    }

    #[test]
    fn files_that_wire_others() {
        check(
            "docker-compose.prod.yml",
            Some((Format::Compose, environment("prod"), "compose")),
        );
        check(
            "compose.override.yml",
            Some((Format::Compose, Role::Other("override".into()), "compose")),
        );
        check(
            "deploy/Dockerfile.prod",
            Some((Format::Dockerfile, Role::Shared, "deploy/dockerfile.prod")),
        );
        check(
            ".github/workflows/ci.yml",
            Some((Format::Workflow, Role::Shared, ".github/workflows/ci.yml")),
        );
        check(
            "fly.staging.toml",
            Some((Format::Fly, environment("staging"), "fly")),
        );
    }
}
