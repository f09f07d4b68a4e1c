//! Inputs for the targets under `cargo test`: seeds, mutated for a bounded time. Coverage does not guide it; `fuzz/run` does.

use std::time::{Duration, Instant};

/// A small generator of numbers (xorshift64*, Vigna 2016): the same seed gives the same inputs.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound.max(1)
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>, tokens: &[&str]) {
        let at = self.below(bytes.len() + 1);
        match self.below(4) {
            0 => drop(bytes.splice(at..at, tokens[self.below(tokens.len())].bytes())),
            1 => drop(bytes.drain(at..(at + self.below(10)).min(bytes.len()))),
            2 if at < bytes.len() => bytes[at] = self.below(256) as u8,
            _ => {
                let from = self.below(bytes.len() + 1);
                let copied = bytes[from..(from + self.below(50)).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, copied));
            }
        }
        bytes.truncate(8192);
    }
}

/// Runs a target on mutated seeds for `RINGFENCE_FUZZ_SECONDS`, 3 where it is not set. `tokens` are the pieces that mean
/// something to what is tested.
pub(crate) fn fuzz(target: fn(&[u8]), seeds: &[Vec<u8>], tokens: &[&str]) {
    let seconds = std::env::var("RINGFENCE_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(3);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut count = 0_u64;
    while Instant::now() < end || count == 0 {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(16) {
            random.mutate(&mut bytes, tokens);
        }
        let outcome = std::panic::catch_unwind(|| target(&bytes));
        assert!(
            outcome.is_ok(),
            "input {count}: {:?}",
            String::from_utf8_lossy(&bytes)
        );
        count += 1;
    }
}
