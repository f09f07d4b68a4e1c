//! `ringfence secret edit`: the text is never on a disk, and never left behind.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::scene::{CANARY, Scene, holds};
use crate::world::Outcome;

const EDIT: [&str; 3] = ["secret", "edit", "dev"];

/// What an editor notes about its file before it does anything.
const NOTE: &str = "#!/bin/sh
file=$1
{ stat -f -c %T \"$file\"; stat -c %a \"$file\"; stat -c %a \"$(dirname \"$file\")\"; echo \"$file\"; echo \"$TMPDIR\"; env | grep -c '^SOPS_AGE\\|^DOTENV_PRIVATE'; } >noted
";

fn scene() -> Scene {
    Scene::sealed("A=cAnArY7x9Q2\nB=2\n")
}

/// Edits with a script behind the notes.
fn edited(scene: &Scene, script: &str) -> Outcome {
    let editor = scene.script("editor.sh", &format!("{NOTE}{script}\n"));
    let mut command = scene.command("ana", &EDIT);
    command
        .env("EDITOR", editor)
        .env("SOPS_AGE_KEY", scene.age_secret("ana"))
        .env("DOTENV_PRIVATE_KEY", "x");
    Outcome::of(&command.output().unwrap())
}

/// The file that the editor had.
fn file(scene: &Scene) -> PathBuf {
    let noted = scene.world.read("noted");
    PathBuf::from(noted.lines().nth(3).unwrap())
}

/// Nothing is left of the editor's folder; the keeper may take a moment.
#[track_caller]
fn is_gone(scene: &Scene) {
    let folder = file(scene).parent().unwrap().to_owned();
    let began = Instant::now();
    while folder.exists() {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{} is left",
            folder.display()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a text stands in any file below a folder.
fn stands_below(folder: &std::path::Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match fs::symlink_metadata(&path).unwrap().file_type() {
            kind if kind.is_dir() => stands_below(&path, text),
            kind if kind.is_file() => fs::read(&path)
                .unwrap()
                .windows(text.len())
                .any(|part| part == text.as_bytes()),
            _ => false,
        }
    })
}

#[test]
fn the_text_lies_in_memory_for_this_user_alone_and_goes() {
    let scene = scene();
    let outcome = edited(
        &scene,
        "sed -i -e 's/^B=.*/B=changed/' -e '$aC=new' \"$file\"",
    );
    holds(&outcome, 0, &["sealed .env.dev.enc"]);
    let noted = scene.world.read("noted");
    let lines: Vec<&str> = noted.lines().collect();
    assert_eq!(&lines[..3], ["tmpfs", "600", "700"]);
    assert_eq!(file(&scene).parent().unwrap().to_str(), Some(lines[4]));
    assert_eq!(lines[5], "0", "keys reached the editor");
    is_gone(&scene);
    assert_eq!(scene.value("ben", "dev", "B"), "changed");
    assert_eq!(scene.value("ben", "dev", "C"), "new");
    assert_eq!(scene.value("ben", "dev", "A"), CANARY);
    for folder in [
        scene.world.project(),
        scene.world.home(),
        scene.world.temporary(),
    ] {
        assert!(!stands_below(&folder, CANARY));
    }
}

#[test]
fn an_editor_that_fails_leaves_everything_as_it_was() {
    let scene = scene();
    let before = scene.world.read(".env.dev.enc");
    let outcome = edited(&scene, "echo B=9 >\"$file\"; exit 3");
    holds(
        &outcome,
        78,
        &["ended with exit status: 3", "left as it was"],
    );
    is_gone(&scene);
    let outcome = edited(&scene, "true");
    holds(&outcome, 0, &["nothing was changed"]);
    is_gone(&scene);
    let outcome = edited(&scene, "rm \"$file\"");
    holds(&outcome, 78, &["cannot be read", "left as it was"]);
    is_gone(&scene);
    assert_eq!(scene.world.read(".env.dev.enc"), before);
}

#[test]
fn an_editor_that_is_not_there_is_named() {
    let scene = scene();
    let mut command = scene.command("ana", &EDIT);
    command.env("EDITOR", "no-such-editor --wait");
    let outcome = Outcome::of(&command.output().unwrap());
    holds(&outcome, 127, &["`no-such-editor`", "`EDITOR`"]);
}

#[test]
fn what_cannot_be_sealed_is_refused_and_can_be_edited_again() {
    let scene = scene();
    let before = scene.world.read(".env.dev.enc");
    for text in ["no equals sign", "1A=2", "RINGFENCE_TIER=x", "A=1\\nA=2"] {
        let outcome = edited(&scene, &format!("printf '{text}\\n' >\"$file\""));
        assert_eq!(
            outcome.code.map(|code| code > 0),
            Some(true),
            "{text}: {outcome:?}"
        );
        assert!(outcome.stderr.contains("hint: "), "{text}: {outcome:?}");
        is_gone(&scene);
        assert_eq!(scene.world.read(".env.dev.enc"), before, "{text}");
    }
    // On a terminal, the text is kept for a second attempt.
    let editor = "#!/bin/sh\nif test -e second; then sed -i s/wrong/B=right/ \"$1\"; else echo wrong >\"$1\"; touch second; fi\n";
    let editor = scene.script("editor.sh", editor);
    let mut command = scene.typing("ana", &["press Enter", "\\n"]);
    command.arg(env!("CARGO_BIN_EXE_ringfence")).args(EDIT);
    command.env("EDITOR", editor);
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(scene.value("ana", "dev", "B"), "right");
}

/// An edit whose editor waits until it is ended.
fn waiting(scene: &Scene) -> Child {
    let editor = scene.script(
        "editor.sh",
        &format!("{NOTE}mv noted ready; exec sleep 60\n"),
    );
    let mut command = scene.command("ana", &EDIT);
    command.env("EDITOR", editor).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let began = Instant::now();
    while !scene.world.path("ready").exists() {
        assert!(began.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::rename(scene.world.path("ready"), scene.world.path("noted")).unwrap();
    child
}

fn kill(signal: &str, id: &str) {
    let mut command = std::process::Command::new("kill");
    assert!(command.args([signal, "--", id]).status().unwrap().success());
}

/// Whether whoever started the tests ignores a signal, as `nohup` does: then every process below ignores it, too.
fn is_ignored(signal: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = u64::from_str_radix(mask.unwrap().trim(), 16).unwrap();
    mask & (1 << (signal - 1)) != 0
}

#[test]
fn nothing_is_left_when_a_signal_ends_it() {
    for (signal, number) in [("-INT", 2), ("-TERM", 15), ("-HUP", 1), ("-KILL", 9)] {
        if is_ignored(number) {
            eprintln!("skipped: {signal} is ignored here");
            continue;
        }
        let scene = scene();
        let mut child = waiting(&scene);
        assert!(file(&scene).exists());
        kill(signal, &child.id().to_string());
        assert!(!child.wait().unwrap().success());
        is_gone(&scene);
        scene.starts("ana", "dev");
    }
}

#[test]
fn nothing_is_left_when_ctrl_c_ends_it() {
    let scene = scene();
    let editor = scene.script("editor.sh", &format!("{NOTE}echo waiting; exec sleep 60\n"));
    let mut command = scene.typing("ana", &["waiting", "\\x03"]);
    command.arg(env!("CARGO_BIN_EXE_ringfence")).args(EDIT);
    command.env("EDITOR", editor);
    let outcome = Outcome::of(&command.output().unwrap());
    assert_ne!(outcome.code, Some(0), "{outcome:?}");
    is_gone(&scene);
}

/// Even its keeper may be killed; then the next edit clears what is left, and nothing that is in use.
#[test]
fn the_next_edit_clears_what_a_killed_one_left() {
    let scene = scene();
    let mut in_use = waiting(&scene);
    let used = file(&scene);
    let mut child = waiting(&scene);
    let left = file(&scene);
    let folder = left.parent().unwrap().to_str().unwrap().to_owned();
    let keepers = std::process::Command::new("pgrep")
        .args(["-f", &format!("rm -rf.* {folder}$")])
        .output()
        .unwrap();
    let keepers = String::from_utf8(keepers.stdout).unwrap();
    let keepers: Vec<&str> = keepers.split_whitespace().collect();
    assert_eq!(keepers.len(), 1, "{keepers:?}");
    kill("-KILL", keepers[0]);
    kill("-KILL", &child.id().to_string());
    child.wait().unwrap();
    assert!(left.exists());
    edited(&scene, "true");
    assert!(!left.exists());
    assert!(used.exists());
    in_use.kill().unwrap();
    in_use.wait().unwrap();
}

/// The real editors that are here, told to write nothing elsewhere.
#[test]
fn vim_leaves_no_copies() {
    if !std::path::Path::new("/usr/bin/vim").exists() {
        crate::scene::required("vim", false);
        return;
    }
    let is_vim = |name: &&str| {
        let real =
            fs::canonicalize(std::path::Path::new("/usr/bin").join(name)).unwrap_or_default();
        real.to_string_lossy().contains("/vim")
    };
    for editor in ["vim", "/usr/bin/vim", "vi"].into_iter().filter(is_vim) {
        let scene = scene();
        let home = scene.home("ana");
        fs::write(home.join(".vimrc"), "set backup undofile\n").unwrap();
        let keys = "yy:%s/B=2/B=vim/\n:wq\n";
        let mut command = scene.typing("ana", &["cAnArY7x9Q2", keys]);
        command.arg(env!("CARGO_BIN_EXE_ringfence")).args(EDIT);
        command.env("EDITOR", editor);
        let outcome = Outcome::of(&command.output().unwrap());
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(scene.value("ana", "dev", "B"), "vim");
        for folder in [
            scene.world.project(),
            scene.world.home(),
            scene.world.temporary(),
        ] {
            assert!(!stands_below(&folder, CANARY), "{editor}");
        }
    }
}

#[test]
fn json_files_are_edited_as_json() {
    let scene = Scene::new();
    scene.declare("[secrets]\ndev = { file = \"secrets/dev.json\" }\n");
    scene.sets("dev", "A", "1");
    let outcome = edited(&scene, "sed -i 's/\"A\": \"1\"/\"A\": \"two\"/' \"$file\"");
    holds(&outcome, 0, &["sealed secrets/dev.json"]);
    assert_eq!(scene.value("ana", "dev", "A"), "two");
}
