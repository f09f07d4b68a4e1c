//! The two scripts, and how claims are put to them: six arguments a claim, and before them what they have in common.

use std::sync::{LazyLock, OnceLock};

use super::super::calendar::Calendar;
use super::super::rule::Period;
use super::super::{Claim, Cost, Grant};

/// A script and what the server calls it.
pub(super) struct Script {
    pub(super) text: String,
    /// What the server calls it, once it has been asked.
    pub(super) digest: OnceLock<String>,
}

/// What both scripts begin with: the server's clock in microseconds, and the calendar's windows.
const HEAD: &str = r#"
local time = redis.call('TIME')
local unix = tonumber(time[1])
local now = unix * 1000000 + tonumber(time[2])
local function window(kind)
  if kind == 'hour' then return unix - unix % 3600, unix - unix % 3600 + 3600 end
  if kind == 'day' then return unix - unix % 86400, unix - unix % 86400 + 86400 end
  local days = math.floor(unix / 86400) + 719468
  local of_era = days % 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * of_year + 2) / 153)
  local start = math.floor(unix / 86400) - (of_year - math.floor((153 * month + 2) / 5))
  local length = 31
  if month == 1 or month == 3 or month == 6 or month == 8 then length = 30 end
  if month == 11 then
    local next = year + 1
    length = (next % 4 == 0 and (next % 100 ~= 0 or next % 400 == 0)) and 29 or 28
  end
  return start * 86400, (start + length) * 86400
end
local function used_time(key, limit, length)
  local state = redis.call('HMGET', key, 'empty', 'limit', 'length')
  if not state[1] then return 0 end
  local left = math.max(tonumber(state[1]) - now, 0)
  if tonumber(state[2]) == limit and tonumber(state[3]) == length then return left end
  return left * tonumber(state[2]) / tonumber(state[3]) * length / limit
end
local function keep_time(key, used, limit, length)
  redis.call('HSET', key, 'empty', string.format('%.3f', now + used), 'limit', limit, 'length', length)
  redis.call('PEXPIRE', key, math.ceil(used / 1000) + 1000)
end
"#;

const TAKE_BODY: &str = r#"
local lease, lease_ms = ARGV[1], tonumber(ARGV[2])
local after, told = {}, {1}
for i, key in ipairs(KEYS) do
  local kind, cost, limit = ARGV[6 * i - 3], tonumber(ARGV[6 * i - 2]), tonumber(ARGV[6 * i - 1])
  local length, burst = tonumber(ARGV[6 * i]), tonumber(ARGV[6 * i + 1])
  if kind == 'rolling' then
    local used, most = used_time(key, limit, length), burst * length / limit
    local new = used + cost * length / limit
    if new > most + 0.5 then
      return {0, i - 1, math.max(math.floor((most - used) * limit / length), 0), math.ceil((new - most) / 1000)}
    end
    after[i] = new
    told[#told + 1] = 0
    told[#told + 1] = math.max(math.floor((most - new) * limit / length), 0)
    told[#told + 1] = math.ceil(new / 1000)
  elseif kind == 'held' then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    local held = redis.call('ZCARD', key)
    if held + 1 > limit then return {0, i - 1, 0, 1000} end
    told[#told + 1] = 0
    told[#told + 1] = limit - held - 1
    told[#told + 1] = 0
  else
    local start, finish = window(kind)
    local used = tonumber(redis.call('GET', key .. ':' .. string.format('%d', start)) or '0')
    if used + cost > limit then
      return {0, i - 1, math.max(limit - used, 0), (finish - unix) * 1000}
    end
    told[#told + 1] = start
    told[#told + 1] = limit - used - cost
    told[#told + 1] = (finish - unix) * 1000
  end
end
for i, key in ipairs(KEYS) do
  local kind, cost, limit, length = ARGV[6 * i - 3], tonumber(ARGV[6 * i - 2]), tonumber(ARGV[6 * i - 1]), tonumber(ARGV[6 * i])
  if kind == 'rolling' then
    keep_time(key, after[i], limit, length)
  elseif kind == 'held' then
    redis.call('ZADD', key, now + lease_ms * 1000, lease)
    redis.call('PEXPIRE', key, lease_ms)
  else
    local start, finish = window(kind)
    local name = key .. ':' .. string.format('%d', start)
    redis.call('INCRBY', name, cost)
    redis.call('EXPIREAT', name, finish + 60)
  end
end
return told
"#;

const SETTLE_BODY: &str = r#"
local lease = ARGV[1]
for i, key in ipairs(KEYS) do
  local kind, cost, limit = ARGV[6 * i - 3], tonumber(ARGV[6 * i - 2]), tonumber(ARGV[6 * i - 1])
  local length, actual, taken_in = tonumber(ARGV[6 * i]), tonumber(ARGV[6 * i + 1]), tonumber(ARGV[6 * i + 2])
  if kind == 'rolling' then
    local used = used_time(key, limit, length) + (actual - cost) * length / limit
    keep_time(key, math.max(used, 0), limit, length)
  elseif kind == 'held' then
    redis.call('ZREM', key, lease)
  else
    local start, finish = window(kind)
    local more = actual - cost
    if start ~= taken_in then more = math.max(more, 0) end
    if more ~= 0 then
      local name = key .. ':' .. string.format('%d', start)
      redis.call('INCRBY', name, more)
      redis.call('EXPIREAT', name, finish + 60)
    end
  end
end
return 1
"#;

pub(super) static TAKE: LazyLock<Script> = LazyLock::new(|| Script {
    text: format!("{HEAD}{TAKE_BODY}"),
    digest: OnceLock::new(),
});

pub(super) static SETTLE: LazyLock<Script> = LazyLock::new(|| Script {
    text: format!("{HEAD}{SETTLE_BODY}"),
    digest: OnceLock::new(),
});

/// How long a place is held at most, where the gateway that holds it does not give it back.
const LEASE_MS: u64 = 15 * 60 * 1000;

pub(super) fn take_arguments(claims: &[Claim], lease: &str) -> Vec<String> {
    let mut arguments = vec![lease.to_owned(), LEASE_MS.to_string()];
    for claim in claims {
        let (kind, length, burst) = period(claim);
        let numbers = [claim.cost, claim.rule.limit, length, burst, 0];
        arguments.push(kind.to_owned());
        arguments.extend(numbers.map(|number| number.to_string()));
    }
    arguments
}

pub(super) fn settle_arguments(grant: &Grant, cost: Option<Cost>, lease: &str) -> Vec<String> {
    let mut arguments = vec![lease.to_owned(), String::new()];
    for taken in &grant.taken {
        let claim = &taken.claim;
        let (kind, length, _) = period(claim);
        let actual = cost.map_or(claim.cost, |cost| claim.rule.unit.of(cost));
        let numbers = [claim.cost, claim.rule.limit, length, actual, taken.window];
        arguments.push(kind.to_owned());
        arguments.extend(numbers.map(|number| number.to_string()));
    }
    arguments
}

/// The kind of a claim, its period in microseconds, and its burst.
fn period(claim: &Claim) -> (&'static str, u64, u64) {
    match claim.rule.period {
        Period::Rolling { length, burst } => (
            "rolling",
            u64::try_from(length.as_micros()).unwrap_or(u64::MAX),
            burst,
        ),
        Period::Held => ("held", 0, 0),
        Period::Calendar(Calendar::Hour) => ("hour", 0, 0),
        Period::Calendar(Calendar::Day) => ("day", 0, 0),
        Period::Calendar(Calendar::Month) => ("month", 0, 0),
    }
}
