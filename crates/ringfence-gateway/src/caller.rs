//! Tokens of callers: who asks, and which environment gave the token out.
//!
//! A token is `rf.<environment>.<caller>.<mac>`: the names in the clear, so that a token that strays can be told apart with a
//! sentence, and 32 hexadecimal digits of HMAC-SHA256 (RFC 2104) under a key of the environment alone. It holds no secret of any
//! upstream, and another environment's gateway has another key.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a token begins with.
pub const PREFIX: &str = "rf.";

/// The key under which an environment gives out tokens.
pub struct CallerKey {
    environment: String,
    key: Zeroizing<Vec<u8>>,
    /// Who a caller without a token is.
    stranger: Option<String>,
}

/// Why a token does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is none of ours, for example an upstream's key.
    #[error("this is no token of a gateway")]
    Foreign,
    /// Another environment gave it out, or says so.
    #[error("this token belongs to `{theirs}`, and this is the gateway of `{ours}`")]
    OtherEnvironment {
        /// The environment in the token.
        theirs: String,
        /// The gateway's own.
        ours: String,
    },
    /// The names are ours, the signature is not.
    #[error("this token was not given out with the present key of `{0}`")]
    Forged(String),
}

impl CallerKey {
    /// The key of an environment.
    #[must_use]
    pub fn new(environment: impl Into<String>, key: Zeroizing<Vec<u8>>) -> Self {
        Self {
            environment: environment.into(),
            key,
            stranger: None,
        }
    }

    /// The key of an environment of a project, drawn from a secret that several of them may share.
    #[must_use]
    pub fn derived(secret: &[u8], project: &str, environment: &str) -> Self {
        let mut mac = keyed(secret);
        for part in ["ringfence gateway 1", project, environment] {
            mac.update(part.as_bytes());
            mac.update(&[0]);
        }
        let key = Zeroizing::new(mac.finalize().into_bytes().to_vec());
        Self::new(environment, key)
    }

    /// The same, which takes whoever sends no token of a gateway for that caller at resources without a key: who has not been told
    /// of a key has nothing to send.
    #[must_use]
    pub fn with_stranger(mut self, caller: &str) -> Self {
        self.stranger = Some(caller.to_owned());
        self
    }

    /// Who a caller without a token is, at a resource without a key.
    pub(crate) fn stranger(&self) -> Option<&str> {
        self.stranger.as_deref()
    }

    /// The token of a caller; `None` where the name has other characters than ASCII letters, digits, `-` and `_`, or more than 64.
    #[must_use]
    pub fn token(&self, caller: &str) -> Option<Zeroizing<String>> {
        if !is_name(caller) {
            return None;
        }
        let names = format!("{PREFIX}{}.{caller}", self.environment);
        let mac = hexadecimal(&self.mac(&names).finalize().into_bytes());
        Some(Zeroizing::new(format!("{names}.{mac}")))
    }

    /// The caller's name.
    ///
    /// # Errors
    /// Where the token is another's.
    pub fn caller<'a>(&self, token: &'a str) -> Result<&'a str, TokenError> {
        let (names, mac) = token.rsplit_once('.').ok_or(TokenError::Foreign)?;
        let inner = names.strip_prefix(PREFIX).ok_or(TokenError::Foreign)?;
        let (environment, caller) = inner.rsplit_once('.').ok_or(TokenError::Foreign)?;
        if environment != self.environment {
            return Err(TokenError::OtherEnvironment {
                theirs: environment.chars().take(64).collect(),
                ours: self.environment.clone(),
            });
        }
        let forged = || TokenError::Forged(self.environment.clone());
        let mac = bytes_of(mac).ok_or_else(forged)?;
        let verified = self.mac(names).verify_truncated_left(&mac);
        verified.map_err(|_| forged())?;
        Ok(caller)
    }

    /// A word that a URL may hold: it says who asks, and counts for that one use alone.
    pub(crate) fn ticket(&self, caller: &str, what_for: &str) -> String {
        let mac = self.ticket_mac(caller, what_for).finalize().into_bytes();
        format!("{caller}.{}", hexadecimal(&mac))
    }

    /// The caller whose ticket it is; `None` where it is none for this use.
    pub(crate) fn holder<'a>(&self, ticket: &'a str, what_for: &str) -> Option<&'a str> {
        let (caller, mac) = ticket.rsplit_once('.')?;
        let mac = bytes_of(mac)?;
        let verified = self
            .ticket_mac(caller, what_for)
            .verify_truncated_left(&mac);
        verified.is_ok().then_some(caller)
    }

    /// The zero byte keeps it apart from a token, whose names have none.
    fn ticket_mac(&self, caller: &str, what_for: &str) -> Hmac<Sha256> {
        self.mac(&format!(
            "ticket\0{what_for}\0{}\0{caller}",
            self.environment
        ))
    }

    fn mac(&self, names: &str) -> Hmac<Sha256> {
        let mut mac = keyed(&self.key);
        mac.update(names.as_bytes());
        mac
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    Hmac::new_from_slice(key).expect("any length is a key")
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

const MAC_BYTES: usize = 16;

fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().take(MAC_BYTES);
    digits.map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(digits: &str) -> Option<[u8; MAC_BYTES]> {
    let mut bytes = [0; MAC_BYTES];
    if digits.len() != 2 * MAC_BYTES {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(environment: &str, key: &[u8]) -> CallerKey {
        CallerKey::new(environment, Zeroizing::new(key.to_vec()))
    }

    #[test]
    fn a_token_counts_where_it_was_given_out_and_nowhere_else() {
        let (dev, prod) = (key("dev", b"one"), key("prod", b"two"));
        let token = dev.token("web").unwrap();
        assert_eq!(dev.caller(&token), Ok("web"));
        let strayed = prod.caller(&token).unwrap_err();
        assert_eq!(
            strayed.to_string(),
            "this token belongs to `dev`, and this is the gateway of `prod`"
        );
        // Another key under the same name: after the key was exchanged, or on another machine.
        assert_eq!(
            key("dev", b"two").caller(&token),
            Err(TokenError::Forged("dev".to_owned()))
        );
    }

    #[test]
    fn a_shared_secret_gives_each_environment_a_key_of_its_own() {
        let key = |project, environment| CallerKey::derived(b"shared", project, environment);
        let token = key("shop", "dev").token("web").unwrap();
        assert_eq!(key("shop", "dev").caller(&token), Ok("web"));
        assert!(key("blog", "dev").caller(&token).is_err());
        let renamed = token.replace("rf.dev.", "rf.prod.");
        assert!(key("shop", "prod").caller(&renamed).is_err());
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let dev = key("dev", b"one");
        let token = dev.token("web").unwrap();
        for foreign in ["", "sk-live-x", "rf.", "rf.dev", "a.b.c.d"] {
            assert_eq!(dev.caller(foreign), Err(TokenError::Foreign), "{foreign}");
        }
        let renamed = token.replace(".web.", ".ops.");
        let short = token.get(..token.len() - 2).unwrap();
        let plus = token.get(..token.len() - 2).unwrap().to_owned() + "+1";
        for forged in [
            renamed.as_str(),
            short,
            &plus,
            "rf.dev.web.",
            "rf.dev.web.é",
        ] {
            assert_eq!(
                dev.caller(forged),
                Err(TokenError::Forged("dev".to_owned())),
                "{forged}"
            );
        }
    }

    #[test]
    fn names_are_plain_and_short() {
        let dev = key("dev", b"one");
        assert!(dev.token(&"a".repeat(64)).is_some());
        for bad in ["", "a.b", "a b", "ä", &"a".repeat(65)] {
            assert!(dev.token(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn environments_may_have_dots_in_their_names() {
        let dev = key("eu.dev", b"one");
        assert_eq!(dev.caller(&dev.token("web").unwrap()), Ok("web"));
    }
}
