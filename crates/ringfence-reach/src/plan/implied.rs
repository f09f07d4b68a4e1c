//! Which hosts a setting means by its name: `OPENAI_API_KEY` is of no use without `api.openai.com`, and says so nowhere.
//!
//! ```
//! use ringfence_reach::plan::implied::implied;
//! let settings = |name: &str| (name == "AWS_REGION").then_some("eu-central-1");
//! let hosts = implied("S3_BUCKET", "avatars", &settings);
//! assert_eq!(hosts[0].host, "avatars.s3.eu-central-1.amazonaws.com");
//! assert!(implied("OPENAI_API_KEY", "", &settings).is_empty());
//! ```
//!
//! Settings whose value names its host, as a URL does, are not here: that host is declared.
//!
//! What always holds: a setting that is empty, switched off or left to be filled in implies nothing; a host that is built from a
//! value is a valid name of DNS, or there is none; of a vendor's test world and its live one only the one that a setting names is
//! implied, and the test world where none does; no value is in the `Debug` of anything.

use std::fmt;

use ringfence_model::value::{endpoint, secrecy};

mod table;

pub use table::{IMPLIED, PARTS};

/// The port of all implied hosts: HTTPS.
pub const PORT: u16 = 443;

/// What settings of a vendor imply.
#[derive(Debug, Clone, Copy)]
pub struct Implied {
    /// The vendor, as it writes itself.
    pub vendor: &'static str,
    /// Names of settings in capitals, with at most one `*` for any characters. A name that is made for browsers, such as
    /// `NEXT_PUBLIC_…`, is matched without its beginning.
    pub names: &'static [&'static str],
    /// Beginnings of values that only this vendor gives out: they imply the hosts under any name.
    pub values: &'static [&'static str],
    /// What else must hold.
    pub when: When,
    /// Host names on [`PORT`]. `{value}` is the setting's value as one label, `{host}` as a whole name, `{NAME}` a [`Part`].
    pub hosts: &'static [&'static str],
}

/// What must hold of the other settings, or of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing.
    Always,
    /// None of these settings is there: each would say the host itself.
    Unless(&'static [&'static str]),
    /// The first of these settings that is there names the live world.
    Live(&'static [&'static str]),
    /// It does not, or none is there.
    Test(&'static [&'static str]),
}

/// A part of a host that another setting says.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// How the hosts call it.
    pub name: &'static str,
    /// The settings that may say it; the first that is there counts.
    pub settings: &'static [&'static str],
    /// What it is where none does; without it, the host is not implied.
    pub default: Option<&'static str>,
    /// It may be several labels.
    pub has_dots: bool,
}

/// A host that a setting implies.
#[derive(Clone, PartialEq, Eq)]
pub struct ImpliedHost {
    /// A name of DNS in small letters; it may have a setting's value in it.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Whose host it is.
    pub vendor: &'static str,
    /// The host without values, as [`Implied::hosts`] has it.
    pub pattern: &'static str,
}

impl fmt::Debug for ImpliedHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}:{} ({})",
            self.pattern, self.port, self.vendor
        )
    }
}

/// The hosts that a setting implies; `settings` looks the others of its environment up, by their exact names.
#[must_use]
pub fn implied<'s>(
    name: &str,
    value: &str,
    settings: &dyn Fn(&str) -> Option<&'s str>,
) -> Vec<ImpliedHost> {
    if !is_filled(value) {
        return Vec::new();
    }
    let name = canonical(name);
    let is_token = is_token(value);
    let rows = IMPLIED
        .iter()
        .copied()
        .flatten()
        .filter(|row| row.is_meant(&name, value, is_token) && row.when.holds(settings));
    let hosts = rows.flat_map(|row| row.hosts.iter().map(|pattern| (row.vendor, *pattern)));
    hosts
        .filter_map(|(vendor, pattern)| {
            Some(ImpliedHost {
                host: fill(pattern, value, settings)?,
                port: PORT,
                vendor,
                pattern,
            })
        })
        .collect()
}

impl Implied {
    fn is_meant(&self, canonical: &str, value: &str, is_token: bool) -> bool {
        self.names.iter().any(|name| matches(name, canonical))
            || (is_token && self.values.iter().any(|start| value.starts_with(start)))
    }
}

impl When {
    fn holds<'s>(self, settings: &dyn Fn(&str) -> Option<&'s str>) -> bool {
        const LIVE: &[&str] = &["live", "prod", "production"];
        let is_live = |names: &[&str]| {
            first(names, settings).is_some_and(|said| {
                let said = said.trim().to_ascii_lowercase();
                LIVE.contains(&said.as_str())
            })
        };
        match self {
            Self::Always => true,
            Self::Unless(names) => first(names, settings).is_none(),
            Self::Live(names) => is_live(names),
            Self::Test(names) => !is_live(names),
        }
    }
}

/// The first of the settings that has a value.
fn first<'s>(names: &[&str], settings: &dyn Fn(&str) -> Option<&'s str>) -> Option<&'s str> {
    let mut values = names.iter().filter_map(|name| settings(name));
    values.find(|value| is_filled(value))
}

/// Whether somebody gave the setting a value that is meant.
fn is_filled(value: &str) -> bool {
    const OFF: &[&str] = &[
        "",
        "0",
        "disabled",
        "false",
        "n/a",
        "nil",
        "no",
        "none",
        "null",
        "off",
        "undefined",
    ];
    let lowered = value.trim().to_ascii_lowercase();
    !OFF.contains(&lowered.as_str()) && !secrecy::is_placeholder(value)
}

/// Whether a value could be a key that a vendor made: one long word, with digits.
fn is_token(value: &str) -> bool {
    const SHORTEST: usize = 20;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    value.len() >= SHORTEST && has_digit && value.bytes().all(is_word)
}

/// The name in capitals and `_`, without what says that browsers get it.
fn canonical(name: &str) -> String {
    const PUBLIC: &[&str] = &[
        "NEXT_PUBLIC_",
        "NUXT_PUBLIC_",
        "NUXT_",
        "EXPO_PUBLIC_",
        "REACT_APP_",
        "VUE_APP_",
        "GATSBY_",
        "VITE_",
        "PUBLIC_",
    ];
    let name = name.to_ascii_uppercase().replace(['.', '-'], "_");
    let inner = PUBLIC.iter().find_map(|start| name.strip_prefix(start));
    inner.map_or_else(|| name.clone(), str::to_owned)
}

/// Whether a name is what a pattern with at most one `*` says.
fn matches(pattern: &str, name: &str) -> bool {
    // Nearly every pattern begins with a letter, and nearly no name with the same.
    let begins = pattern.as_bytes().first();
    if begins != Some(&b'*') && begins != name.as_bytes().first() {
        return false;
    }
    match pattern.split_once('*') {
        None => name == pattern,
        Some((start, end)) => name
            .strip_prefix(start)
            .is_some_and(|rest| rest.ends_with(end)),
    }
}

/// The host with its parts filled in; `None` where one is not said, or the result is no host.
fn fill<'s>(
    pattern: &str,
    value: &str,
    settings: &dyn Fn(&str) -> Option<&'s str>,
) -> Option<String> {
    let mut host = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        let (text, has_dots) = part(name, value, settings)?;
        if !has_dots && text.contains('.') {
            return None;
        }
        host.push_str(before);
        host.push_str(&text.to_ascii_lowercase());
        rest = after;
    }
    host.push_str(rest);
    let host = in_partition(host);
    is_host(&host).then_some(host)
}

/// What a part says, and whether it may be several labels.
fn part<'s>(
    name: &str,
    value: &str,
    settings: &dyn Fn(&str) -> Option<&'s str>,
) -> Option<(String, bool)> {
    match name {
        "value" => Some((value.trim().to_owned(), false)),
        "host" => Some((value.trim().trim_end_matches('.').to_owned(), true)),
        _ => {
            let part = PARTS.iter().find(|part| part.name == name)?;
            let said = first(part.settings, settings).map(str::trim);
            Some((said.or(part.default)?.to_owned(), part.has_dots))
        }
    }
}

/// Hosts of Amazon's regions in China have a domain of their own (AWS General Reference, "Amazon Web Services in China").
fn in_partition(mut host: String) -> String {
    if host.ends_with(".amazonaws.com") && host.contains(".cn-") {
        host.push_str(".cn");
    }
    host
}

/// A name of DNS with a domain, and no address (RFC 1123, section 2.1).
fn is_host(text: &str) -> bool {
    let domain = text.rsplit_once('.').map(|(_, domain)| domain);
    endpoint::is_host_name(text)
        && !text.contains('_')
        && !text.ends_with('.')
        && domain.is_some_and(|domain| domain.starts_with(|c: char| c.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests;
