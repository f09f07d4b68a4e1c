//! The merge driver, through the real git.

use std::fs;

use crate::scene::Scene;
use crate::world::Outcome;

/// A repository with sealed files, the driver set up, and two branches at the same commit: `main` (checked out) and `theirs`.
fn repository() -> Scene {
    let scene = Scene::new();
    fs::remove_dir_all(scene.world.path(".git")).unwrap();
    scene.world.write(
        ".gitattributes",
        ".env.*.enc merge=ringfence\n.env.*.enc.seal merge=ringfence\n",
    );
    for (environment, rows) in [
        ("dev", "A=1\nB=2\nC=3\nD=4\nE=5\n"),
        ("prod", "A=1\nB=2\nC=3\n"),
    ] {
        scene.seal(environment, rows);
    }
    let driver = format!("{} secret merge %O %A %B", env!("CARGO_BIN_EXE_ringfence"));
    git(&scene, &["init", "-q", "-b", "main"]);
    git(&scene, &["config", "merge.ringfence.driver", &driver]);
    commit(&scene);
    git(&scene, &["branch", "theirs"]);
    scene
}

fn git(scene: &Scene, words: &[&str]) -> Outcome {
    let mut command = scene.world.any_command("git");
    command.args(words).env("HOME", scene.home("ana"));
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "ana")
            .env(format!("GIT_{role}_EMAIL"), "ana@example.com");
    }
    Outcome::of(&command.output().unwrap())
}

#[track_caller]
fn commit(scene: &Scene) {
    assert_eq!(git(scene, &["add", "-A"]).code, Some(0));
    let committed = git(scene, &["commit", "-qm", "change"]);
    assert_eq!(committed.code, Some(0), "{committed:?}");
}

#[track_caller]
fn on(scene: &Scene, branch: &str, change: impl Fn(&Scene)) {
    assert_eq!(git(scene, &["checkout", "-q", branch]).code, Some(0));
    change(scene);
    commit(scene);
}

fn rows(scene: &Scene, environment: &str) -> serde_json::Value {
    let export = scene.fine(
        "ana",
        &["secret", "export", environment, "--format", "json"],
    );
    serde_json::from_str(&export.stdout).unwrap()
}

#[test]
fn edits_of_different_settings_merge_to_the_union() {
    let scene = repository();
    on(&scene, "theirs", |scene| {
        scene.sets("dev", "A", "theirs");
        scene.fine("ana", &["secret", "unset", "dev", "C"]);
    });
    on(&scene, "main", |scene| {
        scene.sets("dev", "B", "ours");
        scene.sets("dev", "NEW", "ours");
    });
    let merged = git(&scene, &["merge", "-q", "theirs"]);
    assert_eq!(merged.code, Some(0), "{merged:?}");
    let rows = rows(&scene, "dev");
    assert_eq!(rows["A"], "theirs");
    assert_eq!(rows["B"], "ours");
    assert_eq!(rows["NEW"], "ours");
    assert!(rows.get("C").is_none());
    scene.starts("ben", "dev");
}

#[test]
fn a_merged_file_is_sealed_again_by_an_editor() {
    let scene = repository();
    // On another machine, where no later revision was seen.
    on(&scene, "theirs", |scene| {
        let state = scene.home("ana").join(".local/state");
        scene.sets("prod", "A", "theirs");
        fs::remove_dir_all(state).unwrap();
    });
    on(&scene, "main", |scene| {
        scene.sets("prod", "B", "ours");
        scene.sets("prod", "C", "ours");
    });
    let merged = git(&scene, &["merge", "-q", "theirs"]);
    assert_eq!(merged.code, Some(0), "{merged:?}");
    assert!(
        merged.stderr.contains("ringfence secret seal"),
        "{merged:?}"
    );
    scene.refuses("ana", "prod", &["secret seal prod"]);
    scene.fine("ana", &["secret", "seal", "prod"]);
    assert!(
        scene
            .world
            .read(".env.prod.enc.seal")
            .contains("revision 4")
    );
    let rows = rows(&scene, "prod");
    assert_eq!((&rows["A"], &rows["B"]), (&"theirs".into(), &"ours".into()));
    scene.fine("eve", &["secret", "verify"]);
}

#[test]
fn a_conflict_is_named_by_setting_and_leaves_ours() {
    let scene = repository();
    on(&scene, "theirs", |scene| {
        scene.sets("dev", "A", "cAnArY7x9Q2-theirs");
        scene.sets("dev", "B", "theirs");
    });
    on(&scene, "main", |scene| {
        scene.sets("dev", "A", "cAnArY7x9Q2-ours");
    });
    let ours = scene.world.read(".env.dev.enc");
    let merged = git(&scene, &["merge", "theirs"]);
    assert_ne!(merged.code, Some(0));
    assert!(merged.stderr.contains("`A`"), "{merged:?}");
    assert!(
        !merged.stderr.contains("`B`") && !merged.stderr.contains("cAnArY"),
        "{merged:?}"
    );
    assert_eq!(scene.world.read(".env.dev.enc"), ours);
    // And the way out that it names.
    scene.sets("dev", "A", "both");
    scene.sets("dev", "B", "theirs");
    commit(&scene);
    assert_eq!(rows(&scene, "dev")["A"], "both");
}

#[test]
fn who_has_no_key_merges_nothing() {
    let scene = repository();
    on(&scene, "theirs", |scene| scene.sets("dev", "A", "theirs"));
    on(&scene, "main", |scene| scene.sets("dev", "B", "ours"));
    let ours = scene.world.read(".env.dev.enc");
    fs::remove_file(scene.identity("ana")).unwrap();
    fs::remove_dir_all(scene.home("ana").join(".ssh")).unwrap();
    let merged = git(&scene, &["merge", "theirs"]);
    assert_ne!(merged.code, Some(0));
    assert!(
        merged.stderr.contains("our side was left as it was"),
        "{merged:?}"
    );
    assert_eq!(scene.world.read(".env.dev.enc"), ours);
}

/// Whoever can commit can write a reader into a branch: the data key would be made out to them by whoever merges it.
#[test]
fn a_reader_that_a_branch_slipped_in_gets_nothing_from_a_merge() {
    let scene = repository();
    let stanza = |scene: &Scene| {
        let text = scene.world.read(".env.dev.enc");
        let enc = text
            .lines()
            .find_map(|line| line.strip_prefix("sops_age__list_0__map_enc="));
        format!(
            "sops_age__list_9__map_enc={}\nsops_age__list_9__map_recipient={}\nsops_lastmodified=",
            enc.unwrap(),
            scene.age("eve")
        )
    };
    on(&scene, "theirs", |scene| {
        scene.change(".env.dev.enc", "sops_lastmodified=", &stanza(scene));
    });
    on(&scene, "main", |scene| scene.sets("dev", "B", "ours"));
    let merged = git(&scene, &["merge", "theirs"]);
    assert_eq!(merged.code, Some(0), "{merged:?}");
    assert!(
        merged.stderr.contains("a merge lets nobody in")
            && merged.stderr.contains("ringfence secret rotate"),
        "{merged:?}"
    );
    assert!(!scene.world.read(".env.dev.enc").contains(&scene.age("eve")));
    scene.refuses("eve", "dev", &["no key at hand opens it"]);
    scene.fine("eve", &["secret", "verify", "dev"]);
    assert_eq!(rows(&scene, "dev")["B"], "ours");
}

/// Five pairs of edits that touch different settings, drawn by a small generator.
#[test]
fn random_pairs_of_edits_merge_to_the_union() {
    let scene = repository();
    let mut state = 0x5eed_u64;
    let mut draw = |most: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % most
    };
    for pair in 0..5 {
        git(&scene, &["branch", "-qf", "theirs", "main"]);
        let mut expected = rows(&scene, "dev");
        let names = ["A", "B", "C", "D", "E", "F", "G"];
        let side: Vec<u64> = names.iter().map(|_| draw(2)).collect();
        let kind: Vec<u64> = names.iter().map(|_| draw(3)).collect();
        for (branch, number) in [("theirs", 0), ("main", 1)] {
            let mine = || (0..names.len()).filter(|&index| side[index] == number);
            on(&scene, branch, |scene| {
                scene.world.write(&format!("{branch}-{pair}"), "");
                for index in mine() {
                    let is_there = rows(scene, "dev").get(names[index]).is_some();
                    match kind[index] {
                        0 => scene.sets("dev", names[index], &format!("{branch} {pair}")),
                        1 if is_there => {
                            scene.fine("ana", &["secret", "unset", "dev", names[index]]);
                        }
                        _ => {}
                    }
                }
            });
            for index in mine() {
                match kind[index] {
                    0 => expected[names[index]] = format!("{branch} {pair}").into(),
                    1 => drop(expected.as_object_mut().unwrap().remove(names[index])),
                    _ => {}
                }
            }
        }
        let merged = git(&scene, &["merge", "-q", "--no-edit", "theirs"]);
        assert_eq!(merged.code, Some(0), "{pair}: {merged:?}");
        assert_eq!(rows(&scene, "dev"), expected, "pair {pair}");
    }
}
