//! Two at once, and one that is killed: nothing is lost and nothing is half written.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use crate::scene::{Scene, holds};
use crate::world::Outcome;

/// Starts all of these at once, each setting its own name.
fn at_once(scene: &Scene, environment: &str, names: &[String]) -> Vec<Outcome> {
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            let mut command = scene.command("ana", &["secret", "set", environment, name]);
            let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
            command.stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let children = children.into_iter().map(|mut child| {
        child.stdin.take().unwrap().write_all(b"new").unwrap();
        child
    });
    let children: Vec<_> = children.collect();
    let outputs = children.into_iter().map(|child| child.wait_with_output());
    outputs
        .map(|output| Outcome::of(&output.unwrap()))
        .collect()
}

#[test]
fn what_was_set_at_once_is_in_or_its_setter_was_told() {
    let scene = Scene::sealed("A=1\n");
    for environment in ["dev", "prod"] {
        let mut written = Vec::new();
        for round in 0..4 {
            let names: Vec<String> = (0..4).map(|index| format!("N{round}_{index}")).collect();
            let outcomes = at_once(&scene, environment, &names);
            let mut winners = 0;
            for (name, outcome) in names.into_iter().zip(outcomes) {
                if outcome.code == Some(0) {
                    winners += 1;
                    written.push(name);
                } else {
                    holds(&outcome, 78, &["changed meanwhile", "say it again"]);
                }
            }
            assert!(winners > 0);
            scene.fine("ana", &["secret", "verify", environment]);
        }
        for name in &written {
            assert_eq!(scene.value("ben", environment, name), "new", "{name}");
        }
        let list = scene.fine("ana", &["secret", "list", environment]).stdout;
        assert_eq!(list.lines().count(), written.len() + 1);
    }
    assert_eq!(leftovers(&scene), Vec::<String>::new());
}

#[test]
fn who_is_let_in_at_once_is_in_the_manifest_or_was_told() {
    let scene = Scene::new();
    let keys: Vec<(String, String)> = (0..6)
        .map(|index| (format!("p{index}"), scene.age("eve")))
        .collect();
    let children: Vec<_> = keys
        .iter()
        .map(|(person, key)| {
            let words = ["secret", "grant", "test", person, "--key", key];
            let mut command = scene.command("ana", &words);
            command.stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let outcomes: Vec<Outcome> = children
        .into_iter()
        .map(|child| Outcome::of(&child.wait_with_output().unwrap()))
        .collect();
    let manifest = scene.world.read("ringfence.toml");
    for ((person, _), outcome) in keys.iter().zip(&outcomes) {
        match outcome.code {
            Some(0) => assert!(manifest.contains(person), "{person}:\n{manifest}"),
            _ => holds(outcome, 78, &["ringfence.toml", "changed meanwhile"]),
        }
    }
    assert!(outcomes.iter().any(|outcome| outcome.code == Some(0)));
}

/// Files of a write that did not end.
fn leftovers(scene: &Scene) -> Vec<String> {
    let names = fs::read_dir(scene.world.project()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".tmp")).collect()
}

/// Killed at many moments: the file opens with the old or the new value, or its seal is behind and the message says what to do.
#[test]
fn a_killed_set_leaves_a_file_that_opens() {
    let scene = Scene::sealed("A=0\n");
    for turn in 1..=40 {
        let mut command = scene.command("ana", &["secret", "set", "prod", "A"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        write!(child.stdin.take().unwrap(), "{turn}").unwrap();
        std::thread::sleep(Duration::from_micros(turn * 1700));
        child.kill().unwrap();
        child.wait().unwrap();
        let run = scene.says("ana", &["run", "prod", "--", "printenv", "A"]);
        if run.code == Some(78) {
            let words = ["changed since it was sealed", "ringfence secret seal prod"];
            holds(&run, 78, &words);
            scene.fine("ana", &["secret", "seal", "prod"]);
        }
        let value = scene.value("ben", "prod", "A");
        assert!(value.parse::<u64>().unwrap() <= turn, "{value}");
    }
    // What is left of a killed write holds no plaintext, and is nobody's environment.
    for name in leftovers(&scene) {
        let text = scene.world.read(&name);
        assert!(text.is_empty() || text.contains("ENC[") || text.contains("ringfence-seal"));
    }
    scene.fine("ana", &["secret", "verify"]);
}

/// Who starts while somebody sets gets the old or the new value, or is told to say it again; never that the file was tampered with.
#[test]
fn who_starts_meanwhile_sees_no_half() {
    let scene = Scene::sealed("A=0\n");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for turn in 1..=12 {
                scene.sets("prod", "A", &turn.to_string());
            }
        });
        let mut starts = 0;
        while !writer.is_finished() {
            let run = scene.says("ben", &["run", "prod", "--", "printenv", "A"]);
            if run.code == Some(0) {
                starts += 1;
            } else {
                holds(&run, 78, &["was changed meanwhile", "say it again"]);
            }
        }
        assert!(starts > 0);
        writer.join().unwrap();
    });
    assert_eq!(scene.value("ben", "prod", "A"), "12");
}
