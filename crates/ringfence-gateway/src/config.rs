//! What a gateway is started with: plain data, checked by [`refusals`] before anything listens.

mod address;
mod driven;
mod ingress;
mod origin;
mod refusal;
mod script;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderName;
use ringfence_flag::definition::FlagSet;
use ringfence_secret::redact::Patterns;

pub use address::{Address, AddressError, Upstream};
pub use driven::Driven;
pub(crate) use driven::Occasion;
pub(crate) use ingress::Client;
pub use ingress::{Ingress, Network, NetworkError};
pub use origin::{Origin, Origins};
pub use refusal::{Refused, refusals};
pub use script::{Failure, Script, duration};

use crate::caller::CallerKey;
use crate::key::{InjectedKey, Scrubber};
use crate::limit::rule::Rule;

/// One environment's gateway.
pub struct Config {
    /// The environment's name.
    pub environment: String,
    /// Whether its tier is production.
    pub production: bool,
    /// Which configuration this is: 1 at the start, one more with each reload.
    pub generation: u64,
    /// What the program talks to through the gateway.
    pub resources: Vec<Resource>,
    /// What the program asks for over OFREP.
    pub flags: FlagSet,
    /// Pages whose scripts may ask for them.
    pub origins: Origins,
    /// Gives out tokens of callers, and knows them again.
    pub callers: CallerKey,
    /// The environment's secrets, which no record may hold.
    pub secrets: Patterns,
    /// What may come in at the program's ports.
    pub ingress: Ingress,
    /// What a production gateway may do without, in the manifest's words.
    pub allowances: Allowances,
}

/// What the manifest's `[gateway] allow` says of a production gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowances {
    /// `no-limits`.
    pub no_limits: bool,
    /// `full-records`.
    pub full_records: bool,
    /// `mock`.
    pub mock: bool,
}

/// An API behind the gateway.
pub struct Resource {
    /// The name: the first part of its path.
    pub name: String,
    /// How it is spoken to.
    pub kind: Kind,
    /// Where it is.
    pub upstream: Upstream,
    /// The key that is put in.
    pub key: Option<InjectedKey>,
    /// What the key's text says of its class.
    pub key_class: Option<KeyClass>,
    /// Takes the key out of what comes back.
    pub scrubber: Scrubber,
    /// What a request takes from.
    pub limits: Driven<Vec<Arc<Rule>>>,
    /// What is written down.
    pub record: Driven<Level>,
    /// How long the upstream may take to begin to answer, and be silent within an answer.
    pub timeout: Duration,
}

/// Whether real users stand behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyClass {
    /// They do.
    Live,
    /// They do not.
    Test,
}

/// How a resource is spoken to.
pub enum Kind {
    /// As OpenAI's API.
    OpenAi {
        /// By the name that the program asks for, what answers, in the order of trying. Empty: every name is passed on as it is.
        models: BTreeMap<String, Vec<Target>>,
    },
    /// As any HTTP API.
    Http {
        /// Response headers that are passed on besides the usual ones.
        headers: Vec<HeaderName>,
    },
}

/// A model of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Another resource that has it; the resource itself where absent.
    pub resource: Option<String>,
    /// Its name there.
    pub model: String,
    /// What it costs.
    pub price: Option<Price>,
}

/// What a million tokens cost, in millionths of the currency's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Of prompts.
    pub input: u64,
    /// Of answers.
    pub output: u64,
}

impl Price {
    /// The price of a request, in millionths, rounded up.
    #[must_use]
    pub fn of(self, input: u64, output: u64) -> u64 {
        let sum = u128::from(input) * u128::from(self.input)
            + u128::from(output) * u128::from(self.output);
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// What is written down of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    None,
    /// Who, what, when, how much.
    Metadata,
    /// That, and the texts.
    Full,
}

impl Config {
    /// The resource of a name.
    pub(crate) fn resource(&self, name: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.name == name)
    }

    /// The one resource that speaks as OpenAI does, where there is one.
    pub(crate) fn only_openai(&self) -> Option<&Resource> {
        let is_openai = |resource: &&Resource| matches!(resource.kind, Kind::OpenAi { .. });
        let mut all = self.resources.iter().filter(is_openai);
        all.next().filter(|_| all.next().is_none())
    }
}

#[cfg(test)]
mod tests;
