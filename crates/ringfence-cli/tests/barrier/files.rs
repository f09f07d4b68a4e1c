//! What can be read and written in the project: not other environments' files, not what guards the barrier.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::ground::{Who, scenario};
use crate::scene::{SECRET, Scene, eventually};

const DENIED: &[&str] = &["Permission denied", "EACCES"];
const READ_ONLY: &[&str] = &["Read-only file system", "EROFS"];

/// What moving or linking something over, out of or into a mount says.
const FIXED: &[&str] = &[
    "Permission denied",
    "Read-only file system",
    "Device or resource busy",
    "Invalid cross-device link",
    "Operation not permitted",
];

/// Scenario 9: prod's file, by every path that leads to it.
#[test]
fn s09_the_file_of_another_environment_is_denied() {
    scenario(&[], |scene| {
        scene
            .plain("ln -s .env.prod link; ln -s ../project up")
            .succeeded();
        for path in [
            ".env.prod",
            "./.env.prod",
            "$PWD/.env.prod",
            "/proc/self/cwd/.env.prod",
            "/proc/self/root/$PWD/.env.prod",
            "link",
            "up/up/.env.prod",
        ] {
            scene.hidden(&format!("cat {path}"), DENIED);
        }
        assert_eq!(
            scene.inside("cat .env.dev").succeeded().stdout,
            scene.read(".env.dev")
        );
        assert_eq!(
            scene.inside_of("prod", "cat .env.prod").code,
            Some(0),
            "prod reads its own"
        );
    });
}

/// A file that the manifest says is prod's is hidden like one whose name says it.
#[test]
fn a_declared_file_of_another_environment_is_denied() {
    scenario(&[], |scene| {
        scene.write("deploy/prod.env", format!("TOKEN={SECRET}\n"));
        let manifest =
            "version = 1\n[environments]\ndev = {}\nprod = { files = [\"deploy/prod.env\"] }\n";
        scene.write("ringfence.toml", manifest);
        scene.hidden("cat deploy/prod.env", DENIED);
    });
}

/// The project may lie below `/tmp`, which is fresh inside: it is there, and its secrets are not.
#[test]
fn a_project_below_tmp_is_bound_back() {
    scenario(&[], |scene| {
        scene
            .plain("mkdir /tmp/mine && cp -a . /tmp/mine/project && echo x >/tmp/other")
            .succeeded();
        let start = format!(
            "cd /tmp/mine/project; {} run dev -- sh -c",
            crate::scene::BINARY
        );
        let outcome = scene.plain(&format!(
            "{start} 'cat .env.dev; echo mine >written; cat /tmp/other'"
        ));
        assert!(outcome.stdout.contains("DB_URL"), "{outcome:?}");
        outcome.failed(&["No such file"]);
        assert_eq!(
            fs::read_to_string("/tmp/mine/project/written").unwrap(),
            "mine\n"
        );
        let outcome = scene.plain(&format!("{start} 'cat .env.prod'"));
        assert!(!outcome.stdout.contains(SECRET), "{outcome:?}");
        outcome.failed(DENIED);
    });
}

/// Scenario 10: nothing leads through the first process.
#[test]
fn s10_the_first_process_shows_nothing() {
    scenario(&[], |scene| {
        let mut other = scene.spawn(&["sleep", "600"]);
        let id = other.id();
        // Until it has become the program it cannot be looked into.
        let name = format!("/proc/{id}/comm");
        eventually("the process", || {
            fs::read_to_string(&name).unwrap() == "sleep\n"
        });
        let plain = [
            format!("cat /proc/{id}/root$PWD/.env.prod"),
            format!("ls -l /proc/{id}/fd"),
            format!("tr '\\0' '\\n' </proc/{id}/environ"),
        ];
        for script in plain {
            scene.plain(&script).succeeded();
            let script = script.replace(&format!("/proc/{id}/"), "/proc/1/");
            scene.shows_nothing(&script, DENIED);
        }
        scene.shows_nothing("cat /proc/self/root$PWD/.env.prod", DENIED);
        scene.shows_nothing("cat /proc/$PPID/root$PWD/.env.prod", DENIED);
        scene.shows_nothing("cat /proc/1/cwd/.env.prod", DENIED);
        assert!(other.lives());
    });
}

/// Starts a reader of `path` inside, replaces things while it runs, and returns what it counted.
fn read_while(scene: &Scene, path: &str, replace: impl Fn(u32)) -> String {
    for stamp in ["reading", "enough"] {
        let _ = fs::remove_file(scene.path(stamp));
    }
    let script = format!("exec /usr/bin/python3 attacks/files.py reader {path} {SECRET} 10");
    thread::scope(|scope| {
        let reader = scope.spawn(|| scene.inside(&script));
        eventually("the reader", || {
            scene.path("reading").exists() || reader.is_finished()
        });
        for round in 0..20 {
            replace(round);
            thread::sleep(Duration::from_millis(40));
        }
        scene.write("enough", "");
        reader.join().unwrap().stdout
    })
}

/// Scenario 11: a hidden folder stays hidden while the host replaces the file and the folder in it by rename.
#[test]
fn s11_a_replaced_secret_stays_hidden() {
    scenario(&["python3"], |scene| {
        let path = ".ringfence/secrets/prod/key.pem";
        let plain = format!(
            "(sleep 0.2; touch enough) & /usr/bin/python3 attacks/files.py reader {path} {SECRET} 0"
        );
        assert!(!scene.plain(&plain).succeeded().stdout.contains("hits 0\n"));
        scene.hidden(&format!("cat {path}"), DENIED);
        let counted = read_while(scene, path, |round| {
            if round % 2 == 0 {
                scene.write(".ringfence/new", SECRET);
                fs::rename(scene.path(".ringfence/new"), scene.path(path)).unwrap();
            } else {
                scene.write(".ringfence/fresh/key.pem", SECRET);
                let (folder, old) = (
                    scene.path(".ringfence/secrets/prod"),
                    format!(".ringfence/old{round}"),
                );
                fs::rename(&folder, scene.path(&old)).unwrap();
                fs::rename(scene.path(".ringfence/fresh"), &folder).unwrap();
                fs::remove_dir_all(scene.path(&old)).unwrap();
            }
        });
        assert!(counted.starts_with("hits 0\n"), "{counted}");
        assert_eq!(scene.read(path), SECRET);
    });
}

/// Scenario 11, for a plaintext file in the project itself: the mask comes back after the host has replaced the file.
#[test]
fn s11_a_replaced_plaintext_file_is_masked_again() {
    scenario(&["python3"], |scene| {
        let text = scene.read(".env.prod");
        let counted = read_while(scene, ".env.prod", |_| {
            scene.write(".replacement", &text);
            fs::rename(scene.path(".replacement"), scene.path(".env.prod")).unwrap();
        });
        assert!(counted.contains("last denied"), "{counted}");
        let share = counted.lines().find_map(|line| line.strip_prefix("share "));
        let share: f64 = share.unwrap().parse().unwrap();
        assert!(
            share < 0.2,
            "each replacement shows for a moment at most: {counted}"
        );
    });
}

/// An environment reads its own secrets: what is hidden is the others'.
#[test]
fn an_environment_reads_its_own_secrets() {
    scenario(&[], |scene| {
        let own = scene.inside("cat .ringfence/secrets/dev/key.pem");
        assert_eq!(own.succeeded().stdout, "dev key\n");
        let listed = scene.inside("ls -R .ringfence/secrets");
        assert!(!listed.stdout.contains("prod/key"), "{listed:?}");
    });
}

/// Scenario 12: no link, no move, and no copy of a parent shows it.
#[test]
fn s12_links_and_moves_show_nothing() {
    scenario(&[], |scene| {
        for (attack, undo) in [
            ("ln .env.prod x && cat x", "rm x"),
            ("mv .env.prod y && cat y", "mv y .env.prod"),
            ("mv .ringfence z && cat z/secrets/prod/*", "mv z .ringfence"),
            (
                "mv .ringfence/secrets z && cat z/prod/*",
                "mv z .ringfence/secrets",
            ),
            ("cp -a . ../copy; cat ../copy/.env.prod", "rm -r ../copy"),
            ("tar -cf - . | tar -xOf - ./.env.prod", "true"),
        ] {
            let control = scene.plain(attack);
            assert!(control.stdout.contains(SECRET), "{attack}: {control:?}");
            scene.plain(undo).succeeded();
            let words = [FIXED, &["Not found in archive", "No such file"]].concat();
            scene.shows_nothing(attack, &words);
            let _ = scene.plain(undo);
            assert!(scene.read(".env.prod").contains(SECRET), "{attack}");
            assert_eq!(
                scene.read(".ringfence/secrets/prod/key.pem"),
                SECRET,
                "{attack}"
            );
        }
        scene.never_shows(
            "mv ../project ../p2; cat ../p2/.env.prod ../project/.env.prod; mv ../p2 ../project",
        );
        assert!(scene.read(".env.prod").contains(SECRET));
    });
}

/// Scenario 13: what lies over the file cannot be taken off.
#[test]
fn s13_the_mask_cannot_be_taken_off() {
    scenario(&["python3"], |scene| {
        let off = "/usr/bin/python3 attacks/files.py umount .env.prod";
        let control = format!(
            "unshare -Urm sh -c 'mount --bind .env.dev .env.prod && {off} 0 && cat .env.prod'"
        );
        assert!(
            scene.plain(&control).stdout.contains(SECRET),
            "umount works where it may"
        );
        for flags in ["0", "2", "8"] {
            let script = format!("{off} {flags}; cat .env.prod");
            let outcome = scene.shows_nothing(&script, DENIED);
            assert!(outcome.stdout.contains("EPERM"), "{outcome:?}");
        }
        scene.shows_nothing(
            "umount .env.prod || umount -l .env.prod; cat .env.prod",
            DENIED,
        );
    });
}

/// Scenario 14: namespaces of its own give no way around.
#[test]
fn s14_a_nested_namespace_shows_nothing() {
    scenario(&[], |scene| {
        let bind = "unshare -Urm sh -c 'mount --bind . /mnt; cat /mnt/.env.prod'";
        assert!(scene.plain(bind).stdout.contains(SECRET));
        for script in [
            bind,
            "unshare -Urm sh -c 'mount --rbind . /mnt; cat /mnt/.env.prod'",
            "unshare -Urm sh -c 'umount .env.prod; cat .env.prod'",
            "unshare -Urm umount -l .env.prod; cat .env.prod",
            "unshare -Urm sh -c 'umount -l $PWD; umount -l $PWD/.ringfence; cat .env.prod .ringfence/secrets/prod/*'",
            "unshare -Urmpf --mount-proc cat /proc/1/cwd/.env.prod",
            "bwrap --bind / / cat .env.prod",
            "bwrap --bind . /mnt cat /mnt/.env.prod",
        ] {
            scene.never_shows(script);
        }
    });
}

/// Scenario 16: what decides about the barrier, and what runs later outside of it, is read-only.
#[test]
fn s16_what_guards_the_project_is_read_only() {
    scenario(&[], |scene| {
        for path in [
            "ringfence.toml",
            ".ringfence/notes",
            ".git/hooks/pre-commit",
            ".git/config",
            ".envrc",
            ".vscode/settings.json",
            ".idea/workspace.xml",
        ] {
            scene.repelled(&format!("echo '# plain' >> {path}"), READ_ONLY);
            scene.repelled(
                &format!("cp {path} n; echo '# plain' >> n; mv n {path}"),
                FIXED,
            );
            scene.inside(&format!("rm -f {path}")).failed(FIXED);
            assert!(
                scene.read(path).contains("# plain"),
                "{path} is as the control left it"
            );
        }
        scene.plain("git config core.editor plain").succeeded();
        let words = [FIXED, &["could not lock config file"]].concat();
        scene.inside("git config core.fsmonitor x").failed(&words);
        scene.inside("mkdir .ringfence/new").failed(READ_ONLY);
        assert!(!scene.read(".git/config").contains("fsmonitor"));
        scene
            .inside("echo x >mine; git add mine; git commit -qm mine")
            .succeeded();
    });
}

/// What the manifest runs to get a value runs outside of any barrier, for another environment as well.
#[test]
fn a_command_that_gives_a_value_cannot_be_changed() {
    scenario(&[], |scene| {
        scene.write("tools/value.sh", "echo value\n");
        let manifest = "version = 1\n[environments]\ndev = {}\nprod = {}\n[settings]\nTOKEN = { required = false, \
                        from = { in.prod = { command = [\"sh\", \"tools/value.sh\"] } } }\n";
        scene.write("ringfence.toml", manifest);
        scene.repelled("echo '# plain' >> tools/value.sh", READ_ONLY);
        scene.inside("mv tools other").failed(FIXED);
        scene.inside("rm -f tools/value.sh").failed(FIXED);
    });
}

/// Scenario 16, from above: a folder that holds something read-only cannot be moved away and made anew.
#[test]
fn s16_a_guarded_folders_parent_cannot_be_replaced() {
    scenario(&[], |scene| {
        let attack = "mv .git .git.old; mkdir -p .git/hooks; echo attack >.git/hooks/pre-commit; echo '[core]' >.git/config";
        scene
            .plain(&attack.replace(".git", ".control"))
            .code
            .unwrap();
        assert!(scene.read(".control/hooks/pre-commit").contains("attack"));
        let _ = scene.inside(attack);
        let hook = fs::read_to_string(scene.path(".git/hooks/pre-commit")).unwrap_or_default();
        assert!(
            !hook.contains("attack"),
            "the host's next commit runs what was written inside"
        );
        let _ = scene.inside("mv .git .git.old");
        assert!(
            scene.path(".git/hooks").exists(),
            "what the host guards has been moved away"
        );
    });
}

/// The same for the project's own folder: nobody puts another project in its place.
#[test]
fn the_projects_folder_cannot_be_replaced() {
    scenario(&[], |scene| {
        let attack =
            "mv ../project ../p2; mkdir ../project; echo attack >../project/ringfence.toml";
        scene
            .plain("mkdir ../control; mv ../control ../c2; mkdir ../control")
            .succeeded();
        let outcome = scene.inside(attack);
        let manifest = fs::read_to_string(scene.path("ringfence.toml")).unwrap_or_default();
        assert!(
            manifest.contains("version"),
            "another manifest is in its place: {outcome:?}"
        );
    });
}

/// Scenario 19: what the caller had open is not there.
#[test]
fn s19_inherited_descriptors_are_closed() {
    scenario(&[], |scene| {
        let opened = "exec 9<.env.prod 8<. 7<../home/.ssh";
        let run = |script: &str| {
            scene.plain(&format!(
                "{opened}; exec {} run dev -- sh -c '{script}'",
                crate::scene::BINARY
            ))
        };
        for script in [
            "cat <&9",
            "cat /proc/self/fd/9",
            "cat /proc/self/fd/8/.env.prod",
            "cat /proc/self/fd/7/id_ed25519",
        ] {
            let control = scene.plain(&format!("{opened}; {script}"));
            assert!(control.stdout.contains(SECRET), "{script}: {control:?}");
            let outcome = run(script);
            assert!(!outcome.stdout.contains(SECRET), "{script}: {outcome:?}");
            outcome.failed(&["ad file descriptor", "ad fd number", "No such file"]);
        }
        let outcome = run("ls /proc/self/fd | tr \"\\n\" \" \"").succeeded();
        assert_eq!(outcome.stdout, "0 1 2 3 ", "the last is the lister's own");
    });
}

/// Scenario 37: no handle opens what has no path.
#[test]
fn s37_no_file_opens_by_handle() {
    scenario(&["python3"], |scene| {
        let make = "/usr/bin/python3 attacks/files.py handle .env.prod >handle";
        scene.plain(make).succeeded();
        let open = "/usr/bin/python3 attacks/files.py by-handle $(cat handle)";
        if scene.who == Who::Root {
            assert!(
                scene.plain(open).stdout.contains(SECRET),
                "{:?}",
                scene.plain(open)
            );
        }
        scene.shows_nothing(open, &["EPERM", "EACCES", "ENOSYS"]);
    });
}

/// Scenario 40: a secret that git remembers can be read anywhere, so it is said before anything relies on the barrier.
#[test]
fn s40_a_tracked_secret_is_told() {
    scenario(&[], |scene| {
        scene
            .plain("git add -f .env.prod && git commit -qm x")
            .succeeded();
        assert!(
            scene
                .plain("git show HEAD:.env.prod")
                .stdout
                .contains(SECRET)
        );
        let doctor = scene.ringfence(&["doctor"]);
        let told = format!("{}{}", doctor.stdout, doctor.stderr);
        assert!(told.contains(".env.prod") && told.contains("git"), "{told}");
        assert_ne!(doctor.code, Some(0), "{told}");
        assert!(!told.contains(SECRET));
    });
}
