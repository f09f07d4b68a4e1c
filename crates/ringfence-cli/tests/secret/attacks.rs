//! What a SOPS file does not protect by itself: each attempt is made on real files, and is refused by name before anything starts.

use std::fs;

use crate::scene::{Scene, sops};
use crate::world::World;

/// The file that is attacked.
const FILE: &str = ".env.prod.enc";
const SEAL: &str = ".env.prod.enc.seal";
const DOTENV: [&str; 4] = ["--input-type", "dotenv", "--output-type", "dotenv"];

/// `verify` says it too, without a key.
#[track_caller]
fn is_broken(scene: &Scene, words: &[&str]) {
    let outcome = scene.says("eve", &["secret", "verify", "prod"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for word in words {
        assert!(outcome.stdout.contains(word), "{word}: {outcome:?}");
    }
}

fn copy(world: &World, from: &str, to: &str) {
    fs::copy(world.path(from), world.path(to)).unwrap();
}

#[test]
fn devs_file_in_the_place_of_prods() {
    let scene = Scene::sealed("A=1\n");
    copy(&scene.world, ".env.dev.enc", FILE);
    scene.refuses("ana", "prod", &[FILE, "changed since it was sealed"]);
    is_broken(&scene, &["changed since it was sealed"]);
    // With its seal, if it has one.
    scene.fine("ana", &["secret", "seal", "dev"]);
    copy(&scene.world, ".env.dev.enc.seal", SEAL);
    scene.refuses("ana", "prod", &["the seal is for environment `dev`"]);
    is_broken(&scene, &["the seal is for environment `dev`"]);
    // An editor who seals it by mistake is told.
    fs::remove_file(scene.world.path(SEAL)).unwrap();
    scene.fails(
        "ana",
        &["secret", "seal", "prod"],
        78,
        &["belongs to `dev`, and `prod` was asked for"],
    );
}

#[test]
fn devs_file_where_no_seal_is_needed() {
    let scene = Scene::sealed("A=1\n");
    copy(&scene.world, ".env.dev.enc", ".env.test.enc");
    scene.refuses(
        "ana",
        "test",
        &["belongs to `dev`, and `test` was asked for"],
    );
    scene.declare("[secrets]\nprod = { seal = \"optional\" }\n");
    copy(&scene.world, ".env.dev.enc", FILE);
    fs::remove_file(scene.world.path(SEAL)).unwrap();
    scene.refuses(
        "ana",
        "prod",
        &["belongs to `dev`, and `prod` was asked for"],
    );
}

#[test]
fn a_file_that_does_not_say_whose_it_is() {
    if sops().is_none() {
        return;
    }
    let scene = Scene::new();
    scene.declare("[secrets]\nprod = { seal = \"optional\" }\n");
    scene.world.write("plain.env", "A=1\n");
    let age = scene.age("ana");
    let sealed = scene.sops("ana", &["encrypt", "--age", &age, "plain.env"]);
    scene.world.write(FILE, sealed);
    scene.refuses(
        "ana",
        "prod",
        &["does not say whose it is", "secret seal prod"],
    );
}

#[test]
fn a_new_key_with_an_empty_value() {
    let scene = Scene::sealed("A=1\n");
    scene.change(FILE, "A=ENC", "DEBUG=\nA=ENC");
    scene.refuses("ana", "prod", &[FILE, "changed since it was sealed"]);
    is_broken(&scene, &["changed since it was sealed"]);
}

/// Two values in the clear beside a sealed one, made by sops and sealed by Ana.
fn with_neighbours() -> Scene {
    let scene = Scene::new();
    let plain = "ONE_unencrypted=abc\nTWO_unencrypted=def\nA=1\nRINGFENCE_ENVIRONMENT=prod\n";
    scene.world.write("plain.env", plain);
    let keys = format!(
        "{},{},{},{}",
        scene.age("ana"),
        scene.ssh("ana"),
        scene.age("ben"),
        scene.ssh("ben")
    );
    let sealed = scene.sops("ana", &["encrypt", "--age", &keys, "plain.env"]);
    scene.world.write(FILE, sealed);
    scene.fine("ana", &["secret", "seal", "prod"]);
    scene.starts("ben", "prod");
    scene.fine("eve", &["secret", "verify"]);
    scene
}

#[test]
fn a_plaintext_key_with_another_name() {
    if sops().is_none() {
        return;
    }
    let scene = with_neighbours();
    scene.change(FILE, "ONE_unencrypted=", "RED_unencrypted=");
    let words = [&["decrypt"][..], &DOTENV, &[FILE]].concat();
    assert!(scene.sops("ana", &words).contains("RED_unencrypted=abc"));
    scene.refuses("ana", "prod", &[FILE, "changed since it was sealed"]);
    is_broken(&scene, &["changed since it was sealed"]);
}

#[test]
fn bytes_shifted_between_plaintext_neighbours() {
    if sops().is_none() {
        return;
    }
    let scene = with_neighbours();
    scene.change(FILE, "ONE_unencrypted=abc", "ONE_unencrypted=ab");
    scene.change(FILE, "TWO_unencrypted=def", "TWO_unencrypted=cdef");
    let words = [&["decrypt"][..], &DOTENV, &[FILE]].concat();
    assert!(scene.sops("ana", &words).contains("TWO_unencrypted=cdef"));
    scene.refuses("ana", "prod", &[FILE, "changed since it was sealed"]);
}

/// Eve makes prod's file anew, for the public keys in the manifest.
fn forged(scene: &Scene) {
    let plain = "A=evil\nRINGFENCE_ENVIRONMENT=prod\n";
    scene.world.write("plain.env", plain);
    let keys = format!("{},{}", scene.age("ana"), scene.age("ben"));
    let sealed = scene.sops("eve", &["encrypt", "--age", &keys, "plain.env"]);
    fs::remove_file(scene.world.path("plain.env")).unwrap();
    scene.world.write(FILE, sealed);
}

#[test]
fn a_whole_file_forged_from_public_keys() {
    if sops().is_none() {
        return;
    }
    let scene = Scene::sealed("A=1\n");
    forged(&scene);
    scene.refuses("ana", "prod", &[FILE, "changed since it was sealed"]);
    fs::remove_file(scene.world.path(SEAL)).unwrap();
    scene.refuses("ana", "prod", &[FILE, "has no seal"]);
    is_broken(&scene, &["it has no seal"]);
    // Eve's own seal, made with a manifest of hers, is nobody's here.
    let honest = scene.world.read("ringfence.toml");
    let eves = honest.replace("prod.edit = [\"ana\"]", "prod.edit = [\"eve\"]");
    let eves = eves.replace(
        "[access]",
        &format!("eve = \"{}\"\n[access]", scene.ssh("eve")),
    );
    scene.world.write("ringfence.toml", eves);
    let key = scene.age_secret("ana");
    let mut seal = scene.command("eve", &["secret", "seal", "prod"]);
    seal.env("SOPS_AGE_KEY", key);
    assert!(seal.output().unwrap().status.success());
    scene.world.write("ringfence.toml", honest);
    scene.refuses("ana", "prod", &[FILE, "no editor"]);
    is_broken(&scene, &["no editor"]);
}

#[test]
fn a_recipient_appended_in_wait_for_a_rotation() {
    if sops().is_none() {
        return;
    }
    let scene = Scene::sealed("A=1\n");
    // By Ben, who can read and not edit: he has the data key.
    let eve = scene.age("eve");
    let words = [&["rotate", "-i", "--add-age", &eve][..], &DOTENV, &[FILE]].concat();
    scene.sops("ben", &words);
    scene.refuses("ana", "prod", &[FILE, "changed since it was sealed"]);
    is_broken(
        &scene,
        &["the manifest lets these not read it, and they can: age1"],
    );
    // Where an editor sealed it unseen, nothing is written for her either.
    scene.fine("ana", &["secret", "seal", "prod"]);
    let outcome = scene.pipes("ana", &["secret", "set", "prod", "A"], "2");
    crate::scene::holds(
        &outcome,
        78,
        &["not sealed for those whom the manifest names", "age1"],
    );
    let before = scene.world.read(FILE);
    assert!(before.contains(&eve));
    let rotated = scene.fine("ana", &["secret", "rotate", "prod"]);
    crate::scene::holds(&rotated, 0, &["can read it no more: age1"]);
    assert!(!scene.world.read(FILE).contains(&eve));
    scene.refuses("eve", "prod", &["no key at hand opens it"]);
}

#[test]
fn an_old_stanza_spliced_back() {
    let scene = Scene::sealed("A=1\n");
    let old = scene.world.read(FILE);
    let index = old
        .lines()
        .find_map(|line| {
            line.strip_suffix(&scene.age("ben"))?
                .strip_suffix("__map_recipient=")
        })
        .unwrap()
        .to_owned();
    let stanza: Vec<&str> = old
        .lines()
        .filter(|line| line.starts_with(&index))
        .collect();
    scene.fine("ana", &["secret", "revoke", "prod", "ben"]);
    let new = scene.world.read(FILE);
    scene
        .world
        .write(FILE, format!("{new}{}\n", stanza.join("\n")));
    scene.refuses("ana", "prod", &[FILE, "changed since it was sealed"]);
    is_broken(
        &scene,
        &["the manifest lets these not read it, and they can: ben"],
    );
    // Even sealed by an editor, it opens nothing for Ben.
    scene.fine("ana", &["secret", "seal", "prod"]);
    scene.refuses("ben", "prod", &[FILE]);
}

/// Both files have one data key then, so who reads dev reads prod. Without a key nobody can tell that; that the file is not prod's
/// can be told, and that no editor sealed it.
#[test]
fn devs_file_copied_and_then_edited() {
    if sops().is_none() {
        return;
    }
    let scene = Scene::sealed("A=1\n");
    copy(&scene.world, ".env.dev.enc", FILE);
    let words = [
        &["set"][..],
        &DOTENV,
        &[FILE, "[\"RINGFENCE_ENVIRONMENT\"]", "\"prod\""],
    ]
    .concat();
    scene.sops("ben", &words);
    scene.refuses("ana", "prod", &[FILE, "changed since it was sealed"]);
    is_broken(&scene, &["changed since it was sealed"]);
}

#[test]
fn an_older_revision_put_back() {
    let scene = Scene::sealed("A=1\n");
    let old = [FILE, SEAL].map(|path| scene.world.read(path));
    scene.sets("prod", "A", "2");
    for (path, text) in [FILE, SEAL].iter().zip(&old) {
        scene.world.write(path, text);
    }
    scene.refuses(
        "ana",
        "prod",
        &[FILE, "revision 1", "revision 2", "secret seal prod"],
    );
    let verify = scene.says("ana", &["secret", "verify", "prod"]);
    assert_eq!(verify.code, Some(1), "{verify:?}");
    // Where it is meant, an editor says so.
    scene.fine("ana", &["secret", "seal", "prod"]);
    scene.starts("ana", "prod");
    assert!(scene.world.read(SEAL).contains("revision 3"));
}

#[test]
fn a_reader_that_nobody_named_is_told_to_whoever_seals() {
    let scene = Scene::sealed("A=1\n");
    let slipped = format!(
        "sops_age__list_2__map_enc=x\nsops_age__list_2__map_recipient={}\nsops_lastmodified=",
        scene.age("eve")
    );
    let sealed = scene.fine("ana", &["secret", "seal", "prod"]);
    assert!(!sealed.stderr.contains("rotate"), "{sealed:?}");
    let readers = scene.world.read(FILE).matches("map_recipient").count();
    let slipped = slipped.replace("list_2", &format!("list_{readers}"));
    scene.change(FILE, "sops_lastmodified=", &slipped);
    let sealed = scene.fine("ana", &["secret", "seal", "prod"]);
    assert!(
        sealed.stderr.contains(scene.age("eve").get(..24).unwrap())
            && sealed.stderr.contains("ringfence secret rotate prod"),
        "{sealed:?}"
    );
    scene.fine("ana", &["secret", "rotate", "prod"]);
    assert!(!scene.world.read(FILE).contains(&scene.age("eve")));
}

/// The beginning of somebody's key is nobody's.
#[test]
fn a_reader_that_looks_like_somebody_is_not_called_so() {
    let scene = Scene::sealed("A=1\n");
    let slipped = format!(
        "sops_age__list_9__map_enc=x\nsops_age__list_9__map_recipient={}\nsops_lastmodified=",
        scene.age("ana").get(..23).unwrap()
    );
    scene.change(".env.dev.enc", "sops_lastmodified=", &slipped);
    let refused = scene.pipes("ana", &["secret", "set", "dev", "B"], "2");
    assert_eq!(refused.code, Some(78), "{refused:?}");
    assert!(
        refused.stderr.contains("… (nobody under `[people]`)"),
        "{refused:?}"
    );
}

/// Names and keys of a file that anybody wrote move no cursor and change no title.
#[test]
fn what_controls_a_terminal_is_not_passed_on() {
    let scene = Scene::sealed("A=1\n");
    let file = ".env.dev.enc";
    let text = scene.world.read(file);
    let text = text.replace("map_recipient=", "map_recipient=\u{1b}[31m");
    let commands: [&[&str]; 6] = [
        &["secret", "list", "dev"],
        &["secret", "verify", "dev"],
        &["secret", "rotate", "dev"],
        &["show", "dev"],
        &["diff", "dev", "prod"],
        &["check"],
    ];
    for row in ["X\u{1b}]0;title\u{7}=", "X\u{1b}[2J=clear"] {
        for command in commands {
            scene.world.write(file, format!("{row}\n{text}"));
            let outcome = scene.says("ana", command);
            let all = outcome.stdout + &outcome.stderr;
            assert!(all.len() > 1, "{command:?}");
            assert!(!all.contains(['\u{1b}', '\u{7}']), "{command:?}: {all:?}");
        }
    }
}

#[test]
fn an_older_revision_put_into_another_place() {
    let scene = Scene::sealed("A=1\n");
    let old = [FILE, SEAL].map(|path| scene.world.read(path));
    scene.sets("prod", "A", "2");
    for (path, text) in ["secrets/prod.env", "secrets/prod.env.seal"]
        .iter()
        .zip(&old)
    {
        scene.world.write(path, text);
    }
    fs::remove_file(scene.world.path(FILE)).unwrap();
    fs::remove_file(scene.world.path(SEAL)).unwrap();
    scene.refuses(
        "ana",
        "prod",
        &["secrets/prod.env", "revision 1", "revision 2"],
    );
}

/// Whoever could use the numbers up would keep everybody from sealing.
#[test]
fn a_seal_that_is_far_ahead_is_not_followed() {
    let scene = Scene::sealed("A=1\n");
    let seal = scene.world.read(SEAL);
    let (text, _) = seal.split_once("-----BEGIN SSH SIGNATURE-----").unwrap();
    let digest = "0".repeat(64);
    let far = text
        .replace("revision 1\n", "revision 18446744073709551614\n")
        .replace("previous none\n", &format!("previous sha256:{digest}\n"));
    scene.world.write("far", &far);
    let mut command = scene.world.any_command("sh");
    let sign = "ssh-keygen -q -Y sign -f \"$HOME/.ssh/id_ed25519\" -n ringfence-seal@1 far";
    command.args(["-c", sign]).env("HOME", scene.home("eve"));
    assert!(command.status().unwrap().success());
    scene.world.write(SEAL, far + &scene.world.read("far.sig"));
    let words = [SEAL, "no editor", "revisions ahead", "from git again"];
    scene.fails("ana", &["secret", "seal", "prod"], 78, &words);
    scene.world.write(SEAL, &seal);
    scene.sets("prod", "A", "2");
    scene.starts("ana", "prod");
}

#[test]
fn an_older_revision_is_no_matter_in_development() {
    let scene = Scene::new();
    scene.declare("[secrets]\ndev = { seal = \"required\" }\n");
    scene.sets("dev", "A", "1");
    let paths = [".env.dev.enc", ".env.dev.enc.seal"];
    let old = paths.map(|path| scene.world.read(path));
    scene.sets("dev", "A", "2");
    for (path, text) in paths.iter().zip(&old) {
        scene.world.write(path, text);
    }
    assert_eq!(scene.value("ana", "dev", "A"), "1");
    scene.fine("ana", &["secret", "verify", "dev"]);
}

#[test]
fn a_sealed_file_lies_in_the_project() {
    for path in ["../out.env", "/tmp/out.env", "a/../../out.env"] {
        let scene = Scene::new();
        scene.declare(&format!("[secrets]\nprod = {{ file = \"{path}\" }}\n"));
        let words = ["file-outside", path, "ringfence.toml:"];
        scene.fails("ana", &["secret", "set", "prod", "A"], 78, &words);
    }
}
