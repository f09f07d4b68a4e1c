//! Who can open a file: private keys that people hold, and public keys that files are made for.
//!
//! age's own keys and ssh-ed25519 keys. Keys of plug-ins are refused: a plug-in is a program that a file would choose.

use std::str::FromStr;

use age::secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::value::Secret;

/// A private key, and the public key that files name it by.
pub struct Identity {
    key: Box<dyn age::Identity + Send + Sync>,
    recipient: Recipient,
}

/// A public key that a file can be made for.
#[derive(Clone)]
pub struct Recipient {
    key: Key,
    text: String,
}

#[derive(Clone)]
enum Key {
    X25519(age::x25519::Recipient),
    Ssh(age::ssh::Recipient),
}

/// Why a text holds no key that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Neither of age nor of ssh.
    #[error("line {0} is no age key (`AGE-SECRET-KEY-1…`)")]
    Line(usize),
    /// A key of an age plug-in.
    #[error("line {0} is a key of an age plug-in, and plug-ins are not run")]
    Plugin(usize),
    /// An OpenSSH key that is damaged or of another kind than ed25519.
    #[error("the ssh key is of a kind that opens no file: use ssh-ed25519")]
    SshKind,
    /// The passphrase is missing.
    #[error("the ssh key is protected by a passphrase")]
    Passphrase,
    /// The passphrase does not fit.
    #[error("the passphrase of the ssh key is wrong")]
    WrongPassphrase,
    /// No key in it.
    #[error("there is no key in it")]
    Empty,
    /// A public key of an unknown kind.
    #[error("`{0}` is no public key that files can be made for: use `age1…` or `ssh-ed25519 …`")]
    Recipient(String),
}

impl Recipient {
    /// Reads `age1…` or `ssh-ed25519 …`; a comment after an ssh key is left out.
    ///
    /// # Errors
    /// Where it is neither.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let refused = || IdentityError::Recipient(text.to_owned());
        let text = text.trim();
        if text.starts_with("ssh-ed25519 ") {
            let words: Vec<&str> = text.split_whitespace().take(2).collect();
            let text = words.join(" ");
            let key = age::ssh::Recipient::from_str(&text).map_err(|_| refused())?;
            return Ok(Self {
                key: Key::Ssh(key),
                text,
            });
        }
        let key = age::x25519::Recipient::from_str(text).map_err(|_| refused())?;
        Ok(Self {
            text: key.to_string(),
            key: Key::X25519(key),
        })
    }

    /// As it stands in files.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn key(&self) -> &dyn age::Recipient {
        match &self.key {
            Key::X25519(key) => key,
            Key::Ssh(key) => key,
        }
    }
}

impl Identity {
    /// Makes a new key of age's own kind.
    #[must_use]
    pub fn generate() -> (Self, Secret) {
        let key = age::x25519::Identity::generate();
        let text = Secret::new(key.to_string().expose_secret());
        (Self::of_x25519(key), text)
    }

    /// Reads a file of keys: lines of `AGE-SECRET-KEY-1…` with comments, or one OpenSSH private key.
    ///
    /// # Errors
    /// Where something in it is no key, or a passphrase is needed and not given.
    pub fn parse(text: &str, passphrase: Option<&Secret>) -> Result<Vec<Self>, IdentityError> {
        if text
            .trim_start()
            .starts_with("-----BEGIN OPENSSH PRIVATE KEY-----")
        {
            return Ok(vec![Self::of_ssh(text, passphrase)?]);
        }
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with("AGE-PLUGIN-") {
                return Err(IdentityError::Plugin(index + 1));
            }
            let key = age::x25519::Identity::from_str(line);
            keys.push(Self::of_x25519(
                key.map_err(|_| IdentityError::Line(index + 1))?,
            ));
        }
        if keys.is_empty() {
            return Err(IdentityError::Empty);
        }
        Ok(keys)
    }

    fn of_x25519(key: age::x25519::Identity) -> Self {
        let recipient = key.to_public();
        Self {
            recipient: Recipient {
                text: recipient.to_string(),
                key: Key::X25519(recipient),
            },
            key: Box::new(key),
        }
    }

    fn of_ssh(text: &str, passphrase: Option<&Secret>) -> Result<Self, IdentityError> {
        let private =
            ssh_key::PrivateKey::from_openssh(text).map_err(|_| IdentityError::SshKind)?;
        let private = match (private.is_encrypted(), passphrase) {
            (false, _) => private,
            (true, None) => return Err(IdentityError::Passphrase),
            (true, Some(phrase)) => private
                .decrypt(phrase.expose())
                .map_err(|_| IdentityError::WrongPassphrase)?,
        };
        let public = private.public_key().to_openssh();
        let recipient = Recipient::parse(&public.map_err(|_| IdentityError::SshKind)?)
            .map_err(|_| IdentityError::SshKind)?;
        let plain: Zeroizing<String> = private
            .to_openssh(ssh_key::LineEnding::LF)
            .map_err(|_| IdentityError::SshKind)?;
        let key = age::ssh::Identity::from_buffer(plain.as_bytes(), None);
        match key.map_err(|_| IdentityError::SshKind)? {
            key @ age::ssh::Identity::Unencrypted(_) => Ok(Self {
                key: Box::new(key),
                recipient,
            }),
            _ => Err(IdentityError::SshKind),
        }
    }

    /// The public key that belongs to it.
    #[must_use]
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    pub(crate) fn key(&self) -> &dyn age::Identity {
        &*self.key
    }
}
