//! Indices that the real `git` wrote, compared with what `git ls-files` says of them.
#![expect(clippy::disallowed_methods, reason = "tests start processes")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failing test panics, and a skipped one says so"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ringfence_syntax::git_index::{Unreadable, paths};

/// A repository in a folder of its own, out of reach of the machine's settings.
struct Repository {
    folder: PathBuf,
}

impl Repository {
    /// A new one, or nothing where there is no `git` or it does not know one of the `options` of `git init`.
    fn new(name: &str, options: &[&str]) -> Option<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("git_index")
            .join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let repository = Self { folder };
        let is_made = repository
            .command(&[&["init", "--quiet"], options].concat())
            .output()
            .is_ok_and(|output| output.status.success());
        if !is_made {
            eprintln!("skipped: `git init` does not work here");
        }
        is_made.then_some(repository)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.folder)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CEILING_DIRECTORIES", &self.folder);
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "somebody");
            command.env(format!("GIT_{role}_EMAIL"), "somebody@example.com");
        }
        command
    }

    fn git(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.command(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {errors}");
        output.stdout
    }

    fn write(&self, path: &str) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, path.as_os_str().as_encoded_bytes()).unwrap();
    }

    fn paths(&self) -> Result<Vec<String>, Unreadable> {
        paths(&fs::read(self.folder.join(".git/index")).unwrap())
    }

    /// What `git ls-files` says; paths in conflict once.
    fn listed(&self) -> Vec<String> {
        let listing = self.git(&["ls-files", "-z"]);
        let mut names: Vec<String> = listing
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        names.dedup();
        names
    }

    fn check(&self) -> Vec<String> {
        let found = self.paths().unwrap();
        assert_eq!(found, self.listed());
        found
    }
}

/// Names of every length modulo eight, with spaces, quotes, line ends and non-ASCII characters.
fn populate(repository: &Repository) {
    for length in 1..20 {
        repository.write(&format!("padding/{}", "x".repeat(length)));
    }
    for path in [
        ".env",
        ".env.production",
        "with space/.env",
        "größe/ключ/鍵.env",
        "quote\"'\\.txt",
        "line\nend",
        "deep/a/b/c/d/e/f",
        "deep/a/b/c/d/g",
        "deep2",
    ] {
        repository.write(path);
    }
    let component = "long".repeat(50);
    repository.write(&[component.as_str(); 5].join("/"));
    repository.git(&["add", "--all"]);
    repository.write("untracked");
}

#[test]
fn versions_two_three_and_four() {
    for version in ["2", "4"] {
        let Some(repository) = Repository::new(&format!("version-{version}"), &[]) else {
            return;
        };
        repository.git(&["config", "index.version", version]);
        populate(&repository);
        assert_eq!(repository.check().len(), 29);
        repository.git(&["commit", "--quiet", "--message", "all"]);
        repository.git(&["rm", "--quiet", "--cached", ".env"]);
        // Git writes version 3 instead of 2 where an entry has more flags.
        repository.write("later");
        repository.git(&["add", "--intent-to-add", "later"]);
        let paths = repository.check();
        assert!(paths.contains(&"later".to_owned()));
        assert!(!paths.contains(&".env".to_owned()));
    }
}

#[test]
fn names_longer_than_the_flags_can_say() {
    let Some(repository) = Repository::new("long-names", &[]) else {
        return;
    };
    repository.write("file");
    let id = repository.git(&["hash-object", "-w", "file"]);
    let id = String::from_utf8(id).unwrap();
    for length in [4093, 4094, 4095, 4096, 5000] {
        let name = format!("d/{}", "n".repeat(length - 2));
        let entry = format!("100644,{},{name}", id.trim());
        repository.git(&["update-index", "--add", "--cacheinfo", &entry]);
    }
    assert_eq!(repository.check().len(), 5);
}

#[test]
fn a_path_in_conflict_is_given_once() {
    let Some(repository) = Repository::new("conflict", &[]) else {
        return;
    };
    repository.write("one");
    repository.git(&["add", "--all"]);
    repository.git(&["commit", "--quiet", "--message", "base"]);
    for branch in ["left", "right"] {
        repository.git(&["checkout", "--quiet", "-b", branch, "HEAD"]);
        fs::write(repository.folder.join("one"), branch).unwrap();
        repository.git(&["commit", "--quiet", "--all", "--message", branch]);
        if branch == "left" {
            repository.git(&["checkout", "--quiet", "HEAD~1"]);
        }
    }
    let merge = repository.command(&["merge", "left"]).output().unwrap();
    assert!(!merge.status.success());
    assert_eq!(repository.check(), ["one"]);
}

#[test]
fn an_empty_index() {
    let Some(repository) = Repository::new("empty", &[]) else {
        return;
    };
    repository.git(&["read-tree", "--empty"]);
    assert!(repository.check().is_empty());
}

#[test]
fn long_object_ids() {
    for version in ["2", "4"] {
        let name = format!("sha256-{version}");
        let Some(repository) = Repository::new(&name, &["--object-format=sha256"]) else {
            return;
        };
        repository.git(&["config", "index.version", version]);
        populate(&repository);
        assert_eq!(repository.check().len(), 29);
        repository.git(&["commit", "--quiet", "--message", "all"]);
        repository.check();
    }
}

#[test]
fn a_split_index_is_refused() {
    let Some(repository) = Repository::new("split", &[]) else {
        return;
    };
    populate(&repository);
    repository.git(&["update-index", "--split-index"]);
    assert_eq!(repository.paths(), Err(Unreadable::Split));
    repository.write("later");
    repository.git(&["add", "later"]);
    assert_eq!(repository.paths(), Err(Unreadable::Split));
}

#[test]
fn a_sparse_index_has_folders() {
    let Some(repository) = Repository::new("sparse", &[]) else {
        return;
    };
    populate(&repository);
    repository.git(&["commit", "--quiet", "--message", "all"]);
    repository.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "deep"]);
    let paths = repository.paths().unwrap();
    assert!(paths.contains(&"padding/".to_owned()));
    assert!(paths.contains(&"deep/a/b/c/d/g".to_owned()));
}
