//! The supervisor: stays outside, starts init, carries traffic and signals, and ends as the program ended.

mod guard;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, Resource, Rlimit, WaitOptions};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use std::os::unix::process::ExitStatusExt;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};

use crate::broker::{self, Broker, Factory, Lister, Teller};
use crate::enforce::{self, Failed, Inside, Orders, Present, Program, SIGNALS};
use crate::ingress::Inlet;
use crate::level::Level;
use crate::refusal::Event;
use crate::sys::{self, Signals};
use crate::wire::{self, Kind, Message};
use ringfence_reach::plan::{Host, Plan};

/// After which time a program is one that stays.
const SETTLED: Duration = Duration::from_millis(300);

/// How often is looked for what must not appear, whatever became of init's watch: a program can use up the user's.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A program, as it is to be started.
pub struct Command {
    /// A name that is looked up on the block's `PATH`, or a path.
    pub program: OsString,
    /// Its arguments, without its name.
    pub arguments: Vec<OsString>,
    /// Its environment block.
    pub variables: Vec<(OsString, OsString)>,
    /// Descriptors that it inherits besides the first three.
    pub kept: Vec<RawFd>,
    /// The front that its ports are shown through; each is shown by itself where there is none.
    pub ingress: Option<Inlet>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The program's own status.
    pub status: ExitStatus,
    /// The level that stood around it.
    pub level: Level,
    /// Everything that there was to say.
    pub events: Vec<Event>,
}

/// Why nothing was started, or why the program could not be executed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A step on the way to the level failed.
    #[error("the barrier's step `{step}` failed{}", if subject.is_empty() { String::new() } else { format!(" at `{subject}`") })]
    Step {
        /// The level that was being built.
        level: Level,
        /// The step.
        step: String,
        /// What it was about.
        subject: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Everything was set up, and the system would not execute the program.
    #[error("the program cannot be executed")]
    NotExecuted(#[source] io::Error),
    /// The supervisor's own set-up failed.
    #[error("the supervisor cannot be set up")]
    Supervisor(#[source] io::Error),
}

impl StartError {
    /// Whether it is the machine that does not allow a step. What fails for a reason in the project or the home directory would
    /// otherwise let a hostile layout choose the level.
    #[must_use]
    pub fn is_of_machine(&self) -> bool {
        let Self::Step { step, subject, .. } = self else {
            return false;
        };
        match step.as_str() {
            "mounts" => matches!(subject.as_str(), "/" | "/proc" | "/dev"),
            "namespaces" | "user map" | "session keyring" | "loopback" | "list of listeners"
            | "name answerer" | "Landlock" | "capabilities" | "no new privileges"
            | "system call filter" => true,
            _ => false,
        }
    }
}

impl From<Failed> for StartError {
    fn from(failed: Failed) -> Self {
        Self::Step {
            level: Level::Full,
            step: failed.step.to_owned(),
            subject: failed.subject,
            source: failed.error,
        }
    }
}

/// Starts a program inside a plan and stays until it has ended. The process must have one thread.
///
/// `wanted` is tried first, then what is weaker, down to `required`. `tell` hears of each event once, while it happens.
///
/// # Errors
///
/// What kept the last level from being built, or the program from being executed. Nothing is left running.
pub fn start(
    plan: &Plan,
    command: Command,
    levels: (Level, Level),
    tell: Box<dyn FnMut(&Event) + Send>,
) -> Result<Ended, StartError> {
    let streams = Streams::LetGo;
    start_with(plan, command, levels, streams, tell)
}

/// What becomes of standard input and output of this process while the program runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// They are given up, for good: the program's readers must see its end, not ours.
    LetGo,
    /// They are kept, because the program is only a trial.
    Keep,
}

/// The same as [`start`], saying what becomes of the streams.
pub(crate) fn start_with(
    plan: &Plan,
    command: Command,
    levels: (Level, Level),
    streams: Streams,
    mut tell: Teller,
) -> Result<Ended, StartError> {
    let (wanted, required) = levels;
    let ingress = command.ingress;
    // Without a network of its own the program listens on the host's, and nothing can stand before it.
    let required = if ingress.is_some() {
        required.max(Level::NoPidns)
    } else {
        required
    };
    let program = Program {
        program: command.program,
        arguments: command.arguments,
        variables: command.variables,
        kept: command.kept,
    };
    let mut level = wanted;
    let present = Present::of(plan);
    loop {
        match Attempt::begin(plan, &program, &present, level) {
            Ok(attempt) => {
                let attempt = Attempt { ingress, ..attempt };
                return attempt.run(plan, level, &present.absent, streams, tell);
            }
            Err(error) if !error.is_of_machine() => return Err(error),
            Err(StartError::Step {
                step,
                subject,
                source,
                ..
            }) => match level.weaker() {
                Some(weaker) if weaker >= required && weaker > Level::ConfigOnly => {
                    let reason = broker::reason(&source);
                    let step = if subject.is_empty() {
                        step
                    } else {
                        format!("{step} at `{subject}`")
                    };
                    tell(&Event::Weakened {
                        from: level,
                        step,
                        reason,
                    });
                    level = weaker;
                }
                _ => {
                    return Err(StartError::Step {
                        level,
                        step,
                        subject,
                        source,
                    });
                }
            },
            Err(error) => return Err(error),
        }
    }
}

/// A program that has been started, and what init handed over for it.
struct Attempt {
    /// The id of init.
    init: i32,
    control: OwnedFd,
    inside: Inside,
    mask: Signals,
    listeners: Vec<OwnedFd>,
    paths: Vec<(PathBuf, OwnedFd)>,
    services: Vec<OwnedFd>,
    filter: Option<OwnedFd>,
    ingress: Option<Inlet>,
    /// Messages that came before the supervisor was ready for them.
    early: Vec<Message>,
}

impl Attempt {
    fn begin(
        plan: &Plan,
        program: &Program,
        present: &Present,
        level: Level,
    ) -> Result<Self, StartError> {
        let inside = Inside::of(plan, &answered(plan));
        let flags = SocketFlags::CLOEXEC;
        let (control, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(|error| StartError::Supervisor(error.into()))?;
        let mask = Signals::of(SIGNALS)
            .block()
            .map_err(StartError::Supervisor)?;
        let orders = Orders {
            plan,
            level,
            inside: &inside,
            program,
            present,
            mask,
            // Read before the clone: afterwards they are nobody's until the map is written.
            user: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
        };
        let init = enforce::start(&orders, &theirs, &control)?;
        drop(theirs);
        let mut attempt = Self {
            init,
            control,
            inside,
            mask,
            listeners: Vec::new(),
            paths: Vec::new(),
            services: Vec::new(),
            filter: None,
            ingress: None,
            early: Vec::new(),
        };
        match attempt.receive(level) {
            Ok(()) => Ok(attempt),
            Err(error) => {
                attempt.give_up();
                Err(error)
            }
        }
    }

    /// Takes what init hands over, until the program's own process is ready.
    fn receive(&mut self, level: Level) -> Result<(), StartError> {
        loop {
            let message = wire::receive(&self.control).map_err(StartError::Supervisor)?;
            let Some(message) = message else {
                return Err(StartError::Supervisor(io::Error::other(
                    "init has ended unexpectedly",
                )));
            };
            match message.kind {
                Kind::Failed => return Err(step_error(&message, level)),
                Kind::NotExecuted => return Err(not_executed(&message)),
                Kind::Listeners if message.number == 1 => {
                    let path = PathBuf::from(&message.text);
                    self.paths.extend(
                        message
                            .descriptors
                            .into_iter()
                            .map(|socket| (path.clone(), socket)),
                    );
                }
                Kind::Listeners => self.listeners.extend(message.descriptors),
                Kind::Services => self.services = message.descriptors,
                Kind::Filter => {
                    self.filter = message.descriptors.into_iter().next();
                    return Ok(());
                }
                Kind::Started => return Ok(()),
                _ => self.early.push(message),
            }
        }
    }

    /// Leaves nothing behind of an attempt that failed.
    fn give_up(&self) {
        // It may have ended by itself.
        let _ = sys::kill(self.init, libc::SIGKILL);
        let _ = rustix::process::waitpid(Pid::from_raw(self.init), WaitOptions::empty());
        let _ = self.mask.restore();
    }

    fn run(
        self,
        plan: &Plan,
        level: Level,
        absent: &[PathBuf],
        streams: Streams,
        tell: Teller,
    ) -> Result<Ended, StartError> {
        let terminal = Terminal::remember();
        let descriptors = raise_limit();
        if streams == Streams::LetGo {
            quiet_streams();
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(4)
            .build()
            .map_err(StartError::Supervisor)?;
        let broker = Broker::new(plan.clone(), self.inside.clone(), level, descriptors, tell);
        broker.tell(Event::Built { level });
        let (init, mask) = (self.init, self.mask);
        let local = LocalSet::new();
        // Without mounts nothing is protected, and nothing is moved.
        let absent = if level >= Level::NoPidns { absent } else { &[] };
        let supervised = self.supervise(broker.clone(), absent.to_vec());
        let result = local.block_on(&runtime, async {
            let result = supervised.await;
            broker.finish().await;
            result
        });
        drop(local);
        runtime.shutdown_background();
        if result.is_err() {
            // Init ends by itself when the program has; here it has not.
            let _ = sys::kill(init, libc::SIGKILL);
            let _ = rustix::process::waitpid(Pid::from_raw(init), WaitOptions::empty());
        }
        guard::look(absent, &broker);
        terminal.give_back();
        // One that came with the program's end would end this process otherwise than the program ended.
        Signals::of(SIGNALS).forget();
        let _ = mask.restore();
        Ok(Ended {
            status: result?,
            level,
            events: broker.events(),
        })
    }

    async fn supervise(
        self,
        broker: Broker,
        absent: Vec<PathBuf>,
    ) -> Result<ExitStatus, StartError> {
        let control = Rc::new(self.control);
        let factory = Factory::new(control.clone());
        let listens = Rc::new(Notify::new());
        // Only for programs that stay: a short one is not kept waiting.
        spawn_local(async {
            tokio::time::sleep(SETTLED).await;
            sys::trim_memory();
        });
        if let Some(inlet) = self.ingress {
            broker.show_through(inlet);
        }
        let locals = broker.serve(self.listeners);
        broker.serve_paths(self.paths);
        let mut services = self.services.into_iter();
        if let (Some(datagrams), Some(streams), Some(lister)) =
            (services.next(), services.next(), services.next())
        {
            broker.answer(datagrams, streams);
            let lister = Lister::of(lister);
            spawn_local(broker::keep(
                broker.clone(),
                factory.clone(),
                lister,
                locals,
                listens.clone(),
            ));
        } else {
            broker
                .answer_outside()
                .await
                .map_err(StartError::Supervisor)?;
        }
        if let Some(filter) = self.filter {
            broker.decide(filter, listens);
        }
        let watched = Watched {
            signals: Signals::of(SIGNALS)
                .descriptor()
                .and_then(sys::asynchronous)
                .map_err(StartError::Supervisor)?,
            messages: control
                .try_clone()
                .and_then(sys::asynchronous)
                .map_err(StartError::Supervisor)?,
            control,
            factory,
            broker,
            absent,
        };
        for message in self.early {
            if let Some(end) = watched.take(message)? {
                return Ok(end);
            }
        }
        watched.watch().await
    }
}

/// The supervisor's loop: init's messages and this process's signals.
struct Watched {
    signals: AsyncFd<OwnedFd>,
    messages: AsyncFd<OwnedFd>,
    control: Rc<OwnedFd>,
    factory: Factory,
    broker: Broker,
    /// What must not appear.
    absent: Vec<PathBuf>,
}

impl Watched {
    async fn watch(&self) -> Result<ExitStatus, StartError> {
        let mut look = tokio::time::interval(LOOK_AGAIN);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first is at once, and too early.
        look.reset();
        loop {
            tokio::select! {
                _ = look.tick() => guard::look(&self.absent, &self.broker),
                ready = self.messages.readable() => {
                    let mut ready = ready.map_err(StartError::Supervisor)?;
                    match ready.try_io(wire::receive) {
                        Ok(Ok(Some(message))) => if let Some(end) = self.take(message)? {
                            return Ok(end);
                        },
                        // Init was killed, and with it everything inside.
                        Ok(Ok(None) | Err(_)) => return Ok(ExitStatus::from_raw(libc::SIGKILL)),
                        Err(_) => {}
                    }
                }
                ready = self.signals.readable() => {
                    let mut ready = ready.map_err(StartError::Supervisor)?;
                    while let Some(signal) = sys::read_signal(self.signals.as_fd()) {
                        self.pass_on(signal);
                    }
                    ready.clear_ready();
                }
            }
        }
    }

    /// Acts on a message; gives the program's status when it has ended.
    fn take(&self, message: Message) -> Result<Option<ExitStatus>, StartError> {
        match message.kind {
            Kind::Ended => {
                let left = message.text.parse().unwrap_or(0);
                if left > 0 {
                    self.broker.tell(Event::Left { processes: left });
                }
                return Ok(Some(ExitStatus::from_raw(message.number)));
            }
            Kind::NotExecuted => return Err(not_executed(&message)),
            Kind::Failed => return Err(step_error(&message, Level::Full)),
            Kind::Stopped => self.say(Kind::AskStopped, 0),
            // By itself, so that whoever started us sees the job stopped; a continuation wakes the whole group.
            Kind::IsStopped if message.number == 1 => {
                let _ = sys::kill(
                    rustix::process::getpid().as_raw_nonzero().get(),
                    libc::SIGSTOP,
                );
            }
            Kind::Sockets => self.factory.answer(message),
            Kind::Look => guard::look(&self.absent, &self.broker),
            Kind::Appeared => self.broker.tell(Event::Appeared { path: message.text }),
            _ => {}
        }
        Ok(None)
    }

    /// What the terminal sends has reached the program by itself; the rest is init's to pass on.
    fn pass_on(&self, signal: sys::Signal) {
        if !signal.from_kernel && signal.number != libc::SIGCHLD {
            self.say(Kind::Signal, signal.number);
        }
    }

    fn say(&self, kind: Kind, number: i32) {
        // The end of init is seen by the loop.
        let _ = wire::send(&*self.control, kind, number, "", &[]);
    }
}

fn step_error(message: &Message, level: Level) -> StartError {
    let (step, subject) = message.text.split_once('\n').unwrap_or((&message.text, ""));
    StartError::Step {
        level,
        step: step.to_owned(),
        subject: subject.to_owned(),
        source: io::Error::from_raw_os_error(message.number),
    }
}

fn not_executed(message: &Message) -> StartError {
    StartError::NotExecuted(io::Error::from_raw_os_error(message.number))
}

/// The ports of the host's loopback that the plan names and at which somebody listens now.
fn answered(plan: &Plan) -> Vec<u16> {
    if !plan
        .endpoints
        .iter()
        .any(|endpoint| endpoint.host == Host::Local)
    {
        return Vec::new();
    }
    let listening = Lister::here().and_then(|lister| lister.listening());
    listening
        .unwrap_or_default()
        .iter()
        .map(std::net::SocketAddr::port)
        .collect()
}

/// Takes as many descriptors as this process may have; the program keeps the limit that it was given.
pub(crate) fn raise_limit() -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _ = rustix::process::setrlimit(Resource::Nofile, raised);
    let now = rustix::process::getrlimit(Resource::Nofile).current;
    now.map_or(1 << 20, |now| {
        usize::try_from(now).unwrap_or(1 << 20).min(1 << 20)
    })
}

/// Lets go of standard input and output: the program's readers must see its end, not ours.
fn quiet_streams() {
    if let Ok(null) = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
    {
        for descriptor in 0..2 {
            sys::replace(null.as_fd(), descriptor);
        }
    }
}

/// Who had the terminal before: a shell inside takes it, and cannot give it back to a group that it cannot see.
struct Terminal {
    descriptor: Option<OwnedFd>,
    group: Option<Pid>,
}

impl Terminal {
    fn remember() -> Self {
        let flags =
            rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let descriptor = rustix::fs::open("/dev/tty", flags, rustix::fs::Mode::empty()).ok();
        let group = descriptor
            .as_ref()
            .and_then(|terminal| tcgetpgrp(terminal).ok());
        Self { descriptor, group }
    }

    fn give_back(&self) {
        let (Some(terminal), Some(group)) = (&self.descriptor, self.group) else {
            return;
        };
        if group == rustix::process::getpgrp() && tcgetpgrp(terminal).ok() != Some(group) {
            // From the background the terminal would stop who asks.
            sys::ignore(libc::SIGTTOU);
            let _ = tcsetpgrp(terminal, group);
            sys::default_action(libc::SIGTTOU);
        }
    }
}

/// Ends this process as another ended: with its code, or by its signal; comes back with the code where the signal does not end us.
#[must_use]
pub fn end_like(status: ExitStatus) -> u8 {
    let Some(signal) = status.signal() else {
        return u8::try_from(status.code().unwrap_or(1)).unwrap_or(1);
    };
    // The program's core file, where there was one, is its own; ours would hold its settings.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    sys::default_action(signal);
    let _ = Signals::of(&[]).restore();
    let _ = sys::kill(rustix::process::getpid().as_raw_nonzero().get(), signal);
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
