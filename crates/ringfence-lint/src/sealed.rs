//! What is known of sealed files: facts that whoever has the manifest, the seals and perhaps a key works out, and never a value.

use ringfence_diagnostic::Place;

use crate::about::About;
use crate::value::Strength;
use crate::vendor::{self, Class};

/// One sealed file.
#[derive(Debug, Clone, Default)]
pub struct Sealed {
    /// From the project's root, with `/` between its parts.
    pub path: String,
    /// The environment whose file it is, where a manifest governs it.
    pub environment: Option<String>,
    /// Why it cannot be read, in a few words.
    pub damage: Option<String>,
    /// Names whose value should be encrypted, by the file's own rule, and stands in it in the clear.
    pub clear: Vec<String>,
    /// Who can open it, and is not named for it.
    pub extra: Vec<Reader>,
    /// Who is named for it, and cannot open it.
    pub missing: Vec<Reader>,
    /// Other means than the keys of people by which it can be opened, where people are named for it.
    pub others: Vec<String>,
    /// What its seal says.
    pub seal: Seal,
    /// What the values say of themselves, where a key at hand opened them.
    pub values: Option<Vec<Worth>>,
}

/// Somebody who can open a file, or should.
#[derive(Debug, Clone)]
pub struct Reader {
    /// Their name, or the beginning of a key that is nobody's.
    pub who: String,
    /// Where the manifest has their key.
    pub place: Option<Place>,
}

/// What a file's seal says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Seal {
    /// Nothing says who may seal the file, or whether anybody must.
    #[default]
    Unknown,
    /// There is none, and none is needed.
    NotNeeded,
    /// There is none, and one is needed.
    Missing,
    /// It holds.
    Holds {
        /// Counted from 1.
        revision: u64,
        /// The editor who sealed.
        by: String,
    },
    /// It does not hold, for this reason.
    Refused(String),
}

/// What a value says of itself to whoever can open it; the value itself is left behind.
#[derive(Debug, Clone)]
pub struct Worth {
    /// The setting's name.
    pub name: String,
    /// What the secret in it is worth; `None` where there is none.
    pub strength: Option<Strength>,
    /// The vendor of a key or mode, and whether real users stand behind it.
    pub vendor: Option<(&'static str, Class)>,
    /// The mark of the secret in it, where somebody issued one.
    pub mark: Option<String>,
}

impl Worth {
    /// What `value` says of itself. `mark` gives what equal secrets have in common and nobody can guess a secret from: a keyed
    /// fingerprint.
    #[must_use]
    pub fn of(name: &str, value: &str, mark: impl FnOnce(&str) -> String) -> Self {
        let about = About::of(name);
        let strength = about.strength(name, value);
        let secret = about.secret(value).filter(|_| is_issued(strength));
        Self {
            name: name.to_owned(),
            strength,
            vendor: vendor::class(&about.canonical, about.mode_of, value.trim()),
            mark: secret.map(mark),
        }
    }
}

/// Whether somebody issued a secret, be it a poor one.
#[must_use]
pub const fn is_issued(strength: Option<Strength>) -> bool {
    matches!(strength, Some(Strength::Weak | Strength::Strong))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str, expected: (Option<Strength>, Option<&str>)) {
        let worth = Worth::of(name, value, |secret| format!("<{secret}>"));
        assert_eq!((worth.strength, worth.mark.as_deref()), expected, "{name}");
    }

    #[test]
    fn only_the_secret_in_a_value_is_marked() {
        let strong = Some(Strength::Strong);
        check(
            "API_TOKEN",
            "kR9vXw2mQpL8tZs4YdBf6NhJ",
            (strong, Some("<kR9vXw2mQpL8tZs4YdBf6NhJ>")),
        );
        check(
            "DATABASE_URL",
            "postgres://app:wk3Rv8Lq2Zt9@db.example.com/app",
            (strong, Some("<wk3Rv8Lq2Zt9>")),
        );
        check("API_TOKEN", "changeme", (Some(Strength::Placeholder), None));
        check("PORT", "8080", (None, None));
    }
}
