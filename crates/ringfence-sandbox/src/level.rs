//! How much of the barrier stands.

use std::fmt;

use serde::Serialize;

/// Levels, weakest first, so that `>=` means "at least as strong".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Settings are kept apart; nothing is enforced around the process.
    ConfigOnly,
    /// Connections are decided on one by one; no file is hidden.
    NetworkOnly,
    /// Everything but a process table of its own: the arguments of other processes can be seen.
    NoPidns,
    /// Everything.
    Full,
}

impl Level {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfigOnly => "config-only",
            Self::NetworkOnly => "network-only",
            Self::NoPidns => "no-pidns",
            Self::Full => "full",
        }
    }

    /// The level of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [
            Self::Full,
            Self::NoPidns,
            Self::NetworkOnly,
            Self::ConfigOnly,
        ]
        .into_iter()
        .find(|level| level.name() == name)
    }

    /// The next weaker one.
    #[must_use]
    pub const fn weaker(self) -> Option<Self> {
        match self {
            Self::Full => Some(Self::NoPidns),
            Self::NoPidns => Some(Self::NetworkOnly),
            Self::NetworkOnly => Some(Self::ConfigOnly),
            Self::ConfigOnly => None,
        }
    }

    /// What is missing at this level, in a sentence; empty where nothing is.
    #[must_use]
    pub const fn lacks(self) -> &'static str {
        match self {
            Self::Full => "",
            Self::NoPidns => "other processes of this user can be seen, with their arguments",
            Self::NetworkOnly => "no file is hidden, and the host's own ports are shared",
            Self::ConfigOnly => "nothing is enforced: any address and any file can be reached",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
