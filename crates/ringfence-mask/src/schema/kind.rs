//! What a column holds, read from the type that its schema declares.

/// What a column holds, as far as a masker has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `boolean`.
    Boolean,
    /// A whole number of that many bits, signed.
    Integer(u8),
    /// An exact number.
    Decimal {
        /// Digits in all; 0 where it is not said.
        precision: u16,
        /// Digits after the point; `None` where it is not said.
        scale: Option<u16>,
    },
    /// A floating-point number.
    Real,
    /// Text.
    Text {
        /// The most characters it may have.
        limit: Option<u32>,
        /// Whether case makes no difference (`citext`, `COLLATE NOCASE`).
        folded: bool,
    },
    /// Bytes.
    Bytes,
    /// A UUID, in a type of its own.
    Uuid,
    /// A day.
    Date,
    /// A day and a time, with a zone or without.
    Timestamp,
    /// JSON.
    Json,
    /// One of a list of words that the schema declares.
    Enumeration,
    /// A vector of an embedding. It is data like any other: it can be turned back into text.
    Vector,
    /// Anything else. It can be kept, be null, or be written from the rule alone.
    Other,
}

impl Kind {
    /// Text without a limit.
    pub const TEXT: Self = Self::Text {
        limit: None,
        folded: false,
    };

    /// Reads a declared type: as PostgreSQL's `format_type` prints it, or as an SQLite schema spells it.
    ///
    /// An SQLite column without a type is [`Kind::TEXT`]; what nobody knows is [`Kind::Other`].
    ///
    /// ```
    /// use ringfence_mask::schema::Kind;
    /// assert_eq!(Kind::read("character varying(80)"), Kind::Text { limit: Some(80), folded: false });
    /// assert_eq!(Kind::read("bigint"), Kind::Integer(64));
    /// ```
    #[must_use]
    pub fn read(declared: &str) -> Self {
        let lower = declared.trim().to_ascii_lowercase();
        let (word, arguments) = match lower.split_once('(') {
            Some((word, rest)) => (word, rest.split(')').next().unwrap_or_default()),
            None => (lower.as_str(), ""),
        };
        if lower.ends_with(']') {
            return Self::Other;
        }
        let mut numbers = arguments
            .split(',')
            .map(|text| text.trim().parse::<u32>().ok());
        let (first, second) = (numbers.next().flatten(), numbers.next().flatten());
        Self::of_word(word.trim(), first, second)
    }

    fn of_word(word: &str, first: Option<u32>, second: Option<u32>) -> Self {
        let text = |limit| Self::Text {
            limit,
            folded: false,
        };
        match word {
            "" | "text" | "clob" | "name" | "tinytext" | "mediumtext" | "longtext" => Self::TEXT,
            "character varying" | "varchar" | "nvarchar" | "bpchar" | "varying character" => {
                text(first)
            }
            "character" | "char" | "nchar" | "native character" => text(first.or(Some(1))),
            "citext" => Self::Text {
                limit: None,
                folded: true,
            },
            "boolean" | "bool" => Self::Boolean,
            "tinyint" => Self::Integer(8),
            "smallint" | "int2" | "smallserial" => Self::Integer(16),
            "mediumint" | "int4" | "serial" => Self::Integer(32),
            // In PostgreSQL `integer` has 32 bits; in SQLite it may hold 64, and what fits 32 fits there.
            "integer" | "int" => Self::Integer(32),
            "bigint" | "int8" | "bigserial" | "unsigned big int" => Self::Integer(64),
            "numeric" | "decimal" | "dec" | "number" => Self::Decimal {
                precision: first.and_then(|digits| digits.try_into().ok()).unwrap_or(0),
                scale: first.map(|_| {
                    second
                        .and_then(|digits| digits.try_into().ok())
                        .unwrap_or(0)
                }),
            },
            "money" => Self::Other,
            "real" | "float" | "float4" | "float8" | "double" | "double precision" => Self::Real,
            "bytea" | "blob" | "binary" | "varbinary" => Self::Bytes,
            "uuid" | "guid" => Self::Uuid,
            "date" => Self::Date,
            "datetime" | "timestamp" | "timestamptz" => Self::Timestamp,
            "json" | "jsonb" => Self::Json,
            "vector" | "halfvec" | "sparsevec" => Self::Vector,
            _ if word.starts_with("timestamp") => Self::Timestamp,
            _ => Self::Other,
        }
    }

    /// The type's word, which [`Kind::read`] reads back without its limits.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer(_) => "bigint",
            Self::Decimal { .. } => "numeric",
            Self::Real => "real",
            Self::Text { .. } | Self::Enumeration => "text",
            Self::Bytes => "bytea",
            Self::Uuid => "uuid",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Json => "json",
            Self::Vector => "vector",
            Self::Other => "other",
        }
    }

    /// The most characters that text of this kind may have.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        match self {
            Self::Text { limit, .. } => *limit,
            _ => None,
        }
    }

    /// The largest whole number that fits.
    pub(crate) fn largest(&self) -> i128 {
        match self {
            Self::Integer(bits) => (1_i128 << bits.saturating_sub(1).min(126)) - 1,
            Self::Decimal { precision, .. } if (1..=36).contains(precision) => {
                10_i128.pow(u32::from(*precision)) - 1
            }
            _ => 10_i128.pow(36) - 1,
        }
    }
}
