//! Limits and records that a flag says: for each request, and without a restart.

use crate::running::{Running, eventually, project};
use crate::world::World;

/// The usual project, whose limits and records in prod are those of flags.
fn driven(limits: &str, records: &str) -> World {
    let world = project();
    let manifest = world.read("ringfence.toml");
    let manifest = manifest
        .replace(
            "in.prod = \"3 requests/min per caller burst 3, 100k tokens/min, 5000 tokens/day\"",
            "in.prod = { flag = \"chat_limits\" }",
        )
        .replace(
            "in.prod = \"metadata\"",
            "in.prod = { flag = \"chat_records\" }",
        );
    world.write("ringfence.toml", manifest);
    flags(&world, limits, records);
    world
}

fn flags(world: &World, limits: &str, records: &str) {
    world.write(
        "flags.json",
        format!(r#"{{"flags": {{"chat_limits": {limits}, "chat_records": {records}}}}}"#),
    );
}

fn limits(default: &str) -> String {
    format!(
        r#"{{"state": "ENABLED", "defaultVariant": "{default}",
            "variants": {{"strict": "1 requests/h", "usual": "3 requests/h burst 3", "wide": "6 requests/h burst 6"}},
            "targeting": {{"if": [{{"and": [{{"==": [{{"var": "caller"}}, "batch"]}}, {{"==": [{{"var": "resource"}}, "llm"]}},
                {{"==": [{{"var": "model"}}, "chat"]}}, {{"==": [{{"var": "environment"}}, "prod"]}}]}}, "strict"]}}}}"#
    )
}

const METADATA: &str =
    r#"{"state": "ENABLED", "variants": {"m": "metadata", "n": "none"}, "defaultVariant": "m"}"#;

fn statuses(gateway: &Running, token: &str, count: usize) -> Vec<u16> {
    let body = r#"{"model":"chat","max_tokens":1,"messages":[]}"#;
    let ask = || gateway.send("POST", "/v1/chat/completions", token, body).0;
    (0..count).map(|_| ask()).collect()
}

#[test]
fn limits_change_with_a_flag_and_what_was_used_stays() {
    let world = driven(&limits("usual"), METADATA);
    let mut gateway = Running::start(&world, "prod");
    let web = gateway.token.clone();
    assert_eq!(statuses(&gateway, &web, 4), [200, 200, 200, 429]);
    flags(&world, &limits("wide"), METADATA);
    gateway.says("configuration 2 is served");
    // Three of six are used.
    assert_eq!(statuses(&gateway, &web, 4), [200, 200, 200, 429]);
    flags(&world, &limits("strict"), METADATA);
    gateway.says("configuration 3 is served");
    assert_eq!(statuses(&gateway, &web, 1), [429]);
}

#[test]
fn a_rule_says_it_for_each_caller() {
    let per_caller = limits("usual").replace("requests/h", "requests/h per caller");
    let world = driven(&per_caller, METADATA);
    let gateway = Running::start(&world, "prod");
    let batch = world
        .ringfence(&["gateway", "token", "prod", "batch"])
        .stdout;
    assert_eq!(statuses(&gateway, batch.trim(), 2), [200, 429]);
    assert_eq!(statuses(&gateway, &gateway.token, 4), [200, 200, 200, 429]);
}

#[test]
fn records_change_with_a_flag() {
    let world = driven(&limits("wide"), METADATA);
    let mut gateway = Running::start(&world, "prod");
    let token = gateway.token.clone();
    statuses(&gateway, &token, 1);
    eventually(|| (gateway.records().lines().count() == 1).then_some(()));
    flags(
        &world,
        &limits("wide"),
        &METADATA.replace(r#""defaultVariant": "m""#, r#""defaultVariant": "n""#),
    );
    gateway.says("configuration 2 is served");
    statuses(&gateway, &token, 2);
    flags(&world, &limits("wide"), METADATA);
    gateway.says("configuration 3 is served");
    statuses(&gateway, &token, 1);
    let records = eventually(|| Some(gateway.records()).filter(|text| text.lines().count() > 1));
    assert_eq!(records.lines().count(), 2, "{records}");
    assert!(
        records
            .lines()
            .last()
            .unwrap()
            .contains("\"ringfence.generation\":3")
    );
}

#[test]
fn every_variant_is_looked_at_before_it_is_served() {
    let none = limits("usual").replace("6 requests/h burst 6", "none");
    let apples = limits("usual").replace("6 requests/h burst 6", "5 apples");
    let numbers = r#"{"state": "ENABLED", "variants": {"a": 5}, "defaultVariant": "a"}"#;
    let silent = limits("usual")
        .replace(r#""defaultVariant": "usual", "#, "")
        .replace(r#""defaultVariant": "usual","#, "");
    let off = limits("usual").replace("ENABLED", "DISABLED");
    let full = METADATA.replace("\"none\"", "\"full\"");
    let all = METADATA.replace("\"none\"", "\"all\"");
    for (limits, records, words) in [
        (
            none.as_str(),
            METADATA,
            &[
                "[production-without-limits]",
                "the flag `chat_limits` says `wide`",
            ][..],
        ),
        (
            &apples,
            METADATA,
            &[
                "[invalid-limit]",
                "`5 apples` is no limit",
                "variant `wide`",
                "ringfence.toml:",
                "flags.json:1:",
            ],
        ),
        (numbers, METADATA, &["[unusable-flag]", "no texts"]),
        (
            &silent,
            METADATA,
            &["[flag-without-value]", "defaultVariant"],
        ),
        (&off, METADATA, &["[flag-without-value]"]),
        (
            &limits("usual"),
            &full,
            &["[production-with-full-records]", "says `n`"],
        ),
        (&limits("usual"), &all, &["[invalid-record]", "`all`"]),
    ] {
        let world = driven(limits, records);
        let refused = world.ringfence(&["gateway", "prod"]);
        assert_eq!(refused.code, Some(78), "{words:?}: {refused:?}");
        for word in words {
            assert!(refused.stderr.contains(word), "{word}: {refused:?}");
        }
    }
}

#[test]
fn a_flag_that_is_not_there_is_told_and_a_row_does_as_well() {
    let world = driven(&limits("usual"), METADATA);
    world.write("flags.json", "{\"flags\": {}}");
    let refused = world.ringfence(&["gateway", "prod"]);
    assert!(
        refused.code == Some(78)
            && refused.stderr.contains("[unknown-flag]")
            && refused
                .stderr
                .contains("there is no flag `chat_limits` in `prod`"),
        "{refused:?}"
    );
    // The other environments do not ask for them.
    Running::start(&world, "dev");
    // A row of the manifest does as well.
    let manifest = world.read("ringfence.toml");
    let rows = "[flags]\nchat_limits = { in.production = \"2 requests/h burst 2\" }\nchat_records = \"metadata\"\n";
    world.write("ringfence.toml", manifest.replace("[flags]\n", rows));
    let gateway = Running::start(&world, "prod");
    assert_eq!(statuses(&gateway, &gateway.token, 3), [200, 200, 429]);
    // A table without its one key says nothing, and is not taken for no limits.
    let empty = manifest.replace("{ flag = \"chat_limits\" }", "{}");
    world.write("ringfence.toml", empty);
    let refused = world.ringfence(&["gateway", "prod"]);
    assert!(
        refused.code == Some(78) && refused.stderr.contains("has no `flag`"),
        "{refused:?}"
    );
}

/// A rule that goes wrong while it is asked is no way around the limits.
#[test]
fn a_flag_that_cannot_be_evaluated_lets_nothing_pass() {
    let wrong = limits("usual").replace("]}, \"strict\"]", "]}, \"nonsense\"]");
    let world = driven(&wrong, METADATA);
    let gateway = Running::start(&world, "prod");
    let batch = world
        .ringfence(&["gateway", "token", "prod", "batch"])
        .stdout;
    let body = r#"{"model":"chat","messages":[]}"#;
    let (status, _, text) = gateway.send("POST", "/v1/chat/completions", batch.trim(), body);
    assert!(
        status == 503 && text.contains("limits_unavailable") && text.contains("nonsense"),
        "{text}"
    );
    assert_eq!(statuses(&gateway, &gateway.token, 1), [200]);
}
