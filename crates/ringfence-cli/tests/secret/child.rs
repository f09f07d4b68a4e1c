//! What the program in an environment gets of secrets, and what it must not: keys, in variables, files or other processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::scene::Scene;
use crate::world::Outcome;

/// A script inside, started by Ana, whose shell holds every key that opens something.
fn inside(scene: &Scene, environment: &str, options: &[&str], script: &str) -> Outcome {
    let words = [
        &["run", environment][..],
        options,
        &["--", "sh", "-c", script],
    ]
    .concat();
    let mut command = scene.command("ana", &words);
    command
        .env("SOPS_AGE_KEY", scene.age_secret("ana"))
        .env("SOPS_AGE_KEY_FILE", scene.identity("ana"))
        .env("SOPS_AGE_KEY_CMD", "true")
        .env(
            "SOPS_AGE_SSH_PRIVATE_KEY_FILE",
            scene.home("ana").join(".ssh/id_ed25519"),
        )
        .env("DOTENV_PRIVATE_KEY", "0123456789abcdef")
        .env("DOTENV_PRIVATE_KEY_PROD", "0123456789abcdef");
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome
}

#[test]
fn no_key_variable_reaches_the_program() {
    let scene = Scene::sealed("A=1\n");
    scene.manifest(
        "pass = [\"SOPS_AGE_KEY\", \"SOPS_AGE_KEY_FILE\", \"SOPS_AGE_KEY_CMD\", \"DOTENV_PRIVATE_KEY\", \"DOTENV_PRIVATE_KEY_PROD\"]",
    );
    for environment in ["dev", "prod"] {
        for options in [&[][..], &["--barrier", "config-only"]] {
            if environment == "prod" && !options.is_empty() {
                continue;
            }
            let block = inside(&scene, environment, options, "env").stdout;
            assert!(block.contains("A=1\n"), "{block}");
            assert!(
                !block.contains("SOPS_AGE") && !block.contains("DOTENV_PRIVATE_KEY"),
                "{environment} {options:?}: {block}"
            );
        }
    }
}

#[test]
fn no_other_process_inside_shows_a_key() {
    let scene = Scene::sealed("A=1\n");
    let script = "for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do tr '\\0' '\\n' <$file; done 2>/dev/null; echo end";
    let seen = inside(&scene, "prod", &[], script).stdout;
    assert!(seen.ends_with("end\n"));
    let key = scene.age_secret("ana");
    assert!(!seen.contains(&key) && !seen.contains("SOPS_AGE"), "{seen}");
}

#[test]
fn key_files_are_hidden_inside() {
    let scene = Scene::sealed("A=1\n");
    let home = scene.home("ana");
    let sops = home.join(".config/sops/age");
    fs::create_dir_all(&sops).unwrap();
    fs::copy(scene.identity("ana"), sops.join("keys.txt")).unwrap();
    fs::set_permissions(sops.join("keys.txt"), fs::Permissions::from_mode(0o600)).unwrap();
    scene
        .world
        .write(".env.keys", "DOTENV_PRIVATE_KEY_PROD=0123cAnArY\n");
    let script = format!(
        "cd {}; cat .config/sops/age/keys.txt .config/ringfence/identity .ssh/id_ed25519 {}; echo end",
        home.display(),
        scene.world.path(".env.keys").display()
    );
    for environment in ["dev", "prod"] {
        let seen = inside(&scene, environment, &[], &script);
        assert!(seen.stdout.ends_with("end\n"));
        for secret in ["AGE-SECRET-KEY-1", "OPENSSH PRIVATE KEY", "0123cAnArY"] {
            assert!(
                !seen.stdout.contains(secret),
                "{environment} shows {secret}: {seen:?}"
            );
        }
    }
}

#[test]
fn a_sealed_value_beats_the_plain_files_and_the_shell() {
    let scene = Scene::sealed("A=sealed\n");
    scene.world.write(".env", "A=shared\nB=shared\n");
    scene.world.write(".env.prod", "A=plain\nB=plain\n");
    let mut command = scene.command("ana", &["run", "prod", "--", "printenv", "A", "B"]);
    command.env("A", "shell");
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!(outcome.stdout, "sealed\nplain\n", "{outcome:?}");
}

#[test]
fn a_sealed_file_in_the_place_of_the_plain_one_is_opened() {
    if crate::scene::sops().is_none() {
        return;
    }
    let scene = Scene::new();
    scene
        .world
        .write("plain.env", "A=1\nRINGFENCE_ENVIRONMENT=dev\n");
    let keys = format!("{},{}", scene.age("ana"), scene.age("ben"));
    let sealed = scene.sops("ana", &["encrypt", "--age", &keys, "plain.env"]);
    for path in [".env.dev", ".env.dev.enc", "secrets/dev.env"] {
        scene.world.write(path, &sealed);
        assert_eq!(scene.value("ana", "dev", "A"), "1", "{path}");
        fs::remove_file(scene.world.path(path)).unwrap();
    }
    scene.world.write(
        "plain.json",
        "{\"A\": \"1\", \"RINGFENCE_ENVIRONMENT\": \"dev\"}",
    );
    let sealed = scene.sops("ana", &["encrypt", "--age", &keys, "plain.json"]);
    scene.world.write("secrets/dev.json", &sealed);
    assert_eq!(scene.value("ben", "dev", "A"), "1");
}

#[test]
fn what_ringfence_writes_sops_reads() {
    if crate::scene::sops().is_none() {
        return;
    }
    let scene = Scene::sealed("A=1\nB=\"two\\nlines\"\n");
    let dotenv = ["decrypt", "--input-type", "dotenv", "--output-type", "json"];
    let read = scene.sops("ben", &[&dotenv[..], &[".env.prod.enc"]].concat());
    let read: serde_json::Value = serde_json::from_str(&read).unwrap();
    assert_eq!(read["B"], "two\nlines");
    assert_eq!(read["RINGFENCE_ENVIRONMENT"], "prod");
}

#[test]
fn json_files_are_kept_and_what_is_no_setting_is_refused() {
    if crate::scene::sops().is_none() {
        return;
    }
    let scene = Scene::new();
    scene.declare("[secrets]\nprod = { file = \"secrets/prod.json\" }\n");
    scene.sets("prod", "A", "1");
    scene.sets("prod", "B", "two\nlines \"and\" \\");
    assert_eq!(scene.value("ben", "prod", "B"), "two\nlines \"and\" \\");
    let read = scene.sops("ben", &["decrypt", "secrets/prod.json"]);
    let read: serde_json::Value = serde_json::from_str(&read).unwrap();
    assert_eq!(read["B"], "two\nlines \"and\" \\");
    scene.fine("eve", &["secret", "verify"]);
    scene.sops(
        "ana",
        &[
            "set",
            "secrets/prod.json",
            "[\"C\"]",
            "{\"x\": \"cAnArY7x9Q2\"}",
        ],
    );
    scene.refuses("ana", "prod", &["secrets/prod.json", "added `C`"]);
    let sealed = scene.says("ana", &["secret", "seal", "prod"]);
    assert_eq!(sealed.code, Some(78), "{sealed:?}");
    assert!(sealed.stderr.contains("`C` is a table"), "{sealed:?}");
    assert!(!sealed.stderr.contains("cAnArY"), "{sealed:?}");
}
