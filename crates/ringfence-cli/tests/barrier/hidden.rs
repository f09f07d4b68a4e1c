//! What other environments keep, under every name that it has, and what Ringfence itself keeps: none of it can be opened.

use std::fs;

use crate::ground::scenario;
use crate::scene::{BINARY, SECRET, Scene, eventually};

const DENIED: &[&str] = &["Permission denied"];

/// Every path shows the secret plainly; inside, each is denied.
fn all_denied(scene: &Scene, paths: &[&str]) {
    for path in paths {
        scene.write(path, format!("# {SECRET}\n"));
    }
    let script = format!("for path in {}; do cat \"$path\"; done", quoted(paths));
    let control = scene.plain(&script);
    assert_eq!(control.stdout.matches(SECRET).count(), paths.len());
    let outcome = scene.inside(&script);
    let denied = outcome.stderr.matches(DENIED[0]).count();
    assert_eq!(denied, paths.len(), "{outcome:?}");
    assert!(!outcome.stdout.contains(SECRET), "{outcome:?}");
}

fn quoted(paths: &[&str]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| format!("'{path}'")).collect();
    quoted.join(" ")
}

/// Sealed files, their seals and keys.
#[test]
fn sealed_files_of_others_are_denied() {
    scenario(&[], |scene| {
        all_denied(
            scene,
            &[
                ".env.prod.enc",
                ".env.prod.enc.seal",
                ".env.prod.seal",
                "secrets/prod.env",
                "secrets/prod.env.seal",
                "secrets/prod.json",
                "secrets/prod.json.seal",
                "secrets/staging.json",
                "secrets.prod.yaml",
                ".env.keys",
                ".env.vault",
                ".env.me",
                "config/credentials/production.key",
            ],
        );
    });
}

/// Other spellings, other folders, and what editors leave beside a file.
#[test]
fn files_of_others_are_denied_under_any_spelling() {
    scenario(&[], |scene| {
        all_denied(
            scene,
            &[
                ".env.PROD",
                ".Env.Prod",
                ".env.production",
                ".env.production.local",
                ".env-prod",
                ".env_prod",
                "env.prod",
                "prod.env",
                "config/prod.env",
                ".env.prod~",
                ".env.prod.bak",
                ".env.prod.swp",
                "..env.prod.swp",
                "#.env.prod#",
                "apps/a/.env.prod",
                "envs/prod/.env",
                "deploy/production/.env",
                ".envs/.production/.django",
            ],
        );
        // What only looks like it is source code.
        scene.write("src/env.test.ts", "source\n");
        let read = scene.inside("cat src/env.test.ts").succeeded();
        assert_eq!(read.stdout, "source\n");
    });
}

/// A file that comes while the program runs is hidden as soon as it is there.
#[test]
fn a_file_that_comes_later_is_hidden() {
    scenario(&[], |scene| {
        let script = "touch begun; until test -e .env.production; do sleep 0.02; done; sleep 1; cat .env.production";
        let mut run = scene.spawn(&[
            BINARY,
            "run",
            "dev",
            "--",
            "sh",
            "-c",
            &format!("({script}) >told 2>&1"),
        ]);
        eventually("the program", || scene.path("begun").exists());
        std::thread::sleep(std::time::Duration::from_millis(100));
        scene.write(".env.production", SECRET);
        eventually("its end", || !run.lives());
        let told = scene.read("told");
        assert!(told.contains(DENIED[0]) && !told.contains(SECRET), "{told}");
    });
}

/// Ringfence's own keys and memory, and those of the tools that it works with: at their usual place, and where variables move it.
#[test]
fn keys_and_memory_are_denied() {
    scenario(&[], |scene| {
        for path in [
            ".config/ringfence/identity",
            ".config/sops/age/keys.txt",
            ".local/state/ringfence/fingerprint.key",
            ".local/state/ringfence/revisions/x",
            "elsewhere/ringfence/identity",
            "elsewhere/kube",
        ] {
            scene.write(&format!("../home/{path}"), format!("# {SECRET}\n"));
        }
        for path in [
            ".config/ringfence/identity",
            ".config/sops/age/keys.txt",
            ".local/state/ringfence/fingerprint.key",
            ".local/state/ringfence/revisions/x",
        ] {
            scene.hidden(&format!("cat ~/{path}"), DENIED);
            scene
                .inside(&format!("echo x >~/{path}"))
                .failed(&["Permission denied", "Read-only"]);
        }
        for (variable, value, path) in [
            (
                "XDG_CONFIG_HOME",
                "elsewhere",
                "elsewhere/ringfence/identity",
            ),
            (
                "XDG_STATE_HOME",
                "elsewhere",
                "elsewhere/ringfence/identity",
            ),
            ("KUBECONFIG", "elsewhere/kube", "elsewhere/kube"),
            ("PGPASSFILE", "elsewhere/kube", "elsewhere/kube"),
        ] {
            let attack = format!("cat $HOME/{path}");
            let run =
                |words: &str| scene.plain(&format!("export {variable}=$HOME/{value}; {words}"));
            assert!(run(&attack).stdout.contains(SECRET));
            let outcome = run(&format!("{BINARY} run dev -- sh -c '{attack}'"));
            assert!(!outcome.stdout.contains(SECRET), "{variable}: {outcome:?}");
            outcome.failed(DENIED);
        }
        assert!(fs::exists(scene.path("../home/.local/state/ringfence/fingerprint.key")).unwrap());
    });
}
