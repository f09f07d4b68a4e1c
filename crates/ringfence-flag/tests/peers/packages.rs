//! Other programs' packages, installed once into a folder of the build.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn run(program: &Path, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A folder of the build. Two processes that install into it at once leave it to the one that is done first.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn installed(name: &str, install: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let place = folder(name);
    if place.exists() {
        return Some(place);
    }
    let begun = folder(&format!("{name}.{}", std::process::id()));
    let is_there = install(&begun) && (std::fs::rename(&begun, &place).is_ok() || place.exists());
    is_there.then_some(place)
}

/// Python with packages of PyPI: the folder of its modules.
pub(crate) fn python(name: &str, packages: &[&str]) -> Option<PathBuf> {
    installed(name, |folder| {
        let target = folder.to_str().unwrap_or_default();
        let words = ["-m", "pip", "install", "--quiet", "--target", target];
        run(Path::new("python3"), &[&words, packages].concat())
    })
}

/// Node with packages of npm: the folder of its modules.
pub(crate) fn node(name: &str, packages: &[&str]) -> Option<PathBuf> {
    let found = installed(name, |folder| {
        let target = folder.to_str().unwrap_or_default();
        let words = [
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
            target,
        ];
        run(Path::new("npm"), &[&words, packages].concat())
    });
    found.map(|folder| folder.join("node_modules"))
}

/// flagd's test bed, where cargo has unpacked the crate that carries it.
pub(crate) fn testbed() -> Option<PathBuf> {
    let found = || {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home =
            home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))?;
        let registries = std::fs::read_dir(home.join("registry/src")).ok()?.flatten();
        let beds =
            registries.map(|entry| entry.path().join("open-feature-flagd-0.3.0/flagd-testbed"));
        beds.into_iter().find(|bed| bed.is_dir())
    };
    let fetch = || {
        run(
            Path::new(env!("CARGO")),
            &["info", "open-feature-flagd@0.3.0"],
        )
    };
    found().or_else(|| fetch().then(found).flatten())
}
