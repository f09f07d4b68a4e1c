//! The floor plan, kept by the machine: arrows between crates only go down, and modules of a crate form no circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which of our crates each of them may use.
const EDGES: &[(&str, &[&str])] = &[
    ("ringfence-diagnostic", &[]),
    ("ringfence-dialect", &[]),
    ("ringfence-syntax", &["ringfence-diagnostic"]),
    (
        "ringfence-model",
        &["ringfence-diagnostic", "ringfence-syntax"],
    ),
    (
        "ringfence-lint",
        &[
            "ringfence-diagnostic",
            "ringfence-dialect",
            "ringfence-syntax",
            "ringfence-model",
        ],
    ),
    ("ringfence-mask", &[]),
    ("ringfence-reach", &["ringfence-model"]),
    ("ringfence-secret", &[]),
    ("ringfence-flag", &["ringfence-diagnostic"]),
    ("ringfence-data", &["ringfence-mask"]),
    ("ringfence-sandbox", &["ringfence-reach"]),
    ("ringfence-gateway", &["ringfence-flag", "ringfence-secret"]),
    (
        "ringfence-cli",
        &[
            "ringfence-data",
            "ringfence-diagnostic",
            "ringfence-flag",
            "ringfence-gateway",
            "ringfence-lint",
            "ringfence-mask",
            "ringfence-syntax",
            "ringfence-model",
            "ringfence-reach",
            "ringfence-sandbox",
            "ringfence-secret",
        ],
    ),
];

/// Crates that belong to some of ours alone.
const KEPT: &[(&str, &[&str])] = &[
    ("clap", &["ringfence-cli"]),
    ("clap_complete", &["ringfence-cli"]),
    ("clap_mangen", &["ringfence-cli"]),
    ("age", &["ringfence-secret"]),
    ("ssh-key", &["ringfence-secret"]),
    ("aes-gcm", &["ringfence-secret"]),
    ("k256", &["ringfence-secret"]),
    ("fake", &["ringfence-mask"]),
    ("landlock", &["ringfence-sandbox"]),
    ("libc", &["ringfence-sandbox"]),
    ("tokio", &["ringfence-sandbox", "ringfence-gateway"]),
    ("hyper", &["ringfence-gateway"]),
    ("hyper-rustls", &["ringfence-gateway"]),
    ("hyper-util", &["ringfence-gateway"]),
    ("postgres", &["ringfence-data"]),
    ("rusqlite", &["ringfence-data"]),
    ("sqlite-vec", &["ringfence-data"]),
    ("rustls", &["ringfence-data", "ringfence-gateway"]),
    ("ureq", &["ringfence-data"]),
    ("annotate-snippets", &["ringfence-diagnostic"]),
    ("ignore", &["ringfence-lint"]),
    ("saphyr-parser", &["ringfence-syntax"]),
    ("toml_edit", &["ringfence-syntax"]),
    ("regex-syntax", &["ringfence-model"]),
    ("semver", &["ringfence-flag"]),
];

/// Crates that were looked at twice, and the lines that they may have: `lint` is a file for each of its 39 checks, `cli` one for each
/// command, of which none knows another, `gateway` a room for each thing that happens to a request on its way, and `sandbox` the kernel's
/// side of everything.
const LARGER: &[(&str, usize)] = &[
    ("ringfence-lint", 9000),
    ("ringfence-cli", 16_000),
    ("ringfence-gateway", 10_500),
    ("ringfence-sandbox", 9000),
];

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn packages() -> Vec<Value> {
    let arguments = [
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The dependencies that reach the built program.
fn dependencies(package: &Value) -> BTreeSet<String> {
    let all = package["dependencies"].as_array().unwrap().iter();
    all.filter(|dependency| dependency["kind"].is_null())
        .map(|d| d["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn arrows_only_go_down() {
    let packages = packages();
    let names: BTreeSet<&str> = packages
        .iter()
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        EDGES.iter().map(|(name, _)| *name).collect(),
        "a new crate needs its place on the floor plan"
    );
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let (_, allowed) = EDGES.iter().find(|(own, _)| *own == name).unwrap();
        for dependency in dependencies(package)
            .iter()
            .filter(|dependency| names.contains(dependency.as_str()))
        {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} must not use {dependency}"
            );
        }
    }
}

#[test]
fn what_belongs_to_one_crate_stays_there() {
    for package in packages() {
        let name = package["name"].as_str().unwrap().to_owned();
        for dependency in dependencies(&package) {
            if let Some((_, owners)) = KEPT.iter().find(|(kept, _)| *kept == dependency) {
                assert!(
                    owners.contains(&name.as_str()),
                    "only {owners:?} may use {dependency}"
                );
            }
        }
    }
}

/// The Rust files below a folder and their code; tests are left out.
pub(crate) fn files(sources: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![sources.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text.split("#[cfg(test)]").next().unwrap().to_owned()));
            }
        }
    }
    files
}

/// The code of a crate by top-level module.
fn modules(sources: &Path) -> BTreeMap<String, String> {
    let mut modules: BTreeMap<String, String> = BTreeMap::new();
    for (path, code) in files(sources) {
        let relative = path.strip_prefix(sources).unwrap();
        let module = relative
            .iter()
            .next()
            .unwrap()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        if !["lib", "main"].contains(&module.as_str()) {
            modules.entry(module).or_default().push_str(&code);
        }
    }
    modules
}

/// The top-level modules that a text uses by `crate::…`.
fn used(text: &str, modules: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for after in text.split("crate::").skip(1) {
        let inside = after
            .strip_prefix('{')
            .and_then(|list| list.split('}').next());
        let words: Vec<&str> = match inside {
            Some(list) => list.split(',').collect(),
            None => vec![after],
        };
        for word in words {
            let name: String = word
                .trim()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            used.extend(modules.contains_key(&name).then_some(name));
        }
    }
    used
}

#[test]
fn modules_form_no_circle() {
    for (name, _) in EDGES {
        let modules = modules(&workspace().join("crates").join(name).join("src"));
        let mut open: BTreeMap<&str, BTreeSet<String>> = modules
            .iter()
            .map(|(module, text)| {
                (
                    module.as_str(),
                    used(text, &modules)
                        .into_iter()
                        .filter(|other| other != module)
                        .collect(),
                )
            })
            .collect();
        // Take away what uses nothing that is left, until nothing is left or a circle is.
        loop {
            let free: Vec<&str> = open
                .iter()
                .filter(|(_, uses)| uses.is_empty())
                .map(|(module, _)| *module)
                .collect();
            if free.is_empty() {
                break;
            }
            open.retain(|module, _| !free.contains(module));
            for uses in open.values_mut() {
                uses.retain(|module| !free.contains(&module.as_str()));
            }
        }
        assert!(
            open.is_empty(),
            "{name}: these modules use each other: {open:#?}"
        );
    }
}

#[test]
fn nothing_outgrows_the_house() {
    for (name, _) in EDGES {
        let sources = workspace().join("crates").join(name).join("src");
        let files = files(&sources);
        let lines: Vec<(usize, &PathBuf)> = files
            .iter()
            .map(|(path, code)| (code.lines().count(), path))
            .collect();
        let total: usize = lines.iter().map(|(lines, _)| lines).sum();
        let larger = LARGER.iter().find(|(own, _)| own == name);
        let most = larger.map_or(8000, |(_, most)| *most);
        assert!(total <= most, "{name} has {total} lines: look twice");
        for (lines, path) in lines {
            assert!(
                lines <= 700,
                "{} has {lines} lines: look twice",
                path.display()
            );
        }
    }
}
