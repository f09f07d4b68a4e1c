//! From a TOML document to the typed tree. What does not fit has been reported already and is left out.

use ringfence_diagnostic::{Diagnostic, Place, SourceId, Span};
use toml_edit::{Document, Item, TableLike, TomlError, Value};

use super::definition::MANIFEST;
use super::validate::{self, key_span, span_of};
use super::{
    AccessEntry, AccessTable, EgressEntry, EnvironmentEntry, IndexEntry, Manifest, Parsed,
    PerEnvironment, ResourceEntry, SampleEntry, SecretsEntry, SettingEntry, Spanned, TableEntry,
    ValueSource, excerpt, flag, service,
};

pub(super) fn read(source: SourceId, text: &str) -> Parsed {
    match Document::parse(text) {
        Ok(document) => {
            let root = document.as_table();
            Parsed {
                manifest: Manifest {
                    flags: flag::flags(root, text),
                    ..manifest(root)
                },
                shown: excerpt::of_table(root, text.len()),
                diagnostics: validate::check(source, root, &MANIFEST),
            }
        }
        Err(error) => Parsed {
            manifest: Manifest::default(),
            shown: excerpt::of_lines(text),
            diagnostics: vec![no_toml(source, &error)],
        },
    }
}

fn no_toml(source: SourceId, error: &TomlError) -> Diagnostic {
    let span = error.span().map_or(Span::at(0), Span::from);
    let message = error.message().lines().next().unwrap_or("unreadable");
    Diagnostic::error("manifest-syntax", "the manifest is no valid TOML")
        .at(Place::new(source, span), message)
        .because("none of its rules can be followed, so nothing starts")
        .help("mend the line; the format is described at https://toml.io")
}

fn manifest(root: &dyn TableLike) -> Manifest {
    Manifest {
        project: text(root, "project"),
        selector: text(root, "selector"),
        default: text(root, "default"),
        pass: texts(root, "pass").unwrap_or_default(),
        ports: ports(root),
        environments: entries(root, "environments").map(environment).collect(),
        settings: root
            .get("settings")
            .map(|_| entries(root, "settings").map(setting).collect()),
        resources: entries(root, "resources").map(resource).collect(),
        gateway: service::gateway(root),
        egress: entries(root, "egress").map(egress).collect(),
        people: entries(root, "people")
            .map(|(name, item)| (name, one_or_several(item)))
            .collect(),
        access: access(root),
        secrets: entries(root, "secrets").map(secrets).collect(),
        flags: Vec::new(),
    }
}

fn one_or_several(item: &Item) -> Vec<Spanned<String>> {
    let one = || {
        Some(Spanned {
            value: item.as_str()?.to_owned(),
            span: span_of(item)?,
        })
    };
    item.as_array()
        .map_or_else(|| one().into_iter().collect(), strings)
}

fn access(root: &dyn TableLike) -> AccessTable {
    let mut access = AccessTable::default();
    for (name, item) in entries(root, "access") {
        let Some(table) = item.as_table_like() else {
            continue;
        };
        if name.value == "groups" {
            let groups = rows(table);
            access.groups = groups
                .map(|(name, item)| (name, one_or_several(item)))
                .collect();
        } else {
            access.environments.push(AccessEntry {
                environment: name,
                read_secret: texts(table, "read-secret"),
                edit: texts(table, "edit"),
            });
        }
    }
    access
}

fn secrets((environment, item): (Spanned<String>, &Item)) -> SecretsEntry {
    let table = item.as_table_like();
    let seal = table.and_then(|table| text(table, "seal"));
    SecretsEntry {
        environment,
        file: table.and_then(|table| text(table, "file")),
        seal_required: seal.map(|seal| seal.value == "required"),
    }
}

/// The rows of a table: name and item.
fn entries<'a>(
    root: &'a dyn TableLike,
    name: &str,
) -> impl Iterator<Item = (Spanned<String>, &'a Item)> {
    root.get(name)
        .and_then(Item::as_table_like)
        .into_iter()
        .flat_map(rows)
}

fn ports(root: &dyn TableLike) -> Vec<u16> {
    let listed = root.get("ports").and_then(Item::as_array);
    let numbers = listed
        .into_iter()
        .flatten()
        .filter_map(|port| port.as_integer());
    numbers
        .filter_map(|port| u16::try_from(port).ok())
        .collect()
}

pub(super) fn rows(table: &dyn TableLike) -> impl Iterator<Item = (Spanned<String>, &Item)> {
    table.iter().map(|(name, item)| {
        (
            Spanned {
                value: name.to_owned(),
                span: key_span(table, name),
            },
            item,
        )
    })
}

fn environment((name, item): (Spanned<String>, &Item)) -> EnvironmentEntry {
    let table = item.as_table_like();
    EnvironmentEntry {
        name,
        tier: table.and_then(|table| text(table, "tier")),
        aliases: table
            .and_then(|table| texts(table, "aliases"))
            .unwrap_or_default(),
        files: table.and_then(|table| texts(table, "files")),
        from_host: table
            .and_then(|table| text(table, "from"))
            .is_some_and(|from| from.value == "host"),
        barrier: table.and_then(|table| text(table, "barrier")),
        home: table.and_then(|table| text(table, "home")),
        disposable: table
            .and_then(|table| table.get("disposable")?.as_bool())
            .unwrap_or(false),
    }
}

fn setting((name, item): (Spanned<String>, &Item)) -> SettingEntry {
    let mut entry = SettingEntry {
        name,
        kind: None,
        values: Vec::new(),
        secret: None,
        distinct: false,
        required: PerEnvironment::default(),
        value: PerEnvironment::default(),
        from: PerEnvironment::default(),
        as_file: None,
    };
    let Some(table) = item.as_table_like() else {
        entry.value.default = scalar(item);
        return entry;
    };
    entry.kind = text(table, "type");
    entry.values = texts(table, "values").unwrap_or_default();
    entry.secret = table.get("secret").and_then(Item::as_bool);
    entry.distinct = table
        .get("distinct")
        .and_then(Item::as_bool)
        .unwrap_or(false);
    entry.required = table
        .get("required")
        .map(|item| per_environment(item, Item::as_bool))
        .unwrap_or_default();
    entry.value.default = table.get("default").and_then(scalar);
    entry.value.within = table
        .get("in")
        .map(|item| within(item, scalar))
        .unwrap_or_default();
    entry.from = table
        .get("from")
        .map(|item| per_environment(item, value_source))
        .unwrap_or_default();
    entry.as_file = text(table, "as")
        .filter(|form| form.value == "file")
        .map(|form| form.span);
    entry
}

fn value_source(item: &Item) -> Option<Spanned<ValueSource>> {
    let span = span_of(item).unwrap_or_default();
    let value = match item.as_table_like() {
        Some(table) if table.contains_key("command") => {
            let words = texts(table, "command")?.into_iter();
            ValueSource::Command(words.map(|word| word.value).collect())
        }
        Some(table) if table.contains_key("file") => ValueSource::File(text(table, "file")?.value),
        _ if item.as_str() == Some("host") => ValueSource::Host,
        _ => return None,
    };
    Some(Spanned { value, span })
}

fn resource((name, item): (Spanned<String>, &Item)) -> ResourceEntry {
    let table = item.as_table_like();
    ResourceEntry {
        name,
        kind: table.and_then(|table| text(table, "kind")),
        setting: table.and_then(|table| text(table, "setting")),
        service: table.map(service::service).unwrap_or_default(),
        key: table.and_then(|table| text(table, "key")),
        owner: table.and_then(|table| text(table, "owner")),
        marked: table
            .and_then(|table| table.get("marked"))
            .map(|item| per_environment(item, Item::as_bool))
            .unwrap_or_default(),
        drop: table
            .and_then(|table| texts(table, "drop"))
            .unwrap_or_default(),
        migrate: table
            .and_then(|table| texts(table, "migrate"))
            .unwrap_or_default(),
        sample: table
            .and_then(|table| table.get("sample"))
            .map(|item| per_environment(item, sample))
            .unwrap_or_default(),
        index: table.and_then(|table| index(table.get("index")?)),
        tables: table
            .into_iter()
            .flat_map(|table| entries(table, "tables"))
            .map(table_entry)
            .collect(),
    }
}

fn index(item: &Item) -> Option<IndexEntry> {
    let table = item.as_table_like()?;
    let text_of = |item: &Item| item.as_str().map(str::to_owned);
    Some(IndexEntry {
        model: table
            .get("model")
            .map(|item| per_environment(item, text_of))
            .unwrap_or_default(),
        dimension: table
            .get("dimension")
            .map(|item| per_environment(item, Item::as_integer))
            .unwrap_or_default(),
        metric: text(table, "metric").map(|metric| metric.value),
        endpoint: text(table, "endpoint"),
        key: text(table, "key"),
    })
}

fn sample(item: &Item) -> Option<SampleEntry> {
    let table = item.as_table_like()?;
    Some(SampleEntry {
        from: text(table, "from"),
        fraction: table.get("fraction").and_then(scalar),
        key: text(table, "key"),
    })
}

fn table_entry((name, item): (Spanned<String>, &Item)) -> TableEntry {
    let table = item.as_table_like();
    let list = |key: &str| {
        table
            .and_then(|table| texts(table, key))
            .unwrap_or_default()
    };
    let columns = table
        .into_iter()
        .flat_map(|table| entries(table, "columns"));
    let vectors = table
        .into_iter()
        .flat_map(|table| entries(table, "vectors"));
    let column = |(name, item): (Spanned<String>, &Item)| {
        let value = item.as_str()?.to_owned();
        let span = span_of(item)?;
        Some((name, Spanned { value, span }))
    };
    TableEntry {
        rows: table.and_then(|table| table.get("rows")).and_then(scalar),
        filter: table.and_then(|table| text(table, "where")),
        along: list("along"),
        links: list("links"),
        document: table.and_then(|table| text(table, "document")),
        cut: list("cut"),
        follow: list("follow"),
        columns: columns.filter_map(column).collect(),
        vectors: vectors.filter_map(column).collect(),
        name,
    }
}

fn egress((environment, item): (Spanned<String>, &Item)) -> EgressEntry {
    EgressEntry {
        environment,
        hosts: item.as_array().map(strings).unwrap_or_default(),
        open: item
            .as_str()
            .filter(|word| *word == "open")
            .and(span_of(item)),
    }
}

pub(super) fn per_environment<T>(
    item: &Item,
    read: impl Fn(&Item) -> Option<T>,
) -> PerEnvironment<T> {
    let split = |table: &&dyn TableLike| table.contains_key("default") || table.contains_key("in");
    match item.as_table_like().filter(split) {
        Some(table) => PerEnvironment {
            default: table.get("default").and_then(&read),
            within: table
                .get("in")
                .map(|item| within(item, read))
                .unwrap_or_default(),
        },
        None => PerEnvironment {
            default: read(item),
            within: Vec::new(),
        },
    }
}

fn within<T>(item: &Item, read: impl Fn(&Item) -> Option<T>) -> Vec<(Spanned<String>, T)> {
    let rows = item.as_table_like().into_iter().flat_map(rows);
    rows.filter_map(|(name, item)| Some((name, read(item)?)))
        .collect()
}

pub(super) fn text(table: &dyn TableLike, key: &str) -> Option<Spanned<String>> {
    let item = table.get(key)?;
    Some(Spanned {
        value: item.as_str()?.to_owned(),
        span: span_of(item)?,
    })
}

pub(super) fn texts(table: &dyn TableLike, key: &str) -> Option<Vec<Spanned<String>>> {
    table.get(key).and_then(Item::as_array).map(strings)
}

pub(super) fn strings(array: &toml_edit::Array) -> Vec<Spanned<String>> {
    let text = |value: &Value| {
        Some(Spanned {
            value: value.as_str()?.to_owned(),
            span: value.span()?.into(),
        })
    };
    array.iter().filter_map(text).collect()
}

/// A setting's value as the program will see it: lists joined by commas, everything else as written.
fn scalar(item: &Item) -> Option<Spanned<String>> {
    let value = item.as_value()?;
    Some(Spanned {
        value: plain(value)?,
        span: span_of(item)?,
    })
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.value().clone()),
        Value::Boolean(flag) => Some(flag.value().to_string()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Float(number) => Some(number.value().to_string()),
        Value::Datetime(time) => Some(time.value().to_string()),
        Value::Array(array) => Some(
            array
                .iter()
                .map(plain)
                .collect::<Option<Vec<_>>>()?
                .join(","),
        ),
        Value::InlineTable(_) => None,
    }
}
