//! For people: source excerpts, several files in one report, consequence, help.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::without_controls;
use crate::diagnostic::{Diagnostic, Label, Severity};
use crate::source::{Source, Sources};
use crate::span::{SourceId, Span};

/// How the text is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether ANSI colour is used; it never carries meaning alone.
    pub colour: bool,
    /// Columns to wrap at.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            colour: false,
            width: 120,
        }
    }
}

/// One report, without a line end at its end.
#[must_use]
pub fn human(diagnostic: &Diagnostic, sources: &Sources, style: Style) -> String {
    report(diagnostic, level(diagnostic), sources, style)
}

/// The same, with a severity's own name in the place of `error` or `warning`.
#[must_use]
pub fn human_ranked(
    diagnostic: &Diagnostic,
    severity: &'static str,
    sources: &Sources,
    style: Style,
) -> String {
    let level = level(diagnostic).with_name(severity);
    report(diagnostic, level, sources, style)
}

fn level(diagnostic: &Diagnostic) -> Level<'static> {
    match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    }
}

fn report(
    diagnostic: &Diagnostic,
    level: Level<'static>,
    sources: &Sources,
    style: Style,
) -> String {
    let renderer = if style.colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let renderer = renderer
        .term_width(style.width)
        .decor_style(DecorStyle::Ascii);
    let title = level
        .primary_title(without_controls(&diagnostic.message))
        .id(diagnostic.code);
    let mut group = Group::with_title(title);
    for (source, labels) in by_source(diagnostic, sources) {
        group = group.elements(snippets(source, &labels, diagnostic.labels.first()));
    }
    if let Some(consequence) = &diagnostic.consequence {
        group = group.element(
            Level::NOTE
                .with_name("so")
                .message(without_controls(consequence)),
        );
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(without_controls(help)));
    }
    renderer.render(&[group])
}

/// The labels of each source together, sources in the order of their first label.
fn by_source<'a>(
    diagnostic: &'a Diagnostic,
    sources: &'a Sources,
) -> Vec<(&'a Source, Vec<&'a Label>)> {
    let mut grouped: Vec<(SourceId, Vec<&Label>)> = Vec::new();
    for label in &diagnostic.labels {
        let id = label.place.source;
        match grouped.iter_mut().find(|(other, _)| *other == id) {
            Some((_, labels)) => labels.push(label),
            None => grouped.push((id, vec![label])),
        }
    }
    grouped
        .into_iter()
        .filter_map(|(id, labels)| Some((sources.get(id)?, labels)))
        .collect()
}

/// Two labels of one file further apart than this many lines get an excerpt each, so that no excerpt grows with the file.
const LINES_TOGETHER: usize = 50;

fn snippets<'a>(
    source: &'a Source,
    labels: &[&'a Label],
    first: Option<&Label>,
) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let mut sorted = labels.to_vec();
    sorted.sort_by_key(|label| label.place.span);
    let mut windows: Vec<Vec<&Label>> = Vec::new();
    for label in sorted {
        let line = source.position(label.place.span.start).line;
        let near = windows
            .last()
            .and_then(|window| window.last())
            .is_some_and(|previous| {
                line.saturating_sub(source.position(previous.place.span.end).line) <= LINES_TOGETHER
            });
        match windows.last_mut().filter(|_| near) {
            Some(window) => window.push(label),
            None => windows.push(vec![label]),
        }
    }
    // The excerpt of the place to go to comes first.
    windows.sort_by_key(|window| !window.iter().any(|label| Some(*label) == first));
    windows
        .into_iter()
        .map(|window| snippet(source, &window, first))
        .collect()
}

fn snippet<'a>(
    source: &'a Source,
    labels: &[&'a Label],
    first: Option<&Label>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let spans: Vec<Span> = labels.iter().map(|label| label.place.span).collect();
    let start = spans.iter().map(|span| span.start).min().unwrap_or(0);
    let end = spans.iter().map(|span| span.end).max().unwrap_or(start);
    let window = source.lines_of(Span::new(start, end));
    let (text, moved) = source.excerpt(window, &spans);
    let annotations: Vec<_> = labels
        .iter()
        .zip(moved)
        .map(|(label, span)| {
            let kind = if Some(*label) == first {
                AnnotationKind::Primary
            } else {
                AnnotationKind::Context
            };
            let annotation = kind.span(span.start..span.end);
            if label.text.is_empty() {
                annotation
            } else {
                annotation.label(without_controls(&label.text))
            }
        })
        .collect();
    Snippet::source(text)
        .line_start(source.position(window.start).line)
        .path(without_controls(source.name()))
        .annotations(annotations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Place;

    #[test]
    fn shows_places_in_several_files_and_no_value() {
        let mut sources = Sources::new();
        let dev = sources.add(
            ".env.dev",
            "# shared\nDB_URL=postgres://localhost/app\nAPI_KEY=hunter2\n",
        );
        let prod = sources.add(".env.prod", "API_KEY=hunter2\n");
        sources
            .get_mut(dev)
            .unwrap()
            .reveal(vec![Span::new(9, 16), Span::new(41, 49)]);
        sources.get_mut(prod).unwrap().reveal(vec![Span::new(0, 8)]);
        let diagnostic =
            Diagnostic::error("not-distinct", "`API_KEY` is the same in `dev` and `prod`")
                .at(Place::new(prod, Span::new(0, 7)), "in `prod`")
                .at(Place::new(dev, Span::new(41, 48)), "in `dev`")
                .because("a leak in one is a leak in both")
                .help("issue a key of its own for `dev`");
        insta::assert_snapshot!(human(&diagnostic, &sources, Style::default()), @r"
        error[not-distinct]: `API_KEY` is the same in `dev` and `prod`
         --> .env.prod:1:1
          |
        1 | API_KEY=…
          | ^^^^^^^ in `prod`
          |
         ::: .env.dev:3:1
          |
        3 | API_KEY=…
          | ------- in `dev`
          |
          = so: a leak in one is a leak in both
          = help: issue a key of its own for `dev`
        ");
    }

    #[test]
    fn a_message_cannot_move_the_cursor() {
        let diagnostic = Diagnostic::error("x", "`\x1b]0;title\x07`").help("\x1b[2J");
        let text = human(&diagnostic, &Sources::new(), Style::default());
        assert!(!text.contains(['\x1b', '\x07']), "{text:?}");
    }

    #[test]
    fn a_fault_in_no_file_is_one_line_with_help() {
        let diagnostic = Diagnostic::error("unknown-environment", "`prodution` is no environment")
            .help("use `prod`");
        insta::assert_snapshot!(human(&diagnostic, &Sources::new(), Style::default()), @r"
        error[unknown-environment]: `prodution` is no environment
         |
         = help: use `prod`
        ");
    }
}
