//! From nothing to the first sealed value, and all commands after it, as a new user goes.

use std::fs;

use crate::scene::{CANARY, Scene, fed, holds, ssh_key};
use crate::world::{Outcome, World};

/// A project with a plain production file and nothing else.
fn fresh() -> World {
    let world = World::new(&[
        (".env.dev", "DATABASE_URL=postgres://localhost/app\n"),
        (
            ".env.prod",
            "DATABASE_URL=postgres://app:cAnArY7x9Q2@db.example/app\nTOKEN='a b'\n",
        ),
    ]);
    fs::create_dir_all(world.home()).unwrap();
    world.var("USER", "ana")
}

/// The command between backticks that a hint begins with, or has behind `then`.
fn commands(outcome: &Outcome) -> Vec<String> {
    let hint = outcome.stderr.lines().find(|line| line.contains("hint: "));
    let parts = hint.unwrap_or_default().split('`');
    parts.skip(1).step_by(2).map(str::to_owned).collect()
}

/// Runs a line in a shell, `ringfence` on its path.
fn shell(world: &World, line: &str) -> Outcome {
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_ringfence"));
    let folder = folder.parent().unwrap().display();
    let mut command = world.any_command("sh");
    command
        .args(["-c", line])
        .env("PATH", format!("{folder}:/usr/bin:/bin"));
    Outcome::of(&command.output().unwrap())
}

#[test]
fn every_refusal_on_the_way_to_the_first_secret_says_the_commands_that_come_next() {
    for environment in ["dev", "prod"] {
        let world = fresh();
        let set = ["secret", "set", environment, "TOKEN"];
        let first = fed(world.command().args(set), "abc");
        holds(&first, 78, &["nobody may read", "nothing was written"]);
        let lines = commands(&first);
        assert_eq!(lines[0], "ringfence init");
        assert_eq!(lines[1], "ringfence secret keygen");
        for line in lines.iter().take(2) {
            assert_eq!(shell(&world, line).code, Some(0), "{line}");
        }
        // Now that there is a key, the hint has it in it.
        let second = fed(world.command().args(set), "abc");
        for line in commands(&second) {
            let line = line.replace("ssh-keygen", "ssh-keygen -q -N '' -f ~/.ssh/id_ed25519");
            let line = line.replace("-f ~/.ssh", "-f $HOME/.ssh");
            fs::create_dir_all(world.home().join(".ssh")).unwrap();
            let outcome = shell(&world, &line);
            assert_eq!(outcome.code, Some(0), "{line}: {outcome:?}");
        }
        let third = fed(world.command().args(set), "abc");
        assert_eq!(third.code, Some(0), "{third:?}");
        let value = world.ringfence(&["run", environment, "--", "printenv", "TOKEN"]);
        assert_eq!(value.stdout, "abc\n", "{value:?}");
    }
}

#[test]
fn an_environment_without_secrets_says_how_to_begin() {
    let world = fresh();
    for command in [
        &["secret", "list", "prod"][..],
        &["secret", "get", "prod", "A"],
        &["secret", "export", "prod"],
        &["secret", "unset", "prod", "A"],
        &["secret", "rotate", "prod"],
        &["secret", "seal", "prod"],
        &["secret", "verify", "prod"],
    ] {
        let outcome = world.ringfence(command);
        holds(
            &outcome,
            78,
            &[
                "`prod` has no sealed file",
                "ringfence secret set prod NAME",
            ],
        );
    }
    let all = world.ringfence(&["secret", "verify"]);
    holds(&all, 0, &["no environment has a sealed file"]);
    let unknown = world.ringfence(&["secret", "list", "production2"]);
    assert_eq!(unknown.code, Some(78));
}

#[test]
fn keygen_makes_a_private_file_once_and_says_what_comes_next() {
    use std::os::unix::fs::PermissionsExt;
    let world = fresh();
    let made = world.ringfence(&["secret", "keygen"]);
    holds(&made, 0, &["keep a copy", "ringfence secret grant ENV"]);
    assert!(made.stdout.starts_with("age1") && made.stdout.lines().count() == 1);
    let file = world.home().join(".config/ringfence/identity");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let folder = file.parent().unwrap().metadata().unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    let before = fs::read(&file).unwrap();
    let again = world.ringfence(&["secret", "keygen"]);
    holds(&again, 78, &["is there already", "--out FILE"]);
    assert_eq!(fs::read(&file).unwrap(), before);
    let secret = String::from_utf8(before).unwrap();
    let secret = secret.lines().last().unwrap();
    for text in [made.stdout, made.stderr, again.stdout, again.stderr] {
        assert!(!text.contains(secret));
    }
}

#[test]
fn a_value_is_asked_for_on_a_terminal_and_not_shown() {
    let scene = Scene::new();
    let set = ["secret", "set", "prod", "TOKEN"];
    let typed = scene.types("ana", &set, &["value of TOKEN in prod: ", "cAnArY7x9Q2\\n"]);
    assert_eq!(typed.code, Some(0), "{typed:?}");
    assert!(!typed.stdout.contains(CANARY), "{typed:?}");
    assert!(
        typed.stdout.contains("sealed .env.prod.enc, revision 1"),
        "{typed:?}"
    );
    let value = scene
        .fine("ana", &["secret", "get", "prod", "TOKEN"])
        .stdout;
    assert_eq!(value, CANARY);
}

#[test]
fn a_value_comes_through_a_pipe_with_one_lines_end_left_out() {
    let scene = Scene::new();
    for (piped, kept) in [
        ("abc", "abc"),
        ("abc\n", "abc"),
        ("abc\r\n", "abc"),
        ("abc\n\n", "abc\n"),
        ("\n", ""),
        (
            " a 'b' \"c\" $D `e` \\n # f ",
            " a 'b' \"c\" $D `e` \\n # f ",
        ),
        ("l1\nl2\n", "l1\nl2"),
    ] {
        scene.sets("dev", "TOKEN", piped);
        let value = scene.fine("ana", &["secret", "get", "dev", "TOKEN"]).stdout;
        assert_eq!(value, kept, "{piped:?}");
        let run = ["run", "dev", "--", "printenv", "TOKEN"];
        assert_eq!(scene.fine("ana", &run).stdout, format!("{kept}\n"));
    }
}

#[test]
fn a_value_on_the_command_line_is_refused() {
    let scene = Scene::new();
    for words in [
        &["secret", "set", "dev", "TOKEN=cAnArY7x9Q2"][..],
        &["secret", "set", "dev", "TOKEN", "cAnArY7x9Q2"],
        &["secret", "set", "dev", "TOKEN", "--value", "cAnArY7x9Q2"],
    ] {
        let outcome = scene.fails("ana", words, 2, &["command line", "nothing was written"]);
        assert!(!outcome.stderr.contains(CANARY), "{outcome:?}");
    }
    assert!(!scene.world.path(".env.dev.enc").exists());
}

#[test]
fn the_whole_way_as_one() {
    let scene = Scene::new();
    scene.sets("prod", "TOKEN", "one");
    scene.sets("prod", "OTHER", "it's");
    let list = scene.fine("eve", &["secret", "list", "prod"]);
    assert_eq!(list.stdout, "OTHER\nTOKEN\n");
    holds(
        &list,
        0,
        &["readable by ana, ben; revision 2 sealed by ana"],
    );
    let json = scene
        .fine("eve", &["secret", "list", "prod", "--json"])
        .stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["names"], serde_json::json!(["OTHER", "TOKEN"]));
    assert_eq!(json["seal"]["revision"], 2);
    assert_eq!(json["seal"]["person"], "ana");
    assert_eq!(scene.value("ben", "prod", "OTHER"), "it's");
    let verify = scene.fine("eve", &["secret", "verify"]);
    assert_eq!(
        verify.stdout,
        "holds  .env.prod.enc (prod): revision 2, sealed by ana\n"
    );
    scene.fails(
        "ben",
        &["secret", "export", "prod"],
        78,
        &["`OTHER`", "--format json"],
    );
    let export = scene.fine("ben", &["secret", "export", "prod", "--format", "json"]);
    let export: serde_json::Value = serde_json::from_str(&export.stdout).unwrap();
    assert_eq!(export["OTHER"], "it's");
    scene.fine("ana", &["secret", "unset", "prod", "OTHER"]);
    let export = scene.fine("ben", &["secret", "export", "prod"]).stdout;
    assert!(export.contains("TOKEN='one'\n") && !export.contains("OTHER"));
    scene.fails(
        "ana",
        &["secret", "unset", "prod", "OTHER"],
        78,
        &["`OTHER` is not in", "ringfence secret list prod"],
    );
    scene.fails(
        "ana",
        &["secret", "get", "prod", "OTHER"],
        78,
        &["`OTHER` is not in"],
    );
}

/// The lines of a sealed file that hold values or copies of the data key.
fn closed_lines(text: &str) -> Vec<&str> {
    let lines = text.lines();
    lines
        .filter(|line| line.contains("ENC[") || line.contains("map_enc="))
        .collect()
}

#[test]
fn rotating_changes_every_stanza_and_every_ciphertext() {
    let scene = Scene::sealed("A=1\nB=2\n");
    let before = scene.world.read(".env.prod.enc");
    scene.fine("ana", &["secret", "rotate", "prod"]);
    let after = scene.world.read(".env.prod.enc");
    for line in closed_lines(&before) {
        assert!(!after.contains(line), "{line}");
    }
    assert_eq!(closed_lines(&before).len(), closed_lines(&after).len());
    assert_eq!(scene.value("ben", "prod", "B"), "2");
}

#[test]
fn revoking_makes_a_new_data_key_and_names_what_to_reissue() {
    let scene = Scene::sealed("A=1\nB=2\n");
    let before = scene.world.read(".env.prod.enc");
    let revoked = scene.fine("ana", &["secret", "revoke", "prod", "ben"]);
    assert_eq!(revoked.stdout, "A\nB\n");
    holds(&revoked, 0, &["ben could read these", "re-issue"]);
    let after = scene.world.read(".env.prod.enc");
    for line in closed_lines(&before) {
        assert!(!after.contains(line), "{line}");
    }
    scene.refuses("ben", "prod", &["no key at hand opens it"]);
    scene.starts("ana", "prod");
    scene.fine("eve", &["secret", "verify"]);
    // What concerns one environment leaves the others alone.
    scene.starts("ben", "dev");
    scene.fails(
        "ana",
        &["secret", "revoke", "prod", "bne"],
        2,
        &["`bne` is nobody", "nothing was changed", "ana, ben"],
    );
    let again = scene.fine("ana", &["secret", "revoke", "prod", "ben"]);
    assert_eq!(again.stdout, "");
    holds(&again, 0, &["nothing has to be re-issued"]);
    scene.fails(
        "ana",
        &["secret", "revoke", "prod", "ana"],
        78,
        &["`ana` is the last who can read `prod`", "secret grant prod"],
    );
}

#[test]
fn who_is_let_in_can_read_and_a_new_key_is_told_where_files_are_behind() {
    let scene = Scene::sealed("A=1\n");
    scene.refuses(
        "eve",
        "prod",
        &["no key at hand opens it", "secret grant prod"],
    );
    let key = scene.age("eve");
    let grant = ["secret", "grant", "prod", "eve", "--key", &key];
    let granted = scene.fine("ana", &grant);
    holds(&granted, 0, &["can read it now: eve"]);
    assert_eq!(scene.value("eve", "prod", "A"), "1");
    scene.fine("ana", &["secret", "verify"]);
    // A second key of Ben's counts everywhere that Ben reads.
    let file = scene.home("eve").join("second");
    ssh_key(&file, "");
    let second = fs::read_to_string(file.with_extension("pub")).unwrap();
    let grant = ["secret", "grant", "prod", "ben", "--key", second.trim()];
    let granted = scene.fine("ana", &grant);
    holds(
        &granted,
        0,
        &[
            "`dev` is not sealed for every key",
            "ringfence secret rotate dev",
        ],
    );
    scene.fine("ana", &["secret", "rotate", "dev"]);
    scene.fine("ana", &["secret", "verify"]);
}

#[test]
fn a_private_key_is_no_public_one() {
    let scene = Scene::new();
    let secret = scene.age_secret("eve");
    let grant = ["secret", "grant", "prod", "eve", "--key", &secret];
    let refused = scene.fails("ana", &grant, 2, &["no public key", "keygen"]);
    assert!(!refused.stderr.contains(&secret));
    assert!(!scene.world.read("ringfence.toml").contains(&secret));
}

#[test]
fn a_key_in_the_manifest_that_is_none_is_told_and_not_shown() {
    let scene = Scene::sealed("A=1\n");
    let (good, secret) = (scene.age("ana"), scene.age_secret("eve"));
    for bad in ["age1mistyped", secret.as_str(), "ssh-rsa AAAA", ""] {
        let honest = scene.world.read("ringfence.toml");
        let both = format!("{good}\", \"{bad}");
        scene.change("ringfence.toml", &good, &both);
        let set = scene.pipes("ana", &["secret", "set", "dev", "A"], "2");
        assert_eq!(set.code, Some(78), "{bad}: {set:?}");
        assert!(set.stderr.contains("ringfence.toml"), "{set:?}");
        assert!(bad.is_empty() || !set.stderr.contains(bad), "{set:?}");
        let verify = scene.says("eve", &["secret", "verify"]);
        assert!(matches!(verify.code, Some(1 | 78)), "{bad}: {verify:?}");
        scene.world.write("ringfence.toml", honest);
    }
    assert_eq!(scene.value("ana", "dev", "A"), "1");
}

#[test]
fn who_cannot_seal_is_told_before_anything_is_asked_or_written() {
    let scene = Scene::sealed("A=1\n");
    let before = scene.world.read(".env.prod.enc");
    let outcome = scene.pipes("ben", &["secret", "set", "prod", "A"], "2");
    holds(
        &outcome,
        4,
        &[
            "no key at hand seals for `prod`",
            "ana",
            "nothing was written",
        ],
    );
    assert_eq!(scene.world.read(".env.prod.enc"), before);
    // Nobody at all may edit staging.
    scene.declare("staging.read-secret = [\"ana\"]\n");
    let typed = scene.types("ana", &["secret", "set", "staging", "A"], &[]);
    assert_eq!(typed.code, Some(78), "{typed:?}");
    assert!(typed.stdout.contains("whose seal counts"), "{typed:?}");
    assert!(!typed.stdout.contains("value of"), "{typed:?}");
}

/// A project whose files git knows, or not.
fn repository(tracked: bool) -> Scene {
    let scene = Scene::new();
    scene
        .world
        .write(".env.prod", "A=1\nB=\"two words\"\nC=${A}x\n");
    fs::remove_dir_all(scene.world.path(".git")).unwrap();
    let mut words = vec![vec!["init", "-q"]];
    if tracked {
        words.push(vec!["add", ".env.prod"]);
    }
    for words in words {
        let mut git = scene.world.any_command("git");
        assert!(git.args(words).status().unwrap().success());
    }
    scene
}

#[test]
fn importing_says_what_git_still_has() {
    let scene = repository(true);
    let imported = scene.fine("ana", &["secret", "import", "prod"]);
    holds(
        &imported,
        0,
        &[
            "3 settings were sealed",
            "git rm --cached .env.prod",
            "re-issue each secret in it",
            "rm .env.prod",
        ],
    );
    let scene = repository(false);
    let imported = scene.fine("ana", &["secret", "import", "prod"]);
    assert!(!imported.stderr.contains("git rm"), "{imported:?}");
    holds(&imported, 0, &["rm .env.prod"]);
    fs::remove_file(scene.world.path(".env.prod")).unwrap();
    assert_eq!(scene.value("ben", "prod", "C"), "1x");
    assert_eq!(scene.value("ben", "prod", "B"), "two words");
}

#[test]
fn importing_what_is_sealed_or_missing_or_broken_is_refused() {
    let scene = Scene::sealed("A=1\n");
    let import = |file: &str| ["secret", "import", "prod", file].map(str::to_owned);
    for (file, text, code, words) in [
        ("none", None, 2, "`none` cannot be read"),
        ("broken", Some("A=\"cAnArY7x9Q2\n"), 78, "broken"),
        ("other", Some("A=ENC[AES256_GCM,data:x]\n"), 78, "`A`"),
    ] {
        if let Some(text) = text {
            scene.world.write(file, text);
        }
        let words_of = import(file);
        let words_of: Vec<&str> = words_of.iter().map(String::as_str).collect();
        let outcome = scene.fails("ana", &words_of, code, &[words]);
        assert!(!outcome.stderr.contains(CANARY), "{outcome:?}");
    }
    let sealed = ["secret", "import", "dev", ".env.prod.enc"];
    scene.fails("ana", &sealed, 78, &["is sealed already"]);
}

#[test]
fn a_new_sealed_file_that_git_leaves_out_is_told_once() {
    let scene = repository(false);
    scene.world.write(".gitignore", "node_modules\n.env*\n");
    let import = ["secret", "import", "prod"];
    let words = [
        "git leaves it out",
        "`!.env.prod.enc` and `!.env.prod.enc.seal`",
    ];
    holds(&scene.fine("ana", &import), 0, &words);
    let again = scene.fine("ana", &import);
    assert!(!again.stderr.contains("leaves it out"), "{again:?}");
    scene.world.write(".gitignore", ".env*\n!.env.*.enc\n");
    let set = scene.pipes("ana", &["secret", "set", "dev", "A"], "1");
    assert!(!set.stderr.contains("leaves it out"), "{set:?}");
}

#[test]
fn an_environments_other_names_and_a_linked_file_are_the_same() {
    let scene = Scene::sealed("A=1\n");
    scene
        .world
        .write("kept/prod.enc", scene.world.read(".env.prod.enc"));
    let link = scene.world.path(".env.prod.enc");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("kept/prod.enc", &link).unwrap();
    let set = ["secret", "set", "production", "A"];
    let outcome = scene.pipes("ana", &set, "2");
    holds(&outcome, 0, &["sealed .env.prod.enc, revision 2"]);
    assert!(link.is_symlink());
    assert_eq!(scene.value("ben", "prod", "A"), "2");
    assert!(scene.world.read("kept/prod.enc").contains("sops_mac"));
}

#[test]
fn values_and_names_that_cannot_be_are_refused() {
    let scene = Scene::new();
    let piped =
        |name: &str, value: &str| scene.pipes("ana", &["secret", "set", "dev", name], value);
    holds(&piped("A", "a\0b"), 2, &["NUL", "base64"]);
    holds(
        &piped("A", &"x".repeat((1 << 20) + 1)),
        2,
        &["larger than 1 MiB"],
    );
    holds(
        &piped("1A", "x"),
        2,
        &["`1A` cannot be the name of a setting"],
    );
    holds(
        &piped("A-B", "x"),
        2,
        &["`A-B` cannot be the name of a setting"],
    );
    holds(
        &piped("RINGFENCE_ENVIRONMENT", "prod"),
        2,
        &["a name of Ringfence's own"],
    );
    holds(&piped("A_unencrypted", "x"), 78, &["in the clear"]);
    assert!(!scene.world.path(".env.dev.enc").exists());
    // `pass show … | ringfence secret set …`, where `pass` fails.
    scene.sets("dev", "A", "kept");
    holds(&piped("A", ""), 2, &["nothing came through the pipe"]);
    assert_eq!(scene.value("ana", "dev", "A"), "kept");
}

#[test]
fn several_sealed_files_of_one_environment_are_a_question() {
    let scene = Scene::sealed("A=1\n");
    scene
        .world
        .write("secrets/prod.env", scene.world.read(".env.prod.enc"));
    for words in [
        &["secret", "list", "prod"][..],
        &["secret", "rotate", "prod"],
    ] {
        scene.fails(
            "ana",
            words,
            78,
            &[
                "several sealed files",
                "`.env.prod.enc`",
                "`secrets/prod.env`",
                "[secrets]",
            ],
        );
    }
    scene.refuses("ana", "prod", &[".env.prod.enc", "secrets/prod.env"]);
}

#[test]
fn what_does_not_hold_is_printed_as_json_where_that_is_asked_for() {
    let scene = Scene::new();
    let list = ["secret", "list", "prod", "--json"];
    let outcome = scene.fails("ana", &list, 78, &["no sealed file"]);
    assert_eq!(outcome.stdout, "");
    scene.seal("prod", "A=1\n");
    scene.change(".env.prod.enc", "A=ENC", "B=\nA=ENC");
    let outcome = scene.says("eve", &["secret", "verify", "--json"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(json["files"][0]["file"], ".env.prod.enc");
    assert!(
        json["files"][0]["problems"][0]
            .as_str()
            .unwrap()
            .contains("`B`")
    );
}

/// Who lets somebody in cannot lock themselves out by it unseen.
/// Whoever has another's key would go on reading.
#[test]
fn a_key_of_two_people_is_not_revoked_from_one() {
    let scene = Scene::sealed("A=1\n");
    let key = scene.age("ben");
    scene.fine("ana", &["secret", "grant", "prod", "deploy", "--key", &key]);
    scene.fails(
        "ana",
        &["secret", "revoke", "prod", "ben"],
        78,
        &["a key of `deploy`, too", "nothing was changed"],
    );
    scene.starts("ben", "prod");
}

#[test]
fn names_and_keys_of_several_lines_are_refused() {
    let scene = Scene::new();
    let before = scene.world.read("ringfence.toml");
    let (key, ssh) = (scene.age("eve"), scene.ssh("eve") + "\nmore");
    for (person, key) in [
        ("", &key),
        ("a\nb", &key),
        ("\u{1b}[2J", &key),
        ("eve", &ssh),
    ] {
        let words = ["secret", "grant", "dev", person, "--key", key];
        scene.fails("ana", &words, 2, &["nothing was written"]);
    }
    assert_eq!(scene.world.read("ringfence.toml"), before);
}

#[test]
fn letting_somebody_in_where_nobody_was_named_says_who_goes_out() {
    if crate::scene::sops().is_none() {
        return;
    }
    let scene = Scene::new();
    scene
        .world
        .write("plain.env", "A=1\nRINGFENCE_ENVIRONMENT=test\n");
    let age = scene.age("ana");
    let sealed = scene.sops("ana", &["encrypt", "--age", &age, "plain.env"]);
    scene.world.write(".env.test.enc", sealed);
    assert_eq!(scene.value("ana", "test", "A"), "1");
    let before = scene.world.read(".env.test.enc");
    let grant = scene.says("ana", &["secret", "grant", "test", "ben"]);
    holds(
        &grant,
        78,
        &["ana", "could not open it any more", "secret grant test ana"],
    );
    assert_eq!(scene.world.read(".env.test.enc"), before);
    scene.fine("ana", &["secret", "grant", "test", "ana"]);
    scene.fine("ana", &["secret", "grant", "test", "ben"]);
    assert_eq!(scene.value("ben", "test", "A"), "1");
}
