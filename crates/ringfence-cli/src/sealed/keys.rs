//! The keys at hand: where they are looked for, and what is told where none fits.

use std::path::{Path, PathBuf};

use ringfence_secret::dotenvx::PrivateKey;
use ringfence_secret::identity::{Identity, IdentityError};
use ringfence_secret::sops::{File, OpenError, Opened};
use ringfence_secret::value::Secret;

use crate::ambient::{self, Ambient};

/// Where keys are looked for, in words.
pub(crate) const PLACES: &str = "`SOPS_AGE_KEY`, `SOPS_AGE_KEY_FILE`, `SOPS_AGE_SSH_PRIVATE_KEY_FILE`, ~/.config/sops/age/keys.txt, ~/.config/ringfence/identity and ~/.ssh/id_ed25519";

/// The keys of whoever started this, read when they are needed.
pub(crate) struct Keys<'a> {
    ambient: &'a Ambient,
    asks: bool,
    found: Option<Vec<Identity>>,
    ssh_was_tried: bool,
    problems: Vec<String>,
}

impl<'a> Keys<'a> {
    pub(crate) fn new(ambient: &'a Ambient) -> Self {
        Self {
            ambient,
            asks: true,
            found: None,
            ssh_was_tried: false,
            problems: Vec::new(),
        }
    }

    /// The same without ever asking anybody: a key with a passphrase is left out.
    pub(crate) fn unasked(ambient: &'a Ambient) -> Self {
        Self {
            asks: false,
            ..Self::new(ambient)
        }
    }

    /// Opens a file that names one of the keys at hand as its reader; nothing where none does. Others are not tried, however many
    /// readers a file has.
    pub(crate) fn open_own(&mut self, file: &File) -> Option<Result<Opened, OpenError>> {
        let is_own = |identities: &[Identity]| {
            let mut own = identities
                .iter()
                .map(|identity| identity.recipient().text());
            own.any(|own| file.recipients().any(|reader| reader.starts_with(own)))
        };
        let is_at_hand = is_own(self.age()) || self.add_ssh(file) && is_own(self.age());
        is_at_hand.then(|| file.open(self.age()))
    }

    /// Why keys that are there could not be used.
    pub(crate) fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Opens a file with the first key that fits. A passphrase is asked for only where nothing else fits.
    pub(crate) fn open(&mut self, file: &File) -> Result<Opened, OpenError> {
        let identities = self.age();
        let first = file.open(identities);
        if !matches!(first, Err(OpenError::NoKey)) || !self.add_ssh(file) {
            return first;
        }
        file.open(self.age())
    }

    /// Reads the ssh keys where the file is sealed for any; no where that was done before.
    fn add_ssh(&mut self, file: &File) -> bool {
        let is_for_ssh = file.recipients().any(|reader| reader.starts_with("ssh-"));
        if self.ssh_was_tried || !is_for_ssh {
            return false;
        }
        self.ssh_was_tried = true;
        for path in self.ssh_files() {
            let read = self.ssh_key(&path);
            self.found.get_or_insert_default().extend(read);
        }
        true
    }

    /// The public halves of the keys at hand; that of an ssh key as it stands beside it, so that no passphrase is asked for.
    pub(crate) fn publics(&mut self) -> Vec<String> {
        let age = self.age().iter();
        let mut publics: Vec<String> = age
            .map(|identity| identity.recipient().text().to_owned())
            .collect();
        for path in self.ssh_files() {
            let mut beside = path.into_os_string();
            beside.push(".pub");
            let text = read_text(Path::new(&beside));
            publics.extend(text.map(|text| without_comment(text.expose()).to_owned()));
        }
        publics
    }

    fn age(&mut self) -> &[Identity] {
        if self.found.is_none() {
            let mut found = Vec::new();
            for (place, text) in self.texts() {
                let (identities, problem) = usable(&text);
                found.extend(identities);
                self.problems
                    .extend(problem.map(|error| format!("{place} is left out: {error}")));
            }
            self.found = Some(found);
        }
        self.found.as_deref().unwrap_or_default()
    }

    /// Texts with age keys in them, and where each is.
    fn texts(&mut self) -> Vec<(String, Secret)> {
        let mut texts = Vec::new();
        if let Some(text) = self.variable("SOPS_AGE_KEY") {
            texts.push(("`SOPS_AGE_KEY`".to_owned(), Secret::new(text)));
        }
        if self.variable("SOPS_AGE_KEY_CMD").is_some() {
            // A program that a variable names is run by whoever set it, not by what reads files of a project.
            self.problems.push(
                "`SOPS_AGE_KEY_CMD` is not run: say `SOPS_AGE_KEY=\"$(COMMAND)\"`".to_owned(),
            );
        }
        let named = self.variable("SOPS_AGE_KEY_FILE").map(PathBuf::from);
        let configuration = self.ambient.configuration_folder();
        let usual = ["sops/age/keys.txt", "ringfence/identity"];
        let usual = configuration
            .iter()
            .flat_map(|folder| usual.map(|file| folder.join(file)));
        for (path, is_named) in named
            .map(|path| (path, true))
            .into_iter()
            .chain(usual.map(|path| (path, false)))
        {
            match read_key(&path) {
                Ok(text) => texts.push((format!("`{}`", path.display()), text)),
                Err(_) if !is_named && !ambient::exists(&path) => {}
                Err(error) => self
                    .problems
                    .push(format!("`{}` is left out: {error}", path.display())),
            }
        }
        texts
    }

    fn variable(&self, name: &str) -> Option<String> {
        let value = self.ambient.host.get(name)?.to_str()?;
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn ssh_files(&self) -> Vec<PathBuf> {
        let named = self.variable("SOPS_AGE_SSH_PRIVATE_KEY_FILE");
        let usual = self.ambient.home().map(|home| home.join(".ssh/id_ed25519"));
        named
            .map(PathBuf::from)
            .into_iter()
            .chain(usual)
            .filter(|path| ambient::exists(path))
            .collect()
    }

    fn ssh_key(&mut self, path: &Path) -> Vec<Identity> {
        let shown = path.display();
        let text = match read_key(path) {
            Ok(text) => text,
            Err(error) => {
                self.problems
                    .push(format!("`{shown}` is left out: {error}"));
                return Vec::new();
            }
        };
        let mut read = Identity::parse(text.expose(), None);
        if self.asks
            && matches!(read, Err(IdentityError::Passphrase))
            && let Some(phrase) = ambient::ask_hidden(&format!("passphrase of {shown}: "))
        {
            read = Identity::parse(text.expose(), Some(&phrase));
        }
        read.unwrap_or_else(|error| {
            self.problems
                .push(format!("`{shown}` is left out: {error}"));
            Vec::new()
        })
    }
}

/// A public key without the comment that may stand behind one of ssh: SOPS keeps it in its files.
pub(crate) fn without_comment(key: &str) -> &str {
    let key = key.trim();
    match key.match_indices(' ').nth(1) {
        Some((end, _)) if key.starts_with("ssh-") => key.get(..end).unwrap_or(key),
        _ => key,
    }
}

/// A private key's text. As with ssh, a key that others can read is no key: somebody may have it already.
pub(crate) fn read_key(path: &Path) -> std::io::Result<Secret> {
    if ambient::others_can_read(path) {
        let why = format!("others can read it: chmod 600 {}", path.display());
        return Err(std::io::Error::other(why));
    }
    read_text(path)
}

/// The keys of a text. One line that cannot be used, such as a plug-in's, does not take the keys beside it along.
fn usable(text: &Secret) -> (Vec<Identity>, Option<IdentityError>) {
    match Identity::parse(text.expose(), None) {
        Ok(identities) => (identities, None),
        Err(error) => {
            let lines = text.expose().lines().map(str::trim);
            let lines = lines.filter(|line| line.starts_with("AGE-SECRET-KEY-1"));
            let found = lines.filter_map(|line| Identity::parse(line, None).ok());
            (found.flatten().collect(), Some(error))
        }
    }
}

/// A text that is cleared when it is dropped.
pub(crate) fn read_text(path: &Path) -> std::io::Result<Secret> {
    const MOST: u64 = 1 << 20;
    let bytes = ambient::read_at_most(path, MOST)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let mut bytes = error.into_bytes();
        zeroize::Zeroize::zeroize(&mut bytes);
        std::io::Error::other("it is not UTF-8")
    })?;
    Ok(Secret::new(text))
}

/// The private keys that a variable of dotenvx holds, in the environment or in `.env.keys`; else why there are none.
pub(crate) fn dotenvx_keys(
    root: &Path,
    variable: &str,
    ambient: &Ambient,
) -> Result<Vec<PrivateKey>, String> {
    let named = ambient.host.get(variable).and_then(|value| value.to_str());
    let kept = || {
        let text = read_text(&root.join(".env.keys")).ok()?;
        text.expose().lines().find_map(|line| {
            let rest = line.trim().strip_prefix(variable)?;
            let value = rest.trim_start().strip_prefix('=')?;
            Some(Secret::new(value.trim().trim_matches(['"', '\''])))
        })
    };
    let key = named.map(Secret::new).or_else(kept);
    let key = key.ok_or_else(|| format!("there is no `{variable}`"))?;
    let keys = key.expose().split(',');
    keys.map(|key| PrivateKey::parse(key.trim()))
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}
