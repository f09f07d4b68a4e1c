//! What must hold for `check` on any files; run by libFuzzer (`fuzz/run`) and, for a short time, by `cargo test`.

use ringfence_diagnostic::Sources;
use ringfence_diagnostic::render::{Style, github, human};
use ringfence_lint::survey::{Input, RawFile, Survey};
use ringfence_lint::{checks, fix, praise};

/// One file of every kind that is read, in the order in which form feeds separate them.
const PATHS: &[&str] = &[
    ".env.dev",
    ".env.prod",
    "config/dev.yml",
    "config/prod.yml",
    "docker-compose.yml",
    "docker-compose.prod.yml",
    "Dockerfile",
    "deploy-prod.sh",
    "phpunit.xml",
    "application-prod.properties",
    "render.yaml",
    "fly.toml",
    "appsettings.Production.json",
    ".github/workflows/ci.yml",
    ".gitignore",
];

/// A whole project: every report can be made, the same input gives the same findings, and a fix leaves nothing to fix.
pub(crate) fn survey(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let texts: Vec<String> = text.split('\x0c').map(str::to_owned).collect();
    let survey = read(&texts);
    let findings = checks::run(&survey);
    assert_eq!(findings, checks::run(&survey), "the same gives the same");
    for finding in findings.iter().take(20) {
        let diagnostic = finding.to_diagnostic();
        assert!(!human(&diagnostic, &survey.sources, Style::default()).is_empty());
        assert!(!github(&diagnostic, &survey.sources).contains('\n'));
        assert!(!finding.consequence.is_empty() && !finding.help.is_empty());
    }
    drop(praise::of(&survey, &findings));
    for fixed in fix::apply(&findings, &survey.sources) {
        assert_ne!(
            fixed.text,
            survey.sources.text(fixed.source),
            "a fix changes something"
        );
    }
}

fn read(texts: &[String]) -> Survey {
    let files = PATHS.iter().zip(texts).map(|(path, text)| RawFile {
        path: (*path).to_owned(),
        text: Ok(text.clone()),
    });
    let input = Input {
        files: files.collect(),
        tracked: Some([".env.prod".to_owned()].into()),
        ..Input::default()
    };
    Survey::of(input, Sources::new())
}
