//! Opens what an environment keeps sealed or elsewhere, at the last moment: whose it is, who sealed it, and only then what is in it.

pub(crate) mod facts;
pub(crate) mod keys;
pub(crate) mod missed;
mod reference;
mod seal;

use std::collections::BTreeMap;

use ringfence_diagnostic::{Diagnostic, Place, Span};
use ringfence_model::environment::Environment;
use ringfence_model::layer::{Layer, Origin};
use ringfence_model::resolve::is_encrypted;
use ringfence_model::tier::Tier;
use ringfence_model::value::Value;
use ringfence_model::variable;
use ringfence_secret::dotenvx;
use ringfence_secret::sops::{File, OpenError, Opened};
use ringfence_syntax::dotenv::template;

use crate::ambient::Ambient;
use crate::failure::Failure;
use crate::load::{Loaded, SealedFile};
use keys::Keys;

/// The code of a refusal where no key fits.
const NOT_OPENED: &str = "not-opened";

/// What becomes of the commands that give values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commands {
    Run,
    Leave,
}

/// Opens everything that the environment's settings need, and puts it where a resolution finds it. Gives the names of those whose
/// command was left.
pub(crate) fn open(
    loaded: &mut Loaded,
    environment: &Environment,
    commands: Commands,
    ambient: &Ambient,
    output: &mut crate::output::Output,
) -> Result<Vec<String>, Failure> {
    open_files(loaded, environment, ambient, output)?;
    reference::follow(loaded, environment, commands, ambient)
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
    if let Some(missed) = missed::find(loaded, environment) {
        return Err(refused(loaded, missed.diagnostic(&environment.name)));
    }
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
    open_dotenvx(loaded, environment, ambient)
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
}

/// Opens values that dotenvx encrypted, in the environment's plain files.
fn open_dotenvx(
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
        let Some(encrypted) = Encrypted::of(loaded, &path) else {
            continue;
        };
        let keys = keys::dotenvx_keys(&loaded.root, &encrypted.variable, ambient);
        for (name, value) in &encrypted.values {
            let opened = match &keys {
                _ if !dotenvx::is_encrypted(value) => {
                    Err("it is a value of SOPS in a file that is none of SOPS".to_owned())
                }
                Ok(keys) => dotenvx::open(value, keys).map_err(|error| error.to_string()),
                Err(why) => Err(why.clone()),
            };
            match opened {
                Ok(opened) => loaded
                    .documents
                    .open(&path, name, Value::new(opened.expose())),
                Err(why) => {
                    let about = About {
                        loaded,
                        environment,
                        path: &path,
                    };
                    let what =
                        format!("has an encrypted value, `{name}`, that is not opened: {why}");
                    let mend = format!("set `{}`, or put it into `.env.keys`", encrypted.variable);
                    return Err(refused(loaded, about.error(NOT_OPENED, &what).help(mend)));
                }
            }
        }
    }
    Ok(())
}

/// The encrypted values of a plain file.
struct Encrypted {
    /// The variable that holds the key: what the file says itself, or else what its name says.
    variable: String,
    /// By setting.
    values: Vec<(String, String)>,
}

impl Encrypted {
    /// Nothing where the file has none.
    fn of(loaded: &Loaded, path: &str) -> Option<Self> {
        let document = loaded.documents.get(path).ok()?;
        let text = loaded.sources.text(document.source);
        let rows = || {
            let rows = document.tree.assignments();
            rows.map(|row| (row.name.of(text), row.value.inner.of(text)))
        };
        let values = rows().filter(|(_, value)| is_encrypted(value));
        let values: Vec<(String, String)> = values
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let named = || dotenvx::key_variable_in(rows().map(|(name, _)| name));
        (!values.is_empty()).then(|| Self {
            variable: named().unwrap_or_else(|| dotenvx::key_variable(path)),
            values,
        })
    }
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
