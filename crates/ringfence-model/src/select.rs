//! Which environment is meant.

use ringfence_diagnostic::{Diagnostic, Place, spelling};

use crate::discover::{self, FileRole};
use crate::environment::{Environment, Files, Named};
use crate::host::Host;
use crate::project::{Project, Unread, list};
use crate::tier::Tier;

/// How an environment was selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Named on the command line.
    Argument,
    /// Named by the selector variable.
    Variable(String),
    /// The manifest's `default`.
    Default(Place),
    /// The first of the chain, where that is of tier development.
    First,
}

/// The environment that is meant, first found: the argument, the selector variable, the declared default, the first
/// environment of the chain where its tier is development. Production is never a default.
///
/// # Errors
/// A diagnostic where the name is unknown or ambiguous, or where nothing says which one is meant.
pub fn select<'a>(
    project: &'a Project,
    argument: Option<&str>,
    selector: &str,
    host: &Host,
) -> Result<(&'a Environment, By), Box<Diagnostic>> {
    if let Some(name) = argument {
        return find(project, name, None).map(|environment| (environment, By::Argument));
    }
    let variable = host.get(selector).filter(|value| !value.is_empty());
    if let Some(value) = variable {
        let name = value.to_string_lossy();
        return find(project, &name, Some(selector))
            .map(|environment| (environment, By::Variable(selector.to_owned())));
    }
    if let Some((name, place)) = &project.default
        && let Named::One(environment) = project.named(name)
    {
        return Ok((environment, By::Default(*place)));
    }
    match project.environments.first() {
        Some(first) if first.tier == Tier::Development => Ok((first, By::First)),
        Some(_) => Err(Box::new(none_selected(project, selector))),
        None => Err(Box::new(no_environment(project))),
    }
}

/// The environment of that name.
///
/// # Errors
/// A diagnostic where the project has none of that name, or several. `variable` is the variable that holds the name,
/// where it was not given on the command line.
pub fn find<'a>(
    project: &'a Project,
    name: &str,
    variable: Option<&str>,
) -> Result<&'a Environment, Box<Diagnostic>> {
    let is_known_word = Tier::of_word(name).is_some()
        || unknown_words(project).any(|word| word.eq_ignore_ascii_case(name));
    if project.environments.is_empty() && !is_known_word {
        return Err(Box::new(no_environment(project)));
    }
    match project.named(name) {
        Named::One(environment) => Ok(environment),
        Named::Several(several) => Err(Box::new(ambiguous(name, &several))),
        Named::None => Err(Box::new(unknown(project, name, variable))),
    }
}

fn unknown(project: &Project, name: &str, variable: Option<&str>) -> Diagnostic {
    let said = variable.map_or_else(
        || format!("`{name}`"),
        |variable| format!("`{variable}={name}`"),
    );
    match (suggestion(project, name), Tier::of_word(name)) {
        (Some(near), None) => unknown_name(project, &said).help(format!("did you mean `{near}`?")),
        (_, Some(tier)) => missing_file(project, name, &said, tier),
        (None, None) => unknown_name(project, &said).help(declare(name)),
    }
}

fn unknown_name(project: &Project, said: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        "unknown-environment-name",
        format!("{said} names no environment of this project"),
    )
    .because("nothing was started: an unknown name never falls back to another environment");
    if project.environments.is_empty() {
        return diagnostic;
    }
    diagnostic.help(format!(
        "known environments: {}",
        list(&project.environments)
    ))
}

/// A word that every project knows, in a project that has no file for it.
fn missing_file(project: &Project, name: &str, said: &str, tier: Tier) -> Diagnostic {
    let file = discover::usual_file(name);
    let message = format!("{said} has no file of its own: `{file}` is missing");
    let shared = project
        .environments
        .iter()
        .any(|environment| environment.paths() == [".env"]);
    let consequence = if project.shared.is_some() || shared {
        "nothing was started: `.env` is never used in its place"
    } else {
        "nothing was started: no other file is used in its place"
    };
    let diagnostic = Diagnostic::error("missing-environment-file", message).because(consequence);
    let diagnostic = match project.has_manifest && project.environments.iter().any(|e| e.declared.is_some()) {
        true => diagnostic.help(format!(
            "declare it in `ringfence.toml` under `[environments]`, `{name} = {{ tier = \"{tier}\" }}`, and create `{file}`"
        )),
        false => diagnostic.help(format!("create `{file}` with the settings of `{name}`")),
    };
    let diagnostic = match tier {
        Tier::Development if project.shared.is_some() => diagnostic.help(format!(
            "or, if `.env` holds the settings of `{name}` alone, say so in `ringfence.toml`: under `[environments]`, `{name} = {{ tier = \"{tier}\", files = [\".env\"] }}` beside the others"
        )),
        _ => diagnostic,
    };
    if project.environments.is_empty() {
        return diagnostic;
    }
    diagnostic.help(format!(
        "known environments: {}",
        list(&project.environments)
    ))
}

/// The environment that was probably meant: near to a name, an alias, or a word of its tier.
fn suggestion<'a>(project: &'a Project, name: &str) -> Option<&'a str> {
    let words = project.environments.iter().flat_map(|environment| {
        let own = std::iter::once(environment.name.as_str())
            .chain(environment.aliases.iter().map(String::as_str));
        own.chain(environment.tier.words().map(|word| -> &'a str { word }))
    });
    let near = spelling::closest(name, words)?;
    match project.named(near) {
        Named::One(environment) => Some(&environment.name),
        Named::Several(_) | Named::None => None,
    }
}

fn ambiguous(name: &str, several: &[&Environment]) -> Diagnostic {
    let names: Vec<_> = several
        .iter()
        .map(|environment| format!("`{}`", environment.name))
        .collect();
    Diagnostic::error(
        "ambiguous-environment-name",
        format!("`{name}` could be {}", names.join(" or ")),
    )
    .because("nothing was started: which one is meant is never guessed")
    .help(format!(
        "name one of them, or add `aliases = [\"{name}\"]` to it in `ringfence.toml`"
    ))
}

fn none_selected(project: &Project, selector: &str) -> Diagnostic {
    Diagnostic::error("no-environment-selected", "no environment is named")
        .because("nothing was started: only an environment of tier development is taken unasked")
        .help(format!("name one: {}", list(&project.environments)))
        .help(format!(
            "or set `{selector}`, or `default` in `ringfence.toml`"
        ))
}

fn no_environment(project: &Project) -> Diagnostic {
    let diagnostic = Diagnostic::error("no-environment", "this project has no environment")
        .because(
            "nothing was started: there is neither an `.env.<environment>` file nor a manifest",
        )
        .help("create `.env.dev` with the settings of the development environment")
        .help("or go to the project's folder, or name it with `-C FOLDER`");
    match unknown_words(project).next() {
        Some(word) => diagnostic.help(declare(&word)),
        None => diagnostic,
    }
}

/// The words of files that would be an environment's, if anybody said of which tier.
fn unknown_words(project: &Project) -> impl Iterator<Item = String> {
    let unknown = project
        .unread
        .iter()
        .filter(|(_, why)| *why == Unread::UnknownWord);
    unknown.filter_map(|(file, _)| match discover::role(file)? {
        FileRole::Environment(word) => Some(word),
        _ => None,
    })
}

fn declare(name: &str) -> String {
    format!(
        "to make `{name}` an environment, say its tier in `ringfence.toml`: under `[environments]`, `{name} = {{ tier = \"development\" }}`"
    )
}

/// What is wrong with an environment's own files, before any of them is read.
#[must_use]
pub fn file_problem(environment: &Environment) -> Option<Diagnostic> {
    if environment.sealed.len() > 1 {
        return Some(several_files(environment, &environment.sealed));
    }
    match &environment.files {
        Files::Missing if !environment.sealed.is_empty() => None,
        Files::Found(_) | Files::Listed(_) => None,
        Files::Missing if environment.from_host => None,
        Files::Missing => Some(no_own_file(environment)),
        Files::Ambiguous(files) => Some(several_files(environment, files)),
    }
}

fn no_own_file(environment: &Environment) -> Diagnostic {
    let name = &environment.name;
    let file = environment.usual_file();
    let diagnostic = Diagnostic::error(
        "missing-environment-file",
        format!("`{name}` has no file of its own: `{file}` is missing"),
    )
    .because("nothing was started: no other file is used in its place")
    .help(format!("create `{file}` with the settings of `{name}`"))
    .help("or say in the manifest where they come from: `files = [\"…\"]`, `files = []` for none, or `from = \"host\"`");
    match environment.declared {
        Some(place) => diagnostic.at(place, "declared here"),
        None => diagnostic,
    }
}

fn several_files(environment: &Environment, files: &[String]) -> Diagnostic {
    let name = &environment.name;
    let quoted: Vec<_> = files.iter().map(|file| format!("`{file}`")).collect();
    Diagnostic::error("ambiguous-environment-file", format!("`{name}` has several files: {}", quoted.join(", ")))
        .because("nothing was started: each loader reads another one of them, and which is right is never guessed")
        .help("keep one of them; move what the other says into it")
        .help(format!("or list them in the manifest: `{name} = {{ files = [\"…\"] }}`, later ones above earlier ones"))
}
