//! What a manifest may say: the one definition behind the reader, the JSON Schema and the book's table.

/// What a value may look like.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A string.
    Text,
    /// One of these strings.
    Word(&'static [&'static str]),
    /// The name of a variable: ASCII letters, digits, `_` and `.`, not beginning with a digit.
    Variable,
    /// `true` or `false`.
    Flag,
    /// A whole number from the first to the second.
    Integer(i64, i64),
    /// A string, number, truth value, or list of these: what a setting's value may be.
    Scalar,
    /// A list.
    List(&'static Shape),
    /// A table with these keys.
    Table(&'static [Key]),
    /// A table with keys of the user's choice.
    Map(&'static Shape),
    /// A table with these keys, and others of the user's choice.
    Open(&'static [Key], &'static Shape),
    /// The value itself, or `{ default = …, in.<environment or tier> = … }`.
    PerEnvironment(&'static Shape),
    /// One of several, told apart by their TOML type.
    Either(&'static [Shape]),
    /// Anything: read by a part that says itself what it accepts.
    Any,
}

/// A key of a table.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value may look like.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// What it is for, in one line.
    pub about: &'static str,
}

const fn key(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key {
        name,
        shape,
        required: false,
        about,
    }
}

/// The four tiers, lowest first.
pub const TIERS: &[&str] = &["development", "testing", "staging", "production"];

/// The types of a setting.
pub const TYPES: &[&str] = &[
    "string", "bool", "int", "float", "url", "host", "port", "path", "duration", "size", "enum",
    "email", "json", "regex", "list",
];

/// Levels of the barrier, strongest first, and `off`.
pub const BARRIERS: &[&str] = &["full", "no-pidns", "network-only", "config-only", "off"];

/// What may be recorded of traffic, most first.
pub const RECORDS: &[&str] = &["full", "metadata", "none"];

/// What a production gateway may be allowed.
pub const ALLOWANCES: &[&str] = &["no-limits", "full-records", "mock"];

/// What happens while a shared store cannot be asked.
pub const STORE_LOST: &[&str] = &["deny", "share"];

const TEXTS: Shape = Shape::List(&Shape::Text);

/// The whole file.
pub const MANIFEST: Shape = Shape::Table(&[
    Key {
        required: true,
        ..key("version", Shape::Integer(1, 1), "version of this format: 1")
    },
    key("project", Shape::Text, "the project's name"),
    key(
        "selector",
        Shape::Variable,
        "the variable that names the environment; `APP_ENV` where absent",
    ),
    key(
        "default",
        Shape::Text,
        "the environment where none is named; never one of the production tier",
    ),
    key(
        "pass",
        Shape::List(&Shape::Variable),
        "host variables that the child may see",
    ),
    key(
        "ports",
        Shape::List(&Shape::Integer(1, 65535)),
        "the program's own ports, published on the host's loopback",
    ),
    key(
        "environments",
        Shape::Map(&ENVIRONMENT),
        "the environments; their order is the chain",
    ),
    key(
        "settings",
        Shape::Map(&SETTING),
        "the settings that the program reads",
    ),
    key(
        "resources",
        Shape::Map(&RESOURCE),
        "what the program talks to",
    ),
    key(
        "gateway",
        GATEWAY,
        "how the gateway is served, and what may come in",
    ),
    key(
        "flags",
        Shape::Map(&Shape::PerEnvironment(&Shape::Scalar)),
        "behaviour that is read while running",
    ),
    key(
        "egress",
        Shape::Map(&EGRESS),
        "hosts that no setting names or implies, by environment",
    ),
    key(
        "people",
        Shape::Map(&KEYS),
        "age or ssh public keys, by name; one or several each",
    ),
    key("access", ACCESS, "who may do what where"),
    key(
        "promotion",
        Shape::Map(&TEXTS),
        "gates, by the environment that is promoted to",
    ),
    key(
        "secrets",
        Shape::Map(&SECRETS),
        "how sealed files are kept, by environment",
    ),
]);

const ENVIRONMENT: Shape = Shape::Table(&[
    key(
        "tier",
        Shape::Word(TIERS),
        "what kind of reality it is; taken from the name where that is a known word",
    ),
    key("aliases", TEXTS, "other names for it"),
    key(
        "files",
        TEXTS,
        "the files to read instead of `.env.<name>`, later ones above earlier ones; `[]` for none",
    ),
    key(
        "from",
        Shape::Word(&["host"]),
        "the platform's variables supply the declared settings",
    ),
    key(
        "home",
        Shape::Word(&["guarded", "read-only", "private"]),
        "what the child may do in the home directory",
    ),
    key(
        "barrier",
        Shape::Word(BARRIERS),
        "the level that must be reached; `off` in development and testing only",
    ),
    key(
        "disposable",
        Shape::Flag,
        "destructive commands are free here",
    ),
]);

const SETTING: Shape = Shape::Either(&[
    Shape::Scalar,
    Shape::Table(&[
        key(
            "type",
            Shape::Word(TYPES),
            "what the value must be; `string` where absent",
        ),
        key("values", TEXTS, "the values of an `enum`"),
        key(
            "secret",
            Shape::Flag,
            "never shown; guessed from name and value where absent",
        ),
        key(
            "distinct",
            Shape::Flag,
            "no two environments may have the same value",
        ),
        key(
            "required",
            Shape::PerEnvironment(&Shape::Flag),
            "whether it must be there; true where absent, unless there is a default",
        ),
        key(
            "default",
            Shape::Scalar,
            "the value where no other layer gives one",
        ),
        key(
            "in",
            Shape::Map(&Shape::Scalar),
            "the value in an environment or tier",
        ),
        key(
            "from",
            Shape::PerEnvironment(&VALUE_SOURCE),
            "where the value comes from, if not from the files",
        ),
        key(
            "as",
            Shape::Word(&["variable", "file"]),
            "how the child gets it",
        ),
    ]),
]);

const VALUE_SOURCE: Shape = Shape::Either(&[
    Shape::Word(&["host"]),
    Shape::Table(&[
        key("command", TEXTS, "a command whose output is the value"),
        key("file", Shape::Text, "a file whose content is the value"),
    ]),
]);

const RESOURCE: Shape = Shape::Table(&[
    key(
        "kind",
        Shape::Text,
        "what it is: `postgres`, `sqlite`, `redis`, `qdrant`, `s3`, `http`, `openai` …",
    ),
    key(
        "setting",
        Shape::Variable,
        "the setting that holds its address",
    ),
    key("key", Shape::Variable, "the setting that holds its key"),
    key(
        "owner",
        Shape::Variable,
        "the setting with the address of the role that may mark, scrub and load it, and of Qdrant and S3 with its key; the usual one where absent",
    ),
    key(
        "marked",
        Shape::PerEnvironment(&Shape::Flag),
        "whether it carries a marker; true for stores, false for `http`, where absent",
    ),
    key(
        "drop",
        TEXTS,
        "tables whose rows do something when they are found: sessions, outboxes; they never travel, and `scrub` empties them",
    ),
    key(
        "migrate",
        TEXTS,
        "the command that makes its schema; `reset` starts it inside the environment",
    ),
    key(
        "sample",
        Shape::PerEnvironment(&SAMPLE),
        "where its data comes from, and how much of it",
    ),
    key(
        "index",
        INDEX,
        "of which embeddings its vectors are; written beside the marker, and compared before a start",
    ),
    key(
        "tables",
        Shape::Map(&TABLE),
        "what of each table travels in a sample; what is not named does not",
    ),
    key(
        "header",
        Shape::Text,
        "the header that carries the key; `Authorization` where absent",
    ),
    key(
        "headers",
        TEXTS,
        "response headers that are passed on besides the usual ones",
    ),
    key(
        "models",
        Shape::Map(&Shape::PerEnvironment(&MODELS)),
        "the model behind each name, or several in the order of trying",
    ),
    key(
        "limits",
        Shape::PerEnvironment(&LIMITS),
        "requests, tokens, money and concurrent requests, such as `60 requests/min, 5 usd/day per caller`, or the flag that says them",
    ),
    key(
        "record",
        Shape::PerEnvironment(&RECORD),
        "what is recorded of the traffic, or the flag that says it; `metadata` where absent",
    ),
    key(
        "timeout",
        Shape::PerEnvironment(&Shape::Text),
        "how long an upstream may be silent, such as `30s`; `60s` where absent",
    ),
]);

const LIMITS: Shape = Shape::Either(&[Shape::Text, OF_FLAG]);

const RECORD: Shape = Shape::Either(&[Shape::Word(RECORDS), OF_FLAG]);

const OF_FLAG: Shape = Shape::Table(&[Key {
    required: true,
    ..key(
        "flag",
        Shape::Text,
        "the flag that says it, for each request",
    )
}]);

const MODELS: Shape = Shape::Either(&[Shape::Text, Shape::List(&MODEL), MODEL_TABLE]);

const MODEL: Shape = Shape::Either(&[Shape::Text, MODEL_TABLE]);

const MODEL_TABLE: Shape = Shape::Table(&[
    key("model", Shape::Text, "its name at the upstream"),
    key(
        "at",
        Shape::Text,
        "the resource that has it, if not this one",
    ),
    key(
        "price",
        PRICE,
        "what a million tokens cost; needed by limits in money",
    ),
]);

const PRICE: Shape = Shape::Table(&[
    key("input", Shape::Text, "of prompts, such as \"1.25\""),
    key("output", Shape::Text, "of answers; nothing where absent"),
]);

const GATEWAY: Shape = Shape::Table(&[
    key(
        "start",
        Shape::PerEnvironment(&Shape::Flag),
        "whether `run` and `shell` start a gateway with the program; true where absent",
    ),
    key(
        "listen",
        Shape::PerEnvironment(&Shape::Text),
        "where the gateway listens; `127.0.0.1:0`, any free port, where absent",
    ),
    key(
        "secret",
        Shape::Variable,
        "the setting that holds the key of callers' tokens, where several machines share one",
    ),
    key(
        "store",
        Shape::Variable,
        "the setting that holds the address of a Redis, where several gateways share their limits",
    ),
    key(
        "store-lost",
        Shape::PerEnvironment(&Shape::Word(STORE_LOST)),
        "what happens while that cannot be asked: `deny`, or each gateway's own `share`; `deny` where absent",
    ),
    key(
        "replicas",
        Shape::PerEnvironment(&Shape::Integer(1, 10_000)),
        "how many gateways there are, for `share`",
    ),
    key(
        "origins",
        Shape::PerEnvironment(&TEXTS),
        "pages whose scripts may ask for flags, such as `https://app.example.com`; in development also those of this machine",
    ),
    key(
        "allow",
        Shape::List(&Shape::Word(ALLOWANCES)),
        "what a production gateway may do against the rules",
    ),
    key(
        "ingress",
        Shape::PerEnvironment(&Shape::Text),
        "limits of what comes in at the program's `ports`, such as `60 requests/min per client, 20 concurrent`",
    ),
    key(
        "ingress-proxies",
        Shape::PerEnvironment(&TEXTS),
        "addresses, or networks such as `10.0.0.0/8`, of proxies whose word about the client's address is taken",
    ),
]);

const SAMPLE: Shape = Shape::Table(&[
    key(
        "from",
        Shape::Text,
        "the environment that it comes from, above in the chain",
    ),
    key(
        "fraction",
        Shape::Scalar,
        "how much of each table that says `rows = \"sample\"`: `0.01` or `\"1%\"`",
    ),
    key(
        "key",
        Shape::Variable,
        "the setting of the environment above that keys its masks; a key of this user's own where absent",
    ),
]);

const INDEX: Shape = Shape::Table(&[
    key(
        "model",
        Shape::PerEnvironment(&Shape::Text),
        "the model that makes the vectors",
    ),
    key(
        "dimension",
        Shape::PerEnvironment(&Shape::Integer(1, 65536)),
        "how many numbers a vector has",
    ),
    key(
        "metric",
        Shape::Word(&["cosine", "l2", "dot"]),
        "how vectors are compared",
    ),
    key(
        "endpoint",
        Shape::Variable,
        "the setting with the address of an OpenAI-compatible interface that makes vectors: `…/v1`",
    ),
    key("key", Shape::Variable, "the setting with the key for it"),
]);

const TABLE: Shape = Shape::Table(&[
    key(
        "rows",
        Shape::Scalar,
        "which rows: `sample`, `all`, `none`, `needed`, `\"1%\"`, `\"500 rows\"`; those that others need where absent",
    ),
    key(
        "where",
        Shape::Text,
        "a condition in the store's language (SQL, a filter of Qdrant's in JSON): only these rows are chosen",
    ),
    key(
        "along",
        TEXTS,
        "parents that bring their rows of this table: `users`, `users by owner_id cap 5`",
    ),
    key(
        "links",
        TEXTS,
        "references that the schema does not declare: `author_id to users`, `chunk to chunks by number`, `subject_id to posts when subject_type is Post`",
    ),
    key(
        "document",
        Shape::Text,
        "the column that says of which document a row is: those of one are chosen together; `documents by document_id` chooses the documents that the table `documents`, here or in another store, is sampled to",
    ),
    key(
        "cut",
        TEXTS,
        "references that become null instead of being followed, by their columns",
    ),
    key(
        "follow",
        TEXTS,
        "references into the same table that are followed, by their columns",
    ),
    key(
        "columns",
        Shape::Map(&Shape::Text),
        "the columns that travel, and as what: `keep`, `email`, `hash:12` …",
    ),
    key(
        "vectors",
        Shape::Map(&Shape::Text),
        "columns that are made again from the masked text of another column, by `index`: `body`, or `chunks.body by chunk_id`",
    ),
]);

const KEYS: Shape = Shape::Either(&[Shape::Text, TEXTS]);

const SECRETS: Shape = Shape::Table(&[
    key(
        "file",
        Shape::Text,
        "the sealed file, where it is not found by its name",
    ),
    key(
        "seal",
        Shape::Word(&["required", "optional"]),
        "whether a file without a seal is refused; required in staging and production where absent",
    ),
]);

const EGRESS: Shape = Shape::Either(&[TEXTS, Shape::Word(&["open"])]);

const ACCESS: Shape = Shape::Open(
    &[
        key("groups", Shape::Map(&TEXTS), "names for several people"),
        key(
            "deny",
            Shape::List(&Shape::Any),
            "rules that win over every other",
        ),
    ],
    &Shape::Map(&Shape::List(&Shape::Any)),
);
