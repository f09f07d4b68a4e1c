#![no_main]

#[expect(dead_code, reason = "one target of two")]
#[path = "../wire.rs"]
mod wire;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wire::dns(bytes));
