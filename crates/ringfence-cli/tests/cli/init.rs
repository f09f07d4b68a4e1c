//! `ringfence init`: a manifest that says what is there, so that nothing changes by having it.

use std::fs;

use crate::world::World;

fn files() -> Vec<(&'static str, &'static str)> {
    vec![
        (".env", "NAME=\"Web Assistant\"\n"),
        (
            ".env.dev",
            "APP_ENV=dev\nDEBUG=true\nPORT=8000\nDB_URL=postgres://u:p@localhost/dev\nTIMEOUT=30s\nSTRIPE_KEY=\n",
        ),
        (
            ".env.test",
            "DEBUG=false\nPORT=0\nDB_URL=postgres://u:p@localhost/test\nTIMEOUT=1s\nSTRIPE_KEY=sk_test_1\nEXTRA.DOTTED=x\n",
        ),
        (
            ".env.production",
            "APP_ENV=production\nDEBUG=off\nPORT=443\nDB_URL=postgres://u:p@db/prod\nTIMEOUT=5s\nSTRIPE_KEY=sk_live_1\n",
        ),
    ]
}

#[test]
fn the_manifest_says_what_is_there() {
    let world = World::new(&files());
    let dry = world.ringfence(&["init", "--dry-run"]);
    assert_eq!(dry.code, Some(0));
    assert!(!world.path("ringfence.toml").exists());
    insta::assert_snapshot!(dry.stdout, @r#"
    version  = 1
    project  = "project"
    selector = "APP_ENV"
    default  = "dev"

    [environments]  # this order is the chain
    dev        = { tier = "development" }
    test       = { tier = "testing" }
    production = { tier = "production" }

    [settings]
    DB_URL         = { type = "url", secret = true }
    DEBUG          = { type = "bool" }
    "EXTRA.DOTTED" = { required = false }
    NAME           = {}
    PORT           = { type = "int" }
    STRIPE_KEY     = { secret = true, required = false }
    TIMEOUT        = { type = "duration" }
    "#);
    assert_eq!(world.ringfence(&["init"]).code, Some(0));
    assert_eq!(world.read("ringfence.toml"), dry.stdout);
}

#[test]
fn nothing_changes_by_having_it() {
    let world = World::new(&files());
    let blocks = |world: &World| {
        ["dev", "test", "prod"].map(|environment| world.block(&["run", environment]))
    };
    let before = blocks(&world);
    let untouched: Vec<_> = files().iter().map(|(path, _)| world.read(path)).collect();
    assert_eq!(world.ringfence(&["init"]).code, Some(0));
    assert_eq!(blocks(&world), before);
    assert_eq!(
        files()
            .iter()
            .map(|(path, _)| world.read(path))
            .collect::<Vec<_>>(),
        untouched
    );
}

#[test]
fn it_never_overwrites() {
    let world = World::new(&[("ringfence.toml", "version = 1\n"), (".env.dev", "A=1\n")]);
    let outcome = world.ringfence(&["init"]);
    assert_eq!(outcome.code, Some(78));
    assert!(outcome.stderr.contains("is there already"));
    assert_eq!(world.read("ringfence.toml"), "version = 1\n");
}

#[test]
fn one_file_stays_the_file_of_dev() {
    let world = World::new(&[(".env", "A=1\n"), (".env.local", "B=2\n")]);
    assert_eq!(world.ringfence(&["init"]).code, Some(0));
    assert!(
        world
            .read("ringfence.toml")
            .contains("dev = { tier = \"development\", files = [\".env\"] }")
    );
    assert_eq!(world.value(&["run"], "B").as_deref(), Some("2"));
}

#[test]
fn what_hijacks_stays_refused_until_someone_declares_it() {
    let world = World::new(&[(".env.dev", "NODE_OPTIONS=--inspect\nA=1\n")]);
    assert_eq!(world.ringfence(&["init"]).code, Some(0));
    assert!(world.read("ringfence.toml").contains("# NODE_OPTIONS = {}"));
    world.refuses(&["run", "dev"], &["hijacking-variable"]);
}

#[test]
fn a_folder_without_environments_is_no_project() {
    let world = World::new(&[]);
    assert_eq!(world.ringfence(&["init"]).code, Some(78));
    assert_eq!(
        fs::read_dir(world.project()).unwrap().count(),
        1,
        "only .git"
    );
}
