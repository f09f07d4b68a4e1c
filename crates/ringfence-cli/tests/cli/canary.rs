//! No value of a secret appears in any output of any command, whatever goes wrong.

use crate::world::{Outcome, World};

/// Stands in every secret; no output may hold it.
const CANARY: &str = "cAnArY7x9Q2";

/// Projects in which everything that can go wrong with a file does, each with the canary in all its values.
fn projects() -> Vec<Vec<(&'static str, String)>> {
    let fill = |text: &str| text.replace("CANARY", CANARY);
    let good = fill(
        "API_KEY=CANARY\nDB_URL=postgres://app:CANARY@db.example:5432/app\nPLAIN=CANARY\nJOINED=x${API_KEY}y\nQUOTED=\"a\\nCANARY\"\nMULTI='l1\nCANARY\nl3'\nHOOK=https://hooks.example/T0/CANARY\n# CANARY\nNOTED=1 # CANARY\n",
    );
    let manifest = fill(
        "version = 1\n[environments]\ndev = {}\ntest = {}\nprod = {}\n[settings]\nAPI_KEY = { secret = true, type = \"int\", distinct = true }\nWORD = { secret = true, type = \"enum\", values = [\"a\"], default = \"CANARY\" }\nAGE = { secret = true, type = \"duration\", in.dev = \"CANARY\", required = false }\nLINK = { secret = true, default = \"${MISSING}CANARY\" }\n",
    );
    let broken = |line: &str| fill(&format!("API_KEY=CANARY\n{line}\nB=CANARY\n"));
    let mut projects = vec![
        vec![
            (".env.dev", good.clone()),
            (".env.test", good.clone()),
            (".env.prod", good.clone()),
        ],
        vec![
            ("ringfence.toml", manifest),
            (".env.dev", good.clone()),
            (".env.test", good.clone()),
            (".env.prod", good.clone()),
        ],
        vec![
            (
                "ringfence.toml",
                fill("version = 1\n[settings]\nA = { default = \"CANARY }\n"),
            ),
            (".env.dev", good.clone()),
        ],
        vec![
            (
                "ringfence.toml",
                fill(
                    "version = 1\n[settings]\nA = { defualt = \"CANARY\" }\nB = { default = { x = \"CANARY\" } }\n",
                ),
            ),
            (".env.dev", good.clone()),
        ],
        vec![
            (".env.dev", good.clone()),
            (".env.dev.local", good.clone()),
            (".env", good),
        ],
    ];
    for line in BROKEN_LINES {
        projects.push(vec![
            (".env.dev", broken(line)),
            (".env.prod", broken("C=1")),
        ]);
    }
    projects
}

/// Lines of an `.env` file that go wrong, each in its own way.
const BROKEN_LINES: &[&str] = &[
    "CANARY",
    "CANARY CANARY",
    "=CANARY",
    "A=\"CANARY",
    "A='CANARY' CANARY",
    "A=`CANARY`",
    "A=${CANARY",
    "A=${B-CANARY}",
    "A=${MISSING:-{CANARY}}",
    "A=${MISSING}CANARY",
    "API_KEY=other-CANARY",
    "A=CANARY\u{a0}",
    "A=CANARY\rB",
    "APP_ENV=CANARY",
    "ENVIRONMENT=prod,CANARY",
    "LD_PRELOAD=CANARY",
    "RINGFENCE_X=CANARY",
    "A=${A}CANARY",
    "A=x$API_KEY",
    "1A=CANARY",
    "A=CANARY\0",
];

const COMMANDS: &[&[&str]] = &[
    &["show", "dev"],
    &["show", "dev", "--json"],
    &["show", "prod"],
    &["--color", "always", "show", "prod"],
    &["explain", "API_KEY"],
    &["explain", "API_KEY", "--json"],
    &["explain", "DB_URL"],
    &["explain", "JOINED", "--json"],
    &["explain", "MISSPELLED"],
    &["diff", "dev", "prod"],
    &["diff", "dev", "prod", "--json"],
    &["doctor"],
    &["doctor", "--json"],
    &["init", "--dry-run"],
    &["run", "dev", "--", "true"],
    &["run", "prod", "--", "true"],
    &["run", "dev", "--", "no-such-program"],
    &["run", "nowhere", "--", "true"],
    &["run", "dev", "--set", "A=1", "--", "true"],
    &["gateway", "dev"],
    &["gateway", "nowhere"],
    &["gateway", "token", "dev"],
    &["gateway", "top", "dev"],
    &[
        "gateway",
        "top",
        "prod",
        "--at",
        "http://127.0.0.1:1",
        "--once",
        "--json",
    ],
    &["shell", "nowhere"],
    &["shell", "dev"],
    &["init"],
];

#[test]
fn no_command_shows_a_secret() {
    for files in projects() {
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (*path, text.as_str()))
            .collect();
        let world = World::new(&files)
            .var("API_KEY", &format!("shell-{CANARY}"))
            .var("SHELL", "/bin/sh");
        for command in COMMANDS {
            let outcome = world.ringfence(command);
            for text in [&outcome.stdout, &outcome.stderr] {
                assert!(
                    !text.contains(CANARY),
                    "{command:?} on {files:#?} shows a secret:\n{text}"
                );
            }
        }
    }
}

#[test]
fn no_banner_and_no_manifest_holds_a_secret() {
    for files in projects() {
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (*path, text.as_str()))
            .collect();
        let world = World::new(&files);
        for environment in ["dev", "prod"] {
            let command = format!(
                "{} run {environment} -- true",
                env!("CARGO_BIN_EXE_ringfence")
            );
            let mut terminal = world.any_command("script");
            terminal
                .args(["-qec", &command, "/dev/null"])
                .env("TERM", "xterm");
            let shown = Outcome::of(&terminal.output().unwrap()).stdout;
            assert!(!shown.contains(CANARY), "{files:#?}:\n{shown}");
        }
        if !world.path("ringfence.toml").exists() {
            world.ringfence(&["init"]);
            let manifest =
                std::fs::read_to_string(world.path("ringfence.toml")).unwrap_or_default();
            assert!(!manifest.contains(CANARY), "{manifest}");
        }
    }
}

#[test]
fn a_block_that_is_too_large_is_refused_without_a_value() {
    let world = World::new(&[(
        ".env.dev",
        &format!("BIG={CANARY}{}\n", "x".repeat(200_000)),
    )]);
    let outcome = world.ringfence(&["run", "dev", "--", "true"]);
    assert!(outcome.stderr.contains("block-too-large") && !outcome.stderr.contains(CANARY));
}

/// Neither the command line nor a core file of a running child has a secret of ours in it that the child did not get.
#[test]
fn no_secret_stands_on_a_command_line() {
    let world = World::new(&[(".env.dev", &format!("API_KEY={CANARY}\n"))]);
    let outcome = world.ringfence(&[
        "run",
        "dev",
        "--",
        "sh",
        "-c",
        "tr '\\0' ' ' </proc/$$/cmdline",
    ]);
    assert!(!outcome.stdout.contains(CANARY));
}
