//! Every kind of limit that the manifest accepts, over HTTP, where it refuses: counted in memory, and in a Redis.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use ringfence_gateway::limit::Store;
use ringfence_gateway::limit::memory::Memory;
use ringfence_gateway::limit::redis::WhenLost;

use crate::redis::Running;
use crate::upstream::{Upstream, response, say};
use crate::world::{Api, World, callers, config, eventually, target};

/// A limit, and what a caller reads who has reached it. A chat reserves some 22 tokens and millionths, and uses
/// a few.
const LIMITS: &[(&str, &str)] = &[
    ("1 requests/s", "rate_limit_exceeded"),
    ("3 requests/min", "rate_limit_exceeded"),
    ("3 requests/h", "rate_limit_exceeded"),
    ("9 requests/h burst 3", "rate_limit_exceeded"),
    ("3 requests/day", "insufficient_quota"),
    ("3 requests/month", "insufficient_quota"),
    ("24 tokens/s", "rate_limit_exceeded"),
    ("40 tokens/min", "rate_limit_exceeded"),
    ("40 tokens/h", "rate_limit_exceeded"),
    ("400 tokens/h burst 40", "rate_limit_exceeded"),
    ("40 tokens/day", "insufficient_quota"),
    ("40 tokens/month", "insufficient_quota"),
    ("0.00004 usd/h", "insufficient_quota"),
    ("0.00004 eur/day", "insufficient_quota"),
    ("0.00004 gbp/month", "insufficient_quota"),
];

/// For whom a bucket is, and whether another caller, and another model, has one of its own.
const SCOPES: &[(&str, bool, bool)] = &[
    ("", false, false),
    ("per caller", true, false),
    ("per model", false, true),
    ("per caller and model", true, true),
];

/// Gateways whose limits are counted in a store of their own.
struct Stores(Option<Running>);

impl Stores {
    fn world(&self, limits: &str, upstream: &str) -> World {
        let store = match &self.0 {
            None => Store::Memory(Memory::default()),
            Some(redis) => {
                redis.clear();
                let store = redis.store("dev", WhenLost::Deny).unwrap();
                Store::Redis(Box::new(store))
            }
        };
        let api = Api {
            limits: limits.to_owned().leak(),
            models: vec![
                ("chat", vec![target(None, "m-1")]),
                ("talk", vec![target(None, "m-2")]),
            ],
            ..Api::llm(upstream)
        };
        World::serving(config(1, &[api]), store, |gateway| gateway)
    }
}

/// One chat: its status, and the code where it was refused.
fn ask(world: &World, caller: &str, model: &str) -> (u16, String) {
    let token = callers("dev").token(caller).unwrap();
    let authorization = format!("Authorization: Bearer {}", *token);
    let body = format!(
        r#"{{"model":"{model}","messages":[{{"role":"user","content":"hello there"}}],"max_tokens":1}}"#
    );
    let path = "/v1/chat/completions";
    let answer = world.send("POST", path, &[&authorization], body.as_bytes());
    let code = match answer.status {
        200 => String::new(),
        status => answer.refused(status),
    };
    (answer.status, code)
}

#[track_caller]
fn check(stores: &Stores) {
    for (limit, code) in LIMITS {
        for (scope, other_caller, other_model) in SCOPES {
            let rule = match limit.split_once(" burst ") {
                Some((limit, burst)) => format!("{limit} {scope} burst {burst}"),
                None => format!("{limit} {scope}"),
            };
            let world = stores.world(&rule, "mock://");
            assert_eq!(ask(&world, "web", "chat").0, 200, "{rule}");
            // What refills within a second is refused now and then.
            let steady = if limit.contains("/s") { 1 } else { 4 };
            assert_eq!(used_up(&world, steady), *code, "{rule}");
            // What refills within seconds may have done so.
            if limit.contains("/s") || limit.contains("/min") {
                continue;
            }
            let others = [
                ask(&world, "ops", "chat").0 == 200,
                ask(&world, "web", "talk").0 == 200,
            ];
            assert_eq!(others, [*other_caller, *other_model], "{rule}");
        }
    }
    for scope in SCOPES {
        check_places(stores, *scope);
    }
}

fn check_places(stores: &Stores, (scope, other_caller, other_model): (&str, bool, bool)) {
    let (release, released) = channel();
    let released = Mutex::new(released);
    // The first waits for the test.
    let upstream = Upstream::new(move |stream, count| {
        if count == 1 {
            let _ = released.lock().unwrap().recv();
        }
        say(
            stream,
            &response("200 OK", "Content-Type: application/json\r\n", "{}"),
        );
    });
    let rule = format!("1 concurrent {scope}");
    let world = stores.world(&rule, &upstream.url);
    std::thread::scope(|threads| {
        let held = threads.spawn(|| ask(&world, "web", "chat").0);
        eventually(|| (upstream.requests().len() == 1).then_some(()));
        let refused = (429, "rate_limit_exceeded".to_owned());
        assert_eq!(ask(&world, "web", "chat"), refused, "{rule}");
        let others = [
            ask(&world, "ops", "chat").0 == 200,
            ask(&world, "web", "talk").0 == 200,
        ];
        assert_eq!(others, [other_caller, other_model], "{rule}");
        release.send(()).unwrap();
        assert_eq!(held.join().unwrap(), 200);
    });
    eventually(|| (ask(&world, "web", "chat").0 == 200).then_some(()));
}

/// Asks until nothing fits any more, so many times, so that what was reserved is settled; the code of the refusals.
#[track_caller]
fn used_up(world: &World, steady: usize) -> String {
    let mut codes = Vec::new();
    for _ in 0..100 {
        match ask(world, "web", "chat") {
            (200, _) => codes.clear(),
            (status, code) => {
                assert_eq!(status, 429, "{code}");
                codes.push(code);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        if codes.len() == steady {
            break;
        }
    }
    codes.pop().unwrap_or_default()
}

#[test]
fn every_kind_refuses_in_memory() {
    check(&Stores(None));
}

#[test]
fn every_kind_refuses_in_a_redis() {
    let Some(redis) = Running::start() else {
        return;
    };
    check(&Stores(Some(redis)));
}

#[test]
fn a_request_takes_from_all_of_its_limits_or_from_none() {
    for stores in [
        Some(Stores(None)),
        Running::start().map(|redis| Stores(Some(redis))),
    ] {
        let Some(stores) = stores else { continue };
        let world = stores.world("9 requests/h, 40 tokens/h per caller", "mock://");
        // The first caller's tokens are used up before the requests are, and what is refused takes none of them.
        assert_eq!(used_up(&world, 4), "rate_limit_exceeded");
        for _ in 0..20 {
            assert_eq!(ask(&world, "web", "chat").0, 429);
        }
        assert_eq!(ask(&world, "ops", "chat").0, 200, "one is left at least");
    }
}
