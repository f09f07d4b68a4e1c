//! One name for a set of rules, so that a sample can say under which it was made.

use sha2::{Digest, Sha256};

use super::{Rows, Rules, TableRule};

/// The generation of maskers and name lists: raised whenever the same rule would give another result.
pub const REVISION: u32 = 1;

/// SHA-256, in hexadecimal, over all that decides a sample's content but the rows, their columns' types and the key.
///
/// It is the same for rules that say the same in another order or spelling, and for a table that is named without being asked
/// for anything; it differs where the outcome may differ, [`REVISION`] included. Conditions are compared as they are written, without
/// blanks at the ends.
#[must_use]
pub fn digest(rules: &Rules) -> String {
    let mut hash = Sha256::new();
    add(&mut hash, &format!("ringfence rules {REVISION}"));
    for (name, rule) in &rules.tables {
        if *rule != TableRule::default() {
            table(&mut hash, name, rule);
        }
    }
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn table(hash: &mut Sha256, name: &str, rule: &TableRule) {
    add(hash, "table");
    add(hash, name);
    add(hash, &rows(rule.rows));
    add(
        hash,
        rule.filter.as_deref().map(str::trim).unwrap_or_default(),
    );
    let mut along: Vec<String> = rule.along.iter().map(ToString::to_string).collect();
    along.sort();
    along.dedup();
    all(hash, "along", &along);
    let mut links: Vec<String> = rule.links.iter().map(ToString::to_string).collect();
    links.sort();
    links.dedup();
    all(hash, "link", &links);
    if let Some(document) = &rule.document {
        add(hash, "document");
        add(hash, &document.column);
        add(hash, document.table.as_deref().unwrap_or(name));
    }
    all(hash, "cut", &references(&rule.cut));
    all(hash, "follow", &references(&rule.follow));
    for (column, rule) in &rule.columns {
        add(hash, "column");
        add(hash, column);
        add(hash, &rule.to_string());
    }
}

/// A fraction by its threshold: two numbers that choose the same rows are one.
fn rows(rows: Rows) -> String {
    match rows {
        Rows::Fraction(fraction) if fraction == crate::choose::Fraction::ALL => {
            Rows::All.to_string()
        }
        Rows::Fraction(fraction) => format!("below {}", fraction.threshold()),
        other => other.to_string(),
    }
}

fn references(lists: &[Vec<String>]) -> Vec<String> {
    let mut joined: Vec<String> = lists.iter().map(|columns| columns.join("+")).collect();
    joined.sort();
    joined.dedup();
    joined
}

fn all(hash: &mut Sha256, word: &str, texts: &[String]) {
    for text in texts {
        add(hash, word);
        add(hash, text);
    }
}

/// With its length before it, so that no two texts run into each other.
fn add(hash: &mut Sha256, text: &str) {
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    hash.update(length.to_be_bytes());
    hash.update(text.as_bytes());
}
