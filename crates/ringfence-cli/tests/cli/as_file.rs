//! `as = "file"`: the program finds the path of a file that nobody can change.

use crate::world::World;

const MANIFEST: &str = "version = 1\n[environments]\ndev = {}\nprod = {}\n[settings]\nKEY = { secret = true, as = \"file\" }\nGONE = { as = \"file\", required = false }\nPLAIN = {}\n";
const VALUE: &str = "line one\nline two, not short at all\n";

fn world() -> World {
    let file = format!("KEY=\"{VALUE}\"\nPLAIN=x\n");
    World::new(&[
        ("ringfence.toml", MANIFEST),
        (".env.dev", &file),
        (".env.prod", &file),
    ])
}

#[test]
fn the_file_has_the_value_and_the_block_does_not() {
    for arguments in [
        &["run", "dev", "--no-barrier"][..],
        &["run", "dev"],
        &["run", "prod", "--redact=never"],
    ] {
        let world = world();
        let script = "cat \"$KEY\"; cat \"$KEY\"; echo ${GONE-unset}; tr '\\0' '\\n' </proc/self/environ | grep -c 'line one'";
        let outcome = world.ringfence(&[arguments, &["--", "sh", "-c", script]].concat());
        assert_eq!(
            outcome.stdout,
            format!("{VALUE}{VALUE}unset\n0\n"),
            "{arguments:?}: {outcome:?}"
        );
        let path = world.value(arguments, "KEY").unwrap();
        assert!(path.starts_with("/proc/self/fd/"), "{path}");
    }
}

#[test]
fn nobody_changes_the_file() {
    let script = "(echo x >\"$KEY\") 2>/dev/null || echo refused; (echo x >>\"$KEY\") 2>/dev/null || echo refused; cat \"$KEY\"";
    for arguments in [&["run", "dev", "--no-barrier"][..], &["run", "dev"]] {
        let outcome = world().ringfence(&[arguments, &["--", "sh", "-c", script]].concat());
        assert_eq!(
            outcome.stdout,
            format!("refused\nrefused\n{VALUE}"),
            "{arguments:?}"
        );
    }
}

#[test]
fn what_starts_nothing_makes_no_file() {
    let outcome = world().ringfence(&["run", "dev", "--explain"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(!outcome.stdout.contains("/proc/self/fd"));
}
