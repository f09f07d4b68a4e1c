//! Reloading: one snapshot for another, or none.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::world::{Api, World, config, eventually, target};

fn generation(world: &World) -> String {
    let answer = world.send("GET", "/v1/models", &[], b"");
    answer.header("x-ringfence-generation").unwrap().to_owned()
}

#[test]
fn a_reload_adds_and_takes_away_and_counts_its_generation() {
    let world = World::new(&[Api::llm("mock://")]);
    assert_eq!(generation(&world), "1");
    let renamed = Api {
        models: vec![("talk", vec![target(None, "m-1")])],
        ..Api::llm("mock://")
    };
    let other = Api {
        name: "other",
        ..Api::http("http://127.0.0.1:1")
    };
    world.reload(Some(config(2, &[renamed, other])));
    eventually(|| (generation(&world) == "2").then_some(()));
    assert_eq!(world.chat("").refused(404), "model_not_found");
    assert_eq!(
        world.send("GET", "/other/x", &[], b"").refused(502),
        "upstream_unreachable"
    );
    world.reload(None);
    let refused = || {
        world
            .send("GET", "/-/metrics", &[], b"")
            .body
            .contains("result=\"refused\"} 1")
    };
    eventually(|| refused().then_some(()));
    assert_eq!(generation(&world), "2", "the old one is still served");
}

#[test]
fn a_changed_limit_keeps_what_was_used() {
    let limited = |limits| Api {
        limits,
        ..Api::llm("mock://")
    };
    let world = World::new(&[limited("3 requests/h")]);
    let rest = r#","max_tokens":1"#;
    let statuses: Vec<u16> = (0..4).map(|_| world.chat(rest).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);
    world.reload(Some(config(2, &[limited("5 requests/h")])));
    eventually(|| (generation(&world) == "2").then_some(()));
    let statuses: Vec<u16> = (0..3).map(|_| world.chat(rest).status).collect();
    assert_eq!(statuses, [200, 200, 429]);
}

#[test]
fn reloads_under_load_lose_no_request() {
    let world = World::new(&[Api::llm("mock://")]);
    let is_over = AtomicBool::new(false);
    let requests: usize = std::thread::scope(|scope| {
        let ask = || {
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(world.chat("").status, 200);
                count += 1;
            }
            count
        };
        let all: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        for generation in 2..7 {
            world.reload(Some(config(generation, &[Api::llm("mock://")])));
            eventually(|| (self::generation(&world) == generation.to_string()).then_some(()));
        }
        is_over.store(true, Ordering::Relaxed);
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert!(requests > 50, "{requests}");
}

#[test]
fn counts_are_told_to_who_has_a_token() {
    let world = World::new(&[Api::llm("mock://")]);
    world.chat("");
    let metrics = world.send("GET", "/-/metrics", &[], b"");
    assert_eq!(
        metrics.header("content-type"),
        Some("text/plain; version=0.0.4")
    );
    for line in [
        "ringfence_gateway_requests_total{environment=\"dev\",resource=\"llm\",status=\"200\"} 1",
        "ringfence_gateway_generation{environment=\"dev\"} 1",
        "ringfence_gateway_request_duration_seconds_count{environment=\"dev\",resource=\"llm\"} 1",
        "ringfence_gateway_records_lost_total{environment=\"dev\"} 0",
    ] {
        assert!(metrics.body.contains(line), "{line} in {}", metrics.body);
    }
    let stranger = world.send("GET", "/-/metrics", &["Authorization: Bearer x"], b"");
    assert_eq!(stranger.refused(401), "invalid_token");
    assert_eq!(
        world
            .send("GET", "/-/health", &["Authorization: Bearer x"], b"")
            .body,
        "ok\n"
    );
}
