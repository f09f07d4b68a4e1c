//! One person's project and home on the ground, and commands in it: plainly, or inside `ringfence run dev`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::ground::{ORDINARY, Who, is_root, user_id};

/// What must never be seen inside dev.
pub(crate) const SECRET: &str = "PROD-ORCHID-7731";

/// The binary, where the ground put it.
pub(crate) const BINARY: &str = "/srv/bin/ringfence";

/// Programs that make raw system calls.
const ATTACKS: &[(&str, &str)] = &[
    ("blocked.py", include_str!("attacks/blocked.py")),
    ("files.py", include_str!("attacks/files.py")),
    ("kernel.py", include_str!("attacks/kernel.py")),
    ("keys.py", include_str!("attacks/keys.py")),
    ("load.py", include_str!("attacks/load.py")),
    ("mounts.py", include_str!("attacks/mounts.py")),
    ("network.py", include_str!("attacks/network.py")),
    ("processes.py", include_str!("attacks/processes.py")),
    ("registry.py", include_str!("attacks/registry.py")),
    ("signals.py", include_str!("attacks/signals.py")),
    ("terminal.py", include_str!("attacks/terminal.py")),
    ("tls.py", include_str!("attacks/tls.py")),
];

const MANIFEST: &str =
    "version = 1\n[environments]\ndev = {}\ntest = {}\nstaging = {}\nprod = {}\n";

const DEV: &str = "DB_URL=postgres://app:pw@db:5432/app\nCACHE_URL=redis://10.10.0.5:6379/0\n\
     LOCAL_URL=http://127.0.0.1:8081\nTLS_URL=https://tls.dev.internal\n";

/// A person, their project and their home.
pub(crate) struct Scene {
    pub(crate) who: Who,
    root: PathBuf,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A process of the host, ended with the scenario.
pub(crate) struct Running(pub(crate) Child);

impl Scene {
    /// A git project with environments dev, test, staging and prod, and a home with credentials and start-up files.
    pub(crate) fn new(who: Who) -> Self {
        let root = PathBuf::from(format!("/srv/{who:?}"));
        let scene = Self { who, root };
        scene.folder(&scene.root);
        let prod = format!(
            "DB_URL=postgres://app:{SECRET}@10.20.0.5:5432/app\nCACHE_URL=redis://127.0.0.1:6391/0\n\
             API_URL=https://api.prod.internal\nTLS_URL=https://tls.prod.internal\n"
        );
        for (path, content) in [
            ("ringfence.toml", MANIFEST),
            (".env.dev", DEV),
            (".env.test", "DB_URL=postgres://app:pw@db:5432/app_test\n"),
            (".env.staging", "DB_URL=postgres://app:pw@db:5432/staging\n"),
            (".env.prod", &prod),
            (".ringfence/secrets/prod/key.pem", SECRET),
            (".ringfence/secrets/dev/key.pem", "dev key\n"),
            (".ringfence/notes", "mine\n"),
            (".gitignore", ".env*\n.ringfence/secrets/\nattacks/\n"),
            (".envrc", "# mine\n"),
            (".vscode/settings.json", "{}\n"),
            (".idea/workspace.xml", "<x/>\n"),
        ] {
            scene.write(path, content);
        }
        for (name, text) in ATTACKS {
            scene.write(&format!("attacks/{name}"), text);
        }
        for path in [
            ".aws/credentials",
            ".kube/config",
            ".pgpass",
            ".ssh/id_ed25519",
            ".netrc",
            ".docker/config.json",
        ] {
            scene.write(&format!("../home/{path}"), format!("# {SECRET}\n"));
        }
        scene.mode("../home/.pgpass", 0o600);
        for path in [".bashrc", ".profile", ".config/systemd/user/mine.service"] {
            scene.write(&format!("../home/{path}"), "# mine\n");
        }
        let git = "git init --quiet && git config user.name x && git config user.email x@x && git add . && git commit --quiet --message x";
        scene.plain(git).succeeded();
        scene
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.project().join(path)
    }

    /// The person's user id.
    pub(crate) fn user(&self) -> u32 {
        match self.who {
            Who::Root => 0,
            Who::User if is_root() => ORDINARY,
            Who::User => user_id(),
        }
    }

    /// Writes a file below the project, owned by the person.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        self.folder(path.parent().unwrap());
        fs::write(&path, content).unwrap();
        self.own(&path);
    }

    /// Makes a folder and those above it, owned by the person.
    pub(crate) fn folder(&self, path: &Path) {
        if !path.exists() {
            self.folder(path.parent().unwrap());
            fs::create_dir(path).unwrap();
            self.own(path);
        }
    }

    /// Gives a path to the person.
    pub(crate) fn own(&self, path: &Path) {
        if is_root() {
            chown(path, Some(self.user()), Some(self.user())).unwrap();
        }
    }

    pub(crate) fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Any program, as the person, in the project, with a small block.
    pub(crate) fn command(&self, program: &[&str]) -> Command {
        self.command_in(program, &[])
    }

    /// A program that leads the words before it, such as `timeout 5`, which stay outside of the person's reach.
    fn command_in(&self, program: &[&str], before: &[&str]) -> Command {
        let user = self.user().to_string();
        let mut words: Vec<&str> = before.to_vec();
        if self.who == Who::User && is_root() {
            words.extend(["setpriv", "--reuid", &user, "--regid", &user]);
            words.extend(["--clear-groups", "--inh-caps=-all"]);
        }
        words.extend(program);
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .current_dir(self.project())
            .stdin(Stdio::null())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.root.join("home"))
            .env("LANG", "C.UTF-8");
        command
    }

    /// Any program, as the person, for at most a minute, in a process group of its own.
    pub(crate) fn timed(&self, program: &[&str]) -> Command {
        self.command_in(program, &["timeout", "--kill-after=1", "60"])
    }

    /// A script without a barrier.
    pub(crate) fn plain(&self, script: &str) -> Outcome {
        Outcome::of(&self.timed(&["sh", "-c", script]).output().unwrap())
    }

    /// `ringfence` with these arguments.
    pub(crate) fn ringfence(&self, arguments: &[&str]) -> Outcome {
        let words = [&[BINARY], arguments].concat();
        Outcome::of(&self.timed(&words).output().unwrap())
    }

    /// A script inside dev, which must have started.
    #[track_caller]
    pub(crate) fn inside(&self, script: &str) -> Outcome {
        self.inside_of("dev", script)
    }

    /// A script inside an environment, which must have started.
    #[track_caller]
    pub(crate) fn inside_of(&self, environment: &str, script: &str) -> Outcome {
        let script = format!("echo started; {script}");
        self.ringfence(&["run", environment, "--", "sh", "-c", &script])
            .started()
    }

    /// A host's process, as the person.
    pub(crate) fn spawn(&self, program: &[&str]) -> Running {
        let mut command = self.command(program);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Running(command.spawn().unwrap())
    }

    /// The attack shows the secret plainly; inside it fails, shows nothing, and says one of these words.
    #[track_caller]
    pub(crate) fn hidden(&self, script: &str, words: &[&str]) -> Outcome {
        let control = self.plain(script);
        assert!(
            control.stdout.contains(SECRET),
            "the control of {script:?}: {control:?}"
        );
        self.shows_nothing(script, words)
    }

    /// The attack, inside, fails, shows nothing, and says one of these words.
    #[track_caller]
    pub(crate) fn shows_nothing(&self, script: &str, words: &[&str]) -> Outcome {
        let outcome = self.inside(script);
        let told = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!told.contains(SECRET), "{script:?} inside: {outcome:?}");
        outcome.failed(words)
    }

    /// The attack, inside, shows nothing, however it ends.
    #[track_caller]
    pub(crate) fn never_shows(&self, script: &str) {
        let outcome = self.inside(script);
        let told = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!told.contains(SECRET), "{script:?} inside: {outcome:?}");
    }

    /// The attack succeeds plainly; inside it fails and says one of these words.
    #[track_caller]
    pub(crate) fn repelled(&self, script: &str, words: &[&str]) -> Outcome {
        self.plain(script).succeeded();
        self.inside(script).failed(words)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // The ground goes away with the test; this only keeps one part from seeing the other's files.
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Outcome {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    fn started(mut self) -> Self {
        let rest = self.stdout.strip_prefix("started\n").map(str::to_owned);
        self.stdout = rest.unwrap_or_else(|| panic!("nothing was started: {self:?}"));
        let lowered = self.stderr.contains("cannot be built here");
        assert!(!lowered, "a lower level shows nothing: {self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// It failed, and said one of these words.
    #[track_caller]
    pub(crate) fn failed(self, words: &[&str]) -> Self {
        let told = format!("{}{}", self.stdout, self.stderr);
        assert_ne!(self.code, Some(0), "must fail: {self:?}");
        assert!(
            words.iter().any(|word| told.contains(word)),
            "must say one of {words:?}: {self:?}"
        );
        self
    }

    /// Its error output has a line of the barrier that says all of this.
    #[track_caller]
    pub(crate) fn told(&self, words: &[&str]) {
        let found = self.stderr.lines().any(|line| {
            line.starts_with("ringfence: blocked ") && words.iter().all(|word| line.contains(word))
        });
        assert!(found, "no refusal that says {words:?}:\n{}", self.stderr);
    }
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has not ended.
    pub(crate) fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something holds, for at most ten seconds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "never came: {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The living processes of the ground whose command line has this in it.
pub(crate) fn processes_with(word: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(id) = name.parse() else { continue };
        // A process that has ended meanwhile, or waits to be reaped, has no command line.
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(word) {
            found.push(id);
        }
    }
    found
}
