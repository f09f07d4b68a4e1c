//! Starting a command: what it sees, what it keeps, and how it ends.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::world::{Outcome, World};

fn dev() -> World {
    World::new(&[(".env.dev", "A=1\n")])
}

#[test]
fn the_block_is_built_from_nothing() {
    let world = dev()
        .var("AWS_SECRET_ACCESS_KEY", "x")
        .var("SSH_AUTH_SOCK", "/x")
        .var("KUBECONFIG", "/x")
        .var("PROD_URL", "x")
        .var("LD_LIBRARY_PATH", "/x")
        .var("LC_ALL", "C")
        .var("XDG_CACHE_HOME", "/x")
        .var("TERM", "xterm")
        .var("RINGFENCE_TIER", "production");
    let names: Vec<String> = world
        .block(&["run", "dev"])
        .iter()
        .map(|line| line.split('=').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "A",
            "APP_ENV",
            "HOME",
            "LANG",
            "LC_ALL",
            "PATH",
            "RINGFENCE_ENVIRONMENT",
            "RINGFENCE_TIER",
            "TERM",
            "TMPDIR",
            "XDG_CACHE_HOME"
        ]
    );
    assert_eq!(
        world.value(&["run", "dev"], "RINGFENCE_TIER").as_deref(),
        Some("development")
    );
}

#[test]
fn the_manifest_passes_what_it_names() {
    let manifest = "version = 1\npass = [\"DISPLAY\", \"SSH_AUTH_SOCK\"]\n";
    let world = World::new(&[("ringfence.toml", manifest), (".env.dev", "A=1\n")])
        .var("DISPLAY", ":0")
        .var("OTHER", "x");
    assert_eq!(world.value(&["run"], "DISPLAY").as_deref(), Some(":0"));
    assert_eq!(world.value(&["run"], "SSH_AUTH_SOCK"), None);
    assert_eq!(world.value(&["run"], "OTHER"), None);
}

#[test]
fn values_reach_the_child_as_they_are() {
    let world = World::new(&[(
        ".env.dev",
        "A='it is \"so\"'\nB=\"l1\\nl2\"\nC=${A}!\nD=a b # c\nE=\n",
    )]);
    let value = |name| world.value(&["run"], name).unwrap();
    assert_eq!(value("A"), "it is \"so\"");
    assert_eq!(value("B"), "l1\nl2");
    assert_eq!(value("C"), "it is \"so\"!");
    assert_eq!(value("D"), "a b");
    assert_eq!(value("E"), "");
}

#[test]
fn exit_codes_are_the_childs() {
    let world = dev();
    let run = |command: &[&str]| world.ringfence(&[&["run", "dev", "--"], command].concat());
    assert_eq!(run(&["true"]).code, Some(0));
    assert_eq!(run(&["sh", "-c", "exit 7"]).code, Some(7));
    assert_eq!(run(&["sh", "-c", "kill -TERM $$"]).signal, Some(15));
    assert_eq!(run(&["no-such-program"]).code, Some(127));
    assert_eq!(run(&["./no-such-program"]).code, Some(127));
    assert_eq!(run(&["/"]).code, Some(126));
    world.write("plain", "echo");
    assert_eq!(run(&["./plain"]).code, Some(126));
    world.write("orphan", "#!/no/such/interpreter\n");
    fs::set_permissions(world.path("orphan"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(run(&["./orphan"]).code, Some(126));
    // What a shell sees of a child that TERM killed.
    let binary = env!("CARGO_BIN_EXE_ringfence");
    let script = format!("{binary} run dev -- sh -c 'kill -TERM $$'; echo $?");
    let outcome = Outcome::of(
        &world
            .any_command("sh")
            .args(["-c", &script])
            .output()
            .unwrap(),
    );
    assert_eq!(outcome.stdout, "143\n");
}

/// The fields of `/proc/PID/stat` after the command's name: state, parent, process group, session, terminal, its group …
fn stat(text: &str) -> Vec<&str> {
    text.rsplit(") ")
        .next()
        .unwrap()
        .split_whitespace()
        .collect()
}

#[test]
fn without_a_barrier_the_command_takes_this_process_place() {
    let world = dev();
    let script = "echo $$ $PPID; read -r line </proc/$$/stat; echo \"$line\"";
    let mut command = world.command();
    command
        .args(["run", "dev", "--no-barrier", "--", "sh", "-c", script])
        .stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    let id = child.id().to_string();
    let outcome = Outcome::of(&child.wait_with_output().unwrap());
    let mut lines = outcome.stdout.lines();
    assert_eq!(
        lines.next().unwrap(),
        format!("{id} {}", std::process::id())
    );
    let own = fs::read_to_string("/proc/self/stat").unwrap();
    let (own, theirs) = (stat(&own), stat(lines.next().unwrap()));
    assert_eq!(
        theirs[2..4],
        own[2..4],
        "process group and session are the caller's"
    );
}

#[test]
fn the_terminal_is_the_commands_own() {
    let world = dev();
    world.write(
        "look",
        "read -r line </proc/$$/stat; test -t 0 && test -t 1 && test -t 2 && echo \"<$line>\"",
    );
    let shown = on_terminal(&world, "run dev -- sh look");
    let line = shown
        .split('<')
        .nth(1)
        .and_then(|rest| rest.split('>').next());
    let line = line.unwrap_or_else(|| panic!("{shown}"));
    let fields = stat(line);
    assert_eq!(
        fields[2], fields[5],
        "the command is in the terminal's foreground process group"
    );
    assert_ne!(fields[4], "0", "it has a controlling terminal");
}

#[test]
fn streams_signals_and_descriptors_are_untouched() {
    let world = dev();
    let mut command = world.command();
    command.args([
        "run",
        "dev",
        "--no-barrier",
        "--",
        "sh",
        "-c",
        "cat; echo err >&2; cat <&9; trap",
    ]);
    let script = "exec 9<numbers; trap '' HUP; exec \"$@\"";
    world.write("numbers", "nine\n");
    let mut wrapped = world.any_command("sh");
    wrapped
        .args(["-c", script, "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    let mut child = wrapped
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"in\n").unwrap();
    let outcome = Outcome::of(&child.wait_with_output().unwrap());
    assert_eq!(
        (outcome.stdout.as_str(), outcome.stderr.as_str()),
        ("in\nnine\n", "err\n")
    );
    // Ringfence itself ignores SIGPIPE; its child must not.
    let piped = "yes | head -n 1; exit ${PIPESTATUS[0]}";
    let outcome = world.ringfence(&["run", "dev", "--", "bash", "-c", piped]);
    assert_eq!((outcome.stdout.as_str(), outcome.code), ("y\n", Some(141)));
}

#[test]
fn nothing_is_said_off_a_terminal_unless_there_is_something_to_say() {
    let outcome = dev().ringfence(&["run", "dev", "--", "true"]);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
}

/// The command inside a pseudo-terminal that `script` makes.
fn on_terminal(world: &World, arguments: &str) -> String {
    let binary = env!("CARGO_BIN_EXE_ringfence");
    let mut command = world.any_command("script");
    command
        .args(["-qec", &format!("{binary} {arguments}"), "/dev/null"])
        .env("TERM", "xterm");
    Outcome::of(&command.output().unwrap()).stdout
}

#[test]
fn the_banner_names_tier_settings_and_endpoints_without_credentials() {
    let url = "DB_URL=postgres://app:hunter2@db.example:6432/app\n";
    let world = World::new(&[(".env.dev", url), (".env.prod", url)]);
    let banner = on_terminal(&world, "run dev -- true");
    assert!(
        banner.contains("dev (development) · 1 settings · DB_URL db.example:6432 · barrier full"),
        "{banner}"
    );
    assert!(!banner.contains("hunter2") && !banner.contains("\x1b[1;37;41m"));
    let banner = on_terminal(&world, "run prod -- true");
    assert!(
        banner.contains("\x1b[1;37;41m ringfence: prod (production)"),
        "production is red: {banner:?}"
    );
    let plain = on_terminal(&world, "--color never run prod -- true");
    assert!(plain.contains("ringfence: prod (production)") && !plain.contains('\x1b'));
    let manifest = "version = 1\n[resources.database]\nsetting = \"DB_URL\"\n[resources.files]\nsetting = \"DATA\"\n";
    let world = World::new(&[
        ("ringfence.toml", manifest),
        (
            ".env.dev",
            &format!("{url}DATA=data/dev.db\nOTHER=http://x\n"),
        ),
    ]);
    let banner = on_terminal(&world, "run dev -- true");
    assert!(
        banner.contains("3 settings · database db.example:6432 · files data/dev.db ·"),
        "{banner}"
    );
}

#[test]
fn variables_of_the_shell_that_would_have_changed_something_are_named() {
    let world = World::new(&[(".env.dev", "A=1\nB=2\n")])
        .var("A", "other")
        .var("B", "2")
        .var("APP_ENV", "prod")
        .var("C", "x");
    let outcome = world.ringfence(&["run", "dev", "--", "true"]);
    assert_eq!(
        outcome.stderr,
        "ringfence: the shell's A, APP_ENV are ignored: `dev` has values of its own\n"
    );
}

#[test]
fn variables_that_hijack_are_refused_from_files() {
    for name in [
        "LD_PRELOAD",
        "DYLD_INSERT_LIBRARIES",
        "NODE_OPTIONS",
        "BASH_ENV",
        "PATH",
        "PYTHONSTARTUP",
        "PERL5OPT",
        "RUBYOPT",
        "GIT_SSH_COMMAND",
        "JAVA_TOOL_OPTIONS",
    ] {
        let world = World::new(&[(".env.dev", &format!("{name}=./x\n"))]);
        world.refuses(
            &["run", "dev"],
            &["hijacking-variable", name, ".env.dev:1:", "declare"],
        );
        let declared = World::new(&[
            (
                "ringfence.toml",
                &format!("version = 1\n[settings]\n{name} = {{}}\n"),
            ),
            (".env.dev", &format!("{name}=/usr/bin:/bin\n")),
        ]);
        assert_eq!(declared.ringfence(&["show", "dev"]).code, Some(0), "{name}");
    }
}

#[test]
fn a_key_that_opens_sealed_files_is_given_to_no_program_by_accident() {
    for name in [
        "SOPS_AGE_KEY",
        "SOPS_AGE_KEY_FILE",
        "DOTENV_PRIVATE_KEY_PROD",
    ] {
        let file = format!("{name}=x\n");
        let world = World::new(&[(".env.dev", &file)]);
        world.refuses(
            &["run", "dev"],
            &["key-for-the-program", name, ".env.dev:1:"],
        );
        let manifest = format!("version = 1\n[settings]\n{name} = {{}}\n");
        let declared = World::new(&[("ringfence.toml", &manifest), (".env.dev", &file)]);
        let value = declared.value(&["run", "dev", "--no-barrier"], name);
        assert_eq!(value.as_deref(), Some("x"));
    }
}

#[test]
fn the_program_is_looked_for_on_the_childs_path() {
    let world = World::new(&[
        ("ringfence.toml", "version = 1\n[settings]\nPATH = {}\n"),
        (".env.dev", "PATH=bin:/usr/bin:/bin\n"),
        ("bin/mine", "#!/bin/sh\necho mine\n"),
    ]);
    fs::set_permissions(world.path("bin/mine"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(
        world.ringfence(&["run", "dev", "--", "mine"]).stdout,
        "mine\n"
    );
}

#[test]
fn a_block_that_no_kernel_takes_is_refused_by_name() {
    let world = World::new(&[(
        ".env.dev",
        &format!("SMALL=1\nBIG={}\n", "x".repeat(200_000)),
    )]);
    world.refuses(
        &["run", "dev"],
        &[
            "block-too-large",
            "`BIG` has 200000 bytes",
            ".env.dev:2:5",
            "131072 in one string",
        ],
    );
    let many: String = (0..100)
        .map(|index| format!("S{index}={}\n", "x".repeat(100_000 + index)))
        .collect();
    let world = World::new(&[(".env.dev", &many)]);
    world.refuses(
        &["run", "dev"],
        &[
            "block-too-large",
            "`S99` has 100099 bytes",
            "`S98`",
            "the kernel takes",
        ],
    );
    let fits: String = (0..10)
        .map(|index| format!("S{index}={}\n", "x".repeat(100_000)))
        .collect();
    assert_eq!(
        World::new(&[(".env.dev", &fits)])
            .ringfence(&["run", "dev", "--", "true"])
            .code,
        Some(0)
    );
}

#[test]
fn everything_wrong_is_said_at_once() {
    let manifest = "version = 1\n[environments]\ndev = {}\n[settings]\nPORT = { type = \"port\" }\nMODE = { type = \"enum\", values = [\"a\", \"b\"] }\nNAME = {}\n";
    let world = World::new(&[
        ("ringfence.toml", manifest),
        (
            ".env.dev",
            "PORT=http\nMODE=c\nX=${Y}\nAPP_ENV=nowhere\nLD_PRELOAD=x\n",
        ),
    ]);
    let outcome = world.refuses(
        &["run", "dev"],
        &[
            ".env.dev:1:6",
            ".env.dev:2:6",
            ".env.dev:3:3",
            ".env.dev:4:9",
            ".env.dev:5:12",
            "`NAME` has no value",
        ],
    );
    assert_eq!(
        outcome.stderr.matches("error[").count(),
        6,
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_setting_can_be_set_for_once_but_not_in_production_and_no_secret() {
    let world = World::new(&[(".env.dev", "A=1\n"), (".env.prod", "A=1\n")]);
    assert_eq!(
        world
            .value(&["run", "dev", "--set", "A=2", "--set", "B=${A}"], "A")
            .as_deref(),
        Some("2")
    );
    assert_eq!(
        world
            .value(&["run", "dev", "--set", "B=${A}"], "B")
            .as_deref(),
        Some("${A}")
    );
    let (outcome, started) = world.try_start(&["run", "prod", "--set", "A=2"]);
    assert_eq!((outcome.code, started), (Some(4), false));
    assert!(outcome.stderr.contains("`--set` is refused in `prod`"));
    world.refuses(
        &["run", "dev", "--set", "API_KEY=x"],
        &["secret-argument", ".env.dev.local"],
    );
    assert_eq!(
        world.try_start(&["run", "dev", "--set", "1=x"]).0.code,
        Some(2)
    );
}

#[test]
fn a_weaker_barrier_than_the_environment_requires_is_refused() {
    let manifest =
        |level: &str| format!("version = 1\n[environments]\ndev = {{ barrier = \"{level}\" }}\n");
    let world = World::new(&[("ringfence.toml", &manifest("full")), (".env.dev", "A=1\n")]);
    for weaker in [
        "--no-barrier",
        "--barrier=network-only",
        "--barrier=config-only",
    ] {
        let (outcome, started) = world.try_start(&["run", "dev", weaker]);
        assert_eq!(
            (outcome.code, started),
            (Some(125), false),
            "{weaker}: {outcome:?}"
        );
        assert!(
            outcome.stderr.contains("requires the barrier `full`"),
            "{}",
            outcome.stderr
        );
    }
    for level in ["off", "config-only"] {
        let world = World::new(&[("ringfence.toml", &manifest(level)), (".env.dev", "A=1\n")]);
        assert!(world.try_start(&["run", "dev"]).1, "{level}");
    }
}

#[test]
fn the_barrier_can_be_left_out_in_development_and_testing_alone() {
    let world = World::new(&[
        (".env.dev", "A=1\n"),
        (".env.test", "A=1\n"),
        (".env.staging", "A=1\n"),
        (".env.prod", "A=1\n"),
    ]);
    for environment in ["dev", "test"] {
        assert!(
            world.try_start(&["run", environment, "--no-barrier"]).1,
            "{environment}"
        );
        fs::remove_file(world.path("started")).unwrap();
    }
    for environment in ["staging", "prod"] {
        let (outcome, started) = world.try_start(&["run", environment, "--no-barrier"]);
        assert_eq!(
            (outcome.code, started),
            (Some(4), false),
            "{environment}: {outcome:?}"
        );
    }
    let banner = on_terminal(&world, "run dev --no-barrier -- true");
    assert!(banner.contains("no barrier"), "{banner}");
}

#[test]
fn the_plan_is_explained_without_a_value() {
    let world = World::new(&[
        (
            ".env.dev",
            "DB_URL=postgres://app:hunter2canary@db.example:6432/app\n",
        ),
        (
            ".env.prod",
            "DB_URL=postgres://app:proddycanary@db.prod.example/app\n",
        ),
    ]);
    for arguments in [
        &["run", "dev", "--explain"][..],
        &["run", "dev", "--explain", "--json"],
        &["shell", "dev", "--explain"],
    ] {
        let outcome = world.ringfence(arguments);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        for word in [
            "db.example",
            "DB_URL",
            "db.prod.example",
            ".env.prod",
            ".aws",
        ] {
            assert!(
                outcome.stdout.contains(word),
                "{arguments:?} should say {word}: {}",
                outcome.stdout
            );
        }
        assert!(!outcome.stdout.contains("canary"), "{}", outcome.stdout);
    }
}

#[test]
fn a_file_that_is_no_file_is_refused_without_waiting() {
    let world = World::new(&[(".env.dev", "A=1\n")]);
    assert!(
        world
            .any_command("mkfifo")
            .arg(world.path(".env.prod"))
            .status()
            .unwrap()
            .success()
    );
    world.refuses(
        &["run", "prod"],
        &["unreadable-file", "`.env.prod`", "not a regular file"],
    );
    assert_eq!(world.ringfence(&["run", "dev", "--", "true"]).code, Some(0));
}

#[test]
fn usage_errors_are_two() {
    let world = dev();
    for arguments in [
        &["run"][..],
        &["run", "dev"],
        &["nonsense"],
        &["run", "dev", "--env", "prod", "--", "true"],
        &[],
    ] {
        assert_eq!(world.ringfence(arguments).code, Some(2), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["run", "--help"], &["--version"]] {
        let outcome = world.ringfence(arguments);
        assert_eq!(
            (outcome.code, outcome.stderr.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let world = World::new(&[(
        ".env.dev",
        &(0..5000).map(|i| format!("S{i}=1\n")).collect::<String>(),
    )]);
    let script = format!(
        "{} show dev | head -n 1; echo ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_ringfence")
    );
    let outcome = Outcome::of(
        &world
            .any_command("bash")
            .args(["-c", &script])
            .output()
            .unwrap(),
    );
    assert!(outcome.stdout.ends_with("\n0\n"), "{}", outcome.stdout);
}

#[test]
fn a_name_cannot_move_the_cursor() {
    let world = World::new(&[(".env.dev", "A=1\n"), (".env.\x1b]0;x", "")])
        .var("APP_ENV", "\x1b]0;title\x07");
    for arguments in [
        &["run", "--", "true"][..],
        &["doctor"],
        &["explain", "\x1b[2J"],
        &["run", "dev", "--", "\x1b[2J"],
    ] {
        let outcome = world.ringfence(arguments);
        assert!(
            !(outcome.stdout + &outcome.stderr).contains('\x1b'),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_file_that_is_no_env_file_is_refused_in_a_screenful_or_few() {
    let noise: String = (0..200_000)
        .map(|index| format!("line {index} of something else\n"))
        .collect();
    let outcome = World::new(&[(".env.dev", &noise)])
        .refuses(&["run", "dev"], &["too-many-errors", "199950 more errors"]);
    assert!(outcome.stderr.len() < 100_000);
    let world = World::new(&[]);
    fs::File::create(world.path(".env.dev"))
        .unwrap()
        .set_len(100 << 20)
        .unwrap();
    world.refuses(&["run", "dev"], &["unreadable-file", "larger than 32 MiB"]);
    let many: String = (0..2000)
        .map(|index| format!("A{index}=${{B{index}}}\n"))
        .collect();
    World::new(&[(".env.dev", &many)]).refuses(&["run", "dev"], &["1900 more, not shown here"]);
    World::new(&[(".env.dev", &format!("A={}\n", "${A".repeat(1_000_000)))])
        .refuses(&["run", "dev"], &["bad-reference"]);
    let long = format!("A={}\nB\n", "x".repeat(10_000_000));
    World::new(&[(".env.dev", &long)]).refuses(&["run", "dev"], &[".env.dev:2:1"]);
}

/// Ringfence marks itself against core files; the command must not inherit the mark (`prctl(PR_GET_DUMPABLE)` is 3).
#[test]
fn the_command_may_be_debugged_as_ever() {
    let script = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))";
    let outcome = dev().ringfence(&["run", "dev", "--", "python3", "-c", script]);
    assert_eq!(outcome.stdout, "1\n", "{}", outcome.stderr);
}
