//! What the gateway of a program keeps, and how its configuration changes while the program runs.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringfence_diagnostic::render::without_controls;
use ringfence_gateway::config::{Config, Upstream};
use ringfence_gateway::limit::Store;
use ringfence_gateway::limit::book::{Book, BookError};
use ringfence_gateway::limit::memory::Written;
use ringfence_gateway::limit::rule::{Period, Rule};
use ringfence_gateway::record::writer::Recorder;
use ringfence_gateway::serve::{Gateway, Program, Source, Waiting, run_for};
use ringfence_model::environment::Environment;
use ringfence_sandbox::beside::{Life, beside};
use ringfence_sandbox::ingress::{self, Inlet};
use ringfence_secret::fingerprint::Key;

use super::super::{Start, open};
use super::{Ready, callers, config};
use crate::ambient::{self, Ambient, RunGateway};
use crate::args::Selection;
use crate::commands::gateway::{self as command, Files};
use crate::failure::{Failure, exit};
use crate::output::Output;

/// Starts the process that serves a program.
pub(in super::super) fn serve(
    ready: Ready,
    start: &Start,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<Option<Inlet>, Failure> {
    let Ready {
        listener,
        mut config,
        token_key,
    } = ready;
    let (loaded, environment) = (&start.loaded, &start.environment);
    let store = command::store(&loaded.project, environment, &start.resolution)?;
    let (budgets, unkept) = match store {
        Store::Redis(_) => (None, None),
        Store::Memory(_) => budgets(&config, start, ambient, output),
    };
    let closed = Closed {
        servers: quarantine(start),
        budgets: unkept,
    };
    closed.apply(&mut config);
    let records = records(&config, start, ambient, output);
    let (inlet, front) = front(&config)?;
    let announcement = announcement(&listener, &token_key, environment);
    let (around, root, name) = (ambient.clone(), loaded.root.clone(), start.name.clone());
    let source = Reloading {
        is_fronted: front.is_some(),
        selection: start.selection.clone(),
        ambient: ambient.clone(),
        files: Files::around_program(loaded, environment),
        token_key,
        closed,
        complaint: None,
    };
    let serve = move |life: Life| {
        // Without it, nobody finds this gateway to look on; it serves all the same.
        let announced = announcement.map(|gateway| around.announce(&root, &name, &gateway));
        let mut gateway = Gateway::new(config, Recorder::start(records), store);
        if let Some((book, windows)) = budgets {
            gateway = gateway.with_book(book, windows);
        }
        if let Some(front) = front {
            gateway = gateway.before(Arc::new(front));
        }
        let served = run_for(listener, gateway, Box::new(source), move || life.wait());
        drop(announced);
        match served {
            Ok(()) => exit::FINE,
            Err(error) => {
                say(&format!("it cannot be served: {error}"));
                exit::FAULT
            }
        }
    };
    beside(serve).map_err(|error| {
        let message = "the gateway cannot be started; nothing was started";
        Failure::error(exit::NOT_SET_UP, message)
            .caused_by(error)
            .hint("say `start = false` in `[gateway]` to start none")
    })?;
    Ok(inlet)
}

/// What stands before the program's ports, and where they are handed to it; neither where nothing is limited.
fn front(config: &Config) -> Result<(Option<Inlet>, Option<Fronted>), Failure> {
    if config.ingress.limits.is_empty() {
        return Ok((None, None));
    }
    let (inlet, front) = ingress::pair().map_err(|error| {
        let message =
            "what comes in cannot be handed to the gateway that counts it; nothing was started";
        Failure::error(exit::NOT_SET_UP, message)
            .caused_by(error)
            .hint("look at how many files may be open (`ulimit -n`), or say `ingress = \"none\"` in `[gateway]` to count nothing")
    })?;
    Ok((Some(inlet), Some(Fronted(front))))
}

/// The program, as the run hands it to its gateway.
struct Fronted(ingress::Front);

impl Program for Fronted {
    fn shown(&self) -> Waiting<'_, Option<(u16, TcpListener)>> {
        Box::pin(self.0.shown())
    }

    fn connect(&self, port: u16) -> Waiting<'_, std::io::Result<TcpStream>> {
        Box::pin(self.0.connect(port))
    }
}

/// What somebody has to know who looks on.
fn announcement(
    listener: &TcpListener,
    key: &Key,
    environment: &Environment,
) -> Option<RunGateway> {
    Some(RunGateway {
        address: listener.local_addr().ok()?,
        token: callers(key, environment).token(command::top::CALLER)?,
    })
}

/// A line among those of `run`.
fn say(line: &str) {
    let line = format!("ringfence: the gateway: {line}");
    Output::plain().say(&without_controls(&line));
}

/// What is not served in this run, and why.
struct Closed {
    /// Everything that leads to a server.
    servers: Option<String>,
    /// Everything with a budget.
    budgets: Option<String>,
}

impl Closed {
    fn apply(&self, config: &mut Config) {
        for resource in &mut config.resources {
            let leads_out = matches!(resource.upstream, Upstream::Server(_));
            let has_budget = resource.limits.all().flatten().any(|rule| is_budget(rule));
            let why = self.servers.as_ref().filter(|_| leads_out);
            let why = why.or(self.budgets.as_ref().filter(|_| has_budget));
            if let Some(why) = why {
                let why = format!("`{}` is closed in this run: {why}", resource.name);
                resource.upstream = Upstream::Closed(why);
            }
        }
        let why = self
            .budgets
            .as_ref()
            .filter(|_| config.ingress.limits.iter().any(|rule| is_budget(rule)));
        config.ingress.closed =
            why.map(|why| format!("what comes in is closed in this run: {why}"));
    }
}

const fn is_budget(rule: &Rule) -> bool {
    matches!(rule.period, Period::Calendar(_))
}

/// A program on a copy of another environment's data may tell nobody of the people in it, by itself or through the gateway.
fn quarantine(start: &Start) -> Option<String> {
    let copies = &start.marks.quarantined;
    (!copies.is_empty()).then(|| {
        format!(
            "{} in `{}` is a copy of another environment's data, and nobody outside may be told of the people in it, until `ringfence mark {}` says that it is its own",
            copies.join(", "),
            start.name,
            start.name
        )
    })
}

/// The file of budgets, or why what has a budget is not served: nobody could tell what is spent.
fn budgets(
    config: &Config,
    start: &Start,
    ambient: &Ambient,
    output: &mut Output,
) -> (Option<(Book, Vec<Written>)>, Option<String>) {
    let name = &start.name;
    let mut rules = config
        .resources
        .iter()
        .flat_map(|resource| resource.limits.all().flatten())
        .chain(&config.ingress.limits);
    if !rules.any(|rule| is_budget(rule)) {
        let why = "its budget was declared after the program was started; start it anew";
        return (None, Some(why.to_owned()));
    }
    let path = ambient.budgets_file(&start.loaded.root, name);
    let why = match path
        .map_err(BookError::from)
        .and_then(|path| patient(&path, name))
    {
        Ok(book) => return (Some(book), None),
        Err(BookError::Taken) => format!(
            "another run or gateway of `{name}` keeps its budgets: end that, share them with `store` in `[gateway]`, or serve all runs from one `ringfence gateway {name}`, with `start = false`"
        ),
        Err(error) => format!("its budgets cannot be kept in the user's state folder: {error}"),
    };
    let line = format!("ringfence: what has a budget is closed in this run: {why}");
    output.say(&without_controls(&line));
    (None, Some(why))
}

/// A run that has just ended may need a moment to let go of the file.
fn patient(path: &Path, environment: &str) -> Result<(Book, Vec<Written>), BookError> {
    const PATIENCE: Duration = Duration::from_secs(1);
    const STEP: Duration = Duration::from_millis(20);
    let began = Instant::now();
    loop {
        match Book::open(path, environment) {
            Err(BookError::Taken) if began.elapsed() < PATIENCE => std::thread::sleep(STEP),
            other => return other,
        }
    }
}

/// Where what passes is written down: a file in the user's state folder, because the program's outputs are the program's.
fn records(
    config: &Config,
    start: &Start,
    ambient: &Ambient,
    output: &mut Output,
) -> Box<dyn Write + Send> {
    if config.resources.is_empty() {
        return Box::new(std::io::sink());
    }
    let path = ambient.records_file(&start.loaded.root, &start.name);
    let opened = path.and_then(|path| {
        let is_new = !ambient::exists(&path);
        Ok((ambient::append_private(&path)?, path, is_new))
    });
    match opened {
        Ok((file, path, is_new)) => {
            if is_new && ambient.stderr_is_terminal {
                let line = format!("ringfence: the gateway's records go to {}", path.display());
                output.say(&without_controls(&line));
            }
            Box::new(file)
        }
        Err(error) => {
            output.say(&format!(
                "ringfence: what passes the gateway is not recorded: {error}"
            ));
            Box::new(std::io::sink())
        }
    }
}

/// Configurations from the project's files, again and again.
struct Reloading {
    selection: Selection,
    ambient: Ambient,
    files: Files,
    token_key: Key,
    closed: Closed,
    /// Whether it stands before the program's ports.
    is_fronted: bool,
    /// Why the last one was refused; nothing once another is served.
    complaint: Option<String>,
}

impl Reloading {
    fn config(&mut self, generation: u64) -> Result<Config, Failure> {
        let opened = open(&self.selection, &self.ambient, &mut Output::silent())?;
        let (loaded, environment) = (&opened.loaded, &opened.environment);
        self.files = Files::around_program(loaded, environment);
        let callers = callers(&self.token_key, environment);
        let (resolution, made) = (&opened.resolution, (callers, generation));
        let mut config = config(loaded, environment, resolution, made)?;
        if !self.is_fronted && !config.ingress.limits.is_empty() {
            let message = format!(
                "what comes in to `{}` was not limited when the program was started: start it anew",
                environment.name
            );
            return Err(Failure::error(exit::REFUSED, message).into());
        }
        self.closed.apply(&mut config);
        Ok(config)
    }
}

impl Source for Reloading {
    fn has_changed(&mut self) -> bool {
        self.files.have_changed()
    }

    fn load(&mut self, generation: u64) -> Option<Config> {
        // What is refused now is looked at again when it changes, and not before.
        self.files = self.files.anew();
        match self.config(generation) {
            Ok(config) => Some(config),
            Err(failure) => {
                let (old, why) = (generation - 1, failure.line());
                say(&format!(
                    "the new configuration is refused, and {old} is still served: {why}"
                ));
                self.complaint = Some(why);
                None
            }
        }
    }

    fn served(&mut self, generation: u64) {
        if self.complaint.take().is_some() {
            say(&format!("configuration {generation} is served"));
        }
    }

    fn complaint(&self) -> Option<String> {
        self.complaint.clone()
    }
}
