//! Seals: which key signs, and where it is found.

use std::path::{Path, PathBuf};

use ringfence_diagnostic::render::without_controls;
use ringfence_secret::seal::agent::Agent;
use ringfence_secret::seal::{Editor, KeyError, Seal, SealError, SigningKey, Statement, sign};
use ringfence_secret::value::Secret;

use super::Subject;
use super::desk::{self, not_written};
use super::newcomer;
use crate::ambient::{self, Ambient};
use crate::args::secret::{One, Sealing};
use crate::failure::{Failure, exit};
use crate::load::SealedFile;
use crate::output::Output;
use crate::sealed::facts::{Facts, Readers, spoken};
use crate::sealed::keys::{Keys, read_key, read_text};
use crate::sealed::{self, About};

/// `ringfence secret seal`: signs the file as it is, once it was opened and found to be the environment's own.
pub(super) fn run(arguments: &One, ambient: &Ambient, output: &mut Output) -> Result<u8, Failure> {
    let subject = Subject::of(&arguments.environment, ambient)?;
    let Subject {
        loaded,
        environment,
        path,
    } = &subject;
    let about = subject.about();
    let Some(sealed) = loaded.sealed.get(path) else {
        return Err(desk::nothing_sealed(environment).into());
    };
    let file = sealed::open_unsealed(&about, &mut Keys::new(ambient))
        .map_err(|diagnostic| sealed::refused(loaded, *diagnostic))?;
    let names: Vec<&str> = file.names().collect();
    say_changes(&about, &names, output);
    say_strangers(&about, sealed, ambient, output);
    if about.editors().is_none() {
        return Err(no_editors(&about, ambient).into());
    }
    if file.get(ringfence_model::variable::ENVIRONMENT).is_none() {
        // The name inside is what a copy to another environment is told by, so it is written first.
        let desk = desk::Desk::reopened(about, file);
        desk.save(&arguments.sealing, ambient, output)?;
        return Ok(exit::FINE);
    }
    let seal = made(&about, (&sealed.bytes, &names), &arguments.sealing, ambient)?;
    let _lock = ambient::lock_folder(&loaded.root);
    if ambient::read_file(&loaded.root.join(path)).ok().as_ref() != Some(&sealed.bytes) {
        return Err(desk::changed_meanwhile(path).into());
    }
    write(&about, &seal, ambient)?;
    output.say(&format!(
        "sealed {path}, revision {}",
        seal.statement().revision()
    ));
    Ok(exit::FINE)
}

/// What the names say of how the file differs from the one that was sealed before.
fn say_changes(about: &About<'_>, names: &[&str], output: &mut Output) {
    let Ok(Some(seal)) = about.written_seal() else {
        return;
    };
    let before = seal.statement().names();
    let list = |names: Vec<&str>| names.join(", ");
    let added = names.iter().filter(|name| !before.contains(**name));
    let added: Vec<&str> = added.copied().collect();
    let removed = before.iter().filter(|name| !names.contains(&name.as_str()));
    let removed: Vec<&str> = removed.map(String::as_str).collect();
    for (what, names) in [("new", added), ("gone", removed)] {
        if !names.is_empty() {
            let line = format!("{what} since the last seal: {}", list(names));
            output.say(&without_controls(&line));
        }
    }
}

/// Who can open the file and is not named: a seal says that an editor looked at it.
fn say_strangers(about: &About<'_>, sealed: &SealedFile, ambient: &Ambient, output: &mut Output) {
    let Ok(file) = &sealed.file else { return };
    let Readers::Compared { extra, .. } = Facts::of(about, (sealed, file), ambient).readers else {
        return;
    };
    if !extra.is_empty() {
        let keys: Vec<String> = extra.iter().map(|key| spoken(about.loaded, key)).collect();
        output.say(&format!(
            "the manifest does not let these read it, and it names them as readers: {}; `ringfence secret rotate {}` takes them out",
            keys.join(", "),
            about.environment.name
        ));
    }
}

/// The seal that a changed file gets: one where it is required, or where there was one; else none.
pub(super) fn over(
    about: &About<'_>,
    file: (&[u8], &[&str]),
    sealing: &Sealing,
    ambient: &Ambient,
) -> Result<Option<Seal>, Failure> {
    if is_wanted(about) || sealing.seal_key.is_some() {
        return made(about, file, sealing, ambient).map(Some);
    }
    Ok(None)
}

fn is_wanted(about: &About<'_>) -> bool {
    let keeping = about.loaded.project.people.keeping(&about.environment.name);
    let path = about.loaded.root.join(format!("{}.seal", about.path));
    keeping.requires_seal(about.environment.tier) || ambient::exists(&path)
}

/// Refuses a change that nobody could seal before anything is asked for.
pub(super) fn check_editors(about: &About<'_>, ambient: &Ambient) -> Result<(), Failure> {
    if is_wanted(about) && about.editors().is_none() {
        return Err(no_editors(about, ambient).into());
    }
    Ok(())
}

fn made(
    about: &About<'_>,
    (bytes, names): (&[u8], &[&str]),
    sealing: &Sealing,
    ambient: &Ambient,
) -> Result<Seal, Failure> {
    let name = &about.environment.name;
    let editors = about.editors().ok_or_else(|| no_editors(about, ambient))?;
    let previous = previous(about, &editors, ambient)?;
    let statement = Statement::about(name, bytes, names.iter().copied(), previous.as_ref());
    let statement = statement.and_then(|statement| statement.after(about.seen(ambient)));
    let statement = statement.map_err(|error| not_sealed(about, &error))?;
    let mut problems = Vec::new();
    let seal = match &sealing.seal_key {
        Some(path) => with_file(path, &editors, &statement, &mut problems),
        None => with_agent(&editors, &statement, ambient, &mut problems).or_else(|| {
            let files = key_files(ambient).into_iter();
            files
                .filter(|path| ambient::exists(path))
                .find_map(|path| with_file(&path, &editors, &statement, &mut problems))
        }),
    };
    seal.ok_or_else(|| {
        let names: Vec<&str> = editors.iter().map(|editor| editor.name.as_str()).collect();
        let mut message = format!(
            "no key at hand seals for `{name}`, whose editors are {}; nothing was written",
            if names.is_empty() {
                "nobody with an ssh key".to_owned()
            } else {
                names.join(", ")
            }
        );
        for problem in problems {
            message.push_str(&format!("; {problem}"));
        }
        Failure::error(exit::DENIED, message)
            .hint("`ssh-add` an editor's key, or name its file with `--seal-key FILE`")
            .into()
    })
}

/// The seal that is to be followed; nothing where there is none.
fn previous(
    about: &About<'_>,
    editors: &[Editor],
    ambient: &Ambient,
) -> Result<Option<Seal>, Failure> {
    /// How far a seal of somebody who may not edit can be ahead of what was seen here: one that is farther was made to use the
    /// numbers up, after which nobody could seal any more.
    const FARTHEST_AHEAD: u64 = 1000;
    let refused = |why: String| {
        let message = format!("`{}.seal` cannot be followed by another: {why}", about.path);
        let hint = "take it from git again; if it is lost for good, remove it, and tell whoever has seen later revisions";
        Failure::error(exit::REFUSED, message).hint(hint)
    };
    let seal = about
        .written_seal()
        .map_err(|error| refused(error.to_string()))?;
    let Some(seal) = seal else { return Ok(None) };
    let is_editors = editors
        .iter()
        .any(|editor| editor.key.key_data() == seal.signer().key_data());
    let ahead = seal
        .statement()
        .revision()
        .saturating_sub(about.seen(ambient));
    if !is_editors && ahead > FARTHEST_AHEAD {
        let why = format!(
            "it is signed by {}, the key of no editor, and {ahead} revisions ahead of what was seen here",
            seal.fingerprint()
        );
        return Err(refused(why).into());
    }
    Ok(Some(seal))
}

fn no_editors(about: &About<'_>, ambient: &Ambient) -> crate::failure::Error {
    let name = &about.environment.name;
    let message =
        format!("the manifest does not say whose seal counts in `{name}`; nothing was written");
    Failure::error(exit::REFUSED, message).hint(newcomer::editor(name, ambient))
}

fn not_sealed(about: &About<'_>, error: &SealError) -> crate::failure::Error {
    let message = format!("`{}` cannot be sealed: {error}", about.path);
    let hint = match error {
        SealError::Beginning { .. } => {
            "a later revision of this environment was seen here: put its last `.seal` file beside it again, from git or from where the file was"
        }
        SealError::Environment { .. } => "the `.seal` file beside it is another environment's",
        _ => "nothing was written",
    };
    Failure::error(exit::REFUSED, message).hint(hint)
}

fn with_agent(
    editors: &[Editor],
    statement: &Statement,
    ambient: &Ambient,
    problems: &mut Vec<String>,
) -> Option<Seal> {
    let mut agent = Agent::new(ambient.ssh_agent()?);
    let identities = match agent.identities() {
        Ok(identities) => identities,
        Err(error) => {
            problems.push(format!("the ssh-agent has no answer: {error}"));
            return None;
        }
    };
    let is_editor = |key: &&ringfence_secret::seal::PublicKey| {
        editors
            .iter()
            .any(|editor| editor.key.key_data() == key.key_data())
    };
    let key = identities.iter().find(is_editor)?;
    agent
        .sign(statement.clone(), key)
        .map_err(|error| problems.push(format!("the ssh-agent did not sign: {error}")))
        .ok()
}

fn key_files(ambient: &Ambient) -> Vec<PathBuf> {
    let folder = ambient.home().map(|home| home.join(".ssh"));
    let names = ["id_ed25519", "id_ecdsa"];
    folder
        .into_iter()
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .collect()
}

/// Signs with the key in a file. A passphrase is asked for only where the public half beside it is an editor's.
fn with_file(
    path: &Path,
    editors: &[Editor],
    statement: &Statement,
    problems: &mut Vec<String>,
) -> Option<Seal> {
    let shown = path.display();
    let text = read_key(path)
        .map_err(|error| problems.push(format!("`{shown}` is left out: {error}")))
        .ok()?;
    let key = opened(path, &text, editors)
        .map_err(|error| problems.push(format!("`{shown}` is left out: {error}")))
        .ok()?;
    let is_editor = |editor: &Editor| editor.key.key_data() == key.public().key_data();
    if !editors.iter().any(is_editor) {
        problems.push(format!("`{shown}` is the key of no editor"));
        return None;
    }
    sign(statement.clone(), &key)
        .map_err(|error| problems.push(format!("`{shown}` did not sign: {error}")))
        .ok()
}

fn opened(path: &Path, text: &Secret, editors: &[Editor]) -> Result<SigningKey, KeyError> {
    let first = SigningKey::parse(text.expose(), None);
    if !matches!(first, Err(KeyError::Encrypted)) {
        return first;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    let public = read_text(Path::new(&beside)).ok();
    let public = public.and_then(|text| Editor::parse("", text.expose()).ok());
    let known_stranger = public.is_some_and(|public| {
        !editors
            .iter()
            .any(|editor| editor.key.key_data() == public.key.key_data())
    });
    if known_stranger {
        return first;
    }
    match ambient::ask_hidden(&format!("passphrase of {}: ", path.display())) {
        Some(phrase) => SigningKey::parse(text.expose(), Some(phrase.expose())),
        None => first,
    }
}

/// Writes a seal beside its file, and remembers its revision.
pub(super) fn write(about: &About<'_>, seal: &Seal, ambient: &Ambient) -> Result<(), Failure> {
    let name = format!("{}.seal", about.path);
    ambient::replace_file(&about.loaded.root.join(&name), seal.to_text()).map_err(|error| {
        not_written(&name, &error).hint(format!(
            "the file itself is written; `ringfence secret seal {}` makes the seal",
            about.environment.name
        ))
    })?;
    about.remember(seal.statement().revision(), ambient);
    Ok(())
}
