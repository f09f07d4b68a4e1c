//! A marked value in every kind of place, every command of `secret`: the mark is only where it is asked for.

use std::fs;

use crate::scene::{CANARY, Scene, fed};
use crate::world::Outcome;

/// Sealed, plain, in a key file, in what a command prints, in a file that is kept elsewhere.
fn scene() -> Scene {
    let scene = Scene::sealed("API_KEY=cAnArY7x9Q2\nURL='postgres://a:cAnArY7x9Q2@h/d'\n");
    scene.declare(
        "[settings]\nBY_COMMAND = { secret = true, required = false, from = { in.dev = { command = [\"cat\", \"kept\"] } } }\n\
         BY_FILE = { secret = true, required = false, from = { in.dev = { file = \"kept\" } } }\n",
    );
    scene.world.write("kept", "cAnArY7x9Q2\n");
    scene.world.write(".env.dev", "PLAIN_TOKEN=cAnArY7x9Q2\n");
    scene.world.write(".env.prod", "PLAIN_TOKEN=cAnArY7x9Q2\n");
    scene
        .world
        .write(".env.keys", "DOTENV_PRIVATE_KEY_DEV=cAnArY7x9Q2\n");
    scene
        .world
        .write("bad.env", "A=\"cAnArY7x9Q2\nB=cAnArY7x9Q2 ${\n");
    scene.script(
        "editor.sh",
        "#!/bin/sh\nprintf 'cAnArY7x9Q2 and no name\\n' >\"$1\"\n",
    );
    scene
}

const COMMANDS: &[&[&str]] = &[
    &["set", "dev", "API_KEY"],
    &["set", "prod", "API_KEY"],
    &["set", "dev", "cAnArY7x9Q2=1"],
    &["set", "dev", "A", "cAnArY7x9Q2"],
    &["edit", "dev"],
    &["unset", "dev", "NONE"],
    &["get", "dev", "NONE"],
    &["list", "dev"],
    &["list", "prod", "--json"],
    &["import", "dev", "bad.env"],
    &["import", "prod", ".env.prod"],
    &["import", "prod", "none"],
    &[
        "grant",
        "prod",
        "eve",
        "--key",
        "AGE-SECRET-KEY-1cAnArY7x9Q2",
    ],
    &["grant", "prod", "ben"],
    &["rotate", "dev"],
    &["seal", "dev"],
    &["seal", "prod", "--seal-key", "kept"],
    &["verify"],
    &["verify", "--json"],
    &["keygen"],
    &["keygen", "--out", "kept"],
    &["merge", "kept", ".env.prod", "kept"],
    &["merge", ".env.dev.enc", ".env.dev.enc", ".env.prod.enc"],
    &["revoke", "prod", "ben"],
    &["--help"],
    &["set", "--help"],
    &["nonsense"],
    &["list", "cAnArY"],
];

#[track_caller]
fn is_silent(command: &[&str], outcome: &Outcome) {
    for text in [&outcome.stdout, &outcome.stderr] {
        // What stood on the command line itself was shown already, by whoever typed it, but is not repeated either.
        assert!(!text.contains(CANARY), "{command:?} shows it: {outcome:?}");
    }
    assert_ne!(outcome.code, Some(70), "{command:?}: {outcome:?}");
}

fn every_command(scene: &Scene, variables: &[(&str, &str)]) {
    for words in COMMANDS {
        let words = [&["secret"], *words].concat();
        let mut command = scene.command("ana", &words);
        command.envs(variables.iter().copied());
        command.env("EDITOR", scene.world.path("editor.sh"));
        is_silent(&words, &fed(&mut command, "cAnArY7x9Q2"));
    }
}

#[test]
fn no_command_shows_a_value_where_everything_is_right() {
    every_command(&scene(), &[]);
}

#[test]
fn no_command_shows_a_value_where_keys_and_files_are_broken() {
    let scene = scene();
    for who in ["ana", "ben"] {
        fs::write(scene.identity(who), "AGE-SECRET-KEY-1cAnArY7x9Q2\n").unwrap();
        fs::write(
            scene.home(who).join(".ssh/id_ed25519"),
            "-----BEGIN OPENSSH PRIVATE KEY-----\ncAnArY7x9Q2\n-----END OPENSSH PRIVATE KEY-----\n",
        )
        .unwrap();
    }
    every_command(&scene, &[("SOPS_AGE_KEY", "AGE-SECRET-KEY-1cAnArY7x9Q2")]);
    for path in [".env.dev.enc", ".env.prod.enc"] {
        let text = scene.world.read(path);
        scene
            .world
            .write(path, format!("cAnArY7x9Q2\nA=cAnArY7x9Q2\n{text}"));
    }
    every_command(&scene, &[]);
    for path in [".env.dev.enc.seal", ".env.prod.enc.seal"] {
        scene.world.write(path, "cAnArY7x9Q2\n");
    }
    every_command(&scene, &[]);
}

#[test]
fn only_the_program_get_and_export_have_the_value() {
    let scene = scene();
    for words in [
        &["secret", "get", "dev", "API_KEY"][..],
        &["secret", "export", "dev"],
        &["secret", "export", "dev", "--format", "json"],
        &["run", "dev", "--", "printenv", "API_KEY"],
    ] {
        let outcome = scene.fine("ana", words);
        assert!(outcome.stdout.contains(CANARY), "{words:?}: {outcome:?}");
        assert!(!outcome.stderr.contains(CANARY), "{words:?}: {outcome:?}");
    }
}

#[test]
fn no_value_stands_on_a_command_line_or_in_a_file() {
    let scene = Scene::new();
    let outcome = scene.pipes("ana", &["secret", "set", "dev", "API_KEY"], CANARY);
    is_silent(&["set"], &outcome);
    scene.fine("ana", &["secret", "rotate", "dev"]);
    scene.fine(
        "ana",
        &["secret", "grant", "dev", "eve", "--key", &scene.age("eve")],
    );
    scene.fine("ana", &["secret", "seal", "dev"]);
    scene.fine("ana", &["run", "dev", "--", "true"]);
    let shown = "for file in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$file; done";
    let outcome = scene.fine("ana", &["run", "dev", "--", "sh", "-c", shown]);
    is_silent(&["run"], &outcome);
    let mut grep = scene.world.any_command("grep");
    grep.args(["-rl", CANARY]).arg(scene.world.project());
    grep.arg(scene.world.home()).arg(scene.world.temporary());
    assert_eq!(Outcome::of(&grep.output().unwrap()).stdout, "");
}

/// What is printed to a pipe that nobody reads, or to a full disk, ends without the value in the message.
#[test]
fn output_that_cannot_be_written_is_no_reason_to_show_it() {
    let scene = scene();
    let line = format!(
        "{} secret export dev >/dev/full; {} secret get dev API_KEY >&-; {} secret get dev API_KEY | true",
        env!("CARGO_BIN_EXE_ringfence"),
        env!("CARGO_BIN_EXE_ringfence"),
        env!("CARGO_BIN_EXE_ringfence")
    );
    let mut command = scene.world.any_command("sh");
    command.args(["-c", &line]).env("HOME", scene.home("ana"));
    is_silent(&["sh"], &Outcome::of(&command.output().unwrap()));
}
