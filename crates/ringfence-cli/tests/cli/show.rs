//! `ringfence show` and `ringfence doctor`.

use serde_json::Value;

use crate::world::World;

fn json(world: &World, arguments: &[&str]) -> Value {
    let outcome = world.ringfence(arguments);
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}

fn layered() -> World {
    let manifest = "version = 1\n[environments]\ndev = {}\nprod = {}\n[settings]\nA = { default = \"a\" }\nPORT = { type = \"port\", default = 80, in.dev = 8000 }\nTOKEN = { secret = true }\n";
    World::new(&[
        ("ringfence.toml", manifest),
        (".env", "A=shared\n"),
        (
            ".env.dev",
            "\nTOKEN=plain-words\nURL=http://api.example/v1\nDB=postgres://u:p@db.example/app\n",
        ),
        (".env.prod", "PORT=none\n"),
    ])
}

#[test]
fn people_see_value_place_and_layer_and_a_mask_for_secrets() {
    let outcome = layered().ringfence(&["show", "dev"]);
    assert_eq!(outcome.code, Some(0));
    insta::assert_snapshot!(outcome.stdout, @r"
    A      shared                 .env:1 (shared file, over ringfence.toml:6)
    DB     ••••••                 .env.dev:4 (environment file)
    PORT   8000                   ringfence.toml:7 (in environment, over ringfence.toml:7)
    TOKEN  ••••••                 .env.dev:2 (environment file)
    URL    http://api.example/v1  .env.dev:3 (environment file)
    ");
    assert_eq!(outcome.stderr, "dev (development), 5 settings\n");
}

#[test]
fn machines_see_the_same() {
    let data = json(&layered(), &["show", "dev", "--json"]);
    assert_eq!(data["environment"], "dev");
    assert_eq!(data["selected_by"], "argument");
    let settings = data["settings"].as_array().unwrap();
    assert_eq!(settings[0]["value"], "shared");
    assert_eq!(settings[0]["shadowed"][0]["file"], "ringfence.toml");
    assert_eq!(settings[1]["value"], Value::Null);
    assert_eq!(
        (&settings[1]["endpoint"], &settings[1]["secret"]),
        (&"db.example:5432".into(), &true.into())
    );
    assert_eq!(
        (
            &settings[1]["file"],
            &settings[1]["line"],
            &settings[1]["column"]
        ),
        (&".env.dev".into(), &4.into(), &4.into())
    );
    assert_eq!(settings[3]["secret"], true);
}

#[test]
fn what_is_wrong_is_said_beside_what_is_there() {
    let outcome = layered().ringfence(&["show", "prod"]);
    assert_eq!(outcome.code, Some(78));
    assert!(outcome.stdout.contains("PORT  none"));
    assert!(outcome.stderr.contains("type-mismatch") && outcome.stderr.contains("missing-setting"));
    let data = json(&layered(), &["show", "prod", "--json"]);
    let codes: Vec<_> = data["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["type-mismatch", "missing-setting"]);
    assert_eq!(data["diagnostics"][0]["places"][0]["line"], 1);
}

#[test]
fn colour_is_for_terminals_and_wishes() {
    let world = layered();
    assert!(!world.ringfence(&["show", "dev"]).stdout.contains('\x1b'));
    assert!(
        world
            .ringfence(&["--color", "always", "show", "dev"])
            .stdout
            .contains('\x1b')
    );
    let world = layered().var("CLICOLOR_FORCE", "1");
    assert!(world.ringfence(&["show", "dev"]).stdout.contains('\x1b'));
    let world = world.var("NO_COLOR", "1");
    assert!(!world.ringfence(&["show", "dev"]).stdout.contains('\x1b'));
}

#[test]
fn the_doctor_says_that_what_comes_in_is_limited() {
    let manifest = "version = 1\n[environments]\ndev = {}\nprod = {}\n[gateway]\ningress = { in.prod = \"60 requests/min\" }\n";
    let world = World::new(&[
        ("ringfence.toml", manifest),
        (".env.dev", "A=1\n"),
        (".env.prod", "A=2\n"),
    ]);
    let page = world.ringfence(&["doctor"]).stdout;
    let gateways: Vec<_> = page.matches(", with a gateway for what comes in").collect();
    assert_eq!(gateways.len(), 1, "{page}");
    let data = json(&world, &["doctor", "--json"]);
    assert_eq!(data["environments"][1]["ingress"], "60 requests/min");
    assert_eq!(data["environments"][0]["ingress"], Value::Null);
}

#[test]
fn the_doctor_says_what_was_found_and_what_was_not_read() {
    let world = World::new(&[
        (".env", "A=1\n"),
        (".env.dev", "B=1\n"),
        (".env.prod", "APP_ENV=dev\n"),
        (".env.docker", "C=1\n"),
        (".env.example", "A=\n"),
        (".env.local", "A=2\n"),
    ]);
    let data = json(&world, &["doctor", "--json"]);
    // What the machine allows; the acceptance tests of the barrier say when that must be all of it.
    let levels = ["full", "no-pidns", "network-only", "config-only"];
    assert!(
        levels.iter().any(|level| data["barrier"] == *level),
        "{data}"
    );
    assert_eq!(data["shared"], ".env");
    assert_eq!(data["environments"][0]["files"][0], ".env.dev");
    assert_eq!(
        (
            &data["environments"][0]["ready"],
            &data["environments"][1]["ready"]
        ),
        (&true.into(), &false.into())
    );
    let unread: Vec<_> = data["unread"]
        .as_array()
        .unwrap()
        .iter()
        .map(|unread| unread["file"].as_str().unwrap())
        .collect();
    assert_eq!(unread, [".env.docker", ".env.example", ".env.local"]);
    let page = world.ringfence(&["doctor"]).stdout;
    assert!(
        page.contains(
            "prod (production) from .env.prod: 2 settings, refused: see `ringfence show prod`"
        ),
        "{page}"
    );
    assert!(
        page.contains("not read   .env.docker: names no environment"),
        "{page}"
    );
}

#[test]
fn completions_and_manual_are_made_from_the_help() {
    let world = World::new(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            world
                .ringfence(&["completions", shell])
                .stdout
                .contains("ringfence"),
            "{shell}"
        );
    }
    assert!(world.ringfence(&["man"]).stdout.contains(".TH ringfence"));
    assert_eq!(world.ringfence(&["man", "--out", "man"]).code, Some(0));
    assert!(
        world
            .read("man/ringfence-run.1")
            .contains("Start a command inside an environment")
    );
}

#[test]
fn a_machine_that_asked_for_json_gets_refusals_as_json() {
    let world = layered();
    for arguments in [
        &["show", "nowhere", "--json"][..],
        &["diff", "dev", "nowhere", "--json"],
        &["explain", "NOTHING", "--json"],
    ] {
        let outcome = world.ringfence(arguments);
        assert_eq!(
            (outcome.code, outcome.stderr.as_str()),
            (Some(78), ""),
            "{arguments:?}"
        );
        assert!(json(&world, arguments)["diagnostics"][0]["code"].is_string());
    }
}
