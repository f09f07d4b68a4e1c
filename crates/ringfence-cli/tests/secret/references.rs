//! Values that the manifest keeps elsewhere, and values that dotenvx encrypted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::scene::{CANARY, Scene, required, succeeds};
use crate::world::Outcome;

/// A project in which `TOKEN` comes from a command.
fn from_command(words: &str) -> Scene {
    let scene = Scene::new();
    scene.declare(&format!(
        "[settings]\nTOKEN = {{ secret = true, from = {{ command = {words} }} }}\n"
    ));
    scene.world.write(".env.dev", "B=1\n");
    scene
}

#[test]
fn a_command_gives_a_value() {
    let scene = from_command("[\"printf\", \"%s\\n\", \"a b\"]");
    assert_eq!(scene.value("ana", "dev", "TOKEN"), "a b");
}

#[test]
fn a_plan_runs_no_command() {
    let scene = from_command("[\"touch\", \"ran\"]");
    let explained = scene.fine("ana", &["run", "dev", "--explain"]);
    assert!(!scene.world.path("ran").exists());
    assert!(explained.stderr.contains("TOKEN"), "{explained:?}");
    let command = scene.says("ana", &["run", "dev", "--explain", "--json", "--", "true"]);
    assert_eq!(command.code, Some(0), "{command:?}");
    assert!(!scene.world.path("ran").exists());
}

#[test]
fn no_shell_reads_a_command() {
    let words = "[\"printf\", \"%s\", \"$(touch ran)`touch ran`; touch ran | $HOME > ran * ~\"]";
    let scene = from_command(words);
    assert_eq!(
        scene.value("ana", "dev", "TOKEN"),
        "$(touch ran)`touch ran`; touch ran | $HOME > ran * ~"
    );
    assert!(!scene.world.path("ran").exists());
    let scene = from_command("[\"echo a; touch ran\"]");
    scene.refuses("ana", "dev", &["`TOKEN` has no value", "cannot be started"]);
    assert!(!scene.world.path("ran").exists());
}

#[test]
fn a_command_that_fails_starts_nothing_and_its_output_is_not_shown() {
    for (script, word) in [
        ("echo cAnArY7x9Q2; exit 3", "ended with exit status: 3"),
        (
            "head -c 70000 /dev/zero | tr '\\0' x; echo cAnArY7x9Q2",
            "more than 64 KiB",
        ),
        ("printf 'cAnArY7x9Q2\\377'", "not UTF-8"),
        ("printf 'cAnArY7x9Q2\\000x'", "NUL"),
    ] {
        let scene = from_command("[\"sh\", \"print.sh\"]");
        scene.world.write("print.sh", script);
        let outcome = scene.refuses("ana", "dev", &["`TOKEN` has no value", word]);
        assert!(!outcome.stderr.contains(CANARY), "{outcome:?}");
    }
    let scene = from_command("[]");
    scene.refuses("ana", "dev", &["TOKEN"]);
}

/// The limit is 30 seconds; both ways of not ending are waited for at once.
#[test]
fn a_command_that_does_not_end_is_ended() {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for script in ["exec sleep 300", "echo x; exec >&-; exec sleep 300"] {
            scope.spawn(move || {
                let scene = from_command(&format!("[\"sh\", \"-c\", \"{script}\"]"));
                scene.refuses("ana", "dev", &["did not end within 30 seconds"]);
            });
        }
    });
    assert!(began.elapsed() < Duration::from_secs(120));
}

#[test]
fn a_manifest_that_others_can_write_runs_nothing() {
    let scene = from_command("[\"sh\", \"-c\", \"touch ran; echo x\"]");
    let (manifest, folder) = (scene.world.path("ringfence.toml"), scene.world.project());
    for (path, open, closed) in [(&manifest, 0o666, 0o644), (&folder, 0o777, 0o755)] {
        fs::set_permissions(path, fs::Permissions::from_mode(open)).unwrap();
        scene.refuses("ana", "dev", &["can be written by others", "chmod go-w"]);
        assert!(!scene.world.path("ran").exists());
        fs::set_permissions(path, fs::Permissions::from_mode(closed)).unwrap();
    }
    assert_eq!(scene.value("ana", "dev", "TOKEN"), "x");
}

/// The manifest is every environment's alike, and a sealed or plain file of one cannot say what to run.
#[test]
fn only_the_manifest_says_what_to_run() {
    let scene = Scene::new();
    let rows = "TOKEN={ command = [\"touch\", \"ran\"] }\nB=$(touch ran)\n";
    scene.world.write(".env.dev", rows);
    let outcome = scene.says("ana", &["run", "dev", "--", "true"]);
    assert!(outcome.code.is_some());
    scene.sets("dev", "D", "$(touch ran)");
    assert_eq!(scene.value("ana", "dev", "D"), "$(touch ran)");
    assert!(!scene.world.path("ran").exists());
}

#[test]
fn a_command_runs_for_its_own_environment_only_and_never_to_show() {
    let scene = Scene::new();
    scene.declare(
        "[settings]\nTOKEN = { secret = true, required = false, from = { in.prod = { command = [\"touch\", \"ran\"] } } }\n",
    );
    scene.world.write(".env.dev", "B=1\n");
    scene.says("ana", &["run", "dev", "--", "true"]);
    for command in [&["show", "prod"][..], &["explain", "TOKEN"], &["check"]] {
        scene.says("ana", command);
    }
    assert!(!scene.world.path("ran").exists());
}

#[test]
fn a_file_gives_a_value() {
    let scene = Scene::new();
    scene.declare(
        "[settings]\nTOKEN = { secret = true, from = { file = \"kept/token\" } }\nHOME_TOKEN = { secret = true, from = { file = \"~/token\" } }\n",
    );
    scene.world.write(".env.dev", "B=1\n");
    let missing = scene.refuses("ana", "dev", &["has no value", "cannot be read"]);
    assert!(missing.stderr.contains("token"));
    scene.world.write("kept/token", "from a file\n");
    fs::write(scene.home("ana").join("token"), "at home\r\n").unwrap();
    assert_eq!(scene.value("ana", "dev", "TOKEN"), "from a file");
    assert_eq!(scene.value("ana", "dev", "HOME_TOKEN"), "at home");
    fs::remove_file(scene.world.path("kept/token")).unwrap();
    fs::create_dir(scene.world.path("kept/token")).unwrap();
    scene.refuses("ana", "dev", &["not a regular file"]);
}

/// `dotenvx` from npm, installed once.
fn dotenvx() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dotenvx");
        let binary = folder.join("node_modules/.bin/dotenvx");
        let prefix = ["--prefix", folder.to_str().unwrap()];
        let install = ["install", "--silent", "--no-save", "@dotenvx/dotenvx@1"];
        let is_there =
            binary.exists() || succeeds(Path::new("npm"), &[&install[..], &prefix].concat());
        (is_there && binary.exists()).then_some(binary)
    });
    required("dotenvx", found.is_some());
    found.as_deref()
}

#[test]
fn values_of_dotenvx_are_opened_with_their_key_and_refused_without() {
    let Some(dotenvx) = dotenvx() else {
        return;
    };
    let scene = Scene::new();
    scene
        .world
        .write(".env.prod", "TOKEN=cAnArY7x9Q2\nB=two words\n");
    let mut command = scene.world.any_command(dotenvx);
    command.args(["encrypt", "-f", ".env.prod"]);
    let encrypted = Outcome::of(&command.output().unwrap());
    let text = scene.world.read(".env.prod");
    assert!(
        text.contains("encrypted:") && !text.contains(CANARY),
        "{encrypted:?}\n{text}"
    );
    assert_eq!(scene.value("ana", "prod", "TOKEN"), CANARY);
    assert_eq!(scene.value("ana", "prod", "B"), "two words");
    let keys = scene.world.read(".env.keys");
    let key = keys
        .lines()
        .find_map(|line| line.strip_prefix("DOTENV_PRIVATE_KEY_PROD="));
    let key = key.unwrap().trim_matches('"').to_owned();
    fs::remove_file(scene.world.path(".env.keys")).unwrap();
    let words = ["DOTENV_PRIVATE_KEY_PROD", ".env.keys", "`TOKEN`"];
    scene.refuses("ana", "prod", &words[..2]);
    let run = ["run", "prod", "--redact=never", "--", "env"];
    let mut command = scene.command("ana", &run);
    let outcome = Outcome::of(
        &command
            .env("DOTENV_PRIVATE_KEY_PROD", &key)
            .output()
            .unwrap(),
    );
    assert!(outcome.stdout.contains(CANARY), "{outcome:?}");
    assert!(
        !outcome.stdout.contains("DOTENV_PRIVATE_KEY"),
        "{outcome:?}"
    );
    // Another key, and what is no key.
    let other = key.replace(['0', '1', '2'], "3");
    for wrong in [other.as_str(), "short", ""] {
        let mut command = scene.command("ana", &run);
        let outcome = Outcome::of(
            &command
                .env("DOTENV_PRIVATE_KEY_PROD", wrong)
                .output()
                .unwrap(),
        );
        assert_eq!(outcome.code, Some(78), "{wrong}: {outcome:?}");
        assert!(
            wrong.is_empty() || !outcome.stderr.contains(wrong),
            "{outcome:?}"
        );
    }
}
