//! Where a value comes from: its layer, which decides which of two wins, and its origin, which is where to go.

use ringfence_diagnostic::Place;

/// One source of settings. The order of the variants is the rank: a later layer wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The manifest's `default`.
    Default,
    /// `.env`, shared by all environments.
    Shared,
    /// The manifest's `in.<tier>`.
    Tier,
    /// The manifest's `in.<environment>`.
    Environment,
    /// `.env.<environment>`, or the files that the manifest lists.
    File,
    /// The environment's sealed file.
    Sealed,
    /// `.env.<environment>.local`, in development and testing.
    Personal,
    /// What `from = { command = … }` or `from = { file = … }` gives.
    Reference,
    /// The platform's variable, where `from = "host"` says so.
    Host,
    /// `--set NAME=VALUE`.
    Argument,
}

impl Layer {
    /// What people and machines are told.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Shared => "shared file",
            Self::Tier => "in tier",
            Self::Environment => "in environment",
            Self::File => "environment file",
            Self::Sealed => "sealed file",
            Self::Personal => "personal file",
            Self::Reference => "reference",
            Self::Host => "host",
            Self::Argument => "--set",
        }
    }

    /// Whether the value was written in a `.env` file.
    #[must_use]
    pub const fn is_file(self) -> bool {
        matches!(self, Self::Shared | Self::File | Self::Personal)
    }
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In a file: the span holds the value as written.
    Place(Place),
    /// In the block that Ringfence itself was started with.
    Host,
    /// On the command line.
    Argument,
}

impl Origin {
    /// The place in a file, where it is one.
    #[must_use]
    pub const fn place(self) -> Option<Place> {
        match self {
            Self::Place(place) => Some(place),
            Self::Host | Self::Argument => None,
        }
    }
}
