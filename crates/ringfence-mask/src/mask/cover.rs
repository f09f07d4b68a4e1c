//! Whether the rules cover what travels, and can be carried out.

use thiserror::Error;

use super::form::{Distinct, Form, Unfit};
use crate::rule::{DateChange, Masker, Rule, Rules, TableRule};
use crate::schema::{Column, ForeignKey, Kind, Table};

/// Rules that cannot be carried out.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{table}.{column}` {problem}")]
pub struct CoverError {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a column and its rule.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Problem {
    /// A rule for nothing.
    #[error("has a rule, but there is no such column")]
    Unknown,
    /// A rule for what the store computes.
    #[error("has a rule, but the store computes it from other columns: take the rule away")]
    Generated,
    /// It would be null and must not be.
    #[error("must have a value, and no rule covers it: give it a rule, such as `{suggestion}`")]
    Uncovered {
        /// A rule that writes its type.
        suggestion: &'static str,
    },
    /// A vector that would be missing.
    #[error(
        "must have a vector: say under `vectors` what it is made of, or `keep` it where its texts are public"
    )]
    Vector,
    /// A vector that tells what its text no longer does.
    #[error(
        "is kept, and `{masked}` is masked: a vector can be turned back into its text; say under `vectors` what it is made of, or keep both"
    )]
    Exposed {
        /// The column of texts.
        masked: String,
    },
    /// The rule says null.
    #[error(
        "must have a value, and its rule is `null`: give it another rule, such as `{suggestion}`"
    )]
    Null {
        /// A rule that writes its type.
        suggestion: &'static str,
    },
    /// The masker writes other types.
    #[error("has a type that masker `{masker}` does not write: expected {expected}")]
    Type {
        /// The masker.
        masker: &'static str,
        /// What would do.
        expected: &'static str,
    },
    /// The column's limit is below what the masker needs.
    #[error(
        "is too short for masker `{masker}`, which needs {least} characters: use `hash`, `choice` or `null`"
    )]
    Short {
        /// The masker.
        masker: &'static str,
        /// How many it needs.
        least: usize,
    },
    /// A word of a choice does not fit.
    #[error("cannot hold `{word}`, which its rule `choice` may write")]
    Word {
        /// The word.
        word: String,
    },
    /// It has to be unique.
    #[error(
        "is unique, and masker `{masker}` gives different values the same result: use `keep`, `hash`, `uuid`, `email` or `number`"
    )]
    Unique {
        /// The masker.
        masker: &'static str,
    },
    /// A shift has nothing to follow.
    #[error("is shifted {}: name a column with `date:shift 90 by COLUMN`", subject(.column.as_deref()))]
    Subject {
        /// The column that is not there.
        column: Option<String>,
    },
    /// It says which table a link points to.
    #[error("says which table a link points to, and would be changed: its rule must be `keep`")]
    Kept,
    /// A reference would point nowhere.
    #[error(
        "points to `{parent}.{referenced}`, which has another rule or type ({theirs}, here {own}): joins would be lost; give both the same rule"
    )]
    Parted {
        /// The table pointed to.
        parent: String,
        /// The column pointed to.
        referenced: String,
        /// What holds there.
        theirs: String,
        /// What holds here.
        own: String,
    },
}

fn subject(column: Option<&str>) -> String {
    match column {
        Some(column) => format!("by `{column}`, which the table does not have"),
        None => "by its row, and the table has no primary key".to_owned(),
    }
}

/// Whether a rule can be carried out on a column of a table.
#[must_use]
pub fn fits(table: &Table, column: &Column, rule: &Rule) -> bool {
    unfit(table, column, rule).is_none()
}

/// Everything that is wrong.
pub(super) fn check(tables: &[&Table], rules: &Rules) -> Vec<CoverError> {
    let mut errors = Vec::new();
    for table in tables {
        let rule = rules.table(&table.name);
        check_table(table, &rule, &mut errors);
        for reference in &table.foreign_keys {
            let parent = tables.iter().find(|other| other.name == reference.parent);
            if let Some(parent) = parent.filter(|_| !is_cut(table, &rule, reference)) {
                check_reference((table, &rule), reference, (parent, rules), &mut errors);
            }
        }
        check_links(table, &rule, (tables, rules), &mut errors);
    }
    errors
}

/// A link keeps to the same rules as any reference, and the word that says which table is meant has to be the same below.
fn check_links(
    table: &Table,
    rule: &TableRule,
    (tables, rules): (&[&Table], &Rules),
    errors: &mut Vec<CoverError>,
) {
    for link in &rule.links {
        let Some(parent) = tables.iter().find(|other| other.name == link.parent) else {
            continue;
        };
        let referenced = match link.referenced.as_slice() {
            [] => parent.primary_key.clone(),
            _ => link.referenced.clone(),
        };
        let reference = ForeignKey {
            columns: link.columns.clone(),
            parent: link.parent.clone(),
            referenced,
            deferrable: true,
        };
        if is_cut(table, rule, &reference) {
            continue;
        }
        check_reference((table, rule), &reference, (parent, rules), errors);
        let word = link.when.as_ref().and_then(|when| {
            let masker = &rule.columns.get(&when.column)?.masker;
            (!matches!(masker, Masker::Keep | Masker::Null)).then_some(when)
        });
        if let Some(when) = word {
            errors.push(CoverError {
                table: table.name.clone(),
                column: when.column.clone(),
                problem: Problem::Kept,
            });
        }
    }
}

fn is_cut(table: &Table, rule: &TableRule, reference: &ForeignKey) -> bool {
    // A key with a column that becomes null points nowhere, and may.
    let null = |name: &String| match rule.columns.get(name) {
        Some(rule) => rule.masker == Masker::Null,
        None => table.column(name).is_some_and(|column| !column.default),
    };
    rule.cut.contains(&reference.columns) || reference.columns.iter().any(null)
}

fn check_table(table: &Table, rule: &TableRule, errors: &mut Vec<CoverError>) {
    let mut found = |column: &str, problem| {
        errors.push(CoverError {
            table: table.name.clone(),
            column: column.to_owned(),
            problem,
        });
    };
    for name in rule.columns.keys() {
        if table.column(name).is_none() {
            found(name, Problem::Unknown);
        }
    }
    let exposed = exposed(table, rule);
    for column in &table.columns {
        match rule.columns.get(&column.name) {
            Some(Rule {
                masker: Masker::Keep,
                ..
            }) if column.kind == Kind::Vector && exposed.is_some() => {
                let masked = exposed.map(|column| column.name.clone());
                let masked = masked.unwrap_or_default();
                found(&column.name, Problem::Exposed { masked });
            }
            None if column.nullable || column.default || column.generated => {}
            None if rule.remade.contains(&column.name) => {}
            None if column.kind == Kind::Vector => found(&column.name, Problem::Vector),
            None => found(&column.name, uncovered(column)),
            Some(rule) => {
                if let Some(problem) = unfit(table, column, rule) {
                    found(&column.name, problem);
                }
            }
        }
    }
}

/// A table's free text that is masked, where none of its texts stays: what a vector that is kept beside it would tell.
fn exposed<'t>(table: &'t Table, rule: &TableRule) -> Option<&'t Column> {
    let masker = |column: &Column| rule.columns.get(&column.name).map(|rule| &rule.masker);
    let mut texts = table
        .columns
        .iter()
        .filter(|column| matches!(column.kind, Kind::Text { .. } | Kind::Json));
    if texts
        .clone()
        .any(|column| masker(column) == Some(&Masker::Keep))
    {
        return None;
    }
    texts.find(|column| matches!(masker(column), Some(Masker::Text { .. })))
}

fn uncovered(column: &Column) -> Problem {
    Problem::Uncovered {
        suggestion: crate::rule::fitting(&column.kind),
    }
}

fn unfit(table: &Table, column: &Column, rule: &Rule) -> Option<Problem> {
    let masker = rule.masker.word();
    if column.generated {
        return Some(Problem::Generated);
    }
    if rule.masker == Masker::Null && !column.nullable {
        return Some(Problem::Null {
            suggestion: crate::rule::fitting(&column.kind),
        });
    }
    let form = match Form::of(&rule.masker, &column.kind) {
        Ok(form) => form,
        Err(Unfit::Kind(expected)) => return Some(Problem::Type { masker, expected }),
        Err(Unfit::Short(least)) => return Some(Problem::Short { masker, least }),
        Err(Unfit::Word(word)) => return Some(Problem::Word { word }),
    };
    if table.is_unique(&column.name) && form.distinct(&rule.masker) == Distinct::Never {
        return Some(Problem::Unique { masker });
    }
    match &rule.masker {
        Masker::Date(DateChange::Shift { subject, .. }) => shiftable(table, subject.as_deref()),
        _ => None,
    }
}

fn shiftable(table: &Table, subject: Option<&str>) -> Option<Problem> {
    let found = match subject {
        Some(column) => table.column(column).is_some(),
        None => !table.primary_key.is_empty(),
    };
    (!found).then(|| Problem::Subject {
        column: subject.map(str::to_owned),
    })
}

fn check_reference(
    (table, rule): (&Table, &TableRule),
    reference: &ForeignKey,
    (parent, rules): (&Table, &Rules),
    errors: &mut Vec<CoverError>,
) {
    let parents = rules.table(&parent.name);
    for (own, referenced) in reference.columns.iter().zip(&reference.referenced) {
        let here = said(table, rule, own);
        let there = said(parent, &parents, referenced);
        if here != there {
            errors.push(CoverError {
                table: table.name.clone(),
                column: own.clone(),
                problem: Problem::Parted {
                    parent: parent.name.clone(),
                    referenced: referenced.clone(),
                    theirs: there.0,
                    own: here.0,
                },
            });
        }
    }
}

/// A column's rule, and the form that is written.
fn said(table: &Table, rule: &TableRule, column: &str) -> (String, Option<Form>) {
    let Some(rule) = rule.columns.get(column) else {
        return ("no rule".to_owned(), None);
    };
    let kind = table.column(column).map(|column| &column.kind);
    let form = kind.and_then(|kind| Form::of(&rule.masker, kind).ok());
    (format!("`{rule}`"), form)
}
