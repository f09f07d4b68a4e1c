//! `ringfence secret grant | revoke | rotate`: who can read. The manifest says it, and the file follows.

use std::collections::BTreeSet;

use ringfence_model::environment::Environment;
use ringfence_model::variable;
use ringfence_secret::identity::Recipient;
use ringfence_secret::seal::Editor;
use ringfence_syntax::manifest::edit::{EditError, Edited, Right};

use super::Subject;
use super::desk::{self, Desk};
use super::values::person_of;
use crate::ambient::{self, Ambient};
use crate::args::secret::{Grant, One, Revoke};
use crate::failure::{Error, Failure, exit};
use crate::load::{Loaded, MANIFEST, load_at};
use crate::output::Output;
use crate::sealed::facts::spoken;
use crate::sealed::keys::{Keys, without_comment};
use crate::sealed::{self, About};

pub(super) fn grant(
    arguments: &Grant,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let (loaded, environment) = super::project(&arguments.environment, ambient)?;
    let (name, person) = (&environment.name, arguments.person.as_str());
    check_person(person)?;
    let (mut edited, read) = manifest(&loaded)?;
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
        write_manifest(&loaded, &edited, &read)?;
        let what = if arguments.edit {
            "read and edit"
        } else {
            "read"
        };
        output.say(&format!(
            "{person} may {what} what will be sealed in `{name}`: `ringfence secret set {name} NAME`"
        ));
        say_behind(&after, &environment, output);
        return Ok(exit::FINE);
    }
    let about = About {
        loaded: &after,
        environment: &environment,
        path: &path,
    };
    let mut desk = Desk::read(about, ambient, output)?;
    let readers = named_readers(&after, &environment)?;
    check_own_key(&after, &environment, &readers, ambient)?;
    say_readers(&after, &desk, &readers, output);
    desk.file
        .readers(&readers)
        .map_err(|error| desk::refused(&error))?;
    desk.save(&arguments.sealing, ambient, output)?;
    write_manifest(&loaded, &edited, &read)?;
    say_behind(&after, &environment, output);
    Ok(exit::FINE)
}

/// A person's new key counts in every environment that they may read, and the files of the others are not sealed for it yet.
fn say_behind(after: &Loaded, changed: &Environment, output: &mut Output) {
    let others = after.project.environments.iter();
    for other in others.filter(|other| other.name != changed.name) {
        let Ok(Some(readers)) = desk::readers(after, other) else {
            continue;
        };
        let paths = sealed::paths(after, other).into_iter();
        let files = paths.filter_map(|path| after.sealed.get(&path)?.file.as_ref().ok());
        for file in files {
            let is_named = |key: &Recipient| {
                file.recipients()
                    .any(|own| without_comment(own) == key.text())
            };
            if !readers.iter().all(is_named) {
                let name = &other.name;
                output.say(&format!(
                    "`{name}` is not sealed for every key in the manifest yet: `ringfence secret rotate {name}`"
                ));
            }
        }
    }
}

pub(super) fn revoke(
    arguments: &Revoke,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    let (loaded, environment) = super::project(&arguments.environment, ambient)?;
    let (name, person) = (&environment.name, arguments.person.as_str());
    let (mut edited, read) = manifest(&loaded)?;
    let had = [Right::ReadSecret, Right::Edit].map(|right| edited.take(name, right, person));
    if had == [false, false] && !loaded.project.people.keys.contains_key(person) {
        return Err(nobody_of_that_name(&loaded, person).into());
    }
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
        write_manifest(&loaded, &edited, &read)?;
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
    check_leaving(&after, name, person, &readers)?;
    desk.file
        .rotate(&readers)
        .map_err(|error| desk::refused(&error))?;
    let names: Vec<String> = desk.file.names().map(str::to_owned).collect();
    desk.save(&arguments.sealing, ambient, output)?;
    write_manifest(&loaded, &edited, &read)?;
    say_reissue(person, could, &names, output)?;
    Ok(exit::FINE)
}

/// Refuses to take out the last reader, and one who would go on opening the file with a key that somebody else has, too.
fn check_leaving(
    after: &Loaded,
    environment: &str,
    person: &str,
    readers: &[Recipient],
) -> Result<(), Error> {
    let (message, hint) = if readers.is_empty() {
        (
            format!("`{person}` is the last who can read `{environment}`; nothing was changed"),
            format!(
                "let somebody else in first: `ringfence secret grant {environment} PERSON --key KEY`"
            ),
        )
    } else if let Some(other) = shares_a_key(after, person, readers) {
        (
            format!(
                "a key of `{person}` is a key of `{other}`, too, who can read `{environment}`; nothing was changed"
            ),
            format!("give `{other}` a key of their own under `[people]` in ringfence.toml"),
        )
    } else {
        return Ok(());
    };
    Err(Failure::error(exit::REFUSED, message).hint(hint))
}

/// Who else would go on opening the file with a key of somebody's.
fn shares_a_key<'a>(loaded: &'a Loaded, person: &str, readers: &[Recipient]) -> Option<&'a str> {
    let keys = |name: &str| loaded.project.people.keys.get(name).into_iter().flatten();
    let mut own = keys(person).map(|(key, _)| without_comment(key));
    let shared = own.find(|own| readers.iter().any(|reader| reader.text() == *own))?;
    let mut others = loaded
        .project
        .people
        .keys
        .keys()
        .filter(|name| *name != person);
    let other = others.find(|name| keys(name).any(|(key, _)| without_comment(key) == shared))?;
    Some(other)
}

/// Refuses to close a file to the one who lets somebody else in: that is `revoke`, and said as such.
fn check_own_key(
    after: &Loaded,
    environment: &Environment,
    readers: &[Recipient],
    ambient: &Ambient,
) -> Result<(), Failure> {
    let own = Keys::new(ambient).publics();
    let is_own = |reader: &Recipient| own.iter().any(|key| key == reader.text());
    let Some(first) = own.first() else {
        return Ok(());
    };
    if readers.iter().any(is_own) {
        return Ok(());
    }
    let name = &environment.name;
    let who = person_of(after, first).unwrap_or("YOUR-NAME");
    let message = format!(
        "`{name}` would be sealed for those in the manifest alone, and you, {who}, could not open it any more; nothing was written"
    );
    Err(Failure::error(exit::REFUSED, message)
        .hint(format!(
            "first `ringfence secret grant {name} {who} --key '{first}'`"
        ))
        .into())
}

/// A name that is misspelt must not look as if its right had been taken away.
fn nobody_of_that_name(loaded: &Loaded, person: &str) -> Error {
    let known: Vec<&str> = loaded
        .project
        .people
        .keys
        .keys()
        .map(String::as_str)
        .collect();
    let message = format!("`{person}` is nobody under `[people]`; nothing was changed");
    Failure::error(exit::USAGE, message).hint(format!("the manifest knows {}", known.join(", ")))
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
    let subject = Subject::of(&arguments.environment, ambient)?;
    let Subject {
        loaded,
        environment,
        ..
    } = &subject;
    let about = subject.about();
    let mut desk = Desk::read(about, ambient, output)?;
    let readers = named_readers(loaded, environment)?;
    say_readers(loaded, &desk, &readers, output);
    desk.file
        .rotate(&readers)
        .map_err(|error| desk::refused(&error))?;
    desk.save(&arguments.sealing, ambient, output)?;
    Ok(exit::FINE)
}

/// Says who comes in and who goes out.
fn say_readers(loaded: &Loaded, desk: &Desk<'_>, readers: &[Recipient], output: &mut Output) {
    let spoken = |key| spoken(loaded, key);
    let new = readers.iter().map(Recipient::text);
    let held = || desk.file.recipients().map(without_comment);
    let new = new.filter(|key| !held().any(|own| own == *key));
    let gone = held();
    let gone = gone.filter(|key| !readers.iter().any(|own| own.text() == *key));
    let lists: [(&str, BTreeSet<String>); 2] = [
        ("can read it now", new.map(spoken).collect()),
        ("can read it no more", gone.map(spoken).collect()),
    ];
    for (what, names) in lists {
        if !names.is_empty() {
            let names: Vec<String> = names.into_iter().collect();
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

/// What can stand in a list of names, and be read in one.
fn check_person(person: &str) -> Result<(), Error> {
    if !person.trim().is_empty() && !person.contains(char::is_control) {
        return Ok(());
    }
    let message = "a person's name is empty or has a control character in it; nothing was written";
    Err(Failure::error(exit::USAGE, message).hint("say a short name, such as `ana`"))
}

/// A key must open files, or seal them, and be one line.
fn check_key(key: &str) -> Result<(), Error> {
    let is_line = !key.trim().contains(char::is_control);
    if is_line && (Recipient::parse(key).is_ok() || Editor::parse("", key).is_ok()) {
        return Ok(());
    }
    Err(Failure::error(
        exit::USAGE,
        "this is no public key: `age1…` or `ssh-ed25519 …` is expected; nothing was written",
    )
    .hint("`ringfence secret keygen` makes one; a private key belongs in no manifest"))
}

/// The manifest to be changed, and its text as it is.
fn manifest(loaded: &Loaded) -> Result<(Edited, String), Failure> {
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
    match Edited::parse(&text) {
        Ok(edited) => Ok((edited, text)),
        Err(error) => Err(not_edited(&error).into()),
    }
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

/// Writes the changed manifest, unless somebody changed it since it was read.
fn write_manifest(loaded: &Loaded, edited: &Edited, read: &str) -> Result<(), Failure> {
    let path = loaded.root.join(MANIFEST);
    let _lock = ambient::lock_folder(&loaded.root);
    if ambient::read_file(&path).ok().as_deref() != Some(read.as_bytes()) {
        return Err(desk::changed_meanwhile(MANIFEST).into());
    }
    ambient::replace_file(&path, &edited.text())
        .map_err(|error| desk::not_written(MANIFEST, &error).into())
}
