//! From a project and its settings to the plain data that a gateway is started with.

mod fault;
mod flags;
pub(crate) mod ingress;

use std::sync::Arc;

use http::header::HeaderName;
use ringfence_diagnostic::{Diagnostic, Place, Sources};
use ringfence_flag::definition::FlagSet;
use ringfence_gateway::caller::CallerKey;
use ringfence_gateway::config::{
    Allowances, Config, Driven, KeyClass, Kind, Level, Origin, Origins, Price, Resource, Target,
    Upstream, duration, refusals,
};
use ringfence_gateway::key::{InjectedKey, Scrubber};
use ringfence_gateway::limit::rule::{self, Rule};
use ringfence_lint::vendor::{self, Class};
use ringfence_model::environment::Environment;
use ringfence_model::project::Project;
use ringfence_model::resolve::{Resolution, Setting};
use ringfence_model::service::{self, Model, Service};
use ringfence_model::tier::Tier;
use ringfence_secret::redact::Patterns;

/// What a configuration is made from.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) project: &'a Project,
    pub(crate) environment: &'a Environment,
    pub(crate) resolution: &'a Resolution,
    /// The texts that places point into.
    pub(crate) sources: &'a Sources,
    /// The text of `flags.json`, where there is one.
    pub(crate) flags: Option<&'a str>,
    pub(crate) extent: Extent,
}

/// Which resources are served.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All; one without an address is refused.
    All,
    /// What is carried for a program: one that has no address asks for nothing there.
    Carried,
}

/// What a gateway that `run` starts carries in an environment: resources that have an address there, and need a gateway.
pub(crate) fn carried<'a>(
    project: &'a Project,
    resolution: &Resolution,
) -> impl Iterator<Item = &'a Service> {
    let has_address = |service: &&Service| {
        let Some(name) = service.setting.as_deref() else {
            return false;
        };
        let setting = resolution.settings.get(name);
        let is_written = setting.is_some_and(|setting| !setting.value.expose().trim().is_empty());
        is_written || resolution.closed.contains_key(name)
    };
    let services = project.services.iter();
    services.filter(move |service| service.needs_gateway() && has_address(service))
}

/// The resources for which `run` starts a gateway in an environment.
pub(crate) fn started_for<'a>(
    project: &'a Project,
    environment: &Environment,
    resolution: &Resolution,
) -> Vec<&'a str> {
    let started = started(project, environment, resolution);
    started.map(|service| service.name.as_str()).collect()
}

/// The resource whose gateway a program gets an address or a token of in the place of a setting.
pub(crate) fn in_place_of<'a>(
    project: &'a Project,
    environment: &Environment,
    resolution: &Resolution,
    setting: &str,
) -> Option<&'a str> {
    let found = started(project, environment, resolution).find(|service| {
        let key = service.key().map(|(key, _)| key);
        service.setting.as_deref() == Some(setting) || key == Some(setting)
    });
    found.map(|service| service.name.as_str())
}

fn started<'a>(
    project: &'a Project,
    environment: &Environment,
    resolution: &Resolution,
) -> impl Iterator<Item = &'a Service> {
    let starts = cfg!(target_os = "linux") && project.gateway.starts(environment);
    carried(project, resolution).filter(move |_| starts)
}

/// The configuration of an environment's gateway, or everything that is wrong with it.
pub(crate) fn config(
    ground: Ground<'_>,
    callers: CallerKey,
    generation: u64,
) -> Result<Config, Vec<Diagnostic>> {
    let project = ground.project;
    let production = ground.environment.tier == Tier::Production;
    let mut faults = Vec::new();
    let flags = flags::flags(
        project,
        ground.environment,
        ground.sources,
        ground.flags,
        &mut faults,
    );
    let services: Vec<&Service> = match ground.extent {
        Extent::All => project.services.iter().collect(),
        Extent::Carried => carried(project, ground.resolution).collect(),
    };
    let resources = services.into_iter().map(|service| {
        let mut reader = Reader {
            ground,
            service,
            production,
            flags: &flags,
            faults: &mut faults,
        };
        reader.resource()
    });
    let resources = resources
        .collect::<Vec<_>>()
        .into_iter()
        .flatten()
        .collect();
    let config = Config {
        environment: ground.environment.name.clone(),
        production,
        generation,
        resources,
        flags,
        origins: origins(project, ground.environment, &mut faults),
        callers,
        secrets: Patterns::new(secrets(ground)),
        ingress: ingress::ingress(project, ground.environment, &mut faults),
        allowances: allowances(project),
    };
    faults.extend(refusals(&config).into_iter().filter_map(|refused| {
        let service = project
            .services
            .iter()
            .find(|service| service.name == refused.resource)?;
        Some(fault::refused(refused, service.place))
    }));
    if faults.is_empty() {
        Ok(config)
    } else {
        Err(faults)
    }
}

/// The pages that may ask for flags; what is no origin goes to `faults`.
fn origins(project: &Project, environment: &Environment, faults: &mut Vec<Diagnostic>) -> Origins {
    let listed = project.gateway.origins(environment);
    let listed = listed.filter_map(|written| {
        let origin = Origin::parse(written.0);
        if origin.is_none() {
            faults.push(fault::no_origin(written));
        }
        origin
    });
    Origins {
        listed: listed.collect(),
        takes_loopback: environment.tier == Tier::Development,
    }
}

fn allowances(project: &Project) -> Allowances {
    let gateway = &project.gateway;
    Allowances {
        no_limits: gateway.allows("no-limits"),
        full_records: gateway.allows("full-records"),
        mock: gateway.allows("mock"),
    }
}

/// What no record may hold: the environment's secrets, and the keys, whatever they are declared as.
fn secrets(ground: Ground<'_>) -> Vec<(&str, &str)> {
    let services = &ground.project.services;
    let is_key = |name: &str| {
        let mut keys = services.iter().filter_map(|service| service.key());
        keys.any(|(key, _)| key == name)
    };
    let settings = ground.resolution.settings.iter();
    let secret = settings.filter(|(name, setting)| setting.is_secret || is_key(name));
    secret
        .map(|(name, setting)| (name.as_str(), setting.value.expose()))
        .collect()
}

/// Reads what the manifest and the settings say of one resource.
struct Reader<'a> {
    ground: Ground<'a>,
    service: &'a Service,
    production: bool,
    flags: &'a FlagSet,
    faults: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn resource(&mut self) -> Option<Resource> {
        let upstream = self.upstream();
        let header = self.header();
        let kind = self.kind();
        let limits = self.limits();
        let timeout = self.timeout();
        // Everything that is wrong has been said by now.
        let upstream = upstream?;
        let (key, key_class, scrubber) = self.key(&upstream, header?)?;
        Some(Resource {
            name: self.service.name.clone(),
            kind,
            upstream,
            key,
            key_class,
            scrubber,
            limits,
            record: self.record(),
            timeout,
        })
    }

    fn setting(&self, name: &str) -> Option<&Setting> {
        let setting = self.ground.resolution.settings.get(name);
        setting.filter(|setting| !setting.value.expose().trim().is_empty())
    }

    fn upstream(&mut self) -> Option<Upstream> {
        let environment = self.ground.environment;
        let setting = self
            .service
            .setting
            .as_deref()
            .and_then(|name| Some((name, self.setting(name)?)));
        let Some((name, setting)) = setting else {
            self.faults
                .push(fault::no_address(self.service, environment));
            return None;
        };
        match Upstream::parse(setting.value.expose().trim()) {
            Ok(upstream) => Some(upstream),
            Err(error) => {
                let place = setting.origin.place().unwrap_or(self.service.place);
                let fault = fault::unusable_address(name, &error, place);
                self.faults.push(fault);
                None
            }
        }
    }

    /// Whether an upstream may go without the key that is named: a mock has none, nor has a model on this machine outside production.
    fn needs_no_key(&self, upstream: &Upstream) -> bool {
        match upstream {
            Upstream::Mock(_) => true,
            Upstream::Server(address) => {
                let is_model = self.service.kind == service::Kind::OpenAi;
                is_model && !self.production && address.is_loopback()
            }
            Upstream::Closed(_) => false,
        }
    }

    /// The key, its class, and what takes it out of answers. Whoever names one has to give it, where one is needed.
    fn key(
        &mut self,
        upstream: &Upstream,
        header: Option<HeaderName>,
    ) -> Option<(Option<InjectedKey>, Option<KeyClass>, Scrubber)> {
        let none = (None, None, Scrubber::new([]));
        let Some((name, place)) = self.service.key() else {
            return Some(none);
        };
        let Some(setting) = self.setting(name) else {
            if self.needs_no_key(upstream) {
                return Some(none);
            }
            self.faults.push(fault::no_key(
                self.service,
                name,
                place,
                self.ground.environment,
            ));
            return None;
        };
        let value = setting.value.expose().trim().to_owned();
        let value = zeroize::Zeroizing::new(value);
        match InjectedKey::new(header, &value) {
            Ok(key) => Some((
                Some(key),
                class(name, &value),
                Scrubber::new([value.as_str()]),
            )),
            Err(error) => {
                self.faults.push(fault::unusable_key(name, &error, place));
                None
            }
        }
    }

    /// The header of the key; the outer `None` where what is written is none.
    #[expect(
        clippy::option_option,
        reason = "no header is written, and one that is none, are two things"
    )]
    fn header(&mut self) -> Option<Option<HeaderName>> {
        let Some((written, place)) = self.service.header() else {
            return Some(None);
        };
        self.header_named(written, place).map(Some)
    }

    fn header_named(&mut self, written: &str, place: Place) -> Option<HeaderName> {
        let header = HeaderName::from_bytes(written.as_bytes()).ok();
        if header.is_none() {
            self.faults.push(fault::no_header(written, place));
        }
        header
    }

    fn kind(&mut self) -> Kind {
        match self.service.kind {
            service::Kind::OpenAi => {
                let rows = self.service.models(self.ground.environment);
                let rows = rows.into_iter().map(|(name, models)| {
                    let targets = models
                        .iter()
                        .filter_map(|model| self.target(model))
                        .collect();
                    (name.to_owned(), targets)
                });
                Kind::OpenAi {
                    models: rows.collect(),
                }
            }
            service::Kind::Http => {
                let written: Vec<_> = self.service.headers().collect();
                let headers = written
                    .into_iter()
                    .filter_map(|(name, place)| self.header_named(name, place));
                Kind::Http {
                    headers: headers.collect(),
                }
            }
        }
    }

    fn target(&mut self, model: &Model) -> Option<Target> {
        let price = match &model.price {
            None => None,
            Some((input, output)) => {
                let (Some(input), Some(output)) = (rule::decimal(input), rule::decimal(output))
                else {
                    self.faults.push(fault::no_price(model.place));
                    return None;
                };
                Some(Price { input, output })
            }
        };
        Some(Target {
            resource: model.at.clone(),
            model: model.model.clone(),
            price,
        })
    }

    fn limits(&mut self) -> Driven<Vec<Arc<Rule>>> {
        let written = self.service.limits(self.ground.environment);
        let production = self.production;
        let parse = |text: &str| rule::parse(text, production).map_err(|error| error.to_string());
        let driven = self.driven(written, parse, fault::no_limit);
        driven.unwrap_or_else(|| Vec::new().into())
    }

    fn record(&mut self) -> Driven<Level> {
        let written = self.service.record(self.ground.environment);
        let parse = |text: &str| match text {
            "full" => Ok(Level::Full),
            "metadata" => Ok(Level::Metadata),
            "none" => Ok(Level::None),
            _ => Err(format!("`{text}` is no word for what is recorded")),
        };
        let driven = self.driven(written, parse, fault::no_record);
        driven.unwrap_or_else(|| Level::Metadata.into())
    }

    /// The value that is written, or those of all variants of the flag; `None` where nothing is written, or a fault has been told.
    fn driven<T>(
        &mut self,
        written: Option<service::Driven<'_>>,
        parse: impl Fn(&str) -> Result<T, String>,
        wrong: fn(String, Place) -> Diagnostic,
    ) -> Option<Driven<T>> {
        let read = match written? {
            service::Driven::Text((text, place)) => parse(text)
                .map(Driven::Fixed)
                .map_err(|why| wrong(why, place)),
            service::Driven::Flag((key, place)) => {
                flags::driven(self.flags, key, place, |variant| {
                    parse(variant).map_err(|why| wrong(why, place))
                })
            }
        };
        read.map_err(|fault| self.faults.push(fault)).ok()
    }

    fn timeout(&mut self) -> std::time::Duration {
        const USUAL: std::time::Duration = std::time::Duration::from_secs(60);
        let Some((written, place)) = self.service.timeout(self.ground.environment) else {
            return USUAL;
        };
        match duration(written).filter(|time| !time.is_zero()) {
            Some(time) => time,
            None => {
                self.faults.push(fault::no_duration(written, place));
                USUAL
            }
        }
    }
}

/// Whether a key's text says that real users stand behind it.
fn class(name: &str, value: &str) -> Option<KeyClass> {
    let canonical = name.to_ascii_uppercase().replace('.', "_");
    vendor::class(&canonical, None, value).map(|(_, class)| match class {
        Class::Live => KeyClass::Live,
        Class::Test => KeyClass::Test,
    })
}
