#![no_main]

#[path = "../flag.rs"]
mod flag;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| flag::flags(bytes));
