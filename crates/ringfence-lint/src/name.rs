//! What the name of a setting says about it: `STRIPE_API_KEY`, `spring.datasource.url`, `jwtSecret`.

/// The words of a name in capitals: at `_`, `.`, `-`, and where a capital follows a small letter.
#[must_use]
pub fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut previous_is_small = false;
    for character in name.chars() {
        let starts = character.is_uppercase() && previous_is_small;
        if !character.is_alphanumeric() || starts {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
        if character.is_alphanumeric() {
            word.extend(character.to_uppercase());
        }
        previous_is_small = character.is_lowercase();
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// The last key of a path: `email.password` is about a password, whatever it is in.
#[must_use]
pub fn last_key(name: &str) -> &str {
    let name = name.trim_end_matches("[]");
    name.rsplit('.').next().unwrap_or(name)
}

/// The name in one spelling for all formats: `db.password`, `DB__PASSWORD` and `db-password` are `DB_PASSWORD`.
#[must_use]
pub fn canonical(name: &str) -> String {
    words(name).join("_")
}

/// Which kind of variable names the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// It says which reality this is.
    Environment,
    /// `NODE_ENV`: a build mode with three values, where staging is built like production.
    BuildMode,
}

const SELECTORS: &[&str] = &[
    "APP_ENV",
    "APP_ENVIRONMENT",
    "ASPNETCORE_ENVIRONMENT",
    "DEPLOYMENT_ENV",
    "DEPLOYMENT_ENVIRONMENT",
    "DEPLOY_ENV",
    "DJANGO_ENV",
    "DOTNET_ENVIRONMENT",
    "ENV",
    "ENVIRONMENT",
    "ENV_NAME",
    "FASTAPI_ENV",
    "FLASK_ENV",
    "GO_ENV",
    "MIX_ENV",
    "RACK_ENV",
    "RAILS_ENV",
    "RUST_ENV",
    "SERVER_ENV",
    "SERVER_ENVIRONMENT",
    "SERVER_ENV_NAME",
    "SPRING_PROFILES_ACTIVE",
    "VERCEL_ENV",
];

/// Whether a setting of that name says which environment this is.
#[must_use]
pub fn selector(name: &str) -> Option<Selector> {
    let canonical = canonical(name);
    if canonical == "NODE_ENV" {
        return Some(Selector::BuildMode);
    }
    SELECTORS
        .binary_search(&canonical.as_str())
        .is_ok()
        .then_some(Selector::Environment)
}

/// How a name says that the value lets somebody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// It is a password, a secret, a token, an API key.
    Certain,
    /// It is a key of some kind, which may be a name as well: only a value that nobody could guess settles it.
    Likely,
}

/// Last words of names whose value lets somebody in.
const LAST: &[&str] = &[
    "APIKEY",
    "CREDENTIALS",
    "KEY",
    "PASS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PASSWORT",
    "PEPPER",
    "PWD",
    "SALT",
    "SECRET",
    "SECRETS",
    "TOKEN",
];
/// What stands before `KEY` where it opens something.
const OPENING: &[&str] = &[
    "ACCESS",
    "ADMIN",
    "AES",
    "API",
    "AUTH",
    "COOKIE",
    "CRYPT",
    "ENCRYPTION",
    "HASH",
    "HMAC",
    "JWT",
    "LICENSE",
    "MASTER",
    "PRIVATE",
    "ROOT",
    "SECRET",
    "SERVER",
    "SERVICE",
    "SESSION",
    "SIGNATURE",
    "SIGNING",
    "SSH",
    "WEBHOOK",
];
/// What stands before it where it opens nothing.
const HARMLESS: &[&str] = &[
    "ANON",
    "APP",
    "BUCKET",
    "CACHE",
    "CLIENT",
    "FOREIGN",
    "GPG",
    "HOST",
    "IDEMPOTENCY",
    "MAX",
    "OBJECT",
    "PARTITION",
    "PRIMARY",
    "PUBLIC",
    "PUBLISHABLE",
    "ROUTING",
    "SEARCH",
    "SITE",
    "SORT",
    "TRANSLATION",
];
/// What stands before `SECRET` where the value is the name of one.
const NAMING: &[&str] = &["CREDENTIALS", "EXISTING", "PASSWORD", "PULL", "TLS"];
/// What names begin with whose values everybody's browser gets.
const PUBLIC: &[&str] = &[
    "NEXT_PUBLIC",
    "VITE",
    "REACT_APP",
    "EXPO_PUBLIC",
    "NUXT_PUBLIC",
    "GATSBY",
    "PUBLIC",
];

/// Whether everybody's browser gets the value, by the name in capitals and `_`.
#[must_use]
pub fn is_public(canonical: &str) -> bool {
    PUBLIC.iter().any(|start| canonical.starts_with(start))
}

/// Whether, and how, the name says that the value lets somebody in.
#[must_use]
pub fn credential(name: &str) -> Option<Credential> {
    let words = words(last_key(name));
    let canonical = words.join("_");
    let (last, before) = words.split_last()?;
    let before = before.last().map_or("", String::as_str);
    if is_public(&canonical) {
        return None;
    }
    // Kubernetes: the name of an object that holds the secret.
    if last == "SECRET" && NAMING.contains(&before) {
        return None;
    }
    if ["APP_KEY", "REDIS_AUTH"].contains(&canonical.as_str())
        || canonical.ends_with("SECRET_KEY_BASE")
    {
        return Some(Credential::Certain);
    }
    if last == "KEY" {
        let certain = OPENING.contains(&before).then_some(Credential::Certain);
        let likely = !before.is_empty() && !HARMLESS.contains(&before);
        return certain.or_else(|| likely.then_some(Credential::Likely));
    }
    let is_known = LAST.contains(&last.as_str())
        || ["PASSWORD", "SECRET", "APIKEY"]
            .iter()
            .any(|end| last.ends_with(end));
    let is_numbered =
        last.bytes().all(|byte| byte.is_ascii_digit()) && is_secret_before_number(before);
    (is_known || is_numbered).then_some(Credential::Certain)
}

fn is_secret_before_number(word: &str) -> bool {
    ["PASSWORD", "SECRET", "TOKEN"].contains(&word)
}

/// What a setting's resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Rows: Postgres, MySQL, Mongo, SQLite, ClickHouse.
    Database,
    /// Redis, Memcached.
    Cache,
    /// RabbitMQ, Kafka, SQS, Celery's broker.
    Queue,
    /// S3 and its kin.
    Bucket,
    /// Qdrant, Pinecone, Elasticsearch.
    Index,
}

impl Resource {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Cache => "cache",
            Self::Queue => "queue",
            Self::Bucket => "bucket",
            Self::Index => "index",
        }
    }

    /// What a URL's scheme says.
    #[must_use]
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        let base = scheme
            .split('+')
            .next()
            .unwrap_or(scheme)
            .to_ascii_lowercase();
        match base.as_str() {
            "postgres" | "postgresql" | "postgis" | "mysql" | "mysql2" | "mariadb" | "mongodb"
            | "sqlserver" | "mssql" | "clickhouse" | "cockroachdb" | "sqlite" | "sqlite3"
            | "jdbc" | "oracle" | "neo4j" | "cassandra" | "libsql" | "surrealdb" | "influxdb"
            | "pgsql" | "psql" => Some(Self::Database),
            "redis" | "rediss" | "memcached" | "valkey" => Some(Self::Cache),
            "amqp" | "amqps" | "kafka" | "nats" | "pulsar" | "sqs" => Some(Self::Queue),
            "s3" | "gs" => Some(Self::Bucket),
            "qdrant" | "milvus" | "elasticsearch" | "opensearch" | "weaviate" => Some(Self::Index),
            _ => None,
        }
    }

    /// What a name says that holds the resource's own name, not its address: `S3_BUCKET`, `PINECONE_INDEX`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let mut words = words(last_key(name));
        while words.last().is_some_and(|word| word == "NAME") {
            words.pop();
        }
        let (last, before) = words.split_last()?;
        let has = |word: &str| before.iter().any(|other| other == word);
        match last.as_str() {
            "BUCKET" => Some(Self::Bucket),
            "INDEX"
                if [
                    "PINECONE",
                    "SEARCH",
                    "ELASTICSEARCH",
                    "OPENSEARCH",
                    "ALGOLIA",
                    "VECTOR",
                    "MEILISEARCH",
                    "QDRANT",
                ]
                .iter()
                .any(|word| has(word)) =>
            {
                Some(Self::Index)
            }
            "COLLECTION"
                if ["QDRANT", "CHROMA", "MILVUS", "VECTOR", "WEAVIATE"]
                    .iter()
                    .any(|word| has(word)) =>
            {
                Some(Self::Index)
            }
            "QUEUE" | "TOPIC" if !before.is_empty() => Some(Self::Queue),
            _ => None,
        }
    }
}

/// Whether the setting lists web origins that are let in.
#[must_use]
pub fn is_origin_list(name: &str) -> bool {
    let canonical = canonical(name);
    let has = |parts: &[&str]| parts.iter().any(|part| canonical.contains(part));
    has(ORIGINS) && !has(BESIDE_ORIGINS)
}

/// What the names of lists of web origins have in them.
pub(crate) const ORIGINS: &[&str] = &[
    "CORS",
    "ALLOWED_ORIGIN",
    "TRUSTED_ORIGIN",
    "ALLOW_ORIGIN",
    "WHITELIST_ORIGIN",
];
/// What the names of the settings beside such a list have in them.
pub(crate) const BESIDE_ORIGINS: &[&str] =
    &["METHOD", "HEADER", "MAX_AGE", "CREDENTIALS", "ENABLED"];

/// Whether the setting holds a host, with or without a port.
#[must_use]
pub fn is_host(name: &str) -> bool {
    let words = words(last_key(name));
    let last = words.last().map_or("", String::as_str);
    words.len() > 1 && ["HOST", "HOSTNAME", "ENDPOINT", "ADDR", "ADDRESS", "SERVER"].contains(&last)
        || name.contains('.') && ["HOST", "HOSTNAME"].contains(&last)
}

/// Whether the setting says where the program itself listens, or what it lets through: this machine is right there.
#[must_use]
pub fn is_about_this_machine(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "AGENT",
        "ALLOWED",
        "BIND",
        "BYPASS",
        "COLLECTOR",
        "EXPORTER",
        "FLUENTD",
        "GRAPHITE",
        "HEALTHCHECK",
        "INTERNAL",
        "JAEGER",
        "LISTEN",
        "LISTENER",
        "LOGSTASH",
        "METRICS",
        "NO",
        "OTEL",
        "OTLP",
        "PROBE",
        "PROXY",
        "SIDECAR",
        "STATSD",
        "SYSLOG",
        "TELEMETRY",
        "TRACE",
        "TRACING",
        "TRUSTED",
        "WHITELIST",
        "ZIPKIN",
    ];
    let words = words(name);
    let own = matches!(
        words.join("_").as_str(),
        "HOST"
            | "HOSTNAME"
            | "ADDR"
            | "ADDRESS"
            | "SERVER_HOST"
            | "SERVER_ADDRESS"
            | "APP_HOST"
            | "APPLICATION_HOST"
            | "WEB_HOST"
            | "API_HOST"
            | "HTTP_HOST"
            | "UVICORN_HOST"
            | "GUNICORN_HOST"
            | "FLASK_RUN_HOST"
            | "HTTP_ADDR"
            | "SERVER_ADDR"
            | "APP_ADDR"
            | "APP_ADDRESS"
    );
    own || words
        .iter()
        .any(|word| WORDS.binary_search(&word.as_str()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_for_searching() {
        assert!(SELECTORS.is_sorted());
    }

    #[test]
    fn credentials_are_told_from_their_kin() {
        for name in [
            "STRIPE_API_KEY",
            "jwtSecret",
            "email_client.authorization_token",
            "DB_PASSWORD",
            "SALT",
            "base64-secret",
            "ENCRYPTION_KEY",
            "auth.secret",
            "SECRET_KEY_BASE",
        ] {
            assert_eq!(credential(name), Some(Credential::Certain), "{name}");
        }
        for name in [
            "cache.key_prefix",
            "AWS_ACCESS_KEY_ID",
            "NEXT_PUBLIC_API_KEY",
            "MAX_TOKENS",
            "TOKEN_EXPIRE_DAYS",
            "PUBLIC_KEY",
            "JWT_ALGORITHM",
            "auth.enabled",
            "password_reset_url",
            "ssl.key_path",
            "auth.existingSecret",
        ] {
            assert_eq!(credential(name), None, "{name}");
        }
    }

    #[test]
    fn a_key_may_be_a_name() {
        assert_eq!(credential("REDIS_KEY"), Some(Credential::Likely));
        assert_eq!(credential("APP_KEY"), Some(Credential::Certain));
        assert_eq!(credential("PUSHER_APP_KEY"), None);
    }

    #[test]
    fn one_spelling_for_all_formats() {
        assert_eq!(
            canonical("spring.datasource.base-url"),
            "SPRING_DATASOURCE_BASE_URL"
        );
        assert_eq!(canonical("APP_DATABASE__PASSWORD"), "APP_DATABASE_PASSWORD");
        assert_eq!(selector("server.env_name"), Some(Selector::Environment));
        assert_eq!(selector("NODE_ENV"), Some(Selector::BuildMode));
        assert_eq!(selector("SENTRY_ENVIRONMENT"), None);
    }

    #[test]
    fn names_of_resources() {
        assert_eq!(Resource::of_name("S3_BUCKET_NAME"), Some(Resource::Bucket));
        assert_eq!(Resource::of_name("PINECONE_INDEX"), Some(Resource::Index));
        assert_eq!(Resource::of_name("LOG_INDEX"), None);
    }
}
