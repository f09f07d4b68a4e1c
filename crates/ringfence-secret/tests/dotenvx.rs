//! Values that the real `dotenvx` encrypted are opened, with the keys that it wrote, under the names that it gave them.
//!
//! `dotenvx` comes from npm (`@dotenvx/dotenvx`) into a folder of the build; where that cannot be had, the test says so and passes,
//! unless `RINGFENCE_TEST_REQUIRES` names `dotenvx`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ringfence_secret::dotenvx::{self, PrivateKey};

const VERSION: &str = "2.38.2";

/// Every network and every store of keys of its own stays out.
const ALONE: [&str; 4] = [
    "--no-armor",
    "--no-native",
    "--no-1password",
    "--no-bitwarden",
];

const FILES: [&str; 6] = [
    ".env",
    ".env.production",
    ".env.test.local",
    ".env.eu-west",
    ".env.a.b.c",
    "prod.env",
];

const VALUES: [(&str, &str); 6] = [
    ("WORD", "hello"),
    ("EMPTY", ""),
    ("LINES", "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"),
    ("SIGNS", "a=b#c $d 'e'"),
    ("UNICODE", "ü \u{1F511}"),
    (
        "LONG",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
];

fn dotenvx() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dotenvx-{VERSION}"));
    let program = folder.join("node_modules/.bin/dotenvx");
    let package = format!("@dotenvx/dotenvx@{VERSION}");
    let install = || {
        let output = Command::new("npm")
            .args([
                "install",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
            ])
            .arg(&folder)
            .arg(&package)
            .output();
        output.is_ok_and(|output| output.status.success())
    };
    if program.exists() || install() {
        return Some(program);
    }
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    assert!(
        !required.split(',').any(|name| name.trim() == "dotenvx"),
        "dotenvx is required and cannot be installed"
    );
    eprintln!("skipped: dotenvx cannot be installed here");
    None
}

/// The names and values of a file that dotenvx wrote.
fn rows(path: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
        .collect()
}

#[test]
fn values_of_dotenvx_are_opened() {
    let Some(dotenvx) = dotenvx() else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let lines = VALUES.map(|(name, value)| format!("{name}=\"{value}\"\n"));
    let mut command = Command::new(&dotenvx);
    command.arg("encrypt").args(ALONE);
    for file in FILES {
        fs::write(scratch.path().join(file), lines.concat()).unwrap();
        command.args(["-f", file]);
    }
    let run = command
        .current_dir(scratch.path())
        .env("HOME", scratch.path())
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let keys = rows(&scratch.path().join(".env.keys"));
    for file in FILES {
        let rows = rows(&scratch.path().join(file));
        let variable = dotenvx::key_variable(file);
        let said = dotenvx::key_variable_in(rows.keys().map(String::as_str));
        assert_eq!(said.as_deref(), Some(variable.as_str()));
        let key = PrivateKey::parse(keys.get(&variable).unwrap())
            .ok()
            .unwrap();
        let key = std::slice::from_ref(&key);
        for (name, value) in VALUES {
            let encrypted = rows.get(name).unwrap();
            assert!(dotenvx::is_encrypted(encrypted));
            let opened = dotenvx::open(encrypted, key);
            assert_eq!(opened.ok().unwrap().expose(), value, "{file} {name}");
        }
    }
}
