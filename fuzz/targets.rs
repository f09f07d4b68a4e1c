//! What must hold for every input; run by libFuzzer (`fuzz/run`) and, for a short time, by `cargo test`.

use ringfence_diagnostic::render::{Style, human};
use ringfence_diagnostic::{Diagnostic, Sources, Span};
use ringfence_model::document::Documents;
use ringfence_model::host::Host;
use ringfence_model::project::{Parts, Project};
use ringfence_model::resolve::{Inputs, resolve};
use ringfence_syntax::{dotenv, manifest};

/// An `.env` file: every byte is kept, every span lies in the file, every report can be made.
pub(crate) fn dotenv(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut sources = Sources::new();
    let source = sources.add(".env.dev", text.clone());
    let parsed = dotenv::parse(source, bytes);
    assert_eq!(
        parsed.tree.print(bytes),
        bytes,
        "printing gives the input back"
    );
    let mut offset = 0;
    for line in parsed.tree.lines() {
        assert_eq!(line.span.start, offset, "lines tile the file");
        offset = line.span.end;
    }
    for assignment in parsed.tree.assignments() {
        assert!(dotenv::template::is_name(assignment.name.of(&text)));
        drop(assignment.value.pieces(&text));
    }
    let shown = parsed.tree.shown();
    check_shown(&shown, &text);
    if let Some(source) = sources.get_mut(source) {
        source.reveal(shown);
    }
    check_reports(&parsed.diagnostics, &sources);
}

/// A manifest: every span lies in the file, every report can be made.
pub(crate) fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut sources = Sources::new();
    let source = sources.add("ringfence.toml", text);
    let parsed = manifest::parse(source, text);
    check_shown(&parsed.shown, text);
    if let Some(source) = sources.get_mut(source) {
        source.reveal(parsed.shown);
    }
    check_reports(&parsed.diagnostics, &sources);
}

/// A whole project, the manifest and two files separated by form feeds: it resolves, twice to the same.
pub(crate) fn project(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |byte| *byte == b'\x0c');
    let mut next = || parts.next().unwrap_or_default();
    let Ok(text) = std::str::from_utf8(next()) else {
        return;
    };
    let mut sources = Sources::new();
    let source = sources.add("ringfence.toml", text);
    let parsed = manifest::parse(source, text);
    let file_names = [
        ".env",
        ".env.dev",
        ".env.prod",
        "package.json",
        "ringfence.toml",
    ]
    .map(str::to_owned);
    let (project, faults) = Project::assemble(Parts {
        file_names: &file_names,
        manifest: Some((source, &parsed.manifest)),
    });
    check_reports(&faults, &sources);
    let mut documents = Documents::default();
    documents.add(&mut sources, ".env", ".env", next());
    documents.add(&mut sources, ".env.dev", ".env.dev", next());
    let host = Host::from_iter([("HOME", "/home/someone")]);
    let inputs = Inputs {
        project: &project,
        documents: &documents,
        sources: &sources,
        host: &host,
        arguments: &[],
    };
    for environment in &project.environments {
        let one = resolve(inputs, environment);
        let other = resolve(inputs, environment);
        assert_eq!(
            one.diagnostics, other.diagnostics,
            "the same inputs give the same"
        );
        assert!(
            one.settings
                .values()
                .map(|s| &s.value)
                .eq(other.settings.values().map(|s| &s.value))
        );
        check_reports(&one.diagnostics, &sources);
    }
}

/// Spans that may be shown are sorted, do not overlap and lie on characters.
fn check_shown(shown: &[Span], text: &str) {
    let mut offset = 0;
    for span in shown {
        assert!(
            span.start >= offset
                && span.end >= span.start
                && text.get(span.start..span.end).is_some()
        );
        offset = span.end;
    }
}

fn check_reports(diagnostics: &[Diagnostic], sources: &Sources) {
    const SOME: usize = 20;
    for diagnostic in diagnostics.iter().take(SOME) {
        assert!(!human(diagnostic, sources, Style::default()).is_empty());
    }
}
