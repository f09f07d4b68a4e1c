//! Rules for columns that have none, from their names, types and keys.
//!
//! ```
//! use ringfence_mask::{schema::{Column, Kind, Table}, suggest::{manifest_lines, suggest}};
//! let users = Table {
//!     name: "users".into(),
//!     columns: vec![Column::new("correo_electronico", Kind::TEXT)],
//!     ..Table::default()
//! };
//! let lines = manifest_lines(&suggest(&users));
//! assert_eq!(lines, "\"users.correo_electronico\" = \"email\"  # likely: the name says e-mail address\n");
//! ```
//!
//! What always holds: a suggestion can be carried out on its column. What nothing is known of is suggested as something that shows
//! nothing, never as `keep`: `keep` is said only of keys, references, booleans, words of a closed list, times of the row itself, and
//! numbers whose name says that they count something. A suggestion is no decision: it is to be read by somebody who knows the table.

pub mod links;
#[cfg(test)]
mod tests;
mod words;

use crate::mask::fits;
use crate::rule::{Rule, fitting};
use crate::schema::{Column, Kind, Table};

/// A rule that is suggested.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The rule.
    pub rule: Rule,
    /// Why, in a few words.
    pub reason: String,
    /// How sure it is.
    pub confidence: Confidence,
}

/// How sure a suggestion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Nothing is known of the column but its type.
    Guess,
    /// The name or the values speak for it.
    Likely,
    /// The schema says it.
    Sure,
}

/// What the store's statistics know of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// How many different values there are.
    pub distinct: Option<u64>,
    /// How many rows there are.
    pub rows: Option<u64>,
    /// The mean length of a value, in bytes.
    pub mean_bytes: Option<u32>,
}

/// Suggests a rule for each column that can be written; none for a vector that must be there: it is made again, or kept on somebody's word.
#[must_use]
pub fn suggest(table: &Table) -> Vec<Suggestion> {
    suggest_with(table, |_| Statistics::default())
}

/// The same, with what statistics know of each column by its name.
#[must_use]
pub fn suggest_with(table: &Table, statistics: impl Fn(&str) -> Statistics) -> Vec<Suggestion> {
    let columns = table.columns.iter().filter(|column| !column.generated);
    let one = |column: &Column| {
        let (text, reason, confidence) = candidates(table, column, statistics(&column.name))
            .into_iter()
            .find(|(text, _, _)| can_be(table, column, text))?;
        Some(Suggestion {
            table: table.name.clone(),
            column: column.name.clone(),
            rule: text.parse().ok()?,
            reason,
            confidence,
        })
    };
    columns.filter_map(one).collect()
}

/// The suggestions as lines of a manifest's table of masks, ready to be pasted.
#[must_use]
pub fn manifest_lines(suggestions: &[Suggestion]) -> String {
    let line = |suggestion: &Suggestion| {
        let name = format!("{}.{}", suggestion.table, suggestion.column);
        let rule = suggestion.rule.to_string();
        format!(
            "{} = {}  # {}: {}\n",
            quoted(&name),
            quoted(&rule),
            suggestion.confidence.word(),
            suggestion.reason
        )
    };
    suggestions.iter().map(line).collect()
}

/// A basic string of TOML, whose escapes are those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl Confidence {
    /// The word for it in a comment.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Guess => "a guess",
            Self::Likely => "likely",
            Self::Sure => "sure",
        }
    }
}

type Candidate = (String, String, Confidence);

fn can_be(table: &Table, column: &Column, text: &str) -> bool {
    let rule = text.parse::<Rule>();
    rule.is_ok_and(|rule| fits(table, column, &rule))
}

/// What a column could be, the most certain first; the last ones always fit.
fn candidates(table: &Table, column: &Column, statistics: Statistics) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut add = |text: &str, reason: &str, confidence| {
        found.push((text.to_owned(), reason.to_owned(), confidence));
    };
    let is_word = matches!(column.kind, Kind::Boolean | Kind::Enumeration);
    if let Some(reason) = structural(table, column).filter(|_| is_word) {
        add("keep", &reason, Confidence::Sure);
    }
    // Before names are looked at for what they hold: `completion_tokens` are no secret.
    if words::is_count(&column.name) && is_number(&column.kind) {
        add(
            "keep",
            "the name says a count or an amount",
            Confidence::Likely,
        );
    }
    let meaning = words::meaning(&column.name, &table.name);
    // A natural key is personal although it is a key.
    if let Some((rules, what)) = meaning {
        let reason = format!("the name says {what}");
        for rule in rules {
            add(rule, &reason, Confidence::Likely);
        }
    }
    if let Some(reason) = structural(table, column) {
        add("keep", &reason, Confidence::Sure);
    }
    if is_small_list(column, statistics) {
        add(
            "keep",
            "few different values in many rows",
            Confidence::Likely,
        );
    }
    if column.kind == Kind::Vector {
        add(
            "null",
            "a vector can be turned back into text: make it again from masked text",
            Confidence::Sure,
        );
        return found;
    }
    if words::is_time_of_row(&column.name) && is_time(&column.kind) {
        add("keep", "when the row was written", Confidence::Likely);
    }
    add(
        fitting(&column.kind),
        "nothing more is known than its type",
        Confidence::Guess,
    );
    for rule in ["hash", "uuid", "null", "keep"] {
        add(rule, "nothing else fits its type", Confidence::Guess);
    }
    found
}

/// What the schema itself says of a column that may stay.
fn structural(table: &Table, column: &Column) -> Option<String> {
    let is_key = table.primary_key.contains(&column.name);
    let reference = table
        .foreign_keys
        .iter()
        .find(|reference| reference.columns.contains(&column.name));
    // A text may be a person's name, be it a key or not; where it points, it follows the rule there.
    let opaque = matches!(column.kind, Kind::Integer(_) | Kind::Uuid);
    match (reference, &column.kind) {
        (Some(reference), _) if opaque => Some(format!("points to `{}`", reference.parent)),
        (None, _) if is_key && opaque => Some("the primary key".to_owned()),
        (_, Kind::Boolean) => Some("yes or no".to_owned()),
        (_, Kind::Enumeration) => Some("a word of a closed list".to_owned()),
        _ => None,
    }
}

/// Such as states and kinds: at most 20 different values, each in at least 50 rows.
fn is_small_list(column: &Column, statistics: Statistics) -> bool {
    let (Some(distinct), Some(rows)) = (statistics.distinct, statistics.rows) else {
        return false;
    };
    let short = statistics.mean_bytes.is_none_or(|bytes| bytes <= 20);
    let kind = matches!(column.kind, Kind::Text { .. } | Kind::Integer(_));
    kind && short && distinct <= 20 && rows >= distinct.saturating_mul(50).max(1)
}

fn is_time(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Date | Kind::Timestamp | Kind::Integer(_) | Kind::Text { .. }
    )
}

fn is_number(kind: &Kind) -> bool {
    matches!(kind, Kind::Integer(_) | Kind::Decimal { .. } | Kind::Real)
}
