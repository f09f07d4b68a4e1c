//! `ringfence explain` and `ringfence diff`: across environments, without values of secrets.

use serde_json::Value;

use crate::world::World;

fn world() -> World {
    let manifest = "version = 1\n[environments]\ndev = {}\nprod = {}\n[settings]\nLEVEL = { type = \"enum\", values = [\"debug\", \"warn\"], default = \"debug\" }\nKEY = { secret = true }\n";
    World::new(&[
        ("ringfence.toml", manifest),
        (".env", "LEVEL=debug\n"),
        (".env.dev", "KEY=same-thing\nONLY=1\nFILL=changeme\n"),
        (".env.prod", "LEVEL=warn\nKEY=same-thing\nFILL=done\n"),
    ])
}

#[test]
fn explain_lists_every_source_in_every_environment() {
    let outcome = world()
        .var("LEVEL", "trace")
        .ringfence(&["explain", "LEVEL"]);
    insta::assert_snapshot!(outcome.stdout, @r"
    dev (development)  debug
      wins      .env:1  (shared file)
      shadowed  ringfence.toml:6  (default)
    prod (production)  warn
      wins      .env.prod:1  (environment file)
      shadowed  .env:1  (shared file)
      shadowed  ringfence.toml:6  (default)
    the shell holds a variable of this name; it takes no part
    ");
    let secret = world().ringfence(&["explain", "KEY"]);
    assert!(secret.stdout.contains("••••••") && !secret.stdout.contains("same-thing"));
    let data: Value =
        serde_json::from_str(&world().ringfence(&["explain", "LEVEL", "--json"]).stdout).unwrap();
    assert_eq!(
        (&data["type"], &data["shell_ignored"]),
        (&"enum".into(), &false.into())
    );
    assert_eq!(data["environments"][1]["value"], "warn");
    assert_eq!(data["environments"][1]["sources"][0]["file"], ".env.prod");
    assert_eq!(
        data["environments"][1]["sources"].as_array().unwrap().len(),
        3
    );
}

#[test]
fn explain_says_what_is_wrong_with_a_setting() {
    let world = World::new(&[
        (
            "ringfence.toml",
            "version = 1\n[settings]\nPORT = { type = \"port\" }\n",
        ),
        (".env.dev", "PORT=x\n"),
        (".env.prod", "A=1\n"),
    ]);
    let outcome = world.ringfence(&["explain", "PORT"]);
    assert!(
        outcome.stdout.contains("type-mismatch") && outcome.stdout.contains("missing-setting"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn explain_suggests() {
    let outcome = world().ringfence(&["explain", "LEVLE"]);
    assert_eq!(outcome.code, Some(78));
    assert!(
        outcome.stderr.contains("did you mean `LEVEL`?"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn diff_compares_without_a_value() {
    let outcome = world().ringfence(&["diff", "dev", "production"]);
    assert_eq!(outcome.code, Some(0));
    insta::assert_snapshot!(outcome.stdout, @r"
                        dev         prod
    placeholder  FILL   .env.dev:3  .env.prod:3
    same         KEY    .env.dev:1  .env.prod:2
    differs      LEVEL  .env:1      .env.prod:1
    missing      ONLY   .env.dev:2  not set
    ");
    let data: Value =
        serde_json::from_str(&world().ringfence(&["diff", "dev", "prod", "--json"]).stdout)
            .unwrap();
    assert_eq!(data["settings"][1]["comparison"], "same");
    assert_eq!(data["settings"][1]["secret"], true);
    assert_eq!(data["settings"][3]["origins"][1], Value::Null);
    assert_eq!(world().ringfence(&["diff", "dev", "prodd"]).code, Some(78));
}
