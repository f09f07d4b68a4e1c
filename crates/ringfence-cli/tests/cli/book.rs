//! The book says what the program does: its console blocks are executed, its tables and messages are held to the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ringfence_model::value::kind::ACCEPTED;
use ringfence_syntax::manifest::definition::{Key, MANIFEST, Shape};

use crate::example::example;
use crate::floor_plan::{files, workspace};
use crate::world::{Outcome, World};

fn page(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap()
}

/// The pages with console blocks in them.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![workspace().join("README.md")];
    for folder in ["docs/book/src", "docs/book/src/checks"] {
        let folder = fs::read_dir(workspace().join(folder)).unwrap();
        pages.extend(folder.map(|entry| entry.unwrap().path()));
    }
    pages.retain(|path| path.is_file());
    pages.sort();
    pages
}

/// A command of a console block, what it prints, and its exit code. Without any output written down, only the code counts.
struct Step {
    command: String,
    output: String,
    code: i32,
}

fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        let code = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .and_then(|code| code.parse().ok());
        match (line.strip_prefix("$ "), code, steps.last_mut()) {
            (Some(command), _, _) => steps.push(Step {
                command: command.to_owned(),
                output: String::new(),
                code: 0,
            }),
            (None, Some(code), Some(step)) => step.code = code,
            (None, None, Some(step)) => step.output.push_str(&format!("{line}\n")),
            (None, _, None) => panic!("output without a command: {line}"),
        }
    }
    steps
}

fn run(world: &World, command: &str) -> Outcome {
    let binary = Path::new(env!("CARGO_BIN_EXE_ringfence")).parent().unwrap();
    let mut shell = world.any_command("sh");
    shell
        .args(["-c", &format!("{{ {command}\n}} 2>&1")])
        .env("PATH", format!("{}:/usr/bin:/bin", binary.display()));
    Outcome::of(&shell.output().unwrap())
}

/// With `RINGFENCE_UPDATE_BOOK` set, writes what the commands print today into the pages instead of comparing.
#[test]
fn every_console_block_is_true() {
    let update = std::env::var_os("RINGFENCE_UPDATE_BOOK").is_some();
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        let mut updated = page.clone();
        for block in page
            .split("```console\n")
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap())
        {
            let world = example();
            let mut today = String::new();
            for step in steps(block) {
                let outcome = run(&world, &step.command);
                let code = outcome.code.unwrap();
                today.push_str(&format!("$ {}\n", step.command));
                if !step.output.is_empty() || step.code != 0 {
                    today.push_str(&outcome.stdout);
                }
                if code != 0 {
                    today.push_str(&format!("[{code}]\n"));
                }
            }
            if update {
                updated = updated.replace(block, &today);
            } else {
                assert_eq!(block, today, "{}", path.display());
            }
        }
        if updated != page {
            fs::write(&path, updated).unwrap();
        }
    }
}

/// The codes that the program can print.
fn codes() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let sources = files(&workspace().join("crates")).into_iter();
    for (_, code) in
        sources.filter(|(path, _)| path.components().any(|folder| folder.as_os_str() == "src"))
    {
        let calls = [
            "Diagnostic::error(",
            "Diagnostic::warning(",
            ".error(",
            "Refused::new(",
            "NOT_OPENED: &str = ",
        ];
        for call in calls {
            for after in code.split(call).skip(1) {
                let word = after
                    .trim_start()
                    .strip_prefix('"')
                    .and_then(|rest| rest.split('"').next());
                codes.extend(word.filter(|word| !word.contains(' ')).map(str::to_owned));
            }
        }
    }
    codes
}

#[test]
fn every_message_has_its_paragraph() {
    let page = page("docs/book/src/messages.md");
    let explained: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(str::to_owned)
        .collect();
    assert_eq!(explained, codes());
}

fn keys(shape: &Shape, found: &mut Vec<&'static Key>) {
    match shape {
        Shape::Table(keys) | Shape::Open(keys, _) => {
            for key in *keys {
                found.push(key);
                self::keys(&key.shape, found);
            }
        }
        Shape::Map(inner) | Shape::PerEnvironment(inner) | Shape::List(inner) => keys(inner, found),
        Shape::Either(shapes) => shapes.iter().for_each(|shape| keys(shape, found)),
        _ => {}
    }
}

#[test]
fn every_key_of_the_manifest_and_every_type_stands_in_the_book() {
    let page = page("docs/book/src/manifest.md");
    let mut found = Vec::new();
    keys(&MANIFEST, &mut found);
    assert!(found.len() > 40);
    for key in found
        .iter()
        .filter(|key| !["command", "file", "groups", "deny"].contains(&key.name))
    {
        assert!(
            page.contains(&format!("| `{}` | {} |", key.name, key.about)),
            "`{}` in manifest.md",
            key.name
        );
    }
    for (name, accepted) in ACCEPTED {
        assert!(
            page.contains(&format!("| `{name}` | {accepted} |")),
            "`{name}` in manifest.md"
        );
    }
}

#[test]
fn the_table_of_contents_is_whole() {
    let summary = page("docs/book/src/SUMMARY.md");
    for path in pages()
        .iter()
        .filter(|path| !path.ends_with("README.md") && !path.ends_with("SUMMARY.md"))
    {
        let name = path.strip_prefix(workspace().join("docs/book/src"));
        let name = name.unwrap().to_string_lossy();
        assert!(
            summary.contains(&format!("({name})")),
            "{name} in SUMMARY.md"
        );
    }
}
