//! flagd's test bed, asked through the messages of OFREP.

use std::path::PathBuf;

use ringfence_flag::definition::{Environment, FlagFile, FlagSet, Sources, build};
use ringfence_flag::ofrep::{PATH, Request, Service, respond};
use serde_json::{Map, Value as Json, json};

use crate::gherkin::{Scenario, Step, scenarios};
use crate::packages;

/// What the files' authors say may be left out: other versions of `fractional`, and what is deprecated.
///
/// Two outlines of nested buckets are of version 2 without its tag: their comments give its buckets.
fn is_left_out(scenario: &Scenario) -> bool {
    let names = [
        "Fractional operator with nested if expression as variant name",
        "Fractional operator with nested if expression as weight",
        // Two sets have the same key, and a selector chooses one of them.
        "Flag disabled in one flag set, enabled in another",
    ];
    if names.contains(&scenario.name.as_str()) {
        return true;
    }
    let tags = ["@fractional-v1", "@fractional-v2", "@deprecated"];
    scenario.tags.iter().any(|tag| tags.contains(&tag.as_str()))
}

/// The files as the test bed's launchpad merges them: a later one's flags go before.
fn set(paths: &[PathBuf]) -> FlagSet {
    let mut merged = json!({});
    for path in paths {
        let text = std::fs::read_to_string(path).unwrap();
        let file: Json = serde_json::from_str(&text).unwrap();
        for part in ["flags", "$evaluators", "metadata"] {
            for (name, value) in file[part].as_object().into_iter().flatten() {
                merged[part][name] = value.clone();
            }
        }
    }
    let file = FlagFile::read("flags.json", &merged.to_string()).unwrap();
    let environment = Environment {
        name: "prod".to_owned(),
        tier: "production".to_owned(),
    };
    let sources = Sources {
        files: &[file],
        ..Sources::default()
    };
    build(&sources, &environment).0
}

/// One evaluation as a client of OFREP sees it.
#[derive(Default)]
struct Client {
    kind: String,
    key: String,
    fallback: String,
    context: Map<String, Json>,
    answer: Json,
}

impl Client {
    fn step(&mut self, step: &Step, flags: &FlagSet) -> Result<(), String> {
        let words = step.words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let text = step.text.split_once(' ').unwrap().1;
        match words.as_slice() {
            [key, fallback] if text.contains("-flag with key") => {
                let kind = text.trim_start_matches("a ").trim_start_matches("an ");
                self.kind = kind.split_once("-flag").unwrap().0.to_owned();
                (self.key, self.fallback) = ((*key).to_owned(), (*fallback).to_owned());
            }
            [key, kind, value] if text.starts_with("a context containing a key") => {
                self.context.insert((*key).to_owned(), typed(kind, value));
            }
            [outer, inner, value] if text.starts_with("a context containing a nested") => {
                self.context
                    .insert((*outer).to_owned(), json!({*inner: value}));
            }
            [key] if text.starts_with("a context containing a targeting key") => {
                self.context
                    .insert("targetingKey".to_owned(), (*key).into());
            }
            [] if text == "the flag was evaluated with details" => self.ask(flags),
            [value] if text.starts_with("the resolved details value") => self.has_value(value)?,
            [reason] if text.starts_with("the reason") => same(self.reason(), reason)?,
            [code] if text.starts_with("the error-code") => same(&self.error(), code)?,
            [] if text == "the resolved metadata is empty" => {
                same(&self.answer["metadata"].to_string(), "{}")?;
            }
            [] if text == "the resolved metadata should contain" => self.has_metadata(step)?,
            _ if text.ends_with("flagd provider") || text == "an evaluator" => {}
            _ if text.starts_with("an option") => {}
            _ => return Err(format!("no such step: {text}")),
        }
        Ok(())
    }

    fn ask(&mut self, flags: &FlagSet) {
        let service = Service {
            flags,
            at: 1_700_000_000,
            events: None,
        };
        let path = format!("{PATH}/{}", self.key);
        let body = json!({"context": self.context}).to_string();
        let request = Request {
            method: "POST",
            path: &path,
            body: body.as_bytes(),
            if_none_match: None,
        };
        self.answer = serde_json::from_slice(&respond(&service, &request).body).unwrap();
    }

    /// A client's own error: a value of another kind than the one that was asked for.
    fn error(&self) -> String {
        if let Some(code) = self.answer["errorCode"].as_str() {
            return code.to_owned();
        }
        let value = &self.answer["value"];
        let fits = value.is_null()
            || match self.kind.as_str() {
                "Boolean" => value.is_boolean(),
                "String" => value.is_string(),
                "Integer" => value.is_i64(),
                "Float" => value.is_number(),
                _ => value.is_object(),
            };
        if fits {
            String::new()
        } else {
            "TYPE_MISMATCH".to_owned()
        }
    }

    fn reason(&self) -> &str {
        if self.error().is_empty() {
            self.answer["reason"].as_str().unwrap_or_default()
        } else {
            "ERROR"
        }
    }

    fn has_value(&self, expected: &str) -> Result<(), String> {
        let expected = typed(&self.kind, expected);
        let fallback = typed(&self.kind, &self.fallback);
        let value =
            Some(&self.answer["value"]).filter(|value| !value.is_null() && self.error().is_empty());
        let value = value.unwrap_or(&fallback);
        let are_same = match (value.as_f64(), expected.as_f64()) {
            (Some(value), Some(expected)) => value.total_cmp(&expected).is_eq(),
            _ => *value == expected,
        };
        if are_same {
            Ok(())
        } else {
            Err(format!("{value} in place of {expected}: {}", self.answer))
        }
    }

    fn has_metadata(&self, step: &Step) -> Result<(), String> {
        for row in step.table.iter().skip(1) {
            let expected = typed(&row[1], &row[2]);
            same(
                &self.answer["metadata"][&row[0]].to_string(),
                &expected.to_string(),
            )?;
        }
        Ok(())
    }
}

fn same(found: &str, expected: &str) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{found} in place of {expected}"))
    }
}

fn typed(kind: &str, value: &str) -> Json {
    match kind {
        "Integer" => json!(value.parse::<i64>().unwrap()),
        "Float" => json!(value.parse::<f64>().unwrap()),
        "Boolean" => json!(value == "true"),
        "Object" => serde_json::from_str(value).unwrap(),
        _ => json!(value),
    }
}

/// Runs feature files with one set, and what asks for another by `selected`; how many scenarios ran, and which failed.
fn run(features: &[PathBuf], flags: &FlagSet, selected: &FlagSet) -> (usize, Vec<String>) {
    let (mut count, mut failures) = (0, Vec::new());
    for path in features {
        let text = std::fs::read_to_string(path).unwrap();
        for scenario in scenarios(&text) {
            if is_left_out(&scenario) {
                continue;
            }
            count += 1;
            let is_selecting = scenario.tags.iter().any(|tag| tag == "@metadata-provider");
            let flags = if is_selecting { selected } else { flags };
            let mut client = Client::default();
            let mut steps = scenario.steps.iter();
            let failed = steps.find_map(|step| Some((step, client.step(step, flags).err()?)));
            failures.extend(failed.map(|(step, error)| {
                let file = path.file_name().unwrap().to_string_lossy();
                format!("{file}: {}: {}: {error}", scenario.name, step.text)
            }));
        }
    }
    (count, failures)
}

fn testbed() -> Option<PathBuf> {
    let found = packages::testbed();
    crate::differential::is_there("flagd-testbed", found.as_ref());
    found
}

#[test]
fn the_features_of_the_evaluator() {
    let Some(bed) = testbed() else { return };
    let names = [
        "disabled",
        "string",
        "targeting",
        "no-default-variant",
        "evaluator-refs",
        "errors",
        "evaluation",
        "semver",
        "metadata",
        "zero-values",
        "fractional",
    ];
    let features = names.map(|name| bed.join(format!("evaluator/gherkin/{name}.feature")));
    let flags = set(&[bed.join("evaluator/flags/testkit-flags.json")]);
    let (count, failures) = run(&features, &flags, &flags);
    assert_eq!(failures, Vec::<String>::new());
    assert!(count > 80, "only {count} scenarios");
}

#[test]
fn the_features_of_a_provider() {
    let Some(bed) = testbed() else { return };
    let names = ["evaluation", "targeting", "disabled", "metadata"];
    let features = names.map(|name| bed.join(format!("gherkin/{name}.feature")));
    let files = [
        "testing-flags",
        "edge-case-flags",
        "custom-ops",
        "evaluator-refs",
        "zero-flags",
        "disabled-flags",
        "metadata-flags",
        "changing-flag",
    ];
    let flags = set(&files.map(|name| bed.join(format!("flags/{name}.json"))));
    let selected = set(&[bed.join("flags/selector-flag-combined-metadata.json")]);
    let (count, failures) = run(&features, &flags, &selected);
    assert_eq!(failures, Vec::<String>::new());
    assert!(count > 100, "only {count} scenarios");
}
