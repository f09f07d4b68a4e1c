//! The fuzz targets on mutated seeds, for a bounded time: `RINGFENCE_FUZZ_SECONDS` each, 3 where it is not set.
//! `fuzz/run` does the same guided by coverage.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failing test panics, and indices are bounded where they are made"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "how long to run is said in the environment"
)]

#[path = "../../../fuzz/gateway.rs"]
mod gateway;
#[path = "../../../fuzz/mutate.rs"]
mod mutate;

/// A request with everything that is read of one.
const REQUEST: &[u8] = include_bytes!("data/request.json");
/// A stream with events of every kind, cut into pieces of seven bytes.
const EVENTS: &[u8] = include_bytes!("data/events.txt");
/// A body that holds the key in every spelling, cut into pieces of seven bytes.
const ECHO: &[u8] = include_bytes!("data/echo.txt");
/// What the scripts say.
const REPLY: &[u8] = include_bytes!("data/reply.txt");

#[test]
fn requests() {
    let tokens = [
        "\"model\":",
        "\"mod\\u0065l\":",
        "\"stream_options\":",
        "{\"include_usage\":true}",
        "\"another\"",
        "null",
        "true",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\ud800",
        "1e400",
        "-0.0",
        " ",
    ];
    mutate::fuzz(gateway::request, &[REQUEST.to_vec()], &tokens);
}

#[test]
fn streams() {
    let tokens = [
        "\n",
        "\r",
        "\r\n",
        "data: ",
        "data:",
        ": ",
        "event: ",
        "[DONE]",
        "{}",
        "\"usage\":{\"total_tokens\":1}",
        "\"choices\":[]",
        gateway::KEY,
        "sk_live_",
        "\\\"",
    ];
    mutate::fuzz(gateway::events, &[EVENTS.to_vec()], &tokens);
}

#[test]
fn echoes() {
    let tokens = [
        gateway::KEY,
        "sk_live_a/",
        "sk_live_a\\/b+c\\\"d",
        "sk_live_a%2Fb%2Bc%22d",
        "s",
        "\\",
        "*",
    ];
    mutate::fuzz(gateway::scrub, &[ECHO.to_vec()], &tokens);
}

#[test]
fn replies() {
    let tokens = [
        "\r\n",
        "*",
        "$",
        ":",
        "+",
        "-",
        "-1",
        "0",
        "1048576",
        "9223372036854775808",
    ];
    mutate::fuzz(gateway::redis, &[REPLY.to_vec()], &tokens);
}
