//! Limits: requests, tokens, concurrent calls and money, by environment, caller and model.
//!
//! A request takes from all of its buckets or from none ([`memory::Memory::take`]). Tokens and money are reserved before the call
//! and settled after it. Per second, minute and hour a bucket refills all the time (the generic cell rate algorithm, ITU-T I.371);
//! per day and month, and for money always, it is a window of the calendar, in UTC.

pub mod book;
mod bucket;
pub mod calendar;
pub mod memory;
pub mod redis;
pub mod rule;

use std::sync::Arc;
use std::time::Duration;

use memory::Memory;
use redis::Redis;
use rule::{Rule, Unit};

/// Where the buckets are.
pub enum Store {
    /// In this process.
    Memory(Memory),
    /// In a Redis that several gateways share.
    Redis(Box<Redis>),
}

/// Why a request takes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakeError {
    /// It does not fit.
    Denied(Denied),
    /// The store cannot be asked, and the environment's word for that is to deny.
    Lost,
}

impl Store {
    /// Takes from all buckets or from none.
    ///
    /// # Errors
    /// The first claim that does not fit, or that nobody can tell.
    pub async fn take(&self, claims: Vec<Claim>) -> Result<Grant, TakeError> {
        match self {
            Self::Memory(memory) => memory.take(claims, memory.now()).map_err(TakeError::Denied),
            // In a box: without a Redis, no request keeps memory for one.
            Self::Redis(redis) => Box::pin(redis.take(claims)).await,
        }
    }

    /// How the bucket of a limit by the calendar stands; `None` for other limits, and where it cannot be asked.
    pub(crate) async fn standing(&self, claim: &Claim) -> Option<Standing> {
        match self {
            Self::Memory(memory) => Some(memory.standing(claim, memory.now())),
            Self::Redis(redis) => redis.standing(claim).await,
        }
    }

    /// Gives back, or charges, what differs from the reserve. Without a cost the reserve stands.
    pub fn settle(&self, grant: Grant, cost: Option<Cost>) {
        match self {
            Self::Memory(memory) => memory.settle(grant, cost, memory.now()),
            Self::Redis(redis) => redis.settle(grant, cost),
        }
    }
}

/// What a request takes from one bucket.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The rule that the bucket belongs to.
    pub rule: Arc<Rule>,
    /// The bucket's name; it begins with the environment.
    pub key: String,
    /// How much, in the rule's unit.
    pub cost: u64,
}

/// Who takes, from where, and how much.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The environment.
    pub environment: &'a str,
    /// The resource.
    pub resource: &'a str,
    /// The caller.
    pub caller: &'a str,
    /// The model as the caller names it; empty where there is none.
    pub model: &'a str,
    /// How much.
    pub cost: Cost,
}

/// How much a request needs, or has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Tokens, of prompt and answer.
    pub tokens: u64,
    /// Money, in millionths of the currency's unit.
    pub money: u64,
}

/// What was taken, to be settled.
#[derive(Debug, Default)]
pub struct Grant {
    taken: Vec<Taken>,
    /// In a shared store: the name of the places that are held, and whether the store itself gave them.
    lease: Option<String>,
    /// How each bucket stands afterwards.
    pub standings: Vec<Standing>,
}

#[derive(Debug)]
struct Taken {
    claim: Claim,
    /// Beginning of the calendar window, in seconds since 1970; 0 where there is none.
    window: u64,
}

/// How a bucket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Of what.
    pub unit: Unit,
    /// The most.
    pub limit: u64,
    /// What is left.
    pub remaining: u64,
    /// Until it is full again.
    pub reset: Duration,
}

/// A request that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The rule, as it was written.
    pub rule: String,
    /// Of what.
    pub unit: Unit,
    /// Whether it is a budget: a window of the calendar.
    pub is_budget: bool,
    /// The most that the bucket can hold.
    pub most: u64,
    /// What the request needs.
    pub cost: u64,
    /// What is left.
    pub remaining: u64,
    /// When it would fit, if nobody else takes anything; `None` where it never does.
    pub retry_after: Option<Duration>,
}

/// What a request takes from a rule's bucket.
#[must_use]
pub fn claim(rule: &Arc<Rule>, demand: Demand<'_>) -> Claim {
    let part = |wanted: bool, name| if wanted { name } else { "*" };
    let key = [
        "rf",
        demand.environment,
        demand.resource,
        &rule.name,
        part(rule.per_caller, demand.caller),
        part(rule.per_model, demand.model),
    ]
    .join(":");
    Claim {
        rule: Arc::clone(rule),
        key,
        cost: rule.unit.of(demand.cost),
    }
}

impl Unit {
    /// The part of a cost that counts for this unit.
    const fn of(self, cost: Cost) -> u64 {
        match self {
            Self::Requests | Self::Concurrent => 1,
            Self::Tokens => cost.tokens,
            Self::Money => cost.money,
        }
    }
}

#[cfg(test)]
mod tests;
