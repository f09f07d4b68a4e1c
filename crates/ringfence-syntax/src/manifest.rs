//! `ringfence.toml`: one definition of what it may say, from which the reader and the JSON Schema are made.
//!
//! [`parse`] checks the text against [`definition::MANIFEST`] and gives a typed tree in which every name and value
//! knows its span. Whether an environment that is named exists, and whether a value fits its type, is decided above.

pub mod definition;
pub mod edit;
mod excerpt;
mod flag;
mod read;
mod schema;
mod service;
mod validate;

use ringfence_diagnostic::{Diagnostic, SourceId, Span};

pub use flag::{FlagEntry, FlagValue};
pub use schema::json_schema;
pub use service::{DrivenEntry, GatewayEntry, ModelEntry, PriceEntry, ServiceEntry};

/// Something written in the manifest, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What.
    pub value: T,
    /// Where.
    pub span: Span,
}

/// The manifest as far as this version acts on it; later sections are checked and left out.
#[derive(Debug, Default)]
pub struct Manifest {
    /// `project`: the project's name.
    pub project: Option<Spanned<String>>,
    /// `selector`: the variable that names the environment.
    pub selector: Option<Spanned<String>>,
    /// `default`: the environment where none is named.
    pub default: Option<Spanned<String>>,
    /// `pass`: host variables that the child may see.
    pub pass: Vec<Spanned<String>>,
    /// `ports`: the program's own.
    pub ports: Vec<u16>,
    /// `[environments]`, in the order of the chain.
    pub environments: Vec<EnvironmentEntry>,
    /// `[settings]`, in order; `None` where there is no such table.
    pub settings: Option<Vec<SettingEntry>>,
    /// `[resources.NAME]`, in order.
    pub resources: Vec<ResourceEntry>,
    /// `[gateway]`.
    pub gateway: GatewayEntry,
    /// `[egress]`: hosts that no setting names, per environment.
    pub egress: Vec<EgressEntry>,
    /// `[people]`: names and their public keys.
    pub people: Vec<(Spanned<String>, Vec<Spanned<String>>)>,
    /// `[access]`: groups, and who may read and edit secrets.
    pub access: AccessTable,
    /// `[secrets]`, per environment.
    pub secrets: Vec<SecretsEntry>,
    /// `[flags]`, in order.
    pub flags: Vec<FlagEntry>,
}

/// `[access]`, as far as it speaks of secrets.
#[derive(Debug, Default)]
pub struct AccessTable {
    /// `groups`: names for several people.
    pub groups: Vec<(Spanned<String>, Vec<Spanned<String>>)>,
    /// By environment.
    pub environments: Vec<AccessEntry>,
}

/// A line of `[access]`.
#[derive(Debug)]
pub struct AccessEntry {
    /// The environment.
    pub environment: Spanned<String>,
    /// `read-secret`: who can open its sealed file.
    pub read_secret: Option<Vec<Spanned<String>>>,
    /// `edit`: whose seal counts.
    pub edit: Option<Vec<Spanned<String>>>,
}

/// A line of `[secrets]`.
#[derive(Debug)]
pub struct SecretsEntry {
    /// The environment.
    pub environment: Spanned<String>,
    /// `file`.
    pub file: Option<Spanned<String>>,
    /// `seal`: whether one must be there.
    pub seal_required: Option<bool>,
}

/// A line of `[environments]`.
#[derive(Debug)]
pub struct EnvironmentEntry {
    /// The environment's one name.
    pub name: Spanned<String>,
    /// `tier`, one of the four.
    pub tier: Option<Spanned<String>>,
    /// `aliases`: other names for it.
    pub aliases: Vec<Spanned<String>>,
    /// `files`: the files to read instead of `.env.<name>`.
    pub files: Option<Vec<Spanned<String>>>,
    /// `from = "host"`: the platform's variables supply the declared settings.
    pub from_host: bool,
    /// `barrier`: the level that must be reached, or `off`.
    pub barrier: Option<Spanned<String>>,
    /// `home`: what the child may do in the home directory.
    pub home: Option<Spanned<String>>,
    /// `disposable`: what is in it may be destroyed.
    pub disposable: bool,
}

/// A line of `[settings]`.
#[derive(Debug)]
pub struct SettingEntry {
    /// The name.
    pub name: Spanned<String>,
    /// `type`.
    pub kind: Option<Spanned<String>>,
    /// `values` of an `enum`.
    pub values: Vec<Spanned<String>>,
    /// `secret`.
    pub secret: Option<bool>,
    /// `distinct`: no two environments may have the same value.
    pub distinct: bool,
    /// `required`.
    pub required: PerEnvironment<bool>,
    /// `default` and `in`.
    pub value: PerEnvironment<Spanned<String>>,
    /// `from`.
    pub from: PerEnvironment<Spanned<ValueSource>>,
    /// `as = "file"`, where it stands.
    pub as_file: Option<Span>,
}

/// Where else a setting's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueSource {
    /// `"host"`: the variable of the same name that Ringfence itself was started with.
    Host,
    /// `{ command = […] }`: what it prints.
    Command(Vec<String>),
    /// `{ file = "…" }`: what it holds.
    File(String),
}

/// A value that may differ by environment: `v`, or `{ default = v, in.<environment> = v, in.<tier> = v }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerEnvironment<T> {
    /// Where nothing more particular is said.
    pub default: Option<T>,
    /// By environment or tier, as written.
    pub within: Vec<(Spanned<String>, T)>,
}

impl<T> Default for PerEnvironment<T> {
    fn default() -> Self {
        Self {
            default: None,
            within: Vec::new(),
        }
    }
}

/// A `[resources.NAME]` table.
#[derive(Debug)]
pub struct ResourceEntry {
    /// The name.
    pub name: Spanned<String>,
    /// `kind`.
    pub kind: Option<Spanned<String>>,
    /// `setting`: which setting holds its address.
    pub setting: Option<Spanned<String>>,
    /// What the gateway does with its traffic.
    pub service: ServiceEntry,
    /// `key`: which setting holds its key.
    pub key: Option<Spanned<String>>,
    /// `owner`: which setting holds the address of the role that may change it.
    pub owner: Option<Spanned<String>>,
    /// `marked`: whether it carries a marker.
    pub marked: PerEnvironment<bool>,
    /// `drop`: tables that never travel.
    pub drop: Vec<Spanned<String>>,
    /// `migrate`: the command that makes its schema.
    pub migrate: Vec<Spanned<String>>,
    /// `sample`: where its data comes from.
    pub sample: PerEnvironment<SampleEntry>,
    /// `index`: of which embeddings its vectors are.
    pub index: Option<IndexEntry>,
    /// `tables`: what of each travels.
    pub tables: Vec<TableEntry>,
}

/// Of which embeddings vectors are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexEntry {
    /// `model`.
    pub model: PerEnvironment<String>,
    /// `dimension`.
    pub dimension: PerEnvironment<i64>,
    /// `metric`.
    pub metric: Option<String>,
    /// `endpoint`: the setting with the address that makes vectors.
    pub endpoint: Option<Spanned<String>>,
    /// `key`: the setting with the key for it.
    pub key: Option<Spanned<String>>,
}

/// Where a resource's data comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleEntry {
    /// `from`: the environment above.
    pub from: Option<Spanned<String>>,
    /// `fraction`.
    pub fraction: Option<Spanned<String>>,
    /// `key`: the setting that keys the masks.
    pub key: Option<Spanned<String>>,
}

/// A `[resources.NAME.tables.TABLE]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableEntry {
    /// The table's name.
    pub name: Spanned<String>,
    /// `rows`.
    pub rows: Option<Spanned<String>>,
    /// `where`.
    pub filter: Option<Spanned<String>>,
    /// `along`.
    pub along: Vec<Spanned<String>>,
    /// `links`.
    pub links: Vec<Spanned<String>>,
    /// `document`.
    pub document: Option<Spanned<String>>,
    /// `cut`.
    pub cut: Vec<Spanned<String>>,
    /// `follow`.
    pub follow: Vec<Spanned<String>>,
    /// `columns`: names and rules.
    pub columns: Vec<(Spanned<String>, Spanned<String>)>,
    /// `vectors`: columns, and the column that each is made of.
    pub vectors: Vec<(Spanned<String>, Spanned<String>)>,
}

/// A line of `[egress]`.
#[derive(Debug)]
pub struct EgressEntry {
    /// The environment.
    pub environment: Spanned<String>,
    /// Hosts, `host:port` each, or presets.
    pub hosts: Vec<Spanned<String>>,
    /// `"open"`: nothing is refused but what belongs to other environments.
    pub open: Option<Span>,
}

/// A manifest as it was read.
#[derive(Debug)]
pub struct Parsed {
    /// What it says; empty where the text is no TOML.
    pub manifest: Manifest,
    /// The parts that an excerpt may show: everything but the values of settings.
    pub shown: Vec<Span>,
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a manifest. `source` is the id that diagnostics point into.
#[must_use]
pub fn parse(source: SourceId, text: &str) -> Parsed {
    read::read(source, text)
}

#[cfg(test)]
mod tests;
