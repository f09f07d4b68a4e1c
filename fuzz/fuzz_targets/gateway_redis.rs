#![no_main]

#[expect(dead_code, reason = "one target of four")]
#[path = "../gateway.rs"]
mod gateway;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gateway::redis(bytes));
