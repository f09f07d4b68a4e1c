//! The accidents that this much of Ringfence must prevent, re-enacted. Nothing is started, the exit code is 78, and the
//! message names the file, the line and the way out.

use crate::world::World;

/// A1: an old terminal still held `DATABASE_URL` of production, and the tests truncated it.
#[test]
fn a1_the_shells_database_url_does_not_reach_the_tests() {
    let world = World::new(&[(".env.test", "DATABASE_URL=postgres://localhost/app_test\n")])
        .var("DATABASE_URL", "postgres://admin:hunter2@prod.example/app");
    assert_eq!(
        world.value(&["run", "test"], "DATABASE_URL").as_deref(),
        Some("postgres://localhost/app_test")
    );
    let (outcome, started) = world.try_start(&["run", "test"]);
    assert!(started);
    assert!(
        outcome
            .stderr
            .contains("the shell's DATABASE_URL is ignored"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains("hunter2") && !outcome.stderr.contains("prod.example"));
    assert!(
        !world
            .block(&["run", "test"])
            .iter()
            .any(|line| line.contains("prod.example"))
    );
}

/// A1, where the file does not even have the setting: the shell's value is no substitute.
#[test]
fn a1_the_shell_does_not_fill_a_gap() {
    let manifest =
        "version = 1\n[environments]\ntest = {}\n[settings]\nDATABASE_URL = { type = \"url\" }\n";
    let world = World::new(&[("ringfence.toml", manifest), (".env.test", "OTHER=1\n")])
        .var("DATABASE_URL", "postgres://admin:hunter2@prod.example/app");
    let outcome = world.refuses(
        &["run", "test"],
        &[
            "missing-setting",
            "`DATABASE_URL` has no value in `test`",
            "ringfence.toml:5:1",
            "add `DATABASE_URL=…` to `.env.test`",
        ],
    );
    assert!(!outcome.stderr.contains("hunter2"));
    let world = World::new(&[(".env.test", "URL=${DATABASE_URL}\n")])
        .var("DATABASE_URL", "postgres://prod.example/app");
    world.refuses(
        &["run", "test"],
        &["unknown-reference", ".env.test:1:5", "`DATABASE_URL`"],
    );
}

/// A2: an unset environment meant production.
#[test]
fn a2_production_is_never_a_default() {
    let only_production = World::new(&[(".env.prod", "A=1\n")]);
    only_production.refuses(
        &["run"],
        &["no-environment-selected", "name one: prod", "APP_ENV"],
    );
    let without_development = World::new(&[(".env.staging", "A=1\n"), (".env.prod", "A=1\n")]);
    without_development.refuses(&["run"], &["no-environment-selected", "staging, prod"]);
    let declared = World::new(&[
        (
            "ringfence.toml",
            "version = 1\ndefault = \"prod\"\n[environments]\ndev = {}\nprod = {}\n",
        ),
        (".env.dev", "A=1\n"),
        (".env.prod", "A=1\n"),
    ]);
    declared.refuses(
        &["run"],
        &[
            "production-is-the-default",
            "ringfence.toml:2:11",
            "remove `default`",
        ],
    );
    declared.refuses(&["run", "dev"], &["production-is-the-default"]);
    let with_development = World::new(&[(".env.dev", "A=dev\n"), (".env.prod", "A=prod\n")]);
    assert_eq!(
        with_development.value(&["run"], "A").as_deref(),
        Some("dev")
    );
    assert_eq!(
        with_development
            .var("APP_ENV", "")
            .value(&["run"], "A")
            .as_deref(),
        Some("dev")
    );
}

/// A13: `.env.testing` was missing, `.env` was used instead, and the wrong database was wiped.
#[test]
fn a13_a_missing_file_has_no_substitute() {
    let one_file = World::new(&[(".env", "DB=main\n")]);
    one_file.refuses(
        &["run", "testing"],
        &[
            "missing-environment-file",
            "`.env.testing` is missing",
            "`.env` is never used in its place",
            "create `.env.testing`",
        ],
    );
    let several =
        World::new(&[(".env", "DB=main\n"), (".env.dev", "DB=dev\n")]).var("APP_ENV", "testing");
    several.refuses(
        &["run"],
        &[
            "`APP_ENV=testing`",
            "`.env.testing` is missing",
            "known environments: dev",
        ],
    );
    let declared = World::new(&[
        (
            "ringfence.toml",
            "version = 1\n[environments]\ndev = {}\ntesting = {}\n",
        ),
        (".env", "DB=main\n"),
        (".env.dev", "DB=dev\n"),
    ]);
    declared.refuses(
        &["run", "test"],
        &[
            "missing-environment-file",
            "ringfence.toml:4:1",
            "create `.env.testing`",
        ],
    );
    let listed = World::new(&[
        (
            "ringfence.toml",
            "version = 1\n[environments]\nprod = { files = [\"deploy/prod.env\"] }\n",
        ),
        (".env.prod", "DB=prod\n"),
    ]);
    listed.refuses(
        &["run", "prod"],
        &[
            "`deploy/prod.env` of environment `prod` is missing",
            "ringfence.toml:3:19",
        ],
    );
}

/// A14: the file chosen for production set `APP_ENV=development`.
#[test]
fn a14_a_file_cannot_name_another_environment() {
    let world = World::new(&[
        (".env.dev", "DEBUG=true\n"),
        (
            ".env.production",
            "# copied\nAPP_ENV=development\nDEBUG=true\n",
        ),
    ]);
    world.refuses(
        &["run", "production"],
        &[
            "selector-overwritten-by-file",
            ".env.production:2:9",
            "`APP_ENV` names `dev`, but `production` is to be started",
            "remove the line, or set `APP_ENV=production`",
        ],
    );
    let alone = World::new(&[(".env.production", "APP_ENV=development\n")]);
    alone.refuses(
        &["run", "production"],
        &[
            "selector-overwritten-by-file",
            "`APP_ENV` names no environment of this project",
        ],
    );
    let shared = World::new(&[
        (".env", "ENVIRONMENT=dev\n"),
        (".env.dev", ""),
        (".env.prod", "A=1\n"),
    ]);
    shared.refuses(
        &["run", "prod"],
        &["selector-overwritten-by-file", ".env:1:13"],
    );
}
