//! What `--fix` writes: the edits of findings, applied to the files' texts.

use std::collections::BTreeMap;

use ringfence_diagnostic::{SourceId, Sources};

use crate::finding::{Edit, Finding};

/// A file's new text.
#[derive(Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The file.
    pub source: SourceId,
    /// Its text with the edits in it; every other byte is as it was.
    pub text: String,
    /// How many edits were made.
    pub edits: usize,
}

/// Applies the edits of `findings`. Of two that overlap, the first in the file counts; the other is found again next time.
#[must_use]
pub fn apply(findings: &[Finding], sources: &Sources) -> Vec<Fixed> {
    let mut by_source: BTreeMap<SourceId, Vec<&Edit>> = BTreeMap::new();
    for edit in findings.iter().flat_map(|finding| &finding.edits) {
        by_source.entry(edit.place.source).or_default().push(edit);
    }
    let fixed = by_source.into_iter().filter_map(|(source, mut edits)| {
        edits.sort_by_key(|edit| edit.place.span);
        edits.dedup();
        let (text, count) = edited(sources.text(source), &edits)?;
        Some(Fixed {
            source,
            text,
            edits: count,
        })
    });
    fixed.collect()
}

fn edited(text: &str, edits: &[&Edit]) -> Option<(String, usize)> {
    let mut result = String::with_capacity(text.len());
    let (mut done, mut count) = (0, 0);
    for edit in edits {
        let span = edit.place.span;
        if span.start < done {
            continue;
        }
        result.push_str(text.get(done..span.start)?);
        result.push_str(&edit.replacement);
        done = span.end;
        count += 1;
    }
    result.push_str(text.get(done..)?);
    (count > 0).then_some((result, count))
}

#[cfg(test)]
mod tests {
    use ringfence_diagnostic::{Place, Span};

    use super::*;
    use crate::checks::REGISTRY;

    #[test]
    fn edits_leave_every_other_byte_alone() {
        let mut sources = Sources::new();
        let source = sources.add(".env", "# é\r\nA=b c # why\r\nB=1");
        let place = |start, end| Place::new(source, Span::new(start, end));
        let finding = REGISTRY[0].finding("A", "x");
        let findings = [finding
            .edit(place(8, 11), "'b c'")
            .edit(place(9, 10), "lost")
            .edit(place(22, 22), "\n")];
        let fixed = apply(&findings, &sources);
        assert_eq!(fixed[0].text, "# é\r\nA='b c' # why\r\nB=1\n");
        assert_eq!(fixed[0].edits, 2);
    }
}
