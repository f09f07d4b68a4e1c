//! The four kinds of reality, and the words that people use for them.

use std::fmt;

/// What kind of reality an environment is. Safety rules hang on it, never on a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// On a developer's machine; anything may break.
    Development,
    /// Where tests run; data is thrown away.
    Testing,
    /// Like production, without its users.
    Staging,
    /// Real users and real data.
    Production,
}

/// Words for the tiers; those of one row are spellings of the same word, so two files of one row are one environment
/// twice.
const WORDS: &[(Tier, &[&str])] = &[
    (Tier::Development, &["dev", "development", "develop"]),
    (Tier::Development, &["local"]),
    (Tier::Testing, &["test", "testing"]),
    (Tier::Testing, &["ci"]),
    (Tier::Testing, &["e2e"]),
    (Tier::Testing, &["integration"]),
    (Tier::Staging, &["staging", "stage", "stg"]),
    (Tier::Staging, &["preview"]),
    (Tier::Staging, &["preprod", "pre"]),
    (Tier::Staging, &["uat"]),
    (Tier::Staging, &["qa"]),
    (Tier::Staging, &["sandbox"]),
    (Tier::Staging, &["demo"]),
    (Tier::Staging, &["beta"]),
    (Tier::Production, &["prod", "production", "prd"]),
    (Tier::Production, &["live"]),
];

impl Tier {
    /// All tiers, lowest first.
    pub const ALL: [Self; 4] = [
        Self::Development,
        Self::Testing,
        Self::Staging,
        Self::Production,
    ];

    /// The tier of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }

    /// The tier that a word means, upper and lower case being the same.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        spellings(word).map(|(tier, _)| tier)
    }

    /// The tier's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Testing => "testing",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }

    /// The words that mean this tier.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        WORDS
            .iter()
            .filter(move |(tier, _)| *tier == self)
            .flat_map(|(_, words)| words.iter().copied())
    }

    /// `NODE_ENV` as Node programs know it: a build mode with three values.
    #[must_use]
    pub const fn node_env(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Testing => "test",
            Self::Staging | Self::Production => "production",
        }
    }

    /// Whether one person's own file (`.env.<name>.local`) counts here.
    #[must_use]
    pub fn allows_personal_files(self) -> bool {
        self <= Self::Testing
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Whether two words are spellings of the same one: themselves, or `prod` and `production`.
#[must_use]
pub fn same_word(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || spellings(one)
            .is_some_and(|(_, words)| words.iter().any(|word| word.eq_ignore_ascii_case(other)))
}

fn spellings(word: &str) -> Option<(Tier, &'static [&'static str])> {
    WORDS
        .iter()
        .find(|(_, words)| words.iter().any(|known| known.eq_ignore_ascii_case(word)))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_tiers_whatever_their_case() {
        assert_eq!(Tier::of_word("PROD"), Some(Tier::Production));
        assert_eq!(Tier::of_word("qa"), Some(Tier::Staging));
        assert_eq!(Tier::of_word("docker"), None);
        assert!(
            same_word("Production", "prd")
                && !same_word("qa", "staging")
                && same_word("docker", "Docker")
        );
    }

    #[test]
    fn no_word_means_two_tiers() {
        let mut words: Vec<_> = Tier::ALL.into_iter().flat_map(Tier::words).collect();
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
