//! How a reading ends.

use std::collections::BTreeMap;

/// Variables by name.
pub(crate) type Variables = BTreeMap<String, String>;

/// What a dialect returns: the variables, or why there are none.
pub(crate) type Outcome = Result<Variables, Stop>;

/// Why a reading ends before the text does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The loader gives up.
    Refused(&'static str),
    /// The shell would do something else than set variables.
    RunsCommand,
}
