//! The fuzz targets on mutated messages, for a bounded time: `RINGFENCE_FUZZ_SECONDS`, 3 where it is not set.
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

#[path = "../../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/wire.rs"]
mod wire;

use ringfence_reach::dns;
use ringfence_reach::hello::{self, Hello};

/// What `dig api.Example.com` sends.
const DNS: &[u8] = include_bytes!("data/dns");
/// What Python's `ssl` sends, with an extension of ECH before the others.
const HELLO: &[u8] = include_bytes!("data/hello");

#[test]
fn the_seeds_are_understood() {
    let question = dns::read(DNS).expect("a query");
    assert_eq!(question.name, "api.example.com");
    let expected = Hello::Tls {
        server_name: Some("api.example.com".to_owned()),
        encrypted: true,
    };
    assert_eq!(hello::read(HELLO), expected);
}

#[test]
fn dns_messages() {
    let tokens = [
        "\0",
        "\x01",
        "\x03www",
        "\0\x1c\0\x01",
        "\0\0)\x04\0",
        "\x3f",
        "\u{c0}",
    ];
    mutate::fuzz(wire::dns, &[DNS.to_vec()], &tokens);
}

#[test]
fn hellos() {
    let tokens = [
        "\x16\x03\x01\0\x05",
        "\x01\0\0\x40",
        "\0\0\0\x08\0\x06\0\0\x03a.b",
        "\0\0",
        "\0",
        "\x01",
    ];
    mutate::fuzz(wire::hello, &[HELLO.to_vec()], &tokens);
}
