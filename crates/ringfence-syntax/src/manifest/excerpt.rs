//! Which parts of a manifest an excerpt may show: everything but what could be the value of a setting.

use ringfence_diagnostic::Span;
use toml_edit::{Item, TableLike};

use super::validate::span_of;

/// Attributes of a setting that say something about its value without holding it.
const HARMLESS: &[&str] = &[
    "type", "values", "secret", "distinct", "required", "from", "as",
];

/// For a file that could be read: all of it but the values in `[settings]`.
pub(super) fn of_table(root: &dyn TableLike, length: usize) -> Vec<Span> {
    let mut hidden = Vec::new();
    let settings = root.get("settings").and_then(Item::as_table_like);
    for (_, setting) in settings.iter().flat_map(|table| table.iter()) {
        hide(setting, &mut hidden);
    }
    hidden.sort_unstable();
    let mut shown = Vec::with_capacity(hidden.len() + 1);
    let mut offset = 0;
    for span in hidden {
        shown.push(Span::new(offset, span.start.max(offset)));
        offset = span.end.max(offset);
    }
    shown.push(Span::new(offset, length));
    shown
}

fn hide(item: &Item, hidden: &mut Vec<Span>) {
    match item.as_table_like() {
        Some(table) => {
            for (name, item) in table.iter().filter(|(name, _)| !HARMLESS.contains(name)) {
                match (name, item.as_table_like()) {
                    ("in", Some(within)) => within
                        .iter()
                        .for_each(|(_, item)| hidden.extend(span_of(item))),
                    _ => hidden.extend(span_of(item)),
                }
            }
        }
        None => hidden.extend(span_of(item)),
    }
}

/// For a file that is no TOML: of each line what stands before its first `=`, and headers.
pub(super) fn of_lines(text: &str) -> Vec<Span> {
    let mut offset = 0;
    let mut shown = Vec::new();
    for line in text.split_inclusive('\n') {
        let length = match line.find('=') {
            Some(equals) => equals + 1,
            None if line.trim_start().starts_with('[') => line.len(),
            None => 0,
        };
        shown.push(Span::new(offset, offset + length));
        offset += line.len();
    }
    shown
}
