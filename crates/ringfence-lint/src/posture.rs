//! Settings that make a program more or less careful, and which of their values are the careless ones.
//!
//! The pages of the checks `posture-inversion` and `debug-in-production` list them; a test compares.

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

/// The names that settings end in, what they guard, and the truth value that is the careless one. The longest that
/// fits counts: `SKIP_TLS_VERIFY` is not `TLS_VERIFY`.
const SWITCHES: &[(&[&str], Guard, bool)] = &[
    (LOGIN_ON, Guard::Login, false),
    (LOGIN_OFF, Guard::Login, true),
    (TLS_ON, Guard::Tls, false),
    (TLS_OFF, Guard::Tls, true),
    (LIMIT_ON, Guard::RateLimit, false),
    (LIMIT_OFF, Guard::RateLimit, true),
    (DEBUG, Guard::Debug, true),
];

/// Levels at which a program writes down more than what went wrong.
const VERBOSE: &[&str] = &["trace", "debug", "verbose", "silly", "all", "finest"];
const TERSE: &[&str] = &[
    "info", "notice", "warn", "warning", "error", "critical", "fatal", "off", "none",
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
    let end = |known: &[&'static str]| {
        let ends = known.iter().filter(|end| {
            canonical
                .strip_suffix(**end)
                .is_some_and(|before| before.is_empty() || before.ends_with('_'))
        });
        ends.map(|end| end.len()).max()
    };
    let of = |guard, sense| Some(Rule { guard, sense });
    let switches = SWITCHES
        .iter()
        .filter_map(|switch| Some((end(switch.0)?, switch)));
    match switches.max_by_key(|(length, _)| *length) {
        Some((_, (_, guard, when))) => of(*guard, Sense::When(*when)),
        None if end(LOG_LEVEL).is_some() => of(Guard::Logs, Sense::Level),
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
    let level = value.trim().to_ascii_lowercase();
    let is_in = |levels: &[&str]| levels.contains(&level.as_str());
    (is_in(VERBOSE) || is_in(TERSE)).then(|| is_in(VERBOSE))
}

fn is_everyone(value: &str) -> bool {
    let bare = value.trim().trim_matches(['[', ']', '"', '\'']);
    bare == "*"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{BESIDE_ORIGINS, ORIGINS, canonical};
    use crate::value::{OFF, ON};

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

    #[test]
    fn every_name_has_its_own_rule() {
        for (names, guard, careless) in SWITCHES {
            let sense = Sense::When(*careless);
            let expected = Rule {
                guard: *guard,
                sense,
            };
            for name in *names {
                assert_eq!(rule(name), Some(expected), "{name}");
                assert_eq!(rule(&format!("APP_{name}")), Some(expected), "{name}");
            }
        }
    }

    const TABLE: &str = "| guard | settings | careless when |\n|---|---|---|\n";

    fn spans(words: &[&str]) -> String {
        let spans: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        spans.join(" ")
    }

    /// The lines of the pages' table, with what each guards.
    fn rows() -> Vec<(Guard, String)> {
        let name = |guard| match guard {
            Guard::Debug => "debug",
            Guard::Logs => "logs",
            Guard::Origins => "origins",
            Guard::Login => "login",
            Guard::Tls => "TLS",
            Guard::RateLimit => "rate limits",
        };
        let row = |guard, settings: String, when: &str| {
            let line = format!("| {} | {settings} | {when} |\n", name(guard));
            (guard, line)
        };
        let ends = |names| format!("end in {}", spans(names));
        let logs = row(Guard::Logs, ends(LOG_LEVEL), &spans(VERBOSE));
        let origins = format!("have {}, and not {}", spans(ORIGINS), spans(BESIDE_ORIGINS));
        let origins = row(Guard::Origins, origins, "`*`");
        let switches = SWITCHES.iter().map(|(names, guard, careless)| {
            row(*guard, ends(names), if *careless { "on" } else { "off" })
        });
        switches.chain([logs, origins]).collect()
    }

    /// The table on a page, its end included.
    fn check_page(page: &str, is_there: impl Fn(Guard) -> bool) {
        let rows = rows().into_iter().filter(|(guard, _)| is_there(*guard));
        let table = rows.map(|(_, line)| line).collect::<String>();
        let table = format!("\n\n{TABLE}{table}\n");
        assert!(page.contains(&table), "the page's table is not:{table}");
        assert_eq!(page.matches("\n|---").count(), 1, "one table only");
    }

    #[test]
    fn the_pages_list_what_is_known() {
        let page = include_str!("../../../docs/book/src/checks/posture-inversion.md");
        check_page(page, |_| true);
        let words = format!("*on* is {}, *off* is {}", spans(ON), spans(OFF));
        assert!(page.contains(&words), "the page does not say {words}");
        let page = include_str!("../../../docs/book/src/checks/debug-in-production.md");
        check_page(page, |guard| matches!(guard, Guard::Debug | Guard::Logs));
    }
}
