//! Opens what an environment keeps sealed or elsewhere, at the last moment: whose it is, who sealed it, and only then what is in it.

pub(crate) mod keys;
mod reference;

use std::collections::{BTreeMap, BTreeSet};

use ringfence_diagnostic::{Diagnostic, Place, Span};
use ringfence_model::environment::Environment;
use ringfence_model::layer::{Layer, Origin};
use ringfence_model::resolve::is_encrypted;
use ringfence_model::tier::Tier;
use ringfence_model::value::Value;
use ringfence_model::variable;
use ringfence_secret::seal::{Editor, Found, Seal, SealError};
use ringfence_secret::sops::{File, OpenError, Opened};
use ringfence_syntax::dotenv::template;

use crate::ambient::{self, Ambient};
use crate::failure::Failure;
use crate::load::{Loaded, SealedFile};
use keys::Keys;

/// The code of a refusal where no key fits.
const NOT_OPENED: &str = "not-opened";

/// Opens everything that the environment's settings need, and puts it where a resolution finds it.
pub(crate) fn open(
    loaded: &mut Loaded,
    environment: &Environment,
    ambient: &Ambient,
    output: &mut crate::output::Output,
) -> Result<(), Failure> {
    open_files(loaded, environment, ambient, output)?;
    reference::follow(loaded, environment, ambient)
}

/// Opens what keys at hand open, and says what they do not; no command is run.
pub(crate) fn open_what_can_be(
    loaded: &mut Loaded,
    environment: &Environment,
    ambient: &Ambient,
    output: &mut crate::output::Output,
) -> Result<(), Failure> {
    match open_files(loaded, environment, ambient, output) {
        Err(Failure::Diagnostics(diagnostics, _))
            if diagnostics.iter().all(|one| one.code == NOT_OPENED) =>
        {
            for one in &diagnostics {
                output.say(&format!("ringfence: {}; it stays closed", one.message));
            }
            Ok(())
        }
        done => done,
    }
}

fn open_files(
    loaded: &mut Loaded,
    environment: &Environment,
    ambient: &Ambient,
    output: &mut crate::output::Output,
) -> Result<(), Failure> {
    let mut keys = Keys::new(ambient);
    for path in paths(loaded, environment) {
        let about = About {
            loaded,
            environment,
            path: &path,
        };
        let opened = match open_file(&about, &mut keys, ambient) {
            Ok((opened, notes)) => {
                notes.iter().for_each(|note| output.say(note));
                opened
            }
            Err(diagnostic) => return Err(refused(loaded, *diagnostic)),
        };
        for (name, value) in opened.values().filter_map(Result::ok) {
            loaded.documents.open(&path, name, Value::new(value));
        }
    }
    dotenvx(loaded, environment, ambient)
}

pub(crate) fn refused(loaded: &Loaded, diagnostic: Diagnostic) -> Failure {
    Failure::diagnostic(diagnostic, loaded.sources.clone())
}

/// The environment's sealed files, lowest rank first.
pub(crate) fn paths(loaded: &Loaded, environment: &Environment) -> Vec<String> {
    let own = environment.paths().into_iter();
    own.chain(environment.sealed_file())
        .filter(|path| loaded.sealed.contains_key(*path))
        .map(str::to_owned)
        .collect()
}

/// Opens one file, after everything about it that needs no key was found right; with it comes what people are told.
pub(crate) fn open_file(
    about: &About<'_>,
    keys: &mut Keys<'_>,
    ambient: &Ambient,
) -> Result<(Opened, Vec<String>), Box<Diagnostic>> {
    let (sealed, file) = about.file()?;
    let seal = about.seal(sealed, file, ambient)?;
    let notes = about.unsealed_note(seal.is_none());
    let opened = about.opened(file, keys, seal.is_some())?;
    if let Some(seal) = seal {
        about.remember(seal.statement().revision(), ambient);
    }
    Ok((opened, notes))
}

/// Opens one file whose seal is about to be made anew.
pub(crate) fn open_unsealed(
    about: &About<'_>,
    keys: &mut Keys<'_>,
) -> Result<Opened, Box<Diagnostic>> {
    let (_, file) = about.file()?;
    about.opened(file, keys, true)
}

/// One sealed file of one environment.
pub(crate) struct About<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) environment: &'a Environment,
    pub(crate) path: &'a str,
}

impl About<'_> {
    pub(crate) fn error(&self, code: &'static str, what: &str) -> Diagnostic {
        let diagnostic = Diagnostic::error(code, format!("`{}` {what}", self.path))
            .because("nothing was done: no other value is used in the place of a sealed one");
        let document = self.loaded.documents.get(self.path).ok();
        match document {
            Some(document) => diagnostic.at(Place::new(document.source, Span::at(0)), "this file"),
            None => diagnostic,
        }
    }

    fn file(&self) -> Result<(&SealedFile, &File), Box<Diagnostic>> {
        let Some(sealed) = self.loaded.sealed.get(self.path) else {
            return Err(Box::new(
                self.error("sealed-file-damaged", "cannot be read"),
            ));
        };
        let file = sealed.file.as_ref().map_err(|error| {
            Box::new(
                self.error("sealed-file-damaged", &format!("cannot be read: {error}"))
                    .help("take it from git again, or from whoever sealed it"),
            )
        })?;
        Ok((sealed, file))
    }

    fn opened(
        &self,
        file: &File,
        keys: &mut Keys<'_>,
        is_sealed: bool,
    ) -> Result<Opened, Box<Diagnostic>> {
        let opened = keys
            .open(file)
            .map_err(|error| Box::new(self.not_opened(error, keys)))?;
        self.own_environment(&opened, is_sealed)?;
        self.usable(&opened)?;
        Ok(opened)
    }

    /// The people whose seal counts, with the ssh keys among their keys.
    pub(crate) fn editors(&self) -> Option<Vec<Editor>> {
        let people = &self.loaded.project.people;
        let names = people.keeping(&self.environment.name).editors?;
        let keys = names.iter().flat_map(|name| {
            let keys = people.keys.get(name).into_iter().flatten();
            keys.filter_map(move |(key, _)| Editor::parse(name.clone(), key).ok())
        });
        Some(keys.collect())
    }

    /// The file's seal as it was read; `None` where there is none.
    pub(crate) fn written_seal(&self) -> Result<Option<Seal>, SealError> {
        let path = self.loaded.root.join(format!("{}.seal", self.path));
        match ambient::read_file(&path) {
            Ok(bytes) => Seal::parse(&bytes).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(_) => Err(SealError::TooLong),
        }
    }

    /// The seal, where there is one and it holds; none where none is needed.
    fn seal(
        &self,
        sealed: &SealedFile,
        file: &File,
        ambient: &Ambient,
    ) -> Result<Option<Seal>, Box<Diagnostic>> {
        let name = &self.environment.name;
        let keeping = self.loaded.project.people.keeping(name);
        let required = keeping.requires_seal(self.environment.tier);
        let seal = self
            .written_seal()
            .map_err(|error| self.seal_refused(&error))?;
        let editors = self.editors();
        let Some(seal) = seal else {
            if !required {
                return Ok(None);
            }
            let diagnostic = self
                .error("seal-missing", "has no seal: nobody says that it is theirs")
                .help(format!("whoever may edit `{name}` says `ringfence secret seal {name}`"))
                .help(format!("or say `{name} = {{ seal = \"optional\" }}` under `[secrets]` in ringfence.toml"));
            return Err(Box::new(diagnostic));
        };
        let Some(editors) = editors else {
            let diagnostic = self
                .error("seal-refused", "is sealed, and the manifest does not say whose seal counts")
                .help(format!("say `{name}.edit = [\"…\"]` under `[access]`, and their ssh keys under `[people]`"));
            return Err(Box::new(diagnostic));
        };
        let names: BTreeSet<String> = file.names().map(str::to_owned).collect();
        let lowest = match self.environment.tier {
            Tier::Production => self.seen(ambient).max(1),
            _ => 1,
        };
        let found = Found {
            environment: name,
            file: &sealed.bytes,
            names: &names,
            lowest_revision: lowest,
        };
        seal.verify(&found, &editors)
            .map_err(|error| self.seal_refused(&error))?;
        Ok(Some(seal))
    }

    fn seal_refused(&self, error: &SealError) -> Box<Diagnostic> {
        let name = &self.environment.name;
        let diagnostic = self.error(
            "seal-refused",
            &format!("has a seal that does not hold: {error}"),
        );
        let diagnostic = match error {
            SealError::Revision { .. } => diagnostic.help(format!(
                "bring the newest file, or, where an older one is meant, let an editor seal it anew: `ringfence secret seal {name}`"
            )),
            SealError::File | SealError::Names { .. } => diagnostic
                .help(format!("look at what changed (`git log -p {}`); whoever may edit `{name}` seals it again: `ringfence secret seal {name}`", self.path)),
            _ => diagnostic.help(format!("see `ringfence secret verify {name}`; whoever may edit `{name}` can seal it again: `ringfence secret seal {name}`")),
        };
        Box::new(diagnostic)
    }

    fn unsealed_note(&self, unsealed: bool) -> Vec<String> {
        let above = self.environment.tier >= Tier::Staging;
        let note = format!(
            "ringfence: `{}` has no seal, and `[secrets]` lets `{}` go without",
            self.path, self.environment.name
        );
        (unsealed && above).then_some(note).into_iter().collect()
    }

    fn not_opened(&self, error: OpenError, keys: &Keys<'_>) -> Diagnostic {
        let name = &self.environment.name;
        match error {
            OpenError::NoKey => {
                let diagnostic =
                    self.error(NOT_OPENED, "is sealed for others: no key at hand opens it");
                let diagnostic = keys
                    .problems()
                    .iter()
                    .fold(diagnostic, |diagnostic, problem| {
                        diagnostic.help(problem.clone())
                    });
                diagnostic
                    .help(format!("keys are looked for in {}", keys::PLACES))
                    .help(format!("whoever can open it lets you read it: `ringfence secret grant {name} YOUR-NAME`; `ringfence secret keygen` makes a key"))
            }
            error => self
                .error(
                    "sealed-file-damaged",
                    &format!("was changed since it was sealed: {error}"),
                )
                .help("take it from git again, or from whoever sealed it"),
        }
    }

    /// Whose file it is: the name inside, or else the seal, which names the environment too.
    fn own_environment(&self, opened: &Opened, is_sealed: bool) -> Result<(), Box<Diagnostic>> {
        let name = &self.environment.name;
        let inside = opened.get(variable::ENVIRONMENT);
        match inside {
            Some(inside) if inside == name => Ok(()),
            Some(inside) => {
                let diagnostic = self
                    .error(
                        "sealed-for-another",
                        &format!(
                            "belongs to `{}`, and `{name}` was asked for",
                            ringfence_diagnostic::render::without_controls(inside)
                        ),
                    )
                    .help(format!("put the file of `{name}` back in its place"));
                Err(Box::new(diagnostic))
            }
            None if is_sealed || self.environment.tier < Tier::Staging => Ok(()),
            None => {
                let diagnostic = self
                    .error("sealed-for-another", "does not say whose it is")
                    .help(format!(
                        "`ringfence secret seal {name}` writes `{}={name}` into it",
                        variable::ENVIRONMENT
                    ));
                Err(Box::new(diagnostic))
            }
        }
    }

    /// Whether every value can be a setting.
    fn usable(&self, opened: &Opened) -> Result<(), Box<Diagnostic>> {
        for row in opened.values() {
            let (name, why) = match row {
                Err(name) => (
                    name,
                    "is a table, a list or nothing, and a setting is one value",
                ),
                Ok((name, _)) if !template::is_name(name) => {
                    (name, "cannot be the name of a setting")
                }
                Ok((name, value)) if value.contains('\0') => (name, "has a value with a NUL in it"),
                Ok((name, _))
                    if name.starts_with(variable::OWN_PREFIX) && name != variable::ENVIRONMENT =>
                {
                    (name, "is a name of Ringfence's own")
                }
                Ok(_) => continue,
            };
            let name = ringfence_diagnostic::render::without_controls(name);
            let diagnostic = self
                .error(
                    "unusable-sealed-value",
                    &format!("has a row that is no setting: `{name}` {why}"),
                )
                .help(format!("`ringfence secret edit {}`", self.environment.name));
            return Err(Box::new(diagnostic));
        }
        Ok(())
    }

    /// Remembers the highest revision that was seen; where that cannot be written, there is nothing to compare with next time.
    pub(crate) fn remember(&self, revision: u64, ambient: &Ambient) {
        let name = self.state_name();
        if ambient.revision(&name).is_none_or(|known| known < revision) {
            let _ = ambient.remember_revision(&name, revision);
        }
    }

    /// The highest revision that was seen here, 0 for none.
    pub(crate) fn seen(&self, ambient: &Ambient) -> u64 {
        ambient.revision(&self.state_name()).unwrap_or(0)
    }

    fn state_name(&self) -> String {
        let whole = format!("{}\0{}", self.loaded.root.display(), self.path);
        ringfence_secret::fingerprint::name_of(whole.as_bytes())
    }
}

/// Opens values that dotenvx encrypted, in the environment's plain files.
fn dotenvx(
    loaded: &mut Loaded,
    environment: &Environment,
    ambient: &Ambient,
) -> Result<(), Failure> {
    let files = loaded.project.shared.as_deref().into_iter();
    let files = files
        .chain(environment.paths())
        .chain(environment.personal.as_deref());
    let files: Vec<String> = files.map(str::to_owned).collect();
    for path in files {
        for (name, value) in encrypted_values(loaded, &path) {
            match keys::open_dotenvx(&loaded.root, &path, &value, ambient) {
                Ok(opened) => loaded
                    .documents
                    .open(&path, &name, Value::new(opened.expose())),
                Err(why) => {
                    let about = About {
                        loaded,
                        environment,
                        path: &path,
                    };
                    let diagnostic = about
                        .error(
                            NOT_OPENED,
                            &format!("has an encrypted value, `{name}`, that is not opened: {why}"),
                        )
                        .help(format!(
                            "set `{}`, or put it into `.env.keys`",
                            ringfence_secret::dotenvx::key_variable(&path)
                        ));
                    return Err(refused(loaded, diagnostic));
                }
            }
        }
    }
    Ok(())
}

fn encrypted_values(loaded: &Loaded, path: &str) -> Vec<(String, String)> {
    let Ok(document) = loaded.documents.get(path) else {
        return Vec::new();
    };
    let text = loaded.sources.text(document.source);
    let rows = document
        .tree
        .assignments()
        .map(|row| (row.name.of(text), row.value.inner.of(text)));
    rows.filter(|(_, value)| is_encrypted(value))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What is still closed after everything was opened: nothing starts with it.
pub(crate) fn still_closed(closed: &BTreeMap<String, (Layer, Origin)>) -> Option<Diagnostic> {
    let (name, (layer, origin)) = closed.first_key_value()?;
    let what = match layer {
        Layer::Shared => {
            "is sealed in a file that all environments share: seal it in each environment's own"
        }
        _ => "is sealed, and nothing opened it",
    };
    let diagnostic = Diagnostic::error(NOT_OPENED, format!("`{name}` {what}"))
        .because("nothing was started: the program would get the encrypted text for the value");
    Some(match origin.place() {
        Some(place) => diagnostic.at(place, "here"),
        None => diagnostic,
    })
}
