//! What can be said of a sealed file without a key, as data: `secret verify` puts it into words, and `check` into findings.

use std::collections::BTreeSet;

use ringfence_diagnostic::render::without_controls;
use ringfence_model::environment::Environment;
use ringfence_secret::identity::Recipient;
use ringfence_secret::seal::{Editor, Found};
use ringfence_secret::sops::File;

use super::About;
use super::keys::without_comment;
use crate::ambient::Ambient;
use crate::load::{Loaded, SealedFile};

/// What holds of a sealed file, and what does not.
pub(crate) struct Facts {
    /// Names whose value should be encrypted and is not.
    pub(crate) clear: Vec<String>,
    /// Other means than age by which it can be opened.
    pub(crate) others: Vec<String>,
    /// Who can open it, beside who should.
    pub(crate) readers: Readers,
    /// What its seal says.
    pub(crate) seal: SealState,
}

/// Who can open a file, beside whom the manifest names.
pub(crate) enum Readers {
    /// The manifest names nobody.
    Unsaid,
    /// Somebody whom it names cannot be given a file.
    Unusable(Unusable),
    /// By their public keys.
    Compared {
        /// Those that can open it and are not named.
        extra: Vec<String>,
        /// Those that are named and cannot.
        missing: Vec<String>,
    },
}

/// Why no file can be sealed for somebody whom the manifest names.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// There is no key for it among theirs.
    #[error("`{0}` has no key that files can be sealed for")]
    Keyless(String),
    /// One of theirs, by its number, is none. It is not shown: it may be the private half.
    #[error("key {1} of `{0}` under `[people]` is no public key")]
    Malformed(String, usize),
}

impl Unusable {
    /// Whom it is about.
    pub(crate) fn person(&self) -> &str {
        match self {
            Self::Keyless(person) | Self::Malformed(person, _) => person,
        }
    }
}

/// What a file's seal says.
pub(crate) enum SealState {
    /// There is none, and none is needed.
    NotNeeded,
    /// There is none, and one is needed.
    Missing,
    /// It holds.
    Holds { revision: u64, by: String },
    /// It does not hold.
    Refused { revision: Option<u64>, why: String },
}

impl Facts {
    /// Looks at one file; it is not opened.
    pub(crate) fn of(
        about: &About<'_>,
        (sealed, file): (&SealedFile, &File),
        ambient: &Ambient,
    ) -> Self {
        Self {
            clear: file.unencrypted(),
            others: file.other_readers().to_vec(),
            readers: compare(about, file),
            seal: seal(about, (sealed, file), ambient),
        }
    }
}

fn compare(about: &About<'_>, file: &File) -> Readers {
    let named = match readers(about.loaded, about.environment) {
        Ok(Some(named)) => named,
        Ok(None) => return Readers::Unsaid,
        Err(unusable) => return Readers::Unusable(unusable),
    };
    let named: BTreeSet<&str> = named.iter().map(Recipient::text).collect();
    let found: BTreeSet<&str> = file.recipients().map(without_comment).collect();
    let owned = |key: &&str| (*key).to_owned();
    Readers::Compared {
        extra: found.difference(&named).map(owned).collect(),
        missing: named.difference(&found).map(owned).collect(),
    }
}

fn seal(about: &About<'_>, (sealed, file): (&SealedFile, &File), ambient: &Ambient) -> SealState {
    let name = &about.environment.name;
    let required = about.loaded.project.people.keeping(name);
    let seal = match about.written_seal() {
        Ok(Some(seal)) => seal,
        Ok(None) if required.requires_seal(about.environment.tier) => return SealState::Missing,
        Ok(None) => return SealState::NotNeeded,
        Err(error) => {
            return SealState::Refused {
                revision: None,
                why: error.to_string(),
            };
        }
    };
    let revision = seal.statement().revision();
    let names: BTreeSet<String> = file.names().map(str::to_owned).collect();
    let found = Found {
        environment: name,
        file: &sealed.bytes,
        names: &names,
        lowest_revision: about.lowest_revision(ambient),
    };
    let unsaid = || "the manifest does not say whose seal counts".to_owned();
    let by = about.editors().ok_or_else(unsaid).and_then(|editors| {
        let by = seal.verify(&found, &editors);
        by.map(str::to_owned).map_err(|error| error.to_string())
    });
    match by {
        Ok(by) => SealState::Holds { revision, by },
        Err(why) => SealState::Refused {
            revision: Some(revision),
            why,
        },
    }
}

/// The public keys of those who may read an environment's secrets; nothing where the manifest does not say who.
pub(crate) fn readers(
    loaded: &Loaded,
    environment: &Environment,
) -> Result<Option<Vec<Recipient>>, Unusable> {
    let people = &loaded.project.people;
    let Some(names) = people.keeping(&environment.name).readers else {
        return Ok(None);
    };
    let mut recipients: Vec<Recipient> = Vec::new();
    for name in names {
        let keys = people.keys.get(&name).into_iter().flatten();
        let mut own = Vec::new();
        for (index, (key, _)) in keys.enumerate() {
            match Recipient::parse(key) {
                Ok(recipient) => own.push(recipient),
                // Some kinds of ssh keys seal and do not open.
                Err(_) if Editor::parse("", key).is_ok() => {}
                Err(_) => return Err(Unusable::Malformed(name, index + 1)),
            }
        }
        if own.is_empty() {
            return Err(Unusable::Keyless(name));
        }
        recipients.extend(own);
    }
    Ok(Some(recipients))
}

/// Whose a public key is in the manifest.
pub(crate) fn person_of<'a>(loaded: &'a Loaded, key: &str) -> Option<&'a str> {
    let mut people = loaded.project.people.keys.iter();
    let key = without_comment(key);
    people
        .find(|(_, keys)| keys.iter().any(|(own, _)| without_comment(own) == key))
        .map(|(name, _)| name.as_str())
}

/// How a public key of a file begins, which may be any text.
pub(crate) fn short(key: &str) -> String {
    let beginning: String = key.chars().take(24).collect();
    format!("{}…", without_controls(&beginning))
}

/// A public key as people are told of it: whose it is, or how it begins.
pub(crate) fn spoken(loaded: &Loaded, key: &str) -> String {
    person_of(loaded, key).map_or_else(|| short(key), str::to_owned)
}
