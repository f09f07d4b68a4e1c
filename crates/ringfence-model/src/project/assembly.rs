//! From a manifest and a list of file names to a project, with everything that is wrong in the manifest.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ringfence_diagnostic::{Diagnostic, Place, SourceId, Span, spelling};
use ringfence_syntax::manifest::{EnvironmentEntry, FlagEntry, Manifest, Spanned};

use super::{Parts, Project, Unread, list};
use crate::discover::{self, FileRole};
use crate::egress::Egress;
use crate::environment::{Closeness, Environment, Files, Named, named};
use crate::people::People;
use crate::resource::{self, Resource};
use crate::service::{Gateway, Service};
use crate::setting::{Declaration, is_environment_or_tier};
use crate::tier::Tier;

/// Finds the environments and what the manifest declares.
pub(super) fn assemble(parts: Parts<'_>) -> (Project, Vec<Diagnostic>) {
    let declared = parts
        .manifest
        .is_some_and(|(_, manifest)| !manifest.environments.is_empty());
    let has_one_file = !declared && discover::has_one_file(parts.file_names);
    let mut assembly = Assembly {
        parts,
        has_one_file,
        diagnostics: Vec::new(),
    };
    let mut environments = assembly.environments();
    let shared = assembly.shared(&environments);
    assembly.find_files(&mut environments);
    let unread = assembly.unread(&environments);
    let declarations = assembly.declarations(&environments);
    let egress = assembly.egress(&environments);
    let people = assembly.people(&mut environments);
    let empty = Manifest::default();
    let manifest = parts.manifest.map_or(&empty, |(_, manifest)| manifest);
    let project = Project {
        name: text(manifest.project.as_ref()),
        declared_selector: text(manifest.selector.as_ref()),
        default: assembly.default(&environments),
        pass: manifest
            .pass
            .iter()
            .map(|name| name.value.clone())
            .collect(),
        ports: manifest.ports.clone(),
        resources: assembly.resources(declarations.as_ref(), &environments),
        services: assembly.services(&environments),
        flags: assembly.flags(&environments),
        gateway: assembly.gateway(declarations.as_ref(), &environments),
        environments,
        declarations,
        egress,
        people,
        shared,
        unread,
        is_node: parts.file_names.iter().any(|name| name == "package.json"),
        has_manifest: parts.manifest.is_some(),
    };
    (project, assembly.diagnostics)
}

fn text(written: Option<&Spanned<String>>) -> Option<String> {
    written.map(|written| written.value.clone())
}

struct Assembly<'a> {
    parts: Parts<'a>,
    /// The project has `.env` and no environment's file: `.env` is the one file of its one environment.
    has_one_file: bool,
    diagnostics: Vec<Diagnostic>,
}

impl Assembly<'_> {
    fn environments(&mut self) -> Vec<Environment> {
        match self.parts.manifest {
            Some((source, manifest)) if !manifest.environments.is_empty() => {
                let entries = manifest.environments.iter();
                let environments = entries
                    .filter_map(|entry| self.declared(source, entry))
                    .collect();
                self.names_taken_twice(source, manifest);
                environments
            }
            _ => {
                let found = discover::environments(self.parts.file_names).into_iter();
                found
                    .map(|(name, tier)| found_environment(name, tier))
                    .collect()
            }
        }
    }

    fn declared(&mut self, source: SourceId, entry: &EnvironmentEntry) -> Option<Environment> {
        let name = &entry.name.value;
        let place = Place::new(source, entry.name.span);
        for name in std::iter::once(&entry.name)
            .chain(&entry.aliases)
            .filter(|name| !is_plain(&name.value))
        {
            self.diagnostics.push(unusable_name(source, name));
        }
        let written = entry
            .tier
            .as_ref()
            .and_then(|tier| Tier::named(&tier.value));
        let Some(tier) = written.or_else(|| Tier::of_word(name)) else {
            self.diagnostics.push(no_tier(name, place));
            return None;
        };
        let listed = entry.files.as_ref().map(|files| {
            let place =
                |file: &Spanned<String>| (file.value.clone(), Place::new(source, file.span));
            Files::Listed(files.iter().map(place).collect())
        });
        let barrier = entry
            .barrier
            .as_ref()
            .map(|level| (level.value.clone(), Place::new(source, level.span)));
        if let Some((_, place)) = barrier
            .as_ref()
            .filter(|(level, _)| level == "off" && tier >= Tier::Staging)
        {
            self.diagnostics.push(barrier_off(name, tier, *place));
        }
        Some(Environment {
            name: name.clone(),
            tier,
            aliases: entry
                .aliases
                .iter()
                .map(|alias| alias.value.clone())
                .collect(),
            files: listed.unwrap_or(Files::Missing),
            personal: None,
            sealed: Vec::new(),
            from_host: entry.from_host,
            barrier,
            home: entry.home.as_ref().map(|home| home.value.clone()),
            disposable: entry.disposable,
            declared: Some(place),
        })
    }

    /// A name or alias that two environments claim.
    fn names_taken_twice(&mut self, source: SourceId, manifest: &Manifest) {
        let mut seen: HashMap<String, (&Spanned<String>, &str)> = HashMap::new();
        for entry in &manifest.environments {
            for name in std::iter::once(&entry.name).chain(&entry.aliases) {
                let owner = entry.name.value.as_str();
                let first = *seen
                    .entry(name.value.to_ascii_lowercase())
                    .or_insert((name, owner));
                if first.1 != owner {
                    self.diagnostics
                        .push(name_taken(source, name, first.0.span));
                }
            }
        }
    }

    /// `.env` is shared unless it is the one file of the one environment, or listed as somebody's own.
    fn shared(&self, environments: &[Environment]) -> Option<String> {
        let present = self.parts.file_names.iter().any(|name| name == ".env");
        let own = environments
            .iter()
            .any(|environment| environment.paths().contains(&".env"));
        (present && !own && !self.has_one_file).then(|| ".env".to_owned())
    }

    fn find_files(&self, environments: &mut [Environment]) {
        let mut found = self.own_files(environments);
        for environment in environments.iter_mut() {
            if self.has_one_file {
                environment.files = Files::Found(".env".to_owned());
            } else if let (Files::Missing, Some(files)) =
                (&environment.files, found.remove(&environment.name))
            {
                environment.files = files.chosen();
            }
            environment.personal = self.personal_file(environment);
        }
        for (file, word) in self.files_of(|role| match role {
            FileRole::Sealed(word) => Some(word),
            _ => None,
        }) {
            let Named::One(owner) = named(environments, &word) else {
                continue;
            };
            let name = owner.name.clone();
            let owner = environments.iter_mut().find(|own| own.name == name);
            if let Some(owner) = owner {
                owner.sealed.push(file);
            }
        }
    }

    /// The files whose role says a word, and the word.
    fn files_of(&self, word: impl Fn(FileRole) -> Option<String>) -> Vec<(String, String)> {
        let names = self.parts.file_names.iter();
        names
            .filter_map(|name| Some((name.clone(), word(discover::role(name)?)?)))
            .collect()
    }

    /// By environment, the files whose word names it.
    fn own_files(&self, environments: &[Environment]) -> HashMap<String, OwnFiles> {
        let mut found: HashMap<String, OwnFiles> = HashMap::new();
        let words = self.files_of(|role| match role {
            FileRole::Environment(word) => Some(word),
            _ => None,
        });
        for (file, word) in words {
            let Named::One(owner) = named(environments, &word) else {
                continue;
            };
            let files = found.entry(owner.name.clone()).or_default();
            match owner.closeness(&word) {
                Some(Closeness::Tier) => files.far.push(file),
                _ => files.close.push(file),
            }
        }
        found
    }

    /// The personal file stands beside the environment's own: its name and `.local`.
    fn personal_file(&self, environment: &Environment) -> Option<String> {
        if !environment.tier.allows_personal_files() {
            return None;
        }
        let personal = format!("{}.local", environment.paths().last()?);
        self.parts
            .file_names
            .contains(&personal)
            .then_some(personal)
    }

    fn unread(&self, environments: &[Environment]) -> Vec<(String, Unread)> {
        let read: BTreeSet<&str> = environments
            .iter()
            .flat_map(|environment| {
                environment
                    .paths()
                    .into_iter()
                    .chain(environment.sealed.iter().map(String::as_str))
                    .chain(environment.personal.as_deref())
            })
            .collect();
        let ambiguous = |name: &str| {
            environments.iter().any(|e| matches!(&e.files, Files::Ambiguous(files) if files.iter().any(|file| file == name)))
        };
        // A seal is read with its file.
        let sealed = |name: &str| {
            let file = name.strip_suffix(".seal");
            file.is_some_and(|file| read.contains(file))
        };
        let unread = self.parts.file_names.iter().filter_map(|name| {
            let why = match discover::role(name)? {
                _ if read.contains(name.as_str()) || sealed(name) || ambiguous(name) => {
                    return None;
                }
                FileRole::Shared => return None,
                FileRole::Environment(_) => Unread::UnknownWord,
                FileRole::Personal(_) => Unread::Personal,
                FileRole::Sealed(_) => Unread::UnknownWord,
                FileRole::Template => Unread::Template,
                FileRole::Foreign => Unread::Foreign,
            };
            Some((name.clone(), why))
        });
        unread.collect()
    }

    fn declarations(
        &mut self,
        environments: &[Environment],
    ) -> Option<BTreeMap<String, Declaration>> {
        let (source, manifest) = self.parts.manifest?;
        let mut declarations = BTreeMap::new();
        for entry in manifest.settings.as_ref()? {
            let declaration = Declaration::read(source, entry, &mut self.diagnostics);
            for name in declaration.named_environments() {
                if !is_environment_or_tier(&name.value, environments) {
                    let place = Place::new(source, name.span);
                    self.diagnostics.push(unknown_environment_key(
                        &name.value,
                        place,
                        environments,
                    ));
                }
            }
            declarations.insert(declaration.name.clone(), declaration);
        }
        Some(declarations)
    }

    /// The `[egress]` lines of known environments; the table is keyed by environment, so tiers do not count.
    fn egress(&mut self, environments: &[Environment]) -> BTreeMap<String, Egress> {
        let Some((source, manifest)) = self.parts.manifest else {
            return BTreeMap::new();
        };
        let mut egress = BTreeMap::new();
        for entry in &manifest.egress {
            let name = &entry.environment;
            match environments
                .iter()
                .find(|environment| environment.name == name.value)
            {
                Some(environment) => {
                    let read = Egress::read(source, entry, environment, &mut self.diagnostics);
                    egress.insert(environment.name.clone(), read);
                }
                None => {
                    let place = Place::new(source, name.span);
                    self.diagnostics.push(unknown_environment_key(
                        &name.value,
                        place,
                        environments,
                    ));
                }
            }
        }
        egress
    }

    /// The people; what `[secrets]` says of files is the environments' own.
    fn people(&mut self, environments: &mut [Environment]) -> People {
        let Some((source, manifest)) = self.parts.manifest else {
            return People::default();
        };
        let people = People::read(source, manifest, environments, &mut self.diagnostics);
        for environment in environments {
            if let Some((file, _)) = people.keeping(&environment.name).file {
                let is_own = environment.paths().contains(&file.as_str());
                environment.sealed = (!is_own).then_some(file).into_iter().collect();
            }
        }
        people
    }

    fn default(&mut self, environments: &[Environment]) -> Option<(String, Place)> {
        let (source, manifest) = self.parts.manifest?;
        let default = manifest.default.as_ref()?;
        let place = Place::new(source, default.span);
        match named(environments, &default.value) {
            Named::One(environment) if environment.tier == Tier::Production => {
                self.diagnostics
                    .push(production_is_the_default(&environment.name, place));
                None
            }
            Named::One(environment) => Some((environment.name.clone(), place)),
            Named::Several(_) | Named::None => {
                self.diagnostics
                    .push(unknown_environment_key(&default.value, place, environments));
                None
            }
        }
    }

    fn resources(
        &mut self,
        declarations: Option<&BTreeMap<String, Declaration>>,
        environments: &[Environment],
    ) -> Vec<Resource> {
        let Some((source, manifest)) = self.parts.manifest else {
            return Vec::new();
        };
        for entry in &manifest.resources {
            let settings = [&entry.setting, &entry.key, &entry.owner];
            for name in settings.into_iter().flatten() {
                let Some(declarations) = declarations else {
                    continue;
                };
                if !declarations.contains_key(&name.value) {
                    let place = Place::new(source, name.span);
                    self.diagnostics.push(undeclared_resource_setting(
                        &name.value,
                        place,
                        declarations,
                    ));
                }
            }
            for name in resource::named_environments(entry) {
                if !is_environment_or_tier(&name.value, environments) {
                    let place = Place::new(source, name.span);
                    self.diagnostics.push(unknown_environment_key(
                        &name.value,
                        place,
                        environments,
                    ));
                }
            }
        }
        let resources = manifest.resources.iter();
        resources
            .map(|entry| Resource::read(source, entry))
            .collect()
    }

    /// Resources whose traffic goes through the gateway.
    fn services(&mut self, environments: &[Environment]) -> Vec<Service> {
        let Some((source, manifest)) = self.parts.manifest else {
            return Vec::new();
        };
        let mut services = Vec::new();
        for entry in &manifest.resources {
            if let Some(service) = Service::read(source, entry, &mut self.diagnostics) {
                self.known_environments(source, service.named_environments(), environments);
                services.push(service);
            }
        }
        services
    }

    fn gateway(
        &mut self,
        declarations: Option<&BTreeMap<String, Declaration>>,
        environments: &[Environment],
    ) -> Gateway {
        let Some((source, manifest)) = self.parts.manifest else {
            return Gateway::default();
        };
        let gateway = Gateway::new(source, manifest.gateway.clone());
        let entry = &manifest.gateway;
        for name in [&entry.secret, &entry.store].into_iter().flatten() {
            if let Some(declarations) = declarations
                && !declarations.contains_key(&name.value)
            {
                let place = Place::new(source, name.span);
                let diagnostic = undeclared_resource_setting(&name.value, place, declarations);
                self.diagnostics.push(diagnostic);
            }
        }
        self.known_environments(source, gateway.named_environments(), environments);
        gateway
    }

    fn flags(&mut self, environments: &[Environment]) -> Vec<(Place, FlagEntry)> {
        let Some((source, manifest)) = self.parts.manifest else {
            return Vec::new();
        };
        for flag in &manifest.flags {
            let named = flag.value.within.iter().map(|(name, _)| name);
            self.known_environments(source, named, environments);
        }
        let rows = manifest.flags.iter();
        rows.map(|flag| (Place::new(source, flag.name.span), flag.clone()))
            .collect()
    }

    fn known_environments<'a>(
        &mut self,
        source: SourceId,
        named: impl Iterator<Item = &'a Spanned<String>>,
        environments: &[Environment],
    ) {
        for name in named.filter(|name| !is_environment_or_tier(&name.value, environments)) {
            let place = Place::new(source, name.span);
            let diagnostic = unknown_environment_key(&name.value, place, environments);
            self.diagnostics.push(diagnostic);
        }
    }
}

/// The files that could be an environment's own.
#[derive(Default)]
struct OwnFiles {
    /// By name, alias or spelling: these count alike.
    close: Vec<String>,
    /// By another word of the tier: these count only where there is none of the close ones.
    far: Vec<String>,
}

impl OwnFiles {
    fn chosen(self) -> Files {
        let mut files = if self.close.is_empty() {
            self.far
        } else {
            self.close
        };
        match (files.pop(), files.is_empty()) {
            (None, _) => Files::Missing,
            (Some(only), true) => Files::Found(only),
            (Some(last), false) => {
                files.push(last);
                Files::Ambiguous(files)
            }
        }
    }
}

fn found_environment(name: String, tier: Tier) -> Environment {
    Environment {
        name,
        tier,
        aliases: Vec::new(),
        files: Files::Missing,
        personal: None,
        sealed: Vec::new(),
        from_host: false,
        barrier: None,
        home: None,
        disposable: false,
        declared: None,
    }
}

/// Whether a name can stand in a file name, in a prompt and behind `in.` without quotes.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    name.bytes().all(plain)
        && name
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric())
}

fn unusable_name(source: SourceId, name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error(
        "unusable-environment-name",
        "an environment's name has characters that it cannot have",
    )
    .at(Place::new(source, name.span), "this name")
    .because("it stands in file names, in prompts and in variables")
    .help("use letters, digits, `_` and `-`, beginning with a letter or digit")
}

fn no_tier(name: &str, place: Place) -> Diagnostic {
    Diagnostic::error("missing-tier", format!("environment `{name}` has no tier"))
        .at(place, "its name is none of the words that imply one")
        .because("safety rules hang on the tier, so it cannot be started")
        .help("add `tier = \"development\"`, `\"testing\"`, `\"staging\"` or `\"production\"`")
}

fn barrier_off(name: &str, tier: Tier, place: Place) -> Diagnostic {
    Diagnostic::error(
        "barrier-off",
        format!("`{name}` is of tier {tier} and turns its barrier off"),
    )
    .at(place, "only development and testing may say `off`")
    .because("a process started there could reach every other environment")
    .help("remove `barrier`, or name the weakest level that will do")
}

fn name_taken(source: SourceId, name: &Spanned<String>, other: Span) -> Diagnostic {
    Diagnostic::error(
        "ambiguous-environment-name",
        format!("two environments are called `{}`", name.value),
    )
    .at(Place::new(source, name.span), "again here")
    .at(Place::new(source, other), "first here")
    .because("it could not be told which one is meant")
    .help("remove one of the two")
}

fn unknown_environment_key(name: &str, place: Place, environments: &[Environment]) -> Diagnostic {
    let known = environments
        .iter()
        .map(|environment| environment.name.as_str());
    let diagnostic = Diagnostic::error(
        "unknown-environment-name",
        format!("`{name}` is no environment of this project"),
    )
    .at(place, "neither an environment nor a tier")
    .because("what is said for it would never hold");
    match spelling::closest(name, known.chain(Tier::ALL.map(Tier::name))) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!(
            "environments: {}; tiers: development, testing, staging, production",
            list(environments)
        )),
    }
}

fn undeclared_resource_setting(
    name: &str,
    place: Place,
    declarations: &BTreeMap<String, Declaration>,
) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        "undeclared-setting",
        format!("`{name}` is not declared under `[settings]`"),
    )
    .at(place, "the resource's address is looked for there")
    .because("the resource would have no address");
    match spelling::closest(name, declarations.keys().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!(
            "add `{name} = {{ type = \"url\" }}` to `[settings]`"
        )),
    }
}

fn production_is_the_default(name: &str, place: Place) -> Diagnostic {
    Diagnostic::error(
        "production-is-the-default",
        format!("`{name}` is of tier production and cannot be the default"),
    )
    .at(place, "the environment where none is named")
    .because("a forgotten argument would act on production")
    .help("name an environment of a lower tier, or remove `default`")
}
