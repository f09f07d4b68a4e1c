//! How many flags are evaluated in a second, beside npm's `@openfeature/flagd-core` in the same run:
//! `cargo bench -p ringfence-flag --bench evaluate`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints"
)]

#[path = "../tests/peers/packages.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod packages;

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use ringfence_flag::definition::{Environment, FlagFile, FlagSet, Sources, build};
use ringfence_flag::evaluate::Subject;
use ringfence_flag::ofrep::{PATH, Request, Service, respond};

const FLAGS: &str = r#"{"flags": {
  "static": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
  "targeting": {"state": "ENABLED", "variants": {"small": "s", "large": "l"}, "defaultVariant": "small", "targeting":
    {"if": [{"and": [{"==": [{"var": "plan"}, "pro"]}, {"ends_with": [{"var": "email"}, "@example.com"]}]}, "large"]}},
  "fractional": {"state": "ENABLED", "variants": {"a": "A", "b": "B"}, "defaultVariant": "a", "targeting":
    {"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "email"}]}, ["a", 50], ["b", 50]]}}}}"#;
const CALLER: &str = r#"{"targetingKey": "ana", "plan": "pro", "email": "ana@example.com"}"#;
const KEYS: [&str; 3] = ["static", "targeting", "fractional"];
const ROUNDS: usize = 5;
const TIMES: u32 = 200_000;

const PEER: &str = r"
const { FlagdCore } = require('@openfeature/flagd-core');
const silent = { error() {}, warn() {}, info() {}, debug() {} };
const [flags, caller, key, times] = process.argv.slice(1);
const core = new FlagdCore(undefined, silent);
core.setConfigurations(flags);
const context = JSON.parse(caller);
const evaluate = () => key === 'static'
  ? core.resolveBooleanEvaluation(key, false, context, silent)
  : core.resolveStringEvaluation(key, '', context, silent);
for (let i = 0; i < times / 4; i++) evaluate();
const start = process.hrtime.bigint();
for (let i = 0; i < times; i++) evaluate();
console.log(times * 1e9 / Number(process.hrtime.bigint() - start));
";

fn set() -> FlagSet {
    let file = FlagFile::read("flags.json", FLAGS).unwrap();
    let environment = Environment {
        name: "prod".to_owned(),
        tier: "production".to_owned(),
    };
    let sources = Sources {
        files: &[file],
        ..Sources::default()
    };
    build(&sources, &environment).0
}

fn a_second(mut evaluate: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..TIMES).for_each(|_| evaluate());
    f64::from(TIMES) / start.elapsed().as_secs_f64()
}

/// With a caller that is read already, as npm's is.
fn ours(set: &FlagSet, key: &str) -> f64 {
    let context = serde_json::from_str(CALLER).unwrap();
    let subject = Subject::new(context, set, 0);
    a_second(|| {
        black_box(set.evaluate(black_box(key), &subject).unwrap());
    })
}

/// From the bytes of a request to those of its response.
fn whole(set: &FlagSet, key: &str) -> f64 {
    let service = Service {
        flags: set,
        at: 0,
        events: None,
    };
    let body = format!("{{\"context\":{CALLER}}}");
    let path = format!("{PATH}/{key}");
    a_second(|| {
        let request = Request {
            method: "POST",
            path: &path,
            body: body.as_bytes(),
            if_none_match: None,
        };
        black_box(respond(&service, &request));
    })
}

fn theirs(modules: &std::path::Path, key: &str) -> f64 {
    let times = TIMES.to_string();
    let mut node = Command::new("node");
    node.env("NODE_PATH", modules)
        .args(["-e", PEER, "--", FLAGS, CALLER, key, &times]);
    let output = node.output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

fn main() {
    let set = set();
    let peers = ["@openfeature/flagd-core@4.0.1", "@openfeature/core@1.12.0"];
    let modules = packages::node("flagd-core-node-4.0.1", &peers);
    println!(
        "evaluations a second, median of {ROUNDS} rounds: ours, ours as a message, npm's flagd-core"
    );
    for key in KEYS {
        let (mut one, mut two, mut three) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            one.push(ours(&set, key));
            two.push(whole(&set, key));
            three.extend(modules.iter().map(|modules| theirs(modules, key)));
        }
        let rates = [one, two, three].map(median);
        println!(
            "{key:<12}{:>14.0}{:>14.0}{:>14.0}",
            rates[0], rates[1], rates[2]
        );
    }
}
