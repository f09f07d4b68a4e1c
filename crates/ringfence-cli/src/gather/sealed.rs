//! The sealed files among those that `check` looks at, as facts. Keys at hand open them, where there are any; nothing is asked for.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use ringfence_lint::layout;
use ringfence_lint::sealed::{Reader, Seal, Sealed, Worth};
use ringfence_lint::survey::{self, RawFile};
use ringfence_model::environment::Environment;
use ringfence_model::variable;
use ringfence_secret::fingerprint::Key;
use ringfence_secret::sops::{self, File, OpenError, Opened, ParseError};

use crate::ambient::{self, Ambient};
use crate::load::{Loaded, SealedFile};
use crate::sealed::facts::{Facts, Readers, SealState, spoken};
use crate::sealed::keys::Keys;
use crate::sealed::{self, About};

/// A look at the sealed files of a folder.
pub(super) struct Look<'a> {
    root: &'a Path,
    loaded: Option<&'a Loaded>,
    ambient: &'a Ambient,
    keys: Keys<'a>,
    /// The key of fingerprints, once something was opened.
    fingerprints: Option<Key>,
}

impl<'a> Look<'a> {
    pub(super) fn new(root: &'a Path, loaded: Option<&'a Loaded>, ambient: &'a Ambient) -> Self {
        Self {
            root,
            loaded,
            ambient,
            keys: Keys::unasked(ambient),
            fingerprints: None,
        }
    }

    /// The facts of the sealed files among `files`. Files that were only wanted where they are sealed, and are not, are taken out;
    /// those that the manifest names elsewhere are put in.
    pub(super) fn at(&mut self, files: &mut Vec<RawFile>) -> Vec<Sealed> {
        let governed = self.governed();
        let known: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let unseen = governed.iter().filter(|(path, _)| !known.contains(*path));
        let unseen: Vec<RawFile> = unseen
            .map(|(path, (_, file))| RawFile {
                path: (*path).to_owned(),
                text: Ok(String::from_utf8_lossy(&file.bytes).into_owned()),
            })
            .collect();
        files.extend(unseen);
        let mut found = Vec::new();
        files.retain(|file| {
            let facts = match governed.get(file.path.as_str()) {
                Some((environment, sealed)) => Some(self.of_manifest(environment, sealed, file)),
                None => self.of_text(file),
            };
            let is_kept = facts.is_some() || survey::is_looked_at(&file.path);
            found.extend(facts);
            is_kept
        });
        found
    }

    /// The key that marked what was opened; nothing where nothing was.
    pub(super) fn used_key(self) -> Option<Key> {
        self.fingerprints
    }

    /// The sealed files that the manifest's environments have.
    fn governed(&self) -> BTreeMap<&'a str, (&'a Environment, &'a SealedFile)> {
        let loaded = self.loaded.into_iter();
        let owned = loaded.flat_map(|loaded| {
            loaded
                .project
                .environments
                .iter()
                .flat_map(move |environment| {
                    let paths = sealed::paths(loaded, environment).into_iter();
                    let files = paths.filter_map(|path| loaded.sealed.get_key_value(&path));
                    files.map(move |(path, file)| (path.as_str(), (environment, file)))
                })
        });
        owned.collect()
    }

    fn of_manifest(
        &mut self,
        environment: &Environment,
        sealed: &SealedFile,
        raw: &RawFile,
    ) -> Sealed {
        let base = Sealed {
            path: raw.path.clone(),
            environment: Some(environment.name.clone()),
            ..Sealed::default()
        };
        let (Some(loaded), Ok(file)) = (self.loaded, &sealed.file) else {
            let why = sealed.file.as_ref().err().map(ToString::to_string);
            return damaged(base, why.unwrap_or_default());
        };
        let about = About {
            loaded,
            environment,
            path: &raw.path,
        };
        let facts = Facts::of(&about, (sealed, file), self.ambient);
        let reader = |key: &String| reader(loaded, key);
        let (extra, missing) = match &facts.readers {
            Readers::Unsaid => (Vec::new(), Vec::new()),
            Readers::Unusable(unusable) => (Vec::new(), vec![keyless(unusable.person())]),
            Readers::Compared { extra, missing } => (
                extra.iter().map(reader).collect(),
                missing.iter().map(reader).collect(),
            ),
        };
        let is_said = !matches!(facts.readers, Readers::Unsaid);
        let sealed = Sealed {
            clear: facts.clear,
            extra,
            missing,
            others: if is_said { facts.others } else { Vec::new() },
            seal: match facts.seal {
                SealState::NotNeeded => Seal::NotNeeded,
                SealState::Missing => Seal::Missing,
                SealState::Holds { revision, by } => Seal::Holds { revision, by },
                SealState::Refused { why, .. } => Seal::Refused(why),
            },
            ..base
        };
        self.with_values(sealed, file)
    }

    /// What the text of a file says that no manifest knows.
    fn of_text(&mut self, raw: &RawFile) -> Option<Sealed> {
        let text = raw.text.as_deref().ok()?;
        let format = self.format(&raw.path, text)?;
        let base = Sealed {
            path: raw.path.clone(),
            ..Sealed::default()
        };
        match File::parse(text.as_bytes(), format) {
            Ok(file) => {
                let clear = file.unencrypted();
                Some(self.with_values(Sealed { clear, ..base }, &file))
            }
            Err(ParseError::NotSealed) if survey::is_looked_at(&raw.path) => None,
            // It is whole, and only not for us to open.
            Err(ParseError::CommentRegex) => Some(base),
            Err(why) => Some(damaged(base, why.to_string())),
        }
    }

    /// The form of a sealed file: by what SOPS says in it, or where its name says that it is sealed, by the seal beside it.
    fn format(&self, path: &str, text: &str) -> Option<sops::Format> {
        // Words of SOPS may stand anywhere, and its version may be a setting; only what it encrypted has its MAC.
        let is_signed = text.contains("ENC[AES256_GCM,")
            && (text.contains("sops_mac=") || text.contains("\"sops\""));
        let by_name = survey::is_looked_at_when_sealed(path);
        let found = (is_signed && (by_name || layout::is_of_sops_kind(path)))
            .then(|| sops::format(text.as_bytes()));
        found.flatten().or_else(|| {
            let by_name = by_name && !survey::is_looked_at(path);
            let has_seal = || ambient::exists(&self.root.join(format!("{path}.seal")));
            (by_name && has_seal()).then_some(sops::Format::Dotenv)
        })
    }

    /// Adds what the values say of themselves, where a key at hand opens them, or that they are not what was sealed.
    fn with_values(&mut self, sealed: Sealed, file: &File) -> Sealed {
        let opened = match self.keys.open_own(file) {
            Some(Ok(opened)) => opened,
            // The file is whole: what it needs is not at hand, or what is wrong with it is told by its names.
            None
            | Some(Err(OpenError::NoKey | OpenError::KeyGroups | OpenError::NotEncrypted(_))) => {
                return sealed;
            }
            Some(Err(error)) => return damaged(sealed, error.to_string()),
        };
        if let Some(why) = self.is_of_another(&sealed, &opened) {
            return damaged(sealed, why);
        }
        if self.fingerprints.is_none() {
            self.fingerprints = self.ambient.fingerprint_key();
        }
        let key = self.fingerprints.as_ref();
        let worths = key.map(|key| {
            let values = opened.values().filter_map(Result::ok);
            let worth = |(name, value)| Worth::of(name, value, |secret| key.fingerprint(secret));
            values.map(worth).collect()
        });
        Sealed {
            values: worths,
            ..sealed
        }
    }

    /// Why a file is not the one of the environment whose place it has. Of what it says, only the name of an environment is told.
    fn is_of_another(&self, sealed: &Sealed, opened: &Opened) -> Option<String> {
        let name = sealed.environment.as_deref()?;
        let inside = opened.get(variable::ENVIRONMENT)?;
        let known = self
            .loaded
            .is_some_and(|loaded| loaded.find(inside).is_ok());
        (inside != name).then(|| match known {
            true => format!("it belongs to `{inside}`, and not to `{name}`"),
            false => format!("it does not belong to `{name}`"),
        })
    }
}

fn damaged(sealed: Sealed, why: String) -> Sealed {
    Sealed {
        damage: Some(why),
        ..sealed
    }
}

fn reader(loaded: &Loaded, key: &str) -> Reader {
    let mut known = loaded.project.people.keys.values().flatten();
    let own = known.find(|(own, _)| own.trim().starts_with(key));
    Reader {
        who: spoken(loaded, key),
        place: own.map(|(_, place)| *place),
    }
}

fn keyless(person: &str) -> Reader {
    Reader {
        who: person.to_owned(),
        place: None,
    }
}
