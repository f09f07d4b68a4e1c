//! The secret that a sample is made under, and what is drawn from it.
//!
//! The pseudo-random function is HMAC-SHA-256 (RFC 2104, FIPS 198-1): whoever holds a sample and guesses an original cannot test the
//! guess without the key, and that rests on the most studied construction there is. SipHash is two to three times as fast, but is made
//! against flooding of hash tables: its result of 64 bits would collide among some ten million addresses, and nobody claims that it
//! hides its key from an attacker with years of time. With SHA instructions one value costs some 150 ns, less than reading the row.
//!
//! What always holds: what is drawn follows from the key, the purpose and the input alone. A [`Key`] has no `Debug` and is cleared.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A secret of 32 bytes. Whoever has it can test guesses of masked values: it stays with the upper environment.
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// Reads a key's 32 bytes.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// The key for one purpose, from which neither this key nor that of another purpose follows. A sample's key is derived for its
    /// source and its target, so that two targets cannot be joined.
    #[must_use]
    pub fn derive(&self, purpose: &[&str]) -> Self {
        let mut hmac = start(self.0.as_ref());
        for word in purpose {
            let length = u64::try_from(word.len()).unwrap_or(u64::MAX);
            hmac.update(&length.to_be_bytes());
            hmac.update(word.as_bytes());
        }
        Self(Zeroizing::new(hmac.finalize().into_bytes().into()))
    }

    /// A name of the key that may be shown and kept beside a sample: 64 bits in hexadecimal, from which the key does not follow.
    #[must_use]
    pub fn name(&self) -> String {
        let derived = self.derive(&["name"]);
        let bytes = derived.0.iter().take(8);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The function of one purpose, ready to be applied many times.
#[derive(Clone)]
pub(crate) struct Function(Hmac<Sha256>);

impl Function {
    pub(crate) fn new(key: &Key, purpose: &[&str]) -> Self {
        Self(start(key.derive(purpose).0.as_ref()))
    }

    /// What is drawn for an input; another attempt draws something else.
    pub(crate) fn draw(&self, input: &[u8], attempt: u8) -> Draws {
        let mut hmac = self.0.clone();
        hmac.update(&[attempt]);
        hmac.update(input);
        Draws::new(&hmac.finalize().into_bytes())
    }

    /// The first 64 bits of what is drawn for an input.
    pub(crate) fn number(&self, input: &[u8]) -> u64 {
        self.draw(input, 0).next()
    }
}

/// A permutation of the numbers below a size, for any size up to 10³⁶: different numbers stay different.
///
/// A Feistel network over two digits of mixed radix (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002), with SHA-256
/// over key, round and half as its function: one block each, and of a fixed length, so that the plain construction is sound.
#[derive(Clone)]
pub(crate) struct Permutation(Zeroizing<[u8; 32]>);

impl Permutation {
    /// Of two digits each.
    const ROUNDS: u8 = 8;

    pub(crate) fn new(key: &Key, purpose: &[&str]) -> Self {
        Self(key.derive(purpose).0)
    }

    /// Where a number goes among those below `size`; a number that is not below it stays.
    pub(crate) fn apply(&self, number: u128, size: u128) -> u128 {
        if number >= size {
            return number;
        }
        let left = size.isqrt().max(1);
        let right = size.div_ceil(left);
        let mut place = number;
        // What falls outside goes on until it is inside; the two digits hold hardly more numbers than are wanted.
        loop {
            place = self.round_trip(place, (left, right), size);
            if place < size {
                return place;
            }
        }
    }

    fn round_trip(&self, number: u128, (left, right): (u128, u128), size: u128) -> u128 {
        let (mut high, mut low) = (number % left, number / left);
        for round in 0..Self::ROUNDS {
            if round % 2 == 0 {
                high = (high + self.function(round, low, size)) % left;
            } else {
                low = (low + self.function(round, high, size)) % right;
            }
        }
        low * left + high
    }

    fn function(&self, round: u8, half: u128, size: u128) -> u128 {
        let half = u64::try_from(half).unwrap_or(u64::MAX);
        let digest = Sha256::new()
            .chain_update(self.0.as_ref())
            .chain_update([round])
            .chain_update(half.to_be_bytes())
            .chain_update(size.to_be_bytes().get(4..12).unwrap_or_default())
            .finalize();
        let word = digest.first_chunk::<8>().copied().unwrap_or_default();
        u128::from(u64::from_be_bytes(word))
    }
}

/// An endless sequence of numbers that follow from one input: the function's 256 bits themselves, and then xoshiro256++ (Blackman and
/// Vigna, 2018) from there on. Whoever reads it back gets the function's result for that input, which may be known, and no key.
pub(crate) struct Draws {
    state: [u64; 4],
    count: usize,
}

impl Draws {
    fn new(seed: &[u8]) -> Self {
        let mut state = [1; 4];
        for (word, bytes) in state.iter_mut().zip(seed.chunks_exact(8)) {
            *word = bytes.try_into().map_or(0, u64::from_be_bytes);
        }
        Self { state, count: 0 }
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        if let Some(word) = self.state.get(self.count) {
            self.count += 1;
            return *word;
        }
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number below `end`, each with a probability that differs by less than `end` ÷ 2⁶⁴ from the others'.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(end);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// One of a list; `None` of an empty one.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> Option<&'a T> {
        let place = self.below(u64::try_from(list.len()).unwrap_or(0));
        list.get(usize::try_from(place).unwrap_or(0)).copied()
    }
}

fn start(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    Hmac::<Sha256>::new_from_slice(key).expect("a key of 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_follows_from_key_purpose_input_and_attempt() {
        let key = Key::read(&[7; 32]).unwrap();
        let other = Key::read(&[8; 32]).unwrap();
        let one = Function::new(&key, &["mask", "email"]);
        assert_eq!(one.number(b"a"), one.number(b"a"));
        assert_ne!(one.number(b"a"), one.number(b"b"));
        assert_ne!(one.number(b"a"), one.draw(b"a", 1).next());
        for function in [
            Function::new(&other, &["mask", "email"]),
            Function::new(&key, &["mask", "name"]),
            Function::new(&key, &["maske", "mail"]),
        ] {
            assert_ne!(one.number(b"a"), function.number(b"a"));
        }
        assert!(Key::read(b"short").is_none());
        assert_eq!(key.name(), Key::read(&[7; 32]).unwrap().name());
        assert_eq!(key.name().len(), 16);
    }

    #[test]
    fn the_first_block_is_the_published_function() {
        // RFC 4231, test case 2, through the same construction: HMAC-SHA-256 of key "Jefe".
        let mut hmac = start(b"Jefe");
        hmac.update(b"what do ya want for nothing?");
        let tag: [u8; 32] = hmac.finalize().into_bytes().into();
        assert_eq!(tag[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    }

    #[test]
    fn a_permutation_takes_each_place_once() {
        let permutation = Permutation::new(&Key::read(&[7; 32]).unwrap(), &["x"]);
        for size in [1_u128, 2, 3, 10, 90, 97, 1000, 9000] {
            let places: std::collections::BTreeSet<u128> = (0..size)
                .map(|number| permutation.apply(number, size))
                .collect();
            assert_eq!(places.len() as u128, size, "{size}");
            assert!(places.iter().all(|place| *place < size));
        }
        let fixed = (0..9000_u128).filter(|n| permutation.apply(*n, 9000) == *n);
        assert!(fixed.count() < 10);
        assert_eq!(permutation.apply(5, 5), 5);
        let huge = 10_u128.pow(36);
        assert!(permutation.apply(huge - 1, huge) < huge);
    }

    #[test]
    fn draws_do_not_repeat_after_a_block() {
        let key = Key::read(&[7; 32]).unwrap();
        let mut draws = Function::new(&key, &["x"]).draw(b"", 0);
        let numbers: std::collections::BTreeSet<u64> = (0..1000).map(|_| draws.next()).collect();
        assert_eq!(numbers.len(), 1000);
        assert!((0..1000).all(|_| draws.below(3) < 3));
    }
}
