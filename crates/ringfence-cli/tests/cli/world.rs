//! A hermetic place for the binary: a project's folder, a home, and nothing of the caller's environment.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

/// A project in a temporary folder, and the variables that the caller's shell holds.
pub(crate) struct World {
    root: PathBuf,
    variables: Vec<(String, String)>,
    directory: PathBuf,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// A project with these files.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("world-{}-{count}", std::process::id()));
        for folder in ["project", "home", "tmp"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        // Keeps the search for a root inside: the build folder may lie in a project of its own.
        fs::create_dir_all(root.join("project/.git")).unwrap();
        let world = Self {
            directory: root.join("project"),
            root,
            variables: Vec::new(),
        };
        for (path, content) in files {
            world.write(path, content);
        }
        world
    }

    /// Whether this machine can build the barrier; where it must, that it cannot is a failure.
    pub(crate) fn can_build(&self) -> bool {
        let level = self.ringfence(&["doctor", "--json"]).stdout;
        let can = level.contains("\"barrier\": \"full\"");
        let required = std::env::var("RINGFENCE_TEST_REQUIRES").unwrap_or_default();
        assert!(
            can || !required.split(',').any(|word| word == "barrier"),
            "{level}"
        );
        if !can {
            eprintln!("skipped: no barrier can be built here");
        }
        can
    }

    /// Puts a variable into the caller's shell.
    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts commands in a folder below the project's.
    pub(crate) fn below(mut self, folder: &str) -> Self {
        self.directory = self.path(folder);
        self
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    pub(crate) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.project().join(path)
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// The binary, with the hermetic block and no arguments yet.
    pub(crate) fn command(&self) -> Command {
        self.any_command(env!("CARGO_BIN_EXE_ringfence"))
    }

    /// Any program, with the same block.
    pub(crate) fn any_command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .current_dir(&self.directory)
            .stdin(Stdio::null());
        command
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.home());
        command
            .env("TMPDIR", self.temporary())
            .env("LANG", "C.UTF-8");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `ringfence` with these arguments.
    pub(crate) fn ringfence(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&self.command().args(arguments).output().unwrap())
    }

    /// Runs `ringfence ARGUMENTS -- touch started`, and says whether that was started.
    pub(crate) fn try_start(&self, arguments: &[&str]) -> (Outcome, bool) {
        let outcome = self.ringfence(&[arguments, &["--", "touch", "started"]].concat());
        (outcome, self.path("started").exists())
    }

    /// Nothing is started, the exit code is 78, and the message has all of these in it.
    #[track_caller]
    pub(crate) fn refuses(&self, arguments: &[&str], words: &[&str]) -> Outcome {
        let (outcome, started) = self.try_start(arguments);
        assert!(!started, "{arguments:?} started the command: {outcome:?}");
        assert_eq!(outcome.code, Some(78), "{arguments:?}: {outcome:?}");
        assert_eq!(outcome.stdout, "");
        for word in words {
            assert!(
                outcome.stderr.contains(word),
                "{arguments:?} should say {word:?}:\n{}",
                outcome.stderr
            );
        }
        outcome
    }

    /// The child's whole environment block, one `NAME=value` a line, sorted.
    #[track_caller]
    pub(crate) fn block(&self, arguments: &[&str]) -> Vec<String> {
        let outcome = self.ringfence(&[arguments, &["--", "env", "-0"]].concat());
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let mut lines: Vec<String> = outcome
            .stdout
            .split_terminator('\0')
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    }

    /// The value that the child sees.
    #[track_caller]
    pub(crate) fn value(&self, arguments: &[&str], name: &str) -> Option<String> {
        let head = format!("{name}=");
        self.block(arguments)
            .into_iter()
            .find_map(|line| line.strip_prefix(&head).map(str::to_owned))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A folder that stays behind is under the build folder, and no reason to fail.
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Outcome {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A port that nobody has, and that nobody is given by chance: below those that the system gives out.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + u16::try_from(std::process::id() % 200 * 100).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 100;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
