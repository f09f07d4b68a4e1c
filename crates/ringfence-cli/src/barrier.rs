//! From a project and a resolution to the plan of a barrier, the level that is demanded, and the words for what it does.

mod told;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use ringfence_model::block::Block;
use ringfence_model::discover::{self, FileRole};
use ringfence_model::environment::{Environment, Named};
use ringfence_model::resolve::Resolution;
use ringfence_model::tier::Tier;
use ringfence_reach::plan::{self, Home, Input, Places, Plan, Unnamed};
use ringfence_sandbox::level::Level;

use crate::agent::Agent;
use crate::ambient::{self, Ambient};
use crate::args::Wall;
use crate::failure::{Failure, exit};
use crate::gather;
use crate::load::Loaded;
pub(crate) use told::{lesson, summary, words};

/// What is demanded of a barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Demand {
    /// The level that is tried first; `config-only` means that none is.
    pub(crate) wanted: Level,
    /// The weakest that will do.
    pub(crate) required: Level,
}

/// What is demanded, by the arguments, the manifest, the tier, and whether an agent is about.
pub(crate) fn demand(
    wall: &Wall,
    environment: &Environment,
    agent: Option<&Agent>,
) -> Result<Demand, Failure> {
    let lower = environment.tier < Tier::Staging;
    let written = environment
        .barrier
        .as_ref()
        .map(|(level, _)| level.as_str());
    let required = match written {
        Some("off") | None if lower && agent.is_none() => Level::ConfigOnly,
        Some("off") | None => Level::Full,
        Some(level) => Level::named(level).unwrap_or(Level::Full),
    };
    if wall.no_barrier {
        return without(environment, lower, required);
    }
    if let Some(level) = wall.barrier {
        let wanted = level.level();
        if wanted < required {
            return Err(too_weak(environment, wanted, required));
        }
        return Ok(Demand {
            wanted,
            required: wanted,
        });
    }
    let wanted = match written {
        Some("off") if required == Level::ConfigOnly => Level::ConfigOnly,
        Some("config-only") => Level::ConfigOnly,
        _ => Level::Full,
    };
    Ok(Demand {
        wanted,
        required: required.min(wanted),
    })
}

fn without(environment: &Environment, lower: bool, required: Level) -> Result<Demand, Failure> {
    if !lower && environment.barrier.is_none() {
        let message = format!(
            "`--no-barrier` is refused in `{}`, which is of tier {}; nothing was started",
            environment.name, environment.tier
        );
        return Err(Failure::error(exit::DENIED, message)
            .hint("leave it out; `ringfence doctor` says what this machine can enforce")
            .into());
    }
    if required > Level::ConfigOnly {
        return Err(too_weak(environment, Level::ConfigOnly, required));
    }
    Ok(Demand {
        wanted: Level::ConfigOnly,
        required,
    })
}

/// The same where what comes in is limited: a program on the host's own network listens there by itself, and nothing can stand
/// before it.
pub(crate) fn with_front(demand: Demand, environment: &Environment) -> Result<Demand, Failure> {
    if demand.wanted >= Level::NoPidns {
        let required = demand.required.max(Level::NoPidns);
        return Ok(Demand { required, ..demand });
    }
    let (name, wanted) = (&environment.name, demand.wanted);
    let is_written = environment
        .barrier
        .as_ref()
        .is_some_and(|(level, _)| level == "off" || Level::named(level) == Some(wanted));
    let code = if is_written {
        exit::REFUSED
    } else {
        exit::NOT_SET_UP
    };
    let message = format!(
        "what comes in to `{name}` is limited, and a program under `{wanted}` listens on the host's own network, past the limits; nothing was started"
    );
    Err(Failure::error(code, message)
        .hint(format!(
            "start it with the barrier `{}`, or say `ingress = {{ in.{name} = \"none\" }}` in `[gateway]`",
            Level::NoPidns
        ))
        .into())
}

fn too_weak(environment: &Environment, wanted: Level, required: Level) -> Failure {
    let message = format!(
        "`{}` requires the barrier `{required}`, and `{wanted}` is weaker; nothing was started",
        environment.name
    );
    Failure::error(exit::NOT_SET_UP, message)
        .hint(format!(
            "ask for `{required}`, or say `barrier = \"{wanted}\"` for `{}` in ringfence.toml",
            environment.name
        ))
        .into()
}

/// A file in a folder of its own, and the variable that names the folder. Inside a barrier it is made for the run alone; without
/// one it lies in the temporary folder, and whoever reads it removes it.
pub(crate) struct Handed {
    pub(crate) variable: &'static str,
    pub(crate) file: &'static str,
    pub(crate) inside: String,
    pub(crate) outside: String,
}

/// Refuses names of presets that there are none of: what they should allow would be refused without a word.
pub(crate) fn check_presets(loaded: &Loaded, environment: &Environment) -> Result<(), Failure> {
    use ringfence_reach::plan::preset::{PRESETS, preset};
    let written = loaded.project.egress.get(&environment.name);
    let mut written = written.iter().flat_map(|egress| &egress.presets);
    let Some(unknown) = written.find(|name| preset(name).is_none()) else {
        return Ok(());
    };
    let known: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    let meant = ringfence_diagnostic::spelling::closest(unknown, known.iter().copied());
    let hint = meant.map_or_else(
        || format!("known are {}", known.join(", ")),
        |meant| {
            format!(
                "did you mean `preset:{meant}`? known are {}",
                known.join(", ")
            )
        },
    );
    let message = format!(
        "`[egress]` of `{}` names the preset `{unknown}`, which there is none of; nothing was started",
        environment.name
    );
    Err(Failure::error(exit::REFUSED, message).hint(hint).into())
}

/// What a plan is made from.
pub(crate) struct Around<'a> {
    pub(crate) loaded: &'a Loaded,
    pub(crate) environment: &'a Environment,
    /// The settings as the program gets them.
    pub(crate) resolution: &'a Resolution,
    /// Settings in whose place it gets the gateway's, as they are.
    pub(crate) carried: Vec<(&'a str, &'a str)>,
    pub(crate) block: &'a Block,
    pub(crate) ambient: &'a Ambient,
    pub(crate) agent: Option<&'static Agent>,
    pub(crate) learn: bool,
}

/// The plan for a command.
pub(crate) fn plan(around: &Around<'_>, program: &OsStr, handed: Option<&Handed>) -> Plan {
    let Around {
        loaded,
        environment,
        ambient,
        ..
    } = around;
    let others: Vec<(&str, Resolution)> = loaded
        .project
        .environments
        .iter()
        .filter(|other| other.name != environment.name)
        .map(|other| {
            (
                other.name.as_str(),
                loaded.resolve(other, &ambient.host, &[]),
            )
        })
        .collect();
    let egress = loaded.project.egress.get(&environment.name);
    let passed: Vec<(&str, &str)> = loaded
        .project
        .pass
        .iter()
        .filter_map(|name| Some((name.as_str(), ambient.host.get(name)?.to_str()?)))
        .collect();
    let unnamed = match egress {
        _ if around.learn => Unnamed::Learn,
        Some(egress) if egress.is_open => Unnamed::Open,
        _ => Unnamed::Closed,
    };
    plan::plan(&Input {
        environment: &environment.name,
        settings: pairs(around.resolution),
        carried: around.carried.clone(),
        others: others
            .iter()
            .map(|(name, resolution)| (*name, pairs(resolution)))
            .collect(),
        egress: egress
            .map(|egress| egress.hosts.clone())
            .unwrap_or_default(),
        presets: egress
            .map(|egress| egress.presets.clone())
            .unwrap_or_default(),
        unnamed,
        ports: loaded.project.ports.clone(),
        places: places(around, program, handed, passed),
    })
}

fn pairs(resolution: &Resolution) -> Vec<(&str, &str)> {
    let settings = resolution.settings.iter();
    settings
        .map(|(name, setting)| (name.as_str(), setting.value.expose()))
        .collect()
}

fn places<'a>(
    around: &Around<'a>,
    program: &OsStr,
    handed: Option<&Handed>,
    passed: Vec<(&'a str, &'a str)>,
) -> Places<'a> {
    let Around {
        loaded,
        environment,
        ambient,
        block,
        ..
    } = around;
    let folder = |name: &str| {
        let value = block.variables.get(OsStr::new(name))?;
        Some(PathBuf::from(value)).filter(|path| path.is_absolute() && path.parent().is_some())
    };
    let path = block
        .variables
        .get(OsStr::new("PATH"))
        .map(OsString::as_os_str)
        .unwrap_or_default();
    let program = Path::new(program);
    let (others, awaited) = files_of_others(loaded, environment);
    Places {
        root: loaded.root.clone(),
        directory: ambient.directory.clone(),
        settings: settings_files(loaded, environment),
        git: gather::git_folders(&loaded.root),
        // The caller's own, whatever a file says: a home directory that is named in a file would leave the real one open.
        home: ambient.home(),
        policy: home_policy(environment, around.agent),
        moved: moved(ambient),
        temporary: folder("TMPDIR"),
        runtime: folder("XDG_RUNTIME_DIR"),
        path: std::env::split_paths(path)
            .filter(|folder| folder.is_absolute())
            .collect(),
        program: (program.components().count() > 1).then(|| ambient.directory.join(program)),
        others,
        awaited,
        passed,
        agent: around
            .agent
            .map(|agent| agent.folders.to_vec())
            .unwrap_or_default(),
        made: handed
            .map(|handed| (handed.file.into(), handed.inside.clone()))
            .into_iter()
            .collect(),
    }
}

/// What the caller's own variables move away from its usual place below the home directory.
fn moved(ambient: &Ambient) -> Vec<(&'static str, PathBuf)> {
    const VARIABLES: &[(&str, &str)] = &[
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_STATE_HOME", ".local/state"),
        ("CARGO_HOME", ".cargo"),
        ("RUSTUP_HOME", ".rustup"),
        ("NVM_DIR", ".nvm"),
        ("PYENV_ROOT", ".pyenv"),
        ("GNUPGHOME", ".gnupg"),
        ("PASSWORD_STORE_DIR", ".password-store"),
        ("KUBECONFIG", ".kube/config"),
        ("DOCKER_CONFIG", ".docker"),
        ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
        ("AWS_CONFIG_FILE", ".aws/config"),
        ("AZURE_CONFIG_DIR", ".azure"),
        ("CLOUDSDK_CONFIG", ".config/gcloud"),
        ("GH_CONFIG_DIR", ".config/gh"),
        ("GIT_CONFIG_GLOBAL", ".gitconfig"),
        ("NETRC", ".netrc"),
        ("PGPASSFILE", ".pgpass"),
        ("PGSERVICEFILE", ".pg_service.conf"),
        ("NPM_CONFIG_USERCONFIG", ".npmrc"),
        ("BOTO_CONFIG", ".boto"),
    ];
    let folders = VARIABLES.iter().filter_map(|(variable, usual)| {
        let value = ambient.host.get(variable)?;
        let paths: Vec<PathBuf> = std::env::split_paths(value).collect();
        Some(paths.into_iter().map(move |path| (*usual, path)))
    });
    let shell = ambient.host.get("ZDOTDIR").map(PathBuf::from);
    let shell = shell.iter().flat_map(|folder| {
        const ZSH: &[&str] = &[
            ".zshrc",
            ".zshenv",
            ".zprofile",
            ".zlogin",
            ".zlogout",
            ".zcompdump",
        ];
        ZSH.iter().map(|name| (*name, folder.join(name)))
    });
    let all = folders.flatten().chain(shell);
    // The whole of a disk or of the home directory is nobody's configuration.
    let home = ambient.home();
    let is_inner = |path: &Path| path.is_absolute() && path.parent().is_some();
    all.filter(|(_, path)| is_inner(path) && !home.iter().any(|home| home.starts_with(path)))
        .collect()
}

/// The files that the environment's settings come from, those that may still come, and what obeys git in this folder.
fn settings_files(loaded: &Loaded, environment: &Environment) -> Vec<PathBuf> {
    let sealed = environment.sealed.iter().map(String::as_str);
    let own: Vec<&str> = environment.paths().into_iter().chain(sealed).collect();
    let seals = own.iter().map(|path| PathBuf::from(format!("{path}.seal")));
    let own = own
        .iter()
        .map(PathBuf::from)
        .chain(seals.collect::<Vec<_>>());
    let personal = [
        ".env.local".to_owned(),
        format!(".env.{}.local", environment.name),
    ];
    let mut files: Vec<PathBuf> = own
        .chain(environment.personal.iter().map(PathBuf::from))
        .collect();
    files.push(".env".into());
    files.extend(personal.map(PathBuf::from));
    files.extend(gather::obeyed_by_git(&loaded.root));
    files.extend(run_for_values(loaded));
    files
}

/// What the manifest runs to get values (`from = { command = […] }`), as far as it lies in the project: it runs outside of any
/// barrier, for whichever environment is started next.
fn run_for_values(loaded: &Loaded) -> Vec<PathBuf> {
    let declarations = loaded.project.declarations.iter();
    let words = declarations
        .flat_map(|all| all.values())
        .flat_map(|declaration| declaration.commands())
        .flatten();
    let paths = words.map(|word| loaded.root.join(word));
    paths
        .filter(|path| path.starts_with(&loaded.root) && path.is_file())
        .collect()
}

fn home_policy(environment: &Environment, agent: Option<&Agent>) -> Home {
    match environment.home.as_deref() {
        Some("guarded") => Home::Guarded,
        Some("read-only") => Home::ReadOnly,
        Some("private") => Home::Private,
        _ if agent.is_some() || environment.tier >= Tier::Staging => Home::ReadOnly,
        _ => Home::Guarded,
    }
}

/// Files of other environments that are there, and the names of those that may still come.
fn files_of_others<'a>(
    loaded: &'a Loaded,
    environment: &Environment,
) -> (Vec<(PathBuf, &'a str)>, Vec<PathBuf>) {
    let project = &loaded.project;
    let mut awaited = Vec::new();
    let mut found: Vec<(PathBuf, &str)> = Vec::new();
    let sealed = environment.sealed.iter().map(String::as_str);
    let own: Vec<&str> = environment.paths().into_iter().chain(sealed).collect();
    for other in project
        .environments
        .iter()
        .filter(|other| other.name != environment.name)
    {
        let sealed = other.sealed.iter().map(String::as_str);
        let listed = other.paths().into_iter().chain(other.personal.as_deref());
        let listed = listed.chain(sealed);
        found.extend(
            listed
                .filter(|path| !own.contains(path))
                .map(|path| (PathBuf::from(path), other.name.as_str())),
        );
        let words = std::iter::once(&other.name).chain(&other.aliases).cloned();
        for word in words.chain(other.tier.words().map(str::to_owned)) {
            let file = loaded.root.join(format!(".env.{word}"));
            if whose(loaded, environment, &word) == Whose::Other(Some(&other.name))
                && !awaited.contains(&file)
            {
                awaited.push(file);
            }
        }
    }
    // First where such files are kept, so that nothing else can use up what a walk may look at.
    for place in KEPT.iter().copied().chain([""]) {
        for (path, owner) in walk_for_others(loaded, environment, place) {
            let is_own = path.to_str().is_some_and(|path| own.contains(&path));
            if !is_own && !found.iter().any(|(known, _)| *known == path) {
                found.push((path, owner));
            }
        }
    }
    (found, awaited)
}

/// Folders in which projects keep files of their environments.
const KEPT: &[&str] = &[
    "secrets",
    ".secrets",
    ".envs",
    "envs",
    "environments",
    "deploy",
    "config",
    ".ringfence",
];

/// Files of others below a folder of the project, and folders that cannot be looked into: whoever owns one can open it again.
fn walk_for_others<'a>(
    loaded: &'a Loaded,
    environment: &Environment,
    place: &str,
) -> Vec<(PathBuf, &'a str)> {
    let folder = if place.is_empty() {
        loaded.root.clone()
    } else {
        loaded.root.join(place)
    };
    let whole = |path: &str| {
        if place.is_empty() {
            path.to_owned()
        } else {
            format!("{place}/{path}")
        }
    };
    let wanted = |path: &str| of_another(loaded, environment, &whole(path)).is_some();
    let Ok(walk) = ambient::walk(&folder, ambient::NEAR, wanted, |_| {}) else {
        let is_there = !place.is_empty() && ambient::exists(&folder);
        return is_there
            .then(|| (PathBuf::from(place), ""))
            .into_iter()
            .collect();
    };
    let files = walk
        .files
        .into_iter()
        .chain(walk.links)
        .map(|path| whole(&path));
    let mut found: Vec<(PathBuf, &str)> = files
        .map(|path| {
            let owner = of_another(loaded, environment, &path)
                .flatten()
                .unwrap_or("");
            (PathBuf::from(path), owner)
        })
        .collect();
    found.extend(
        walk.locked
            .iter()
            .map(|path| (PathBuf::from(whole(path)), "")),
    );
    found
}

#[derive(PartialEq, Eq)]
enum Whose<'a> {
    Own,
    Other(Option<&'a str>),
    Nobody,
}

/// Whose environment a word names.
fn whose<'a>(loaded: &'a Loaded, environment: &Environment, word: &str) -> Whose<'a> {
    match loaded.project.named(word) {
        Named::One(found) if found.name == environment.name => Whose::Own,
        Named::One(found) => Whose::Other(Some(&found.name)),
        Named::Several(several) if several.iter().any(|found| found.name == environment.name) => {
            Whose::Own
        }
        Named::Several(_) => Whose::Other(None),
        Named::None if Tier::of_word(word).is_some_and(|tier| tier != environment.tier) => {
            Whose::Other(None)
        }
        Named::None => Whose::Nobody,
    }
}

/// Whose file a path is, where it is another environment's: `.env.prod`, `secrets/prod.json`, `.envs/.production/.django`.
fn of_another<'a>(
    loaded: &'a Loaded,
    environment: &Environment,
    path: &str,
) -> Option<Option<&'a str>> {
    let path = path.to_ascii_lowercase();
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let name = &usual_spelling(name);
    let other = |word: &str| match whose(loaded, environment, word) {
        Whose::Other(owner) => Some(owner),
        Whose::Own | Whose::Nobody => None,
    };
    match discover::role(name) {
        Some(
            FileRole::Environment(word) | FileRole::Sealed(word) | FileRole::Personal(Some(word)),
        ) => return other(&word),
        // Sealed files, keys, backups: the word tells where there is one, and without one they are everybody's.
        Some(FileRole::Foreign) => {
            let word = name
                .trim_start_matches(".env")
                .trim_matches(['.', '~'])
                .split(['.', '~'])
                .next()
                .unwrap_or("");
            return match whose(loaded, environment, word) {
                Whose::Other(owner) => Some(owner),
                Whose::Own => None,
                Whose::Nobody => matches!(word, "keys" | "vault" | "me").then_some(None),
            };
        }
        // `deploy/production/.env`
        Some(FileRole::Shared | FileRole::Personal(None)) => {
            return folders.rsplit('/').next().and_then(other);
        }
        Some(FileRole::Template) => return None,
        None => {}
    }
    let kept = folders.split('/').any(|folder| {
        matches!(
            folder,
            "secrets" | ".secrets" | ".envs" | "envs" | "environments" | "credentials"
        )
    });
    // `secrets.prod.yaml`
    let name = name.strip_prefix("secrets.").unwrap_or(name);
    let kept = kept || path.ends_with(&format!("secrets.{name}"));
    let stem = name.trim_start_matches('.').split('.').next().unwrap_or("");
    if (name.ends_with(".env") || kept)
        && let Some(owner) = other(stem)
    {
        return Some(owner);
    }
    let mut folders = folders.split('/').filter(|_| kept);
    folders.find_map(|folder| other(folder.trim_start_matches('.')))
}

/// A file's name as it would be spelt in the `.env` family: `.env.prod` for `.env-prod` and `env.prod`, and for the files that
/// editors keep beside it (`..env.prod.swp`, `#.env.prod#`). `env.test.ts` is source code.
fn usual_spelling(name: &str) -> String {
    let name = name.trim_matches('#');
    let plain = name.trim_start_matches('.');
    let rest = plain.strip_prefix("env").unwrap_or_default();
    let is_hidden = name.len() > plain.len();
    match rest.split_at_checked(1) {
        Some(("." | "-" | "_", word)) if is_hidden => format!(".env.{word}"),
        Some((".", word)) if !word.contains('.') => format!(".env.{word}"),
        _ => name.to_owned(),
    }
}
