//! Settings that make a program more or less careful, and which of their values are the careless ones.

use crate::name::is_origin_list;
use crate::value::truth;

/// What a setting guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Error pages with source and variables in them.
    Debug,
    /// What is written down.
    Logs,
    /// Which web pages may call.
    Origins,
    /// Who may come in.
    Login,
    /// Whether the other end is who it says.
    Tls,
    /// How often one may call.
    RateLimit,
}

impl Guard {
    /// What carelessness means here.
    #[must_use]
    pub const fn careless(self) -> &'static str {
        match self {
            Self::Debug => "debug mode is on",
            Self::Logs => "logs are verbose",
            Self::Origins => "every web page may call",
            Self::Login => "login is off",
            Self::Tls => "TLS is off or not verified",
            Self::RateLimit => "rate limits are off",
        }
    }
}

const DEBUG: &[&str] = &[
    "DEBUG",
    "DEBUG_MODE",
    "DEBUG_ENABLED",
    "SHOW_SQL",
    "DEBUGGER",
];
const LOG_LEVEL: &[&str] = &[
    "LOG_LEVEL",
    "LOGLEVEL",
    "LOGGING_LEVEL",
    "LOGGING_LEVEL_ROOT",
    "RUST_LOG",
    "LEVEL_ROOT",
    "LOGGER_LEVEL",
];
const LOGIN_ON: &[&str] = &[
    "AUTH_ENABLED",
    "AUTHENTICATION_ENABLED",
    "ENABLE_AUTH",
    "ENABLE_AUTHENTICATION",
    "REQUIRE_AUTH",
    "AUTH_REQUIRED",
    "REQUIRE_LOGIN",
    "SECURITY_ENABLED",
];
const LOGIN_OFF: &[&str] = &[
    "DISABLE_AUTH",
    "AUTH_DISABLED",
    "SKIP_AUTH",
    "NO_AUTH",
    "BYPASS_AUTH",
    "AUTH_BYPASS",
    "DISABLE_AUTHENTICATION",
];
const TLS_ON: &[&str] = &[
    "SSL_VERIFY",
    "VERIFY_SSL",
    "TLS_VERIFY",
    "VERIFY_TLS",
    "REJECT_UNAUTHORIZED",
    "REQUIRE_SSL",
    "SSL_REQUIRED",
    "REQUIRE_TLS",
    "COOKIE_SECURE",
    "COOKIES_SECURE",
    "SECURE_COOKIE",
    "SECURE_COOKIES",
    "SECURE_SSL_REDIRECT",
    "FORCE_SSL",
    "FORCE_HTTPS",
    "VERIFY_CERTIFICATES",
    "HTTPS_ONLY",
];
const TLS_OFF: &[&str] = &[
    "INSECURE_SKIP_VERIFY",
    "SKIP_TLS_VERIFY",
    "TLS_INSECURE",
    "SKIP_SSL_VERIFICATION",
    "SSL_INSECURE",
    "DISABLE_SSL",
    "DISABLE_TLS",
];
const LIMIT_ON: &[&str] = &[
    "RATE_LIMIT_ENABLED",
    "RATE_LIMITING_ENABLED",
    "RATELIMIT_ENABLED",
    "RATELIMIT_ENABLE",
    "ENABLE_RATE_LIMIT",
    "ENABLE_RATE_LIMITING",
    "THROTTLE_ENABLED",
    "RATE_LIMITING",
];
const LIMIT_OFF: &[&str] = &[
    "DISABLE_RATE_LIMIT",
    "DISABLE_RATE_LIMITING",
    "RATE_LIMIT_DISABLED",
];

/// Which values of a setting are the careless ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What it guards.
    pub guard: Guard,
    sense: Sense,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    /// Careless when it has this truth value.
    When(bool),
    /// Careless when it names a verbose level.
    Level,
    /// Careless when it lets everyone in.
    Everyone,
}

/// The rule for a setting, by its name in capitals and `_`; `None` where the name does not say.
#[must_use]
pub fn rule(canonical: &str) -> Option<Rule> {
    const SWITCHES: &[(&[&str], Guard, bool)] = &[
        (LOGIN_ON, Guard::Login, false),
        (LOGIN_OFF, Guard::Login, true),
        (TLS_ON, Guard::Tls, false),
        (TLS_OFF, Guard::Tls, true),
        (LIMIT_ON, Guard::RateLimit, false),
        (LIMIT_OFF, Guard::RateLimit, true),
        (DEBUG, Guard::Debug, true),
    ];
    let ends = |known: &[&str]| {
        known.iter().any(|end| {
            canonical
                .strip_suffix(end)
                .is_some_and(|before| before.is_empty() || before.ends_with('_'))
        })
    };
    let of = |guard, sense| Some(Rule { guard, sense });
    let switch = SWITCHES.iter().find(|(names, _, _)| ends(names));
    match switch {
        Some((_, guard, when)) => of(*guard, Sense::When(*when)),
        None if ends(LOG_LEVEL) => of(Guard::Logs, Sense::Level),
        None if is_origin_list(canonical) => of(Guard::Origins, Sense::Everyone),
        None => None,
    }
}

impl Rule {
    /// Whether the value is the careless one; `None` where it does not say.
    #[must_use]
    pub fn is_careless(self, value: &str) -> Option<bool> {
        match self.sense {
            Sense::When(careless) => Some(truth(value)? == careless),
            Sense::Level => is_verbose(value),
            Sense::Everyone => (!value.is_empty()).then(|| is_everyone(value)),
        }
    }
}

fn is_verbose(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "trace" | "debug" | "verbose" | "silly" | "all" | "finest" => Some(true),
        "info" | "notice" | "warn" | "warning" | "error" | "critical" | "fatal" | "off"
        | "none" => Some(false),
        _ => None,
    }
}

fn is_everyone(value: &str) -> bool {
    let bare = value.trim().trim_matches(['[', ']', '"', '\'']);
    bare == "*"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::canonical;

    #[test]
    fn careless_values_are_told_from_careful_ones() {
        for (name, value, expected) in [
            ("DEBUG", "True", Some((Guard::Debug, true))),
            ("spring.jpa.show-sql", "false", Some((Guard::Debug, false))),
            ("LOG_LEVEL", "DEBUG", Some((Guard::Logs, true))),
            ("logging.level.ROOT", "WARN", Some((Guard::Logs, false))),
            ("cors.allowed-origins", "*", Some((Guard::Origins, true))),
            (
                "NODE_TLS_REJECT_UNAUTHORIZED",
                "0",
                Some((Guard::Tls, true)),
            ),
            ("server.auth.enabled", "false", Some((Guard::Login, true))),
            ("DEBUG_PORT", "1", None),
            ("DEBUG", "app:*", None),
        ] {
            let rule = rule(&canonical(name));
            let found = rule.and_then(|rule| Some((rule.guard, rule.is_careless(value)?)));
            assert_eq!(found, expected, "{name}");
        }
    }
}
