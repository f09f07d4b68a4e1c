#![no_main]

#[expect(dead_code, reason = "one target of three")]
#[path = "../secret.rs"]
mod secret;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| secret::redact(bytes));
