//! What is wanted of each table and column, as plain data.
//!
//! A column's rule has a short form, `masker[@group][:parameters]`:
//!
//! | form | meaning |
//! |---|---|
//! | `keep` | as it is |
//! | `null` | null, in columns that may be |
//! | `hash` · `hash:12` | letters and digits without meaning, as many as are said (26); whole numbers become other whole numbers |
//! | `email` | an address under `.invalid` |
//! | `name` · `name:first` · `name:last de` | a person's name, in a language (`en de fr it ja nl pt tr zh ar`) |
//! | `phone` · `phone:uk` | a number of a range that is reserved for fiction (`us uk de fr se`), or of no country (`any`) |
//! | `address` · `address:city` | street, city and postcode, or one of them (`street city postcode`) |
//! | `text` · `text:200` | words without meaning, as many characters as there were, at most so many |
//! | `number` · `number:1..100` · `number:noise 10%` · `number:card` | another number with as many digits; in a range; near by; a card's number that no card has |
//! | `date` · `date:shift 30 by user_id` · `date:month` | shifted by up to 90 days, alike within a row or a subject; or cut to `year`, `month`, `day` |
//! | `uuid` | another UUID |
//! | `choice:a\|b` | one of these words |
//! | `template:user{n}` | this text with `{n}` `{n:4}` `{hash}` `{hash:8}` `{first}` `{last}` filled in; `{{` and `}}` for braces |
//!
//! Equal originals stay equal wherever their columns are in one group. Without `@group` the group is the masker's word, so that all
//! columns masked as `email` can still be joined; `email@partners` sets some apart.
//!
//! ```
//! use ringfence_mask::rule::{Masker, Rule};
//! let rule: Rule = "hash@customer:12".parse()?;
//! assert_eq!(rule.masker, Masker::Hash { length: 12 });
//! assert_eq!(rule.group(), "customer");
//! assert_eq!(rule.to_string(), "hash@customer:12");
//! # Ok::<(), ringfence_mask::rule::RuleError>(())
//! ```
//!
//! What always holds: a rule printed and read again is the same rule, and there is one way to print it. What no rule names does not
//! travel: [`Rules::default`] takes nothing.

mod digest;
mod read;
mod template;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, BTreeSet};

pub use digest::{REVISION, digest};
pub use read::RuleError;
pub use template::{Piece, Template};

use crate::choose::Fraction;
use crate::schema::Kind;

/// What is wanted of a store: a rule for each table that has one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// By the table's name.
    pub tables: BTreeMap<String, TableRule>,
}

/// What is wanted of a table. The default is that of a table without a rule: only rows that others need, and no column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableRule {
    /// Which rows are chosen of themselves.
    pub rows: Rows,
    /// A condition in the store's language: only these rows are chosen. Rows that others need come regardless.
    pub filter: Option<String>,
    /// What brings its rows together: those of one document are chosen together.
    pub document: Option<Document>,
    /// Parents that bring their rows of this table along.
    pub along: Vec<Along>,
    /// References that the schema does not declare.
    pub links: Vec<Link>,
    /// References that are set to null instead of followed, each by its columns.
    pub cut: Vec<Vec<String>>,
    /// References that are followed although they point into their own table, each by its columns: those that may be null are
    /// cut otherwise.
    pub follow: Vec<Vec<String>>,
    /// The columns that travel, and as what.
    pub columns: BTreeMap<String, Rule>,
    /// Columns of vectors that stay behind because the target makes them again.
    pub remade: BTreeSet<String>,
}

/// Which rows of a table are chosen of themselves. Read from `all`, `none`, `needed`, `1%`, `0.01`, `500 rows`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rows {
    /// None but those that chosen rows of other tables point to.
    #[default]
    Needed,
    /// None at all: who points here must be able to do without.
    None,
    /// Every one.
    All,
    /// A part of them, by the rank of their primary keys.
    Fraction(Fraction),
    /// That many, the lowest ranks first.
    Count(u64),
}

/// Rows that come along with the parent they point to. Read from `users`, `users cap 5`, `users by owner_id cap 5`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Along {
    /// The table pointed to.
    pub parent: String,
    /// The reference's columns; empty where there is only one reference to that table.
    pub columns: Vec<String>,
    /// At most that many for each parent, the lowest ranks first.
    pub cap: Option<u64>,
}

/// A reference that the schema does not declare, such as a polymorphic one, whose table another column names. Read from
/// `author_id to users`, `subject_id to posts when subject_type is Post`, `org+number to users by org_id+number`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The columns that point.
    pub columns: Vec<String>,
    /// The table pointed to.
    pub parent: String,
    /// The columns there; empty for its primary key.
    pub referenced: Vec<String>,
    /// For which rows it holds; for all of them where nothing is said.
    pub when: Option<When>,
}

/// The rows in which a column has this value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct When {
    /// The column.
    pub column: String,
    /// Its value, as text.
    pub value: String,
}

/// Which rows are of one document. Read from `document_id`, or from `documents by document_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The column that says of which document a row is.
    pub column: String,
    /// The table, here or in another store, whose rows of these keys are chosen as well; its own where absent.
    pub table: Option<String>,
}

/// What becomes of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// How its values are changed.
    pub masker: Masker,
    /// The group of columns within which equal originals stay equal, where it is not the masker's word.
    pub group: Option<String>,
}

/// How a value is changed. Null stays null, and what is empty stays empty.
#[derive(Clone, Debug, PartialEq)]
pub enum Masker {
    /// It is not.
    Keep,
    /// It becomes null.
    Null,
    /// Letters and digits without meaning.
    Hash {
        /// How many, from 4 to 52.
        length: u8,
    },
    /// An address under `.invalid` (RFC 2606).
    Email,
    /// A person's name.
    Name {
        /// Which part.
        part: NamePart,
        /// Of which language.
        language: Language,
    },
    /// A telephone number that nobody has.
    Phone(PhoneRange),
    /// Where someone lives.
    Address(AddressPart),
    /// Words without meaning.
    Text {
        /// At most that many characters.
        longest: u32,
    },
    /// A number.
    Number(NumberChange),
    /// A day, or a day and a time.
    Date(DateChange),
    /// A UUID of version 4 by its form.
    Uuid,
    /// One of these words; at least one.
    Choice(Vec<String>),
    /// A text with places that are filled in.
    Template(Template),
}

/// A part of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamePart {
    /// First and last, in the language's order.
    Full,
    /// The given name.
    First,
    /// The family name.
    Last,
}

/// A language whose names are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "ISO 639 says it")]
pub enum Language {
    Ar,
    De,
    En,
    Fr,
    It,
    Ja,
    Nl,
    Pt,
    Tr,
    Zh,
}

/// A range of telephone numbers that nobody will be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneRange {
    /// North America: 555-0100 to 555-0199 of every area code, set aside for fiction by the numbering plan's administrator.
    Us,
    /// United Kingdom: 07700 900000 to 900999 (Ofcom, numbers for use in TV and radio drama).
    Uk,
    /// Germany: 1000 numbers in each of five cities (Bundesnetzagentur, notice 148/2021).
    De,
    /// France: 06 39 98 00 00 to 99 99 (ARCEP, numbers for audiovisual works).
    Fr,
    /// Sweden: 070-174 06 05 to 06 99 (PTS, numbers for books and films).
    Se,
    /// Twelve digits after +999, which ITU-T has assigned to nobody: for columns whose values have to be unique.
    Any,
}

/// A part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressPart {
    /// All in one line.
    Full,
    /// A house number and a street.
    Street,
    /// A place.
    City,
    /// Five digits below 00500, the lowest code that is in use in the United States being 00501.
    Postcode,
}

/// What becomes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberChange {
    /// Another one of the same sign with as many digits; different numbers stay different.
    Digits,
    /// Another one of the range, both ends included. Numbers that are in it stay different; others fall anywhere.
    Range(i64, i64),
    /// Moved by at most that many thousandths of itself, by one unit at least.
    Noise(u16),
    /// The number of a payment card: 16 digits with a valid check digit that begin with 9999. The first 9 is for national
    /// use, the next three digits are a country (ISO/IEC 7812-1), and 999 is none (ISO 3166-1 leaves 900 to 999 to users).
    Card,
}

/// What becomes of a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DateChange {
    /// Moved by between one day and so many, earlier or later.
    Shift {
        /// Days at most.
        days: u16,
        /// The column of the same table whose value says how far, so that intervals within a subject stay; the primary key
        /// where none is named.
        subject: Option<String>,
    },
    /// Cut to its beginning.
    Cut(DatePart),
}

/// What a date is cut to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatePart {
    /// The first of January.
    Year,
    /// The first of the month.
    Month,
    /// Midnight.
    Day,
}

impl Rule {
    /// A masker in its own group.
    #[must_use]
    pub fn new(masker: Masker) -> Self {
        Self {
            masker,
            group: None,
        }
    }

    /// The group of columns within which equal originals stay equal.
    #[must_use]
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or_else(|| self.masker.word())
    }
}

/// A rule, in its short form, that writes this kind and shows nothing: what to try where nothing more is known of a column.
#[must_use]
pub fn fitting(kind: &Kind) -> &'static str {
    match kind {
        Kind::Boolean => "choice:true|false",
        Kind::Integer(_) | Kind::Decimal { .. } | Kind::Real => "number",
        Kind::Text { limit, .. } if limit.is_some_and(|limit| limit < 8) => "number",
        Kind::Text { .. } | Kind::Json => "text",
        Kind::Bytes => "hash",
        Kind::Uuid => "uuid",
        Kind::Date | Kind::Timestamp => "date",
        Kind::Enumeration | Kind::Vector | Kind::Other => "keep",
    }
}

impl Rules {
    /// The rule of a table, or what holds without one.
    #[must_use]
    pub fn table(&self, name: &str) -> TableRule {
        self.tables.get(name).cloned().unwrap_or_default()
    }
}

impl Masker {
    /// The words that rules begin with.
    pub const WORDS: [&'static str; 13] = [
        "keep", "null", "hash", "email", "name", "phone", "address", "text", "number", "date",
        "uuid", "choice", "template",
    ];

    /// The word that the rule begins with.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Null => "null",
            Self::Hash { .. } => "hash",
            Self::Email => "email",
            Self::Name { .. } => "name",
            Self::Phone(_) => "phone",
            Self::Address(_) => "address",
            Self::Text { .. } => "text",
            Self::Number(_) => "number",
            Self::Date(_) => "date",
            Self::Uuid => "uuid",
            Self::Choice(_) => "choice",
            Self::Template(_) => "template",
        }
    }
}
