//! One environment's sealed file, open for a change: compared with the manifest before it is written, and written with its seal.

use std::collections::BTreeSet;

use ringfence_model::environment::Environment;
use ringfence_model::variable;
use ringfence_secret::identity::Recipient;
use ringfence_secret::sops::{ChangeError, Format, Opened};

use super::{newcomer, sign};
use crate::ambient::{self, Ambient};
use crate::args::secret::Sealing;
use crate::failure::{Error, Failure, exit};
use crate::gather;
use crate::load::Loaded;
use crate::output::Output;
use crate::sealed::facts::{Unusable, person_of, short};
use crate::sealed::keys::{Keys, without_comment};
use crate::sealed::{self, About};

/// A sealed file that is open.
pub(super) struct Desk<'a> {
    pub(super) about: About<'a>,
    pub(super) file: Opened,
    /// Its bytes as they were read; nothing where it is new.
    before: Option<Vec<u8>>,
}

/// Where an environment's secrets are, or would be.
pub(super) fn path(loaded: &Loaded, environment: &Environment) -> Result<String, Failure> {
    let paths = sealed::paths(loaded, environment);
    let mut all: BTreeSet<String> = paths.into_iter().collect();
    all.extend(environment.sealed.iter().cloned());
    match all.len() {
        0 | 1 => Ok(all
            .pop_first()
            .unwrap_or_else(|| new_path(loaded, environment))),
        _ => {
            let listed: Vec<String> = all.iter().map(|path| format!("`{path}`")).collect();
            let name = &environment.name;
            let message = format!("`{name}` has several sealed files: {}", listed.join(", "));
            let hint = format!(
                "keep one, or say `{name} = {{ file = \"…\" }}` under `[secrets]` in ringfence.toml"
            );
            Err(Failure::error(exit::REFUSED, message).hint(hint).into())
        }
    }
}

fn new_path(loaded: &Loaded, environment: &Environment) -> String {
    let keeping = loaded.project.people.keeping(&environment.name);
    keeping.file.map_or_else(
        || format!(".env.{}.enc", environment.name),
        |(path, _)| path,
    )
}

/// The public keys of those who may read an environment's secrets; nothing where the manifest does not say who.
pub(super) fn readers(
    loaded: &Loaded,
    environment: &Environment,
) -> Result<Option<Vec<Recipient>>, Failure> {
    sealed::facts::readers(loaded, environment).map_err(|unusable| {
        let hint = match &unusable {
            Unusable::Keyless(name) => format!(
                "add an `age1…` or `ssh-ed25519 …` key to `{name}` under `[people]` in ringfence.toml"
            ),
            Unusable::Malformed(..) => "`age1…` or `ssh-ed25519 …` is expected in ringfence.toml; a private key that stood there has to be replaced".to_owned(),
        };
        Failure::error(exit::REFUSED, unusable.to_string())
            .hint(hint)
            .into()
    })
}

impl<'a> Desk<'a> {
    /// Opens the environment's sealed file for reading, after everything about it was found right.
    pub(super) fn read(
        about: About<'a>,
        ambient: &Ambient,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        let Some(sealed) = about.loaded.sealed.get(about.path) else {
            return Err(nothing_sealed(about.environment).into());
        };
        let mut keys = Keys::new(ambient);
        let opened = sealed::open_file(&about, &mut keys, ambient);
        let (file, notes) =
            opened.map_err(|diagnostic| sealed::refused(about.loaded, *diagnostic))?;
        notes.iter().for_each(|note| output.say(note));
        Ok(Self {
            before: Some(sealed.bytes.clone()),
            about,
            file,
        })
    }

    /// A file that was opened already.
    pub(super) fn reopened(about: About<'a>, file: Opened) -> Self {
        let before = about.loaded.sealed.get(about.path);
        Self {
            before: before.map(|sealed| sealed.bytes.clone()),
            about,
            file,
        }
    }

    /// Opens it for a change, or makes a new one.
    pub(super) fn change(
        about: About<'a>,
        ambient: &Ambient,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        if about.loaded.sealed.contains_key(about.path) {
            let desk = Self::read(about, ambient, output)?;
            desk.compare_readers()?;
            sign::check_editors(&desk.about, ambient)?;
            return Ok(desk);
        }
        let name = &about.environment.name;
        let whole = about.loaded.root.join(about.path);
        if ambient::exists(&whole) {
            let message = format!("`{}` is there, and is no sealed file", about.path);
            let hint = format!(
                "if it was sealed once, take it from git again; if it is plain, give it another name, and `ringfence secret import {name} FILE` seals it"
            );
            return Err(Failure::error(exit::REFUSED, message).hint(hint).into());
        }
        let Some(readers) = readers(about.loaded, about.environment)? else {
            return Err(newcomer::nobody_yet(&about, ambient).into());
        };
        sign::check_editors(&about, ambient)?;
        let format = if about.path.ends_with(".json") {
            Format::Json
        } else {
            Format::Dotenv
        };
        let mut file = Opened::new(format);
        file.readers(&readers).map_err(|error| refused(&error))?;
        Ok(Self {
            about,
            file,
            before: None,
        })
    }

    /// Whether the file is sealed for those whom the manifest names: whoever slipped a key in would get everything that is
    /// written from now on.
    fn compare_readers(&self) -> Result<(), Failure> {
        let Some(readers) = readers(self.about.loaded, self.about.environment)? else {
            return Ok(());
        };
        let named: BTreeSet<&str> = readers.iter().map(Recipient::text).collect();
        let found: BTreeSet<&str> = self.file.recipients().map(without_comment).collect();
        let loaded = self.about.loaded;
        let spoken = |key: &&str| match person_of(loaded, key) {
            Some(name) => format!("{name} ({})", short(key)),
            None => format!("{} (nobody under `[people]`)", short(key)),
        };
        let extra: Vec<String> = found.difference(&named).map(spoken).collect();
        let missing: Vec<String> = named.difference(&found).map(spoken).collect();
        if extra.is_empty() && missing.is_empty() {
            return Ok(());
        }
        let mut message = format!(
            "`{}` is not sealed for those whom the manifest names; nothing was written",
            self.about.path
        );
        for (what, keys) in [
            ("it can also be opened by", extra),
            ("it cannot be opened by", missing),
        ] {
            if !keys.is_empty() {
                message.push_str(&format!("; {what} {}", keys.join(", ")));
            }
        }
        let hint = format!(
            "`ringfence secret rotate {}` seals it for those in the manifest; or correct `[access]`",
            self.about.environment.name
        );
        Err(Failure::error(exit::REFUSED, message).hint(hint).into())
    }

    /// Seals the file and writes it with its signature; nothing is written before both are there.
    pub(super) fn save(
        mut self,
        sealing: &Sealing,
        ambient: &Ambient,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let name = &self.about.environment.name;
        self.file
            .set(variable::ENVIRONMENT, name)
            .map_err(|error| refused(&error))?;
        let bytes = self
            .file
            .seal(&ambient::now())
            .map_err(|error| refused(&error))?;
        let names: Vec<&str> = self.file.names().collect();
        let seal = sign::over(&self.about, (&bytes, &names), sealing, ambient)?;
        let path = ambient::followed(&self.about.loaded.root.join(self.about.path));
        // From the comparison to the seal, nobody else writes.
        let _lock = ambient::lock_folder(&self.about.loaded.root);
        if ambient::read_file(&path).ok() != self.before {
            return Err(changed_meanwhile(self.about.path).into());
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Some(folder) = path.parent() {
            ambient::create_folder(folder).map_err(|error| not_written(self.about.path, &error))?;
        }
        ambient::replace_file(&path, &text)
            .map_err(|error| not_written(self.about.path, &error))?;
        let mut line = format!("sealed {}", self.about.path);
        if let Some(seal) = seal {
            sign::write(&self.about, &seal, ambient)?;
            line.push_str(&format!(", revision {}", seal.statement().revision()));
        }
        output.say(&line);
        if self.before.is_none() {
            say_ignored(&self.about, ambient, output);
        }
        Ok(())
    }
}

/// A new file that git leaves out reaches nobody it was sealed for; many projects leave out whatever begins with `.env`.
fn say_ignored(about: &About<'_>, ambient: &Ambient, output: &mut Output) {
    let root = &about.loaded.root;
    let Ok(survey) = gather::gather(root, ambient) else {
        return;
    };
    let paths = [about.path.to_owned(), format!("{}.seal", about.path)];
    let ignored: Vec<String> = paths
        .into_iter()
        .filter(|path| ambient::exists(&root.join(path)) && survey.is_git_ignored(path))
        .map(|path| format!("`!{path}`"))
        .collect();
    if !ignored.is_empty() {
        output.say(&format!(
            "git leaves it out, so that it reaches nobody else: add {} to .gitignore",
            ignored.join(" and ")
        ));
    }
}

pub(super) fn nothing_sealed(environment: &Environment) -> Error {
    let name = &environment.name;
    Failure::error(exit::REFUSED, format!("`{name}` has no sealed file")).hint(format!(
        "`ringfence secret set {name} NAME` makes one, `ringfence secret import {name}` seals a plain one"
    ))
}

/// Somebody else was faster, and their change is not to be lost.
pub(super) fn changed_meanwhile(path: &str) -> Error {
    let message = format!("`{path}` was changed meanwhile; nothing was written over it");
    Failure::error(exit::REFUSED, message)
        .hint("say it again: it starts from the file as it is now")
}

pub(super) fn not_written(path: &str, error: &std::io::Error) -> Error {
    Failure::error(exit::FAULT, format!("`{path}` cannot be written"))
        .caused_by(error)
        .hint(
            "it is as it was; see whether its folder can be written, and whether the disk is full",
        )
}

/// Why the file does not take a change.
pub(super) fn refused(error: &ChangeError) -> Error {
    let hint = match error {
        ChangeError::OtherReaders(_) => "change it with `sops`, which has their keys",
        ChangeError::Name(_) => "letters, digits, `_` and `.`, no digit first",
        ChangeError::NotSingle(_) => "a table or list is edited with `ringfence secret edit`",
        ChangeError::Nobody => "name its readers under `[access]` in ringfence.toml",
        ChangeError::Text(_) => "nothing was written",
    };
    Failure::error(exit::REFUSED, error.to_string()).hint(hint)
}
