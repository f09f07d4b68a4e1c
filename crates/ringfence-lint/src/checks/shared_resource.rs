//! Two environments, one database.

use std::collections::{HashMap, HashSet};

use ringfence_model::tier::Tier;
use ringfence_model::value::endpoint::Url;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Format;
use crate::name::{self, Resource};
use crate::survey::{Environment, Setting, Survey};
use crate::value::{self, Strength, strength};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "shared-resource",
    about: "two environments use one database, cache, queue, bucket or index",
    page: include_str!("../../../../docs/book/src/checks/shared-resource.md"),
    severity: Severity::Critical,
    confidence: Confidence::High,
    run,
};

/// What a setting leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Target {
    kind: Resource,
    /// Host and port; empty for files and for names without an address.
    server: String,
    /// The database, the file, the bucket.
    name: String,
}

fn run(survey: &Survey, findings: &mut Findings) {
    for family in &survey.families {
        if family.format == Format::Workflow {
            continue;
        }
        let targets: Vec<Vec<(Target, Setting<'_>)>> = family
            .environments
            .iter()
            .map(|environment| targets(survey, environment))
            .collect();
        for (index, (lower, own)) in family.environments.iter().zip(&targets).enumerate() {
            let above = family.environments.iter().zip(&targets).skip(index + 1);
            for (upper, others) in above.filter(|(upper, _)| upper.tier != lower.tier) {
                findings.extend(compare(survey, (lower, own), (upper, others)));
            }
        }
    }
}

/// An environment and what its settings lead to.
type Side<'a> = (&'a Environment, &'a [(Target, Setting<'a>)]);

fn compare<'a>(survey: &'a Survey, lower: Side<'a>, upper: Side<'a>) -> Vec<Finding> {
    let mut exact: HashMap<&Target, &Setting<'a>> = HashMap::new();
    let mut servers: HashMap<(Resource, &str), &Setting<'a>> = HashMap::new();
    for (target, setting) in upper.1 {
        exact.entry(target).or_insert(setting);
        if !target.server.is_empty() {
            let server = (target.kind, target.server.as_str());
            servers.entry(server).or_insert(setting);
        }
    }
    let companions = [companions(survey, lower.0), companions(survey, upper.0)];
    let mut told: HashSet<&Target> = HashSet::new();
    let mut findings = Vec::new();
    for (target, setting) in lower.1 {
        if !is_same_machine(target, lower.0, upper.0)
            || is_on_another_server(target, setting, &companions)
        {
            continue;
        }
        let same = exact.get(target).filter(|_| told.insert(target));
        let near = || {
            servers
                .get(&(target.kind, target.server.as_str()))
                .filter(|_| !exact.contains_key(target))
        };
        if let Some(seen) = same {
            findings.push(shared(target, (lower.0, setting), (upper.0, seen)));
        } else if let Some(seen) = near()
            && told.insert(target)
        {
            findings.extend(neighbours(target, (lower.0, setting), (upper.0, seen)));
        }
    }
    findings
}

/// Whether a name such as `localhost` means one machine in both environments. It does on a developer's machine, where
/// tests run too; a service's name in a container network means another container in each.
fn is_same_machine(target: &Target, lower: &Environment, upper: &Environment) -> bool {
    let host = target
        .server
        .rsplit_once(':')
        .map_or(target.server.as_str(), |(host, _)| host);
    let both_here = lower.tier <= Tier::Testing && upper.tier <= Tier::Testing;
    if target.server.is_empty() {
        // A file is on one machine, a bucket is everywhere.
        return both_here || !matches!(target.kind, Resource::Database);
    }
    if value::is_local(host) {
        return both_here;
    }
    host.contains('.')
}

/// The addresses that an environment's settings hold, by the first word of their names.
fn companions<'a>(
    survey: &'a Survey,
    environment: &'a Environment,
) -> HashMap<&'a str, Vec<&'a str>> {
    const ADDRESSES: &[&str] = &[
        "URL",
        "HOST",
        "ENDPOINT",
        "ENVIRONMENT",
        "URI",
        "ADDR",
        "ACCOUNT",
    ];
    let mut companions: HashMap<&str, Vec<&str>> = HashMap::new();
    for setting in survey.settings(environment) {
        let words = &setting.entry.about.words;
        let is_address = words
            .last()
            .is_some_and(|last| ADDRESSES.contains(&last.as_str()));
        if let Some(first) = words.first().filter(|_| is_address) {
            companions
                .entry(first)
                .or_default()
                .push(&setting.entry.value);
        }
    }
    companions
}

/// A name alone (an index, a queue) is shared only where the server that it is on is the same.
fn is_on_another_server(
    target: &Target,
    setting: &Setting<'_>,
    companions: &[HashMap<&str, Vec<&str>>; 2],
) -> bool {
    let [lower, upper] = companions;
    let prefix = setting.entry.about.words.first().map_or("", String::as_str);
    let is_name = target.server.is_empty() && target.kind != Resource::Database;
    is_name && lower.get(prefix) != upper.get(prefix)
}

fn targets<'a>(survey: &'a Survey, environment: &'a Environment) -> Vec<(Target, Setting<'a>)> {
    let own = survey
        .settings(environment)
        .filter(|setting| !setting.inherited);
    own.filter_map(|setting| Some((target(survey, environment, &setting)?, setting)))
        .collect()
}

fn target(survey: &Survey, environment: &Environment, setting: &Setting<'_>) -> Option<Target> {
    let value = setting.entry.value.trim();
    if let Some(url) = Url::parse(value) {
        // In a template, `db.example.com` stands for a host that is to be filled in.
        let is_filled_in = !(environment.is_template && url.hosts.contains("example"));
        return of_url(&setting.entry.about.words, url).filter(|_| is_filled_in);
    }
    let found = match setting.entry.about.resource {
        Some(kind) => Some(Target {
            kind,
            server: String::new(),
            name: value.to_owned(),
        }),
        None => of_host(survey, environment, setting),
    };
    found.filter(|_| matches!(strength(value), Strength::Weak | Strength::Strong))
}

fn of_url(words: &[String], url: Url<'_>) -> Option<Target> {
    let has = |word: &str| words.iter().any(|other| other == word);
    let kind = Resource::of_scheme(url.scheme).or_else(|| {
        let is_http = matches!(url.scheme, "http" | "https");
        match () {
            () if !is_http => None,
            () if has("CLICKHOUSE") || has("INFLUXDB") => Some(Resource::Database),
            () if [
                "QDRANT",
                "ELASTICSEARCH",
                "OPENSEARCH",
                "WEAVIATE",
                "MEILISEARCH",
                "SOLR",
            ]
            .iter()
            .any(|word| has(word)) =>
            {
                Some(Resource::Index)
            }
            () => None,
        }
    })?;
    let path = url
        .rest
        .split(['?', '#', ';'])
        .next()
        .unwrap_or("")
        .trim_matches('/');
    let in_memory = path.contains(":memory:") || url.rest.contains("mode=memory");
    let is_filled_in = value::is_reference(url.hosts)
        || value::is_reference(path)
        || value::is_placeholder(url.hosts);
    if in_memory || is_filled_in || (url.hosts.is_empty() && path.is_empty()) {
        return None;
    }
    let database = if url.rest.contains("user=") || kind != Resource::Database {
        path
    } else {
        path.split('/').next().unwrap_or(path)
    };
    let database = if url.hosts.is_empty() { path } else { database };
    Some(Target {
        kind,
        server: url.hosts.to_ascii_lowercase(),
        name: database.to_owned(),
    })
}

/// `DB_HOST` with `DB_PORT` and `DB_NAME` beside it.
fn of_host(survey: &Survey, environment: &Environment, setting: &Setting<'_>) -> Option<Target> {
    const KINDS: &[(&str, Resource)] = &[
        ("DB", Resource::Database),
        ("DATABASE", Resource::Database),
        ("POSTGRES", Resource::Database),
        ("PG", Resource::Database),
        ("MYSQL", Resource::Database),
        ("MONGO", Resource::Database),
        ("MONGODB", Resource::Database),
        ("REDIS", Resource::Cache),
        ("RABBITMQ", Resource::Queue),
        ("QDRANT", Resource::Index),
        ("ELASTICSEARCH", Resource::Index),
    ];
    let name = &setting.entry.name;
    let prefix = ["_HOST", "_host", ".host", "HOST"]
        .iter()
        .find_map(|end| name.strip_suffix(end))?;
    let separator = name
        .get(prefix.len()..prefix.len() + 1)
        .filter(|first| ["_", "."].contains(first))
        .unwrap_or("");
    let words = name::words(prefix);
    let (_, kind) = KINDS
        .iter()
        .find(|(word, _)| words.iter().any(|own| own == word))?;
    let beside = |names: &[&str]| {
        names.iter().find_map(|end| {
            let found = survey.setting(environment, &format!("{prefix}{separator}{end}"))?;
            Some(found.entry.value.clone()).filter(|value| !value.is_empty())
        })
    };
    let port = beside(&["PORT", "port"])
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let names: &[&str] = &[
        "NAME",
        "DATABASE",
        "DB",
        "DBNAME",
        "DB_INDEX",
        "name",
        "database",
        "database_name",
        "dbname",
    ];
    Some(Target {
        kind: *kind,
        server: format!("{}{port}", setting.entry.value.to_ascii_lowercase()),
        name: beside(names).unwrap_or_default(),
    })
}

type In<'a> = (&'a Environment, &'a Setting<'a>);

fn shared(target: &Target, lower: In<'_>, upper: In<'_>) -> Finding {
    let (kind, subject) = (target.kind.name(), &lower.1.entry.name);
    let (one, other) = (&lower.0.name, &upper.0.name);
    let severity = match upper.0.tier {
        Tier::Production => Severity::Critical,
        _ => Severity::High,
    };
    let is_template = lower.0.is_template || upper.0.is_template;
    // Tests empty what they use; everybody else writes to what the environment above them serves.
    let (guest, host) = match upper.0.tier {
        Tier::Testing => (other, one),
        _ => (one, other),
    };
    let own = article(kind);
    CHECK
        .finding(subject, format!("`{one}` and `{other}` use one {kind}"))
        .at(upper.1.place(), format!("in `{other}`"))
        .at(lower.1.place(), format!("in `{one}`: the same {kind}"))
        .because(format!(
            "what `{guest}` writes, empties or migrates is the data of `{host}`"
        ))
        .help(format!(
            "give `{guest}` {own} {kind} of its own in `{subject}`"
        ))
        .severity(if is_template {
            severity.lowered()
        } else {
            severity
        })
}

fn article(kind: &str) -> &'static str {
    if kind.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    }
}

/// One server, two databases: better than one, but one password and one outage.
fn neighbours(target: &Target, lower: In<'_>, upper: In<'_>) -> Option<Finding> {
    let host = target
        .server
        .rsplit_once(':')
        .map_or(target.server.as_str(), |(host, _)| host);
    let is_one_server = target.kind == Resource::Database
        && upper.0.tier == Tier::Production
        && !value::is_local(host)
        && host.contains('.');
    if !is_one_server {
        return None;
    }
    let (one, other) = (&lower.0.name, &upper.0.name);
    Some(
        CHECK
            .finding(
                &lower.1.entry.name,
                format!("`{one}` and `{other}` have two databases on one server"),
            )
            .at(upper.1.place(), format!("in `{other}`"))
            .at(
                lower.1.place(),
                format!("in `{one}`: another database of the same server"),
            )
            .because(format!(
                "load, an upgrade or a wrong database name in `{one}` reaches `{other}`"
            ))
            .help(format!("put the database of `{one}` on another server"))
            .severity(Severity::Medium),
    )
}
