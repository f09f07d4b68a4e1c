//! The buckets of several gateways, in one Redis or Valkey.
//!
//! A request takes from all of its buckets by one script, which the server carries out in one step and by its own clock. Keys begin with
//! the environment, and the database is marked with it: a gateway of another environment does not use it. When the server cannot be
//! asked, requests are denied, or a share of each limit is counted here, as the manifest says.

pub mod reply;
mod script;
mod tls;
mod wire;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::memory::Memory;
use super::rule::Period;
use super::{Claim, Cost, Denied, Grant, Standing, TakeError, Taken};
use reply::Reply;
use wire::Wire;
pub use wire::{Server, ServerError};

/// What is done when the server cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenLost {
    /// No request passes.
    Deny,
    /// Each of so many gateways counts its share by itself.
    Share(u64),
}

/// Buckets on a server.
pub struct Redis {
    wire: Arc<Wire>,
    when_lost: WhenLost,
    own: Arc<Memory>,
    leases: AtomicU64,
    /// A random number, so that two gateways do not give the same names to places.
    seed: u64,
}

/// Why a server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// It does not answer, or not as Redis does.
    #[error("it does not answer as it should: {0}")]
    Wire(#[from] std::io::Error),
    /// It belongs to another environment.
    #[error("it is marked for `{0}`")]
    OtherEnvironment(String),
}

/// The key of the environment's mark.
const MARK: &str = "rf:environment";

impl Redis {
    /// Looks at the server, and marks it for the environment where it has no mark. Blocks for some seconds at most.
    ///
    /// # Errors
    /// Where the server does not answer, or is another environment's.
    pub fn connect(
        server: Server,
        environment: &str,
        when_lost: WhenLost,
    ) -> Result<Self, RedisError> {
        let wire = Arc::new(Wire::new(server)?);
        // A loop of its own: connections do not outlive it, and the gateway's own loop does not run yet.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let own = Arc::new(Memory::default());
        runtime.block_on(mark(&wire, environment))?;
        wire.forget();
        Ok(Self {
            wire,
            when_lost,
            seed: RandomState::new().hash_one(environment),
            own,
            leases: AtomicU64::new(0),
        })
    }

    pub(super) async fn take(&self, claims: Vec<Claim>) -> Result<Grant, TakeError> {
        let count = self.leases.fetch_add(1, Ordering::Relaxed);
        let lease = format!("{:x}-{count:x}", self.seed);
        let arguments = script::take_arguments(&claims, &lease);
        match self.wire.evaluate(&script::TAKE, &claims, &arguments).await {
            Ok(reply) => taken(claims, lease, &reply).unwrap_or(Err(TakeError::Lost)),
            Err(_) => self.take_here(claims),
        }
    }

    fn take_here(&self, mut claims: Vec<Claim>) -> Result<Grant, TakeError> {
        let WhenLost::Share(gateways) = self.when_lost else {
            return Err(TakeError::Lost);
        };
        for claim in &mut claims {
            let rule = Arc::make_mut(&mut claim.rule);
            rule.limit = (rule.limit / gateways).max(1);
            if let Period::Rolling { burst, .. } = &mut rule.period {
                *burst = (*burst / gateways).max(1);
            }
        }
        self.own
            .take(claims, self.own.now())
            .map_err(TakeError::Denied)
    }

    /// How a window of the calendar stands, by this machine's clock: whoever looks on changes nothing.
    pub(super) async fn standing(&self, claim: &Claim) -> Option<Standing> {
        let Period::Calendar(calendar) = claim.rule.period else {
            return None;
        };
        let now = self.own.now().unix;
        let (start, end) = calendar.window(now);
        let key = format!("{}:{start}", claim.key);
        let used = match self.wire.call(&["GET", &key]).await.ok()? {
            Reply::Nothing => 0,
            Reply::Text(used) => used.parse().ok()?,
            _ => return None,
        };
        Some(Standing {
            unit: claim.rule.unit,
            limit: claim.rule.limit,
            remaining: claim.rule.limit.saturating_sub(used),
            reset: Duration::from_secs(end - now),
        })
    }

    pub(super) fn settle(&self, grant: Grant, cost: Option<Cost>) {
        let Some(lease) = grant.lease.clone() else {
            self.own.settle(grant, cost, self.own.now());
            return;
        };
        let wire = Arc::clone(&self.wire);
        let arguments = script::settle_arguments(&grant, cost, &lease);
        let claims: Vec<Claim> = grant.taken.into_iter().map(|taken| taken.claim).collect();
        // Where the loop has ended there is nobody to settle for; the reserve stands, and places run out by themselves.
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            handle.spawn(async move {
                wire.evaluate(&script::SETTLE, &claims, &arguments)
                    .await
                    .map(drop)
            });
        }
    }
}

async fn mark(wire: &Wire, environment: &str) -> Result<(), RedisError> {
    wire.call(&["SET", MARK, environment, "NX"]).await?;
    match wire.call(&["GET", MARK]).await? {
        Reply::Text(mark) if mark == environment => Ok(()),
        Reply::Text(mark) => Err(RedisError::OtherEnvironment(mark)),
        _ => Err(std::io::Error::other("the mark is no text").into()),
    }
}

/// What the script said: `[1, window, remaining, reset, …]` in the order of the claims, or `[0, which, remaining, wait]`.
fn taken(claims: Vec<Claim>, lease: String, reply: &Reply) -> Option<Result<Grant, TakeError>> {
    let Reply::List(numbers) = reply else {
        return None;
    };
    let (kind, rest) = numbers.split_first()?;
    if *kind == 0 {
        let [which, remaining, wait] = rest else {
            return None;
        };
        let claim = claims.get(usize::try_from(*which).ok()?)?;
        return Some(Err(TakeError::Denied(denied(claim, *remaining, *wait))));
    }
    let mut grant = Grant {
        lease: Some(lease),
        ..Grant::default()
    };
    for (claim, told) in claims.into_iter().zip(rest.chunks(3)) {
        let [window, remaining, reset] = told else {
            return None;
        };
        grant.standings.push(Standing {
            unit: claim.rule.unit,
            limit: claim.rule.limit,
            remaining: *remaining,
            reset: Duration::from_millis(*reset),
        });
        grant.taken.push(Taken {
            claim,
            window: *window,
        });
    }
    Some(Ok(grant))
}

fn denied(claim: &Claim, remaining: u64, wait: u64) -> Denied {
    let most = match claim.rule.period {
        Period::Rolling { burst, .. } => burst,
        _ => claim.rule.limit,
    };
    Denied {
        rule: claim.rule.text.clone(),
        unit: claim.rule.unit,
        is_budget: matches!(claim.rule.period, Period::Calendar(_)),
        most,
        cost: claim.cost,
        remaining,
        retry_after: (claim.cost <= most).then(|| Duration::from_millis(wait)),
    }
}
