//! How long `ringfence run dev --no-barrier -- true` takes, against `/usr/bin/env true` and other loaders, interleaved in one run.
//!
//! `bench/run` builds the static binary, installs what it can of the others, and starts this:
//!
//! ```text
//! RINGFENCE_BIN=…/ringfence [PEERS='name=command with FILE …;…'] cargo bench -p ringfence-cli --bench startup
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints and starts processes"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One line of the table: what it is called and how it is started in a folder.
struct Contender {
    name: String,
    words: Vec<String>,
}

fn contender(name: &str, words: &[&str]) -> Contender {
    Contender {
        name: name.to_owned(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
    }
}

fn contenders() -> Vec<Contender> {
    let ringfence = std::env::var("RINGFENCE_BIN")
        .unwrap_or_else(|_| env!("CARGO_BIN_EXE_ringfence").to_owned());
    let mut all = vec![
        contender("/usr/bin/env true", &["/usr/bin/env", "true"]),
        // The peers load settings and nothing else; `bench/barrier` measures the rest.
        contender(
            "ringfence run dev --no-barrier -- true",
            &[&ringfence, "run", "dev", "--no-barrier", "--", "true"],
        ),
    ];
    let peers = std::env::var("PEERS").unwrap_or_default();
    for (name, command) in peers.split(';').filter_map(|peer| peer.split_once('=')) {
        all.push(contender(
            name,
            &command.split_whitespace().collect::<Vec<_>>(),
        ));
    }
    all
}

/// A project whose `.env.dev` has so many settings.
fn project(settings: usize) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("startup-{settings}"));
    fs::create_dir_all(folder.join(".git")).unwrap();
    let lines: String = (0..settings)
        .map(|index| format!("SETTING_{index:05}=value-of-setting-{index}\n"))
        .collect();
    fs::write(folder.join(".env.dev"), lines).unwrap();
    folder
}

fn once(contender: &Contender, folder: &Path) -> Option<Duration> {
    let (program, words) = contender.words.split_first()?;
    let mut command = Command::new(program);
    command
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", folder);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begin = Instant::now();
    command
        .status()
        .ok()
        .filter(std::process::ExitStatus::success)
        .map(|_| begin.elapsed())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn measure(settings: usize, rounds: usize, with_peers: bool) -> Vec<(String, Option<Duration>)> {
    let folder = project(settings);
    let mut contenders = contenders();
    if !with_peers {
        contenders.truncate(2);
    }
    let mut times: Vec<Vec<Duration>> = contenders.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (contender, times) in contenders.iter().zip(&mut times) {
            times.extend(once(contender, &folder));
        }
    }
    let rows = contenders.into_iter().zip(&mut times);
    rows.map(|(contender, times)| {
        (
            contender.name,
            (times.len() == rounds).then(|| median(times)),
        )
    })
    .collect()
}

fn main() {
    let mut of_ringfence = Vec::new();
    // Without the peers at the end: one of them needs minutes for 20,000 settings.
    for (settings, rounds) in [(10, 100), (1_000, 40), (20_000, 40)] {
        println!("\n{settings} settings, medians of {rounds} interleaved runs");
        let rows = measure(settings, rounds, settings < 20_000);
        let base = rows.first().and_then(|(_, time)| *time).unwrap_or_default();
        for (name, time) in &rows {
            match time {
                Some(time) => {
                    let ratio = time.as_secs_f64() / base.as_secs_f64();
                    println!(
                        "{name:40} {:8.2} ms  {ratio:6.2} x",
                        time.as_secs_f64() * 1e3
                    );
                }
                None => println!("{name:40}   failed"),
            }
        }
        of_ringfence.push((
            settings,
            rows.get(1)
                .and_then(|(_, time)| *time)
                .unwrap_or_default()
                .saturating_sub(base),
        ));
    }
    if let [_, (few, short), (many, long)] = of_ringfence.as_slice() {
        let growth = long.as_secs_f64() / short.as_secs_f64();
        println!(
            "\nfrom {few} to {many} settings (x {}), the time over `env true` grows x {growth:.1}",
            many / few
        );
    }
}
