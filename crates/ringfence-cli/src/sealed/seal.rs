//! The seal beside a file: where it must be, whose it must be, and what is told where it does not hold.

use std::collections::BTreeSet;

use ringfence_diagnostic::Diagnostic;
use ringfence_model::tier::Tier;
use ringfence_secret::seal::{Editor, Found, Seal, SealError};
use ringfence_secret::sops::File;
use thiserror::Error;

use super::About;
use crate::ambient::{self, Ambient};
use crate::load::SealedFile;

/// Why there is no seal where one is written.
#[derive(Debug, Error)]
pub(crate) enum WrittenSealError {
    /// The system does not give it.
    #[error("the seal cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// It is none.
    #[error(transparent)]
    Malformed(#[from] SealError),
}

impl About<'_> {
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
    pub(crate) fn written_seal(&self) -> Result<Option<Seal>, WrittenSealError> {
        let path = self.loaded.root.join(format!("{}.seal", self.path));
        match ambient::read_file(&path) {
            Ok(bytes) => Ok(Some(Seal::parse(&bytes)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(WrittenSealError::Unreadable(error)),
        }
    }

    /// The seal, where there is one and it holds; none where none is needed.
    pub(super) fn seal(
        &self,
        sealed: &SealedFile,
        file: &File,
        ambient: &Ambient,
    ) -> Result<Option<Seal>, Box<Diagnostic>> {
        let name = &self.environment.name;
        let keeping = self.loaded.project.people.keeping(name);
        let required = keeping.requires_seal(self.environment.tier);
        let seal = self.written_seal().map_err(|error| self.no_seal(&error))?;
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
        let refused = |error| self.seal_refused(&error);
        match self.check_seal(seal, (sealed, file), &editors, ambient) {
            Err(SealError::File | SealError::Names { .. } | SealError::Revision { .. }) => {}
            checked => return checked.map(Some).map_err(refused),
        }
        // Somebody may be between writing the file and its seal: they hold the lock until both are there.
        let path = self.loaded.root.join(self.path);
        let lock = ambient::lock_folder(&self.loaded.root);
        let seal = self.written_seal().map_err(|error| self.no_seal(&error))?;
        let changed = ambient::read_file(&path).ok().as_ref() != Some(&sealed.bytes);
        drop(lock);
        match seal {
            Some(seal) if !changed => self
                .check_seal(seal, (sealed, file), &editors, ambient)
                .map(Some)
                .map_err(refused),
            _ => Err(Box::new(
                self.error("seal-refused", "was changed meanwhile")
                    .help("say it again: it starts from the file as it is now"),
            )),
        }
    }

    fn check_seal(
        &self,
        seal: Seal,
        (sealed, file): (&SealedFile, &File),
        editors: &[Editor],
        ambient: &Ambient,
    ) -> Result<Seal, SealError> {
        let names: BTreeSet<String> = file.names().map(str::to_owned).collect();
        let found = Found {
            environment: &self.environment.name,
            file: &sealed.bytes,
            names: &names,
            lowest_revision: self.lowest_revision(ambient),
        };
        seal.verify(&found, editors)?;
        Ok(seal)
    }

    fn no_seal(&self, error: &WrittenSealError) -> Box<Diagnostic> {
        match error {
            WrittenSealError::Malformed(error) => self.seal_refused(error),
            WrittenSealError::Unreadable(_) => {
                let diagnostic = self
                    .error("seal-refused", &format!("has no seal that holds: {error}"))
                    .help(format!(
                        "take `{}.seal` from git again, or remove what stands in its place",
                        self.path
                    ));
                Box::new(diagnostic)
            }
        }
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
            SealError::Signer { .. } => diagnostic.help(self.said_editors()),
            SealError::File | SealError::Names { .. } => diagnostic
                .help(format!("look at what changed (`git log -p {}`); whoever may edit `{name}` seals it again: `ringfence secret seal {name}`", self.path)),
            _ => diagnostic.help(format!("see `ringfence secret verify {name}`; whoever may edit `{name}` can seal it again: `ringfence secret seal {name}`")),
        };
        Box::new(diagnostic)
    }

    /// Whose seal would count.
    fn said_editors(&self) -> String {
        let name = &self.environment.name;
        let editors = self.editors().unwrap_or_default();
        let people: BTreeSet<&str> = editors.iter().map(|editor| editor.name.as_str()).collect();
        let people: Vec<&str> = people.into_iter().collect();
        let people = match people.as_slice() {
            [] => "nobody with an ssh key".to_owned(),
            people => people.join(", "),
        };
        format!(
            "`{name}.edit` in ringfence.toml names {people}: one of them looks at the file and says `ringfence secret seal {name}`"
        )
    }

    pub(super) fn unsealed_note(&self, unsealed: bool) -> Vec<String> {
        let above = self.environment.tier >= Tier::Staging;
        let note = format!(
            "ringfence: `{}` has no seal, and `[secrets]` lets `{}` go without",
            self.path, self.environment.name
        );
        (unsealed && above).then_some(note).into_iter().collect()
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

    /// The lowest revision that is still taken: outside production, going back to an older branch is everyday work.
    pub(super) fn lowest_revision(&self, ambient: &Ambient) -> u64 {
        match self.environment.tier {
            Tier::Production => self.seen(ambient).max(1),
            _ => 1,
        }
    }

    /// By the environment, not by the file's path: an older file can be put back in another of the places that sealed files have.
    fn state_name(&self) -> String {
        let whole = format!("{}\0{}", self.loaded.root.display(), self.environment.name);
        ringfence_secret::fingerprint::name_of(whole.as_bytes())
    }
}
