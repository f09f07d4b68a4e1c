//! Real configuration of public projects, where it lies beside this one: `../shared/corpus`.
//!
//! Every finding on it is listed in `testdata/corpus-findings.tsv` with the reason why it is right; the test fails on a
//! finding that is not listed and on a line that is not found. What a good check must say is in the corpus's own
//! `EXPECTED.tsv`. A clone without the corpus passes, unless `RINGFENCE_TEST_REQUIRES` names it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests, outside of any test function; what is not compared is said"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ringfence_diagnostic::Sources;
use ringfence_lint::checks;
use ringfence_lint::survey::{Input, RawFile, Survey, is_looked_at};

fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    #[expect(
        clippy::disallowed_methods,
        reason = "what this machine must support is said in a variable"
    )]
    let required = std::env::var("RINGFENCE_TEST_REQUIRES").ok();
    let is_required = required.is_some_and(|list| list.split(',').any(|one| one == "corpus"));
    assert!(
        path.is_dir() || !is_required,
        "the corpus is not at {}",
        path.display()
    );
    if !path.is_dir() {
        eprintln!("the corpus is not beside the project: nothing is compared");
        return None;
    }
    Some(path)
}

/// The files of a project, `gitignore.txt` under its real name.
fn files(root: &Path) -> Vec<RawFile> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            let name = name.replace("gitignore.txt", ".gitignore");
            if is_looked_at(&name) {
                let text = Ok(fs::read_to_string(&path).unwrap());
                files.push(RawFile { path: name, text });
            }
        }
    }
    files
}

/// A finding as the list writes it: project, check, all its places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    project: String,
    check: String,
    places: String,
}

fn findings(corpus: &Path) -> BTreeSet<Line> {
    let mut lines = BTreeSet::new();
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let input = Input {
            files: files(&path),
            ..Input::default()
        };
        let survey = Survey::of(input, Sources::new());
        for finding in checks::run(&survey) {
            let places = finding
                .labels
                .iter()
                .map(|label| survey.sources.locate(label.place));
            lines.insert(Line {
                project: path.file_name().unwrap().to_str().unwrap().to_owned(),
                check: finding.check.to_owned(),
                places: places.collect::<Vec<_>>().join(" "),
            });
        }
    }
    lines
}

#[test]
fn every_finding_is_defended() {
    let Some(corpus) = corpus() else {
        return;
    };
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/corpus-findings.tsv");
    let text = fs::read_to_string(list).unwrap();
    let mut listed = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [project, check, places, reason] = cells[..] else {
            panic!("{line:?} has no four cells");
        };
        assert!(reason.len() > 20, "{line:?} gives no reason");
        listed.insert(Line {
            project: project.to_owned(),
            check: check.to_owned(),
            places: places.to_owned(),
        });
    }
    let found = findings(&corpus);
    let new: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(new.is_empty(), "found, and not defended: {new:#?}");
    assert!(gone.is_empty(), "defended, and not found: {gone:#?}");
}

/// What each row of `EXPECTED.tsv` that the files alone can show is called here: its class, the check, and the file that
/// the finding must point to.
const EXPECTED: &[(&str, &str, &str)] = &[
    (
        "base-secret-inherited-by-prod",
        "production-inherits-default",
        "configuration/base.yaml:4:",
    ),
    (
        "base-secret-inherited-by-prod",
        "production-inherits-default",
        "configuration/base.yaml:15:",
    ),
    (
        "base-endpoint-inherited-by-prod",
        "production-inherits-default",
        "configuration/base.yaml:17:",
    ),
    (
        "base-endpoint-inherited-by-prod",
        "production-inherits-default",
        "configuration/base.yaml:14:",
    ),
    (
        "dev-selector-in-committed-env",
        "selector-overwritten-by-file",
        ".env:2:",
    ),
    (
        "prod-localhost-root-no-password",
        "local-address-in-production",
        "application-prod.yml:",
    ),
    (
        "prod-localhost-root-no-password",
        "weak-secret",
        "application-prod.yml:",
    ),
    (
        "actuator-exposure",
        "exposed-diagnostics",
        "application.yml:",
    ),
    (
        "same-secret-across-envs",
        "shared-secret",
        ".env.prod.example:9:",
    ),
    (
        "same-secret-across-envs",
        "shared-secret",
        ".env.prod.example:21:",
    ),
    (
        "same-secret-across-envs",
        "shared-secret",
        ".env.prod.example:22:",
    ),
    (
        "same-secret-across-envs",
        "shared-secret",
        ".env.prod.example:26:",
    ),
    (
        "localhost-in-prod",
        "local-address-in-production",
        ".env.prod.example:17:",
    ),
    (
        "partial-test-isolation",
        "partial-isolation",
        ".env.test.example:",
    ),
    ("empty-environment", "empty-environment", "config/prod.yml:"),
    (
        "prod-and-preview-secrets-on-one-service",
        "wrong-environment-wired",
        "render.yaml:33:",
    ),
    (
        "foreign-env-endpoint",
        "foreign-endpoint",
        "backend/.env.development:2:",
    ),
    ("foreign-env-endpoint", "foreign-endpoint", "render.yaml:"),
    (
        "selector-overwritten-by-file",
        "selector-overwritten-by-file",
        ".env.example:4:",
    ),
    (
        "weak-default-secret-in-prod",
        "shadowed-value",
        "docker-compose.yml:23:",
    ),
    (
        "default-env-is-prod-without-prod-posture",
        "production-is-the-default",
        "settings.yaml:5:",
    ),
];

#[test]
fn what_a_good_check_should_say_is_said() {
    let Some(corpus) = corpus() else {
        return;
    };
    let rows = fs::read_to_string(corpus.join("EXPECTED.tsv")).unwrap();
    let found = findings(&corpus);
    for row in rows.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let [project, severity, class, place, .., visible] = cells[..] else {
            panic!("{row:?} has too few cells");
        };
        if severity == "ok" {
            let flagged = found
                .iter()
                .find(|line| line.project == project && line.places.contains(place));
            assert_eq!(flagged, None, "{class} is right as it is");
            continue;
        }
        if !visible.starts_with("data") {
            continue;
        }
        let names: Vec<_> = EXPECTED
            .iter()
            .filter(|(own, _, _)| *own == class)
            .collect();
        assert!(!names.is_empty(), "{class} has no name here");
        for (_, check, place) in names {
            let is_found = found.iter().any(|line| {
                line.project == project && line.check == *check && line.places.contains(place)
            });
            assert!(is_found, "{project}: {check} at {place}, for {class}");
        }
    }
}
