//! How fast output passes that secrets are taken out of: `cargo bench -p ringfence-secret --bench redact`
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark prints"
)]

use std::hint::black_box;
use std::time::Instant;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine;
use memchr::memmem::Finder;
use ringfence_secret::redact::Patterns;

const BYTES: usize = 8 << 20;
const CHUNK: usize = 64 << 10;

/// Numbers that look like chance (xorshift64*, Vigna 2016), the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        let characters = (0..length).map(|_| char::from(alphabet[self.below(alphabet.len())]));
        characters.collect()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const PRINTABLE: &[u8] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&*+-/=?@^_~";

/// Fifty: tokens, passwords, URLs, keys in base64, and a private key of 28 lines.
fn secrets(random: &mut Random) -> Vec<(String, String)> {
    let base64 = base64::prelude::BASE64_STANDARD;
    let values = (0..50).map(|index| match index {
        0 => {
            let body = base64.encode(random.bytes(1216));
            let lines: Vec<&str> = (0..body.len())
                .step_by(64)
                .map(|at| body.get(at..(at + 64).min(body.len())).unwrap())
                .collect();
            format!(
                "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
                lines.join("\n")
            )
        }
        index if index % 5 == 0 => format!(
            "postgres://app:{}@db.internal:5432/app",
            random.text(LETTERS, 24)
        ),
        index if index % 5 == 1 => random.text(PRINTABLE, 20),
        index if index % 5 == 2 => base64.encode(random.bytes(32)),
        index if index % 5 == 3 => format!("sk-proj-{}", random.text(LETTERS, 48)),
        _ => random.text(LETTERS, 40),
    });
    let named = values
        .enumerate()
        .map(|(index, value)| (format!("SECRET_{index}"), value));
    named.collect()
}

fn repeated(mut piece: impl FnMut(usize) -> Vec<u8>) -> Vec<u8> {
    let mut text = Vec::with_capacity(BYTES + CHUNK);
    for index in 0.. {
        if text.len() >= BYTES {
            break;
        }
        text.extend(piece(index));
    }
    text
}

fn texts(random: &mut Random, patterns: &Patterns) -> Vec<(&'static str, Vec<u8>)> {
    let spellings: Vec<Vec<u8>> = patterns.spellings().map(<[u8]>::to_vec).collect();
    let beginning = |random: &mut Random| {
        let spelling = &spellings[random.below(spellings.len())];
        spelling[..random.below(spelling.len())].to_vec()
    };
    vec![
        (
            "a log, clean",
            repeated(|index| {
                format!("2026-01-02T03:04:05.{:03}Z INFO request{{id={index:08x} method=GET path=/api/v1/users/{index}}} finished in {} ms with status 200\n", index % 1000, index % 97).into_bytes()
            }),
        ),
        (
            "JSON lines, clean",
            repeated(|index| {
                format!("{{\"time\":\"2026-01-02T03:04:05Z\",\"level\":\"info\",\"message\":\"listening on postgres://app@db.internal:5432\",\"id\":\"{index:032x}\",\"tags\":[\"a\",\"b\"]}}\n").into_bytes()
            }),
        ),
        (
            "base64, clean",
            repeated(|_| [random.text(LETTERS, 76).into_bytes(), b"\n".to_vec()].concat()),
        ),
        ("random bytes", repeated(|_| random.bytes(CHUNK))),
        (
            "a log, a secret in each tenth line",
            repeated(|index| {
                let secret = match index % 10 {
                    0 => spellings[index % spellings.len()].clone(),
                    _ => b"nothing".to_vec(),
                };
                let line = format!(
                    "2026-01-02T03:04:05.{:03}Z INFO request id={index:08x} path=/api/v1/users token=",
                    index % 1000
                );
                [line.into_bytes(), secret, b"\n".to_vec()].concat()
            }),
        ),
        (
            "beginnings of secrets alone",
            repeated(|_| beginning(random)),
        ),
    ]
}

/// The median speed in MB/s.
fn speed(text: &[u8], rounds: usize, mut run: impl FnMut(&[u8])) -> f64 {
    let mut seconds: Vec<f64> = (0..rounds)
        .map(|_| {
            let begin = Instant::now();
            run(black_box(text));
            begin.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    text.len() as f64 / 1e6 / seconds[rounds / 2]
}

fn main() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let secrets = secrets(&mut random);
    let named = || {
        secrets
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    };
    let begin = Instant::now();
    let patterns = Patterns::new(named());
    let built = begin.elapsed().as_secs_f64() * 1e3;
    let spellings: Vec<&[u8]> = patterns.spellings().collect();
    println!(
        "{} secrets, {} patterns, ready in {built:.2} ms",
        secrets.len(),
        spellings.len()
    );
    let automaton = |kind| {
        let mut builder = AhoCorasick::builder();
        builder
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(kind));
        builder.build(&spellings).unwrap()
    };
    let contiguous = automaton(AhoCorasickKind::ContiguousNFA);
    let table = automaton(AhoCorasickKind::DFA);
    let finders: Vec<Finder> = spellings.iter().map(Finder::new).collect();
    println!("MB/s, and of the same patterns without chunks:");
    println!(
        "{:36} {:>8} {:>14} {:>14} {:>14}",
        "", "here", "aho-corasick", "its DFA", "each by memmem"
    );
    for (name, text) in texts(&mut random, &patterns) {
        let mut out = Vec::with_capacity(text.len());
        let here = speed(&text, 9, |text| {
            out.clear();
            let mut stream = patterns.stream();
            text.chunks(CHUNK)
                .for_each(|chunk| stream.pass(chunk, &mut out));
            stream.finish(&mut out);
        });
        let replace = |automaton: &AhoCorasick| {
            speed(&text, 3, |text| {
                let mut out = Vec::with_capacity(text.len());
                automaton.replace_all_with_bytes(text, &mut out, |_, _, out| {
                    out.extend_from_slice(b"[redacted]");
                    true
                });
                black_box(out);
            })
        };
        let memmem = speed(&text, 1, |text| {
            let count: usize = finders
                .iter()
                .map(|finder| finder.find_iter(text).count())
                .sum();
            black_box(count);
        });
        println!(
            "{name:36} {here:8.0} {:14.0} {:14.0} {memmem:14.1}",
            replace(&contiguous),
            replace(&table)
        );
    }
}
