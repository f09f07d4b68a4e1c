//! How a command ends: exit codes, and what is said when it did not do what it was asked.

use ringfence_diagnostic::{Diagnostic, Sources};

/// Exit codes. `run` and `shell` otherwise pass on the code of the command that they started.
pub(crate) mod exit {
    /// Everything went well.
    pub(crate) const FINE: u8 = 0;
    /// `check` has findings at or above the threshold.
    pub(crate) const FINDINGS: u8 = 1;
    /// The arguments make no sense.
    pub(crate) const USAGE: u8 = 2;
    /// A rule does not allow it.
    pub(crate) const DENIED: u8 = 4;
    /// Ringfence's own fault, or the system refused it something.
    pub(crate) const FAULT: u8 = 70;
    /// The configuration is refused: nothing was started.
    pub(crate) const REFUSED: u8 = 78;
    /// What was asked for around the command could not be set up.
    pub(crate) const NOT_SET_UP: u8 = 125;
    /// The command is there and cannot be executed.
    pub(crate) const NOT_EXECUTABLE: u8 = 126;
    /// The command was not found.
    pub(crate) const NOT_FOUND: u8 = 127;
}

/// Why a command did not do what it was asked.
pub(crate) enum Failure {
    /// Something is wrong in the user's files; exit code 78.
    Diagnostics(Vec<Diagnostic>, Box<Sources>),
    /// The world refused, or a rule does.
    Error(Error),
}

/// `error:` / `caused by:` / `hint:`
pub(crate) struct Error {
    pub(crate) code: u8,
    pub(crate) message: String,
    pub(crate) cause: Option<String>,
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// An error that ends the command with `code`.
    pub(crate) fn error(code: u8, message: impl Into<String>) -> Error {
        Error {
            code,
            message: message.into(),
            cause: None,
            hint: None,
        }
    }

    /// One diagnostic, in no file that was read.
    pub(crate) fn diagnostic(diagnostic: Diagnostic, sources: Sources) -> Self {
        Self::Diagnostics(vec![diagnostic], Box::new(sources))
    }

    /// What is wrong, on one line: the first error where there are several.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Diagnostics(diagnostics, sources) => {
                let first = diagnostics.iter().find(|diagnostic| diagnostic.is_error());
                let Some(first) = first else {
                    return String::new();
                };
                let place = first.labels.first();
                let place = place.map(|label| sources.locate(label.place) + ": ");
                format!("{}{}", place.unwrap_or_default(), first.message)
            }
            Self::Error(error) => match &error.cause {
                Some(cause) => format!("{}: {cause}", error.message),
                None => error.message.clone(),
            },
        }
    }

    /// The exit code.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Diagnostics(..) => exit::REFUSED,
            Self::Error(error) => error.code,
        }
    }
}

impl Error {
    pub(crate) fn caused_by(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(format!("{cause}"));
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
