//! What must hold of an environment's settings before anything starts with them.

use std::collections::BTreeMap;

use ringfence_diagnostic::{Diagnostic, Place};
use ringfence_syntax::dotenv::template;
use ringfence_syntax::manifest::ValueSource;

use super::collect::Candidates;
use super::{Inputs, Setting, written_values};
use crate::discover::{DEFAULT_SELECTOR, OTHER_SELECTORS};
use crate::environment::{Environment, Named};
use crate::layer::{Layer, Origin};
use crate::project::Unread;
use crate::setting::Declaration;
use crate::value::kind::Kind;
use crate::value::secrecy;
use crate::variable;

pub(super) struct Rules<'a> {
    pub(super) inputs: Inputs<'a>,
    pub(super) environment: &'a Environment,
    pub(super) settings: &'a BTreeMap<String, Setting>,
    pub(super) selector: &'a str,
}

impl Rules<'_> {
    /// Every rule. Where a file has errors in it, nothing is said of settings that may only seem to be missing.
    pub(super) fn check(
        &self,
        files_are_whole: bool,
        candidates: &Candidates<'_>,
    ) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for (name, setting) in self.settings {
            diagnostics.extend(self.selector_contradiction(name, setting));
            diagnostics.extend(self.reserved(name, setting));
            diagnostics.extend(self.secret_argument(name, setting));
        }
        for declaration in self.declarations() {
            let setting = self.settings.get(&declaration.name);
            match setting.filter(|setting| !setting.value.expose().is_empty()) {
                Some(setting) => diagnostics.extend(self.type_mismatch(declaration, setting)),
                // A setting that has sources but no value has been complained of already.
                None if setting.is_none() && candidates.contains_key(declaration.name.as_str()) => {
                }
                None if files_are_whole => diagnostics.extend(self.missing(declaration)),
                None => {}
            }
        }
        diagnostics.extend(self.not_distinct());
        diagnostics.extend(self.bare_references(candidates));
        diagnostics.extend(self.unread_personal_files());
        diagnostics
    }

    fn declarations(&self) -> impl Iterator<Item = &Declaration> {
        self.inputs
            .project
            .declarations
            .iter()
            .flat_map(BTreeMap::values)
    }

    /// A selector that names another environment than the one it is read for.
    fn selector_contradiction(&self, name: &str, setting: &Setting) -> Option<Diagnostic> {
        let is_own = name == self.selector || name == variable::ENVIRONMENT;
        let is_other =
            !setting.is_declared && (name == DEFAULT_SELECTOR || OTHER_SELECTORS.contains(&name));
        let value = setting.value.expose();
        if !(is_own || is_other) || value.is_empty() {
            return None;
        }
        // Spring lists profiles: one of them must be the environment, and none another.
        let meant: Vec<Named<'_>> = value
            .split(',')
            .map(|word| self.inputs.project.named(word.trim()))
            .collect();
        let is_this = |named: &Named<'_>| matches!(named, Named::One(one) if one.name == self.environment.name);
        let other = meant.iter().find_map(|named| match named {
            Named::One(one) if one.name != self.environment.name => Some(one.name.as_str()),
            _ => None,
        });
        match other {
            None if meant.iter().any(is_this) || !is_own => None,
            other => Some(self.contradiction(name, setting, other, is_own)),
        }
    }

    fn contradiction(
        &self,
        name: &str,
        setting: &Setting,
        other: Option<&str>,
        is_own: bool,
    ) -> Diagnostic {
        let environment = &self.environment.name;
        let said = match other {
            Some(other) => format!("`{name}` names `{other}`"),
            None => format!("`{name}` names no environment of this project"),
        };
        let consequence = match other {
            Some(other) => format!(
                "the program would believe that it runs in `{other}` with the settings of `{environment}`"
            ),
            None => {
                "the program would fall back to whatever it does for an unknown name".to_owned()
            }
        };
        let diagnostic = Diagnostic::error(
            "selector-overwritten-by-file",
            format!("{said}, but `{environment}` is to be started"),
        )
        .because(format!("nothing was started: {consequence}"))
        .help(format!("remove the line, or set `{name}={environment}`"));
        let guessed =
            is_own && self.inputs.project.declared_selector.is_none() && name != DEFAULT_SELECTOR;
        let diagnostic = match is_own {
            true if guessed => diagnostic.help(format!(
                "if `{name}` does not name the environment, say `selector = \"{DEFAULT_SELECTOR}\"` in `ringfence.toml`, and declare `{name} = {{}}` under `[settings]`"
            )),
            true => diagnostic,
            false => diagnostic.help(format!("if `{name}` means something else here, declare it under `[settings]` in `ringfence.toml`")),
        };
        at_origin(diagnostic, setting.origin, "set here")
    }

    /// Names that change what a program is rather than how it is set, and Ringfence's own.
    fn reserved(&self, name: &str, setting: &Setting) -> Option<Diagnostic> {
        if name.starts_with(variable::OWN_PREFIX) && name != variable::ENVIRONMENT {
            let diagnostic = Diagnostic::error(
                "reserved-name",
                format!("`{name}` is a name of Ringfence's own"),
            )
            .because("the program could not trust what it says")
            .help("give the setting another name");
            return Some(at_origin(diagnostic, setting.origin, "set here"));
        }
        if setting.is_declared || setting.layer == Layer::Host {
            return None;
        }
        if variable::opens_secrets(name) {
            let diagnostic = Diagnostic::error(
                "key-for-the-program",
                format!("`{name}` leads to a key that opens sealed files"),
            )
            .because("nothing was started: the program and all that it starts would have the key")
            .help("keep it in your own environment, or in `~/.config/ringfence/identity`, where no program gets it")
            .help(declare_hint(name));
            return Some(at_origin(diagnostic, setting.origin, "set here"));
        }
        if !variable::hijacks(name) {
            return None;
        }
        let diagnostic = Diagnostic::error(
            "hijacking-variable",
            format!("`{name}` would change which code runs"),
        )
        .because("nothing was started: a settings file could load foreign code into every process")
        .help("remove the line")
        .help(declare_hint(name));
        Some(at_origin(diagnostic, setting.origin, "set here"))
    }

    fn secret_argument(&self, name: &str, setting: &Setting) -> Option<Diagnostic> {
        let declared = self
            .inputs
            .project
            .declaration(name)
            .and_then(|declaration| declaration.secret);
        let secret = declared.unwrap_or_else(|| secrecy::name_is_secret(name))
            || secrecy::has_credentials(setting.value.expose());
        if setting.layer != Layer::Argument || !secret {
            return None;
        }
        let diagnostic = Diagnostic::error(
            "secret-argument",
            format!("`{name}` is a secret and cannot be set by `--set`"),
        )
        .because("every user of the machine can read a command line")
        .help(format!("set it in `{}`", self.personal_or_own_file()));
        Some(diagnostic)
    }

    fn personal_or_own_file(&self) -> String {
        let own = self.environment.usual_file();
        if self.environment.tier.allows_personal_files() {
            format!("{own}.local")
        } else {
            own
        }
    }

    fn missing(&self, declaration: &Declaration) -> Option<Diagnostic> {
        if !declaration.is_required(self.environment) {
            return None;
        }
        let (name, environment) = (&declaration.name, &self.environment.name);
        let from = declaration.from(self.environment);
        let from_host = matches!(from, Some((ValueSource::Host, _)));
        let place = if from_host || self.environment.from_host {
            format!("set the variable `{name}` where the process is started")
        } else {
            format!("add `{name}=…` to `{}`", self.environment.usual_file())
        };
        let diagnostic = Diagnostic::error(
            "missing-setting",
            format!("`{name}` has no value in `{environment}`"),
        )
        .at(declaration.place, "declared here")
        .because("nothing was started: the setting is required")
        .help(place)
        .help(format!(
            "or say `required = false`, or `required = {{ in.{environment} = false }}`"
        ));
        Some(diagnostic)
    }

    fn type_mismatch(&self, declaration: &Declaration, setting: &Setting) -> Option<Diagnostic> {
        let value = setting.value.expose();
        if declaration.kind.accepts(value) {
            return None;
        }
        let name = &declaration.name;
        let shown = if setting.is_secret {
            String::new()
        } else {
            format!(" `{}`", shortened(value))
        };
        let kind = declaration.kind.name();
        let diagnostic = Diagnostic::error(
            "type-mismatch",
            format!("the value{shown} of `{name}` is no {kind}"),
        )
        .because(format!(
            "nothing was started: the program expects {}",
            declaration.kind.accepted()
        ))
        .help(mend_type(&declaration.kind, value, setting.is_secret));
        let diagnostic = at_origin(diagnostic, setting.origin, "this value");
        Some(diagnostic.at(declaration.place, format!("declared as {kind}")))
    }

    /// Settings that two environments may not share.
    fn not_distinct(&self) -> Vec<Diagnostic> {
        let own: Vec<_> = self
            .declarations()
            .filter(|declaration| declaration.distinct)
            .filter_map(|declaration| Some((declaration, self.settings.get(&declaration.name)?)))
            .filter(|(_, setting)| !setting.value.expose().is_empty())
            .collect();
        if own.is_empty() {
            return Vec::new();
        }
        let others = self
            .inputs
            .project
            .environments
            .iter()
            .filter(|other| other.name != self.environment.name);
        let others: Vec<_> = others
            .map(|other| (other, written_values(self.inputs, other)))
            .collect();
        let mut diagnostics = Vec::new();
        for (declaration, setting) in own {
            for (other, settings) in &others {
                let same = settings
                    .get(&declaration.name)
                    .filter(|theirs| theirs.value == setting.value);
                diagnostics.extend(
                    same.map(|theirs| self.same_value(declaration, setting, &other.name, theirs)),
                );
            }
        }
        diagnostics
    }

    fn same_value(
        &self,
        declaration: &Declaration,
        own: &Setting,
        other: &str,
        theirs: &Setting,
    ) -> Diagnostic {
        let (name, environment) = (&declaration.name, &self.environment.name);
        let diagnostic = Diagnostic::error(
            "not-distinct",
            format!("`{name}` is the same in `{environment}` and `{other}`"),
        )
        .because("nothing was started: what happens in one environment would reach the other")
        .help(format!("give `{environment}` a value of its own"));
        let diagnostic = at_origin(diagnostic, own.origin, &format!("in `{environment}`"));
        let diagnostic = match theirs.origin == own.origin {
            true => diagnostic,
            false => at_origin(diagnostic, theirs.origin, &format!("in `{other}`")),
        };
        diagnostic.at(declaration.place, "declared `distinct`")
    }

    /// `$NAME` without braces, where `NAME` is a setting: most loaders would replace it, and here it stays.
    fn bare_references(&self, candidates: &Candidates<'_>) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for (name, candidates) in candidates {
            let Some(winner) = candidates.last() else {
                continue;
            };
            let mut bare = template::bare_names(winner.text_with_dollars());
            let Some(meant) = bare.find(|bare| self.settings.contains_key(*bare)) else {
                continue;
            };
            let diagnostic = Diagnostic::warning("bare-reference", format!("`${meant}` in the value of `{name}` is kept as it is"))
                .because("many loaders would put the value of the setting there")
                .help(format!("write `${{{meant}}}` to refer to the setting, or put single quotes around the value"));
            diagnostics.push(at_origin(diagnostic, winner.origin, "in this value"));
        }
        diagnostics
    }

    /// A personal file that would be read in another project, or in another environment.
    fn unread_personal_files(&self) -> Vec<Diagnostic> {
        let unread = self.inputs.project.unread.iter();
        let personal = unread.filter(|(file, why)| {
            let own = format!("{}.local", self.environment.usual_file());
            *why == Unread::Personal
                && (*file == own
                    || (file == ".env.local" && self.environment.tier.allows_personal_files()))
        });
        personal
            .map(|(file, _)| self.unread_personal_file(file))
            .collect()
    }

    fn unread_personal_file(&self, file: &str) -> Diagnostic {
        let environment = self.environment;
        let diagnostic =
            Diagnostic::warning("unread-personal-file", format!("`{file}` is not read"));
        if environment.tier.allows_personal_files() {
            diagnostic
                .because(format!(
                    "a personal file counts for one environment: `{}.local`",
                    environment.usual_file()
                ))
                .help(format!("rename it to `{}.local`", environment.usual_file()))
        } else {
            diagnostic
                .because(format!(
                    "personal files do not count in an environment of tier {}",
                    environment.tier
                ))
                .help("remove it, or move what it says into the environment's own file")
        }
    }
}

fn declare_hint(name: &str) -> String {
    format!("or, if it is meant, declare `{name} = {{}}` under `[settings]` in `ringfence.toml`")
}

fn at_origin(diagnostic: Diagnostic, origin: Origin, label: &str) -> Diagnostic {
    match origin {
        Origin::Place(Place { source, span }) => diagnostic.at(Place::new(source, span), label),
        Origin::Host => diagnostic.help("the value comes from the host's variable of that name"),
        Origin::Argument => diagnostic.help("the value comes from `--set`"),
    }
}

fn mend_type(kind: &Kind, value: &str, is_secret: bool) -> String {
    let number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    match kind {
        Kind::Duration if number && !is_secret => format!("say the unit, for example `{value}s`"),
        Kind::Enum(values) => {
            match ringfence_diagnostic::spelling::closest(value, values.iter().map(String::as_str))
            {
                Some(near) if !is_secret => format!("did you mean `{near}`?"),
                _ => format!("write {}", kind.accepted()),
            }
        }
        _ => format!("write {}, or change `type`", kind.accepted()),
    }
}

fn shortened(value: &str) -> String {
    const LONGEST: usize = 40;
    let mut characters = value.chars();
    let start: String = characters
        .by_ref()
        .take(LONGEST)
        .map(|c| if c.is_control() { '·' } else { c })
        .collect();
    if characters.next().is_some() {
        format!("{start}…")
    } else {
        start
    }
}
