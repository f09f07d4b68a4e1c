//! How fast an `.env` file is read: `cargo bench -p ringfence-syntax --bench parse`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints"
)]

use std::hint::black_box;
use std::time::Instant;

use ringfence_diagnostic::Sources;
use ringfence_syntax::dotenv::parse;

/// Files of different texture, about 8 MB each.
fn files() -> Vec<(&'static str, String)> {
    let lines = |line: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for index in 0.. {
            if text.len() > 8 << 20 {
                break;
            }
            text.push_str(&line(index));
        }
        text
    };
    vec![
        (
            "typical: urls, words, comments",
            lines(&|index| match index % 4 {
                0 => format!("# what the next settings are for, in a sentence or so ({index})\n"),
                1 => format!(
                    "DATABASE_URL_{index}=postgres://app:password@db.internal:5432/app_{index}?sslmode=require\n"
                ),
                2 => format!("export FEATURE_{index}=\"a quoted value with spaces {index}\"\n"),
                _ => format!("LOG_LEVEL_{index}=info # how much is said\n"),
            }),
        ),
        (
            "plain settings of 35 bytes",
            lines(&|index| format!("SETTING_{index:06}=value-of-setting-{index}\n")),
        ),
        ("shortest lines", lines(&|index| format!("A{index}=1\n"))),
        (
            "references and escapes",
            lines(&|index| {
                format!("URL_{index}=\"${{HOST:-localhost}}:${{PORT}}/path\\n{index}\"\n")
            }),
        ),
        (
            "keys of several lines",
            lines(&|index| {
                let body =
                    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(24);
                format!(
                    "KEY_{index}='-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\n'\n"
                )
            }),
        ),
    ]
}

fn main() {
    const ROUNDS: usize = 9;
    for (name, text) in files() {
        let source = Sources::new().add(".env", "");
        let mut seconds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let begin = Instant::now();
                let parsed = black_box(parse(source, black_box(text.as_bytes())));
                let time = begin.elapsed().as_secs_f64();
                assert!(parsed.diagnostics.is_empty());
                time
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        let median = seconds.get(ROUNDS / 2).copied().unwrap();
        println!("{name:32} {:7.0} MB/s", text.len() as f64 / 1e6 / median);
    }
}
