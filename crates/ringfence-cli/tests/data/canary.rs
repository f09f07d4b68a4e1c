//! No password and no row in any output, whatever goes wrong with an address or a store.

use crate::markers::project;
use crate::samples::{ROWS, SCHEMA, shop};
use crate::servers::{Cluster, has};
use crate::world::World;

const CANARY: &str = "cAnArY7x9Q2";

const COMMANDS: &[&[&str]] = &[
    &["run", "dev", "--no-barrier", "--", "true"],
    &["run", "prod", "--", "true"],
    &["mark", "dev", "--yes", "dev"],
    &["mark", "dev", "--look", "--json"],
    &["mark", "prod", "--yes", "prod"],
    &["scrub", "dev", "--yes", "dev"],
    &["reset", "dev", "--yes", "dev"],
    &["doctor", "dev"],
    &["doctor", "dev", "--json"],
    &[
        "sample",
        "plan",
        "dev",
        "--from",
        "prod",
        "--resource",
        "db",
    ],
    &[
        "sample",
        "create",
        "dev",
        "--from",
        "prod",
        "--resource",
        "db",
        "--out",
        "x",
    ],
    &[
        "sample",
        "dev",
        "--from",
        "prod",
        "--resource",
        "db",
        "--replace",
        "--yes",
        "dev",
    ],
    &[
        "sample",
        "greenmask",
        "dev",
        "--from",
        "prod",
        "--resource",
        "db",
    ],
];

#[track_caller]
fn shows_nothing(world: &World, about: &str) {
    for command in COMMANDS {
        let outcome = world.ringfence(command);
        for text in [&outcome.stdout, &outcome.stderr] {
            assert!(
                !text.contains(CANARY),
                "{about}: {command:?} shows it:\n{text}"
            );
        }
        assert_ne!(outcome.code, Some(101), "{about}: {command:?}: {outcome:?}");
        assert!(
            !outcome.stderr.contains("a fault of Ringfence's own"),
            "{about}: {command:?}: {outcome:?}"
        );
    }
}

#[test]
fn no_output_holds_a_password_or_a_key() {
    let addresses = [
        ("postgres", "postgres://app:CANARY@127.0.0.1:1/app"),
        ("postgres", "postgres://app:CANARY/x@127.0.0.1:1/app"),
        ("postgres", "postgres://app:CANARY@x@127.0.0.1:port/app"),
        (
            "postgres",
            "postgres://app@127.0.0.1:1/app?password=CANARY&sslmode=CANARY",
        ),
        (
            "postgres",
            "postgres://app@127.0.0.1:1/app?sslmode=verify-full&sslrootcert=/CANARY",
        ),
        ("postgres", "CANARY"),
        ("redis", "redis://:CANARY@127.0.0.1:1/0"),
        ("redis", "redis://x:CANARY@127.0.0.1:CANARY/CANARY"),
        ("redis", "rediss://:CANARY#@127.0.0.1:1"),
        ("qdrant", "http://u:CANARY@127.0.0.1:1/"),
        ("qdrant", "CANARY"),
        ("http", "https://u:CANARY@127.0.0.1:1/x?token=CANARY"),
        ("s3", "s3://u:CANARY@bucket/x"),
        ("s3", "s3://bucket/x?secret=CANARY"),
    ];
    for (kind, address) in addresses {
        let address = address.replace("CANARY", CANARY);
        let world = project(kind, &[("dev", &address), ("prod", &address)]);
        let manifest = world
            .read("ringfence.toml")
            .replace("dev = {}", "dev = { disposable = true }");
        world.write(
            "ringfence.toml",
            format!("{manifest}key = \"KEY\"\nmarked = true\n"),
        );
        for environment in ["dev", "prod"] {
            world.write(
                &format!(".env.{environment}"),
                format!("DB_URL={address}\nKEY={CANARY}\nAWS_ENDPOINT_URL=http://u:{CANARY}@127.0.0.1:1\nAWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY={CANARY}\nAWS_SESSION_TOKEN={CANARY}\n"),
            );
        }
        shows_nothing(&world, &address);
    }
}

/// What a server says of a row that breaks a constraint, or of a value that does not fit, quotes the row.
#[test]
fn no_output_holds_a_row() {
    if !has("postgres") {
        return;
    }
    let cluster = Cluster::shared();
    let (prod, dev) = (cluster.database("rows_prod"), cluster.database("rows_dev"));
    let rows = ROWS.replace(":scale", "5").replace("canary", CANARY);
    cluster.sql("rows_prod", &format!("{SCHEMA}{rows}"));
    let changes = [
        "ALTER TABLE orgs ADD CHECK (name = 'x')",
        "ALTER TABLE orgs DROP CONSTRAINT orgs_name_check; ALTER TABLE orgs ALTER name TYPE varchar(3)",
        "ALTER TABLE orgs ALTER name TYPE int USING 1",
        "ALTER TABLE orgs ALTER name TYPE text; ALTER TABLE users ADD UNIQUE (org_id, active)",
        "ALTER TABLE users DROP COLUMN name",
    ];
    cluster.sql("rows_dev", SCHEMA);
    let world = shop(&prod, &dev);
    let manifest = world.read("ringfence.toml");
    let manifest = manifest.replace("name = \"template:org {n}\"", "name = \"keep\"");
    world.write(
        "ringfence.toml",
        manifest.replace("email = \"email\"", "email = \"keep\""),
    );
    crate::markers::mark(&world, "dev");
    for change in changes {
        cluster.sql("rows_dev", change);
        for words in [
            &[
                "sample",
                "dev",
                "--fraction",
                "1",
                "--replace",
                "--yes",
                "dev",
            ][..],
            &["sample", "plan", "dev"],
        ] {
            let outcome = world.ringfence(words);
            assert_eq!(
                outcome.code == Some(0),
                words.contains(&"plan"),
                "{change}: {outcome:?}"
            );
            assert!(
                !outcome.stderr.contains(CANARY) && !outcome.stdout.contains(CANARY),
                "{change}: {outcome:?}"
            );
        }
    }
}
