//! Types of settings: what a value may look like, and in which unit.

use crate::value::endpoint::{Url, host_and_port, is_host_name, port_number};

/// The type of a setting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Kind {
    /// Any text.
    #[default]
    String,
    /// A truth value.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A decimal number.
    Float,
    /// A URL or DSN.
    Url,
    /// A host name or address.
    Host,
    /// A TCP or UDP port.
    Port,
    /// A path in the file system.
    Path,
    /// A length of time.
    Duration,
    /// A number of bytes.
    Size,
    /// One of these words.
    Enum(Vec<String>),
    /// An e-mail address.
    Email,
    /// A JSON text.
    Json,
    /// A regular expression.
    Regex,
    /// Items separated by commas.
    List,
}

/// What each type accepts, one line per type: the book's table and the messages are made from it.
pub const ACCEPTED: &[(&str, &str)] = &[
    ("string", "any text"),
    (
        "bool",
        "true, false, yes, no, on, off, 1 or 0, upper or lower case",
    ),
    (
        "int",
        "a whole number from -2^63 to 2^63-1 in decimal digits, with or without a sign",
    ),
    ("float", "a finite decimal number such as 0.25, -3 or 1e-3"),
    (
        "url",
        "scheme://host[:port]/path, with or without user and password; several hosts separated by commas",
    ),
    (
        "host",
        "a DNS name, an IPv4 or an IPv6 address, without a port",
    ),
    ("port", "a whole number from 1 to 65535"),
    (
        "path",
        "a path, absolute or relative to the working directory; it need not exist",
    ),
    (
        "duration",
        "a number with a unit: ns, us, ms, s, m, h or d; several may follow each other, as in 1h30m",
    ),
    (
        "size",
        "a number of bytes, or with a unit: B, kB, MB, GB, TB (1000) or KiB, MiB, GiB, TiB (1024)",
    ),
    ("enum", "one of the words in `values`, written just so"),
    ("email", "one address: name@host"),
    ("json", "one JSON text (RFC 8259)"),
    (
        "regex",
        "a regular expression in the syntax of Rust's `regex` crate",
    ),
    ("list", "items separated by commas, none of them empty"),
];

impl Kind {
    /// The type of that name; `values` are the words of an `enum`.
    #[must_use]
    pub fn named(name: &str, values: Vec<String>) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "float" => Self::Float,
            "url" => Self::Url,
            "host" => Self::Host,
            "port" => Self::Port,
            "path" => Self::Path,
            "duration" => Self::Duration,
            "size" => Self::Size,
            "enum" => Self::Enum(values),
            "email" => Self::Email,
            "json" => Self::Json,
            "regex" => Self::Regex,
            "list" => Self::List,
            _ => return None,
        })
    }

    /// The type's name in the manifest.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Url => "url",
            Self::Host => "host",
            Self::Port => "port",
            Self::Path => "path",
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Enum(_) => "enum",
            Self::Email => "email",
            Self::Json => "json",
            Self::Regex => "regex",
            Self::List => "list",
        }
    }

    /// What the type accepts, in words.
    #[must_use]
    pub fn accepted(&self) -> String {
        if let Self::Enum(values) = self {
            return format!("one of {}", values.join(", "));
        }
        let line = ACCEPTED.iter().find(|(name, _)| *name == self.name());
        line.map_or_else(String::new, |(_, accepted)| (*accepted).to_owned())
    }

    /// Whether `value` is one of this type. An empty value is never asked about: it counts as absent.
    #[must_use]
    pub fn accepts(&self, value: &str) -> bool {
        match self {
            Self::String => true,
            Self::Bool => is_bool(value),
            Self::Int => is_int(value),
            Self::Float => is_float(value),
            Self::Url => Url::parse(value).is_some_and(Url::hosts_are_well_formed),
            Self::Host => is_host(value),
            Self::Port => port_number(value).is_some(),
            Self::Path => !value.trim().is_empty(),
            Self::Duration => is_duration(value),
            Self::Size => is_size(value),
            Self::Enum(values) => values.iter().any(|word| word == value),
            Self::Email => is_email(value),
            Self::Json => serde_json::from_str::<serde::de::IgnoredAny>(value).is_ok(),
            Self::Regex => regex_syntax::parse(value).is_ok(),
            Self::List => value.split(',').all(|item| !item.trim().is_empty()),
        }
    }

    /// The narrowest type that all `values` have; `string` where there is none or nothing to go by.
    ///
    /// A list, a path and an enum cannot be told from other text, and are never inferred.
    #[must_use]
    pub fn infer<'a>(values: impl Iterator<Item = &'a str> + Clone) -> Self {
        let told = values.filter(|value| !value.is_empty());
        let fits = |kind: &Self| {
            told.clone().next().is_some() && told.clone().all(|value| kind.accepts(value))
        };
        let words = |value: &str| is_bool(value) && !matches!(value, "0" | "1");
        if fits(&Self::Bool) && told.clone().any(words) {
            return Self::Bool;
        }
        [
            Self::Int,
            Self::Float,
            Self::Duration,
            Self::Url,
            Self::Email,
        ]
        .into_iter()
        .find(fits)
        .unwrap_or_default()
    }
}

fn is_bool(value: &str) -> bool {
    ["true", "false", "yes", "no", "on", "off", "1", "0"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(value))
}

fn is_int(value: &str) -> bool {
    value.parse::<i64>().is_ok()
}

fn is_float(value: &str) -> bool {
    let characters = value
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    characters && value.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_host(value: &str) -> bool {
    value.parse::<std::net::IpAddr>().is_ok()
        || is_host_name(value)
        || (value.starts_with('[') && host_and_port(value).is_some_and(|(_, port)| port.is_none()))
}

fn is_duration(value: &str) -> bool {
    const UNITS: &[&str] = &["ns", "us", "µs", "ms", "s", "m", "h", "d"];
    amounts(value, UNITS).is_some_and(|count| count > 0)
}

fn is_size(value: &str) -> bool {
    const UNITS: &[&str] = &[
        "B", "kB", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB",
    ];
    let plain = value.parse::<u64>().is_ok() && value.bytes().all(|byte| byte.is_ascii_digit());
    plain || amounts(value, UNITS) == Some(1)
}

/// How many numbers with a unit stand one after the other; `None` where something else does.
fn amounts(value: &str, units: &[&str]) -> Option<usize> {
    let mut rest = value;
    let mut count = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let dots = number.matches('.').count();
        if dots > 1 || !number.starts_with(|c: char| c.is_ascii_digit()) || number.ends_with('.') {
            return None;
        }
        let length = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(length)?;
        if !units.contains(&unit.trim_start_matches(' ')) {
            return None;
        }
        rest = after;
        count += 1;
    }
    Some(count)
}

/// The addresses that a browser's form accepts (HTML Living Standard, 4.10.5.1.5).
fn is_email(value: &str) -> bool {
    let Some((name, host)) = value.rsplit_once('@') else {
        return false;
    };
    let character =
        |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    !name.is_empty() && name.bytes().all(character) && is_host_name(host) && !host.contains('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, good: &[&str], bad: &[&str]) {
        let kind = Kind::named(name, vec!["debug".into(), "info".into()]).unwrap();
        for value in good {
            assert!(kind.accepts(value), "{name} should accept {value:?}");
        }
        for value in bad {
            assert!(!kind.accepts(value), "{name} should refuse {value:?}");
        }
    }

    #[test]
    fn text_numbers_and_urls_accept_what_their_lines_say() {
        check("string", &["", "x y"], &[]);
        check(
            "bool",
            &["true", "FALSE", "1", "off", "Yes"],
            &["", "y", "2", "truee"],
        );
        check(
            "int",
            &["0", "-5", "+7", "9223372036854775807"],
            &["", "1.5", "9223372036854775808", "1_000", "0x10"],
        );
        check(
            "float",
            &["0.25", "-3", "1e-3"],
            &["", "inf", "NaN", "1,5", "1e999"],
        );
        check(
            "url",
            &[
                "https://h",
                "postgres://u:p@h:5432/d?x=1",
                "mongodb://a:1,b:2/x",
                "sqlite:///x.db",
                "http://[::1]:8080/",
            ],
            &[
                "",
                "h:80",
                "http://h:99999",
                "http:/x",
                "http://a b/",
                "1http://x",
                "http://-x-/",
            ],
        );
    }

    #[test]
    fn the_other_types_do_too() {
        check(
            "host",
            &[
                "localhost",
                "db_1",
                "10.0.0.1",
                "::1",
                "[::1]",
                "a.example.",
            ],
            &["", "a:80", "a b", "-a", "[::1]:80"],
        );
        check("port", &["1", "65535"], &["", "0", "65536", "+80", "80 "]);
        check("path", &["/x", "a/b", "."], &["", " "]);
        check(
            "duration",
            &["30s", "1h30m", "1.5s", "250ms", "2d"],
            &["", "30", "s", "30 minutes", "1.s", "1..5s", "-3s"],
        );
        check(
            "size",
            &["0", "512", "10MB", "1.5GiB", "10 MB"],
            &["", "10M", "MB", "-1", "1MB2KB", "+5"],
        );
        check("enum", &["debug", "info"], &["", "Debug", "warn"]);
        check(
            "email",
            &["a@b.example", "a.b+c@localhost"],
            &["", "a", "a@", "@b", "a b@c", "a@b_c"],
        );
        check(
            "json",
            &["{}", "[1]", "\"x\"", "3"],
            &["", "{", "{a:1}", "{} {}"],
        );
        check("regex", &["^a+$", "(?i)x"], &["(", "a{2,1}"]);
        check("list", &["a", "a, b"], &["", "a,,b", ","]);
    }

    #[test]
    fn every_type_of_the_manifest_has_its_line_here() {
        let lines: Vec<_> = ACCEPTED.iter().map(|(name, _)| *name).collect();
        assert_eq!(lines, ringfence_syntax::manifest::definition::TYPES);
        for name in lines {
            assert_eq!(Kind::named(name, Vec::new()).unwrap().name(), name);
        }
    }

    #[test]
    fn a_type_is_inferred_only_where_all_values_have_it() {
        let infer = |values: &[&str]| Kind::infer(values.iter().copied()).name();
        assert_eq!(infer(&["true", "0"]), "bool");
        assert_eq!(infer(&["0", "1"]), "int");
        assert_eq!(infer(&["1", "0.5"]), "float");
        assert_eq!(infer(&["30s", "500ms"]), "duration");
        assert_eq!(infer(&["http://a", ""]), "url");
        assert_eq!(infer(&["http://a", "none"]), "string");
        assert_eq!(infer(&[""]), "string");
    }
}
