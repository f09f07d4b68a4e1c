//! What a run prepares for later: nothing that is run or obeyed outside can be written by what is inside.

use std::fs;

use crate::ground::scenario;
use crate::scene::{BINARY, Scene, eventually};

const READ_ONLY: &[&str] = &["Read-only file system"];

/// Files in the home directory that are run by shells, interpreters, build tools and desktops.
const RUN: &[&str] = &[
    ".bashrc",
    ".bashrc.d/x",
    ".zcompdump",
    ".lessfilter",
    ".sqliterc",
    ".cargo/env",
    ".nvm/nvm.sh",
    ".deno/env",
    ".local/lib/python3/site-packages/usercustomize.py",
    ".local/share/bash-completion/completions/git",
    ".local/share/nvim/site/plugin/x.lua",
    ".ipython/profile_default/startup/x.py",
    ".gradle/init.d/x.gradle",
    ".config/starship.toml",
    ".config/alacritty/alacritty.toml",
    ".config/git/config",
    ".yarnrc.yml",
];

/// Writes to each file, which the control can and the inside cannot.
fn none_written(scene: &Scene, files: &[String], environment: &str) {
    let script = |word: &str| {
        let each: Vec<String> = files
            .iter()
            .map(|file| format!("echo '# {word}' >>{file}"))
            .collect();
        each.join("; ")
    };
    scene
        .plain(&format!("{environment} {}", script("plain")))
        .succeeded();
    let run = format!("{environment} exec {BINARY} run dev -- sh -c \"$1\"");
    let started = format!("echo started; {}", script("inside"));
    let outcome = scene.plain(&format!("set -- \"{started}\"; {run}"));
    assert!(outcome.stdout.starts_with("started"), "{outcome:?}");
    for file in files {
        let text = scene.plain(&format!("cat {file}")).succeeded().stdout;
        assert!(
            text.contains("# plain") && !text.contains("# inside"),
            "{file}: {text}"
        );
    }
    assert!(outcome.stderr.contains(READ_ONLY[0]), "{outcome:?}");
}

fn in_home(scene: &Scene, paths: &[&str]) -> Vec<String> {
    for path in paths {
        scene.write(&format!("../home/{path}"), "# mine\n");
    }
    paths.iter().map(|path| format!("$HOME/{path}")).collect()
}

/// Start-up files of every kind.
#[test]
fn what_is_run_from_the_home_directory_is_read_only() {
    scenario(&[], |scene| {
        let files = in_home(scene, RUN);
        none_written(scene, &files, "");
    });
}

/// The same where caches stay writable and nothing else does: some of what is run lies in caches.
#[test]
fn what_is_run_from_a_cache_is_read_only() {
    scenario(&[], |scene| {
        let manifest = scene.read("ringfence.toml");
        scene.write(
            "ringfence.toml",
            manifest.replace("dev = {}", "dev = { home = \"read-only\" }"),
        );
        let files = in_home(
            scene,
            &[
                ".gradle/init.d/x.gradle",
                ".ipython/profile_default/startup/x.py",
                ".deno/bin/deno",
                ".yarn/bin/yarn",
            ],
        );
        none_written(
            scene,
            &files,
            "export PATH=$HOME/.deno/bin:$HOME/.yarn/bin:$PATH;",
        );
        let made = "mkdir -p ~/.gradle/caches && echo inside >~/.gradle/caches/x && cat ~/.gradle/caches/x";
        assert_eq!(scene.inside(made).succeeded().stdout, "inside\n");
    });
}

/// Programs on `PATH`: the folders, the libraries beside them, and what their programs are links to.
#[test]
fn what_is_run_by_way_of_path_is_read_only() {
    scenario(&[], |scene| {
        let mut files = in_home(
            scene,
            &[
                ".cargo/bin/cargo",
                ".rustup/toolchains/stable/bin/rustc",
                ".local/bin/tool",
                ".local/share/pipx/venvs/tool/bin/tool",
                ".nvm/versions/node/v20/bin/node",
                ".nvm/versions/node/v20/lib/node_modules/npm/bin/npm-cli.js",
                ".pyenv/shims/python",
                ".pyenv/versions/3.12/bin/python",
            ],
        );
        // A folder that is neither in the home directory nor the system's.
        let tool = "../tools/bin/tool";
        scene.write(tool, "# mine\n");
        files.push(tool.to_owned());
        let path = "export PATH=$HOME/.cargo/bin:$HOME/.local/bin:$HOME/.nvm/versions/node/v20/bin:$HOME/.pyenv/shims:$(realpath ../tools/bin):$PATH;";
        none_written(scene, &files, path);
    });
}

/// Where a variable moves the folders of configuration, what lies there is guarded.
#[test]
fn what_variables_move_is_read_only() {
    scenario(&[], |scene| {
        let files = in_home(
            scene,
            &[
                "cfg/git/config",
                "cfg/fish/config.fish",
                "z/.zshrc",
                "rust/env",
            ],
        );
        none_written(
            scene,
            &files,
            "export XDG_CONFIG_HOME=$HOME/cfg ZDOTDIR=$HOME/z CARGO_HOME=$HOME/rust;",
        );
    });
}

/// A start-up file that is made inside does not stay for as long as the run lasts, though nothing can be watched any more.
#[test]
fn a_new_start_up_file_goes_while_the_program_runs() {
    scenario(&[], |scene| {
        let script = |rounds: u32| {
            format!(
                "echo inside >~/.zshenv; for i in $(seq {rounds}); do test -e ~/.zshenv || exit 0; sleep 0.1; done; exit 1"
            )
        };
        let control = scene.plain(&script(5));
        assert_eq!(control.code, Some(1), "it stays: {control:?}");
        fs::remove_file(scene.path("../home/.zshenv")).unwrap();
        let attack = script(200);
        scene.inside(&attack).succeeded();
        let unwatched = format!(
            "unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_inotify_instances; exec {BINARY} run dev -- sh -c \"$0\"' '{attack}'"
        );
        scene.plain(&unwatched).succeeded();
        assert!(!scene.path("../home/.zshenv").exists());
    });
}

/// A worktree, and the repository that it shares: `.git` is a file, and what git obeys lies elsewhere.
#[test]
fn a_worktrees_git_is_read_only() {
    scenario(&[], |scene| {
        scene
            .plain("git worktree add -q ../tree && cp .env.dev .env.prod ../tree/")
            .succeeded();
        let run = |script: &str| scene.plain(&format!("cd ../tree && {script}"));
        for attack in [
            "echo '# x' >>$(git rev-parse --git-common-dir)/config",
            "echo x >>$(git rev-parse --git-common-dir)/hooks/post-checkout",
            "echo x >>$(git rev-parse --git-dir)/commondir",
            "echo >>.git",
        ] {
            let saved =
                run("cp .git ../marker; cp $(git rev-parse --git-dir)/commondir ../commondir");
            saved.succeeded();
            run(attack).succeeded();
            run("cp ../commondir ../project/.git/worktrees/tree/commondir; cp ../marker .git")
                .succeeded();
            let outcome = run(&format!(
                "{BINARY} run dev -- sh -c \"echo started; $(cat <<'END'\n{attack}\nEND\n)\""
            ));
            assert!(outcome.stdout.starts_with("started"), "{outcome:?}");
            outcome.failed(READ_ONLY);
        }
    });
}

/// Submodules: their configuration, and the file that says where it is.
#[test]
fn a_submodules_git_is_read_only() {
    scenario(&[], |scene| {
        scene
            .plain(
                "git init -q ../other && git -C ../other -c user.name=x -c user.email=x@x commit -q --allow-empty -m x \
                 && git -c protocol.file.allow=always submodule --quiet add ../other sub && git commit -qm sub",
            )
            .succeeded();
        for attack in [
            "echo '# x' >>.git/modules/sub/config",
            "echo x >>.git/modules/sub/hooks/post-commit",
            "echo >>sub/.git",
        ] {
            scene
                .plain(&format!(
                    "cp sub/.git ../marker; {attack}; cp ../marker sub/.git"
                ))
                .succeeded();
            scene.inside(attack).failed(READ_ONLY);
        }
        let _ = scene.inside("mv sub old; mkdir sub; echo 'gitdir: ../evil' >sub/.git");
        assert!(scene.read("sub/.git").contains(".git/modules/sub"));
        let _ = scene.inside("rm -f sub/.git; git init -q sub");
        assert!(scene.path("sub/.git").is_file());
    });
}

/// Whatever the program says to others, it ends, and nothing that it made stays in the way of the next run.
#[test]
fn a_next_run_finds_its_place() {
    scenario(&[], |scene| {
        let _ =
            scene.inside("ln -s /nowhere ~/.bash_login; mkdir -p ~/.zlogin/a; mkfifo ~/.zprofile");
        for path in [".bash_login", ".zlogin", ".zprofile"] {
            assert!(
                fs::symlink_metadata(scene.path("../home").join(path)).is_err(),
                "{path} is there outside"
            );
        }
        eventually("the next run", || scene.inside("true").code == Some(0));
    });
}
