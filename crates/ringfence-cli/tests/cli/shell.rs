//! `ringfence shell`: the user's shell, on a terminal of its own, fed through `script`.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use crate::world::{Outcome, World};

/// A session of `shell` inside an environment: what its terminal showed.
fn session(world: &World, shell: &str, arguments: &str, typed: &str) -> String {
    let binary = env!("CARGO_BIN_EXE_ringfence");
    let mut command = world.any_command("script");
    command
        .args(["-qec", &format!("{binary} shell {arguments}"), "/dev/null"])
        .env("SHELL", shell)
        .env("TERM", "xterm");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(typed.as_bytes())
        .unwrap();
    Outcome::of(&child.wait_with_output().unwrap()).stdout
}

/// Where a shell is, or a visible note that it is not there; where `RINGFENCE_TEST_REQUIRES` names it, it must be.
fn installed(name: &str) -> Option<String> {
    let found = ["/usr/bin", "/bin", "/usr/local/bin"]
        .iter()
        .map(|folder| format!("{folder}/{name}"))
        .find(|path| fs::exists(path).unwrap());
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    assert!(
        found.is_some() || !required.split(',').any(|word| word == name),
        "{name} must be installed here"
    );
    if found.is_none() {
        eprintln!("not run: {name} is not installed");
    }
    found
}

/// The session shows label, title and settings, keeps settings against start-up files, and passes on the exit code.
fn behaves(shell: &str, start_up_file: &str, start_up: &str) {
    let Some(path) = installed(shell) else { return };
    let world =
        World::new(&[(".env.dev", "A=mine\n"), (".env.prod", "A=prod\n")]).var("A", "shells");
    fs::write(world.home().join(start_up_file), start_up).unwrap();
    let shown = session(&world, &path, "dev", "echo \"<$A:$STARTED>\"\nexit 3\n");
    assert!(shown.contains("<mine:yes>"), "{shell}: {shown:?}");
    assert!(
        shown.contains("[dev]"),
        "{shell} shows the label: {shown:?}"
    );
    assert!(
        shown.contains("\x1b]0;[dev] project"),
        "{shell} sets the title: {shown:?}"
    );
    assert!(
        shown.contains("start-up files tried to change"),
        "{shell}: {shown:?}"
    );
    assert!(
        shown.contains("\x1b[22;0t") && shown.contains("\x1b[23;0t"),
        "{shell} gives the title back: {shown:?}"
    );
    let production = session(&world, &path, "prod", "exit\n");
    assert!(
        production.contains("41m"),
        "{shell} shows production in red: {production:?}"
    );
    // Nothing is left behind: no file in the home but the person's own, none in the temporary folder, none in the project.
    assert_eq!(fs::read_dir(world.temporary()).unwrap().count(), 0);
    assert_eq!(
        fs::read_to_string(world.home().join(start_up_file)).unwrap(),
        start_up
    );
}

#[test]
fn bash() {
    behaves(
        "bash",
        ".bashrc",
        "export A=from_start_up STARTED=yes\nPS1='$ '\n",
    );
}

#[test]
fn bash_with_a_prompt_command_of_its_own() {
    behaves(
        "bash",
        ".bashrc",
        "export A=from_start_up STARTED=yes\nPROMPT_COMMAND='PS1=\"> \"'\n",
    );
}

#[test]
fn zsh() {
    behaves(
        "zsh",
        ".zshrc",
        "export A=from_start_up STARTED=yes\nPROMPT='$ '\n",
    );
}

#[test]
fn fish() {
    let Some(path) = installed("fish") else {
        return;
    };
    let world =
        World::new(&[(".env.dev", "A=mine\n"), (".env.prod", "A=prod\n")]).var("A", "shells");
    fs::create_dir_all(world.home().join(".config/fish")).unwrap();
    fs::write(
        world.home().join(".config/fish/config.fish"),
        "set -gx A from_start_up\nset -gx STARTED yes\n",
    )
    .unwrap();
    let shown = session(&world, &path, "dev", "echo \"<$A:$STARTED>\"\nexit 3\n");
    assert!(
        shown.contains("<mine:yes>") && shown.contains("[dev]"),
        "{shown:?}"
    );
    assert!(
        shown.contains("start-up files tried to change"),
        "{shown:?}"
    );
}

#[test]
fn a_plain_shell_takes_its_prompt_from_the_block() {
    let world = World::new(&[(".env.dev", "A=mine\n")]);
    let shown = session(&world, "/bin/sh", "dev", "echo \"<$A>\"\nexit\n");
    assert!(
        shown.contains("<mine>") && shown.contains("[dev] $ "),
        "{shown:?}"
    );
}

#[test]
fn the_exit_code_is_the_shells() {
    let world = World::new(&[(".env.dev", "A=1\n")]);
    let mut command = world.command();
    command
        .args(["shell", "dev"])
        .env("SHELL", "/bin/bash")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"exit 7\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
fn refusals_are_those_of_run() {
    let world = World::new(&[(".env.dev", "APP_ENV=prod\n")]).var("SHELL", "/bin/bash");
    assert_eq!(world.ringfence(&["shell", "dev"]).code, Some(78));
    assert_eq!(world.ringfence(&["shell", "prodd"]).code, Some(78));
}
