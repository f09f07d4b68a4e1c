//! A line that common loaders read differently.

use std::collections::BTreeMap;

use ringfence_diagnostic::Span;
use ringfence_dialect::{Dialect, Reading, read};
use ringfence_syntax::dotenv::{Assignment, LineKind, Tree};

use crate::check::Check;
use crate::finding::{Confidence, Finding, Findings, Severity};
use crate::layout::Format;
use crate::survey::{Content, File, Survey};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "ambiguous-value",
    about: "a line that common loaders read differently",
    page: include_str!("../../../../docs/book/src/checks/ambiguous-value.md"),
    severity: Severity::Medium,
    confidence: Confidence::High,
    run,
};

/// A line longer than this is looked at by nobody's eye, and its quoting is a program's.
const LONGEST: usize = 4096;

fn run(survey: &Survey, findings: &mut Findings) {
    let loaders = Loaders::of(survey);
    for file in survey.of_format(Format::Dotenv) {
        if let Content::Dotenv(tree) = &file.content {
            of_file(survey, file, tree, &loaders, findings);
        }
    }
}

/// The loaders that count.
struct Loaders {
    /// For any value.
    all: Vec<Dialect>,
    /// For values with references, which Node's loaders leave as they are: whoever uses those knows, and in a project
    /// that shows no sign of Node nobody does.
    for_references: Vec<Dialect>,
}

impl Loaders {
    fn of(survey: &Survey) -> Self {
        let used = in_use(survey);
        if used.is_empty() {
            let interpolating = |one: &&Dialect| !matches!(one, Dialect::NpmDotenv | Dialect::Node);
            Self {
                all: Dialect::ALL.to_vec(),
                for_references: Dialect::ALL.iter().filter(interpolating).copied().collect(),
            }
        } else {
            Self {
                for_references: used.clone(),
                all: used,
            }
        }
    }
}

/// The loaders that the project's languages use; none where nothing tells.
fn in_use(survey: &Survey) -> Vec<Dialect> {
    let has = |language| survey.languages.contains(language);
    let composed = survey
        .wiring
        .compose
        .iter()
        .any(|compose| !compose.service.env_files.is_empty());
    let sourced = survey.of_format(Format::Script).any(|file| {
        matches!(&file.content, Content::Script(actions) if actions.iter().any(|action| matches!(action.kind, ringfence_syntax::script::Kind::SourceEnvFile { .. })))
    });
    let known = [
        (Dialect::PythonDotenv, has("python")),
        (Dialect::NpmDotenv, has("node")),
        (Dialect::Node, has("node")),
        (Dialect::Compose, composed),
        (Dialect::Dotenvy, has("rust")),
        (Dialect::Bash, sourced),
    ];
    known
        .iter()
        .filter(|(_, used)| *used)
        .map(|(dialect, _)| *dialect)
        .collect()
}

fn of_file(survey: &Survey, file: &File, tree: &Tree, loaders: &Loaders, findings: &mut Findings) {
    let text = survey.sources.text(file.source);
    for line in tree.lines() {
        let LineKind::Assignment(assignment) = &line.kind else {
            continue;
        };
        let written = line.span.of(text);
        if is_plain(assignment, text) || written.len() > LONGEST {
            continue;
        }
        let has_reference = assignment.value.span.of(text).contains('$');
        let dialects = if has_reference {
            &loaders.for_references
        } else {
            &loaders.all
        };
        let readings = readings(&as_given(written), dialects);
        if !agree(&readings) {
            let around = around(line.span, assignment.value.span, text);
            findings.push(finding(survey, file, (assignment, around), &readings));
        }
    }
}

/// A line as loaders are given it. Its end is the file's, not the value's: only a shell takes a carriage return for text; but some
/// loaders look for the end behind a comment.
fn as_given(line: &str) -> String {
    let bare = line.trim_end_matches(['\r', '\n']);
    let end = if line.ends_with('\n') { "\n" } else { "" };
    format!("{bare}{end}")
}

/// Whether the value has nothing in it that any loader treats specially.
fn is_plain(assignment: &Assignment, text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@,+%=".contains(&byte);
    assignment.comment.is_none() && assignment.value.span.of(text).bytes().all(plain)
}

fn readings(line: &str, dialects: &[Dialect]) -> Vec<(Dialect, Reading)> {
    let nothing = BTreeMap::new();
    dialects
        .iter()
        .map(|dialect| (*dialect, read(*dialect, line, &nothing)))
        .collect()
}

fn agree(readings: &[(Dialect, Reading)]) -> bool {
    readings
        .windows(2)
        .all(|pair| matches!(pair, [(_, one), (_, other)] if one == other))
}

fn finding(
    survey: &Survey,
    file: &File,
    (assignment, around): (&Assignment, [String; 2]),
    readings: &[(Dialect, Reading)],
) -> Finding {
    let text = survey.sources.text(file.source);
    let name = assignment.name.of(text);
    let runs = readings
        .iter()
        .any(|(_, reading)| *reading == Reading::RunsCommand);
    let message = if runs {
        format!("`{name}` is a value to some loaders and a command to a shell")
    } else {
        format!("`{name}` has a different value with different loaders")
    };
    let finding = CHECK
        .finding(name, message)
        .at(file.place(assignment.name), in_words(readings))
        .because("the program behaves differently where it is started differently: by Compose, by a shell, by its own loader");
    let intended = file_value(survey, file, assignment.name);
    match intended.and_then(|value| spelling(name, &value, &around)) {
        Some(spelling) => finding
            .help("write the value in quotes that all of them read alike; `ringfence check --fix` does")
            .edit(file.place(assignment.value.span), spelling),
        None if assignment.value.span.of(text).contains("${") => {
            finding.help("write the value out: not every loader resolves references")
        }
        None => finding.help("no spelling of this value is read alike by all; a value without quotes, `$`, `#` and `\\` is"),
    }
}

/// Who agrees with whom, without saying on what.
fn in_words(readings: &[(Dialect, Reading)]) -> String {
    let mut groups: Vec<(&Reading, Vec<&str>)> = Vec::new();
    for (dialect, reading) in readings {
        match groups.iter_mut().find(|(other, _)| *other == reading) {
            Some((_, names)) => names.push(dialect.name()),
            None => groups.push((reading, vec![dialect.name()])),
        }
    }
    let words = groups.iter().map(|(reading, names)| {
        let names = names.join(", ");
        match reading {
            Reading::RunsCommand => format!("{names}: runs a command"),
            Reading::Refused(_) => format!("{names}: refuses"),
            Reading::Variables(values) if values.is_empty() => format!("{names}: nothing"),
            Reading::Variables(values) => {
                let length = values
                    .values()
                    .next()
                    .map_or(0, |value| value.chars().count());
                format!("{names}: {length} characters")
            }
        }
    });
    words.collect::<Vec<_>>().join("; ")
}

/// The value as this project's own grammar reads it, where it holds no reference.
fn file_value(survey: &Survey, file: &File, name: Span) -> Option<String> {
    let entries = &survey.parts_of(file).next()?.entries;
    let index = entries.partition_point(|entry| entry.name_span < name);
    let entry = entries.get(index).filter(|entry| entry.name_span == name)?;
    (!entry.value.contains("${")).then(|| entry.value.clone())
}

/// What stands before and behind a value on its line.
fn around(line: Span, value: Span, text: &str) -> [String; 2] {
    let before = text.get(line.start..value.start).unwrap_or_default();
    let after = text.get(value.end..line.end).unwrap_or_default();
    [before.to_owned(), as_given(after)]
}

/// A spelling that every loader reads as `value`, with what stands around it.
fn spelling(name: &str, value: &str, [before, after]: &[String; 2]) -> Option<String> {
    let candidates = [
        value.to_owned(),
        format!("'{value}'"),
        format!("\"{value}\""),
    ];
    let expected = Reading::Variables(BTreeMap::from([(name.to_owned(), value.to_owned())]));
    candidates.into_iter().find(|candidate| {
        let line = format!("{before}{candidate}{after}");
        readings(&line, &Dialect::ALL)
            .iter()
            .all(|(_, reading)| *reading == expected)
    })
}
