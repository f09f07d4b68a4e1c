//! `ringfence secret grant | revoke | rotate`: who can read. The manifest says it, and the file follows.

use ringfence_model::environment::Environment;
use ringfence_model::variable;
use ringfence_secret::identity::Recipient;
use ringfence_secret::seal::Editor;
use ringfence_syntax::manifest::edit::{EditError, Edited, Right};

use super::desk::{self, Desk};
use super::values::person_of;
use crate::ambient::{self, Ambient};
use crate::args::secret::{Grant, One, Revoke};
use crate::failure::{Error, Failure, exit};
use crate::load::{Loaded, MANIFEST, load_at};
use crate::output::Output;
use crate::sealed::About;

pub(super) fn grant(
    arguments: &Grant,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let (loaded, environment) = super::project(&arguments.environment, ambient)?;
    let (name, person) = (&environment.name, arguments.person.as_str());
    let mut edited = manifest(&loaded)?;
    for key in &arguments.key {
        check_key(key)?;
        edited
            .add_key(person, key.trim())
            .map_err(|error| not_edited(&error))?;
    }
    let has_key = loaded.project.people.keys.contains_key(person);
    if !has_key && arguments.key.is_empty() {
        let message = format!("`{person}` has no key in the manifest yet");
        return Err(Failure::error(exit::USAGE, message)
            .hint("give it with `--key age1…` or `--key \"ssh-ed25519 …\"`")
            .into());
    }
    edited
        .give(name, Right::ReadSecret, person)
        .map_err(|error| not_edited(&error))?;
    if arguments.edit {
        edited
            .give(name, Right::Edit, person)
            .map_err(|error| not_edited(&error))?;
    }
    let after = with_manifest(&loaded, &edited, ambient)?;
    let path = desk::path(&after, &environment)?;
    if !after.sealed.contains_key(&path) {
        write_manifest(&loaded, &edited)?;
        output.say(&format!(
            "{person} may read what will be sealed in `{name}`"
        ));
        return Ok(exit::FINE);
    }
    let about = About {
        loaded: &after,
        environment: &environment,
        path: &path,
    };
    let mut desk = Desk::read(about, ambient, output)?;
    let readers = named_readers(&after, &environment)?;
    say_readers(&after, &desk, &readers, output);
    desk.file
        .readers(&readers)
        .map_err(|error| desk::refused(&error))?;
    desk.save(&arguments.sealing, ambient, output)?;
    write_manifest(&loaded, &edited)?;
    Ok(exit::FINE)
}

pub(super) fn revoke(
    arguments: &Revoke,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let (loaded, environment) = super::project(&arguments.environment, ambient)?;
    let (name, person) = (&environment.name, arguments.person.as_str());
    let mut edited = manifest(&loaded)?;
    edited.take(name, Right::ReadSecret, person);
    edited.take(name, Right::Edit, person);
    let after = with_manifest(&loaded, &edited, ambient)?;
    let keeping = after.project.people.keeping(name);
    let still = [&keeping.readers, &keeping.editors];
    if still
        .into_iter()
        .flatten()
        .any(|names| names.iter().any(|own| own == person))
    {
        let message =
            format!("`{person}` has the right in `{name}` through a group; nothing was changed");
        let hint = format!(
            "take them out of `[access] groups` in ringfence.toml, and say `ringfence secret rotate {name}`"
        );
        return Err(Failure::error(exit::REFUSED, message).hint(hint).into());
    }
    let path = desk::path(&after, &environment)?;
    if !after.sealed.contains_key(&path) {
        write_manifest(&loaded, &edited)?;
        output.say(&format!(
            "{person} has no right in `{name}` any more; nothing was sealed there"
        ));
        return Ok(exit::FINE);
    }
    // The seal that is there may be the leaver's own, so it is judged by the manifest as it was.
    let before = About {
        loaded: &loaded,
        environment: &environment,
        path: &path,
    };
    let opened = Desk::read(before, ambient, output)?.file;
    let about = About {
        loaded: &after,
        environment: &environment,
        path: &path,
    };
    let could = opened
        .recipients()
        .any(|key| person_of(&loaded, key) == Some(person));
    let mut desk = Desk::reopened(about, opened);
    let readers = named_readers(&after, &environment)?;
    desk.file
        .rotate(&readers)
        .map_err(|error| desk::refused(&error))?;
    let names: Vec<String> = desk.file.names().map(str::to_owned).collect();
    desk.save(&arguments.sealing, ambient, output)?;
    write_manifest(&loaded, &edited)?;
    say_reissue(person, could, &names, output)?;
    Ok(exit::FINE)
}

/// What somebody could read stays known to them: a new data key does not change that, new secrets do.
fn say_reissue(
    person: &str,
    could: bool,
    names: &[String],
    output: &mut Output,
) -> Result<(), Failure> {
    if !could {
        output.say(&format!(
            "the file was not sealed for {person}: nothing has to be re-issued on their account"
        ));
        return Ok(());
    }
    output.say(&format!(
        "{person} could read these, and older files in git stay readable to them: re-issue each where it comes from"
    ));
    let own = names.iter().filter(|name| *name != variable::ENVIRONMENT);
    let lines: String = own.map(|name| format!("{name}\n")).collect();
    output.print(&lines)?;
    Ok(())
}

pub(super) fn rotate(
    arguments: &One,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let (loaded, environment) = super::project(&arguments.environment, ambient)?;
    let path = desk::path(&loaded, &environment)?;
    let about = About {
        loaded: &loaded,
        environment: &environment,
        path: &path,
    };
    let mut desk = Desk::read(about, ambient, output)?;
    let readers = named_readers(&loaded, &environment)?;
    say_readers(&loaded, &desk, &readers, output);
    desk.file
        .rotate(&readers)
        .map_err(|error| desk::refused(&error))?;
    desk.save(&arguments.sealing, ambient, output)?;
    Ok(exit::FINE)
}

/// Says who comes in and who goes out.
fn say_readers(loaded: &Loaded, desk: &Desk<'_>, readers: &[Recipient], output: &mut Output) {
    let spoken = |key: &str| {
        let short = || format!("{}…", key.chars().take(24).collect::<String>());
        person_of(loaded, key).map_or_else(short, str::to_owned)
    };
    let new = readers.iter().map(Recipient::text);
    let new = new.filter(|key| !desk.file.recipients().any(|own| own == *key));
    let gone = desk.file.recipients();
    let gone = gone.filter(|key| !readers.iter().any(|own| own.text() == *key));
    let lists: [(&str, Vec<String>); 2] = [
        ("can read it now", new.map(spoken).collect()),
        ("can read it no more", gone.map(spoken).collect()),
    ];
    for (what, names) in lists {
        if !names.is_empty() {
            output.say(&format!("{what}: {}", names.join(", ")));
        }
    }
}

fn named_readers(loaded: &Loaded, environment: &Environment) -> Result<Vec<Recipient>, Failure> {
    desk::readers(loaded, environment)?.ok_or_else(|| {
        let name = &environment.name;
        let message = format!("the manifest does not say who may read the secrets of `{name}`");
        Failure::error(exit::REFUSED, message)
            .hint(format!(
                "`ringfence secret grant {name} PERSON --key KEY` says it"
            ))
            .into()
    })
}

/// A key must open files, or seal them.
fn check_key(key: &str) -> Result<(), Error> {
    let opens = Recipient::parse(key);
    if opens.is_ok() || Editor::parse("", key).is_ok() {
        return Ok(());
    }
    Err(Failure::error(
        exit::USAGE,
        "this is no public key: `age1…` or `ssh-ed25519 …` is expected; nothing was written",
    )
    .hint("`ringfence secret keygen` makes one; a private key belongs in no manifest"))
}

fn manifest(loaded: &Loaded) -> Result<Edited, Failure> {
    if !loaded.project.has_manifest {
        let message = "there is no ringfence.toml to say who may read";
        return Err(Failure::error(exit::REFUSED, message)
            .hint("`ringfence init` writes one from what is there")
            .into());
    }
    let path = loaded.root.join(MANIFEST);
    let read = ambient::read_file(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = read.map_err(|error| {
        Failure::error(exit::REFUSED, format!("`{MANIFEST}` cannot be read")).caused_by(error)
    })?;
    Edited::parse(&text).map_err(|error| not_edited(&error).into())
}

fn not_edited(error: &EditError) -> Error {
    Failure::error(
        exit::REFUSED,
        format!("ringfence.toml cannot be changed: {error}"),
    )
    .hint("mend `[people]` and `[access]`; nothing was written")
}

/// The project as it will be with the changed manifest, which is not written yet.
fn with_manifest(loaded: &Loaded, edited: &Edited, ambient: &Ambient) -> Result<Loaded, Failure> {
    load_at(loaded.root.clone(), ambient, Some(edited.text()))?.checked()
}

fn write_manifest(loaded: &Loaded, edited: &Edited) -> Result<(), Failure> {
    let path = loaded.root.join(MANIFEST);
    ambient::replace_file(&path, &edited.text())
        .map_err(|error| desk::not_written(MANIFEST, &error).into())
}
