//! The gateway that is started with a program: what the program gets in the place of addresses and keys, and the process that serves it.
//!
//! What always holds: where a resource is carried, neither its key nor its address is among the settings that the program gets; its
//! token counts in this run alone; what is not to be reached by the program itself is not reached for it either.

#[cfg(target_os = "linux")]
mod served;

#[cfg(target_os = "linux")]
pub(super) use ringfence_sandbox::ingress::Inlet;
#[cfg(target_os = "linux")]
pub(super) use served::serve;

use std::net::{Ipv4Addr, TcpListener, TcpStream};

use ringfence_diagnostic::Diagnostic;
use ringfence_gateway::caller::{CallerKey, PREFIX};
use ringfence_gateway::config::{Config, Upstream};
use ringfence_model::environment::Environment;
use ringfence_model::host::Host;
use ringfence_model::resolve::Resolution;
use ringfence_model::service::{Kind, Service};
use ringfence_model::variable::ENVIRONMENT;
use ringfence_reach::plan::{Endpoint, Host as Target, Plan};
use ringfence_secret::fingerprint::Key;

use super::Start;
use crate::ambient::Ambient;
use crate::commands::gateway as command;
use crate::failure::{Failure, exit};
use crate::gateway::{self, Extent, Ground};
use crate::load::Loaded;

/// Who the program is to its gateway.
const CALLER: &str = "run";

/// What the address of a program's gateway begins with.
const LOOPBACK: &str = "http://127.0.0.1:";

/// Where OpenFeature's clients ask for flags (OpenFeature's OFREP, ADR 0007).
pub(super) const OFREP_ENDPOINT: &str = "OFREP_ENDPOINT";

/// What they send there: `NAME=VALUE`, separated by commas.
const OFREP_HEADERS: &str = "OFREP_HEADERS";

/// The gateway of a program that is about to be started.
pub(super) struct Carrier {
    /// The settings as the program gets them.
    pub(super) resolution: Resolution,
    /// The variables that it gets besides, where there are flags.
    pub(super) variables: Vec<(&'static str, String)>,
    /// What is carried.
    pub(super) rows: Vec<Row>,
    /// The limits of what comes in, as they are written.
    pub(super) ingress: Option<String>,
    /// Where the program's ports are handed to what counts, once that is started.
    pub(super) inlet: Option<Inlet>,
    port: u16,
    /// What is to be served; nothing where it is only explained.
    pub(super) ready: Option<Ready>,
}

/// A resource that is carried.
pub(super) struct Row {
    /// Its name.
    pub(super) resource: String,
    /// Where it leads to.
    pub(super) upstream: String,
    /// The setting of its address.
    pub(super) setting: String,
    /// The setting of its key.
    pub(super) key: Option<String>,
}

/// Everything that a gateway is served with.
pub(super) struct Ready {
    pub(super) listener: TcpListener,
    pub(super) config: Config,
    pub(super) token_key: Key,
}

impl Carrier {
    /// The gateway that the manifest wants for a program, listening and checked; none where there is nothing to carry.
    pub(super) fn of(
        start: &Start,
        is_explained: bool,
        ambient: &Ambient,
    ) -> Result<Option<Self>, Failure> {
        let (loaded, environment) = (&start.loaded, &start.environment);
        let Some((services, has_flags)) = wanted(start)? else {
            return Ok(None);
        };
        let ingress = gateway::ingress::written(&loaded.project, environment);
        let (ready, base, token) = match outer(&services, environment, &ambient.host) {
            Some((base, token)) => {
                // What comes in is counted by nobody else's word.
                let is_needed = ingress.is_some() && !is_explained;
                let own = is_needed.then(|| Ready::of(start)).transpose()?;
                (own.map(|(ready, _)| ready), base, token)
            }
            None if is_explained => (None, format!("{LOOPBACK}0"), String::new()),
            None => {
                let (ready, token) = Ready::of(start)?;
                let base = format!("{LOOPBACK}{}", ready.port());
                (Some(ready), base, token)
            }
        };
        let port = base
            .strip_prefix(LOOPBACK)
            .and_then(|port| port.parse().ok());
        let told = told(start, &services, &base, &token);
        let carrier = Self {
            resolution: loaded.resolve(environment, &ambient.host, &told),
            variables: variables(has_flags, start, base, &token),
            rows: services.iter().map(|service| row(service, start)).collect(),
            ingress: ingress.map(str::to_owned),
            inlet: None,
            port: port.unwrap_or(0),
            ready,
        };
        carrier.refuse_copies(start)?;
        Ok(Some(carrier))
    }

    /// Refuses where a key would reach the program all the same, under another name.
    fn refuse_copies(&self, start: &Start) -> Result<(), Failure> {
        /// A shorter text may stand in another one by chance.
        const TELLING: usize = 8;
        let keys = self.rows.iter().filter_map(|row| row.key.as_deref());
        let mut faults = Vec::new();
        for key in keys {
            let Some(value) = start.resolution.settings.get(key) else {
                continue;
            };
            let value = value.value.expose().trim();
            let holds = |text: &str| match value.len() < TELLING {
                true => !value.is_empty() && text.trim() == value,
                false => text.contains(value),
            };
            let settings = self.resolution.settings.iter();
            let copies = settings.filter(|(_, setting)| holds(setting.value.expose()));
            faults.extend(copies.map(|(name, setting)| {
                let fault = copied(key, name);
                match setting.origin.place() {
                    Some(place) => fault.at(place, "it stands here, too"),
                    None => fault,
                }
            }));
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(Failure::Diagnostics(
            faults,
            Box::new(start.loaded.sources.clone()),
        ))
    }

    /// The settings in whose place the program gets others, with the values that it does not get.
    pub(super) fn carried<'a>(&'a self, outside: &'a Resolution) -> Vec<(&'a str, &'a str)> {
        let names = self
            .rows
            .iter()
            .flat_map(|row| row.key.iter().chain([&row.setting]));
        let carried = names.filter_map(|name| {
            let setting = outside.settings.get(name)?;
            Some((name.as_str(), setting.value.expose()))
        });
        carried.collect()
    }

    /// Lets the program reach its gateway, where it has anything to ask it for.
    pub(super) fn open(&self, plan: &mut Plan) {
        if self.rows.is_empty() && self.variables.is_empty() {
            return;
        }
        let is_known = plan
            .endpoints
            .iter()
            .any(|endpoint| endpoint.host == Target::Local && endpoint.port == self.port);
        if !is_known && self.port != 0 {
            plan.endpoints.push(Endpoint {
                host: Target::Local,
                port: self.port,
                because: vec!["the gateway".to_owned()],
                is_tls: false,
            });
        }
    }

    /// Where a resource leads to, in the words of the banner.
    pub(super) fn shown(&self, resource: &str) -> Option<String> {
        let row = self.rows.iter().find(|row| row.resource == resource)?;
        Some(format!("{resource} {} through the gateway", row.upstream))
    }
}

/// What a gateway of this program would carry, and whether there are flags; nothing where none is to be started. Refused where none is, and
/// what comes in is limited.
pub(super) fn wanted(start: &Start) -> Result<Option<(Vec<&Service>, bool)>, Failure> {
    let project = &start.loaded.project;
    let is_limited = start.is_fronted();
    if !project.gateway.starts(&start.environment) {
        return match is_limited {
            true => Err(not_limited(&start.environment)),
            false => Ok(None),
        };
    }
    let has_flags = !project.flags.is_empty() || command::flags_file(&start.loaded)?.is_some();
    let services: Vec<&Service> = gateway::carried(project, &start.resolution).collect();
    let is_any = has_flags || !services.is_empty() || is_limited;
    Ok(is_any.then_some((services, has_flags)))
}

impl Ready {
    /// What is served, and the token that opens it.
    fn of(start: &Start) -> Result<(Self, String), Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| {
            let message = "the gateway cannot listen on 127.0.0.1; nothing was started";
            Failure::error(exit::NOT_SET_UP, message)
                .caused_by(error)
                .hint("say `start = false` in `[gateway]` to start none")
        })?;
        let token_key = Key::generate();
        let callers = callers(&token_key, &start.environment);
        let token = callers.token(CALLER);
        let token = token.map(|token| token.as_str().to_owned());
        let (loaded, environment) = (&start.loaded, &start.environment);
        let config = config(loaded, environment, &start.resolution, (callers, 1))?;
        let ready = Self {
            listener,
            config,
            token_key,
        };
        Ok((ready, token.unwrap_or_default()))
    }

    fn port(&self) -> u16 {
        let address = self.listener.local_addr();
        address.map_or(0, |address| address.port())
    }
}

/// The gateway of the run that this one is started in, where that is one of the same environment, and the token for it: what it
/// carries can be reached in no other way from in there.
fn outer(
    services: &[&Service],
    environment: &Environment,
    host: &Host,
) -> Option<(String, String)> {
    let name = environment.name.as_str();
    let is_inside = host.get(ENVIRONMENT).is_some_and(|outer| outer == name);
    let prefix = format!("{PREFIX}{name}.{CALLER}.");
    let value = |name: &str| {
        let value = host.get(name)?.to_str()?;
        let is_ours = value.starts_with(LOOPBACK) || value.contains(&prefix);
        (is_inside && is_ours).then_some(value)
    };
    let base_of = |service: &&Service| {
        let address = value(service.setting.as_deref()?)?.trim_end_matches('/');
        let address = address.strip_suffix("/v1").unwrap_or(address);
        address.strip_suffix(&format!("/{}", service.name))
    };
    let base = value(OFREP_ENDPOINT).or_else(|| services.iter().find_map(base_of))?;
    let tokens = services
        .iter()
        .filter_map(|service| value(service.key()?.0));
    let header = value(OFREP_HEADERS).and_then(|header| header.rsplit(' ').next());
    let token = header.into_iter().chain(tokens).next().unwrap_or_default();
    // Another project's run may have an environment of the same name.
    let carries_all = services
        .iter()
        .all(|service| base_of(service) == Some(base));
    let is_served = || {
        let port = base.strip_prefix(LOOPBACK)?.parse().ok()?;
        // Variables may be left over from a run that has ended.
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
    };
    (carries_all && is_served().is_some()).then(|| (base.to_owned(), token.to_owned()))
}

/// Addresses and tokens, for the place of what the program does not get. What refers to that by `${…}` follows.
fn told(start: &Start, services: &[&Service], base: &str, token: &str) -> Vec<(String, String)> {
    let mut told = start.selection.set.clone();
    for service in services {
        let setting = service.setting.clone().unwrap_or_default();
        let written = start.resolution.settings.get(&setting);
        // A program that puts a path behind it relies on the slash, or on its absence; a mock's address ends with one by itself.
        let has_slash = written.is_some_and(|written| {
            let address = written.value.expose().trim();
            address.ends_with('/') && !address.ends_with("://")
        });
        let slash = if has_slash { "/" } else { "" };
        let version = match service.kind {
            Kind::OpenAi => "/v1",
            Kind::Http => "",
        };
        told.push((setting, format!("{base}/{}{version}{slash}", service.name)));
        let key = service.key();
        told.extend(key.map(|(key, _)| (key.to_owned(), token.to_owned())));
    }
    told
}

/// What OpenFeature's clients read, unless the project says it itself.
fn variables(
    has_flags: bool,
    start: &Start,
    base: String,
    token: &str,
) -> Vec<(&'static str, String)> {
    let is_set = |name: &str| start.resolution.settings.contains_key(name);
    if !has_flags || is_set(OFREP_ENDPOINT) || is_set(OFREP_HEADERS) {
        return Vec::new();
    }
    let header = format!("Authorization=Bearer {token}");
    vec![(OFREP_ENDPOINT, base), (OFREP_HEADERS, header)]
}

fn row(service: &Service, start: &Start) -> Row {
    let setting = service.setting.clone().unwrap_or_default();
    let value = start.resolution.settings.get(&setting);
    let upstream = value.and_then(|value| Upstream::parse(value.value.expose().trim()).ok());
    Row {
        resource: service.name.clone(),
        upstream: upstream.map_or_else(|| "not known yet".to_owned(), |known| known.to_string()),
        setting,
        key: service.key().map(|(key, _)| key.to_owned()),
    }
}

/// The key of this run's tokens: made for it, and gone with it.
fn callers(key: &Key, environment: &Environment) -> CallerKey {
    CallerKey::derived(key.bytes(), CALLER, &environment.name).with_stranger(CALLER)
}

/// The configuration of a program's gateway, or why there is none.
fn config(
    loaded: &Loaded,
    environment: &Environment,
    resolution: &Resolution,
    (callers, generation): (CallerKey, u64),
) -> Result<Config, Failure> {
    let flags = command::flags_file(loaded)?;
    let ground = Ground {
        project: &loaded.project,
        environment,
        resolution,
        sources: &loaded.sources,
        flags: flags.as_deref(),
        extent: Extent::Carried,
    };
    let is_limited = gateway::ingress::written(&loaded.project, environment).is_some();
    gateway::config(ground, callers, generation).map_err(|mut faults| {
        // Where what comes in is limited there is no start without a gateway.
        if let Some(last) = faults.pop_if(|_| !is_limited) {
            faults.push(last.help(format!(
                "or start `{}` without a gateway: `start = {{ default = true, in.{} = false }}` in `[gateway]`; the program then gets addresses and keys as they are",
                environment.name, environment.name
            )));
        }
        Failure::Diagnostics(faults, Box::new(loaded.sources.clone()))
    })
}

/// Elsewhere there is no process beside a program, and nothing gets here.
#[cfg(not(target_os = "linux"))]
pub(super) fn serve(
    _: Ready,
    _: &Start,
    _: &Ambient,
    _: &mut crate::output::Output,
) -> Result<Option<Inlet>, Failure> {
    Ok(None)
}

/// Nor is there anything to hand ports to.
#[cfg(not(target_os = "linux"))]
pub(super) enum Inlet {}

fn not_limited(environment: &Environment) -> Failure {
    let name = &environment.name;
    let message = format!(
        "what comes in to `{name}` is limited, and `start = false` leaves out the gateway that counts; nothing was started"
    );
    Failure::error(exit::REFUSED, message)
        .hint(format!("say `start = {{ default = false, in.{name} = true }}`, or `ingress = {{ in.{name} = \"none\" }}`, in `[gateway]`"))
        .into()
}

fn copied(key: &str, name: &str) -> Diagnostic {
    let message = format!("`{name}` holds the key of `{key}`, which the program is not to get");
    Diagnostic::error("key-in-another-setting", message)
        .because("nothing was started: the gateway puts the key in, and the program could use it without the gateway")
        .help(format!("write `{name}=${{{key}}}`, so that it gets the gateway's token as well, or name it as `key` of a resource of its own"))
}
