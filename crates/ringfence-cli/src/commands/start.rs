//! What `run` and `shell` share: from a selection to a block that may be handed to a child, or a refusal.

mod explain;
mod files;
mod gateway;
mod screened;
mod walled;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use ringfence_diagnostic::Diagnostic;
use ringfence_diagnostic::render::without_controls;
use ringfence_model::block::{Block, block};
use ringfence_model::environment::Environment;
use ringfence_model::host::Host;
use ringfence_model::layer::Layer;
use ringfence_model::project::Project;
use ringfence_model::resolve::Resolution;
use ringfence_model::tier::Tier;
use ringfence_model::value::endpoint::{self, Endpoint, Url};

use ringfence_reach::plan::Plan;
use ringfence_sandbox::level::Level;

use crate::agent;
use crate::ambient::{self, Ambient, BlockLimit, ExecuteError};
use crate::args::{Redact, Selection, Wall};
use crate::barrier::{self, Around, Handed};
use crate::data::{self, Marks, quarantine};
use crate::failure::{Failure, exit};
use crate::load::{Loaded, load};
use crate::output::{Output, Tone};
use crate::sealed;
use explain::Explained;
use gateway::Carrier;

/// Everything that a child is started with.
pub(crate) struct Start {
    /// The environment's name.
    pub(crate) name: String,
    /// Its tier.
    pub(crate) tier: Tier,
    /// The project's name.
    pub(crate) project: String,
    /// The names of the settings.
    pub(crate) settings: Vec<String>,
    /// The child's block.
    pub(crate) block: Block,
    environment: Environment,
    resolution: Resolution,
    loaded: Loaded,
    marks: Marks,
    selection: Selection,
    /// The gateway that is started with it.
    carrier: Option<Carrier>,
    /// What settings with `as = "file"` are read from.
    files: Vec<OwnedFd>,
}

/// What is to be started.
pub(crate) struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    /// A descriptor that the program reads.
    pub(crate) kept: Option<OwnedFd>,
    /// A file that it is to find through a variable.
    pub(crate) handed: Option<Handed>,
    /// Whether secrets are taken out of what it prints.
    pub(crate) redact: Redact,
}

impl Command {
    pub(crate) fn new(program: impl Into<OsString>, arguments: Vec<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments,
            kept: None,
            handed: None,
            redact: Redact::Never,
        }
    }
}

/// An environment whose settings hold.
pub(crate) struct Opened {
    pub(crate) environment: Environment,
    pub(crate) resolution: Resolution,
    pub(crate) loaded: Loaded,
}

/// Opens, resolves, and refuses on any error.
pub(crate) fn open(
    selection: &Selection,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<Opened, Failure> {
    opened(selection, sealed::Commands::Run, ambient, output)
}

fn opened(
    selection: &Selection,
    commands: sealed::Commands,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<Opened, Failure> {
    let mut loaded = load(ambient)?.checked()?;
    let environment = match loaded.select(selection.environment(), &ambient.host) {
        Ok((environment, _)) => environment.clone(),
        Err(diagnostic) => return Err(Failure::diagnostic(*diagnostic, loaded.sources)),
    };
    deny_arguments(selection, &environment)?;
    let left = sealed::open(&mut loaded, &environment, commands, ambient, output)?;
    let mut resolution = loaded.resolve(&environment, &ambient.host, &selection.set);
    if !left.is_empty() {
        resolution.closed.retain(|name, _| !left.contains(name));
        output.say(&format!(
            "ringfence: nothing is started, so what commands give is not known, nor what it would reach: {}",
            left.join(", ")
        ));
    }
    if resolution.is_refused() || !resolution.closed.is_empty() {
        let mut diagnostics = resolution.diagnostics;
        diagnostics.extend(sealed::still_closed(&resolution.closed));
        return Err(Failure::Diagnostics(diagnostics, Box::new(loaded.sources)));
    }
    output.warnings(&loaded.diagnostics, &loaded.sources);
    output.warnings(&resolution.diagnostics, &loaded.sources);
    Ok(Opened {
        environment,
        resolution,
        loaded,
    })
}

/// Opens, and builds the block.
pub(crate) fn prepare(
    selection: &Selection,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<Start, Failure> {
    let opened = open(selection, ambient, output)?;
    Ok(prepared(opened, selection, ambient))
}

/// The same for `--explain`: nothing is started, so values that a command gives stay unknown, and that is told.
pub(crate) fn prepare_to_explain(
    selection: &Selection,
    ambient: &Ambient,
    output: &mut Output,
) -> Result<Start, Failure> {
    let opened = opened(selection, sealed::Commands::Leave, ambient, output)?;
    Ok(prepared(opened, selection, ambient))
}

fn prepared(opened: Opened, selection: &Selection, ambient: &Ambient) -> Start {
    let Opened {
        environment,
        resolution,
        loaded,
    } = opened;
    let block = block(&loaded.project, &environment, &resolution, &ambient.host);
    Start {
        name: environment.name.clone(),
        tier: environment.tier,
        project: project_name(&loaded),
        settings: resolution.settings.keys().cloned().collect(),
        block,
        environment,
        resolution,
        loaded,
        marks: Marks::default(),
        selection: selection.clone(),
        carrier: None,
        files: Vec::new(),
    }
}

fn project_name(loaded: &Loaded) -> String {
    let folder = || {
        loaded
            .root
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    loaded
        .project
        .name
        .clone()
        .or_else(folder)
        .unwrap_or_default()
}

fn deny_arguments(selection: &Selection, environment: &Environment) -> Result<(), Failure> {
    if selection.set.is_empty() || environment.tier != Tier::Production {
        return Ok(());
    }
    let message = format!(
        "`--set` is refused in `{}`, which is of tier production; nothing was started",
        environment.name
    );
    Err(Failure::error(exit::DENIED, message)
        .hint(format!("set it in `{}`", environment.usual_file()))
        .into())
}

/// The resources of the manifest, or where there are none, the settings whose value is a URL.
fn endpoints(start: &Start) -> Vec<String> {
    const MOST: usize = 4;
    let (project, resolution, marks) = (&start.loaded.project, &start.resolution, &start.marks);
    let carrier = start.carrier.as_ref();
    let endpoint_of = |setting: &str| {
        let value = resolution.settings.get(setting)?.value.expose();
        endpoint::of_value(value).or_else(|| {
            (!value.contains([':', '@', '=', '\n'])).then(|| Endpoint::File(value.to_owned()))
        })
    };
    let mut named: Vec<String> = if project.resources.is_empty() {
        let urls = resolution.settings.iter().filter_map(|(name, setting)| {
            let endpoint = Url::parse(setting.value.expose())?.endpoint()?;
            Some(format!("{name} {endpoint}"))
        });
        urls.collect()
    } else {
        let resources = project.resources.iter().filter_map(|resource| {
            let carried = carrier.and_then(|carrier| carrier.shown(&resource.name));
            if carried.is_some() {
                return carried;
            }
            let secret = resolution
                .settings
                .get(resource.setting.as_deref()?)?
                .is_secret;
            let endpoint = endpoint_of(resource.setting.as_deref()?)?;
            // The text of a secret that is no address may be anything.
            (!secret || matches!(endpoint, Endpoint::Network { .. })).then(|| {
                format!(
                    "{} {endpoint}{}",
                    resource.name,
                    marks.shown(&resource.name)
                )
            })
        });
        resources.collect()
    };
    if named.len() > MOST {
        let more = named.len() - MOST;
        named.truncate(MOST);
        named.push(format!("{more} more endpoints"));
    }
    named
}

/// One line for the shell's variables that would have changed something, always: it explains why they did not.
fn say_ignored(
    project: &Project,
    environment: &Environment,
    block: &Block,
    host: &Host,
    output: &mut Output,
) {
    let mut ignored: BTreeSet<&str> = block.ignored.iter().map(String::as_str).collect();
    ignored.extend(
        project
            .declarations
            .iter()
            .flat_map(|declared| declared.keys())
            .map(String::as_str)
            .filter(|name| {
                host.get(name).is_some() && !block.variables.contains_key(OsStr::new(name))
            }),
    );
    // What a run gives that this one is started in may be what this one gives.
    ignored.retain(|name| {
        host.get(name)
            != block
                .variables
                .get(OsStr::new(name))
                .map(OsString::as_os_str)
    });
    if !ignored.is_empty() {
        let names: Vec<&str> = ignored.into_iter().collect();
        let line = format!(
            "ringfence: the shell's {} {} ignored: `{}` has values of its own",
            names.join(", "),
            if names.len() == 1 { "is" } else { "are" },
            environment.name
        );
        output.say(&line);
    }
}

impl Start {
    /// Starts a command inside the environment, and ends as it ends.
    pub(crate) fn execute(
        mut self,
        command: &Command,
        wall: &Wall,
        ambient: &Ambient,
        output: &mut Output,
    ) -> Result<u8, Failure> {
        let carried = self.carry(wall.explain, ambient, output);
        let (project, host) = (&self.loaded.project, &ambient.host);
        say_ignored(project, &self.environment, &self.block, host, output);
        carried?;
        if !wall.explain {
            self.hand_files(&ambient.temporary_folder())?;
        }
        if let Some(limit) = ambient::block_limit()
            && let Some(reason) =
                over_limit(&self.block, &command.program, &command.arguments, &limit)
        {
            return Err(self.too_large(&reason));
        }
        barrier::check_presets(&self.loaded, &self.environment)?;
        let agent = agent::detect(&command.program, &command.arguments, &ambient.host);
        let mut demand = barrier::demand(wall, &self.environment, agent)?;
        if self.is_fronted() {
            demand = barrier::with_front(demand, &self.environment)?;
        }
        if wall.explain {
            let plan = self.plan(command, wall, agent, ambient);
            let explained = Explained {
                plan: &plan,
                carrier: self.carrier.as_ref(),
                demand,
                agent,
            };
            return explain::print(&explained, wall.json, output);
        }
        self.marks = data::verify(&self.loaded, &self.environment, &self.resolution)?;
        let notes = self.marks.notes.iter();
        notes.for_each(|note| output.say(&without_controls(note)));
        let demand = quarantine::demand(&self.marks, demand);
        self.serve_gateway(ambient, output)?;
        if let Some(ended) = screened::screened(&self, command.redact)? {
            return Ok(ended);
        }
        if demand.wanted == Level::ConfigOnly {
            return Err(self.replace(command, "no barrier", ambient, output));
        }
        let plan = self.plan(command, wall, agent, ambient);
        walled::start(self, &plan, command, demand, wall, ambient, output)
    }

    /// Puts a gateway between the program and what is to be carried: from here on the block has its addresses and tokens.
    fn carry(
        &mut self,
        is_explained: bool,
        ambient: &Ambient,
        output: &mut Output,
    ) -> Result<(), Failure> {
        if !cfg!(target_os = "linux") {
            if gateway::wanted(self)?.is_some() {
                output.say("ringfence: on this system `run` starts no gateway, and the program gets addresses and keys as they are; `ringfence gateway` serves one");
            }
            return Ok(());
        }
        let Some(carrier) = Carrier::of(self, is_explained, ambient)? else {
            return Ok(());
        };
        let told = carrier
            .resolution
            .settings
            .iter()
            .filter(|(name, setting)| {
                let before = self.resolution.settings.get(*name);
                before.is_none_or(|before| before.value.expose() != setting.value.expose())
            });
        let variables = &mut self.block.variables;
        variables.extend(told.map(|(name, setting)| (name.into(), setting.value.expose().into())));
        let flags = carrier.variables.iter();
        variables.extend(flags.map(|(name, value)| ((*name).into(), value.into())));
        self.carrier = Some(carrier);
        Ok(())
    }

    /// Starts that gateway.
    fn serve_gateway(&mut self, ambient: &Ambient, output: &mut Output) -> Result<(), Failure> {
        let ready = self
            .carrier
            .as_mut()
            .and_then(|carrier| carrier.ready.take());
        let Some(ready) = ready else {
            return Ok(());
        };
        let inlet = gateway::serve(ready, self, ambient, output)?;
        if let Some(carrier) = &mut self.carrier {
            carrier.inlet = inlet;
        }
        Ok(())
    }

    /// Whether the gateway stands before the program's ports.
    fn is_fronted(&self) -> bool {
        crate::gateway::ingress::written(&self.loaded.project, &self.environment).is_some()
    }

    /// The settings as the program gets them.
    fn inside(&self) -> &Resolution {
        let carrier = self.carrier.as_ref();
        carrier.map_or(&self.resolution, |carrier| &carrier.resolution)
    }

    fn plan(
        &self,
        command: &Command,
        wall: &Wall,
        agent: Option<&'static agent::Agent>,
        ambient: &Ambient,
    ) -> Plan {
        let carrier = self.carrier.as_ref();
        let around = Around {
            loaded: &self.loaded,
            environment: &self.environment,
            resolution: self.inside(),
            carried: carrier.map_or_else(Vec::new, |carrier| carrier.carried(&self.resolution)),
            block: &self.block,
            ambient,
            agent,
            learn: wall.learn,
        };
        let handed = command.handed.as_ref().filter(|_| !wall.explain);
        let mut plan = barrier::plan(&around, &command.program, handed);
        if !self.marks.quarantined.is_empty() {
            quarantine::close(&mut plan, &self.loaded, &self.resolution);
        }
        if let Some(carrier) = carrier {
            carrier.open(&mut plan);
        }
        plan
    }

    /// The line that says where one is.
    fn banner(&self, barrier: &str) -> String {
        let mut parts = vec![format!("{} settings", self.resolution.settings.len())];
        parts.extend(endpoints(self));
        parts.push(barrier.to_owned());
        let environment = &self.environment;
        format!(
            " ringfence: {} ({}) · {} ",
            environment.name,
            environment.tier,
            parts.join(" · ")
        )
    }

    fn say_banner(&self, barrier: &str, ambient: &Ambient, output: &mut Output) {
        if ambient.stderr_is_terminal {
            let line = self.banner(barrier);
            output.say(&output.loud(Tone::of_tier(self.tier), &without_controls(&line)));
        }
    }

    /// Replaces this process by the program; comes back only with what went wrong.
    fn replace(
        mut self,
        command: &Command,
        barrier: &str,
        ambient: &Ambient,
        output: &mut Output,
    ) -> Failure {
        if let Some(handed) = &command.handed {
            let folder = ambient.temporary_folder();
            match ambient::passing_folder(&folder, handed.file, &handed.outside) {
                Ok(folder) => self
                    .block
                    .variables
                    .insert(handed.variable.into(), folder.into()),
                Err(error) => return not_handed(&error),
            };
        }
        self.say_banner(barrier, ambient, output);
        let error = ambient::execute(&command.program, &command.arguments, &self.block);
        self.not_executed(&command.program, error)
    }

    fn not_executed(self, program: &OsStr, error: ExecuteError) -> Failure {
        let shown = program.to_string_lossy();
        let error = match error {
            ExecuteError::TooLarge => return self.too_large("more than the kernel takes"),
            ExecuteError::NotFound => {
                Failure::error(exit::NOT_FOUND, format!("`{shown}` was not found"))
                    .hint("give its path, or a name that is in a folder of `PATH`")
            }
            ExecuteError::NoInterpreter => Failure::error(
                exit::NOT_EXECUTABLE,
                format!("`{shown}` cannot be executed: its interpreter was not found"),
            )
            .hint("look at its first line, or at the library that it was linked to"),
            ExecuteError::Refused(error) => Failure::error(
                exit::NOT_EXECUTABLE,
                format!("`{shown}` cannot be executed"),
            )
            .caused_by(error)
            .hint("it must be a program, or a script, with the right to be executed (`chmod +x`)"),
        };
        error.into()
    }

    /// Refuses a block that no kernel takes, naming what makes it so large.
    fn too_large(self, reason: &str) -> Failure {
        const NAMED: usize = 3;
        let mut settings: Vec<_> = self.resolution.settings.iter().collect();
        settings.sort_by_key(|(_, setting)| std::cmp::Reverse(setting.value.expose().len()));
        let mut diagnostic = Diagnostic::error(
            "block-too-large",
            format!(
                "the environment block of `{}` is too large: {reason}",
                self.name
            ),
        )
        .because("nothing was started: the kernel would refuse it with \"argument list too long\"")
        .help("keep large values in files, and only their paths in settings");
        for (name, setting) in settings.into_iter().take(NAMED) {
            let size = format!("`{name}` has {} bytes", setting.value.expose().len());
            diagnostic = match setting.origin.place() {
                Some(place) => diagnostic.at(place, size),
                None => diagnostic.help(format!("{size}, from {}", Layer::name(setting.layer))),
            };
        }
        Failure::Diagnostics(vec![diagnostic], Box::new(self.loaded.sources))
    }
}

pub(crate) fn not_handed(error: &std::io::Error) -> Failure {
    Failure::error(
        exit::NOT_SET_UP,
        "the shell's start-up lines cannot be handed over; nothing was started",
    )
    .caused_by(error)
    .hint("make the folder that `TMPDIR` names writable")
    .into()
}

fn over_limit(
    block: &Block,
    program: &OsStr,
    arguments: &[OsString],
    limit: &BlockLimit,
) -> Option<String> {
    const POINTER: usize = size_of::<usize>();
    let variables = block
        .variables
        .iter()
        .map(|(name, value)| (name.len() + value.len() + 2, Some(name)));
    let words = std::iter::once(program).chain(arguments.iter().map(OsString::as_os_str));
    let strings = variables.chain(words.map(|word| (word.as_bytes().len() + 1, None)));
    let mut total = program.len() + 1;
    for (length, name) in strings {
        if length > limit.single {
            let what = name.map_or_else(
                || "an argument".to_owned(),
                |name| format!("`{}`", name.to_string_lossy()),
            );
            return Some(format!(
                "{what} has {length} bytes, and the kernel takes {} in one string",
                limit.single
            ));
        }
        total += length + POINTER;
    }
    (total > limit.total).then(|| format!("{total} bytes, and the kernel takes {}", limit.total))
}
