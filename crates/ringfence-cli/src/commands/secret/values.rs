//! `ringfence secret set | unset | get | list`: single values.

use std::collections::BTreeSet;

use ringfence_diagnostic::render::without_controls;
use ringfence_model::variable;
use ringfence_secret::seal::Seal;
use ringfence_secret::sops::Opened;
use ringfence_syntax::dotenv::template;
use serde::Serialize;

use super::Subject;
use super::desk::{self, Desk};
use crate::ambient::{self, Ambient};
use crate::args::secret::{Get, List, Set, Unset};
use crate::failure::{Error, Failure, exit};
use crate::output::Output;
use crate::sealed::About;
pub(super) use crate::sealed::facts::person_of;
use crate::sealed::facts::short;

pub(super) fn set(arguments: &Set, ambient: &Ambient, output: &mut Output) -> Result<u8, Failure> {
    let name = &arguments.name;
    if !arguments.value.is_empty() || name.contains('=') {
        return Err(value_as_argument().into());
    }
    check_name(name)?;
    let subject = Subject::of(&arguments.environment, ambient)?;
    let Subject {
        environment, path, ..
    } = &subject;
    let about = subject.about();
    let mut desk = Desk::change(about, ambient, output)?;
    if !desk.file.encrypts(name) {
        let message = format!(
            "`{name}` would stand in `{path}` in the clear: SOPS leaves names of this kind unencrypted"
        );
        return Err(Failure::error(exit::REFUSED, message)
            .hint("take another name")
            .into());
    }
    let prompt = format!("value of {name} in {}: ", environment.name);
    let value = ambient::read_secret(&prompt).map_err(|error| {
        Failure::error(exit::USAGE, "the value cannot be read")
            .caused_by(error)
            .hint("type it when you are asked, or pipe it in")
    })?;
    if value.expose().contains('\0') {
        let error = Failure::error(
            exit::USAGE,
            "the value has a NUL in it, which no variable can hold",
        );
        return Err(error.hint("encode it, as base64 for example").into());
    }
    desk.file
        .set(name, value.expose())
        .map_err(|error| desk::refused(&error))?;
    desk.save(&arguments.sealing, ambient, output)?;
    Ok(exit::FINE)
}

fn value_as_argument() -> Error {
    Failure::error(
        exit::USAGE,
        "a value on the command line is seen by every process, and the shell keeps it; nothing was written",
    )
    .hint("name the secret only: its value is asked for, or read from a pipe; re-issue it if it is in use")
}

/// What can be a secret's name, and is not Ringfence's own.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let hint = "letters, digits, `_` and `.`, no digit first";
    if !template::is_name(name) {
        let message = format!("`{}` cannot be the name of a setting", name.escape_debug());
        return Err(Failure::error(exit::USAGE, message).hint(hint));
    }
    if name.starts_with(variable::OWN_PREFIX) {
        let message = format!("`{name}` is a name of Ringfence's own");
        return Err(Failure::error(exit::USAGE, message).hint("take another"));
    }
    Ok(())
}

/// Whether everything in a file can be a setting.
pub(super) fn usable(file: &Opened) -> Result<(), Error> {
    for row in file.values() {
        let name = match row {
            Ok((name, _)) | Err(name) => name,
        };
        if row.is_err() {
            let message = format!(
                "`{}` is a table, a list or nothing, and a setting is one value",
                name.escape_debug()
            );
            return Err(Failure::error(exit::REFUSED, message).hint("nothing was written"));
        }
        if name != variable::ENVIRONMENT {
            check_name(name)?;
        }
    }
    Ok(())
}

pub(super) fn unset(
    arguments: &Unset,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let subject = Subject::of(&arguments.environment, ambient)?;
    let Subject {
        loaded,
        environment,
        path,
    } = &subject;
    let about = subject.about();
    if !loaded.sealed.contains_key(path) {
        return Err(desk::nothing_sealed(environment).into());
    }
    let mut desk = Desk::change(about, ambient, output)?;
    for name in &arguments.names {
        check_name(name)?;
        if !desk.file.unset(name) {
            return Err(not_there(name, path, &environment.name).into());
        }
    }
    desk.save(&arguments.sealing, ambient, output)?;
    Ok(exit::FINE)
}

fn not_there(name: &str, path: &str, environment: &str) -> Error {
    let message = format!("`{}` is not in `{path}`", name.escape_debug());
    Failure::error(exit::REFUSED, message).hint(format!(
        "`ringfence secret list {environment}` shows what is"
    ))
}

pub(super) fn get(arguments: &Get, ambient: &Ambient, output: &mut Output) -> Result<u8, Failure> {
    let subject = Subject::of(&arguments.environment, ambient)?;
    let Subject {
        environment, path, ..
    } = &subject;
    let about = subject.about();
    let desk = Desk::read(about, ambient, output)?;
    let value = desk.file.get(&arguments.name);
    let value = value.ok_or_else(|| not_there(&arguments.name, path, &environment.name))?;
    output.print(value)?;
    if ambient.stdout_is_terminal {
        output.print("\n")?;
    }
    Ok(exit::FINE)
}

/// What `--json` prints.
#[derive(Serialize)]
struct Record<'a> {
    environment: &'a str,
    file: &'a str,
    names: Vec<&'a str>,
    /// Public keys, and whose they are in the manifest.
    readers: Vec<ReaderRecord<'a>>,
    seal: Option<SealRecord>,
}

#[derive(Serialize)]
struct ReaderRecord<'a> {
    key: &'a str,
    person: Option<&'a str>,
}

#[derive(Serialize)]
struct SealRecord {
    revision: u64,
    /// The signer's key: `SHA256:…`.
    key: String,
    /// Whose it is among the environment's editors.
    person: Option<String>,
}

pub(super) fn list(
    arguments: &List,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let subject = Subject::of(&arguments.environment, ambient)?;
    let Subject {
        loaded,
        environment,
        path,
    } = &subject;
    let about = subject.about();
    let sealed = loaded.sealed.get(path);
    let sealed = sealed.ok_or_else(|| desk::nothing_sealed(environment))?;
    let file = sealed.file.as_ref().map_err(|error| {
        Failure::error(exit::REFUSED, format!("`{path}` cannot be read")).caused_by(error)
    })?;
    let names = file.names();
    let mut names: Vec<&str> = names
        .filter(|name| *name != variable::ENVIRONMENT)
        .collect();
    names.sort_unstable();
    let readers = file.recipients();
    let readers = readers.map(|key| ReaderRecord {
        key,
        person: person_of(loaded, key),
    });
    let seal = about.written_seal().ok().flatten();
    let record = Record {
        environment: &environment.name,
        file: path,
        names,
        readers: readers.collect(),
        seal: seal.map(|seal| seal_record(&about, &seal)),
    };
    if arguments.json {
        return output.print_json(&record);
    }
    output.say(&summary(&record));
    let lines: String = record
        .names
        .iter()
        .map(|name| format!("{}\n", without_controls(name)))
        .collect();
    output.print(&lines)
}

fn summary(record: &Record<'_>) -> String {
    let readers: BTreeSet<String> = record
        .readers
        .iter()
        .map(|reader| {
            let unnamed = || short(reader.key);
            reader.person.map_or_else(unnamed, str::to_owned)
        })
        .collect();
    let seal = record.seal.as_ref().map_or_else(
        || "no seal".to_owned(),
        |seal| {
            let who = seal.person.as_deref().unwrap_or(&seal.key);
            format!("revision {} sealed by {who}", seal.revision)
        },
    );
    format!(
        "{}: {} in {}, readable by {}; {seal}",
        record.environment,
        match record.names.len() {
            1 => "1 secret".to_owned(),
            many => format!("{many} secrets"),
        },
        record.file,
        readers.into_iter().collect::<Vec<_>>().join(", ")
    )
}

fn seal_record(about: &About<'_>, seal: &Seal) -> SealRecord {
    let editors = about.editors().unwrap_or_default();
    let signer = editors
        .into_iter()
        .find(|editor| editor.key.key_data() == seal.signer().key_data());
    SealRecord {
        revision: seal.statement().revision(),
        key: seal.fingerprint(),
        person: signer.map(|editor| editor.name),
    }
}
