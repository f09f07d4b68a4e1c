//! What was refused, and whatever else a run has to say: data, which the command line puts into words once each.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::level::Level;

/// Something that happened during a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// The barrier stands.
    Built {
        /// At this level.
        level: Level,
    },
    /// A stronger barrier could not be built.
    Weakened {
        /// The level that was tried.
        from: Level,
        /// The step that failed.
        step: String,
        /// The system's reason.
        reason: String,
    },
    /// Something was refused.
    Refused(Refusal),
    /// A declared endpoint could not be reached from the host either.
    Unreachable {
        /// The endpoint.
        target: String,
        /// The system's reason.
        reason: String,
    },
    /// A port of the program can be reached on the host's loopback.
    Published {
        /// The port.
        port: u16,
    },
    /// A port of the program cannot.
    PortTaken {
        /// The port.
        port: u16,
        /// The system's reason.
        reason: String,
    },
    /// A port of the program is not shown outside, because it is another environment's address there.
    PortOfAnother {
        /// The port.
        port: u16,
        /// Whose it is.
        environment: String,
    },
    /// A port of the program is not shown outside, because what comes in is limited, and the manifest does not name the port.
    PortUndeclared {
        /// The port.
        port: u16,
    },
    /// A connection that nothing names was let through.
    Needed {
        /// Host and port.
        target: String,
    },
    /// Something that is hidden appeared, and was hidden.
    Appeared {
        /// The path.
        path: String,
    },
    /// Something that other programs run or obey was made inside, and was moved aside.
    SetAside {
        /// The path.
        path: String,
        /// Where it is now.
        now: String,
    },
    /// The same could not be moved aside.
    NotSetAside {
        /// The path.
        path: String,
        /// The system's reason.
        reason: String,
    },
    /// The program left processes behind, which ended with it.
    Left {
        /// How many.
        processes: usize,
    },
}

/// What was refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Refusal {
    /// What kind of thing.
    pub kind: Refused,
    /// Host and port, or name.
    pub target: String,
    /// The environment that it belongs to, where that is known.
    pub environment: Option<String>,
}

/// What kind of thing was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refused {
    /// A connection.
    Connection,
    /// A name that was to be resolved.
    Name,
    /// A TLS connection that names another host than the endpoint's.
    ServerName,
    /// An address that gives away a machine's credentials.
    Metadata,
}

/// Tells each refusal once.
#[derive(Default)]
pub(crate) struct Once {
    told: BTreeSet<String>,
}

/// Most events that one run tells.
const MOST: usize = 1000;

impl Once {
    /// Whether it is new.
    pub(crate) fn is_new(&mut self, event: &Event) -> bool {
        let key = format!("{event:?}");
        // What a program can bring about as often as it likes is bounded; what is done to its files is told for longer.
        let is_bounded = matches!(
            event,
            Event::Refused(_)
                | Event::Published { .. }
                | Event::PortTaken { .. }
                | Event::PortUndeclared { .. }
                | Event::Unreachable { .. }
                | Event::Needed { .. }
        );
        let most = if is_bounded { MOST } else { 2 * MOST };
        if self.told.contains(&key) || self.told.len() >= most {
            return false;
        }
        self.told.insert(key)
    }
}
