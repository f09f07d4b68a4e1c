//! What is wrong with a resource that the gateway is to serve, in words.

use ringfence_diagnostic::{Diagnostic, Place};
use ringfence_flag::definition as flag;
use ringfence_gateway::config::{AddressError, NetworkError, Refused};
use ringfence_gateway::key::KeyError;
use ringfence_gateway::limit::rule::RuleError;
use ringfence_model::environment::Environment;
use ringfence_model::service::{Service, Written};

const NOT_SERVED: &str = "the gateway is not served as long as a part of it cannot hold";

pub(super) fn refused(refused: Refused, place: Place) -> Diagnostic {
    Diagnostic::error(refused.code, refused.message)
        .at(place, "this resource")
        .because(refused.consequence)
        .help(refused.help)
}

pub(super) fn no_address(service: &Service, environment: &Environment) -> Diagnostic {
    let (name, environment) = (&service.name, &environment.name);
    let message = format!("`{name}` has no address in `{environment}`");
    let diagnostic = Diagnostic::error("service-without-address", message)
        .at(service.place, "this resource")
        .because(NOT_SERVED);
    match &service.setting {
        Some(setting) => diagnostic.help(format!(
            "give `{setting}` a value in `{environment}`: the base URL of the API, or `mock://` to try things out"
        )),
        None => diagnostic.help("add `setting = \"NAME\"`, the setting that holds the base URL of the API"),
    }
}

pub(super) fn unusable_address(setting: &str, error: &AddressError, place: Place) -> Diagnostic {
    Diagnostic::error(
        "unusable-address",
        format!("`{setting}` is no address of an API: {error}"),
    )
    .at(place, "its value")
    .because(NOT_SERVED)
    .help(
        "write the base URL, such as `https://api.example.com/v1`, or `mock://` to try things out",
    )
}

pub(super) fn no_key(
    service: &Service,
    setting: &str,
    place: Place,
    environment: &Environment,
) -> Diagnostic {
    let environment = &environment.name;
    let message = format!(
        "`{}` has no key in `{environment}`: `{setting}` has no value",
        service.name
    );
    Diagnostic::error("service-without-key", message)
        .at(place, "the key is looked for there")
        .because(NOT_SERVED)
        .help(format!(
            "give `{setting}` a value in `{environment}`, or remove `key` where the API needs none"
        ))
}

pub(super) fn unusable_key(setting: &str, error: &KeyError, place: Place) -> Diagnostic {
    Diagnostic::error(
        "unusable-key",
        format!("the value of `{setting}` is no key: {error}"),
    )
    .at(place, "the key is looked for there")
    .because(NOT_SERVED)
    .help("look for a line end, or a character from a word processor, in its value")
}

pub(super) fn no_header(written: &str, place: Place) -> Diagnostic {
    Diagnostic::error(
        "invalid-header",
        format!("`{written}` is no name of a header"),
    )
    .at(place, "here")
    .because(NOT_SERVED)
    .help("write a name such as `X-Api-Key`")
}

pub(super) fn no_price(place: Place) -> Diagnostic {
    Diagnostic::error("invalid-price", "the price is no number")
        .at(place, "of this model")
        .because(NOT_SERVED)
        .help("write what a million tokens cost, such as `{ input = \"1.25\", output = \"10\" }`")
}

pub(super) fn no_limit(why: String, place: Place) -> Diagnostic {
    Diagnostic::error("invalid-limit", why)
        .at(place, "these limits")
        .because(NOT_SERVED)
        .help("write `AMOUNT requests|tokens/s|min|h|day|month`, `AMOUNT concurrent` or `AMOUNT usd/h|day|month`, then `per caller`, `per model` or `burst N`, separated by commas; or `none`")
}

pub(super) fn no_inbound_limit(error: &RuleError, place: Place) -> Diagnostic {
    Diagnostic::error("invalid-limit", error.to_string())
        .at(place, "these limits")
        .because("the program's ports would be shown without them")
        .help("write `AMOUNT requests/s|min|h|day|month` or `AMOUNT concurrent`, then `per client` or `burst N`, separated by commas; or `none`")
}

pub(super) fn no_proxy(error: &NetworkError, place: Place) -> Diagnostic {
    Diagnostic::error("invalid-proxy", error.to_string())
        .at(place, "here")
        .because("clients behind it could not be told apart, or anybody could be somebody else")
        .help("write the proxy's own address, such as `127.0.0.1`, or its network, such as `10.0.0.0/8`")
}

pub(super) fn no_record(why: String, place: Place) -> Diagnostic {
    Diagnostic::error("invalid-record", why)
        .at(place, "what is recorded")
        .because(NOT_SERVED)
        .help("write `full`, `metadata` or `none`")
}

pub(super) fn unknown_flag(key: &str, place: Place, environment: &flag::Environment) -> Diagnostic {
    let environment = &environment.name;
    Diagnostic::error(
        "unknown-flag",
        format!("there is no flag `{key}` in `{environment}`"),
    )
    .at(place, "it is asked for here")
    .because(NOT_SERVED)
    .help(format!(
        "add `{key} = {{ default = \"…\", in.{environment} = \"…\" }}` to `[flags]`, or the flag to `flags.json`"
    ))
}

pub(super) fn unusable_flag(why: &str, place: Place) -> Diagnostic {
    Diagnostic::error("unusable-flag", why.to_owned())
        .at(place, "it is asked for here")
        .because(NOT_SERVED)
        .help("mend the flag")
}

/// A flag that may leave the answer to who asks: a gateway has no limits of its own to fall back on.
pub(super) fn silent_flag(
    key: &str,
    place: Place,
    outcomes: &flag::Outcomes<'_>,
    environment: &flag::Environment,
) -> Diagnostic {
    let message = format!(
        "the flag `{key}` may have no value in `{}`",
        environment.name
    );
    Diagnostic::error("flag-without-value", message)
        .at(place, "it is asked for here")
        .because("where the flag says nothing, nothing would hold")
        .help(format!(
            "give it a value there, at {}; in `flags.json` it needs `\"state\": \"ENABLED\"` and a `defaultVariant`",
            outcomes.place
        ))
}

pub(super) fn flag_of_another_kind(
    key: &str,
    place: Place,
    outcomes: &flag::Outcomes<'_>,
) -> Diagnostic {
    Diagnostic::error(
        "unusable-flag",
        format!("the values of the flag `{key}` are no texts"),
    )
    .at(place, "it is asked for here")
    .because(NOT_SERVED)
    .help(format!("write texts, at {}", outcomes.place))
}

pub(super) fn no_origin((written, place): Written<'_>) -> Diagnostic {
    Diagnostic::error(
        "invalid-origin",
        format!("`{written}` is no origin of a page"),
    )
    .at(place, "here")
    .because("no page would have it, and none could ask")
    .help("write scheme, host and, where it is not the usual one, port: `https://app.example.com`")
}

pub(super) fn no_duration(written: &str, place: Place) -> Diagnostic {
    Diagnostic::error("invalid-timeout", format!("`{written}` is no time"))
        .at(place, "here")
        .because(NOT_SERVED)
        .help("write a time such as `500ms`, `30s` or `2m`")
}
