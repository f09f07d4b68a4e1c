//! Holds a TOML document against the definition: unknown keys and wrong types, all at once.

use ringfence_diagnostic::{Diagnostic, Place, SourceId, Span, spelling};
use toml_edit::{Item, TableLike, Value};

use super::definition::{Key, Shape};
use crate::dotenv::template;

/// Everything in `root` that the definition does not allow.
pub(super) fn check(source: SourceId, root: &dyn TableLike, shape: &Shape) -> Vec<Diagnostic> {
    let mut checker = Checker {
        source,
        path: Vec::new(),
        diagnostics: Vec::new(),
    };
    checker.table(root, shape, Span::at(0));
    checker.diagnostics
}

struct Checker {
    source: SourceId,
    path: Vec<String>,
    diagnostics: Vec<Diagnostic>,
}

impl Checker {
    fn item(&mut self, item: &Item, shape: &Shape, key: Span) {
        let span = span_of(item).unwrap_or(key);
        match shape {
            Shape::Any => {}
            Shape::Either(shapes) => self.either(item, shapes, key),
            Shape::PerEnvironment(inner) => match item.as_table_like() {
                Some(table) if table.contains_key("default") || table.contains_key("in") => {
                    self.per_environment(table, inner);
                }
                _ => self.item(item, inner, key),
            },
            Shape::Table(_) | Shape::Map(_) | Shape::Open(..) => match item.as_table_like() {
                Some(table) => self.table(table, shape, span),
                None => self.wrong_type(item, shape, span),
            },
            Shape::List(inner) => match item.as_array() {
                Some(array) => {
                    for value in array {
                        self.item(
                            &Item::Value(value.clone()),
                            inner,
                            value.span().map_or(span, Span::from),
                        );
                    }
                }
                None => self.wrong_type(item, shape, span),
            },
            _ if fits(item, shape) => {}
            _ => self.wrong_type(item, shape, span),
        }
    }

    /// Of several shapes, the one that has the item's TOML type.
    fn either(&mut self, item: &Item, shapes: &'static [Shape], key: Span) {
        let chosen = shapes.iter().find(|shape| same_type(item, shape));
        match chosen {
            Some(shape) => self.item(item, shape, key),
            None => self.wrong_type(item, &Shape::Either(shapes), span_of(item).unwrap_or(key)),
        }
    }

    fn per_environment(&mut self, table: &dyn TableLike, inner: &'static Shape) {
        for (name, item) in table.iter() {
            let key = key_span(table, name);
            match (name, item.as_table_like()) {
                ("default", _) => self.item(item, inner, key),
                ("in", Some(within)) => {
                    for (name, item) in within.iter() {
                        self.item(item, inner, key_span(within, name));
                    }
                }
                ("in", None) => self.wrong_type(item, &Shape::Map(inner), key),
                _ => self.unknown_key(name, key, &["default", "in"]),
            }
        }
    }

    fn table(&mut self, table: &dyn TableLike, shape: &Shape, span: Span) {
        let (keys, rest): (&[Key], Option<&Shape>) = match shape {
            Shape::Table(keys) => (keys, None),
            Shape::Open(keys, rest) => (keys, Some(rest)),
            Shape::Map(rest) => (&[], Some(rest)),
            _ => return,
        };
        for (name, item) in table.iter() {
            let key = key_span(table, name);
            let known = keys
                .iter()
                .find(|key| key.name == name)
                .map(|key| &key.shape)
                .or(rest);
            match known {
                Some(shape) => {
                    self.path.push(name.to_owned());
                    self.item(item, shape, key);
                    self.path.pop();
                }
                None => {
                    let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
                    self.unknown_key(name, key, &names);
                }
            }
        }
        for key in keys
            .iter()
            .filter(|key| key.required && !table.contains_key(key.name))
        {
            self.missing_key(key, span);
        }
    }

    fn unknown_key(&mut self, name: &str, span: Span, known: &[&str]) {
        let diagnostic = Diagnostic::error(
            "unknown-key",
            format!("unknown key `{name}` in {}", self.section()),
        )
        .at(Place::new(self.source, span), "not a key of this table")
        .because("it would be ignored, and what it says would not hold");
        let diagnostic = match spelling::closest(name, known.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("known keys: {}", known.join(", "))),
        };
        self.diagnostics.push(diagnostic);
    }

    fn missing_key(&mut self, key: &Key, span: Span) {
        let diagnostic = Diagnostic::error(
            "missing-key",
            format!("{} has no `{}`", self.section(), key.name),
        )
        .at(Place::new(self.source, Span::at(span.start)), "");
        let diagnostic = match key.shape {
            Shape::Integer(least, _) => diagnostic
                .because("a later version could not tell how the file was meant")
                .help(format!("add `{} = {least}`: {}", key.name, key.about)),
            _ => diagnostic
                .because("it would say nothing")
                .help(format!("add `{} = \"…\"`: {}", key.name, key.about)),
        };
        self.diagnostics.push(diagnostic);
    }

    fn wrong_type(&mut self, item: &Item, shape: &Shape, span: Span) {
        let name = self.path.last().map_or("the value", String::as_str);
        let message = format!("`{name}` in {} must be {}", self.parent(), describe(shape));
        let mut diagnostic = Diagnostic::error("wrong-type", message).at(
            Place::new(self.source, span),
            format!("this is {}", article(item.type_name())),
        );
        if let (Shape::Word(words), Some(typed)) = (shape, item.as_str()) {
            let near = spelling::closest(typed, words.iter().copied());
            diagnostic = match near {
                Some(near) => diagnostic.help(format!("did you mean \"{near}\"?")),
                None => diagnostic.help(format!("write one of: {}", words.join(", "))),
            };
        }
        self.diagnostics
            .push(diagnostic.because("the manifest cannot be followed, so nothing starts"));
    }

    fn section(&self) -> String {
        if self.path.is_empty() {
            "the manifest".to_owned()
        } else {
            format!("`[{}]`", self.path.join("."))
        }
    }

    fn parent(&self) -> String {
        let parent = self.path.split_last().map_or(&[][..], |(_, parent)| parent);
        if parent.is_empty() {
            "the manifest".to_owned()
        } else {
            format!("`[{}]`", parent.join("."))
        }
    }
}

/// Whether a value that is no table or list fits.
fn fits(item: &Item, shape: &Shape) -> bool {
    match shape {
        Shape::Text => item.is_str(),
        Shape::Word(words) => item.as_str().is_some_and(|word| words.contains(&word)),
        Shape::Variable => item.as_str().is_some_and(template::is_name),
        Shape::Flag => item.is_bool(),
        Shape::Integer(least, most) => item
            .as_integer()
            .is_some_and(|number| (*least..=*most).contains(&number)),
        Shape::Scalar => scalar(item),
        _ => false,
    }
}

fn scalar(item: &Item) -> bool {
    match item.as_value() {
        Some(Value::Array(array)) => array
            .iter()
            .all(|value| !matches!(value, Value::Array(_) | Value::InlineTable(_))),
        Some(Value::InlineTable(_)) | None => false,
        Some(_) => true,
    }
}

fn same_type(item: &Item, shape: &Shape) -> bool {
    match shape {
        Shape::Text | Shape::Word(_) | Shape::Variable => item.is_str(),
        Shape::List(_) => item.is_array(),
        Shape::Table(_) | Shape::Map(_) | Shape::Open(..) => item.is_table_like(),
        other => fits(item, other),
    }
}

fn describe(shape: &Shape) -> String {
    match shape {
        Shape::Text => "a string".to_owned(),
        Shape::Word(words) => format!("one of {}", words.join(", ")),
        Shape::Variable => "the name of a variable".to_owned(),
        Shape::Flag => "true or false".to_owned(),
        Shape::Integer(least, most) if least == most => format!("{least}"),
        Shape::Integer(least, most) => format!("a whole number from {least} to {most}"),
        Shape::Scalar => "a string, a number, true, false, or a list of these".to_owned(),
        Shape::List(_) => "a list".to_owned(),
        Shape::Table(_) | Shape::Map(_) | Shape::Open(..) => "a table".to_owned(),
        Shape::PerEnvironment(inner) => describe(inner),
        Shape::Either(shapes) => shapes
            .iter()
            .map(describe)
            .collect::<Vec<_>>()
            .join(", or "),
        Shape::Any => "anything".to_owned(),
    }
}

fn article(type_name: &str) -> String {
    let vowel = type_name.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {type_name}", if vowel { "an" } else { "a" })
}

pub(super) fn span_of(item: &Item) -> Option<Span> {
    item.span().map(Span::from)
}

/// The span of a key; where the parser kept none, the beginning of the file.
pub(super) fn key_span(table: &dyn TableLike, name: &str) -> Span {
    let key = table.key(name).and_then(toml_edit::Key::span);
    key.map_or(Span::at(0), Span::from)
}
