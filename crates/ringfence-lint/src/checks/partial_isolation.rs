//! Tests that have some resources of their own, and use development's for the rest.

use std::collections::BTreeMap;

use ringfence_model::tier::Tier;
use ringfence_model::value::endpoint::Url;

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Format;
use crate::survey::{Environment, Family, Setting, Survey};
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "partial-isolation",
    about: "tests have a database of their own, but not every resource that development has",
    page: include_str!("../../../../docs/book/src/checks/partial-isolation.md"),
    severity: Severity::High,
    confidence: Confidence::Medium,
    run,
};

/// Products that keep data, by the words that name them.
const PRODUCTS: &[(&str, &[&str])] = &[
    ("Postgres", &["POSTGRES", "POSTGRESQL", "PG"]),
    ("MySQL", &["MYSQL", "MARIADB"]),
    ("MongoDB", &["MONGO", "MONGODB"]),
    ("ClickHouse", &["CLICKHOUSE"]),
    ("Redis", &["REDIS", "REDISS", "VALKEY"]),
    ("Elasticsearch", &["ELASTICSEARCH", "ELASTIC", "OPENSEARCH"]),
    ("Qdrant", &["QDRANT"]),
    ("Weaviate", &["WEAVIATE"]),
    ("Milvus", &["MILVUS"]),
    ("Neo4j", &["NEO4J"]),
    ("RabbitMQ", &["RABBITMQ", "AMQP", "AMQPS"]),
    ("InfluxDB", &["INFLUXDB"]),
];

fn run(survey: &Survey, findings: &mut Findings) {
    let dotenv = |family: &&Family| family.format == Format::Dotenv;
    for family in survey.families.iter().filter(dotenv) {
        let tests = family
            .of_tier(Tier::Testing)
            .filter(|environment| environment.own != family.shared);
        findings.extend(tests.filter_map(|test| compare(survey, test, copied(family))));
    }
}

/// The template of development, which is copied to `.env`.
fn copied(family: &Family) -> Option<&Environment> {
    family
        .of_tier(Tier::Development)
        .find(|one| one.is_template)
}

/// A test run falls back on the shared file; another environment's own file it never loads.
fn compare(survey: &Survey, test: &Environment, copied: Option<&Environment>) -> Option<Finding> {
    let own = products(survey, test, |setting| !setting.inherited);
    let mut others = products(survey, test, |setting| setting.inherited);
    if let Some(copied) = copied {
        others.extend(products(survey, copied, |_| true));
    }
    let missing: Vec<(&&str, &Setting<'_>)> = others
        .iter()
        .filter(|(product, _)| !own.contains_key(*product))
        .collect();
    let repeats = own.iter().any(|(product, own)| {
        let other = others.get(product);
        other.is_some_and(|other| other.entry.value == own.entry.value)
    });
    let ((product, example), first) = (missing.first()?, own.values().next()?);
    if repeats {
        return None;
    }
    let names: Vec<String> = missing
        .iter()
        .map(|(product, _)| (**product).to_owned())
        .collect();
    Some(
        CHECK
            .finding(
                names.join(", "),
                format!("`{}` has a {} of its own, but no {}", test.name, first_product(&own), names.join(", ")),
            )
            .at(first.place(), format!("`{}` isolates this", test.name))
            .at(example.place(), format!("a {product} that `{}` does not replace", test.name))
            .because(format!("where the loader falls back on `.env`, the tests of `{}` write to the {product} that everybody works on", test.name))
            .help(format!("set `{}` in the file of `{}`, to an instance or a database of its own", example.entry.name, test.name)),
    )
}

fn first_product(products: &BTreeMap<&'static str, Setting<'_>>) -> String {
    products
        .keys()
        .next()
        .map_or_else(String::new, |product| (*product).to_owned())
}

/// The products whose addresses an environment names itself.
fn products<'a>(
    survey: &'a Survey,
    environment: &'a Environment,
    counts: impl Fn(&Setting<'a>) -> bool,
) -> BTreeMap<&'static str, Setting<'a>> {
    let own = survey.settings(environment).filter(counts);
    own.filter_map(|setting| Some((product(&setting)?, setting)))
        .collect()
}

fn product(setting: &Setting<'_>) -> Option<&'static str> {
    let value = &setting.entry.value;
    let words = &setting.entry.about.words;
    let last = words.last()?;
    let is_address = Url::parse(value).is_some()
        || ["HOST", "URL", "URI", "ENDPOINT", "STRING"].contains(&last.as_str());
    if !is_address || value.is_empty() || value::is_reference(value) {
        return None;
    }
    let scheme = Url::parse(value).map(|url| {
        url.scheme
            .split('+')
            .next()
            .unwrap_or(url.scheme)
            .to_ascii_uppercase()
    });
    let names = |known: &[&str]| {
        let by_scheme = scheme
            .as_deref()
            .is_some_and(|scheme| known.contains(&scheme));
        by_scheme || words.iter().any(|word| known.contains(&word.as_str()))
    };
    PRODUCTS
        .iter()
        .find(|(_, known)| names(known))
        .map(|(product, _)| *product)
}
