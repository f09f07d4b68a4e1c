use super::memory::{Memory, Now, Written};
use super::rule::{Period, RuleError, parse, parse_inbound};
use super::*;

const SECOND: u64 = 1_000_000_000;
/// Noon of 29 February 2024.
const NOON: u64 = 1_709_208_000;

fn at(seconds: u64) -> Now {
    Now {
        steady: seconds * SECOND,
        unix: NOON + seconds,
    }
}

fn demand(caller: &'static str, model: &'static str, tokens: u64, money: u64) -> Demand<'static> {
    Demand {
        environment: "prod",
        resource: "llm",
        caller,
        model,
        cost: Cost { tokens, money },
    }
}

fn claims(rules: &str, demand: Demand<'_>) -> Vec<Claim> {
    let rules = parse(rules, false).unwrap();
    rules.iter().map(|rule| claim(rule, demand)).collect()
}

fn take(memory: &Memory, rules: &str, tokens: u64, now: Now) -> Result<Grant, Denied> {
    memory.take(claims(rules, demand("web", "chat", tokens, 0)), now)
}

#[test]
fn limits_read_as_people_write_them() {
    let text = "60 requests/min, 100k tokens/min per caller burst 20k, 4 concurrent per caller and model, 2.5 usd/day per model";
    let rules = parse(text, true).unwrap();
    let told: Vec<_> = rules
        .iter()
        .map(|rule| {
            (
                rule.name.as_str(),
                rule.limit,
                rule.per_caller,
                rule.per_model,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("requests/min", 60, false, false),
            ("tokens/min", 100_000, true, false),
            ("concurrent", 4, true, true),
            ("usd/day", 2_500_000, false, true),
        ]
    );
    let bursts: Vec<_> = rules
        .iter()
        .filter_map(|rule| match rule.period {
            Period::Rolling { burst, .. } => Some(burst),
            _ => None,
        })
        .collect();
    assert_eq!(
        bursts,
        [10, 20_000],
        "a sixth of the requests in production"
    );
    assert_eq!(parse("none", true), Ok(Vec::new()));
}

#[test]
fn a_period_has_several_words_and_a_currency_one() {
    let name = |text: &str| parse(text, false).unwrap()[0].name.clone();
    for (words, period) in [
        (&["s", "sec", "second"][..], "s"),
        (&["min", "minute"], "min"),
        (&["h", "hour"], "h"),
    ] {
        for word in words {
            assert_eq!(
                name(&format!("1 requests/{word}")),
                format!("requests/{period}")
            );
        }
    }
    for currency in ["usd", "eur", "gbp", "chf", "jpy", "cny", "inr"] {
        for period in ["h", "day", "month"] {
            let name = name(&format!("0.00006 {currency}/{period}"));
            assert_eq!(name, format!("{currency}/{period}"));
        }
    }
}

#[test]
fn what_is_no_limit_is_refused() {
    for bad in [
        "",
        "60",
        "60 requests",
        "requests/min",
        "60 apples/min",
        "60 requests/year",
        "4 concurrent/min",
        "1.5 requests/min",
        "5 usd/min",
        "60 requests/min per",
        "60 requests/min per team",
        "60 requests/min burst",
        "5 usd/day burst 1",
        "60 requests/min per caller per caller",
        "-1 requests/min",
        "1e3 tokens/min",
        "60 requests/min,",
    ] {
        assert_eq!(
            parse(bad, true),
            Err(RuleError::Unreadable(
                bad.rsplit(',').next().unwrap().trim().to_owned()
            )),
            "{bad}"
        );
    }
    for bad in [
        "0 requests/min",
        "2M tokens/min burst 3M",
        "9999999M tokens/day",
    ] {
        assert_eq!(
            parse(bad, true),
            Err(RuleError::Amount(bad.to_owned())),
            "{bad}"
        );
    }
    assert!(matches!(
        parse("1 requests/min, 2 request/minute", true),
        Err(RuleError::Twice(..))
    ));
    assert!(parse("1 requests/min, 2 requests/min per caller", true).is_ok());
}

#[test]
fn what_comes_in_has_clients_and_no_tokens() {
    let rules = parse_inbound("60 requests/min per client, 20 concurrent").unwrap();
    let told = |rule: &Arc<Rule>| (rule.name.clone(), rule.limit, rule.per_caller, rule.period);
    let burst = Period::Rolling {
        length: Duration::from_secs(60),
        burst: 60,
    };
    assert_eq!(
        rules.iter().map(told).collect::<Vec<_>>(),
        [
            ("requests/min".to_owned(), 60, true, burst),
            ("concurrent".to_owned(), 20, false, Period::Held),
        ],
        "the whole limit at once, also in production"
    );
    assert_eq!(parse_inbound("none"), Ok(Vec::new()));
    for (text, why) in [
        ("100k tokens/min", "neither tokens nor a price"),
        ("5 usd/day per client", "neither tokens nor a price"),
        ("60 requests/min per caller", "neither callers nor models"),
        ("60 requests/min per model", "neither callers nor models"),
    ] {
        let error = parse_inbound(text).unwrap_err();
        assert!(matches!(error, RuleError::Inbound(..)), "{text}");
        let told = error.to_string();
        assert!(told.contains(text) && told.contains(why), "{told}");
    }
    let text = "60 requests/min per client";
    assert_eq!(parse(text, true), Err(RuleError::Outbound(text.to_owned())));
    for bad in [
        "60 requests/min and client",
        "60 requests/min per client per client",
    ] {
        assert_eq!(
            parse_inbound(bad),
            Err(RuleError::Unreadable(bad.to_owned()))
        );
    }
}

#[test]
fn a_whole_limit_fits_and_not_one_more() {
    for limit in [1, 7, 60, 999] {
        let memory = Memory::default();
        let rule = format!("{limit} requests/min");
        for _ in 0..limit {
            take(&memory, &rule, 0, at(1)).unwrap();
        }
        let denied = take(&memory, &rule, 0, at(1)).unwrap_err();
        let wait = denied.retry_after.unwrap();
        assert!(wait <= Duration::from_secs(60 / limit + 1), "{wait:?}");
        let later = Now {
            steady: SECOND + u64::try_from(wait.as_nanos()).unwrap(),
            unix: NOON,
        };
        take(&memory, &rule, 0, later).unwrap();
        take(&memory, &rule, 0, later).unwrap_err();
    }
}

#[test]
fn a_request_that_does_not_fit_takes_nothing() {
    let memory = Memory::default();
    let rules = "10 requests/min, 100 tokens/min, 9 concurrent";
    let denied = take(&memory, rules, 101, at(1)).unwrap_err();
    assert_eq!(
        (denied.unit, denied.retry_after),
        (Unit::Tokens, None),
        "it never fits"
    );
    let grant = take(&memory, rules, 100, at(1)).unwrap();
    let left: Vec<_> = grant
        .standings
        .iter()
        .map(|standing| standing.remaining)
        .collect();
    assert_eq!(left, [9, 0, 8]);
    for _ in 0..20 {
        assert_eq!(
            take(&memory, rules, 1, at(1)).unwrap_err().unit,
            Unit::Tokens
        );
    }
    let after = take(&memory, "10 requests/min, 9 concurrent", 0, at(1)).unwrap();
    let left: Vec<_> = after
        .standings
        .iter()
        .map(|standing| standing.remaining)
        .collect();
    assert_eq!(
        left,
        [8, 7],
        "twenty refusals took neither requests nor places"
    );
}

#[test]
fn the_reserve_is_settled_both_ways() {
    let memory = Memory::default();
    let rules = "100 tokens/min, 1000 tokens/day";
    let grant = take(&memory, rules, 90, at(1)).unwrap();
    memory.settle(
        grant,
        Some(Cost {
            tokens: 30,
            money: 0,
        }),
        at(1),
    );
    let grant = take(&memory, rules, 70, at(1)).unwrap();
    assert_eq!(grant.standings[1].remaining, 900);
    memory.settle(
        grant,
        Some(Cost {
            tokens: 130,
            money: 0,
        }),
        at(1),
    );
    let denied = take(&memory, rules, 1, at(1)).unwrap_err();
    assert_eq!(
        denied.retry_after.unwrap().as_millis(),
        36_600,
        "60 tokens over, and one more"
    );
    let grant = take(&memory, "1000 tokens/day", 0, at(1)).unwrap();
    assert_eq!(grant.standings[0].remaining, 840);
}

#[test]
fn without_a_known_usage_the_reserve_stands() {
    let memory = Memory::default();
    let grant = take(&memory, "100 tokens/min, 1 concurrent", 60, at(1)).unwrap();
    memory.settle(grant, None, at(1));
    let grant = take(&memory, "100 tokens/min, 1 concurrent", 40, at(1)).unwrap();
    assert_eq!(grant.standings[0].remaining, 0);
}

#[test]
fn places_are_given_back() {
    let memory = Memory::default();
    let first = take(&memory, "1 concurrent", 0, at(1)).unwrap();
    assert_eq!(
        take(&memory, "1 concurrent", 0, at(9)).unwrap_err().unit,
        Unit::Concurrent
    );
    memory.settle(first, None, at(9));
    take(&memory, "1 concurrent", 0, at(9)).unwrap();
}

#[test]
fn callers_and_models_have_buckets_of_their_own_where_the_rule_says_so() {
    let memory = Memory::default();
    let rules = "1 requests/min per caller and model";
    for (caller, model) in [("a", "x"), ("a", "y"), ("b", "x")] {
        memory
            .take(claims(rules, demand(caller, model, 0, 0)), at(1))
            .unwrap();
        memory
            .take(claims(rules, demand(caller, model, 0, 0)), at(1))
            .unwrap_err();
    }
    let key = claims(rules, demand("a", "x", 0, 0))[0].key.clone();
    assert_eq!(key, "rf:prod:llm:requests/min:a:x");
}

#[test]
fn a_changed_limit_keeps_what_was_used() {
    let memory = Memory::default();
    for _ in 0..60 {
        take(&memory, "60 requests/min", 0, at(1)).unwrap();
    }
    take(&memory, "60 requests/min", 0, at(1)).unwrap_err();
    let grant = take(&memory, "100 requests/min", 0, at(1)).unwrap();
    assert_eq!(grant.standings[0].remaining, 39);
    take(&memory, "50 requests/min", 0, at(1)).unwrap_err();
    take(&memory, "5 usd/day", 0, at(1)).unwrap();
}

#[test]
fn money_is_reached_to_the_last_millionth_and_starts_anew_with_the_window() {
    let memory = Memory::default();
    let spend =
        |money, now| memory.take(claims("0.01 usd/h", demand("web", "chat", 0, money)), now);
    for _ in 0..9_999 {
        spend(1, at(0)).unwrap();
    }
    spend(2, at(0)).unwrap_err();
    spend(1, at(3599)).unwrap();
    let denied = spend(1, at(3599)).unwrap_err();
    assert!(denied.is_budget);
    assert_eq!(denied.retry_after, Some(Duration::from_secs(1)));
    spend(10_000, at(3600)).unwrap();
}

#[test]
fn a_reserve_of_a_window_that_is_over_is_nothing_to_the_next() {
    let memory = Memory::default();
    let rules = "100 tokens/day";
    let midnight = 12 * 3600;
    let grant = take(&memory, rules, 80, at(midnight - 1)).unwrap();
    take(&memory, rules, 50, at(midnight)).unwrap();
    memory.settle(
        grant,
        Some(Cost {
            tokens: 90,
            money: 0,
        }),
        at(midnight),
    );
    let grant = take(&memory, rules, 0, at(midnight)).unwrap();
    assert_eq!(
        grant.standings[0].remaining, 40,
        "only what was over the reserve counts here"
    );
}

#[test]
fn windows_are_written_down_and_put_back() {
    let memory = Memory::default();
    assert_eq!(memory.changed(at(0)), None);
    take(&memory, "100 tokens/day, 50 requests/min", 30, at(0)).unwrap();
    let written = memory.changed(at(0)).unwrap();
    let midnight = NOON - NOON % 86_400;
    let expected = Written {
        key: "rf:prod:llm:tokens/day:*:*".to_owned(),
        start: midnight,
        used: 30,
    };
    assert_eq!(written, [expected]);
    assert_eq!(memory.changed(at(0)), None);
    let next = Memory::default();
    next.restore(written);
    assert_eq!(
        take(&next, "100 tokens/day", 0, at(5)).unwrap().standings[0].remaining,
        70
    );
}

#[test]
fn what_is_over_is_forgotten() {
    let memory = Memory::default();
    let day = |number: u64| at(number * 86_400);
    for client in 0..3_000_u32 {
        let name: &'static str = client.to_string().leak();
        let claims = claims("9 requests/day per caller", demand(name, "", 0, 0));
        memory.take(claims, day(u64::from(client / 1_500))).unwrap();
    }
    let written = memory.changed(day(1)).unwrap();
    assert_eq!(written.len(), 1_500, "yesterday's are nothing any more");
    memory.restore(written);
    for client in 0..3_000_u32 {
        let name: &'static str = (client + 10_000).to_string().leak();
        let claims = claims("9 requests/day per caller", demand(name, "", 0, 0));
        memory.take(claims, day(2)).unwrap();
    }
    assert!(memory.len() < 5_000, "{} are kept", memory.len());
}

#[test]
fn months_are_those_of_the_calendar() {
    use calendar::Calendar::{Day, Hour, Month};
    let day = 86_400;
    for (unix, start, length) in [
        (0, 0, 31),
        (NOON, 1_706_745_600, 29),
        (1_675_209_600, 1_675_209_600, 28),
        (1_675_209_600 - 1, 1_672_531_200, 31),
        (951_782_400, 949_363_200, 29),
        (4_107_542_399, 4_105_123_200, 28),
        (1_709_251_200, 1_709_251_200, 31),
        (1_735_689_599, 1_733_011_200, 31),
    ] {
        assert_eq!(Month.window(unix), (start, start + length * day), "{unix}");
    }
    assert_eq!(Day.window(NOON), (NOON - 43_200, NOON + 43_200));
    assert_eq!(Hour.window(NOON + 1), (NOON, NOON + 3600));
}
