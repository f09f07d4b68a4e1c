//! Random rules and callers, to us and to the evaluators of others: the variant and the reason have to be the same.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use ringfence_flag::definition::{Environment, FlagFile, Sources, build};
use ringfence_flag::evaluate::Subject;
use serde_json::{Map, Value as Json, json};

use crate::packages;

const CALLERS: usize = 1000;

/// Whether something is there, or a visible note; where it must be, that it is not is a failure.
pub(crate) fn is_there(name: &str, found: Option<&PathBuf>) -> bool {
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    let is_required = required.split(',').any(|word| word.trim() == name);
    assert!(
        found.is_some() || !is_required,
        "{name} is required and cannot be had"
    );
    if found.is_none() {
        eprintln!("skipped: {name} cannot be had here");
    }
    found.is_some()
}

/// Rules of flag files as people write them, with each operator in one at least.
fn rules() -> Map<String, Json> {
    serde_json::from_str(include_str!("rules.json")).unwrap()
}

fn flags(rules: &Map<String, Json>) -> String {
    let variants = json!({
        "a": "A", "b": "B", "c": "C", "d": "D", "z": "Z", "true": "T", "false": "F", "pro": "P",
    });
    let flag = |(key, rule): (&String, &Json)| {
        let flag = json!({
            "state": "ENABLED", "defaultVariant": "z", "targeting": rule, "variants": variants,
        });
        (key.clone(), flag)
    };
    let flags: Map<String, Json> = rules.iter().map(flag).collect();
    json!({ "flags": flags }).to_string()
}

fn caller() -> impl Strategy<Value = Json> {
    let email = (
        "[a-z]{1,8}",
        select(vec!["@example.com", "@example.org", "@b.org", "ü"]),
    )
        .prop_map(|(name, host)| format!("{name}{host}"));
    let number = prop_oneof![
        (-300_i64..300).prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        (-300_i32..300).prop_map(|n| json!(f64::from(n) / 4.0)),
        any::<f64>().prop_map(Json::from),
        any::<f32>().prop_map(|n| json!(f64::from(n))),
        any::<bool>().prop_map(Json::from),
        "[a-z0-9]{0,30}".prop_map(Json::from),
    ];
    let version = prop_oneof![
        3 => (0..4_u8, 0..4_u8, 0..4_u8).prop_map(|(a, b, c)| json!(format!("{a}.{b}.{c}"))),
        1 => select(vec!["1", "v2.1", "1.0.0-rc.1", "1.0.0-beta", "1.2.3+build", "x", "", "1.2.3.4", "V1.2.3"]).prop_map(Json::from),
        1 => (0..3_u8).prop_map(Json::from),
    ];
    let teams = proptest::collection::vec(select(vec!["ops", "web", "dev"]), 0..3);
    let user = (any::<bool>(), teams, number.clone()).prop_map(
        |(admin, teams, extra)| json!({"admin": admin, "teams": teams, "name": "A", "ab": extra}),
    );
    let plan = select(vec!["pro", "free", "a"]);
    let list = proptest::collection::vec(0..5_u8, 0..5);
    // Texts are not compared with numbers: there each evaluator has a word of its own, and ours is JavaScript's.
    let size = (-900_i32..900).prop_map(|n| f64::from(n) / 4.0);
    (email, number, version, user, plan, list, (0..60_u8, size)).prop_map(
        |(email, number, version, user, plan, list, (weight, size))| {
            json!({
                "targetingKey": email, "email": email, "number": number, "version": version, "user": user,
                "plan": plan, "list": list, "weight": weight, "size": size,
            })
        },
    )
}

/// The same callers each time.
fn callers() -> Vec<Json> {
    let config = Config::default();
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, random);
    let caller = caller();
    (0..CALLERS)
        .map(|_| caller.new_tree(&mut runner).unwrap().current())
        .collect()
}

/// Our answers: for each caller, one of `A STATIC` or `ERROR` for each flag.
fn ours(flags: &str, callers: &[Json], keys: &[&str]) -> Vec<Vec<String>> {
    let file = FlagFile::read("flags.json", flags).unwrap();
    let environment = Environment {
        name: "prod".to_owned(),
        tier: "production".to_owned(),
    };
    let (set, errors) = build(
        &Sources {
            files: &[file],
            ..Sources::default()
        },
        &environment,
    );
    assert_eq!(errors, []);
    let answer = |caller: &Json| {
        let subject = Subject::new(caller.as_object().unwrap().clone(), &set, 0);
        let answer = |key: &&str| match set.evaluate(key, &subject) {
            Ok(found) => format!("{} {}", found.variant, found.reason.word()),
            Err(_) => "ERROR".to_owned(),
        };
        keys.iter().map(answer).collect()
    };
    callers.iter().map(answer).collect()
}

/// Sends flags, keys and callers to a program and reads its answers.
fn theirs(command: &mut Command, question: &Json) -> Vec<Vec<String>> {
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = pipes.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let question = question.to_string();
    let writer = std::thread::spawn(move || input.write_all(question.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn agree(rules: &Map<String, Json>, command: &mut Command) {
    let keys: Vec<&str> = rules.keys().map(String::as_str).collect();
    let (flags, callers) = (flags(rules), callers());
    let ours = ours(&flags, &callers, &keys);
    let theirs = theirs(
        command,
        &json!({"flags": flags, "keys": keys, "callers": callers}),
    );
    let mut differences = Vec::new();
    for ((caller, ours), theirs) in callers.iter().zip(&ours).zip(&theirs) {
        for ((key, ours), theirs) in keys.iter().zip(ours).zip(theirs) {
            if ours != theirs {
                differences.push(format!("{key}: {ours} here, {theirs} there, for {caller}"));
            }
        }
    }
    let shown = differences
        .iter()
        .take(10)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        differences.is_empty(),
        "{} differences:\n{shown}",
        differences.len()
    );
}

/// PyPI's `openfeature-flagd-core` 2, which has version 3 of `fractional`.
#[test]
fn the_evaluator_of_python_agrees() {
    let packages = ["openfeature-flagd-core==2.0.0", "openfeature-sdk==0.10.0"];
    let found = packages::python("flagd-core-python-2.0.0", &packages);
    if !is_there("flagd-core-python", found.as_ref()) {
        return;
    }
    let mut python = Command::new("python3");
    python
        .env("PYTHONPATH", found.unwrap())
        .args(["-c", include_str!("peer.py")]);
    agree(&rules(), &mut python);
}

/// npm's `@openfeature/flagd-core` 4, which has version 2 of `fractional`: without those rules.
#[test]
fn the_evaluator_of_node_agrees() {
    let packages = ["@openfeature/flagd-core@4.0.1", "@openfeature/core@1.12.0"];
    let found = packages::node("flagd-core-node-4.0.1", &packages);
    if !is_there("flagd-core-node", found.as_ref()) {
        return;
    }
    let mut rules = rules();
    rules.retain(|key, _| !key.starts_with("fractional"));
    let mut node = Command::new("node");
    node.env("NODE_PATH", found.unwrap())
        .args(["-e", include_str!("peer.js")]);
    agree(&rules, &mut node);
}
