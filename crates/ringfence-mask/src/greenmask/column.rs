//! One column's rule as one transformer.

use super::quoted;
use crate::rule::{
    AddressPart, DateChange, DatePart, Masker, NamePart, NumberChange, PhoneRange, Piece, Rule,
};
use crate::schema::{Column, Kind};

/// A transformer with its parameters, each already in YAML.
pub(super) struct Transformer {
    name: &'static str,
    parameters: Vec<(&'static str, String)>,
    pub(super) note: Option<&'static str>,
}

impl Transformer {
    fn new(name: &'static str, column: &Column) -> Self {
        Self {
            name,
            parameters: vec![("column", quoted(&column.name))],
            note: None,
        }
    }

    fn with(mut self, parameter: &'static str, value: String) -> Self {
        self.parameters.push((parameter, value));
        self
    }

    fn hashed(self) -> Self {
        self.with("engine", quoted("hash"))
    }

    fn noting(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("        - name: {}\n          params:\n", quoted(self.name));
        for (name, value) in &self.parameters {
            text.push_str(&format!("            {name}: {value}\n"));
        }
        text
    }
}

type Result = std::result::Result<Option<Transformer>, &'static str>;

/// The transformer of a column; none where it is kept. The error is why it cannot be said.
pub(super) fn transformer(column: &Column, rule: Option<&Rule>) -> Result {
    let masker = match rule {
        Some(rule) => &rule.masker,
        None if column.nullable => &Masker::Null,
        None => {
            return Err("no rule covers it, and it may not be null: give it a rule");
        }
    };
    let new = |name| Transformer::new(name, column);
    Ok(Some(match masker {
        Masker::Keep => return Ok(None),
        Masker::Null => new("SetNull"),
        Masker::Email => new("RandomEmail")
            .with("keep_original_domain", "false".to_owned())
            .with("domains", list(&["example.invalid"]))
            .with("max_random_length", "16".to_owned())
            .with("keep_null", "true".to_owned())
            .hashed(),
        Masker::Hash { length } => return hash(column, *length),
        Masker::Uuid => new("RandomUuid").hashed(),
        Masker::Name { part, .. } => person(
            column,
            match part {
                NamePart::Full => "{{ .FirstName }} {{ .LastName }}",
                NamePart::First => "{{ .FirstName }}",
                NamePart::Last => "{{ .LastName }}",
            },
        )
        .noting("names are English, whatever language the rule says"),
        Masker::Phone(range) => choice(column, &numbers(*range)).noting(
            "telephone numbers are picked from 100 of the range: more values than that repeat",
        ),
        Masker::Address(part) => address(column, *part),
        Masker::Text { .. } if column.kind == Kind::Json => replace(column, "{}"),
        Masker::Text { .. } => replace(column, "lorem ipsum dolor sit amet")
            .noting("free text becomes one and the same sentence"),
        Masker::Number(change) => return number(column, *change),
        Masker::Date(change) => date(column, change),
        Masker::Choice(words) => choice(column, words),
        Masker::Template(template) => match template.pieces.as_slice() {
            [Piece::Literal(text)] => replace(column, text),
            _ => string(column, 16, LETTERS)
                .noting("templates with places become letters and digits"),
        },
    }))
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz234567";

fn string(column: &Column, length: u32, symbols: &str) -> Transformer {
    let length = column
        .kind
        .limit()
        .map_or(length, |limit| limit.min(length));
    Transformer::new("RandomString", column)
        .with("min_length", length.to_string())
        .with("max_length", length.to_string())
        .with("symbols", quoted(symbols))
        .hashed()
}

fn replace(column: &Column, text: &str) -> Transformer {
    let limit = column.kind.limit().unwrap_or(u32::MAX);
    let text: String = text
        .chars()
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
        .collect();
    Transformer::new("Replace", column)
        .with("value", quoted(&text))
        .with("keep_null", "true".to_owned())
}

fn choice<T: AsRef<str>>(column: &Column, words: &[T]) -> Transformer {
    Transformer::new("RandomChoice", column)
        .with("values", list(words))
        .hashed()
}

fn list<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word.as_ref())).collect();
    format!("[{}]", words.join(", "))
}

/// `RandomPerson` takes its columns as a list.
fn person(column: &Column, template: &str) -> Transformer {
    let entry = format!(
        "[{{\"name\": {}, \"template\": {}, \"keep_null\": true}}]",
        quoted(&column.name),
        quoted(template)
    );
    Transformer {
        name: "RandomPerson",
        parameters: vec![("columns", entry)],
        note: None,
    }
    .hashed()
}

fn address(column: &Column, part: AddressPart) -> Transformer {
    match part {
        AddressPart::Full => person(column, "1 {{ .LastName }} Road, 00000 {{ .LastName }}ville"),
        AddressPart::Street => person(column, "1 {{ .LastName }} Road"),
        AddressPart::City => person(column, "{{ .LastName }}ville"),
        AddressPart::Postcode => {
            let codes: Vec<String> = (0..100).map(|code| format!("{code:05}")).collect();
            choice(column, &codes)
        }
    }
}

/// A hundred numbers of a range.
fn numbers(range: PhoneRange) -> Vec<String> {
    let number = |at: u32| match range {
        PhoneRange::Us => format!("+121255501{at:02}"),
        PhoneRange::Uk => format!("+447700900{at:03}"),
        PhoneRange::De => format!("+493023125{at:03}"),
        PhoneRange::Fr => format!("+3363998{at:04}"),
        PhoneRange::Se => format!("+46701740{}", 605 + at % 95),
        PhoneRange::Any => format!("+999{at:012}"),
    };
    (0..100).map(number).collect()
}

fn hash(column: &Column, length: u8) -> Result {
    Ok(Some(match column.kind {
        Kind::Text { .. } => string(column, u32::from(length), LETTERS),
        Kind::Integer(_) => integer(column, 0, largest(column)),
        Kind::Uuid => Transformer::new("RandomUuid", column).hashed(),
        Kind::Json => replace(column, "\"\""),
        _ => {
            return Err("`hash` of this type cannot be said: use `null` or `keep`");
        }
    }))
}

/// The largest that fits both the type and Greenmask's 64 bits.
fn largest(column: &Column) -> i64 {
    i64::try_from(column.kind.largest()).unwrap_or(i64::MAX)
}

fn integer(column: &Column, low: i64, high: i64) -> Transformer {
    Transformer::new("RandomInt", column)
        .with("min", low.to_string())
        .with("max", high.to_string())
        .hashed()
}

fn number(column: &Column, change: NumberChange) -> Result {
    let noise = |share: u16| format!("{}.{:03}", share / 1000, share % 1000);
    let noisy = |name, share| {
        Transformer::new(name, column)
            .with("min_ratio", "0.001".to_owned())
            .with("max_ratio", noise(share))
            .hashed()
    };
    Ok(Some(match (change, &column.kind) {
        (NumberChange::Card, Kind::Text { .. }) => {
            string(column, 16, "0123456789").noting("card numbers have no valid check digit")
        }
        (NumberChange::Digits, Kind::Text { .. }) => string(column, 12, "0123456789")
            .noting("numbers in texts become digits, whatever their shape"),
        (NumberChange::Range(low, high), Kind::Integer(_)) => integer(column, low, high),
        (NumberChange::Digits, Kind::Integer(_)) => integer(column, 0, largest(column))
            .noting("whole numbers go anywhere in their type, whatever their length"),
        (NumberChange::Noise(share), Kind::Integer(_)) => noisy("NoiseInt", share),
        (NumberChange::Noise(share), Kind::Real) => noisy("NoiseFloat", share),
        (NumberChange::Digits, Kind::Real) => noisy("NoiseFloat", 500)
            .noting("other numbers are moved by up to a half instead of drawn anew"),
        (NumberChange::Range(low, high), Kind::Real) => Transformer::new("RandomFloat", column)
            .with("min", low.to_string())
            .with("max", high.to_string())
            .hashed(),
        (NumberChange::Range(low, high), Kind::Decimal { scale, .. }) => {
            Transformer::new("RandomNumeric", column)
                .with("min", low.to_string())
                .with("max", high.to_string())
                .with("decimal", scale.unwrap_or(0).to_string())
                .hashed()
        }
        // How many digits stand after the point is not said: its pages and its source have two names for that, and the column rounds.
        (NumberChange::Noise(share), Kind::Decimal { .. }) => noisy("NoiseNumeric", share),
        (NumberChange::Digits, Kind::Decimal { .. }) => noisy("NoiseNumeric", 500)
            .noting("other numbers are moved by up to a half instead of drawn anew"),
        _ => {
            return Err("this change of this type cannot be said: use `null` or `keep`");
        }
    }))
}

fn date(column: &Column, change: &DateChange) -> Transformer {
    let noise = |most: String| {
        Transformer::new("NoiseDate", column)
            .with("max_ratio", quoted(&most))
            .hashed()
    };
    match change {
        DateChange::Shift { days, .. } => noise(format!("{days} days")).noting(
            "dates move by their own value, so that intervals of a row or a subject change",
        ),
        DateChange::Cut(part) => noise("1 second".to_owned())
            .with(
                "truncate",
                quoted(match part {
                    DatePart::Year => "year",
                    DatePart::Month => "month",
                    DatePart::Day => "day",
                }),
            )
            .noting("dates are moved by up to a second before they are cut"),
    }
}
