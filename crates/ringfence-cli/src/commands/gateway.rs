//! `ringfence gateway`: serves an environment's HTTP and LLM traffic, gives out tokens, and looks on.

pub(crate) mod top;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use ringfence_flag::definition::MAX_BYTES;
use ringfence_gateway::caller::CallerKey;
use ringfence_gateway::config::{Config, Kind, Upstream};
use ringfence_gateway::limit::Store;
use ringfence_gateway::limit::book::Book;
use ringfence_gateway::limit::memory::{Memory, Written};
use ringfence_gateway::limit::redis::{Redis, Server, WhenLost};
use ringfence_gateway::record::writer::Recorder;
use ringfence_gateway::serve::{self, Gateway, Source};
use ringfence_model::environment::Environment;
use ringfence_model::project as model;
use ringfence_model::resolve::Resolution;

use crate::ambient::{self, Ambient, Stamp};
use crate::args::gateway::{Action, Serve, Token};
use crate::args::{self, Selection};
use crate::commands::start::{self, Opened};
use crate::failure::{Failure, exit};
use crate::gateway::{self, Extent, Ground};
use crate::load::{Loaded, MANIFEST, load};
use crate::output::{Output, Tone};

pub(crate) fn run(
    arguments: &args::gateway::Gateway,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<u8, Failure> {
    match &arguments.action {
        Some(Action::Token(arguments)) => token(arguments, ambient, output),
        Some(Action::Top(arguments)) => top::run(arguments, ambient, output),
        None => serve(&arguments.serve, ambient, output),
    }
}

fn token(arguments: &Token, ambient: &Ambient, output: &mut Output) -> Result<u8, Failure> {
    let selection = Selection::of(&arguments.environment);
    let opened = start::open(&selection, ambient, output)?;
    let key = caller_key(&opened, ambient)?;
    let token = key.token(&arguments.caller).ok_or_else(|| {
        Failure::error(
            exit::USAGE,
            format!("`{}` is no name of a caller", arguments.caller),
        )
        .hint("a name has at most 64 letters, digits, `-` and `_`")
    })?;
    output.print(&format!("{}\n", token.as_str()))
}

fn serve(arguments: &Serve, ambient: &Ambient, output: &mut Output) -> Result<u8, Failure> {
    let opened = start::open(&arguments.selection, ambient, output)?;
    let listen = match arguments.listen {
        Some(address) => address,
        None => listen_address(&opened)?,
    };
    let files = Files::of(&opened.loaded);
    let environment = opened.environment.clone();
    let store = store(&opened.loaded.project, &environment, &opened.resolution)?;
    let root = opened.loaded.root.clone();
    let key = caller_key(&opened, ambient)?;
    let config = config(opened, key, 1)?;
    let budgets = match store {
        Store::Redis(_) => None,
        Store::Memory(_) => Some(budgets(arguments, &root, &environment, ambient)?),
    };
    let recorder = recorder(arguments.records.as_ref())?;
    let listener = TcpListener::bind(listen).map_err(|error| {
        Failure::error(exit::FAULT, format!("cannot listen on {listen}"))
            .caused_by(error)
            .hint("name another address with `--listen`, or in `[gateway]`")
    })?;
    let bound = listener.local_addr().unwrap_or(listen);
    greet(&config, &environment, bound, output);
    let source = Project {
        selection: arguments.selection.clone(),
        ambient: ambient.clone(),
        files,
        complaint: None,
    };
    let mut gateway = Gateway::new(config, recorder, store);
    if let Some((book, windows)) = budgets {
        gateway = gateway.with_book(book, windows);
    }
    serve::run(listener, gateway, Box::new(source)).map_err(|error| {
        Failure::error(exit::FAULT, "the gateway cannot be served").caused_by(error)
    })?;
    Ok(exit::FINE)
}

/// Where limits are counted: here, or in the Redis of the setting that the manifest names.
pub(super) fn store(
    project: &model::Project,
    environment: &Environment,
    resolution: &Resolution,
) -> Result<Store, Failure> {
    let gateway = &project.gateway;
    let Some((setting, _)) = gateway.store() else {
        return Ok(Store::Memory(Memory::default()));
    };
    let value = resolution.settings.get(setting);
    let value = value.ok_or_else(|| {
        let message = format!("`{setting}` has no value in `{}`", environment.name);
        Failure::error(exit::REFUSED, message).hint("give it the address of the Redis that the limits are shared in, or remove `store` from `[gateway]`")
    })?;
    let server = Server::parse(value.value.expose().trim()).map_err(|error| {
        Failure::error(
            exit::REFUSED,
            format!("`{setting}` is no address of a Redis: {error}"),
        )
    })?;
    let when_lost = gateway
        .share(environment)
        .map_or(WhenLost::Deny, WhenLost::Share);
    let redis = Redis::connect(server, &environment.name, when_lost).map_err(|error| {
        Failure::error(
            exit::REFUSED,
            format!(
                "the Redis of `{setting}` cannot be used for the limits of `{}`",
                environment.name
            ),
        )
        .caused_by(error)
        .hint("each environment has a Redis, or a database of one, of its own")
    })?;
    Ok(Store::Redis(Box::new(redis)))
}

fn budgets(
    arguments: &Serve,
    root: &Path,
    environment: &Environment,
    ambient: &Ambient,
) -> Result<(Book, Vec<Written>), Failure> {
    let path = match &arguments.budgets {
        Some(path) => path.clone(),
        None => ambient
            .budgets_file(root, &environment.name)
            .map_err(|error| {
                Failure::error(exit::FAULT, "there is no folder to keep budgets in")
                    .caused_by(error)
                    .hint("name a file with `--budgets`")
            })?,
    };
    Book::open(&path, &environment.name).map_err(|error| {
        Failure::error(
            exit::REFUSED,
            format!(
                "the budgets of `{}` cannot be kept in `{}`",
                environment.name,
                path.display()
            ),
        )
        .caused_by(error)
        .hint("name another file with `--budgets`; what was spent before is then not known")
        .into()
    })
}

/// The configuration, or why there is none.
fn config(opened: Opened, key: CallerKey, generation: u64) -> Result<Config, Failure> {
    let flags = flags_file(&opened.loaded)?;
    let project = &opened.loaded.project;
    if project.services.is_empty() && project.flags.is_empty() && flags.is_none() {
        let message = "the project has no resource of kind `openai` or `http` and no flags; there is nothing to serve";
        return Err(Failure::error(exit::REFUSED, message)
            .hint("add `[resources.llm]` with `kind = \"openai\"` and `setting = \"OPENAI_BASE_URL\"`")
            .into());
    }
    let ground = Ground {
        project: &opened.loaded.project,
        environment: &opened.environment,
        resolution: &opened.resolution,
        sources: &opened.loaded.sources,
        flags: flags.as_deref(),
        extent: Extent::All,
    };
    let built = gateway::config(ground, key, generation);
    built.map_err(|faults| Failure::Diagnostics(faults, Box::new(opened.loaded.sources)))
}

/// The text of `flags.json` at the project's root.
pub(super) fn flags_file(loaded: &Loaded) -> Result<Option<String>, Failure> {
    let path = loaded.root.join(FLAGS);
    if !ambient::exists(&path) {
        return Ok(None);
    }
    let read = ambient::read_at_most(&path, MAX_BYTES as u64);
    let text = read.and_then(|bytes| String::from_utf8(bytes).map_err(std::io::Error::other));
    text.map(Some).map_err(|error| {
        Failure::error(
            exit::REFUSED,
            format!("`{}` cannot be read", path.display()),
        )
        .caused_by(error)
        .hint("it holds the flags of all environments, in flagd's format")
        .into()
    })
}

/// The file of flags that need more than a row of the manifest.
pub(super) const FLAGS: &str = "flags.json";

/// The key of callers' tokens: of the setting that the manifest names, else of this user on this machine.
fn caller_key(opened: &Opened, ambient: &Ambient) -> Result<CallerKey, Failure> {
    let environment = &opened.environment.name;
    let project = &opened.loaded.project;
    if let Some((setting, _)) = project.gateway.secret() {
        let secret = opened.resolution.settings.get(setting);
        let secret = secret.filter(|secret| secret.value.expose().len() >= SHORTEST).ok_or_else(|| {
            let message = format!("`{setting}` has no value of at least {SHORTEST} characters in `{environment}`");
            Failure::error(exit::REFUSED, message).hint(format!(
                "callers' tokens are signed with it: put 32 random characters there, for example with `ringfence secret set {environment} {setting}`"
            ))
        })?;
        let name = project.name.as_deref().unwrap_or_default();
        return Ok(CallerKey::derived(
            secret.value.expose().as_bytes(),
            name,
            environment,
        ));
    }
    let own = ambient.fingerprint_key().ok_or_else(|| {
        Failure::error(exit::FAULT, "the key of callers' tokens can neither be read nor made")
            .hint("make the folder that `XDG_STATE_HOME` names writable, or name a setting with `secret` in `[gateway]`")
    })?;
    let root = opened.loaded.root.to_string_lossy();
    Ok(CallerKey::derived(own.bytes(), &root, environment))
}

/// The shortest secret that tokens are signed with.
const SHORTEST: usize = 16;

fn listen_address(opened: &Opened) -> Result<SocketAddr, Failure> {
    let written = opened.loaded.project.gateway.listen(&opened.environment);
    let text = written.map_or("127.0.0.1:0", |(text, _)| text);
    text.parse().map_err(|_| {
        Failure::error(
            exit::REFUSED,
            format!("`{text}` is no address to listen on"),
        )
        .hint("write `listen = \"127.0.0.1:8080\"` in `[gateway]`: an IP address and a port")
        .into()
    })
}

fn recorder(file: Option<&PathBuf>) -> Result<Recorder, Failure> {
    let to: Box<dyn Write + Send> = match file {
        None => Box::new(std::io::stdout()),
        Some(path) => Box::new(ambient::append_private(path).map_err(|error| {
            Failure::error(
                exit::FAULT,
                format!("`{}` cannot be written", path.display()),
            )
            .caused_by(error)
        })?),
    };
    Ok(Recorder::start(to))
}

fn greet(config: &Config, environment: &Environment, bound: SocketAddr, output: &mut Output) {
    let resources = config.resources.iter().map(|resource| {
        let models = match &resource.kind {
            Kind::OpenAi { models } if !models.is_empty() => format!(
                " ({})",
                models.keys().cloned().collect::<Vec<_>>().join(", ")
            ),
            _ => String::new(),
        };
        let upstream = match &resource.upstream {
            Upstream::Mock(_) => "a mock".to_owned(),
            other => other.to_string(),
        };
        format!("{}{models} at {upstream}", resource.name)
    });
    let name = output.loud(Tone::of_tier(environment.tier), &environment.name);
    let mut resources: Vec<String> = resources.collect();
    match config.flags.keys().count() {
        0 => {}
        1 => resources.push("1 flag".to_owned()),
        count => resources.push(format!("{count} flags")),
    }
    output.say(&format!(
        "ringfence: the gateway of {name} ({}) listens on http://{bound} · {}",
        environment.tier,
        resources.join(" · ")
    ));
    if !config.ingress.limits.is_empty() {
        output.say("ringfence: what comes in is limited where `ringfence run` starts the program, and not by this gateway");
    }
}

/// The files that a configuration was made from.
pub(super) struct Files(Vec<(PathBuf, Option<Stamp>)>);

impl Files {
    /// The manifest, the environments' files, and the folder, in which others may appear.
    fn of(loaded: &Loaded) -> Self {
        Self::stamped(Self::named(loaded).chain([loaded.root.clone()]))
    }

    /// The same without the folder, in which a program may be writing all the time, and with the files that may still come.
    pub(super) fn around_program(loaded: &Loaded, environment: &Environment) -> Self {
        let personal = format!(".env.{}.local", environment.name);
        let awaited = [".env", ".env.local", &environment.usual_file(), &personal]
            .map(|path| loaded.root.join(path));
        Self::stamped(Self::named(loaded).chain(awaited))
    }

    fn named(loaded: &Loaded) -> impl Iterator<Item = PathBuf> {
        let fixed = [MANIFEST, FLAGS].into_iter().map(str::to_owned);
        let paths = loaded.project.paths().into_iter().map(str::to_owned);
        let sealed = loaded.sealed.keys();
        let sealed = sealed.flat_map(|path| [path.clone(), format!("{path}.seal")]);
        let all = fixed.chain(paths).chain(sealed);
        all.map(|path| loaded.root.join(path))
    }

    fn stamped(paths: impl Iterator<Item = PathBuf>) -> Self {
        let stamped = paths.map(|path| {
            let stamp = ambient::stamp(&path);
            (path, stamp)
        });
        Self(stamped.collect())
    }

    /// The same files as they are now.
    pub(super) fn anew(&self) -> Self {
        Self::stamped(self.0.iter().map(|(path, _)| path.clone()))
    }

    pub(super) fn have_changed(&self) -> bool {
        self.0
            .iter()
            .any(|(path, stamp)| ambient::stamp(path) != *stamp)
    }
}

/// Configurations from the project's files, again and again.
struct Project {
    selection: Selection,
    ambient: Ambient,
    files: Files,
    /// What was wrong with the last configuration that could not be loaded.
    complaint: Option<String>,
}

impl Source for Project {
    fn has_changed(&mut self) -> bool {
        self.files.have_changed()
    }

    fn load(&mut self, generation: u64) -> Option<Config> {
        let mut output = Output::new(&self.ambient);
        // What is refused now is looked at again when it changes, and not before.
        self.files = match load(&self.ambient) {
            Ok(loaded) => Files::of(&loaded),
            Err(_) => self.files.anew(),
        };
        let opened = start::open(&self.selection, &self.ambient, &mut output);
        let configured = opened.and_then(|opened| {
            let key = caller_key(&opened, &self.ambient)?;
            config(opened, key, generation)
        });
        match configured {
            Ok(config) => Some(config),
            Err(failure) => {
                output.failure(&failure);
                self.complaint = Some(failure.line());
                let old = generation - 1;
                output.say(&format!(
                    "ringfence: the new configuration is refused, and {old} is still served"
                ));
                None
            }
        }
    }

    fn complaint(&self) -> Option<String> {
        self.complaint.clone()
    }

    fn served(&mut self, generation: u64) {
        let line = format!("ringfence: configuration {generation} is served");
        Output::new(&self.ambient).say(&line);
    }
}
