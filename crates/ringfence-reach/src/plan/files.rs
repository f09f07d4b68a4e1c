//! Files and folders: what is hidden, what cannot be written, what is private to the run.
//!
//! Paths are as written; whether they exist, and what they really are, is found out when the plan is enforced.

mod home;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Input, address};

/// What the home directory is to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Home {
    /// Writable, but for what other programs run or obey; credentials are hidden.
    #[default]
    Guarded,
    /// Read-only, but for caches; credentials are hidden.
    ReadOnly,
    /// Empty, and gone afterwards.
    Private,
}

/// Folders and files around the run.
#[derive(Default)]
pub struct Places<'a> {
    /// The project's folder.
    pub root: PathBuf,
    /// Where the command is started.
    pub directory: PathBuf,
    /// Files that say what this environment may reach: they are the rules, and cannot be changed from inside.
    pub settings: Vec<PathBuf>,
    /// Folders in which git keeps what it obeys: `.git`, and those that a worktree shares.
    pub git: Vec<PathBuf>,
    /// The caller's home directory.
    pub home: Option<PathBuf>,
    /// What it is to the process.
    pub policy: Home,
    /// What the caller's variables move: a path below the home directory, and where it is instead, such as `.config`.
    pub moved: Vec<(&'static str, PathBuf)>,
    /// The folder for temporary files that the caller's variables name.
    pub temporary: Option<PathBuf>,
    /// The folder for sockets that the caller's variables name.
    pub runtime: Option<PathBuf>,
    /// The folders of the child's `PATH`.
    pub path: Vec<PathBuf>,
    /// The command, where it is given as a path.
    pub program: Option<PathBuf>,
    /// Files of other environments and whose they are, by path from the root.
    pub others: Vec<(PathBuf, &'a str)>,
    /// Paths that are hidden as soon as they appear.
    pub awaited: Vec<PathBuf>,
    /// Values of variables that the manifest passes, of which some are paths.
    pub passed: Vec<(&'a str, &'a str)>,
    /// Folders of coding agents below the home directory, which stay writable.
    pub agent: Vec<&'a str>,
    /// Files made for this run in a folder of their own ([`MADE`]): name and content.
    pub made: Vec<(String, String)>,
}

/// The folder of the files that are made for a run.
pub const MADE: &str = "/run/.ringfence/made";

/// What is enforced on files.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Files {
    /// The project's folder.
    pub root: PathBuf,
    /// Where the command is started.
    pub directory: PathBuf,
    /// Cannot be opened.
    pub hidden: Vec<Hidden>,
    /// Hidden as soon as they appear.
    pub awaited: Vec<PathBuf>,
    /// Cannot be changed.
    pub read_only: Vec<PathBuf>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// What it is to the process.
    pub policy: Home,
    /// Writable in a home directory that is not.
    pub writable: Vec<PathBuf>,
    /// Empty, and gone afterwards.
    pub private: Vec<PathBuf>,
    /// Shown all the same where they lie in something private or hidden, writable.
    pub shown: Vec<PathBuf>,
    /// The same, read-only.
    pub shown_read_only: Vec<PathBuf>,
    /// Files that are made for this run in the folder [`MADE`]: name and content.
    #[serde(skip)]
    pub made: Vec<(String, String)>,
}

/// A path that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hidden {
    /// The path.
    pub path: PathBuf,
    /// Whose it is, where it is another environment's.
    pub environment: Option<String>,
}

/// In the project: what other programs run or obey, and Ringfence's own rules.
const PROJECT: &[&str] = &["ringfence.toml", ".ringfence", ".envrc", ".vscode", ".idea"];

/// In a folder of git: what it runs, and what tells it to.
const GIT: &[&str] = &["hooks", "config", "config.worktree", "commondir", "gitdir"];

/// Folders that every run has of its own: temporary files, sockets, shared memory.
const PRIVATE: &[&str] = &["/tmp", "/var/tmp", "/run", "/dev/shm"];

/// Paths that hold keys and data of all environments; each environment's own part is shown in them.
const VAULTS: &[&str] = &[".ringfence/secrets"];

/// Sockets of the host that stay reachable: those that the environment's own settings name.
pub(super) fn sockets(input: &Input<'_>) -> Vec<PathBuf> {
    let private = private(input);
    let own = address::paths(&input.settings).into_iter();
    own.filter(|path| path.is_absolute() && private.iter().any(|folder| path.starts_with(folder)))
        .collect()
}

/// What is enforced on files.
pub(super) fn files(input: &Input<'_>) -> Files {
    let places = &input.places;
    let private = private(input);
    let named = named(input);
    let mut shown = vec![places.root.clone(), places.directory.clone()];
    shown.extend(passed_sockets(input));
    shown.extend(places.home.clone());
    // What the environment's own settings name in a folder that is private otherwise is data, and written to.
    let is_private = |path: &&PathBuf| private.iter().any(|folder| path.starts_with(folder));
    shown.extend(named.iter().filter(is_private).cloned());
    let mut shown_read_only: Vec<PathBuf> = places.path.clone();
    shown_read_only.extend(places.program.clone());
    shown_read_only.extend(tools(places));
    let mut files = Files {
        root: places.root.clone(),
        directory: places.directory.clone(),
        hidden: hidden(input, &named),
        awaited: places.awaited.clone(),
        read_only: in_project(places),
        home: places.home.clone(),
        policy: places.policy,
        writable: Vec::new(),
        private,
        shown,
        shown_read_only,
        made: places.made.clone(),
    };
    if let Some(home) = &places.home {
        let agent = places.agent.iter().map(|path| home.join(path));
        match places.policy {
            Home::Guarded => files.read_only.extend(obeyed(places)),
            Home::ReadOnly => {
                let caches = home::CACHES.iter().map(|path| home.join(path));
                files.writable.extend(caches.chain(agent));
                let writable = &files.writable;
                let in_cache =
                    |path: &PathBuf| writable.iter().any(|folder| path.starts_with(folder));
                files.read_only.extend(obeyed(places).filter(in_cache));
            }
            Home::Private => files.writable.extend(agent),
        }
    }
    files.shown_read_only.extend(
        VAULTS
            .iter()
            .map(|vault| places.root.join(vault).join(input.environment)),
    );
    // What the environment's own settings name is its own, wherever it lies.
    files.shown_read_only.extend(named);
    files
}

/// What is run or obeyed outside the barrier, besides what lies in the project.
fn obeyed<'a>(places: &'a Places<'_>) -> impl Iterator<Item = PathBuf> + 'a {
    home::everywhere(places, home::OBEYED).chain(home::on_path(places))
}

fn in_project(places: &Places<'_>) -> Vec<PathBuf> {
    let own = PROJECT.iter().map(|path| places.root.join(path));
    let settings = places.settings.iter().map(|path| places.root.join(path));
    let own = own.chain(settings);
    let git = places.git.iter();
    own.chain(git.flat_map(|folder| GIT.iter().map(|path| folder.join(path))))
        .collect()
}

/// Absolute paths that the environment's own settings, or what the manifest passes, name.
fn named(input: &Input<'_>) -> Vec<PathBuf> {
    let home = input.places.home.as_deref();
    let own = address::paths(&input.settings);
    let passed = address::paths(&input.places.passed);
    let all = own.into_iter().chain(passed);
    all.map(|path| absolute(&path, &input.places.root, home))
        .collect()
}

fn absolute(path: &Path, root: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(below), Some(home)) => home.join(below),
        _ => root.join(path.strip_prefix("./").unwrap_or(path)),
    }
}

/// What cannot be opened: files of other environments, what their settings name, credentials.
fn hidden(input: &Input<'_>, named: &[PathBuf]) -> Vec<Hidden> {
    let places = &input.places;
    let home = places.home.as_deref();
    let mut hidden = Vec::new();
    for (path, environment) in &places.others {
        hidden.push(Hidden {
            path: places.root.join(path),
            environment: Some((*environment).to_owned()),
        });
    }
    for (environment, settings) in &input.others {
        let theirs = address::paths(settings).into_iter();
        for path in theirs.map(|path| absolute(&path, &places.root, home)) {
            // Inside the project or the home directory: elsewhere a path may be anybody's, such as `/usr/bin`.
            let is_near =
                path.starts_with(&places.root) || home.is_some_and(|home| path.starts_with(home));
            let is_whole = path == places.root
                || Some(path.as_path()) == home
                || places.directory.starts_with(&path);
            let is_own = named
                .iter()
                .any(|own| own.starts_with(&path) || path.starts_with(own));
            if is_near && !is_whole && !is_own {
                hidden.push(Hidden {
                    path,
                    environment: Some((*environment).to_owned()),
                });
            }
        }
    }
    hidden.extend(VAULTS.iter().map(|path| Hidden {
        path: places.root.join(path),
        environment: None,
    }));
    if let Some(home) = home {
        let credentials = home::everywhere(places, home::CREDENTIALS).map(|path| Hidden {
            path,
            environment: None,
        });
        hidden.extend(credentials.filter(|hidden| {
            !places
                .agent
                .iter()
                .any(|agent| home.join(agent) == hidden.path)
        }));
    }
    hidden
}

fn private(input: &Input<'_>) -> Vec<PathBuf> {
    let places = &input.places;
    let mut private: Vec<PathBuf> = PRIVATE.iter().map(PathBuf::from).collect();
    let named = [&places.temporary, &places.runtime];
    for folder in named.into_iter().flatten() {
        let holds_something = [
            Some(&places.root),
            Some(&places.directory),
            places.home.as_ref(),
        ]
        .into_iter()
        .flatten()
        .any(|path| path.starts_with(folder));
        if folder.is_absolute()
            && !holds_something
            && !private.iter().any(|known| folder.starts_with(known))
        {
            private.push(folder.clone());
        }
    }
    private
}

/// Sockets that a passed variable stands for.
fn passed_sockets(input: &Input<'_>) -> Vec<PathBuf> {
    let mut sockets = Vec::new();
    for (name, value) in &input.places.passed {
        match *name {
            "DISPLAY" => {
                let number = value.rsplit_once(':').map_or("", |(_, screen)| screen);
                let number = number.split('.').next().unwrap_or(number);
                sockets.push(PathBuf::from(format!("/tmp/.X11-unix/X{number}")));
            }
            "WAYLAND_DISPLAY" => sockets.extend(
                input
                    .places
                    .runtime
                    .as_ref()
                    .map(|folder| folder.join(value)),
            ),
            "DBUS_SESSION_BUS_ADDRESS" => {
                let path = value
                    .split([',', ';'])
                    .find_map(|part| part.strip_prefix("unix:path="));
                sockets.extend(path.map(PathBuf::from));
            }
            "DOCKER_HOST" => sockets.extend(value.strip_prefix("unix://").map(PathBuf::from)),
            _ if value.starts_with('/') => sockets.push(PathBuf::from(value)),
            _ => {}
        }
    }
    sockets
}

/// The folders of a home directory in which tools are installed, where one of them is on `PATH`.
fn tools(places: &Places<'_>) -> Vec<PathBuf> {
    const KNOWN: &[&str] = &[
        ".cargo",
        ".rustup",
        ".pyenv",
        ".nvm",
        ".rbenv",
        ".asdf",
        ".volta",
        ".deno",
        ".bun",
        ".sdkman",
        ".nodenv",
        ".goenv",
        ".local/share/mise",
        ".local/share/pnpm",
        ".local/share/uv",
        ".local/pipx",
        ".fnm",
        ".local/share/fnm",
        "go",
        ".npm-global",
        "miniconda3",
        "anaconda3",
    ];
    let Some(home) = places
        .home
        .as_ref()
        .filter(|_| places.policy == Home::Private)
    else {
        return Vec::new();
    };
    let is_used = |folder: &Path| places.path.iter().any(|entry| entry.starts_with(folder));
    let mut tools: Vec<PathBuf> = KNOWN
        .iter()
        .map(|path| home.join(path))
        .filter(|path| is_used(path))
        .collect();
    // Rust's toolchains lie beside the folder of its programs.
    if is_used(&home.join(".cargo")) {
        tools.push(home.join(".rustup"));
    }
    tools
}
