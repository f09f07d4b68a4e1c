//! Every check on small projects made for it: `fixtures/<check>/fires*.txt` must give a finding of it, `silent*.txt` and
//! `ignored*.txt` none.
//!
//! A fixture is a project in one text: `-- path --` begins a file. Lines before the first file say what git tracks
//! (`git: path …`), what a manifest declares (`declared: NAME=kind …`, `default: word`), what cannot be read
//! (`unread: path why`), which other checks may speak (`others: check …`), and how many findings there must be (`count: n`).
//! What is known of sealed files beyond their texts, which are real ones, stands there too: `sealed: path fact …`, where the fact is
//! `of environment`, `extra who`, `missing who`, `others means`, `clear name`, `unsealed`, `refused why`, `damaged why` or `opened NAME value`.
//! `{{key:prefix}}` and `{{secret}}` stand for texts that no scanner of secrets should find in this repository.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, outside of any test function"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ringfence_diagnostic::{Place, Sources, Span};
use ringfence_lint::checks::{self, REGISTRY};
use ringfence_lint::finding::Finding;
use ringfence_lint::sealed::{Reader, Seal, Sealed, Worth};
use ringfence_lint::survey::{Declared, Input, RawFile, Survey};
use ringfence_lint::{fix, schema};
use ringfence_model::tier::Tier;
use ringfence_model::value::kind::Kind;

const SECRET: &str = "kR9vXw2mQpL8tZs4YdBf6NhJ";
const SECRET2: &str = "Wq3Tn7GcVb5XzLm9RjKp2HsD";
const KEY: &str = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2Yz3Ab4Cd5Ef6Gh7Ij8";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The fixtures of a check, by name without its ending.
fn fixtures(check: &str) -> Vec<(String, String)> {
    let Ok(entries) = fs::read_dir(folder().join(check)) else {
        return Vec::new();
    };
    let mut fixtures: Vec<(String, String)> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    fixtures.sort();
    fixtures
}

fn filled(text: &str) -> String {
    let mut text = text
        .replace("{{secret}}", SECRET)
        .replace("{{secret2}}", SECRET2);
    while let Some((before, after)) = text.split_once("{{key:") {
        let (prefix, rest) = after.split_once("}}").unwrap();
        text = format!("{before}{prefix}{KEY}{rest}");
    }
    text
}

/// What the lines before the first file say.
#[derive(Default)]
struct Directives {
    others: Vec<String>,
    count: Option<usize>,
}

fn survey(text: &str) -> (Survey, Directives) {
    let mut directives = Directives::default();
    let mut input = Input::default();
    let mut sources = Sources::new();
    let manifest = text
        .lines()
        .find_map(|line| line.strip_prefix("manifest: "));
    let manifest = sources.add("ringfence.toml", manifest.unwrap_or_default());
    let place = Place::new(manifest, Span::at(0));
    for line in filled(text).lines() {
        if let Some(path) = line
            .strip_prefix("-- ")
            .and_then(|rest| rest.strip_suffix(" --"))
        {
            input.files.push(RawFile {
                path: path.to_owned(),
                text: Ok(String::new()),
            });
        } else if let Some(file) = input.files.last_mut().filter(|file| file.text.is_ok()) {
            let text = file.text.as_mut().unwrap();
            text.push_str(line);
            text.push('\n');
        } else if let Some((word, rest)) = line.split_once(':') {
            let words = || rest.split_whitespace().map(str::to_owned);
            match word {
                "git" => input.tracked = Some(words().collect()),
                "others" => directives.others = words().collect(),
                "count" => directives.count = rest.trim().parse().ok(),
                "sealed" => sealed(&mut input.sealed, rest.trim()),
                "manifest" => {}
                "default" => input.default = words().next().map(|word| (word, place)),
                "tiers" => {
                    let tiers = words().map(|word| (word.clone(), Tier::of_word(&word).unwrap()));
                    input.declared = tiers.collect();
                }
                "allow" => input.allowances = words().map(|word| (word, place)).collect(),
                "declared" => {
                    input.settings = Some(words().map(|pair| declared(&pair, place)).collect());
                }
                "unread" => {
                    let (path, why) = rest.trim().split_once(' ').unwrap();
                    input.files.push(RawFile {
                        path: path.to_owned(),
                        text: Err(why.to_owned()),
                    });
                }
                other => panic!("`{other}` is no directive"),
            }
        }
    }
    let mut survey = Survey::of(input, sources);
    survey.mark(mark);
    (survey, directives)
}

/// Stands for the keyed fingerprint of a secret.
fn mark(secret: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    secret.hash(&mut hasher);
    format!("~{:016x}", hasher.finish())
}

/// Takes in one fact of a sealed file.
fn sealed(all: &mut Vec<Sealed>, line: &str) {
    let (path, fact) = line.split_once(' ').unwrap();
    let (fact, rest) = fact.split_once(' ').unwrap_or((fact, ""));
    let rest = rest.to_owned();
    if all.iter().all(|one| one.path != path) {
        all.push(Sealed {
            path: path.to_owned(),
            ..Sealed::default()
        });
    }
    let one = all.iter_mut().find(|one| one.path == path).unwrap();
    let reader = |who| Reader { who, place: None };
    match fact {
        "of" => one.environment = Some(rest),
        "extra" => one.extra.push(reader(rest)),
        "missing" => one.missing.push(reader(rest)),
        "others" => one.others.push(rest),
        "clear" => one.clear.push(rest),
        "unsealed" => one.seal = Seal::Missing,
        "refused" => one.seal = Seal::Refused(rest),
        "damaged" => one.damage = Some(rest),
        "opened" => {
            let (name, value) = rest.split_once(' ').unwrap();
            let worth = Worth::of(name, value, mark);
            one.values.get_or_insert_default().push(worth);
        }
        other => panic!("`{other}` is no fact"),
    }
}

fn declared(pair: &str, place: Place) -> Declared {
    let (name, kind) = pair.split_once('=').unwrap();
    Declared {
        name: name.to_owned(),
        place,
        kind: Kind::named(kind, Vec::new()).unwrap(),
    }
}

/// A finding in one line.
fn line(survey: &Survey, finding: &Finding) -> String {
    let places: Vec<String> = finding
        .labels
        .iter()
        .map(|label| survey.sources.locate(label.place))
        .collect();
    format!(
        "{} {} {} | {}",
        finding.severity.name(),
        finding.check,
        places.join(" "),
        finding.message
    )
}

fn texts(finding: &Finding) -> impl Iterator<Item = &str> {
    let labels = finding.labels.iter().map(|label| label.text.as_str());
    [
        finding.message.as_str(),
        &finding.consequence,
        &finding.subject,
    ]
    .into_iter()
    .chain(labels)
    .chain(finding.help.iter().map(String::as_str))
}

/// The values of a project's settings that no text of a finding may hold, with their hosts and secrets: all but words that
/// name environments, truth values, what repeats a setting's name, and what is too short to tell from a word.
fn values(survey: &Survey) -> Vec<String> {
    const SHORTEST: usize = 5;
    let entries = || survey.parts.iter().flat_map(|part| &part.entries);
    let names: BTreeSet<&str> = entries().map(|entry| entry.name.as_str()).collect();
    let pieces = entries().flat_map(|entry| {
        let hosts = entry.hosts().into_iter();
        let value = [entry.value.trim()].into_iter();
        value.chain(hosts).chain(entry.secret())
    });
    let is_told = |value: &&str| {
        value.len() >= SHORTEST
            && !names.contains(value)
            && survey.tier(value).is_none()
            && ringfence_lint::value::truth(value).is_none()
    };
    pieces.filter(is_told).map(str::to_owned).collect()
}

/// Everything that a check can say of itself: its code without its tests. A value that stands in it may be in a finding,
/// because the finding shows what the check knows and not what the project holds.
fn own_words(check: &str) -> String {
    let name = format!("../src/checks/{}.rs", check.replace('-', "_"));
    let code = fs::read_to_string(folder().join(name)).unwrap();
    let (code, _) = code.split_once("#[cfg(test)]").unwrap_or((&code, ""));
    code.to_owned()
}

/// What holds for every finding of every check.
fn check_manners(survey: &Survey, finding: &Finding) {
    let what = format!("{finding:#?}");
    let first = finding.message.chars().next().unwrap();
    assert!(
        first.is_lowercase() || first.is_numeric() || "`".contains(first),
        "{what}"
    );
    assert!(!finding.message.ends_with('.'), "{what}");
    assert!(
        !finding.consequence.is_empty() && !finding.help.is_empty(),
        "{what}"
    );
    assert!(
        !finding.labels.is_empty() || finding.check == "unreadable-file",
        "{what}"
    );
    let own_words = own_words(finding.check);
    // Whoever misspelt an environment's name has to be told which word it is.
    let is_misspelt =
        |value: &String| finding.check == "unknown-environment-name" && *value == finding.subject;
    for value in values(survey)
        .iter()
        .filter(|value| !own_words.contains(*value) && !is_misspelt(value))
    {
        let mut texts = texts(finding);
        assert!(
            texts.all(|text| !text.contains(value)),
            "`{value}` is in {what}"
        );
    }
}

#[test]
fn every_check_has_fixtures_a_page_and_a_place_in_the_schema() {
    let schema = schema::schema().to_string();
    let mut ids = BTreeSet::new();
    for check in REGISTRY {
        assert!(ids.insert(check.id), "{} is there twice", check.id);
        assert!(
            check
                .id
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
            "{}",
            check.id
        );
        let names: Vec<String> = fixtures(check.id)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        for kind in ["fires", "silent"] {
            assert!(
                names.iter().any(|name| name.starts_with(kind)),
                "{} has no fixture `{kind}`",
                check.id
            );
        }
        assert!(
            check.page.starts_with(&format!("# {}\n", check.id)),
            "the page of {}",
            check.id
        );
        for part in [
            "## Why it matters",
            "## What to do",
            "## When it is silent",
            check.severity.name(),
            check.confidence.name(),
        ] {
            assert!(
                check.page.contains(part),
                "the page of {} does not say {part:?}",
                check.id
            );
        }
        assert!(
            schema.contains(&format!("\"const\":\"{}\"", check.id)),
            "{} in the schema",
            check.id
        );
    }
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(ids.contains(name.to_str().unwrap()), "{name:?} is no check");
    }
}

#[test]
fn checks_fire_where_they_should_and_nowhere_else() {
    let mut failures = Vec::new();
    for check in REGISTRY {
        for (name, text) in fixtures(check.id) {
            let (survey, directives) = survey(&text);
            let findings = checks::run(&survey);
            findings
                .iter()
                .for_each(|finding| check_manners(&survey, finding));
            let own = findings
                .iter()
                .filter(|finding| finding.check == check.id)
                .count();
            let is_right = match name.split('-').next().unwrap() {
                "fires" => own > 0 && directives.count.is_none_or(|count| own == count),
                "silent" | "ignored" => own == 0,
                other => panic!("`{other}` is no kind of fixture"),
            };
            let other = findings.iter().find(|finding| {
                finding.check != check.id
                    && !directives.others.iter().any(|other| other == finding.check)
            });
            if !is_right || other.is_some() {
                let lines: Vec<String> = findings
                    .iter()
                    .map(|finding| line(&survey, finding))
                    .collect();
                failures.push(format!(
                    "{}/{name}: {own} of its own\n  {}",
                    check.id,
                    lines.join("\n  ")
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn what_is_fixed_is_mended() {
    let mut mended = 0;
    for check in REGISTRY {
        for (name, text) in fixtures(check.id) {
            let (survey, _) = survey(&text);
            let findings = checks::run(&survey);
            for fixed in fix::apply(&findings, &survey.sources) {
                let path = survey.sources.get(fixed.source).unwrap().name().to_owned();
                let files = survey.files.iter().map(|file| {
                    let text = if file.path == path {
                        fixed.text.clone()
                    } else {
                        survey.sources.text(file.source).to_owned()
                    };
                    RawFile {
                        path: file.path.clone(),
                        text: Ok(text),
                    }
                });
                let tracked = survey.is_tracked("").is_some().then(Default::default);
                let input = Input {
                    files: files.collect(),
                    tracked,
                    ..Input::default()
                };
                let after = checks::run(&Survey::of(input, Sources::new()));
                let before = findings
                    .iter()
                    .filter(|finding| !finding.edits.is_empty())
                    .count();
                let left = after
                    .iter()
                    .filter(|finding| !finding.edits.is_empty())
                    .count();
                assert!(
                    left < before,
                    "{}/{name}: {left} of {before} are left in {path}",
                    check.id
                );
                mended += 1;
            }
        }
    }
    assert!(mended > 2, "{mended} files were mended");
}

/// The words of all findings, so that a change of one is seen.
#[test]
fn what_is_said() {
    let mut said = String::new();
    for check in REGISTRY {
        for (name, text) in fixtures(check.id)
            .into_iter()
            .filter(|(name, _)| name.starts_with("fires"))
        {
            let (survey, _) = survey(&text);
            said.push_str(&format!("{}/{name}\n", check.id));
            for finding in checks::run(&survey)
                .iter()
                .filter(|finding| finding.check == check.id)
            {
                said.push_str(&format!("  {}\n", line(&survey, finding)));
                for label in &finding.labels {
                    said.push_str(&format!("    - {}\n", label.text));
                }
                said.push_str(&format!("    so: {}\n", finding.consequence));
                for help in &finding.help {
                    said.push_str(&format!("    help: {help}\n"));
                }
            }
        }
    }
    insta::assert_snapshot!(said);
}
