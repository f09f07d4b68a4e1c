//! What may not start, and why.

use super::{Config, KeyClass, Kind, Level, Resource, Upstream};
use crate::limit::rule::Unit;

/// A resource that must not be served as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The resource.
    pub resource: String,
    /// A stable name of the fault.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What would happen.
    pub consequence: &'static str,
    /// What mends it.
    pub help: String,
}

/// Everything that forbids to serve a configuration.
#[must_use]
pub fn refusals(config: &Config) -> Vec<Refused> {
    let all = config.resources.iter();
    all.flat_map(|resource| {
        let found = [
            reserved_name(resource),
            cleartext(resource),
            key_class(config, resource),
            misplaced_limit(resource),
            misplaced_record(resource),
            no_price(config, resource),
            unknown_target(config, resource),
            no_limits(config, resource),
            full_records(config, resource),
            mock(config, resource),
        ];
        found.into_iter().flatten()
    })
    .collect()
}

impl Refused {
    /// A fault of a resource; the code stands first, where the book's test looks for it.
    fn new(code: &'static str, resource: &Resource, message: String) -> Self {
        Self {
            resource: resource.name.clone(),
            code,
            message,
            consequence: "",
            help: String::new(),
        }
    }

    fn because(mut self, consequence: &'static str, help: impl Into<String>) -> Self {
        self.consequence = consequence;
        self.help = help.into();
        self
    }
}

fn reserved_name(resource: &Resource) -> Option<Refused> {
    let name = resource.name.as_str();
    let is_reserved = matches!(name, "v1" | "ofrep" | "-") || !name.bytes().all(is_plain);
    is_reserved.then(|| {
        let message = format!("`{name}` cannot be the name of a resource that the gateway serves");
        let consequence = "its path would mean something else";
        Refused::new("reserved-resource-name", resource, message).because(
            consequence,
            "call it something else, with letters, digits, `-` and `_`",
        )
    })
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn misplaced_record(resource: &Resource) -> Option<Refused> {
    let is_http = matches!(resource.kind, Kind::Http { .. });
    (is_http && may_be_full(resource)).then(|| {
        let message = format!(
            "`{}` is to be recorded in full, and is of kind `http`",
            resource.name
        );
        let consequence = "the texts of such traffic are not kept";
        Refused::new("record-without-effect", resource, message)
            .because(consequence, "write `record = \"metadata\"`")
    })
}

fn cleartext(resource: &Resource) -> Option<Refused> {
    let Upstream::Server(address) = &resource.upstream else {
        return None;
    };
    (resource.key.is_some() && address.is_cleartext()).then(|| {
        let message = format!(
            "`{}` has a key, and `{address}` is spoken to without TLS",
            resource.name
        );
        let consequence = "the key could be read on the way";
        Refused::new("key-in-cleartext", resource, message)
            .because(consequence, "write `https://` in its address")
    })
}

fn key_class(config: &Config, resource: &Resource) -> Option<Refused> {
    let environment = &config.environment;
    let (word, consequence, help) = match (resource.key_class?, config.production) {
        (KeyClass::Live, false) => (
            "live key outside production",
            "what is tried here would reach real people and real money",
            "put the vendor's test key there",
        ),
        (KeyClass::Test, true) => (
            "test key in production",
            "nothing that is done here would count",
            "put the vendor's live key there",
        ),
        _ => return None,
    };
    let message = format!(
        "the key of `{}` in `{environment}` is a {word}",
        resource.name
    );
    Some(Refused::new("key-of-wrong-class", resource, message).because(consequence, help))
}

fn misplaced_limit(resource: &Resource) -> Option<Refused> {
    let is_http = matches!(resource.kind, Kind::Http { .. });
    let needs_llm = |unit| matches!(unit, Unit::Tokens | Unit::Money);
    let rule = resource
        .limits
        .all()
        .flatten()
        .find(|rule| is_http && needs_llm(rule.unit))?;
    let message = format!(
        "`{}` limits `{}`, and has no tokens to count",
        resource.name, rule.text
    );
    let consequence = "the limit would never refuse anything";
    Some(
        Refused::new("limit-without-effect", resource, message)
            .because(consequence, "limit requests or concurrent ones"),
    )
}

/// A budget in money needs the price of each model that could answer.
fn no_price(config: &Config, resource: &Resource) -> Option<Refused> {
    let is_money = |rule: &&std::sync::Arc<crate::limit::rule::Rule>| rule.unit == Unit::Money;
    let rule = resource.limits.all().flatten().find(is_money)?;
    let Kind::OpenAi { models } = &resource.kind else {
        return None;
    };
    let unpriced = models
        .iter()
        .find(|(_, targets)| targets.iter().any(|target| target.price.is_none()));
    let name = match unpriced {
        _ if !config.production && !models.is_empty() => return None,
        Some((name, _)) => name.as_str(),
        None if models.is_empty() => "any name",
        None => return None,
    };
    let message = format!(
        "`{}` has the budget `{}`, and no price for `{name}`",
        resource.name, rule.text
    );
    let consequence = "what it costs could not be counted, and the budget would never be reached";
    let help = "write `models.NAME = { model = \"…\", price = { input = \"1.25\", output = \"10\" } }`, for a million tokens each";
    Some(Refused::new("budget-without-price", resource, message).because(consequence, help))
}

fn unknown_target(config: &Config, resource: &Resource) -> Option<Refused> {
    let Kind::OpenAi { models } = &resource.kind else {
        return None;
    };
    let mut named = models
        .values()
        .flatten()
        .filter_map(|target| target.resource.as_deref());
    let is_openai = |name: &str| {
        let other = config.resource(name);
        other.is_some_and(|other| matches!(other.kind, Kind::OpenAi { .. }))
    };
    let name = named.find(|name| !is_openai(name))?;
    let message = format!(
        "a model of `{}` is at `{name}`, which is no resource of kind `openai`",
        resource.name
    );
    let consequence = "there would be nobody to ask";
    Some(
        Refused::new("unknown-upstream", resource, message)
            .because(consequence, "name a resource of kind `openai`"),
    )
}

fn no_limits(config: &Config, resource: &Resource) -> Option<Refused> {
    let may_be_none = resource.limits.all().any(Vec::is_empty);
    let missing = config.production && !config.allowances.no_limits && may_be_none;
    missing.then(|| {
        let variant = resource.limits.variant_with(Vec::is_empty);
        let message = format!("`{}` has no limits in `{}`{variant}, which is of tier production", resource.name, config.environment);
        let consequence = "one caller could use up what all live from";
        let help = format!("write `limits = {{ in.{} = \"60 requests/min\" }}`, or `allow = [\"no-limits\"]` in `[gateway]`", config.environment);
        Refused::new("production-without-limits", resource, message).because(consequence, help)
    })
}

fn full_records(config: &Config, resource: &Resource) -> Option<Refused> {
    let full = config.production && !config.allowances.full_records && may_be_full(resource);
    full.then(|| {
        let variant = resource.record.variant_with(|level| *level == Level::Full);
        let message = format!("`{}` is recorded in full in `{}`{variant}, which is of tier production", resource.name, config.environment);
        let consequence = "what real people write would be kept in files";
        let help = format!("write `record = {{ in.{} = \"metadata\" }}`, or `allow = [\"full-records\"]` in `[gateway]`", config.environment);
        Refused::new("production-with-full-records", resource, message).because(consequence, help)
    })
}

/// Whether its traffic is recorded in full, for whomever a flag says so.
fn may_be_full(resource: &Resource) -> bool {
    resource.record.all().any(|level| *level == Level::Full)
}

fn mock(config: &Config, resource: &Resource) -> Option<Refused> {
    let is_mock = matches!(resource.upstream, Upstream::Mock(_));
    (is_mock && config.production && !config.allowances.mock).then(|| {
        let message = format!(
            "`{}` is a mock in `{}`, which is of tier production",
            resource.name, config.environment
        );
        let consequence = "real people would get made-up answers";
        let help =
            "put the address of a real upstream there, or `allow = [\"mock\"]` in `[gateway]`";
        Refused::new("production-with-mock", resource, message).because(consequence, help)
    })
}
