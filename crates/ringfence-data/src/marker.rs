//! What marks mean: a data mark that travels with a copy and a place mark that does not, judged together.
//!
//! ```
//! use ringfence_data::marker::{Found, State, Place, Marker};
//! let marker = Marker { mark: "7f".into(), ..Marker::default() };
//! let found = Found { marker: Some(marker), place: Place::Absent, ..Found::default() };
//! assert!(matches!(found.state(), State::Copy(_)));
//! ```
//!
//! Facts tried on PostgreSQL 15 and SQLite 3.40: a row of a table survives every kind of copy; a database's settings survive `pg_dump -C` and
//! physical copies alone; the system identifier differs after a logical restore, the database's OID after a template copy.

use serde::{Deserialize, Serialize};

/// The data mark: what a resource says of itself, wherever it is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marker {
    /// The project's name; empty where the manifest gives none, which is then no reason to tell two apart.
    pub project: String,
    /// The environment that it was marked for.
    pub environment: String,
    /// That environment's tier.
    pub tier: String,
    /// The resource's name in the manifest.
    pub resource: String,
    /// What the data mark and the place mark have in common: 16 random hexadecimal digits.
    pub mark: String,
    /// What told the place apart when it was marked: PostgreSQL's system identifier, or the file's inode and birth.
    pub cluster: String,
    /// What told it apart within that: the database's OID.
    pub database: String,
    /// The addresses that it is known at, without credentials, a line each.
    pub address: String,
    /// When it was marked, in UTC as RFC 3339 writes it.
    pub stamped: String,
    /// The environment that this copy was scrubbed for, empty for none.
    pub scrubbed: String,
    /// The manifest of the sample that was loaded, as JSON; empty for none.
    pub sample: String,
    /// Of which embeddings its vectors are, as JSON; empty where that is not known.
    pub vectors: String,
}

/// The columns of a marker's table, in the order of [`Marker::row`].
pub(crate) const COLUMNS: [&str; 12] = [
    "project",
    "environment",
    "tier",
    "resource",
    "mark",
    "cluster",
    "database",
    "address",
    "stamped",
    "scrubbed",
    "sample",
    "vectors",
];

impl Marker {
    /// The row that is written where a store is at home.
    pub(crate) fn row<'a>(&'a self, here: &'a Found) -> [&'a str; COLUMNS.len()] {
        [
            &self.project,
            &self.environment,
            &self.tier,
            &self.resource,
            &self.mark,
            &here.cluster,
            &here.database,
            &self.address,
            &self.stamped,
            &self.scrubbed,
            &self.sample,
            &self.vectors,
        ]
    }

    /// The marker as a store keeps it that has no place of its own to name.
    pub(crate) fn without_place(&self) -> Self {
        Self {
            cluster: String::new(),
            database: String::new(),
            ..self.clone()
        }
    }

    /// Reads a row of [`COLUMNS`] by their numbers.
    pub(crate) fn of_row<E>(mut text: impl FnMut(usize) -> Result<String, E>) -> Result<Self, E> {
        Ok(Self {
            project: text(0)?,
            environment: text(1)?,
            tier: text(2)?,
            resource: text(3)?,
            mark: text(4)?,
            cluster: text(5)?,
            database: text(6)?,
            address: text(7)?,
            stamped: text(8)?,
            scrubbed: text(9)?,
            sample: text(10)?,
            vectors: text(11)?,
        })
    }

    /// Whether a person has said that this address is one of its own.
    #[must_use]
    pub fn is_known_at(&self, address: &str) -> bool {
        self.address.lines().any(|known| known == address)
    }

    /// The addresses that it is known at, and one more.
    #[must_use]
    pub fn known_at(&self, address: &str) -> String {
        let known = self.address.lines().filter(|known| *known != address);
        known.chain([address]).collect::<Vec<_>>().join("\n")
    }
}

/// The place mark, as far as a kind of resource can have one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// This kind of resource keeps none.
    NotKept,
    /// There is none.
    #[default]
    Absent,
    /// It says this, which is the beginning of the data mark's `mark`, and perhaps for which environment.
    Says {
        /// The mark, or its beginning.
        mark: String,
        /// The environment; empty where there is no room for it.
        environment: String,
    },
}

/// What was read from a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The data mark.
    pub marker: Option<Marker>,
    /// The place mark.
    pub place: Place,
    /// What tells the place apart now, as [`Marker::cluster`].
    pub cluster: String,
    /// What tells it apart within that now, as [`Marker::database`].
    pub database: String,
    /// The address that was asked, without credentials.
    pub address: String,
}

impl Found {
    /// What a store says that has no place mark: its address is all that tells it apart.
    pub(crate) fn without_place(marker: Option<Marker>, address: impl Into<String>) -> Self {
        Self {
            marker,
            place: Place::NotKept,
            address: address.into(),
            ..Self::default()
        }
    }
}

/// What the two marks say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Both marks agree, and the place is the one that was marked.
    Original,
    /// The same, asked at another address than it was marked at: another name for it, a tunnel, or a physical copy.
    Moved,
    /// The data was marked elsewhere.
    Copy(Sign),
    /// The place was marked, and the data mark is gone.
    Emptied,
    /// Neither mark is there.
    Unmarked,
}

/// What tells a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// The place has no mark.
    NoPlaceMark,
    /// The place has another mark.
    OtherPlaceMark,
    /// Another server, or another file.
    OtherCluster,
    /// Another database of the same server.
    OtherDatabase,
}

impl Sign {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoPlaceMark => "its place has no mark",
            Self::OtherPlaceMark => "its place has the mark of something else",
            Self::OtherCluster => "it was marked on another server, or as another file",
            Self::OtherDatabase => "it was marked as another database",
        }
    }
}

impl Found {
    /// What the marks say together.
    #[must_use]
    pub fn state(&self) -> State {
        let Some(marker) = &self.marker else {
            return match self.place {
                Place::Says { .. } => State::Emptied,
                Place::Absent | Place::NotKept => State::Unmarked,
            };
        };
        if marker.cluster != self.cluster {
            return State::Copy(Sign::OtherCluster);
        }
        if marker.database != self.database {
            return State::Copy(Sign::OtherDatabase);
        }
        match &self.place {
            Place::Absent => State::Copy(Sign::NoPlaceMark),
            Place::Says { mark, .. } if mark.is_empty() || !marker.mark.starts_with(mark) => {
                State::Copy(Sign::OtherPlaceMark)
            }
            Place::Says { .. } | Place::NotKept if !marker.is_known_at(&self.address) => {
                State::Moved
            }
            Place::Says { .. } | Place::NotKept => State::Original,
        }
    }

    /// What that means for an environment of a project.
    #[must_use]
    pub fn verdict(&self, project: &str, environment: &str) -> Verdict {
        let state = self.state();
        let Some(marker) = &self.marker else {
            return match &self.place {
                Place::Says { environment, .. } => Verdict::Emptied {
                    environment: environment.clone(),
                },
                Place::Absent | Place::NotKept => Verdict::Unmarked,
            };
        };
        let is_of_project =
            marker.project.is_empty() || project.is_empty() || marker.project == project;
        if is_of_project && marker.environment == environment {
            return match state {
                State::Moved => Verdict::Moved {
                    address: marker.address.replace('\n', ", "),
                },
                State::Copy(sign) => Verdict::OwnCopy { sign },
                State::Original | State::Emptied | State::Unmarked => Verdict::Own,
            };
        }
        let whose = Whose {
            project: (!is_of_project).then(|| marker.project.clone()),
            environment: marker.environment.clone(),
            tier: marker.tier.clone(),
        };
        match state {
            State::Copy(sign) => Verdict::OthersCopy {
                whose,
                sign,
                is_scrubbed: marker.scrubbed == environment && is_of_project,
            },
            State::Original | State::Moved | State::Emptied | State::Unmarked => {
                Verdict::Others { whose }
            }
        }
    }
}

/// Whose a resource is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// The project, where it is another one.
    pub project: Option<String>,
    /// The environment.
    pub environment: String,
    /// Its tier.
    pub tier: String,
}

impl std::fmt::Display for Whose {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "`{}`", self.environment)?;
        match &self.project {
            Some(project) => write!(formatter, " of the project `{project}`"),
            None => Ok(()),
        }
    }
}

/// What a resource is to an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its own.
    Own,
    /// Its own, asked at another address than it was marked at.
    Moved {
        /// That address.
        address: String,
    },
    /// A copy of its own.
    OwnCopy {
        /// What tells so.
        sign: Sign,
    },
    /// Another environment's, itself.
    Others {
        /// Whose.
        whose: Whose,
    },
    /// A copy of another environment's.
    OthersCopy {
        /// Whose.
        whose: Whose,
        /// What tells so.
        sign: Sign,
        /// Whether it was scrubbed for the environment.
        is_scrubbed: bool,
    },
    /// A marked place whose data mark is gone.
    Emptied {
        /// The environment it was marked for; empty where the place does not say.
        environment: String,
    },
    /// Nobody's.
    Unmarked,
}

/// Whether a process may be started with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Start,
    /// Yes, and people are told something.
    Note,
    /// Yes, with nothing but stores in reach.
    Quarantine,
    /// No.
    Refuse,
}

/// What a tier makes of a verdict. `may_be_unmarked` is what the manifest says of the resource in this environment.
#[must_use]
pub fn decide(verdict: &Verdict, tier: Strictness, may_be_unmarked: bool) -> Decision {
    match verdict {
        Verdict::Own => Decision::Start,
        Verdict::Moved { .. } => Decision::Note,
        Verdict::OwnCopy { .. } if tier == Strictness::Lower => Decision::Note,
        Verdict::OthersCopy {
            is_scrubbed: true, ..
        } if tier != Strictness::Production => Decision::Quarantine,
        Verdict::Unmarked if may_be_unmarked => Decision::Start,
        Verdict::Unmarked if tier != Strictness::Production => Decision::Note,
        Verdict::OwnCopy { .. }
        | Verdict::Others { .. }
        | Verdict::OthersCopy { .. }
        | Verdict::Emptied { .. }
        | Verdict::Unmarked => Decision::Refuse,
    }
}

/// How strict a tier is about marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Development and testing.
    Lower,
    /// Staging.
    Staging,
    /// Production.
    Production,
}

#[cfg(test)]
mod tests;
