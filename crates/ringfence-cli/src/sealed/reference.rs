//! Values that the manifest keeps elsewhere: `from = { command = […] }` and `from = { file = "…" }`.

use std::path::Path;

use ringfence_diagnostic::{Diagnostic, Place};
use ringfence_model::environment::Environment;
use ringfence_model::value::Value;
use ringfence_secret::value::Secret;
use ringfence_syntax::manifest::ValueSource;

use super::{Commands, refused};
use crate::ambient::{self, Ambient, CommandError};
use crate::failure::Failure;
use crate::load::{Loaded, MANIFEST};

/// Gets the values of all references that count in the environment; gives the names of those whose command was left.
pub(super) fn follow(
    loaded: &mut Loaded,
    environment: &Environment,
    commands: Commands,
    ambient: &Ambient,
) -> Result<Vec<String>, Failure> {
    let declarations = loaded
        .project
        .declarations
        .iter()
        .flat_map(|all| all.values());
    let wanted: Vec<(String, ValueSource, Place)> = declarations
        .filter_map(|declaration| {
            let (source, place) = declaration.from(environment)?;
            let elsewhere = !matches!(source, ValueSource::Host);
            elsewhere.then(|| (declaration.name.clone(), source.clone(), place))
        })
        .collect();
    let mut left = Vec::new();
    for (name, source, place) in wanted {
        if commands == Commands::Leave && matches!(source, ValueSource::Command(_)) {
            left.push(name);
            continue;
        }
        match value(&loaded.root, &source, ambient) {
            Ok(value) => {
                loaded
                    .documents
                    .refer(&environment.name, &name, Value::new(value.expose()));
            }
            Err((why, help)) => {
                let diagnostic =
                    Diagnostic::error("reference-failed", format!("`{name}` has no value: {why}"))
                        .at(place, "its value is kept there")
                        .because("nothing was started: no other value is used in its place")
                        .help(help);
                return Err(refused(loaded, diagnostic));
            }
        }
    }
    Ok(left)
}

/// The value without the line's end that commands and editors put behind it; else why there is none, and what mends it.
fn value(root: &Path, source: &ValueSource, ambient: &Ambient) -> Result<Secret, (String, String)> {
    let text = match source {
        ValueSource::Host => return Err(("it is the host's".to_owned(), String::new())),
        ValueSource::File(path) => file(root, path, ambient)?,
        ValueSource::Command(words) => command(root, words, ambient)?,
    };
    let plain = text.expose();
    let plain = plain.strip_suffix('\n').unwrap_or(plain);
    let plain = plain.strip_suffix('\r').unwrap_or(plain);
    if plain.contains('\0') {
        let why = "what is kept there has a NUL in it".to_owned();
        return Err((why, "no variable can hold that".to_owned()));
    }
    Ok(Secret::new(plain))
}

fn file(root: &Path, path: &str, ambient: &Ambient) -> Result<Secret, (String, String)> {
    let whole = match path.strip_prefix("~/") {
        Some(rest) => ambient.home().unwrap_or_default().join(rest),
        None => root.join(path),
    };
    super::keys::read_text(&whole).map_err(|error| {
        let why = format!("`{}` cannot be read: {error}", whole.display());
        (why, "create the file, or correct `from`".to_owned())
    })
}

/// Runs a command, without a shell, for a bounded time; what it prints is the value.
fn command(root: &Path, words: &[String], ambient: &Ambient) -> Result<Secret, (String, String)> {
    let Some((program, arguments)) = words.split_first() else {
        let help = "say `from = { command = [\"PROGRAM\", \"ARGUMENT\"] }`";
        return Err(("its command is empty".to_owned(), help.to_owned()));
    };
    // A manifest that others can write would let them run what they like as this user.
    let manifest = root.join(MANIFEST);
    if !ambient::only_ours(&manifest) || !ambient::only_ours(root) {
        let why = format!(
            "`{}` or its folder can be written by others, and says what to run",
            manifest.display()
        );
        return Err((
            why,
            format!("chmod go-w {} {}", manifest.display(), root.display()),
        ));
    }
    let shown = format!("`{program}`");
    ambient
        .output_of(program, arguments, root)
        .map_err(|error| match error {
            CommandError::NotStarted(error) => (
                format!("{shown} cannot be started: {error}"),
                "install it, or give its whole path".to_owned(),
            ),
            CommandError::Failed(status) => (
                format!("{shown} ended with {status}"),
                format!("run it by hand to see why: {program} …"),
            ),
            CommandError::TooLong => (
                format!("{shown} did not end within 30 seconds"),
                "see whether it waits for a log-in or a confirmation".to_owned(),
            ),
            CommandError::TooLarge => (
                format!("{shown} printed more than 64 KiB"),
                "let it print the value alone".to_owned(),
            ),
            CommandError::NotText => (
                format!("{shown} printed what is not UTF-8"),
                "let it print the value alone".to_owned(),
            ),
        })
}
