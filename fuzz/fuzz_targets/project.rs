#![no_main]

#[expect(dead_code, reason = "one target of three")]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::project(bytes));
