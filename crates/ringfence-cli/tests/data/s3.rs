//! Buckets say whose they are, by requests that are signed. Against `moto`, which checks signatures and rights, with boto3 as the other client.

use crate::markers::mark;
use crate::servers::S3;
use crate::vectors::{patiently, refused};
use crate::world::World;

const MANIFEST: &str = "\
version = 1
project = \"shop\"
[environments]
dev = {}
test = {}
prod = {}
[resources.assets]
kind = \"s3\"
setting = \"ASSETS\"
";

fn shop(address: &str, environments: &[(&str, String)]) -> World {
    let world = World::new(&[("ringfence.toml", MANIFEST)]);
    for (environment, settings) in environments {
        world.write(
            &format!(".env.{environment}"),
            format!("ASSETS={address}\n{settings}"),
        );
    }
    world
}

#[test]
fn a_bucket_says_whose_it_is() {
    let Some(server) = S3::shared() else { return };
    let address = "\"s3://assets/Daten ä+1/x\"";
    let (reads, writes) = (server.settings("reads"), server.settings("writes"));
    let world = shop(address, &[("dev", reads.clone()), ("prod", reads)]);
    let (outcome, started) = patiently(&world, "dev");
    assert!(
        started && outcome.stderr.contains("unmarked"),
        "{outcome:?}"
    );
    // Looking only reads; and this key can do no more.
    let asked = server.requests();
    let of_object = |line: &&String| line.contains("/assets/");
    let mut own = asked
        .iter()
        .skip_while(|line| !line.contains("reset-auth"))
        .filter(of_object);
    assert!(
        own.all(|line| line.starts_with("GET /assets/Daten")),
        "{asked:?}"
    );
    let outcome = world.ringfence(&["mark", "prod", "--yes", "prod"]);
    assert_eq!(outcome.code, Some(70), "{outcome:?}");
    assert!(
        outcome.stderr.contains("403") && outcome.stderr.contains("`s3:PutObject` to mark it"),
        "{outcome:?}"
    );
    world.write(".env.prod", format!("ASSETS={address}\n{writes}"));
    mark(&world, "prod");
    refused(
        &world,
        "dev",
        &["[marker-of-another]", "`assets` belongs to `prod`"],
    );
    let said = world.ringfence(&["mark", "prod", "--look"]).stdout;
    assert!(
        said.contains("marked prod") && !said.contains("address"),
        "{said}"
    );
    // Another client sees the same object, and may take it along.
    let name = "Daten ä+1/x/ringfence-marker.json";
    let text = server.boto3("get", "assets", &[name]);
    let marker: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&marker["environment"], &marker["tier"]),
        (&"prod".into(), &"production".into())
    );
    server.boto3("copy", "assets", &[name, "copies"]);
    let copied = address.replace("assets", "copies");
    world.write(".env.test", format!("ASSETS={copied}\n{writes}"));
    refused(&world, "test", &["`assets` belongs to `prod`"]);
    world.write(".env.prod", format!("ASSETS={copied}\n{writes}"));
    let said = world.ringfence(&["mark", "prod", "--look"]).stdout;
    assert!(said.contains("marked prod, at another address"), "{said}");
}

/// What `mark dev --look` says by these settings; no secret of the server's is in it.
#[track_caller]
fn look(world: &World, server: &S3, settings: &str) -> (Option<i32>, String) {
    world.write(".env.dev", format!("ASSETS=notes\n{settings}"));
    let outcome = world.ringfence(&["mark", "dev", "--look"]);
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    for whose in ["reads", "writes", "neither", "lent"] {
        for secret in [server.key(whose, 1), server.key(whose, 2)] {
            assert!(secret.is_empty() || !said.contains(&secret), "{said}");
        }
    }
    (outcome.code, said)
}

#[test]
fn a_bucket_is_asked_by_the_key_that_the_settings_name() {
    let Some(server) = S3::shared() else { return };
    let world = shop("notes", &[("dev", server.settings("lent"))]);
    mark(&world, "dev");
    let look = |settings: &str| look(&world, server, settings);
    let check = |settings: &str, code: i32, expected: &str| {
        let (found, said) = look(settings);
        assert!(
            found == Some(code) && said.contains(expected),
            "{expected}: {said}"
        );
    };
    let reads = server.settings("reads");
    check(&server.settings("lent"), 0, "marked dev");
    check(&reads, 0, "marked dev");
    // The spelling of Django's storages.
    check(
        &reads
            .replace("AWS_", "AWS_S3_")
            .replace("S3_REGION", "S3_REGION_NAME"),
        0,
        "marked dev",
    );

    let without_token = server.settings("lent");
    let without_token = without_token.split("AWS_SESSION_TOKEN").next().unwrap();
    check(&server.settings("neither"), 70, "403");
    check(without_token, 70, "403");
    let wrong = reads.replace(&server.key("reads", 1), "wrong-secret-of-the-test");
    check(&wrong, 70, "SignatureDoesNotMatch");
    assert!(!look(&wrong).1.contains("wrong-secret-of-the-test"));
    let nobody: String = reads
        .lines()
        .filter(|line| !line.contains("SECRET"))
        .map(|line| format!("{line}\n"))
        .collect();
    check(
        &nobody,
        70,
        "no setting `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY`",
    );
    world.write(
        ".env.dev",
        format!("ASSETS=s3://missing/x\n{}", server.settings("writes")),
    );
    let outcome = world.ringfence(&["mark", "dev", "--look"]);
    assert!(
        outcome.code == Some(70) && outcome.stderr.contains("NoSuchBucket"),
        "{outcome:?}"
    );
}

/// A key of the resource's own that only reads, and one of its owner's.
#[test]
fn two_roles_have_two_keys() {
    let Some(server) = S3::shared() else { return };
    let key = |whose| format!("{}:{}", server.key(whose, 0), server.key(whose, 1));
    let settings = format!(
        "AWS_ENDPOINT_URL={}\nAWS_ACCESS_KEY_ID=x\nAWS_SECRET_ACCESS_KEY=y\nOWN={}\nOWNER={}\n",
        server.url(),
        key("reads"),
        key("writes")
    );
    let world = shop("s3://notes/roles", &[("dev", settings)]);
    world.write("ringfence.toml", format!("{MANIFEST}key = \"OWN\"\n"));
    let outcome = world.ringfence(&["mark", "dev", "--yes", "dev"]);
    assert!(
        outcome.code == Some(70) && outcome.stderr.contains("403"),
        "{outcome:?}"
    );
    let manifest = format!("{MANIFEST}key = \"OWN\"\nowner = \"OWNER\"\n");
    world.write("ringfence.toml", manifest);
    mark(&world, "dev");
    let (outcome, started) = patiently(&world, "dev");
    assert!(started && outcome.stderr.is_empty(), "{outcome:?}");
}

#[test]
fn a_bucket_without_keys_says_what_it_takes() {
    let world = shop("s3://assets", &[("prod", String::new())]);
    let outcome = world.ringfence(&["run", "prod", "--", "true"]);
    assert_eq!(outcome.code, Some(78), "{outcome:?}");
    for said in [
        "its requests cannot be signed",
        "give the environment `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or the resource a `key`",
        "`marked = { in.prod = false }`",
    ] {
        assert!(outcome.stderr.contains(said), "{said}: {outcome:?}");
    }
    world.write(
        "ringfence.toml",
        format!("{MANIFEST}marked = {{ in.prod = false }}\n"),
    );
    let outcome = world.ringfence(&["run", "prod", "--", "true"]);
    assert!(
        !outcome.stderr.contains("not asked whose it is"),
        "{outcome:?}"
    );
}
