//! `ringfence check` on sealed files that the built commands made, each broken in its own way.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::Value;

use crate::world::{Outcome, World};

/// What nobody may see, in no form.
const TOKEN: &str = "kR9vXw2mQpL8tZs4YdBf6NhJ";
const OTHER: &str = "Wq3Tn7GcVb5XzLm9RjKp2HsD";
const PASSWORD: &str = "wk3Rv8Lq2Zt9";
/// How MD5, SHA-1, SHA-256 and SHA-512 of the three begin.
const HASHES: &[&str] = &[
    "a3c4c44b153a",
    "92d2e44ee55e",
    "b4ecabe67c91",
    "544d43a5a422",
    "38fdd32c6028",
    "045d0b020f69",
    "80c39cf06906",
    "bd08d02d6af3",
    "e5be2b8fd21f",
    "c35e07bf40f4",
    "16b668b7e62f",
    "e98e657bd537",
];
const MANIFEST: &str = "version = 1\n[environments]\ndev = {}\nstaging = {}\nprod = {}\n";

/// A project of ana's with three environments that each have a sealed file of their own, and what it takes to open them; a visible
/// note where ssh-keygen is not here, which must be where `RINGFENCE_TEST_REQUIRES` names it.
fn project() -> Option<World> {
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    if !fs::exists("/usr/bin/ssh-keygen").unwrap() {
        assert!(
            !required.split(',').any(|word| word == "ssh-keygen"),
            "ssh-keygen must be installed here"
        );
        eprintln!("not run: ssh-keygen is not installed");
        return None;
    }
    let world = World::new(&[("ringfence.toml", MANIFEST), (".gitignore", "/tmp/\n")]);
    let public = ssh_key(&world, "id_ed25519");
    for (environment, token) in [
        ("dev", TOKEN),
        ("staging", OTHER),
        ("prod", "Zq8vB1nM4cX7lK2jH5gF0dSa"),
    ] {
        let mut grant = vec!["secret", "grant", environment, "ana", "--edit"];
        if environment == "dev" {
            grant.extend(["--key", &public]);
        }
        done(&world.ringfence(&grant));
        set(&world, environment, "API_TOKEN", token);
    }
    Some(world)
}

/// Makes an ssh key in the home folder, and gives its public half.
fn ssh_key(world: &World, name: &str) -> String {
    let folder = world.home().join(".ssh");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    let made = world
        .any_command("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let public = fs::read_to_string(path.with_extension("pub")).unwrap();
    public.trim().to_owned()
}

fn set(world: &World, environment: &str, name: &str, value: &str) {
    let mut command = world.command();
    let mut child = command
        .args(["secret", "set", environment, name])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(value.as_bytes()).unwrap();
    drop(input);
    done(&Outcome::of(&child.wait_with_output().unwrap()));
}

#[track_caller]
fn done(outcome: &Outcome) {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

/// The findings of `check`: id, severity, message, and the first place's file.
fn findings(world: &World) -> Vec<(String, String, String, String)> {
    let outcome = world.ringfence(&["check", "--json"]);
    let record: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = record["findings"].as_array().unwrap().iter();
    let row = |one: &Value| {
        let file = text(&one["places"][0]["file"]);
        (
            text(&one["check"]),
            text(&one["severity"]),
            text(&one["message"]),
            file,
        )
    };
    findings.map(row).collect()
}

/// Exactly one finding, with these parts.
#[track_caller]
fn finds(world: &World, (check, severity, file): (&str, &str, &str), words: &[&str]) {
    let found = findings(world);
    let [(id, how, message, place)] = found.as_slice() else {
        panic!("{check}: {found:#?}");
    };
    assert_eq!(
        (id.as_str(), how.as_str(), place.as_str()),
        (check, severity, file),
        "{message}"
    );
    for word in words {
        assert!(message.contains(word), "{word} is not in {message}");
    }
    shows_no_secret(world);
}

/// In no format does any value appear, or a plain hash of one.
#[track_caller]
fn shows_no_secret(world: &World) {
    let values = [TOKEN, OTHER, PASSWORD];
    for arguments in [
        &["check"][..],
        &["check", "-v"],
        &["check", "--json"],
        &["check", "--format", "sarif"],
        &["check", "--format", "github"],
    ] {
        let outcome = world.ringfence(arguments);
        for value in values.iter().chain(HASHES) {
            for said in [&outcome.stdout, &outcome.stderr] {
                assert!(
                    !said.to_lowercase().contains(&value.to_lowercase()),
                    "{arguments:?} shows {value}: {said}"
                );
            }
        }
    }
}

#[test]
fn what_is_sealed_as_it_should_be_is_clean_with_and_without_keys() {
    let Some(world) = project() else { return };
    assert_eq!(findings(&world), []);
    let verbose = world.ringfence(&["check", "-v"]).stdout;
    assert!(
        verbose.contains("right: no two environments share a secret"),
        "{verbose}"
    );
    assert!(!verbose.contains("closed:"), "{verbose}");
    assert!(
        !verbose.contains("share a database"),
        "nobody has looked: {verbose}"
    );
    fs::remove_dir_all(world.home().join(".ssh")).unwrap();
    assert_eq!(findings(&world), []);
    let verbose = world.ringfence(&["check", "-v"]).stdout;
    assert!(
        verbose.contains("closed: .env.prod.enc: no key at hand opens it"),
        "{verbose}"
    );
    assert!(!verbose.contains("share a secret"), "{verbose}");
}

#[test]
fn equal_secrets_are_found_sealed_and_plain_and_are_nobodys_guess_without_a_key() {
    let Some(world) = project() else { return };
    set(&world, "staging", "API_TOKEN", TOKEN);
    set(&world, "prod", "API_TOKEN", TOKEN);
    let place = ("shared-secret", "critical", ".env.prod.enc");
    finds(
        &world,
        place,
        &["`API_TOKEN` is the same in `prod` and `dev`"],
    );
    fs::rename(world.home().join(".ssh"), world.home().join("away")).unwrap();
    assert_eq!(findings(&world), []);
    let key = world.home().join(".local/state/ringfence/fingerprint.key");
    let mode = fs::metadata(key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else can try guesses");
}

#[test]
fn a_password_in_a_sealed_address_is_compared_with_one_in_a_plain_file() {
    let Some(world) = project() else { return };
    let address = |host: &str| format!("postgres://app:{PASSWORD}@{host}/app");
    set(
        &world,
        "prod",
        "DATABASE_URL",
        &address("db.prod.example.com"),
    );
    world.write(
        ".env.dev",
        format!("DATABASE_URL={}\n", address("localhost")),
    );
    let place = ("shared-secret", "critical", ".env.prod.enc");
    finds(
        &world,
        place,
        &["the password in `DATABASE_URL` is the same in `prod` and `dev`"],
    );
}

#[test]
fn a_copied_file_shares_its_data_key_and_has_another_s_seal() {
    let Some(world) = project() else { return };
    fs::remove_dir_all(world.home().join(".ssh")).unwrap();
    for ending in ["", ".seal"] {
        let copy = world.read(&format!(".env.prod.enc{ending}"));
        world.write(&format!(".env.staging.enc{ending}"), copy);
    }
    let found = findings(&world);
    let ids: Vec<&str> = found.iter().map(|one| one.0.as_str()).collect();
    assert_eq!(ids, ["shared-data-key", "seal-refused"], "{found:#?}");
    assert!(
        found[1].2.contains("environment `prod`, not for `staging`"),
        "{found:#?}"
    );
    shows_no_secret(&world);
}

#[test]
fn who_can_open_a_file_and_who_should_are_compared() {
    let Some(world) = project() else { return };
    let public = ssh_key(&world, "bob");
    done(&world.ringfence(&["secret", "grant", "prod", "bob", "--key", &public]));
    assert_eq!(findings(&world), []);
    let manifest = world.read("ringfence.toml");
    let without = manifest.replace(
        "prod.read-secret = [\"ana\", \"bob\"]",
        "prod.read-secret = [\"ana\"]",
    );
    assert_ne!(manifest, without);
    world.write("ringfence.toml", without);
    let place = ("recipients-differ", "critical", ".env.prod.enc");
    finds(&world, place, &["`bob` can open it and may not"]);
    let with = manifest.replace(
        "staging.read-secret = [\"ana\"]",
        "staging.read-secret = [\"ana\", \"bob\"]",
    );
    assert_ne!(manifest, with);
    world.write("ringfence.toml", with);
    let place = ("recipients-differ", "medium", ".env.staging.enc");
    finds(&world, place, &["`bob` may and cannot"]);
}

#[test]
fn a_line_that_was_added_by_hand_is_told_with_what_the_seal_says() {
    let Some(world) = project() else { return };
    let sealed = world.read(".env.dev.enc");
    world.write(".env.dev.enc", format!("STRIPE_TOKEN={OTHER}x\n{sealed}"));
    let place = ("unencrypted-secret", "high", ".env.dev.enc");
    finds(&world, place, &["`STRIPE_TOKEN` stands in the sealed file"]);
    fs::remove_dir_all(world.home().join(".ssh")).unwrap();
    world.write(".env.dev.enc", format!("PORT_unencrypted=80\n{sealed}"));
    assert_eq!(
        findings(&world),
        [],
        "the rule leaves it out, and it is no secret"
    );
}

#[test]
fn seals_that_are_missing_do_not_fit_or_are_old_or_a_stranger_s() {
    let Some(world) = project() else { return };
    let (file, seal) = (
        world.read(".env.prod.enc"),
        world.read(".env.prod.enc.seal"),
    );
    fs::remove_file(world.path(".env.prod.enc.seal")).unwrap();
    finds(
        &world,
        ("seal-missing", "high", ".env.prod.enc"),
        &["has no seal"],
    );
    world.write(".env.prod.enc.seal", &seal);
    world.write(".env.prod.enc", format!("{file}\n"));
    let place = ("seal-refused", "high", ".env.prod.enc");
    finds(&world, place, &["changed since it was sealed"]);
    world.write(".env.prod.enc", &file);
    set(&world, "prod", "API_TOKEN", "fG5hJ8kL2zX4cV7bN1mQ3wE6");
    let (next_file, next_seal) = (
        world.read(".env.prod.enc"),
        world.read(".env.prod.enc.seal"),
    );
    done(&world.ringfence(&["run", "prod", "--", "true"]));
    world.write(".env.prod.enc", &file);
    world.write(".env.prod.enc.seal", &seal);
    finds(&world, place, &["an older file was put back"]);
    world.write(".env.prod.enc", next_file);
    world.write(".env.prod.enc.seal", next_seal);
    assert_eq!(findings(&world), []);
    let manifest = world
        .read("ringfence.toml")
        .replace("prod.edit = [\"ana\"]", "prod.edit = []");
    world.write("ringfence.toml", manifest);
    finds(&world, place, &["the key of no editor"]);
}

#[test]
fn the_plain_file_that_was_left_behind_is_told() {
    let Some(world) = project() else { return };
    world.write(".gitignore", ".env.prod\n");
    world.write(".env.prod", format!("PORT=80\nAPI_TOKEN={OTHER}x\n"));
    let place = ("ambiguous-environment-file", "high", ".env.prod");
    finds(
        &world,
        place,
        &["still has in the clear what `.env.prod.enc` seals: `API_TOKEN`"],
    );
    world.write(".env.prod", "PORT=80\n");
    assert_eq!(findings(&world), []);
}

#[test]
fn a_file_that_was_cut_off_is_unreadable() {
    let Some(world) = project() else { return };
    let sealed = world.read(".env.prod.enc");
    let (kept, _) = sealed.split_once("sops_").unwrap();
    world.write(".env.prod.enc", kept);
    finds(
        &world,
        ("unreadable-file", "high", ".env.prod.enc"),
        &["was not read"],
    );
}

#[test]
fn what_only_a_key_can_see_is_told_where_there_is_one() {
    let Some(world) = project() else { return };
    let sealed = world.read(".env.dev.enc");
    let place = ("unreadable-file", "high", ".env.dev.enc");
    world.write(".env.dev.enc", sealed.replacen("API_TOKEN", "API_KEY", 1));
    finds(&world, place, &["`API_KEY` was changed, moved or renamed"]);
    world.write(".env.dev.enc", sealed);
    fs::remove_file(world.path(".env.staging.enc.seal")).unwrap();
    fs::rename(world.path(".env.staging.enc"), world.path(".env.dev.enc")).unwrap();
    finds(
        &world,
        place,
        &["it belongs to `staging`, and not to `dev`"],
    );
    fs::rename(world.home().join(".ssh"), world.home().join("away")).unwrap();
    assert_eq!(findings(&world), []);
}

#[test]
fn a_file_that_is_sealed_in_its_own_place_is_governed_too() {
    let Some(world) = project() else { return };
    fs::rename(world.path(".env.prod.enc"), world.path(".env.prod")).unwrap();
    finds(
        &world,
        ("seal-missing", "high", ".env.prod"),
        &["has no seal"],
    );
    fs::rename(
        world.path(".env.prod.enc.seal"),
        world.path(".env.prod.seal"),
    )
    .unwrap();
    assert_eq!(findings(&world), []);
    let manifest = world.read("ringfence.toml");
    world.write(
        "ringfence.toml",
        manifest + "[secrets]\nstaging = { file = \"deploy/staging.sealed\" }\n",
    );
    fs::create_dir(world.path("deploy")).unwrap();
    fs::rename(
        world.path(".env.staging.enc"),
        world.path("deploy/staging.sealed"),
    )
    .unwrap();
    let place = ("seal-missing", "high", "deploy/staging.sealed");
    finds(
        &world,
        place,
        &["`deploy/staging.sealed` of `staging` has no seal"],
    );
}

#[test]
fn a_key_with_a_passphrase_is_not_asked_for() {
    let Some(world) = project() else { return };
    let key = world.home().join(".ssh/id_ed25519");
    let made = world
        .any_command("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", "a phrase", "-f"])
        .arg(&key)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let command = format!("{} check -v", env!("CARGO_BIN_EXE_ringfence"));
    let mut terminal = world.any_command("script");
    let shown = terminal
        .args(["-qec", &command, "/dev/null"])
        .output()
        .unwrap();
    let shown = Outcome::of(&shown);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(!shown.stdout.contains("passphrase"), "{shown:?}");
    assert!(
        shown.stdout.contains(".env.prod.enc: no key at hand"),
        "{shown:?}"
    );
}

#[test]
fn strangers_files_of_sops_give_no_nonsense() {
    let metadata = "sops:\n    kms:\n        - arn: arn:aws:kms:us-east-1:1:key/1\n          created_at: \"2026-01-01T00:00:00Z\"\n          enc: AQICAHh\n          aws_profile: \"\"\n    lastmodified: \"2026-01-01T00:00:00Z\"\n    mac: ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]\n    version: 3.9.0\n";
    let value = "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]";
    let yaml = format!(
        "database:\n    host: {value}\n    password: {value}\n    debug: {value}\n{metadata}"
    );
    let other = yaml.replace("AA==", "BB==").replace("AQICAHh", "BQICAHh");
    let world = World::new(&[
        ("config/prod.yaml", yaml.as_str()),
        ("config/staging.yaml", &other),
        (
            "secrets.yaml",
            &yaml.replace("AA==", "CC==").replace("AQICAHh", "CQICAHh"),
        ),
        (
            "values.enc.yaml",
            &yaml.replace("AA==", "DD==").replace("AQICAHh", "DQICAHh"),
        ),
        (".env.dev.enc", "U2FsdGVkX1+of another tool"),
        (
            "secrets/names.json",
            "{\"sops\": \"a tool\", \"mac\": \"a computer\"}",
        ),
        ("install.sh", "sops_version=3.9.0\nsops_mac=none\n"),
        (".env.ci", "SOPS_VERSION=3.9.0\nsops_version=3.9.0\n"),
    ]);
    world.write(".env.test.enc", [0xff, 0xfe, 0x00]);
    assert_eq!(findings(&world), []);
}

#[test]
fn looking_changes_nothing_where_nothing_is_opened() {
    let world = World::new(&[(".env.dev", "PORT=80\n")]);
    fs::set_permissions(world.home(), fs::Permissions::from_mode(0o700)).unwrap();
    done(&world.ringfence(&["check"]));
    assert_eq!(fs::read_dir(world.home()).unwrap().count(), 0);
}
