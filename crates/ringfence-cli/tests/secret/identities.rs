//! Keys that open, keys that seal, and keys that are left alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::scene::{Scene, holds, ssh_key};
use crate::world::Outcome;

const GET: [&str; 4] = ["secret", "get", "dev", "A"];

/// A scene in which Ana has no key in a usual place any more; her age key is returned.
fn without_keys() -> (Scene, String) {
    let scene = Scene::sealed("A=opened\n");
    let key = scene.age_secret("ana");
    fs::remove_file(scene.identity("ana")).unwrap();
    fs::remove_dir_all(scene.home("ana").join(".ssh")).unwrap();
    scene.fails(
        "ana",
        &GET,
        78,
        &[
            "no key at hand opens it",
            "keys are looked for in",
            "secret grant dev",
        ],
    );
    (scene, key)
}

fn private(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[track_caller]
fn opens(scene: &Scene, variables: &[(&str, &str)]) {
    let mut command = scene.command("ana", &GET);
    command.envs(variables.iter().copied());
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!(outcome.stdout, "opened", "{outcome:?}");
}

#[test]
fn age_keys_are_found_in_every_place() {
    let (scene, key) = without_keys();
    opens(&scene, &[("SOPS_AGE_KEY", &key)]);
    opens(&scene, &[("SOPS_AGE_KEY", &format!("# mine\n\n{key}\n"))]);
    let file = scene.world.home().join("kept.txt");
    private(&file, &format!("# created: …\n{key}\n"));
    opens(&scene, &[("SOPS_AGE_KEY_FILE", file.to_str().unwrap())]);
    for place in [".config/sops/age/keys.txt", ".config/ringfence/identity"] {
        let file = scene.home("ana").join(place);
        private(&file, &format!("{key}\n"));
        opens(&scene, &[]);
        fs::remove_file(file).unwrap();
    }
    let elsewhere = scene.world.home().join("xdg");
    private(&elsewhere.join("sops/age/keys.txt"), &key);
    opens(&scene, &[("XDG_CONFIG_HOME", elsewhere.to_str().unwrap())]);
}

#[test]
fn the_right_key_is_found_among_others() {
    let (scene, key) = without_keys();
    let others = format!("{}\n{}\n", scene.age_secret("eve"), key);
    opens(&scene, &[("SOPS_AGE_KEY", &others)]);
    // One that cannot be used beside it is no matter, in the same place or another.
    let plugin = "AGE-PLUGIN-YUBIKEY-1QYQSZQGPQYQSZQGPQYQSZQGPA2L47Z";
    for beside in [plugin, "AGE-SECRET-KEY-1BROKEN", "what is this"] {
        opens(&scene, &[("SOPS_AGE_KEY", &format!("{beside}\n{key}\n"))]);
    }
    private(&scene.identity("ana"), &key);
    opens(&scene, &[("SOPS_AGE_KEY", &scene.age_secret("eve"))]);
    opens(&scene, &[("SOPS_AGE_KEY", "AGE-SECRET-KEY-1BROKEN")]);
}

#[test]
fn keys_that_cannot_be_used_are_named_without_being_shown() {
    let (scene, _) = without_keys();
    let mut command = scene.command("ana", &GET);
    command
        .env("SOPS_AGE_KEY", "AGE-SECRET-KEY-1CANARY")
        .env("SOPS_AGE_KEY_FILE", "/nowhere/keys");
    let outcome = Outcome::of(&command.output().unwrap());
    holds(
        &outcome,
        78,
        &["`SOPS_AGE_KEY` is left out", "`/nowhere/keys` is left out"],
    );
    assert!(!outcome.stderr.contains("CANARY"), "{outcome:?}");
    let wrong = scene.fails("eve", &GET, 78, &["no key at hand opens it"]);
    assert!(!wrong.stderr.contains("is left out"), "{wrong:?}");
}

#[test]
fn keys_that_others_can_read_are_left_out_as_ssh_does() {
    let (scene, key) = without_keys();
    let file = scene.identity("ana");
    private(&file, &key);
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let words = ["others can read it", "chmod 600", "identity"];
        scene.fails("ana", &GET, 78, &words);
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    opens(&scene, &[]);
    // The same for a key that seals.
    let key = scene.home("ben").join(".ssh/id_ed25519");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    scene.fails(
        "ben",
        &["secret", "seal", "dev"],
        4,
        &["others can read it", "chmod 600"],
    );
}

#[test]
fn an_ssh_key_opens() {
    let scene = Scene::sealed("A=opened\n");
    fs::remove_file(scene.identity("ana")).unwrap();
    opens(&scene, &[]);
    let key = scene.home("ana").join(".ssh/id_ed25519");
    let moved = scene.world.home().join("moved");
    fs::rename(key, &moved).unwrap();
    opens(
        &scene,
        &[("SOPS_AGE_SSH_PRIVATE_KEY_FILE", moved.to_str().unwrap())],
    );
}

/// A scene in which Ana's only key is an ssh key with a passphrase.
fn with_passphrase() -> Scene {
    let scene = Scene::new();
    fs::remove_file(scene.home("ana").join(".ssh/id_ed25519")).unwrap();
    fs::remove_file(scene.home("ana").join(".ssh/id_ed25519.pub")).unwrap();
    ssh_key(&scene.home("ana").join(".ssh/id_ed25519"), "open sesame");
    scene.manifest("");
    scene.sets("dev", "A", "opened");
    fs::remove_file(scene.identity("ana")).unwrap();
    scene
}

#[test]
fn a_passphrase_is_asked_for_on_a_terminal() {
    let scene = with_passphrase();
    let typed = scene.types("ana", &GET, &["passphrase of", "open sesame\\n"]);
    assert!(typed.stdout.contains("opened"), "{typed:?}");
    assert!(!typed.stdout.contains("sesame"), "{typed:?}");
    let wrong = scene.types("ana", &GET, &["passphrase of", "cAnArY7x9Q2\\n"]);
    assert_eq!(wrong.code, Some(78), "{wrong:?}");
    assert!(
        wrong.stdout.contains("id_ed25519` is left out"),
        "{wrong:?}"
    );
    assert!(!wrong.stdout.contains("cAnArY"), "{wrong:?}");
    // Where there is no terminal, nothing waits for one.
    let mut command = scene.world.any_command("setsid");
    command
        .arg("-w")
        .arg(env!("CARGO_BIN_EXE_ringfence"))
        .args(GET);
    command.env("HOME", scene.home("ana"));
    let outcome = Outcome::of(&command.output().unwrap());
    holds(&outcome, 78, &["no key at hand", "id_ed25519` is left out"]);
}

/// The gateway of a run has no terminal: a change that would ask for the passphrase again is not taken, and that is said.
#[test]
fn a_changed_configuration_asks_for_no_passphrase_again() {
    let scene = with_passphrase();
    scene.declare("[flags]\non = false\n");
    const SCRIPT: &str =
        "sed -i 's/on = false/on = true/' ringfence.toml; sleep 1.5; echo $A > seen; tty";
    let words = ["run", "dev", "--no-barrier", "--", "sh", "-c", SCRIPT];
    let typed = scene.types("ana", &words, &["passphrase of", "open sesame\\n"]);
    assert_eq!(typed.code, Some(0), "{typed:?}");
    assert_eq!(
        typed.stdout.matches("passphrase of").count(),
        1,
        "{typed:?}"
    );
    let words = "ringfence: the gateway: the new configuration is refused, and 1 is still served: ";
    let said = typed.stdout.lines().find(|line| line.starts_with(words));
    assert!(
        said.is_some_and(|line| line.contains("no key at hand")),
        "{typed:?}"
    );
    assert_eq!(scene.world.read("seen"), "opened\n");
}

#[test]
fn a_passphrase_is_asked_for_to_seal() {
    let scene = with_passphrase();
    let steps = [
        "passphrase of",
        "open sesame\\n",
        "passphrase of",
        "open sesame\\n",
    ];
    let typed = scene.types("ana", &["secret", "seal", "dev"], &steps);
    assert_eq!(typed.code, Some(0), "{typed:?}");
    assert!(typed.stdout.contains("revision 1"), "{typed:?}");
}

/// A prompt that is left with Ctrl-C leaves the terminal as it was, and the process ends of the signal.
#[test]
fn ctrl_c_at_a_prompt_gives_the_terminal_back() {
    let scene = Scene::new();
    let line = format!(
        "stty -a >before; {} secret set dev A; echo \"code $?\"; stty -a >after",
        env!("CARGO_BIN_EXE_ringfence")
    );
    let mut command = scene.typing("ana", &["value of", "half\\x03"]);
    command.args(["sh", "-c", &format!("trap : INT; {line}")]);
    let outcome = Outcome::of(&command.output().unwrap());
    assert!(outcome.stdout.contains("code 130"), "{outcome:?}");
    assert_eq!(scene.world.read("before"), scene.world.read("after"));
    assert!(!scene.world.path(".env.dev.enc").exists());
}

#[test]
fn a_prompt_takes_no_part_of_a_value() {
    let scene = Scene::new();
    let set = ["secret", "set", "dev", "A"];
    let lines = ["value of", "-----BEGIN KEY-----\\nabc\\ndef"];
    let typed = scene.types("ana", &set, &lines);
    assert_eq!(typed.code, Some(2), "{typed:?}");
    assert!(typed.stdout.contains("more than one line"), "{typed:?}");
    let long = format!("{}\\n", "x".repeat(5000));
    let typed = scene.types("ana", &set, &["value of", &long]);
    assert_eq!(typed.code, Some(2), "{typed:?}");
    assert!(typed.stdout.contains("pipe it in"), "{typed:?}");
    let typed = scene.types("ana", &set, &["value of", "a\\x1a\\n"]);
    assert!(typed.stdout.contains("control character"), "{typed:?}");
    assert!(!scene.world.path(".env.dev.enc").exists());
    let longest = format!("{}\\n", "x".repeat(4000));
    let typed = scene.types("ana", &set, &["value of", &longest]);
    assert_eq!(typed.code, Some(0), "{typed:?}");
    assert_eq!(scene.fine("ana", &GET).stdout.len(), 4000);
}

#[test]
fn a_command_in_a_variable_is_not_run_and_that_is_told() {
    let (scene, key) = without_keys();
    let mut command = scene.command("ana", &GET);
    command.env("SOPS_AGE_KEY_CMD", "touch ran");
    let outcome = Outcome::of(&command.output().unwrap());
    holds(
        &outcome,
        78,
        &["`SOPS_AGE_KEY_CMD` is not run", "SOPS_AGE_KEY="],
    );
    assert!(!scene.world.path("ran").exists());
    opens(
        &scene,
        &[("SOPS_AGE_KEY_CMD", "touch ran"), ("SOPS_AGE_KEY", &key)],
    );
}

/// A plugin is a program that a file could name; nothing of Ringfence runs one.
#[test]
fn plugins_are_never_run() {
    let (scene, _) = without_keys();
    let age = {
        let text = scene.world.read(".env.dev.enc");
        let mut keys = text
            .lines()
            .filter_map(|line| line.split_once("_recipient="));
        keys.next().unwrap().1.to_owned()
    };
    let planted = "#!/bin/sh\ntouch \"$(dirname \"$0\")/../was-run\"\n";
    for name in ["age-plugin-evil", "age-plugin-yubikey", "age-plugin-x"] {
        scene.script(&format!("bin/{name}"), planted);
    }
    let path = format!("{}:/usr/bin:/bin", scene.world.path("bin").display());
    let plugin = "AGE-PLUGIN-EVIL-1QYQSZQGPQYQSZQGPQYQSZQGPA2L47Z";
    let try_all = |key: &str| {
        for words in [
            &GET[..],
            &["run", "dev", "--", "true"],
            &["secret", "verify", "dev"],
            &["secret", "set", "dev", "A"],
        ] {
            let mut command = scene.command("ana", words);
            command.env("PATH", &path).env("SOPS_AGE_KEY", key);
            let outcome = Outcome::of(&command.output().unwrap());
            assert_ne!(outcome.code, Some(70), "{outcome:?}");
        }
    };
    try_all(plugin);
    let mut command = scene.command("ana", &GET);
    command.env("SOPS_AGE_KEY", plugin);
    let outcome = Outcome::of(&command.output().unwrap());
    holds(
        &outcome,
        78,
        &["`SOPS_AGE_KEY` is left out", "plug-ins are not run"],
    );
    // Nor because the file names one among its recipients.
    let text = scene.world.read(".env.dev.enc");
    scene.world.write(
        ".env.dev.enc",
        text.replace(&age, "age1evil1qyqszqgpqyqszqgpqyqszqgpkgcqf7"),
    );
    try_all(&scene.age_secret("eve"));
    // Nor because the manifest does.
    scene.change(
        "ringfence.toml",
        &age,
        "age1evil1qyqszqgpqyqszqgpqyqszqgpkgcqf7",
    );
    try_all(&scene.age_secret("eve"));
    assert!(!scene.world.path("was-run").exists());
}

/// An agent with somebody's key, which ends with this.
struct Agent {
    socket: std::path::PathBuf,
    process: std::process::Child,
}

impl Agent {
    fn with(scene: &Scene, who: &str) -> Self {
        let socket = std::env::temp_dir().join(format!("rf-agent-{}-{who}", std::process::id()));
        let _ = fs::remove_file(&socket);
        let mut command = scene.world.any_command("ssh-agent");
        let process = command.arg("-D").arg("-a").arg(&socket);
        let process = process.stdout(std::process::Stdio::null()).spawn().unwrap();
        let agent = Self { socket, process };
        while !agent.socket.exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let mut add = scene.world.any_command("ssh-add");
        add.env("SSH_AUTH_SOCK", &agent.socket);
        add.arg("-q").arg(scene.home(who).join(".ssh/id_ed25519"));
        assert!(add.status().unwrap().success());
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.socket);
    }
}

#[test]
fn the_agent_seals() {
    let scene = Scene::sealed("A=opened\n");
    let agent = Agent::with(&scene, "ana");
    fs::remove_file(scene.home("ana").join(".ssh/id_ed25519")).unwrap();
    let rotate = ["secret", "rotate", "prod"];
    scene.fails(
        "ana",
        &rotate,
        4,
        &["no key at hand seals for `prod`", "ssh-add"],
    );
    let mut command = scene.command("ana", &rotate);
    command.env("SSH_AUTH_SOCK", &agent.socket);
    let outcome = Outcome::of(&command.output().unwrap());
    holds(&outcome, 0, &["revision 2"]);
    scene.starts("ana", "prod");
    // What the agent holds for somebody else is not used.
    let other = Agent::with(&scene, "ben");
    let mut command = scene.command("ana", &rotate);
    command.env("SSH_AUTH_SOCK", &other.socket);
    let outcome = Outcome::of(&command.output().unwrap());
    holds(&outcome, 4, &["no key at hand seals for `prod`"]);
}

#[test]
fn an_agent_that_is_gone_is_no_matter_where_a_file_has_the_key() {
    let scene = Scene::sealed("A=opened\n");
    let mut command = scene.command("ana", &["secret", "rotate", "prod"]);
    command.env("SSH_AUTH_SOCK", "/nowhere/agent");
    holds(&Outcome::of(&command.output().unwrap()), 0, &["revision 2"]);
}

#[test]
fn a_named_key_seals_and_a_wrong_one_is_refused() {
    let scene = Scene::sealed("A=opened\n");
    let key = scene.home("ana").join("elsewhere");
    fs::rename(scene.home("ana").join(".ssh/id_ed25519"), &key).unwrap();
    let key = key.to_str().unwrap().to_owned();
    scene.fine("ana", &["secret", "rotate", "prod", "--seal-key", &key]);
    let wrong = scene.home("ben").join(".ssh/id_ed25519");
    let words = [
        "secret",
        "rotate",
        "prod",
        "--seal-key",
        wrong.to_str().unwrap(),
    ];
    let before = scene.world.read(".env.prod.enc");
    scene.fails(
        "ana",
        &words,
        4,
        &[
            "is the key of no editor",
            "nothing was written",
            "--seal-key",
        ],
    );
    for file in ["/nowhere/key", "ringfence.toml"] {
        let words = ["secret", "rotate", "prod", "--seal-key", file];
        scene.fails("ana", &words, 4, &[file, "nothing was written"]);
    }
    assert_eq!(scene.world.read(".env.prod.enc"), before);
    scene.fine("eve", &["secret", "verify"]);
}

#[test]
fn ssh_keygen_agrees_with_the_seal() {
    let scene = Scene::sealed("A=1\n");
    let seal = scene.world.read(".env.prod.enc.seal");
    let (text, signature) = seal.split_once("-----BEGIN SSH SIGNATURE-----").unwrap();
    scene.world.write("text", text);
    scene.world.write(
        "signature",
        format!("-----BEGIN SSH SIGNATURE-----{signature}"),
    );
    scene
        .world
        .write("editors", format!("ana {}\n", scene.ssh("ana")));
    let mut command = scene.world.any_command("sh");
    command.args([
        "-c",
        "ssh-keygen -Y verify -f editors -I ana -n ringfence-seal@1 -s signature <text",
    ]);
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}
