//! A sealed file and its seal, changed at every kind of place, and everything that can stand where they should.

use std::fs;
use std::os::unix::fs::symlink;

use crate::scene::Scene;

const FILE: &str = ".env.prod.enc";
const SEAL: &str = ".env.prod.enc.seal";

/// A few dozen bytes all over a file, each changed in turn: nothing starts, nothing crashes, and the message names the file.
fn each_change_is_refused(path: &str) {
    let scene = Scene::sealed("A=1\nB=2\n");
    let bytes = fs::read(scene.world.path(path)).unwrap();
    let step = (bytes.len() / 36).max(1);
    let mut positions: Vec<usize> = (0..bytes.len()).step_by(step).collect();
    positions.push(bytes.len() - 1);
    for (turn, position) in positions.into_iter().enumerate() {
        let mut changed = bytes.clone();
        changed[position] ^= [1, 0x20, 0x80][turn % 3];
        fs::write(scene.world.path(path), &changed).unwrap();
        scene.refuses("ana", "prod", &[FILE]);
        let verify = scene.says("eve", &["secret", "verify", "prod"]);
        assert_eq!(verify.code, Some(1), "byte {position}: {verify:?}");
    }
    fs::write(scene.world.path(path), bytes).unwrap();
    scene.starts("ana", "prod");
}

#[test]
fn changed_bytes_of_the_file() {
    each_change_is_refused(FILE);
}

#[test]
fn changed_bytes_of_the_seal() {
    each_change_is_refused(SEAL);
}

/// What stands in the seal's place is refused, by `run` and by `verify`.
#[track_caller]
fn no_seal(scene: &Scene, words: &[&str]) {
    scene.refuses("ana", "prod", &[&[FILE][..], words].concat());
    let verify = scene.says("eve", &["secret", "verify", "prod"]);
    assert_eq!(verify.code, Some(1), "{verify:?}");
}

#[test]
fn what_is_no_seal() {
    let scene = Scene::sealed("A=1\n");
    let seal = scene.world.path(SEAL);
    let good = fs::read(&seal).unwrap();
    fs::remove_file(&seal).unwrap();
    no_seal(
        &scene,
        &["has no seal", "secret seal prod", "seal = \"optional\""],
    );
    fs::write(&seal, "").unwrap();
    no_seal(&scene, &["malformed: there is none"]);
    fs::write(&seal, &good[..good.len() / 2]).unwrap();
    no_seal(&scene, &["seal"]);
    fs::write(&seal, vec![b'x'; 10 << 20]).unwrap();
    no_seal(&scene, &["more than 1048576 bytes"]);
    let mut long = good.clone();
    long.resize(10 << 20, b'\n');
    fs::write(&seal, long).unwrap();
    no_seal(&scene, &["more than 1048576 bytes"]);
    fs::remove_file(&seal).unwrap();
    fs::create_dir(&seal).unwrap();
    no_seal(&scene, &["not a regular file"]);
    fs::remove_dir(&seal).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&seal).status();
    assert!(made.unwrap().success());
    no_seal(&scene, &["not a regular file"]);
    fs::remove_file(&seal).unwrap();
    symlink("nowhere", &seal).unwrap();
    no_seal(&scene, &["seal"]);
    fs::remove_file(&seal).unwrap();
    // A link to a good seal is a good seal: what is signed is the text.
    fs::write(scene.world.path("elsewhere"), &good).unwrap();
    symlink("elsewhere", &seal).unwrap();
    scene.starts("ana", "prod");
    fs::remove_file(&seal).unwrap();
    let crlf = String::from_utf8(good).unwrap().replace('\n', "\r\n");
    fs::write(&seal, crlf).unwrap();
    no_seal(&scene, &["seal"]);
}

#[test]
fn a_seal_by_somebody_who_may_not_edit() {
    let scene = Scene::sealed("A=1\n");
    let honest = scene.world.read("ringfence.toml");
    scene.change(
        "ringfence.toml",
        "prod.edit = [\"ana\"]",
        "prod.edit = [\"ben\"]",
    );
    scene.refuses("ana", "prod", &["no editor", "`prod.edit`", "names ben"]);
    scene.fine("ben", &["secret", "seal", "prod"]);
    scene.starts("ana", "prod");
    scene.world.write("ringfence.toml", honest);
    scene.refuses("ana", "prod", &["no editor"]);
    scene.change("ringfence.toml", "prod.edit = [\"ana\"]\n", "");
    scene.refuses(
        "ana",
        "prod",
        &["does not say whose seal counts", "prod.edit"],
    );
}

/// A seal where none is needed counts, too: a broken one is never passed over.
#[test]
fn a_broken_seal_is_refused_in_development() {
    let scene = Scene::sealed("A=1\n");
    scene.fine("ana", &["secret", "seal", "dev"]);
    scene.starts("ben", "dev");
    scene.change(".env.dev.enc", "A=ENC", "B=\nA=ENC");
    scene.refuses(
        "ben",
        "dev",
        &[".env.dev.enc", "changed since it was sealed"],
    );
    scene.world.write(".env.dev.enc.seal", "");
    scene.refuses("ben", "dev", &[".env.dev.enc", "malformed: there is none"]);
}

/// What is no sealed file any more, in both tiers.
#[test]
fn damaged_files() {
    for environment in ["dev", "prod"] {
        let scene = Scene::sealed("A=1\nB=2\n");
        let path = format!(".env.{environment}.enc");
        let good = scene.world.read(&path);
        let line = good.lines().next().unwrap();
        let cases: Vec<(&str, Vec<u8>)> = vec![
            ("crlf", good.replace('\n', "\r\n").into()),
            ("bom", format!("\u{feff}{good}").into()),
            ("not UTF-8", [b"A=\xff\n", good.as_bytes()].concat()),
            ("a name twice", format!("{line}\n{good}").into()),
            ("a NUL", format!("A\0={good}").into()),
            (
                "a line is gone",
                good.replacen(&format!("{line}\n"), "", 1).into(),
            ),
            ("no MAC", without(&good, "sops_mac=").into()),
            ("no recipient", without(&good, "sops_age").into()),
            ("half", good.as_bytes()[..good.len() / 2].into()),
        ];
        for (what, bytes) in cases {
            fs::write(scene.world.path(&path), bytes).unwrap();
            let outcome = scene.says("ana", &["run", environment, "--", "touch", "started"]);
            assert_eq!(outcome.code, Some(78), "{environment}, {what}: {outcome:?}");
            assert!(!scene.world.path("started").exists());
            let verify = scene.says("eve", &["secret", "verify", environment]);
            assert!(
                matches!(verify.code, Some(1 | 78)) || environment == "dev",
                "{environment}, {what}: {verify:?}"
            );
        }
    }
}

fn without(text: &str, head: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with(head));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Beside a plain file, a sealed one that cannot be read is missed: what is left of the environment does not start.
#[test]
fn what_is_no_file() {
    for environment in ["dev", "prod"] {
        let scene = Scene::sealed("A=1\n");
        let file = format!(".env.{environment}.enc");
        scene.world.write(&format!(".env.{environment}"), "B=1\n");
        let (path, good) = (scene.world.path(&file), scene.world.read(&file));
        let refused = |words: &[&str]| {
            scene.refuses("ana", environment, &[&[file.as_str()][..], words].concat());
            let verify = scene.says("eve", &["secret", "verify", environment]);
            assert_eq!(verify.code, Some(1), "{words:?}: {verify:?}");
            assert!(verify.stdout.contains(&file), "{verify:?}");
        };
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        refused(&["not a regular file", "take it from git again"]);
        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        refused(&["not a regular file"]);
        fs::remove_file(&path).unwrap();
        fs::write(&path, &good.as_bytes()[..200]).unwrap();
        refused(&[]);
        fs::remove_file(&path).unwrap();
        if environment == "prod" {
            refused(&["is missing, and its seal is there"]);
            fs::create_dir(&path).unwrap();
            refused(&["not a regular file"]);
        } else {
            // Another tool's file of that name is its own business.
            fs::write(&path, "\u{1}binary\n").unwrap();
            scene.starts("ana", environment);
        }
    }
}

#[test]
fn a_file_of_its_own_name_stays_sealed_when_its_seal_remains() {
    let scene = Scene::sealed("A=1\n");
    scene.world.write(FILE, "A=plain\n");
    scene.refuses("ana", "prod", &[FILE]);
    scene.world.write(FILE, "");
    scene.refuses("ana", "prod", &[FILE]);
}
