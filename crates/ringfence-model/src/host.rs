//! The variables that Ringfence itself was started with, as data.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// The host's environment block. It is not a layer: settings come from it only where `from = "host"` says so.
#[derive(Clone, Default)]
pub struct Host {
    variables: BTreeMap<OsString, OsString>,
}

impl Host {
    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
    }

    /// All variables, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Host {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self {
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }
}
