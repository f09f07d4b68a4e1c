//! For GitHub's pages: one workflow command per diagnostic
//! (<https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>).

use super::without_controls;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Sources;

/// One line, without a line end at its end: an annotation at the place to go to, the others in its text.
#[must_use]
pub fn github(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let command = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = vec![format!("title={}", property(diagnostic.code))];
    let first = diagnostic.labels.first();
    if let Some((label, source)) =
        first.and_then(|label| Some((label, sources.get(label.place.source)?)))
    {
        let start = source.position(label.place.span.start);
        let end = source.position(label.place.span.end);
        properties.push(format!("file={}", property(source.name())));
        properties.push(format!("line={}", start.line));
        properties.push(format!("endLine={}", end.line));
        properties.push(format!("col={}", start.column));
    }
    let mut lines = vec![diagnostic.message.clone()];
    let others = diagnostic.labels.iter().skip(1);
    lines.extend(others.map(|label| format!("{}: {}", sources.locate(label.place), label.text)));
    lines.extend(diagnostic.consequence.clone());
    lines.extend(diagnostic.help.iter().map(|help| format!("help: {help}")));
    let text = lines.join("\n");
    format!(
        "::{command} {}::{}",
        properties.join(","),
        data(&without_controls(&text))
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{Place, Span};

    #[test]
    fn an_annotation_is_one_line_whatever_is_in_it() {
        let mut sources = Sources::new();
        let source = sources.add("a,b/.env:1", "X=1\nY=2\n");
        let diagnostic = Diagnostic::warning("some-check", "50% `X`\nis wrong")
            .at(Place::new(source, Span::new(4, 5)), "here")
            .at(Place::new(source, Span::new(0, 1)), "there")
            .because("it breaks")
            .help("mend it");
        insta::assert_snapshot!(github(&diagnostic, &sources), @"::warning title=some-check,file=a%2Cb/.env%3A1,line=2,endLine=2,col=1::50%25 `X`%0Ais wrong%0Aa,b/.env:1:1:1: there%0Ait breaks%0Ahelp: mend it");
    }
}
