//! What becomes of a loader's variables in the block of a process.

use crate::outcome::Variables;

/// The byte order mark that editors write before a text.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// The variables of a loader that leaves alone what its caller has.
pub(crate) fn keep_callers(mut variables: Variables, environment: &Variables) -> Variables {
    for (name, value) in &mut variables {
        if let Some(callers) = environment.get(name) {
            value.clone_from(callers);
        }
    }
    variables
}

/// The variables of a loader that hands C strings to the system: NUL ends them, and an empty name is not taken.
pub(crate) fn as_c_strings(variables: Variables) -> Variables {
    let cut = |text: String| match text.split_once('\0') {
        Some((before, _)) => before.to_owned(),
        None => text,
    };
    let cut_pairs = variables
        .into_iter()
        .map(|(name, value)| (cut(name), cut(value)));
    cut_pairs.filter(|(name, _)| !name.is_empty()).collect()
}

/// The text with a line feed for every line end, as loaders see it that do not tell line ends apart.
pub(crate) fn with_line_feeds(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
